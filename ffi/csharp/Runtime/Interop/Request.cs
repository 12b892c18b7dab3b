using System;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>A request that is under way: the task that somebody awaits, and what is needed to call it off.</summary>
    internal sealed class Request
    {
        // Continuations run where the request is completed, which is inside DispatchEvents on the caller's thread, unless they were
        // captured with another SynchronizationContext. So TaskCreationOptions.RunContinuationsAsynchronously would be wrong here: code
        // after an await would see its cancellation only after the panic event that caused it.
        private readonly TaskCompletionSource<byte[]> _source = new TaskCompletionSource<byte[]>();
        private readonly ulong _client;
        private readonly ulong _handle;
        private readonly CancellationToken _token;
        private CancellationTokenRegistration _registration;
        private bool _done;

        // A session must not be collected, and with that ended, while it has something to do.
        internal readonly Session Owner;

        internal Request(ulong client, ulong handle, Session owner, CancellationToken token)
        {
            _client = client;
            _handle = handle;
            Owner = owner;
            _token = token;
        }

        internal Task<byte[]> Task
        {
            get { return _source.Task; }
        }

        /// <summary>
        /// Calls the request off as soon as its token is cancelled. Never called with a lock held: it may happen at once.
        /// </summary>
        internal void Observe()
        {
            if (!_token.CanBeCanceled)
                return;
            var registration = _token.Register(state => ((Request)state).Cancel(), this, false);
            lock (_source)
            {
                if (!_done)
                {
                    _registration = registration;
                    return;
                }
            }
            // It was done before this thread got here. A token may outlive many requests, and must not collect them.
            registration.Dispose();
        }

        internal void Complete(Status status, byte[] result, string reason)
        {
            CancellationTokenRegistration registration;
            lock (_source)
            {
                _done = true;
                registration = _registration;
            }
            registration.Dispose();
            if (status == Status.Ok)
                _source.TrySetResult(result);
            else
                Fail(_source, status, reason, _token);
        }

        /// <summary>Ends a task as cancelled or faulted.</summary>
        internal static void Fail<T>(TaskCompletionSource<T> source, Status status, string reason, CancellationToken token)
        {
            if (status == Status.Cancelled)
            {
                if (token.IsCancellationRequested)
                    source.TrySetCanceled(token);
                else
                    source.TrySetCanceled();
                return;
            }
            source.TrySetException(new MoorlineException(status, reason));
            // Not everyone awaits everything: that is no UnobservedTaskException.
            GC.KeepAlive(source.Task.Exception);
        }

        private void Cancel()
        {
            var status = Native.Cancel(_client, _handle);
            // Done a moment ago, or the client is closing, and then it is called off anyhow.
            if (status != Native.E_BAD_HANDLE && status != Native.E_DISPOSED && status != Native.E_NOT_INITIALIZED)
                MoorlineException.Check(status);
        }
    }
}
