using System;
using System.Diagnostics;
using System.Threading;

namespace Moorline
{
    public sealed partial class MoorlineClient
    {
        private const int DefaultDeadlineMs = 5000;
        // What a garbage collector's thread may be held for while an AppDomain is unloaded.
        private const int UnloadDeadlineMs = 1000;

        private int _closing;
        private volatile bool _closed;

        /// <summary>Whether it is closed, or about to be.</summary>
        public bool IsClosing
        {
            get { return Volatile.Read(ref _closing) != 0; }
        }

        /// <summary>Whether the library is done with it.</summary>
        public bool IsClosed
        {
            get { return _closed; }
        }

        /// <summary>For the garbage collector: somebody forgot to dispose of it.</summary>
        ~MoorlineClient()
        {
            // Zero if it was never made.
            if (Handle == 0 || _closing != 0)
                return;
            var domain = AppDomain.CurrentDomain;
            if (domain.IsFinalizingForUnload() && !domain.IsDefaultAppDomain())
                Abandon(Handle, UnloadDeadlineMs);
            else if (!Environment.HasShutdownStarted)
                // Its goodbyes take a moment, and other finalizers should not wait for them. A process that ends needs none of it.
                ThreadPool.QueueUserWorkItem(handle => Abandon((ulong)handle, DefaultDeadlineMs), Handle);
        }

        /// <summary>
        /// Ends everything, by <see cref="Close"/> with five seconds to do it in. What handlers throw then goes to <see
        /// cref="HandlerFailed"/>, or to the standard error if nobody listens there. May be called from within a handler;
        /// again changes nothing.
        /// </summary>
        public void Dispose()
        {
            try
            {
                Close(DefaultDeadlineMs);
            }
            catch (Exception e)
            {
                Console.Error.WriteLine("closing a Moorline client: " + e);
            }
        }

        /// <summary>
        /// Ends everything: requests are called off, rooms left, nodes stopped with their goodbyes. Raises all events that
        /// remain on this thread, or, if another thread is dispatching, has that one raise them and waits for it. When it
        /// returns, every task is done, every session has had its last event, no thread of the client is left and none of its
        /// events will ever be raised again. Throws a <see cref="MoorlineException"/> with <see cref="Status.Timeout"/> that
        /// names what had to be cut off at the deadline, or the <see cref="AggregateException"/> of <see
        /// cref="HandlerFailed"/>. Again, it waits for the first time to be over.
        /// </summary>
        public unsafe void Close(int deadlineMs)
        {
            var deadline = Borrowed.Milliseconds(deadlineMs, "deadlineMs");
            var since = Stopwatch.StartNew();
            if (Interlocked.Exchange(ref _closing, 1) != 0)
            {
                TellTheRest(since, deadline);
                return;
            }
            GC.SuppressFinalize(this);
            MoorlineException failure = null;
            using (var memory = new Borrowed())
            {
                Native.Event* events = null;
                uint count = 0;
                var status = Native.Dispose(Handle, deadline, &events, &count, memory.Error);
                // It was gone already, as it is in a forked child, if there are none. What waits for it must not wait for ever.
                var rest = count != 0
                    ? RawEvent.Take(events, count)
                    : new[] { new RawEvent(Native.EVENT_CLIENT_CLOSED, (Status)status, Handle) };
                lock (_take)
                lock (_turn)
                {
                    Append(rest);
                    _closed = true;
                    Monitor.PulseAll(_turn);
                }
                if (status != Native.OK)
                    failure = new MoorlineException((Status)status, memory.Message);
            }
            TellTheRest(since, deadline);
            if (failure != null)
                throw failure;
        }

        private void TellTheRest(Stopwatch since, uint deadlineMs)
        {
            bool nested;
            lock (_turn)
            {
                nested = _dispatcher == Thread.CurrentThread.ManagedThreadId;
                while (!_closed || (_dispatcher != 0 && !nested))
                {
                    var left = deadlineMs == Native.FOREVER ? int.MaxValue : deadlineMs - since.ElapsedMilliseconds;
                    if (left <= 0 || !Monitor.Wait(_turn, (int)Math.Min(left, int.MaxValue)))
                        throw new MoorlineException(Status.Timeout, _closed
                            ? "an event handler on another thread has not returned"
                            : "another thread is closing the client, and is not done");
                }
                if (!nested)
                    _dispatcher = Thread.CurrentThread.ManagedThreadId;
            }
            if (nested)
            {
                Tell();
                return;
            }
            try
            {
                Tell();
            }
            finally
            {
                EndTurn();
            }
            ThrowFailures();
        }

        // The library has ended everything by itself; this is for when it could not, so that nobody waits for ever.
        private void EndLeftovers()
        {
            foreach (var request in Requests.RemoveAll())
                request.Complete(Status.Cancelled, null, null);
            foreach (var handle in Sessions.Handles())
            {
                var session = Sessions.Find(handle);
                if (session != null)
                    TellSession(session.LastEvent(Status.Disposed));
                else
                    Sessions.Remove(handle);
            }
        }

        // The events that it would bring are for nobody.
        private static unsafe void Abandon(ulong handle, int deadlineMs)
        {
            Native.Dispose(handle, (uint)deadlineMs, null, null, null);
        }
    }
}
