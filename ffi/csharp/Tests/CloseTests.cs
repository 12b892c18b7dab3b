using System;
using System.Collections.Generic;
using System.Threading;

namespace Moorline.Tests
{
    public static class CloseTests
    {
        [Test]
        public static void Closing_cancels_requests_ends_sessions_and_says_so_last()
        {
            var client = new MoorlineClient();
            var story = new List<string>();
            var node = client.StartNode(Quiet.Node);
            var room = client.JoinRoom(Quiet.Nowhere, node);
            Pump.Until(client, () => node.WhenStarted.IsCompleted);
            var request = Hooks.Endless(client, room);
            room.Disconnected += end => story.Add("room, request " + request.Status);
            node.Stopped += end => story.Add("node");
            client.Closed += closed => story.Add("client " + closed.Status);
            client.Close(5000);
            Expect.Equal("room, request Canceled; node; client Ok", string.Join("; ", story));
            client.Close(5000);
            client.Dispose();
            Expect.Equal(3, story.Count);
        }

        [Test]
        public static void A_handler_may_close_the_client_and_everything_is_told_before_that_returns()
        {
            var client = new MoorlineClient();
            var story = new List<string>();
            var room = client.JoinRoom(Quiet.Nowhere);
            room.Disconnected += end => story.Add("room");
            client.Closed += closed => story.Add("closed");
            client.Log += line =>
            {
                story.Add("log " + (int)line.Level);
                if (line.Level != 0)
                    return;
                client.Dispose();
                story.Add("disposed");
            };
            MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 2, 0));
            Pump.Until(client, () => client.IsClosed);
            Expect.Equal("log 0, log 1, room, closed, disposed", string.Join(", ", story));
            Expect.Equal(0, client.DispatchEvents(1000));
        }

        [Test]
        public static void A_handler_may_dispose_of_its_own_room_and_node()
        {
            using (var client = new MoorlineClient())
            {
                var node = client.StartNode(Quiet.Node);
                var room = client.JoinRoom(Quiet.Nowhere, node);
                node.Started += started => node.Dispose();
                room.StateChanged += state => room.Dispose();
                Pump.Until(client, () => node.IsEnded && room.IsEnded);
            }
        }

        [Test]
        public static void Closing_on_another_thread_has_the_dispatching_one_tell_the_rest()
        {
            var client = new MoorlineClient();
            var toldOn = 0;
            client.Closed += closed => toldOn = Thread.CurrentThread.ManagedThreadId;
            Thread closer = null;
            client.Log += line =>
            {
                closer = new Thread(() => client.Close(5000));
                closer.Start();
                while (!client.IsClosed)
                    Thread.Yield();
            };
            MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 1, 0));
            Pump.Until(client, () => client.IsClosed);
            closer.Join();
            Expect.Equal(Thread.CurrentThread.ManagedThreadId, toldOn);
        }

        [Test]
        public static void Closing_wakes_a_thread_that_waits_for_events()
        {
            var client = new MoorlineClient();
            var waiting = new ManualResetEventSlim();
            var waiter = new Thread(() =>
            {
                waiting.Set();
                client.DispatchEvents(Timeout.Infinite);
            });
            waiter.Start();
            waiting.Wait();
            client.Close(5000);
            waiter.Join();
        }

        [Test]
        public static unsafe void A_client_that_is_gone_from_the_library_still_ends_everything_when_it_is_closed()
        {
            var client = new MoorlineClient();
            var room = client.JoinRoom(Quiet.Nowhere);
            var joined = room.WhenJoined;
            var ended = room.WhenDisconnected;
            var request = Hooks.Endless(client, room);
            // What a forked child would find, which this runtime cannot make: nothing is left to be asked.
            MoorlineException.Check(Native.Dispose(client.Handle, 5000, null, null, null));
            Expect.Status(Status.BadHandle, () => client.Close(5000));
            Expect.That(request.IsCanceled && joined.IsFaulted, "what waits to be told");
            Expect.Equal(Status.Disposed, ended.Result.Status);
            Expect.That(client.IsClosed && room.IsEnded, "everything to have ended");
        }

        [Test]
        public static void A_handler_that_does_not_return_makes_closing_fail_at_its_deadline()
        {
            using (var client = new MoorlineClient())
            using (var entered = new ManualResetEventSlim())
            using (var release = new ManualResetEventSlim())
            {
                client.Log += line =>
                {
                    entered.Set();
                    release.Wait();
                };
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 1, 0));
                var dispatcher = new Thread(() => Pump.Until(client, () => client.IsClosed));
                dispatcher.Start();
                entered.Wait();
                Expect.Status(Status.Timeout, () => client.Close(200));
                release.Set();
                dispatcher.Join();
                client.Close(5000);
            }
        }

        [Test(DeadlineMs = 120000)]
        public static void Two_hundred_clients_one_after_the_other_leave_no_thread_and_no_descriptor()
        {
            for (var i = 0; i < 20; i++)
                OneLife();
            int threads = Kernel.Threads, descriptors = Kernel.Descriptors;
            for (var i = 0; i < 200; i++)
                OneLife();
            Expect.That(Kernel.Descriptors <= descriptors, descriptors + " descriptors, not " + Kernel.Descriptors);
            // The runtime's own pool may have grown by a thread or two.
            Expect.That(Kernel.Threads <= threads + 2, threads + " threads, not " + Kernel.Threads);
        }

        [Test]
        public static void A_process_that_ends_with_everything_open_ends_at_once_and_well()
        {
            Expect.Equal(0, Leaving.RunElsewhere());
        }

#if !CORECLR // There is but one.
        [Test]
        public static void An_AppDomain_that_is_unloaded_with_everything_open_leaves_no_thread()
        {
            for (var i = 0; i < 3; i++)
            {
                var domain = AppDomain.CreateDomain("play mode");
                domain.DoCallBack(Leaving.OpenEverything);
                AppDomain.Unload(domain);
            }
            while (Kernel.NativeThreads != 0)
                Thread.Yield();
            OneLife();
        }
#endif

        private static void OneLife()
        {
            using (var client = new MoorlineClient())
            {
                var node = client.StartNode(Quiet.Node);
                var room = client.JoinRoom(Quiet.Nowhere, node);
                Pump.Until(client, () => node.WhenStarted.IsCompleted);
                GC.KeepAlive(room.SendAsync("x"));
            }
        }
    }
}
