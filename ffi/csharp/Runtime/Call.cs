using System;
using System.Text;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>How a call is refused.</summary>
    public enum Refusal
    {
        /// <summary>The handler failed; the message says how.</summary>
        Failed = 0,
        /// <summary>There is no such method.</summary>
        NoSuchMethod = 1,
        /// <summary>There is too much to do.</summary>
        Busy = 2,
    }

    /// <summary>A call of another participant. Any thread may answer it, once; nobody may, after its time.</summary>
    public sealed class Call
    {
        private readonly ulong _handle;

        internal Call(Room room, RawEvent e)
        {
            _handle = e.Request;
            Room = room;
            Participant = e.Number(0);
            TimeoutMs = e.Long(1);
            Payload = e.Bytes(0);
            Method = e.Text(1);
        }

        /// <summary>The room it comes from.</summary>
        public Room Room { get; private set; }
        /// <summary>Who calls.</summary>
        public ulong Participant { get; private set; }
        /// <summary>How long the caller waits.</summary>
        public long TimeoutMs { get; private set; }
        /// <summary>What it wants.</summary>
        public string Method { get; private set; }
        /// <summary>The bytes that go with it.</summary>
        public byte[] Payload { get; private set; }

        /// <summary>The bytes as UTF-8.</summary>
        public string Text
        {
            get { return Encoding.UTF8.GetString(Payload); }
        }

        /// <summary>Answers it.</summary>
        public unsafe void Reply(byte[] answer)
        {
            using (var memory = new Borrowed())
            {
                var bytes = memory.Bytes(answer);
                memory.Check(Native.CallReply(Room.Client.Handle, _handle, bytes.Data, bytes.Length, memory.Error));
            }
        }

        /// <summary>Answers it with UTF-8.</summary>
        public void Reply(string answer)
        {
            Reply(Encoding.UTF8.GetBytes(answer));
        }

        /// <summary>Refuses it. The message goes with <see cref="Refusal.Failed"/>.</summary>
        public unsafe void Reject(Refusal refusal, string message = "")
        {
            using (var memory = new Borrowed())
            {
                var text = memory.Text(message);
                memory.Check(Native.CallReject(
                    Room.Client.Handle, _handle, (uint)refusal, text.Data, text.Length, memory.Error));
            }
        }

        internal async void AnswerWith(Func<Call, Task<byte[]>> handler)
        {
            byte[] answer;
            try
            {
                answer = await handler(this);
            }
            catch (Exception e)
            {
                // What it says may be nobody else's business.
                Settle(() => Reject(Refusal.Failed, "the handler failed"));
                Room.Client.Report(e);
                return;
            }
            Settle(() => Reply(answer));
        }

        /// <summary>Answers on behalf of a handler, for whom it is no mistake if it is too late.</summary>
        internal void Settle(Action answer)
        {
            try
            {
                answer();
            }
            catch (MoorlineException e)
            {
                if (e.Status != Status.BadHandle && e.Status != Status.Closed && e.Status != Status.Disposed)
                    Room.Client.Report(e);
            }
        }
    }
}
