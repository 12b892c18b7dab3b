using System;
using System.Collections.Generic;
using System.Threading;

namespace Moorline
{
    public sealed partial class MoorlineClient
    {
        /// <summary>
        /// How many events one <see cref="DispatchEvents"/> tells at most, so that a flood cannot hold a frame for ever.
        /// </summary>
        public const int MostEventsAtOnce = 4096;

        private const int Batch = 256;
        // How long a session that another thread made has to wait until this one, waiting for events, declares it ready.
        private const uint SliceMs = 100;

        // Held while events are taken and appended, never while they are told: so what dispose brings comes after what was taken before it.
        private readonly object _take = new object();
        // Guards the queue, the failures and whose turn it is to tell. Pulsed when the turn ends.
        private readonly object _turn = new object();
        private readonly Queue<RawEvent> _queue = new Queue<RawEvent>();
        private readonly List<Exception> _failures = new List<Exception>();
        private int _dispatcher;

        /// <summary>
        /// Raises what happened and completes what is done, on this thread; returns how many events that were. Waits up to
        /// <paramref name="timeoutMs"/> for the first (0: not at all). Call it from one thread, again and again; after the
        /// client is closed it does nothing. From within a handler, or while another thread is in it, it throws an <see
        /// cref="InvalidOperationException"/>.
        /// </summary>
        public int DispatchEvents(int timeoutMs = 0)
        {
            var left = Borrowed.Milliseconds(timeoutMs, "timeoutMs");
            BeginTurn();
            var told = 0;
            try
            {
                uint taken;
                do
                {
                    if (!IsClosing)
                        Sessions.Ready();
                    var slice = told == 0 ? Math.Min(left, SliceMs) : 0;
                    taken = IsClosing ? WaitForTheRest(slice) : TakeEvents(slice);
                    left -= left == Native.FOREVER ? 0 : slice;
                    told += Tell();
                }
                while ((told == 0 && left != 0 && !IsClosed) || (taken == Batch && told < MostEventsAtOnce));
            }
            finally
            {
                EndTurn();
            }
            ThrowFailures();
            return told;
        }

        /// <summary>
        /// Whether a thread is in <see cref="DispatchEvents"/>, or telling the last events of a client that is closed.
        /// </summary>
        public bool IsDispatching
        {
            get { lock (_turn) return _dispatcher != 0; }
        }

        /// <summary>Tells handlers something, each on its own: what one throws does not keep it from the others.</summary>
        internal void Raise<T>(Action<T> handlers, T what)
        {
            if (handlers == null)
                return;
            foreach (var handler in handlers.GetInvocationList())
            {
                try
                {
                    ((Action<T>)handler)(what);
                }
                catch (Exception e)
                {
                    Report(e);
                }
            }
        }

        /// <summary>Takes note of what a handler threw.</summary>
        internal void Report(Exception exception)
        {
            var listeners = HandlerFailed;
            if (listeners != null)
            {
                try
                {
                    listeners(exception);
                    return;
                }
                catch (Exception worse)
                {
                    exception = new AggregateException(exception, worse);
                }
            }
            lock (_turn)
                _failures.Add(exception);
        }

        private void BeginTurn()
        {
            lock (_turn)
            {
                if (_dispatcher == Thread.CurrentThread.ManagedThreadId)
                    throw new InvalidOperationException(
                        "DispatchEvents was called from within an event handler: return from it, and the events after it are raised");
                if (_dispatcher != 0)
                    throw new InvalidOperationException(
                        "DispatchEvents is running on another thread: one thread dispatches a client's events");
                _dispatcher = Thread.CurrentThread.ManagedThreadId;
            }
        }

        private void EndTurn()
        {
            lock (_turn)
            {
                _dispatcher = 0;
                Monitor.PulseAll(_turn);
            }
        }

        private unsafe uint TakeEvents(uint timeoutMs)
        {
            lock (_take)
            {
                // Dispose holds this lock too while it brings the last events: nothing is left to be taken after it.
                if (IsClosed)
                    return 0;
                Native.Event* events;
                uint count;
                var status = Native.EventsPoll(Handle, Batch, timeoutMs, &events, &count);
                if (status == Native.E_DISPOSED || (status != Native.OK && IsClosing))
                    return 0;
                MoorlineException.Check(status);
                Append(RawEvent.Take(events, count));
                return count;
            }
        }

        // While another thread closes the client, the library has nothing to say until that is done.
        private uint WaitForTheRest(uint timeoutMs)
        {
            lock (_turn)
            {
                if (!_closed && timeoutMs != 0)
                    Monitor.Wait(_turn, (int)timeoutMs);
            }
            return 0;
        }

        private void Append(RawEvent[] events)
        {
            lock (_turn)
            {
                foreach (var e in events)
                    _queue.Enqueue(e);
            }
        }

        // One event at a time leaves the queue: a handler that disposes of the client tells the others from there.
        private int Tell()
        {
            for (var told = 0; ; told++)
            {
                RawEvent e;
                lock (_turn)
                {
                    if (_queue.Count == 0)
                        return told;
                    e = _queue.Dequeue();
                }
                try
                {
                    Tell(e);
                }
                catch (Exception failure)
                {
                    Report(failure);
                }
            }
        }

        private void Tell(RawEvent e)
        {
            switch (e.Kind)
            {
                case Native.EVENT_CLIENT_CLOSED:
                    EndLeftovers();
                    Raise(Closed, new ClientClosed(e));
                    break;
                case Native.EVENT_LAGGED:
                    Raise(Lagged, new Lagged(e, Sessions.Find(e.Handle)));
                    break;
                case Native.EVENT_PANIC:
                    Raise(Panicked, new Panicked(e, Sessions.Find(e.Handle)));
                    break;
                case Native.EVENT_LOG:
                    Raise(Log, new LogLine(e));
                    break;
                case Native.EVENT_REQUEST_DONE:
                    var request = Requests.Remove(e.Request);
                    if (request != null)
                        request.Complete(e.Status, e.Bytes(0), e.Text(0));
                    break;
                default:
                    TellSession(e);
                    break;
            }
        }

        private void TellSession(RawEvent e)
        {
            var session = Sessions.Find(e.Handle);
            var last = session != null ? session.Deliver(e) : IsLast(e.Kind);
            if (last)
                Sessions.Remove(e.Handle);
            else if (session != null)
                Sessions.Review(session);
        }

        private static bool IsLast(uint kind)
        {
            return kind == Native.EVENT_NODE_STOPPED || kind == Native.EVENT_ROOM_DISCONNECTED || kind == Native.EVENT_DOWNLOAD_ENDED;
        }

        private void ThrowFailures()
        {
            Exception[] failures;
            lock (_turn)
            {
                if (_failures.Count == 0)
                    return;
                failures = _failures.ToArray();
                _failures.Clear();
            }
            throw new AggregateException("event handlers failed", failures);
        }
    }
}
