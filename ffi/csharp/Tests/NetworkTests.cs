using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline.Tests
{
    public static class NetworkTests
    {
        [Test(DeadlineMs = 60000)]
        public static void One_node_shares_and_another_fetches_the_same_bytes_with_progress()
        {
            using (var folder = new Folder())
            using (var client = new MoorlineClient())
            {
                folder.Fill("shared/atlas/deep/large", 5000000);
                folder.Fill("shared/atlas/small", 10);
                client.Run(async () =>
                {
                    var giving = Quiet.Node;
                    giving.Share.Add(Path.Combine(folder.Path, "shared/atlas"));
                    giving.Cache = Path.Combine(folder.Path, "cache");
                    var giver = client.StartNode(giving);
                    var started = await giver.WhenStarted;
                    var taker = client.StartNode(Quiet.Node);
                    await taker.WhenStarted;
                    var up = new TaskCompletionSource<Peer>();
                    taker.PeerUp += peer => up.TrySetResult(peer);
                    await taker.AddPeerAsync(started.Address);
                    Expect.Equal(started.PeerId, (await up.Task).PeerId);

                    var into = Path.Combine(folder.Path, "into");
                    var download = taker.Download(new DownloadOptions { Item = "atlas", Into = into, WaitMs = 30000 });
                    var seen = new List<string>();
                    download.Planned += planned => seen.Add("planned " + planned.Bytes + " in " + planned.Files);
                    download.Progress += progress => seen.Add("progress");
                    download.Ended += end => seen.Add("ended");
                    var ended = await download.WhenFinished;
                    Expect.Equal(Path.Combine(into, "atlas"), ended.Path);
                    Expect.Equal(5000010L, ended.Bytes);
                    Expect.Equal(Folder.Fingerprint(Path.Combine(folder.Path, "shared/atlas")), Folder.Fingerprint(ended.Path));
                    Expect.Equal("planned 5000010 in 2", seen.First());
                    Expect.Equal("5000010 fetched, 0 kept", ended.FetchedBytes + " fetched, " + ended.KeptBytes + " kept");
                    Expect.That(seen.Contains("progress") && seen.Last() == "ended", "progress and one end in " + string.Join(", ", seen));
                    Expect.Equal(Status.Ok, download.Info().Status);

                    var offer = taker.Offers().Single();
                    Expect.Equal("atlas", offer.Name);
                    Expect.Equal(started.PeerId, offer.Providers.Single().PeerId);
                    Expect.Equal(ended.ItemId, giver.Items().Single().ItemId);
                    Expect.Equal(1, taker.Peers().Count);

                    giver.Stop();
                    Expect.Equal(Status.Ok, (await giver.WhenStopped).Status);
                });
            }
        }

        [Test]
        public static void An_item_that_nobody_offers_is_an_exception_and_a_cancelled_download_is_cancelled()
        {
            using (var folder = new Folder())
            using (var client = new MoorlineClient())
            {
                client.Run(async () =>
                {
                    var node = client.StartNode(Quiet.Node);
                    await node.WhenStarted;
                    var missing = node.Download(new DownloadOptions { Item = "nothing", Into = folder.Path, WaitMs = 50 });
                    try
                    {
                        await missing.WhenFinished;
                        Expect.That(false, "it to fail");
                    }
                    catch (MoorlineException e)
                    {
                        Expect.Equal(Status.UnknownItem, e.Status);
                    }
                    var patient = node.Download(new DownloadOptions { Item = "nothing", Into = folder.Path, WaitMs = Timeout.Infinite });
                    var finished = patient.WhenFinished;
                    patient.Cancel();
                    patient.Cancel();
                    await Task.WhenAny(finished);
                    Expect.Equal(TaskStatus.Canceled, finished.Status);
                });
            }
        }

        [Test(DeadlineMs = 60000)]
        public static void Two_in_a_room_send_call_and_answer()
        {
            using (var server = new Server())
            using (var client = new MoorlineClient())
            {
                client.Run(async () =>
                {
                    var heard = new TaskCompletionSource<RoomMessage>();
                    var ann = await client.JoinRoomAsync(server.Room("lobby", "ann"));
                    ann.Message += message => heard.TrySetResult(message);
                    ann.Answer("greet", call => "ann greets " + call.Text);
                    ann.Answer("fail", call => { throw new FormatException("secret"); });
                    ann.AnswerAsync("later", async call =>
                    {
                        await Task.Delay(1);
                        return call.Payload.Reverse().ToArray();
                    });
                    var came = new TaskCompletionSource<Participant>();
                    ann.ParticipantJoined += participant => came.TrySetResult(participant);
                    var bob = await client.JoinRoomAsync(server.Room("lobby", "bob"));
                    var joined = await bob.WhenJoined;
                    Expect.Equal(2, joined.Participants);
                    Expect.Equal(Permissions.Publish | Permissions.Call | Permissions.UpdateSelf, joined.Permissions);
                    Expect.Equal("bob", (await came.Task).Name);
                    Expect.Equal(bob.Info().Self, (await came.Task).Id);
                    var other = bob.Participants().Single(participant => participant.Name == "ann").Id;

                    await bob.SendAsync("hello", new SendOptions { Topic = "talk", To = { other } });
                    Expect.Equal("hello", (await heard.Task).Text);
                    Expect.Equal("talk", (await heard.Task).Topic);
                    Expect.Equal("ann greets bob", await bob.CallAsync(other, "greet", "bob"));
                    Expect.Equal("cba", await bob.CallAsync(other, "later", "abc"));

                    Exception reported = null;
                    client.HandlerFailed += e => reported = e;
                    await Fails(Status.CallFailed, bob.CallAsync(other, "fail", "x"));
                    Expect.That(reported is FormatException, "the handler's own exception to be reported");
                    await Fails(Status.NoSuchMethod, bob.CallAsync(other, "dance", "x"));
                    await Fails(Status.NoSuchParticipant, bob.CallAsync(other + 1, "greet", "x"));

                    var value = new TaskCompletionSource<RoomValue>();
                    ann.ValueChanged += changed => value.TrySetResult(changed);
                    await bob.SendAsync(new byte[] { 1, 2 }, new SendOptions { Delivery = Delivery.Latest, Topic = "position" });
                    Expect.Equal("position", (await value.Task).Key);
                    var updated = new TaskCompletionSource<Participant>();
                    ann.ParticipantUpdated += participant => updated.TrySetResult(participant);
                    await bob.UpdateAsync(new SelfUpdate { Name = "robert", Attributes = { { "team", "red" } } });
                    Expect.Equal("robert", (await updated.Task).Name);
                    var row = ann.Participants().Single(participant => participant.Name == "robert");
                    Expect.Equal("red", row.Attributes["team"]);
                    Expect.Equal(2, row.Values["position"].Length);

                    var went = new TaskCompletionSource<ParticipantLeft>();
                    ann.ParticipantLeft += participant => went.TrySetResult(participant);
                    bob.Leave();
                    Expect.Equal(Status.Closed, (await bob.WhenDisconnected).Status);
                    Expect.Equal(LeaveReason.Left, (await went.Task).Reason);
                });
            }
        }

        [Test(DeadlineMs = 60000)]
        public static void A_room_whose_server_goes_away_says_so_and_ends_by_its_deadline()
        {
            using (var client = new MoorlineClient())
            {
                client.Run(async () =>
                {
                    Room room;
                    var lost = new TaskCompletionSource<ConnectionLost>();
                    using (var server = new Server())
                    {
                        var options = server.Room("short");
                        options.DeadlineMs = 500;
                        room = await client.JoinRoomAsync(options, null, r => r.ConnectionLost += loss => lost.TrySetResult(loss));
                    }
                    await lost.Task;
                    var end = await room.WhenDisconnected;
                    Expect.Equal(Status.Unreachable, end.Status);
                    Expect.That(end.Reason.Length > 0, "a reason for people");
                });
            }
        }

        private static async Task Fails(Status status, Task task)
        {
            try
            {
                await task;
            }
            catch (MoorlineException e)
            {
                Expect.Equal(status, e.Status);
                return;
            }
            throw new Exception("expected it to fail with " + status);
        }
    }
}
