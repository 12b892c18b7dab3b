// A peer: shares a folder, fetches an item, talks in a room. Arguments: NAME SHARE_FOLDER PEER_ADDR_OR_- ITEM_OR_- INTO ROOM_URL ROOM
using System;
using System.Threading.Tasks;
using Moorline;

static class Peer
{
    static void Main(string[] args)
    {
        try
        {
            using (var client = new MoorlineClient())
                client.Run(() => Live(client, args));
            Console.WriteLine("done");
        }
        catch (Exception e)
        {
            Console.WriteLine("failed: " + e.GetBaseException().Message);
            Environment.ExitCode = 1;
        }
    }

    static async Task Live(MoorlineClient client, string[] args)
    {
        string name = args[0], peer = args[2], item = args[3];
        var node = client.StartNode(new NodeOptions { Listen = "127.0.0.1:0", Name = name, NoMulticast = true, Share = { args[1] } });
        Console.WriteLine("listening " + (await node.WhenStarted).Address);
        if (peer != "-") await node.AddPeerAsync(peer);
        if (item != "-")
        {
            var download = node.Download(new DownloadOptions { Item = item, Into = args[4], WaitMs = 30000 });
            download.Progress += progress => Console.WriteLine("progress " + progress.Percent);
            Console.WriteLine("fetched " + (await download.WhenFinished).Path);
        }
        var other = new TaskCompletionSource<ulong>();
        var answered = new TaskCompletionSource<bool>();
        var room = client.JoinRoom(new RoomOptions { Url = args[5], Room = args[6], Name = name }, node);
        room.Message += message => Console.WriteLine(message.Sender + " says " + message.Text);
        room.ParticipantJoined += participant => other.TrySetResult(participant.Id);
        room.Called += call =>
        {
            if (call.Method != "greet") return;
            call.Reply(name + " greets " + call.Text);
            answered.TrySetResult(true);
        };
        var self = (await room.WhenJoined).Self;
        foreach (var one in room.Participants()) if (one.Id != self) other.TrySetResult(one.Id);
        var talk = Task.WhenAll(room.SendAsync("hello from " + name), Greet(room, other.Task, name), answered.Task);
        if (await Task.WhenAny(talk, Task.Delay(60000)) != talk) throw new TimeoutException("nobody to talk to within 60 s");
        await talk;
        room.Leave();
        await room.WhenDisconnected;
        node.Stop();
        await node.WhenStopped;
    }

    static async Task Greet(Room room, Task<ulong> other, string name) =>
        Console.WriteLine("answer " + await room.CallAsync(await other, "greet", name));
}
