using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline.Tests
{
    public static class DispatchTests
    {
        [Test]
        public static void Events_from_native_threads_are_raised_only_by_DispatchEvents_and_on_its_thread()
        {
            using (var client = new MoorlineClient())
            {
                var raisedOn = new HashSet<int>();
                var numbers = new List<int>();
                client.Log += line =>
                {
                    lock (numbers)
                    {
                        raisedOn.Add(Thread.CurrentThread.ManagedThreadId);
                        numbers.Add((int)line.Level);
                    }
                };
                var node = client.StartNode(Quiet.Node);
                node.Started += started => raisedOn.Add(Thread.CurrentThread.ManagedThreadId);
                var emitters = Enumerable.Range(0, 4).Select(n => new Thread(() =>
                    MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 500, 8)))).ToList();
                emitters.ForEach(thread => thread.Start());
                emitters.ForEach(thread => thread.Join());
                while (!node.Info().IsRunning)
                    Thread.Yield();
                lock (numbers)
                    Expect.Equal(0, numbers.Count);
                Pump.Until(client, () => numbers.Count == 2000 && node.WhenStarted.IsCompleted);
                Expect.Equal(Thread.CurrentThread.ManagedThreadId, raisedOn.Single());
            }
        }

        [Test]
        public static void Events_of_one_source_are_raised_in_order_over_many_calls()
        {
            using (var client = new MoorlineClient(new ClientOptions { EventCapacity = 20000 }))
            {
                var next = 0;
                client.Log += line => Expect.Equal(next++, (int)line.Level);
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 10000, 100));
                Expect.That(client.DispatchEvents() <= MoorlineClient.MostEventsAtOnce + 256, "one call to be bounded");
                Expect.That(next < 10000, "something to be left for the next");
                Pump.Until(client, () => next == 10000);
            }
        }

        [Test]
        public static void Continuations_run_on_the_dispatching_thread()
        {
            using (var client = new MoorlineClient())
            using (var source = new CancellationTokenSource())
            {
                var ranOn = 0;
                Func<Task> main = async () =>
                {
                    try
                    {
                        await Hooks.Endless(client, null, source.Token);
                    }
                    catch (OperationCanceledException)
                    {
                        ranOn = Thread.CurrentThread.ManagedThreadId;
                    }
                };
                var task = main();
                source.Cancel();
                Pump.Until(client, () => task.IsCompleted);
                Expect.Equal(Thread.CurrentThread.ManagedThreadId, ranOn);
            }
        }

        [Test]
        public static void Run_keeps_everything_on_its_thread_and_gives_back_what_main_throws()
        {
            using (var client = new MoorlineClient())
            {
                var here = Thread.CurrentThread.ManagedThreadId;
                var seen = Expect.Throws<FormatException>(() => client.Run(async () =>
                {
                    await Task.Delay(1);
                    Expect.Equal(here, Thread.CurrentThread.ManagedThreadId);
                    await client.StartNode(Quiet.Node).WhenStarted;
                    Expect.Equal(here, Thread.CurrentThread.ManagedThreadId);
                    throw new FormatException("mine");
                }));
                Expect.Equal("mine", seen.Message);
                Expect.That(SynchronizationContext.Current == null, "the thread to be as before");
            }
        }

        [Test]
        public static void A_handler_that_throws_keeps_no_other_handler_and_no_other_event_from_being_told()
        {
            using (var client = new MoorlineClient())
            {
                var told = 0;
                client.Log += line => { throw new FormatException("bad handler"); };
                client.Log += line => told++;
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 3, 0));
                var all = Expect.Throws<AggregateException>(() => Pump.Until(client, () => false));
                Expect.Equal(3, told);
                Expect.Equal(3, all.InnerExceptions.Count);
                client.DispatchEvents();

                var reported = new List<Exception>();
                client.HandlerFailed += reported.Add;
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 2, 0));
                Pump.Until(client, () => told == 5);
                Expect.Equal(2, reported.Count);
            }
        }

        [Test]
        public static void DispatchEvents_within_a_handler_is_an_exception_that_harms_nothing()
        {
            using (var client = new MoorlineClient())
            {
                var refused = 0;
                client.Log += line =>
                {
                    var refusal = Expect.Throws<InvalidOperationException>(() => client.DispatchEvents());
                    if (refusal.Message.Contains("from within an event handler"))
                        refused++;
                };
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 2, 0));
                Pump.Until(client, () => refused == 2);
            }
        }

        [Test]
        public static void DispatchEvents_on_a_second_thread_is_an_exception_while_the_first_is_in_it()
        {
            using (var client = new MoorlineClient())
            {
                Exception refused = null;
                client.Log += line =>
                {
                    var other = new Thread(() => refused = Expect.Throws<InvalidOperationException>(() => client.DispatchEvents()));
                    other.Start();
                    other.Join();
                };
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 1, 0));
                Pump.Until(client, () => refused != null);
            }
        }

        [Test]
        public static void A_session_that_another_thread_makes_while_this_one_waits_becomes_ready()
        {
            using (var client = new MoorlineClient())
            {
                Node node = null;
                var maker = new Thread(() =>
                {
                    while (!client.IsDispatching)
                        Thread.Yield();
                    node = client.StartNode(Quiet.Node);
                });
                maker.Start();
                Expect.That(client.DispatchEvents(Timeout.Infinite) > 0, "events of the node");
                maker.Join();
                Pump.Until(client, () => node.WhenStarted.IsCompleted);
                Expect.Equal(TaskStatus.RanToCompletion, node.WhenStarted.Status);
            }
        }

        [Test]
        public static void Handlers_added_while_a_session_is_made_miss_nothing_on_another_thread()
        {
            using (var client = new MoorlineClient())
            {
                var started = 0;
                var made = false;
                var maker = new Thread(() =>
                {
                    for (var i = 0; i < 30; i++)
                        GC.KeepAlive(client.StartNode(Quiet.Node, node => node.Started += s => started++).WhenStopped);
                    Volatile.Write(ref made, true);
                });
                maker.Start();
                Pump.Until(client, () => Volatile.Read(ref made) && started == 30);
            }
        }

        [Test]
        public static void Downloads_that_end_at_once_are_heard_by_the_thread_that_makes_them()
        {
            using (var client = new MoorlineClient())
            {
                var node = client.StartNode(Quiet.Node);
                Pump.Until(client, () => node.WhenStarted.IsCompleted);
                var ended = 0;
                var made = false;
                var maker = new Thread(() =>
                {
                    var missing = new DownloadOptions { Item = "nothing", Into = "/nowhere", WaitMs = 1 };
                    for (var i = 0; i < 200; i++)
                        GC.KeepAlive(node.Download(missing, download => download.Ended += end => ended++).WhenFinished);
                    Volatile.Write(ref made, true);
                });
                maker.Start();
                Pump.Until(client, () => Volatile.Read(ref made) && client.Sessions.Handles().Count == 1);
                Expect.Equal(200, ended);
            }
        }

        [Test]
        public static void Events_that_nobody_dispatches_are_dropped_with_a_count_and_last_events_are_not()
        {
            using (var client = new MoorlineClient(new ClientOptions { EventCapacity = 64 }))
            {
                var told = 0L;
                var dropped = 0L;
                client.Log += line => told++;
                client.Lagged += lagged => dropped += lagged.Count;
                var room = client.JoinRoom(Quiet.Nowhere);
                var request = Hooks.Endless(client, room);
                client.DispatchEvents();
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 5000, 0));
                room.Leave();
                Pump.Until(client, () => room.IsEnded && request.IsCompleted && told + dropped >= 5000);
                Expect.That(dropped > 0, "something to be dropped");
                Expect.Status(Status.Closed, () => request.GetAwaiter().GetResult());
            }
        }

        [Test]
        public static void A_session_that_is_never_dispatched_ends_with_ready_timeout()
        {
            using (var client = new MoorlineClient())
            {
                var options = Quiet.Node;
                options.ReadyTimeoutMs = 50;
                var node = client.StartNode(options);
                // Its end is told by a snapshot without dispatching, which would declare it ready.
                while (!node.WhenStopped.IsCompleted)
                {
                    if (!Ended(node))
                        continue;
                    client.DispatchEvents(20);
                }
                Expect.Equal(Status.ReadyTimeout, node.WhenStopped.Result.Status);
                Expect.That(node.WhenStarted.IsFaulted, "nobody to be told that it runs");
            }
        }

        private static bool Ended(Node node)
        {
            Thread.Yield();
            try
            {
                return !node.Info().IsRunning && node.Info().Tasks == 0;
            }
            catch (MoorlineException)
            {
                return true;
            }
        }
    }
}
