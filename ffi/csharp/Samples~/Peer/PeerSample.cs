using Moorline;
using Moorline.Unity;
using UnityEngine;

/// <summary>
/// Put it on an object of a scene: it shares a folder, fetches an item if one is named, and says hello in a room.
/// </summary>
public sealed class PeerSample : MonoBehaviour
{
    [SerializeField] private string sharedFolder = "";
    [SerializeField] private string wantedItem = "";
    [SerializeField] private string intoFolder = "";
    [SerializeField] private string roomUrl = "ws://127.0.0.1:7350";

    private MoorlineClient _client;
    // Nodes and rooms to which nothing refers are ended by the garbage collector.
    private Node _node;
    private Room _room;

    private async void Start()
    {
        _client = new MoorlineClient();
        MoorlinePump.Attach(_client);
        _client.Panicked += panic => Debug.Log("please report: " + panic.Message);
        try
        {
            var options = new NodeOptions { Name = "unity" };
            if (sharedFolder != "")
                options.Share.Add(sharedFolder);
            _node = _client.StartNode(options);
            _node.PeerUp += peer => Debug.Log("here is " + peer.Name);
            await _node.WhenStarted;

            _room = await _client.JoinRoomAsync(new RoomOptions { Url = roomUrl, Room = "lobby", Name = "unity" }, _node);
            _room.Message += message => Debug.Log(message.Sender + " says " + message.Text);
            _room.Answer("greet", call => "unity greets " + call.Text);
            await _room.SendAsync("hello");

            if (wantedItem == "")
                return;
            var download = _node.Download(new DownloadOptions { Item = wantedItem, Into = intoFolder });
            download.Progress += progress => Debug.Log(progress.Percent + " %");
            Debug.Log("fetched " + (await download.WhenFinished).Path);
        }
        catch (MoorlineException e)
        {
            // In words, and by its number for programs.
            Debug.Log(e.Message + ": " + e.Status);
        }
        catch (System.OperationCanceledException)
        {
            // The scene ended first.
        }
    }

    private void OnDestroy()
    {
        if (_client != null)
            _client.Close(1000);
    }
}
