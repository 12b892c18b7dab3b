using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline.Tests
{
    public static class RequestTests
    {
        [Test]
        public static void Cancelling_the_token_of_a_request_cancels_it_and_it_alone()
        {
            using (var client = new MoorlineClient())
            using (var source = new CancellationTokenSource())
            {
                var called = Hooks.Endless(client, null, source.Token);
                var other = Hooks.Endless(client, null);
                source.Cancel();
                Expect.That(!called.IsCompleted, "the task to wait for DispatchEvents");
                Pump.Until(client, () => called.IsCompleted);
                Expect.Equal(TaskStatus.Canceled, called.Status);
                var seen = Expect.Throws<TaskCanceledException>(() => called.GetAwaiter().GetResult());
                Expect.Equal(source.Token, seen.CancellationToken);
                Expect.That(!other.IsCompleted, "the other request to go on");
            }
        }

        [Test]
        public static void A_token_that_is_cancelled_already_makes_no_request()
        {
            using (var client = new MoorlineClient())
            {
                var task = Hooks.Endless(client, null, new CancellationToken(true));
                Expect.Equal(TaskStatus.Canceled, task.Status);
                Expect.Equal(0, client.Requests.Count);
            }
        }

        [Test]
        public static void A_token_can_be_cancelled_by_another_thread_while_requests_come_and_go()
        {
            using (var client = new MoorlineClient())
            {
                var stop = false;
                var threads = Enumerable.Range(0, 3).Select(n => new Thread(() =>
                {
                    for (var i = 0; i < 300; i++)
                    {
                        using (var source = new CancellationTokenSource())
                        {
                            var task = Hooks.Endless(client, null, source.Token);
                            source.Cancel();
                            while (!task.IsCompleted)
                                Thread.Yield();
                            Expect.Equal(TaskStatus.Canceled, task.Status);
                        }
                    }
                })).ToList();
                threads.ForEach(thread => thread.Start());
                var watcher = new Thread(() =>
                {
                    threads.ForEach(thread => thread.Join());
                    Volatile.Write(ref stop, true);
                });
                watcher.Start();
                Pump.Until(client, () => Volatile.Read(ref stop));
                Expect.Equal(0, client.Requests.Count);
            }
        }

        [Test]
        public static void Joining_a_room_can_be_cancelled_and_leaves_nothing_behind()
        {
            using (var client = new MoorlineClient())
            using (var source = new CancellationTokenSource())
            {
                var joining = client.JoinRoomAsync(Quiet.Nowhere, null, null, source.Token);
                client.DispatchEvents(20);
                source.Cancel();
                Pump.Until(client, () => joining.IsCompleted && client.Sessions.Handles().Count == 0);
                Expect.Equal(TaskStatus.Canceled, joining.Status);
            }
        }

        [Test]
        public static void What_cannot_be_asked_for_is_an_exception_with_a_status_and_a_sentence()
        {
            using (var client = new MoorlineClient())
            {
                var options = Expect.Throws<MoorlineException>(() => client.StartNode(new NodeOptions { Listen = "nonsense" }));
                Expect.Equal(Status.InvalidArgument, options.Status);
                Expect.That(options.Message.Contains("listen"), "the message to name the option, in: " + options.Message);
                Expect.Status(Status.InvalidArgument, () => client.JoinRoom(new RoomOptions { Url = "http://x", Room = "r" }));
                Expect.Throws<ArgumentOutOfRangeException>(() => client.JoinRoom(new RoomOptions { DeadlineMs = -2 }));
                Expect.Throws<ArgumentException>(() => client.JoinRoom(new RoomOptions { Url = "ws://h", Room = "\ud800" }));

                var room = client.JoinRoom(Quiet.Nowhere);
                var sending = room.SendAsync("x", new SendOptions { Delivery = (Delivery)77 });
                Expect.Status(Status.InvalidArgument, () => sending.GetAwaiter().GetResult());
                Expect.Equal(0, client.Requests.Count);
            }
        }

        [Test]
        public static void More_requests_than_are_allowed_fail_and_the_others_go_on()
        {
            using (var client = new MoorlineClient(new ClientOptions { RequestCapacity = 2 }))
            {
                var first = Hooks.Endless(client, null);
                var second = Hooks.Endless(client, null);
                Expect.Status(Status.TooMany, () => Hooks.Endless(client, null).GetAwaiter().GetResult());
                Expect.That(!first.IsCompleted && !second.IsCompleted, "both to go on");
            }
        }
    }
}
