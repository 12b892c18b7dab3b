namespace Moorline
{
    /// <summary>A node runs.</summary>
    public sealed class NodeStarted
    {
        internal NodeStarted(RawEvent e)
        {
            PeerId = e.Text(0);
            Address = e.Text(1);
        }

        /// <summary>Who it is.</summary>
        public string PeerId { get; private set; }
        /// <summary>Where it listens, <c>ip:port</c>.</summary>
        public string Address { get; private set; }
    }

    /// <summary>A service that a node cannot do without died; the node stops.</summary>
    public sealed class NodeFailed
    {
        internal NodeFailed(RawEvent e)
        {
            Component = e.Text(0);
            Error = e.Text(1);
        }

        /// <summary>Which service.</summary>
        public string Component { get; private set; }
        /// <summary>What it died of.</summary>
        public string Error { get; private set; }
    }

    /// <summary>A peer that is connected. Name and program are what the peer says: do not trust them.</summary>
    public sealed class Peer
    {
        internal Peer(RawEvent e)
        {
            PeerId = e.Text(0);
            Name = e.Text(1);
            Address = e.Text(2);
            Program = e.Text(3);
            Items = e.Long(0);
            RoundTripMicroseconds = e.Long(1);
            Shares = e.Flag(2);
        }

        /// <summary>Who it is; proved.</summary>
        public string PeerId { get; private set; }
        /// <summary>What it calls itself.</summary>
        public string Name { get; private set; }
        /// <summary>Where it is.</summary>
        public string Address { get; private set; }
        /// <summary>What it runs.</summary>
        public string Program { get; private set; }
        /// <summary>How many items it offers.</summary>
        public long Items { get; private set; }
        /// <summary>How long a round trip takes.</summary>
        public long RoundTripMicroseconds { get; private set; }
        /// <summary>Whether it has a library.</summary>
        public bool Shares { get; private set; }
    }

    /// <summary>A peer is no longer connected.</summary>
    public sealed class PeerDown
    {
        internal PeerDown(RawEvent e)
        {
            SaidGoodbye = e.Flag(0);
            PeerId = e.Text(0);
            Name = e.Text(1);
            Reason = e.Text(2);
        }

        /// <summary>Who.</summary>
        public string PeerId { get; private set; }
        /// <summary>What it calls itself.</summary>
        public string Name { get; private set; }
        /// <summary>Why.</summary>
        public string Reason { get; private set; }
        /// <summary>Whether it left on purpose.</summary>
        public bool SaidGoodbye { get; private set; }
    }

    /// <summary>A peer cannot be joined, and trying again will not mend it.</summary>
    public sealed class PeerRefused
    {
        internal PeerRefused(RawEvent e)
        {
            Status = e.Status;
            Found = e.Text(0);
            Reason = e.Text(1);
        }

        /// <summary><see cref="Status.Access"/> or <see cref="Status.Protocol"/>.</summary>
        public Status Status { get; private set; }
        /// <summary>How it was found.</summary>
        public string Found { get; private set; }
        /// <summary>Why it cannot be joined.</summary>
        public string Reason { get; private set; }
    }

    /// <summary>What a node shares changed.</summary>
    public sealed class LibraryChanged
    {
        internal LibraryChanged(RawEvent e)
        {
            Revision = e.Long(0);
        }

        /// <summary>Counts the changes.</summary>
        public long Revision { get; private set; }
    }

    /// <summary>A peer began to fetch from a node.</summary>
    public sealed class UploadStarted
    {
        internal UploadStarted(RawEvent e)
        {
            PeerId = e.Text(0);
            Name = e.Text(1);
            ItemId = e.Text(2);
        }

        /// <summary>Who fetches.</summary>
        public string PeerId { get; private set; }
        /// <summary>What it calls itself.</summary>
        public string Name { get; private set; }
        /// <summary>What it fetches.</summary>
        public string ItemId { get; private set; }
    }

    /// <summary>A service of a node changed its state.</summary>
    public sealed class ServiceChanged
    {
        internal ServiceChanged(RawEvent e)
        {
            Service = e.Text(0);
            State = e.Text(1);
        }

        /// <summary>Which service.</summary>
        public string Service { get; private set; }
        /// <summary>What it does now.</summary>
        public string State { get; private set; }
    }
}
