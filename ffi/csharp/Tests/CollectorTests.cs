using System;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline.Tests
{
    public static class CollectorTests
    {
        [Test]
        public static void A_room_that_nobody_refers_to_is_left_by_the_garbage_collector()
        {
            using (var client = new MoorlineClient())
            {
                OnAnotherThread(() => client.JoinRoom(Quiet.Nowhere));
                Expect.Equal(1, client.Sessions.Handles().Count);
                UntilCollected(client);
            }
        }

        [Test]
        public static void A_room_with_a_request_under_way_is_kept()
        {
            using (var client = new MoorlineClient())
            using (var source = new CancellationTokenSource())
            {
                OnAnotherThread(() => Hooks.Endless(client, client.JoinRoom(Quiet.Nowhere), source.Token));
                Collect();
                client.DispatchEvents(50);
                Expect.Equal(1, client.Requests.Count);
                source.Cancel();
                UntilCollected(client);
            }
        }

        [Test]
        public static void A_session_whose_task_is_awaited_is_kept_until_the_task_is_done()
        {
            using (var client = new MoorlineClient())
            {
                Task<NodeStarted> started = null;
                OnAnotherThread(() => started = client.StartNode(Quiet.Node).WhenStarted);
                Collect();
                Pump.Until(client, () => started.IsCompleted);
                Expect.Equal(TaskStatus.RanToCompletion, started.Status);
                UntilCollected(client);
            }
        }

        [Test]
        public static void A_token_that_outlives_its_requests_does_not_keep_them()
        {
            using (var client = new MoorlineClient())
            using (var source = new CancellationTokenSource())
            {
                WeakReference request = null;
                OnAnotherThread(() =>
                {
                    var room = client.JoinRoom(Quiet.Nowhere);
                    request = new WeakReference(Hooks.Endless(client, room, source.Token));
                    room.Leave();
                });
                UntilCollected(client);
                Pump.Until(client, () =>
                {
                    Collect();
                    return !request.IsAlive;
                });
            }
        }

        [Test(DeadlineMs = 120000)]
        public static void Thousands_of_forgotten_rooms_and_requests_all_end_while_threads_work()
        {
            using (var client = new MoorlineClient())
            {
                var done = 0;
                Exception failure = null;
                for (var n = 0; n < 4; n++)
                {
                    var seed = n;
                    new Thread(() =>
                    {
                        try
                        {
                            for (var i = 0; i < 750; i++)
                                Forget(client, i + seed);
                        }
                        catch (Exception e)
                        {
                            failure = e;
                        }
                        Interlocked.Increment(ref done);
                    }).Start();
                }
                var collector = new Thread(() =>
                {
                    while (Volatile.Read(ref done) < 4)
                        Collect();
                });
                collector.Start();
                Pump.Until(client, () => Volatile.Read(ref done) == 4);
                collector.Join();
                if (failure != null)
                    throw failure;
                UntilCollected(client);
                Expect.Equal(0, client.Requests.Count);
            }
        }

        [Test]
        public static void A_client_that_nobody_refers_to_is_closed_by_the_garbage_collector()
        {
            var before = Kernel.NativeThreads;
            OnAnotherThread(() =>
            {
                var client = new MoorlineClient();
                client.JoinRoom(Quiet.Nowhere);
                client.StartNode(Quiet.Node);
            });
            Expect.That(Kernel.NativeThreads > before, "the client to have threads");
            while (Kernel.NativeThreads > before)
                Collect();
        }

        [Test]
        public static void Finalizers_that_run_after_the_client_is_closed_harm_nothing()
        {
            var client = new MoorlineClient();
            OnAnotherThread(() =>
            {
                for (var i = 0; i < 50; i++)
                    client.JoinRoom(Quiet.Nowhere);
            });
            client.Dispose();
            Collect();
            using (var next = new MoorlineClient())
            {
                var node = next.StartNode(Quiet.Node);
                Pump.Until(next, () => node.WhenStarted.IsCompleted);
                Collect();
                Expect.That(node.Info().IsRunning, "what came after to be untouched");
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void Forget(MoorlineClient client, int turn)
        {
            // Not more at once than a client may have.
            while (client.Sessions.Handles().Count > 100)
                Thread.Yield();
            var room = client.JoinRoom(Quiet.Nowhere);
            switch (turn % 4)
            {
                case 0:
                    using (var source = new CancellationTokenSource())
                    {
                        Hooks.Endless(client, room, source.Token);
                        source.Cancel();
                    }
                    break;
                case 1:
                    room.SendAsync("x", new SendOptions { TtlMs = 10 });
                    break;
                case 2:
                    room.Leave();
                    break;
            }
        }

        // Mono looks for references on stacks without knowing what is one: the stack of a thread that has ended has none.
        private static void OnAnotherThread(Action action)
        {
            var thread = new Thread(() => action());
            thread.Start();
            thread.Join();
        }

        private static void UntilCollected(MoorlineClient client)
        {
            Pump.Until(client, () =>
            {
                Collect();
                return client.Sessions.Handles().Count == 0;
            });
        }

        private static void Collect()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
