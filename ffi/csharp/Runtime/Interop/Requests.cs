using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>Makes a request: a native call that fills in its handle.</summary>
    internal unsafe delegate int Ask(Borrowed memory, ulong* request);

    /// <summary>The requests of a client that are under way, by their handles.</summary>
    internal sealed unsafe class Requests
    {
        private readonly Dictionary<ulong, Request> _pending = new Dictionary<ulong, Request>();
        private readonly ulong _client;

        internal Requests(ulong client)
        {
            _client = client;
        }

        /// <summary>How many there are.</summary>
        internal int Count
        {
            get { lock (_pending) return _pending.Count; }
        }

        /// <summary>Makes a request. Whatever goes wrong is told by the task.</summary>
        internal Task<byte[]> Begin(Session owner, CancellationToken token, Ask ask)
        {
            if (token.IsCancellationRequested)
                return Failed(source => source.TrySetCanceled(token));
            try
            {
                Request request;
                using (var memory = new Borrowed())
                // Another thread may take the event that says it is done before the call returns; with the lock held it will not look
                // for it before it is here. The call does not block.
                lock (_pending)
                {
                    ulong handle;
                    memory.Check(ask(memory, &handle));
                    request = new Request(_client, handle, owner, token);
                    _pending.Add(handle, request);
                }
                request.Observe();
                return request.Task;
            }
            catch (Exception e)
            {
                return Failed(source => source.TrySetException(e));
            }
        }

        /// <summary>Finds and forgets a request.</summary>
        internal Request Remove(ulong handle)
        {
            lock (_pending)
            {
                Request request;
                if (_pending.TryGetValue(handle, out request))
                    _pending.Remove(handle);
                return request;
            }
        }

        /// <summary>Forgets all of them.</summary>
        internal List<Request> RemoveAll()
        {
            lock (_pending)
            {
                var all = new List<Request>(_pending.Values);
                _pending.Clear();
                return all;
            }
        }

        private static Task<byte[]> Failed(Action<TaskCompletionSource<byte[]>> end)
        {
            var source = new TaskCompletionSource<byte[]>();
            end(source);
            GC.KeepAlive(source.Task.Exception);
            return source.Task;
        }
    }
}
