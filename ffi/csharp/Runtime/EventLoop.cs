using System;
using System.Collections.Concurrent;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline
{
    public sealed partial class MoorlineClient
    {
        // How long work from elsewhere, such as Task.Delay, may wait for its turn.
        private const int PatienceMs = 5;

        /// <summary>
        /// For programs that have no loop of their own: runs <paramref name="main"/> on this thread and dispatches events until
        /// it is done. What follows an await in it runs on this thread too. Throws what it throws, and what event handlers
        /// throw if nobody listens to <see cref="HandlerFailed"/>.
        /// </summary>
        public void Run(Func<Task> main)
        {
            var before = SynchronizationContext.Current;
            var loop = new EventLoop();
            SynchronizationContext.SetSynchronizationContext(loop);
            try
            {
                var task = main();
                while (!task.IsCompleted)
                {
                    loop.RunPosted(IsClosed ? PatienceMs : 0);
                    if (!task.IsCompleted)
                        DispatchEvents(PatienceMs);
                }
                task.GetAwaiter().GetResult();
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(before);
            }
        }

        private sealed class EventLoop : SynchronizationContext
        {
            private readonly BlockingCollection<Action> _posted = new BlockingCollection<Action>();
            private readonly Thread _thread = Thread.CurrentThread;

            internal void RunPosted(int timeoutMs)
            {
                Action action;
                while (_posted.TryTake(out action, timeoutMs))
                {
                    action();
                    timeoutMs = 0;
                }
            }

            public override void Post(SendOrPostCallback callback, object state)
            {
                _posted.Add(() => callback(state));
            }

            public override void Send(SendOrPostCallback callback, object state)
            {
                if (Thread.CurrentThread == _thread)
                {
                    callback(state);
                    return;
                }
                using (var done = new ManualResetEventSlim())
                {
                    Exception failure = null;
                    Post(_ =>
                    {
                        try
                        {
                            callback(state);
                        }
                        catch (Exception e)
                        {
                            failure = e;
                        }
                        done.Set();
                    }, null);
                    done.Wait();
                    if (failure != null)
                        throw failure;
                }
            }
        }
    }
}
