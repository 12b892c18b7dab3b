using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>
    /// A node, a room or a download. It goes on until it is ended, and says so with exactly one last event; disposing of it
    /// ends it in good order. One to which nothing refers any more is ended by the garbage collector, like a forgotten file,
    /// unless a request of it is under way or somebody asked for one of its tasks. Event handlers alone do not keep it.
    /// </summary>
    public abstract unsafe class Session : IDisposable
    {
        private int _dropped;

        internal Session(MoorlineClient client, ulong handle)
        {
            Client = client;
            Handle = handle;
        }

        /// <summary>
        /// For the garbage collector. Runs on a thread of its own, at any time, also after the client is gone or in a process
        /// that is ending; the one call it makes is harmless in all of them.
        /// </summary>
        ~Session()
        {
            if (_dropped == 0)
                Native.Drop(Client.Handle, Handle);
        }

        /// <summary>The client that it belongs to.</summary>
        public MoorlineClient Client { get; private set; }

        /// <summary>Whether it has had its last event.</summary>
        public bool IsEnded { get; private set; }

        internal ulong Handle { get; private set; }

        /// <summary>Whether somebody waits for something that it has yet to do.</summary>
        internal abstract bool IsAwaited { get; }

        /// <summary>
        /// Ends it in good order, if it has not ended, and lets go of it. Its last event still comes. Any thread may do it,
        /// handlers of its own events too; again changes nothing.
        /// </summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _dropped, 1) != 0)
                return;
            GC.SuppressFinalize(this);
            Tolerate(Native.Drop(Client.Handle, Handle));
        }

        /// <summary>Tells an event of it to those who listen. True if it was the last.</summary>
        internal abstract bool Deliver(RawEvent e);

        /// <summary>The last event of it, for a client that is gone without having sent one.</summary>
        internal abstract RawEvent LastEvent(Status status);

        /// <summary>Notes the end, before anybody is told.</summary>
        internal void NoteEnd()
        {
            IsEnded = true;
        }

        /// <summary>Hands out the task of a milestone, which keeps this session until it is done.</summary>
        internal Task<T> Ask<T>(Milestone<T> milestone)
        {
            var task = milestone.Ask();
            if (!task.IsCompleted)
                Client.Sessions.Keep(this);
            return task;
        }

        /// <summary>Makes a request that belongs to this session.</summary>
        internal Task<byte[]> Request(CancellationToken token, Ask ask)
        {
            return Client.Requests.Begin(this, token, ask);
        }

        /// <summary>Rows of a snapshot.</summary>
        internal RawEvent[] Snapshot(Snapshot take)
        {
            Native.Event* events;
            uint count;
            MoorlineException.Check(take(Client.Handle, Handle, &events, &count));
            GC.KeepAlive(this);
            return RawEvent.Take(events, count);
        }

        /// <summary>Checks the status of a call that ends something: that it has ended already is what was wanted.</summary>
        internal void Tolerate(int status)
        {
            var gone = status == Native.E_BAD_HANDLE && (_dropped != 0 || IsEnded || Client.IsClosed);
            if (!gone && status != Native.E_DISPOSED && status != Native.E_NOT_INITIALIZED && status != Native.E_CLOSED)
                MoorlineException.Check(status);
            GC.KeepAlive(this);
        }
    }

    internal unsafe delegate int Snapshot(ulong client, ulong session, Native.Event** events, uint* count);
}
