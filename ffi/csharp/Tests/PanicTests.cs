using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline.Tests
{
    public static class PanicTests
    {
        [Test]
        public static void A_panic_of_a_room_is_raised_after_its_requests_are_cancelled_and_before_the_room_ends()
        {
            using (var client = new MoorlineClient())
            {
                var story = new List<string>();
                var room = client.JoinRoom(Quiet.Nowhere);
                client.Panicked += panic => story.Add("panic " + (panic.Session == room));
                room.Disconnected += end => story.Add("end " + end.Status);
                for (var i = 0; i < 3; i++)
                    Tell(Hooks.Endless(client, room), story);
                MoorlineException.Check(Hooks.Panic(client.Handle, room.Handle, Hooks.Task));
                Pump.Until(client, () => room.IsEnded);
                Expect.Equal("cancelled, cancelled, cancelled, panic True, end Panic", string.Join(", ", story));
            }
        }

        [Test]
        public static void The_order_of_a_panic_is_the_same_where_continuations_go_to_a_SynchronizationContext()
        {
            using (var client = new MoorlineClient())
            {
                client.Run(async () =>
                {
                    var story = new List<string>();
                    var room = client.JoinRoom(Quiet.Nowhere);
                    client.Panicked += panic => story.Add("panic");
                    room.Disconnected += end => story.Add("end");
                    Tell(Hooks.Endless(client, room), story);
                    MoorlineException.Check(Hooks.Panic(client.Handle, room.Handle, Hooks.Task));
                    await room.WhenDisconnected;
                    Expect.Equal("cancelled, panic, end", string.Join(", ", story));
                });
            }
        }

        [Test]
        public static void A_panic_in_a_task_of_a_node_ends_its_rooms_and_downloads_and_nobody_elses()
        {
            using (var client = new MoorlineClient())
            using (var bystander = client.JoinRoom(Quiet.Nowhere))
            {
                var story = new List<string>();
                var node = client.StartNode(Quiet.Node);
                Pump.Until(client, () => node.WhenStarted.IsCompleted);
                var room = client.JoinRoom(Quiet.Nowhere, node);
                var download = node.Download(new DownloadOptions { Item = "x", Into = "/nowhere", WaitMs = Timeout.Infinite });
                client.Panicked += panic => story.Add("panic " + (panic.Session == node));
                room.Disconnected += end => story.Add("ended " + end.Status);
                download.Ended += end => story.Add("ended " + end.Status);
                Tell(Hooks.Endless(client, room), story);
                var other = Hooks.Endless(client, bystander);
                MoorlineException.Check(Hooks.Panic(client.Handle, node.Handle, Hooks.Task));
                Pump.Until(client, () => room.IsEnded && download.IsEnded);
                Expect.Equal("cancelled, panic True, ended Panic, ended Panic", string.Join(", ", story));
                Expect.That(node.Info().IsRunning, "the node itself to go on");
                Expect.That(!other.IsCompleted && !bystander.IsEnded, "the other room not to notice");
            }
        }

        [Test]
        public static void A_panic_of_what_reads_the_events_of_a_node_or_room_ends_it_with_its_last_event()
        {
            using (var client = new MoorlineClient())
            {
                var story = new List<string>();
                var node = client.StartNode(Quiet.Node);
                Pump.Until(client, () => node.WhenStarted.IsCompleted);
                var room = client.JoinRoom(Quiet.Nowhere);
                client.Panicked += panic => story.Add(panic.Session.GetType().Name + " panics");
                room.Disconnected += end => story.Add("Room ends: " + end.Status);
                node.Stopped += end => story.Add("Node ends: " + end.Status);
                Tell(Hooks.Endless(client, room), story);
                MoorlineException.Check(Hooks.Panic(client.Handle, room.Handle, Hooks.Pump));
                Pump.Until(client, () => room.IsEnded);
                Tell(Hooks.Endless(client, node), story);
                MoorlineException.Check(Hooks.Panic(client.Handle, node.Handle, Hooks.Pump));
                Pump.Until(client, () => node.IsEnded);
                Expect.Equal(
                    "cancelled, Room panics, Room ends: Panic, cancelled, Node panics, Node ends: Panic", string.Join(", ", story));
            }
        }

        [Test]
        public static void A_panic_of_the_client_ends_everything_of_it_and_nothing_of_another_client()
        {
            using (var client = new MoorlineClient())
            using (var other = new MoorlineClient())
            {
                var story = new List<string>();
                var room = client.JoinRoom(Quiet.Nowhere);
                var bystander = other.JoinRoom(Quiet.Nowhere);
                client.Panicked += panic => story.Add("panic " + (panic.Session == null));
                room.Disconnected += end => story.Add("end " + end.Status);
                Tell(Hooks.Endless(client, null), story);
                Tell(Hooks.Endless(client, room), story);
                MoorlineException.Check(Hooks.Panic(client.Handle, client.Handle, Hooks.Task));
                Pump.Until(client, () => room.IsEnded);
                Expect.Equal("cancelled, cancelled, panic True, end Panic", string.Join(", ", story));
                other.DispatchEvents();
                Expect.That(!bystander.IsEnded, "the other client's room to go on");
            }
        }

        [Test]
        public static void A_request_made_in_the_handler_of_a_panic_succeeds()
        {
            using (var server = new Server())
            using (var client = new MoorlineClient())
            {
                client.Run(async () =>
                {
                    var again = new TaskCompletionSource<Task>();
                    var node = client.StartNode(Quiet.Node);
                    await node.WhenStarted;
                    var room = await client.JoinRoomAsync(server.Room("first"));
                    client.Panicked += panic => again.TrySetResult(Rejoin(client, server));
                    var ended = room.WhenDisconnected;
                    MoorlineException.Check(Hooks.Panic(client.Handle, room.Handle, Hooks.Task));
                    await await again.Task;
                    Expect.Equal(Status.Panic, (await ended).Status);
                    Expect.That(!node.IsEnded, "the node, which had no part in it, to go on");
                });
            }
        }

        [Test]
        public static void A_panic_while_a_call_is_made_is_an_exception_of_that_call()
        {
            using (var client = new MoorlineClient())
            {
                var room = client.JoinRoom(Quiet.Nowhere);
                Expect.Equal(Native.E_PANIC, Hooks.Panic(client.Handle, room.Handle, Hooks.Here));
                Pump.Until(client, () => room.IsEnded);
            }
        }

        [Test]
        public static void A_panic_while_a_room_is_disposed_of_is_an_exception_and_the_room_ends_all_the_same()
        {
            using (var client = new MoorlineClient())
            {
                var room = client.JoinRoom(Quiet.Nowhere);
                var panics = 0;
                client.Panicked += panic => panics++;
                MoorlineException.Check(Hooks.Panic(client.Handle, room.Handle, Hooks.Drop));
                Expect.Status(Status.Panic, room.Dispose);
                Pump.Until(client, () => room.IsEnded && panics == 1);
                room.Dispose();
            }
        }

        private static async Task Rejoin(MoorlineClient client, Server server)
        {
            var room = await client.JoinRoomAsync(server.Room("second"));
            await room.SendAsync("still here");
        }

        private static async void Tell(Task task, List<string> story)
        {
            try
            {
                await task;
                story.Add("done");
            }
            catch (TaskCanceledException)
            {
                story.Add("cancelled");
            }
        }
    }
}
