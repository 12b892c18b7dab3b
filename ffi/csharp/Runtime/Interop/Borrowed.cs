using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace Moorline
{
    /// <summary>
    /// Memory outside of the managed heap that a native call borrows, freed all at once when the call has returned. The library
    /// keeps no pointer into it.
    /// </summary>
    internal sealed unsafe class Borrowed : IDisposable
    {
        // A lone surrogate is an ArgumentException here rather than another text over there.
        private static readonly Encoding Utf8 = new UTF8Encoding(false, true);

        private readonly List<IntPtr> _blocks = new List<IntPtr>();
        private Native.Error* _error;

        /// <summary>Where the call says what was wrong; <see cref="Check"/> reads it.</summary>
        internal Native.Error* Error
        {
            get
            {
                if (_error == null)
                {
                    _error = (Native.Error*)Allocate(sizeof(Native.Error));
                    *_error = new Native.Error { StructSize = (uint)sizeof(Native.Error) };
                }
                return _error;
            }
        }

        /// <summary>Throws what the call said was wrong, unless <paramref name="status"/> is ok.</summary>
        internal void Check(int status)
        {
            if (status != Native.OK)
                throw new MoorlineException((Status)status, Message);
        }

        /// <summary>What the call said was wrong, or null if it said nothing.</summary>
        internal string Message
        {
            get
            {
                if (_error == null || _error->Length == 0)
                    return null;
                var bytes = new byte[Math.Min(_error->Length, 495)];
                Marshal.Copy((IntPtr)_error->Message, bytes, 0, bytes.Length);
                return Encoding.UTF8.GetString(bytes);
            }
        }

        /// <summary>A text; null becomes the span whose data is null, and "" one that is empty but there.</summary>
        internal Native.Span Text(string text)
        {
            return text == null ? new Native.Span() : Bytes(Utf8.GetBytes(text));
        }

        /// <summary>Bytes; null becomes the span whose data is null.</summary>
        internal Native.Span Bytes(byte[] bytes)
        {
            if (bytes == null)
                return new Native.Span();
            var data = Allocate(Math.Max(bytes.Length, 1));
            Marshal.Copy(bytes, 0, (IntPtr)data, bytes.Length);
            return new Native.Span { Data = (byte*)data, Length = (ulong)bytes.Length };
        }

        /// <summary>Several texts, one after the other.</summary>
        internal Native.Span* Texts(ICollection<string> texts, out uint count)
        {
            count = texts == null ? 0 : (uint)texts.Count;
            if (count == 0)
                return null;
            var spans = (Native.Span*)Allocate(checked(texts.Count * sizeof(Native.Span)));
            var next = spans;
            foreach (var text in texts)
                *next++ = Text(text);
            return spans;
        }

        /// <summary>Several numbers, one after the other.</summary>
        internal ulong* Numbers(ICollection<ulong> numbers, out uint count)
        {
            count = numbers == null ? 0 : (uint)numbers.Count;
            if (count == 0)
                return null;
            var first = (ulong*)Allocate(checked(numbers.Count * sizeof(ulong)));
            var next = first;
            foreach (var number in numbers)
                *next++ = number;
            return first;
        }

        /// <summary>A time as the library takes it: 0 is the default, <see cref="Timeout.Infinite"/> is without end.</summary>
        internal static uint Milliseconds(int ms, string name)
        {
            if (ms < Timeout.Infinite)
                throw new ArgumentOutOfRangeException(name, ms, "milliseconds: 0 or more, or Timeout.Infinite");
            return ms == Timeout.Infinite ? Native.FOREVER : (uint)ms;
        }

        /// <summary>A number that cannot be negative.</summary>
        internal static uint Count(int count, string name)
        {
            if (count < 0)
                throw new ArgumentOutOfRangeException(name, count, "0 or more");
            return (uint)count;
        }

        public void Dispose()
        {
            foreach (var block in _blocks)
                Marshal.FreeHGlobal(block);
            _blocks.Clear();
            _error = null;
        }

        private void* Allocate(int size)
        {
            var block = Marshal.AllocHGlobal(size);
            _blocks.Add(block);
            return (void*)block;
        }
    }
}
