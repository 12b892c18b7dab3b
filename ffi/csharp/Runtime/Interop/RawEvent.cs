using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Moorline
{
    /// <summary>
    /// An event, or a row of a snapshot, copied out of the library's memory. Which number and which span means what depends on
    /// its kind.
    /// </summary>
    internal sealed unsafe class RawEvent
    {
        private static readonly byte[] None = new byte[0];

        internal readonly uint Kind;
        internal readonly Status Status;
        internal readonly ulong Handle;
        internal readonly ulong Request;
        private readonly ulong[] _numbers = new ulong[Native.NUMBERS];
        private readonly byte[][] _spans;

        /// <summary>A last event that this side has to make up, because the library is no longer there to send it.</summary>
        internal RawEvent(uint kind, Status status, ulong handle)
        {
            Kind = kind;
            Status = status;
            Handle = handle;
            _spans = new[] { None, None, None, None, None };
        }

        private RawEvent(Native.Event* from)
        {
            Kind = from->Kind;
            Status = (Status)from->Status;
            Handle = from->Handle;
            Request = from->Request;
            for (var i = 0; i < _numbers.Length; i++)
                _numbers[i] = from->Numbers[i];
            _spans = new[] { Copy(from->Spans0), Copy(from->Spans1), Copy(from->Spans2), Copy(from->Spans3), Copy(from->Spans4) };
        }

        /// <summary>Copies a block of events, and frees it.</summary>
        internal static RawEvent[] Take(Native.Event* events, uint count)
        {
            try
            {
                var taken = new RawEvent[count];
                for (var i = 0; i < taken.Length; i++)
                    taken[i] = new RawEvent(events + i);
                return taken;
            }
            finally
            {
                MoorlineException.Check(Native.Free(events));
            }
        }

        internal byte[] Bytes(int index)
        {
            return _spans[index];
        }

        /// <summary>What peers say may be any bytes: what is not UTF-8 shows as U+FFFD.</summary>
        internal string Text(int index)
        {
            return Encoding.UTF8.GetString(_spans[index]);
        }

        internal ulong Number(int index)
        {
            return _numbers[index];
        }

        internal long Long(int index)
        {
            return (long)Math.Min(_numbers[index], long.MaxValue);
        }

        internal int Int(int index)
        {
            return (int)Math.Min(_numbers[index], int.MaxValue);
        }

        internal bool Flag(int index)
        {
            return _numbers[index] != 0;
        }

        private static byte[] Copy(Native.Span span)
        {
            if (span.Length == 0)
                return None;
            var bytes = new byte[checked((int)span.Length)];
            Marshal.Copy((IntPtr)span.Data, bytes, 0, bytes.Length);
            return bytes;
        }
    }
}
