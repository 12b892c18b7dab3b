using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>A place on a room server where participants talk: messages, values, calls.</summary>
    public sealed class Room : Session
    {
        private readonly Milestone<RoomJoined> _joined = new Milestone<RoomJoined>();
        private readonly Milestone<SessionEnded> _disconnected = new Milestone<SessionEnded>();
        private readonly Dictionary<string, Func<Call, Task<byte[]>>> _methods = new Dictionary<string, Func<Call, Task<byte[]>>>();

        internal Room(MoorlineClient client, Node node, ulong handle) : base(client, handle)
        {
            Node = node;
        }

        /// <summary>It is joined.</summary>
        public event Action<RoomJoined> Joined;
        /// <summary>What it does changed.</summary>
        public event Action<RoomStateChanged> StateChanged;
        /// <summary>The connection is lost, and a recovery begins.</summary>
        public event Action<ConnectionLost> ConnectionLost;
        /// <summary>There is a connection again.</summary>
        public event Action<Recovered> Recovered;
        /// <summary>Deliveries were lost: see <see cref="Participants"/>.</summary>
        public event Action<Resynced> Resynced;
        /// <summary>A message.</summary>
        public event Action<RoomMessage> Message;
        /// <summary>Somebody came.</summary>
        public event Action<Participant> ParticipantJoined;
        /// <summary>Somebody says something else of itself.</summary>
        public event Action<Participant> ParticipantUpdated;
        /// <summary>Somebody went.</summary>
        public event Action<ParticipantLeft> ParticipantLeft;
        /// <summary>A participant announced a value.</summary>
        public event Action<RoomValue> ValueChanged;
        /// <summary>
        /// A participant calls a method that <see cref="Answer"/> was not told about. If nobody listens here, such calls are
        /// rejected.
        /// </summary>
        public event Action<Call> Called;
        /// <summary>Its last event.</summary>
        public event Action<SessionEnded> Disconnected;

        /// <summary>The node that joined it, or null.</summary>
        public Node Node { get; private set; }

        /// <summary>Done when it is joined; cancelled or failed if it ends before that.</summary>
        public Task<RoomJoined> WhenJoined
        {
            get { return Ask(_joined); }
        }

        /// <summary>Done with its last event, whatever that says.</summary>
        public Task<SessionEnded> WhenDisconnected
        {
            get { return Ask(_disconnected); }
        }

        internal override bool IsAwaited
        {
            get { return _joined.Awaited || _disconnected.Awaited; }
        }

        /// <summary>
        /// Leaves it with a goodbye, or gives up joining it. <see cref="Disconnected"/> follows, within about a second whatever
        /// the server does. Again changes nothing.
        /// </summary>
        public unsafe void Leave()
        {
            Tolerate(Native.RoomLeave(Client.Handle, Handle));
        }

        /// <summary>
        /// Sends a message: reliable and to everyone else, if <paramref name="options"/> say nothing else. Done when the server
        /// has it.
        /// </summary>
        public unsafe Task SendAsync(byte[] payload, SendOptions options = null, CancellationToken token = default(CancellationToken))
        {
            return Request(token, (memory, request) =>
            {
                var bytes = memory.Bytes(payload);
                var settings = (options ?? new SendOptions()).ToNative(memory);
                return Native.RoomSend(Client.Handle, Handle, &settings, bytes.Data, bytes.Length, request, memory.Error);
            });
        }

        /// <summary>Sends a text as UTF-8.</summary>
        public Task SendAsync(string text, SendOptions options = null, CancellationToken token = default(CancellationToken))
        {
            return SendAsync(Encoding.UTF8.GetBytes(text), options, token);
        }

        /// <summary>
        /// Calls a participant; the result is its answer. Fails at the latest after <paramref name="timeoutMs"/> (0: 10,000).
        /// </summary>
        public unsafe Task<byte[]> CallAsync(
            ulong participant, string method, byte[] payload, int timeoutMs = 0, CancellationToken token = default(CancellationToken))
        {
            return Request(token, (memory, request) =>
            {
                var name = memory.Text(method);
                var bytes = memory.Bytes(payload);
                var timeout = Borrowed.Milliseconds(timeoutMs, "timeoutMs");
                return Native.RoomCall(
                    Client.Handle, Handle, participant, name.Data, name.Length, bytes.Data, bytes.Length, timeout, request, memory.Error);
            });
        }

        /// <summary>Calls a participant with a text and is answered with one, both in UTF-8.</summary>
        public async Task<string> CallAsync(
            ulong participant, string method, string text, int timeoutMs = 0, CancellationToken token = default(CancellationToken))
        {
            return Encoding.UTF8.GetString(await CallAsync(participant, method, Encoding.UTF8.GetBytes(text), timeoutMs, token));
        }

        /// <summary>
        /// Has calls of a method answered. What the answer throws rejects the call, and is reported like that of any handler.
        /// </summary>
        public void AnswerAsync(string method, Func<Call, Task<byte[]>> answer)
        {
            lock (_methods)
                _methods[method] = answer;
        }

        /// <summary>Has calls of a method answered with UTF-8.</summary>
        public void Answer(string method, Func<Call, string> answer)
        {
            AnswerAsync(method, call => Task.FromResult(Encoding.UTF8.GetBytes(answer(call))));
        }

        /// <summary>Changes what this participant says of itself. Done when the server has taken it.</summary>
        public unsafe Task UpdateAsync(SelfUpdate update, CancellationToken token = default(CancellationToken))
        {
            return Request(token, (memory, request) =>
            {
                var changes = update.ToNative(memory);
                return Native.RoomUpdate(Client.Handle, Handle, &changes, request, memory.Error);
            });
        }

        /// <summary>Tells it what the system knows of the network.</summary>
        public unsafe void Hint(NetworkHint hint)
        {
            MoorlineException.Check(Native.RoomHint(Client.Handle, Handle, (uint)hint));
            GC.KeepAlive(this);
        }

        /// <summary>How it is.</summary>
        public unsafe RoomInfo Info()
        {
            return new RoomInfo(Snapshot(Native.RoomInfo).Single());
        }

        /// <summary>Who is in it, this side included. May be ahead of events that were not dispatched yet.</summary>
        public unsafe IList<ParticipantInfo> Participants()
        {
            var participants = new List<ParticipantInfo>();
            foreach (var row in Snapshot(Native.RoomParticipants))
            {
                if (row.Kind == Native.RECORD_PARTICIPANT)
                    participants.Add(new ParticipantInfo(row));
                else
                    participants[participants.Count - 1].Add(row);
            }
            return participants;
        }

        internal override bool Deliver(RawEvent e)
        {
            switch (e.Kind)
            {
                case Native.EVENT_ROOM_JOINED:
                    var joined = new RoomJoined(e);
                    Client.Raise(Joined, joined);
                    _joined.Reach(joined);
                    break;
                case Native.EVENT_ROOM_STATE:
                    Client.Raise(StateChanged, new RoomStateChanged(e));
                    break;
                case Native.EVENT_ROOM_CONNECTION_LOST:
                    Client.Raise(ConnectionLost, new ConnectionLost(e));
                    break;
                case Native.EVENT_ROOM_RECOVERED:
                    Client.Raise(Recovered, new Recovered(e));
                    break;
                case Native.EVENT_ROOM_RESYNC:
                    Client.Raise(Resynced, new Resynced(e));
                    break;
                case Native.EVENT_ROOM_MESSAGE:
                    Client.Raise(Message, new RoomMessage(e));
                    break;
                case Native.EVENT_ROOM_PARTICIPANT_JOINED:
                    Client.Raise(ParticipantJoined, new Participant(e));
                    break;
                case Native.EVENT_ROOM_PARTICIPANT_UPDATED:
                    Client.Raise(ParticipantUpdated, new Participant(e));
                    break;
                case Native.EVENT_ROOM_PARTICIPANT_LEFT:
                    Client.Raise(ParticipantLeft, new ParticipantLeft(e));
                    break;
                case Native.EVENT_ROOM_VALUE:
                    Client.Raise(ValueChanged, new RoomValue(e));
                    break;
                case Native.EVENT_ROOM_CALL:
                    Take(new Call(this, e));
                    break;
                case Native.EVENT_ROOM_DISCONNECTED:
                    NoteEnd();
                    var ended = new SessionEnded(e, 0);
                    _joined.Miss(ended);
                    Client.Raise(Disconnected, ended);
                    _disconnected.Reach(ended);
                    return true;
            }
            return false;
        }

        internal override RawEvent LastEvent(Status status)
        {
            return new RawEvent(Native.EVENT_ROOM_DISCONNECTED, status, Handle);
        }

        private void Take(Call call)
        {
            Func<Call, Task<byte[]>> answer;
            lock (_methods)
                _methods.TryGetValue(call.Method, out answer);
            if (answer != null)
                call.AnswerWith(answer);
            else if (Called != null)
                Client.Raise(Called, call);
            else
                call.Settle(() => call.Reject(Refusal.NoSuchMethod));
        }
    }
}
