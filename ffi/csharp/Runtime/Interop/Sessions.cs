using System;
using System.Collections.Generic;

namespace Moorline
{
    /// <summary>Makes a session: a native call that fills in its handle.</summary>
    internal unsafe delegate int Make(Borrowed memory, ulong* session);

    /// <summary>
    /// The sessions of a client that have not had their last event, by their handles. The table alone keeps none of them from
    /// being collected: one to which nobody refers any more is let go by its finalizer.
    /// </summary>
    internal sealed unsafe class Sessions
    {
        private readonly Dictionary<ulong, WeakReference> _all = new Dictionary<ulong, WeakReference>();
        private readonly HashSet<Session> _kept = new HashSet<Session>();
        private readonly Queue<ulong> _unready = new Queue<ulong>();
        private readonly ulong _client;

        internal Sessions(ulong client)
        {
            _client = client;
        }

        /// <summary>
        /// Makes a session. <paramref name="listen"/> adds its handlers before any event of it can be looked for here; without
        /// it, the session becomes ready when events are dispatched next.
        /// </summary>
        internal T Begin<T>(Make make, Func<ulong, T> wrap, Action<T> listen, bool needsReady) where T : Session
        {
            T session;
            using (var memory = new Borrowed())
            lock (_all)
            {
                ulong handle;
                memory.Check(make(memory, &handle));
                session = wrap(handle);
                _all.Add(handle, new WeakReference(session));
                if (needsReady && listen == null)
                    _unready.Enqueue(handle);
                if (listen != null)
                    Listen(session, listen);
            }
            if (needsReady && listen != null)
                Ready(session.Handle);
            return session;
        }

        /// <summary>Declares those ready that were made since the last time.</summary>
        internal void Ready()
        {
            for (; ; )
            {
                ulong handle;
                lock (_all)
                {
                    if (_unready.Count == 0)
                        return;
                    handle = _unready.Dequeue();
                }
                Ready(handle);
            }
        }

        /// <summary>The session with this handle, or null if it has been collected, or has had its last event.</summary>
        internal Session Find(ulong handle)
        {
            lock (_all)
            {
                WeakReference session;
                return _all.TryGetValue(handle, out session) ? (Session)session.Target : null;
            }
        }

        /// <summary>Keeps a session from being collected, until <see cref="Review"/> finds that nobody waits for it.</summary>
        internal void Keep(Session session)
        {
            lock (_all)
            {
                if (_all.ContainsKey(session.Handle))
                    _kept.Add(session);
            }
        }

        /// <summary>After an event: keeps a session no longer than somebody waits for it.</summary>
        internal void Review(Session session)
        {
            lock (_all)
            {
                if (!session.IsAwaited)
                    _kept.Remove(session);
            }
        }

        /// <summary>After its last event.</summary>
        internal void Remove(ulong handle)
        {
            lock (_all)
            {
                WeakReference session;
                if (!_all.TryGetValue(handle, out session))
                    return;
                _all.Remove(handle);
                var target = (Session)session.Target;
                if (target != null)
                    _kept.Remove(target);
            }
        }

        /// <summary>The handles of all of them.</summary>
        internal List<ulong> Handles()
        {
            lock (_all)
                return new List<ulong>(_all.Keys);
        }

        private static void Listen<T>(T session, Action<T> listen) where T : Session
        {
            try
            {
                listen(session);
            }
            catch
            {
                // The caller never gets to see it.
                session.Dispose();
                throw;
            }
        }

        private void Ready(ulong handle)
        {
            var status = Native.Ready(_client, handle);
            // Ended, let go or disposed of meanwhile: then its last event says so, and not this.
            if (status != Native.E_BAD_HANDLE && status != Native.E_CLOSED && status != Native.E_DISPOSED)
                MoorlineException.Check(status);
        }
    }
}
