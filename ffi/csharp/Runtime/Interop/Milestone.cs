using System;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>
    /// A task of a session that is done when the session gets somewhere, and knows whether anybody asked for it: what nobody
    /// waits for must not keep a session alive.
    /// </summary>
    internal sealed class Milestone<T>
    {
        private readonly TaskCompletionSource<T> _source = new TaskCompletionSource<T>();
        private volatile bool _asked;

        /// <summary>The task, for somebody who will wait for it.</summary>
        internal Task<T> Ask()
        {
            _asked = true;
            return _source.Task;
        }

        /// <summary>Whether somebody may be waiting.</summary>
        internal bool Awaited
        {
            get { return _asked && !_source.Task.IsCompleted; }
        }

        internal void Reach(T result)
        {
            _source.TrySetResult(result);
        }

        internal void Miss(SessionEnded end)
        {
            Request.Fail(_source, end.Status, end.Reason, default(System.Threading.CancellationToken));
        }
    }
}
