using System;
using System.Text;

namespace Moorline
{
    /// <summary>What a room does.</summary>
    public enum RoomState
    {
        /// <summary>Nothing yet.</summary>
        Idle = 0,
        /// <summary>It is being joined.</summary>
        Connecting = 1,
        /// <summary>It is joined.</summary>
        Live = 2,
        /// <summary>The connection is lost and being made anew.</summary>
        Recovering = 3,
        /// <summary>It moves to another server.</summary>
        Migrating = 4,
        /// <summary>It is being left.</summary>
        Leaving = 5,
        /// <summary>It is over.</summary>
        Closed = 6,
    }

    /// <summary>What this side may do in a room.</summary>
    [Flags]
    public enum Permissions
    {
        /// <summary>Listen only.</summary>
        None = 0,
        /// <summary>Send messages.</summary>
        Publish = 1,
        /// <summary>Call others.</summary>
        Call = 2,
        /// <summary>Change what it says of itself.</summary>
        UpdateSelf = 4,
    }

    /// <summary>A room was joined.</summary>
    public sealed class RoomJoined
    {
        internal RoomJoined(RawEvent e)
        {
            Self = e.Number(0);
            Participants = e.Int(1);
            Permissions = (Permissions)e.Int(2);
            SessionId = e.Text(0);
            Server = e.Text(1);
        }

        /// <summary>The participant that this side is.</summary>
        public ulong Self { get; private set; }
        /// <summary>How many are in the room.</summary>
        public int Participants { get; private set; }
        /// <summary>What the token allows.</summary>
        public Permissions Permissions { get; private set; }
        /// <summary>The server's name of this session.</summary>
        public string SessionId { get; private set; }
        /// <summary>The server's own name.</summary>
        public string Server { get; private set; }
    }

    /// <summary>What a room does changed.</summary>
    public sealed class RoomStateChanged
    {
        internal RoomStateChanged(RawEvent e)
        {
            From = (RoomState)e.Int(0);
            To = (RoomState)e.Int(1);
            Reason = e.Text(0);
        }

        /// <summary>What it did.</summary>
        public RoomState From { get; private set; }
        /// <summary>What it does now.</summary>
        public RoomState To { get; private set; }
        /// <summary>Why.</summary>
        public string Reason { get; private set; }
    }

    /// <summary>The connection of a room is lost, and a recovery begins.</summary>
    public sealed class ConnectionLost
    {
        internal ConnectionLost(RawEvent e)
        {
            Epoch = e.Long(0);
            Reason = e.Text(0);
        }

        /// <summary>Counts the connections.</summary>
        public long Epoch { get; private set; }
        /// <summary>Why.</summary>
        public string Reason { get; private set; }
    }

    /// <summary>There is a connection again.</summary>
    public sealed class Recovered
    {
        internal Recovered(RawEvent e)
        {
            Epoch = e.Long(0);
            NothingMissed = e.Flag(1);
            Replayed = e.Long(2);
            Repeated = e.Long(3);
            DowntimeMs = e.Long(4);
            Strategy = e.Text(0);
        }

        /// <summary>Counts the connections.</summary>
        public long Epoch { get; private set; }
        /// <summary>Whether everything that was sent meanwhile arrived.</summary>
        public bool NothingMissed { get; private set; }
        /// <summary>Deliveries that were repeated to this side.</summary>
        public long Replayed { get; private set; }
        /// <summary>Messages that this side sent again.</summary>
        public long Repeated { get; private set; }
        /// <summary>How long there was none.</summary>
        public long DowntimeMs { get; private set; }
        /// <summary>How it came about.</summary>
        public string Strategy { get; private set; }
    }

    /// <summary>Deliveries were lost: <see cref="Room.Participants"/> says who is there now.</summary>
    public sealed class Resynced
    {
        internal Resynced(RawEvent e)
        {
            Self = e.Number(0);
            Participants = e.Int(1);
        }

        /// <summary>The participant that this side is.</summary>
        public ulong Self { get; private set; }
        /// <summary>How many are in the room.</summary>
        public int Participants { get; private set; }
    }

    /// <summary>A message. What is in it is what another participant says: do not trust it.</summary>
    public sealed class RoomMessage
    {
        internal RoomMessage(RawEvent e)
        {
            Sender = e.Number(0);
            IsReliable = e.Flag(1);
            Number = e.Long(2);
            Payload = e.Bytes(0);
            Topic = e.Text(1);
        }

        /// <summary>Who sent it.</summary>
        public ulong Sender { get; private set; }
        /// <summary>Whether it is one of those that are kept and sent again.</summary>
        public bool IsReliable { get; private set; }
        /// <summary>The sender's number of it.</summary>
        public long Number { get; private set; }
        /// <summary>The bytes.</summary>
        public byte[] Payload { get; private set; }
        /// <summary>What it is about.</summary>
        public string Topic { get; private set; }

        /// <summary>The bytes as UTF-8.</summary>
        public string Text
        {
            get { return Encoding.UTF8.GetString(Payload); }
        }
    }

    /// <summary>Why somebody went.</summary>
    public enum LeaveReason
    {
        /// <summary>The server did not say.</summary>
        Unknown = 0,
        /// <summary>On purpose.</summary>
        Left = 1,
        /// <summary>The connection was lost, and did not come back in time.</summary>
        TimedOut = 2,
        /// <summary>The same identity joined from elsewhere.</summary>
        Replaced = 3,
        /// <summary>The server removed it.</summary>
        Removed = 4,
        /// <summary>To another server.</summary>
        Migrated = 5,
    }

    /// <summary>Somebody in a room.</summary>
    public class Participant
    {
        internal Participant(RawEvent e)
        {
            Id = e.Number(0);
            Identity = e.Text(0);
            Name = e.Text(1);
            Metadata = e.Text(2);
        }

        /// <summary>Its number in this room.</summary>
        public ulong Id { get; private set; }
        /// <summary>Who it is, as the server knows it.</summary>
        public string Identity { get; private set; }
        /// <summary>What it calls itself.</summary>
        public string Name { get; private set; }
        /// <summary>What it says of itself.</summary>
        public string Metadata { get; private set; }
    }

    /// <summary>Somebody went.</summary>
    public sealed class ParticipantLeft : Participant
    {
        internal ParticipantLeft(RawEvent e) : base(e)
        {
            Reason = (LeaveReason)e.Int(1);
        }

        /// <summary>Why.</summary>
        public LeaveReason Reason { get; private set; }
    }

    /// <summary>A value that a participant announced: the newest of its key.</summary>
    public sealed class RoomValue
    {
        internal RoomValue(RawEvent e)
        {
            Participant = e.Number(0);
            Revision = e.Long(1);
            Value = e.Bytes(0);
            Key = e.Text(1);
        }

        /// <summary>Whose.</summary>
        public ulong Participant { get; private set; }
        /// <summary>Counts the values of the key.</summary>
        public long Revision { get; private set; }
        /// <summary>The bytes; empty: it is gone.</summary>
        public byte[] Value { get; private set; }
        /// <summary>The key.</summary>
        public string Key { get; private set; }
    }
}
