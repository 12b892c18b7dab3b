using System;
using System.Linq;
using System.Threading;

namespace Moorline.Tests
{
    public static class HandleTests
    {
        [Test]
        public static void A_room_that_is_left_and_disposed_of_twice_ends_once()
        {
            using (var client = new MoorlineClient())
            {
                var ends = 0;
                var room = client.JoinRoom(Quiet.Nowhere);
                room.Disconnected += end => ends++;
                room.Leave();
                room.Leave();
                room.Dispose();
                room.Dispose();
                room.Leave();
                Pump.Until(client, () => room.IsEnded);
                room.Leave();
                room.Dispose();
                client.DispatchEvents();
                Expect.Equal(1, ends);
            }
        }

        [Test]
        public static void A_room_that_is_disposed_of_without_leaving_ends_with_its_last_event()
        {
            using (var client = new MoorlineClient())
            {
                var room = client.JoinRoom(Quiet.Nowhere);
                var joined = room.WhenJoined;
                var ended = room.WhenDisconnected;
                room.Dispose();
                Pump.Until(client, () => ended.IsCompleted);
                Expect.Equal(Status.Closed, ended.Result.Status);
                Expect.That(joined.IsFaulted || joined.IsCanceled, "the joining to have failed");
                Expect.Equal(0, client.Sessions.Handles().Count);
            }
        }

        [Test]
        public static void What_is_asked_of_something_disposed_of_is_an_exception()
        {
            using (var client = new MoorlineClient())
            {
                var node = client.StartNode(Quiet.Node);
                var room = client.JoinRoom(Quiet.Nowhere);
                node.Dispose();
                room.Dispose();
                Expect.Status(Status.BadHandle, () => node.Info());
                Expect.Status(Status.BadHandle, () => node.Offers());
                Expect.Status(Status.BadHandle, () => node.ShareAsync("/").GetAwaiter().GetResult());
                Expect.Status(Status.BadHandle, () => node.Download(new DownloadOptions { Item = "x", Into = "/tmp" }));
                Expect.Status(Status.BadHandle, () => room.Info());
                Expect.Status(Status.BadHandle, () => room.Hint(NetworkHint.Online));
                Expect.Status(Status.BadHandle, () => room.SendAsync("x").GetAwaiter().GetResult());
                Expect.Status(Status.BadHandle, () => client.JoinRoom(Quiet.Nowhere, node));
            }
        }

        [Test]
        public static void The_node_of_another_client_is_refused_and_unharmed()
        {
            using (var client = new MoorlineClient())
            using (var other = new MoorlineClient())
            {
                var node = other.StartNode(Quiet.Node);
                Pump.Until(other, () => node.WhenStarted.IsCompleted);
                Expect.Status(Status.WrongClient, () => client.JoinRoom(Quiet.Nowhere, node));
                Expect.Equal(Native.E_WRONG_CLIENT, Native.NodeStop(client.Handle, node.Handle));
                Expect.Equal(Native.E_WRONG_CLIENT, Native.Drop(client.Handle, node.Handle));
                Expect.Equal(Native.E_WRONG_KIND, Native.RoomLeave(other.Handle, node.Handle));
                other.DispatchEvents();
                Expect.That(node.Info().IsRunning && !node.IsEnded, "the node to run");
            }
        }

        [Test]
        public static void After_its_client_is_closed_a_room_can_still_be_left_and_disposed_of()
        {
            var client = new MoorlineClient();
            var room = client.JoinRoom(Quiet.Nowhere);
            var sending = room.SendAsync("x");
            client.Dispose();
            Expect.That(room.IsEnded && sending.IsCanceled, "everything to have ended");
            room.Leave();
            room.Dispose();
            Expect.Throws<MoorlineException>(() => room.Info());
            Expect.Throws<MoorlineException>(() => client.JoinRoom(Quiet.Nowhere));
            Expect.Equal(0, client.DispatchEvents(1000));
        }

        [Test(DeadlineMs = 60000)]
        public static void Rooms_left_and_dropped_at_once_by_many_threads_all_end()
        {
            using (var client = new MoorlineClient())
            {
                var ends = 0;
                var left = 4;
                Exception failure = null;
                for (var n = 0; n < 4; n++)
                {
                    new Thread(() =>
                    {
                        try
                        {
                            for (var i = 0; i < 250; i++)
                            {
                                using (var room = client.JoinRoom(Quiet.Nowhere, null, r => r.Disconnected += end => ends++))
                                {
                                    // Its handlers go with it, and it with the last reference.
                                    GC.KeepAlive(room.WhenDisconnected);
                                    room.Leave();
                                }
                                while (client.Sessions.Handles().Count > 50)
                                    Thread.Yield();
                            }
                        }
                        catch (Exception e)
                        {
                            failure = e;
                        }
                        Interlocked.Decrement(ref left);
                    }).Start();
                }
                Pump.Until(client, () => Volatile.Read(ref left) == 0 && client.Sessions.Handles().Count == 0);
                if (failure != null)
                    throw failure;
                Expect.Equal(1000, ends);
            }
        }
    }
}
