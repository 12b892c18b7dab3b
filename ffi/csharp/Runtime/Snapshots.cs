using System.Collections.Generic;

namespace Moorline
{
    /// <summary>How a node is.</summary>
    public sealed class NodeInfo
    {
        internal NodeInfo(RawEvent row)
        {
            Peers = row.Int(0);
            Downloads = row.Int(1);
            Tasks = row.Int(2);
            IsRunning = row.Flag(3);
            PeerId = row.Text(0);
            Address = row.Text(1);
            TaskTree = row.Text(2);
        }

        /// <summary>How many peers are connected.</summary>
        public int Peers { get; private set; }
        /// <summary>How many downloads are under way.</summary>
        public int Downloads { get; private set; }
        /// <summary>How many tasks it has.</summary>
        public int Tasks { get; private set; }
        /// <summary>Whether it runs.</summary>
        public bool IsRunning { get; private set; }
        /// <summary>Who it is.</summary>
        public string PeerId { get; private set; }
        /// <summary>Where it listens.</summary>
        public string Address { get; private set; }
        /// <summary>Its tasks, for people.</summary>
        public string TaskTree { get; private set; }
    }

    /// <summary>An item that a node shares.</summary>
    public class Item
    {
        internal Item(RawEvent row)
        {
            Bytes = row.Long(0);
            Files = row.Long(1);
            ItemId = row.Text(0);
            Name = row.Text(1);
            Version = row.Text(2);
            Title = row.Text(3);
        }

        /// <summary>How large it is.</summary>
        public long Bytes { get; private set; }
        /// <summary>How many files it has.</summary>
        public long Files { get; private set; }
        /// <summary>Its id: what is in it, and nothing else, decides it.</summary>
        public string ItemId { get; private set; }
        /// <summary>What it is called.</summary>
        public string Name { get; private set; }
        /// <summary>Which version it is.</summary>
        public string Version { get; private set; }
        /// <summary>Its name for people.</summary>
        public string Title { get; private set; }
    }

    /// <summary>An item that peers offer.</summary>
    public sealed class Offer : Item
    {
        private readonly List<Provider> _providers = new List<Provider>();

        internal Offer(RawEvent row) : base(row)
        {
        }

        /// <summary>Who has it.</summary>
        public IList<Provider> Providers
        {
            get { return _providers; }
        }

        internal void Add(Provider provider)
        {
            _providers.Add(provider);
        }
    }

    /// <summary>A peer that has an item.</summary>
    public sealed class Provider
    {
        internal Provider(RawEvent row)
        {
            PeerId = row.Text(0);
            Name = row.Text(1);
            Address = row.Text(2);
            ItemName = row.Text(3);
        }

        /// <summary>Who.</summary>
        public string PeerId { get; private set; }
        /// <summary>What it calls itself.</summary>
        public string Name { get; private set; }
        /// <summary>Where it is.</summary>
        public string Address { get; private set; }
        /// <summary>What it calls the item.</summary>
        public string ItemName { get; private set; }
    }

    /// <summary>How a room is.</summary>
    public sealed class RoomInfo
    {
        internal RoomInfo(RawEvent row)
        {
            State = (RoomState)row.Int(0);
            Self = row.Number(1);
            Participants = row.Int(2);
            SessionId = row.Text(0);
        }

        /// <summary>What it does.</summary>
        public RoomState State { get; private set; }
        /// <summary>The participant that this side is, or 0.</summary>
        public ulong Self { get; private set; }
        /// <summary>How many are in it.</summary>
        public int Participants { get; private set; }
        /// <summary>The server's name of this session.</summary>
        public string SessionId { get; private set; }
    }

    /// <summary>Somebody in a room, with everything that is known of it.</summary>
    public sealed class ParticipantInfo : Participant
    {
        private readonly Dictionary<string, string> _attributes = new Dictionary<string, string>();
        private readonly Dictionary<string, byte[]> _values = new Dictionary<string, byte[]>();

        internal ParticipantInfo(RawEvent row) : base(row)
        {
        }

        /// <summary>What it says of itself, by key.</summary>
        public IDictionary<string, string> Attributes
        {
            get { return _attributes; }
        }

        /// <summary>The values that it announced, by key.</summary>
        public IDictionary<string, byte[]> Values
        {
            get { return _values; }
        }

        internal void Add(RawEvent row)
        {
            if (row.Kind == Native.RECORD_ATTRIBUTE)
                _attributes[row.Text(1)] = row.Text(0);
            else if (row.Kind == Native.RECORD_VALUE)
                _values[row.Text(1)] = row.Bytes(0);
        }
    }
}
