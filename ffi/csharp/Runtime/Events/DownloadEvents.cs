namespace Moorline
{
    /// <summary>What is on this disk already is compared with the item.</summary>
    public sealed class DownloadChecking
    {
        internal DownloadChecking(RawEvent e)
        {
            Done = e.Long(0);
            Total = e.Long(1);
        }

        /// <summary>Bytes compared.</summary>
        public long Done { get; private set; }
        /// <summary>Bytes in all.</summary>
        public long Total { get; private set; }
    }

    /// <summary>Fetching begins.</summary>
    public sealed class DownloadPlanned
    {
        internal DownloadPlanned(RawEvent e)
        {
            ItemId = e.Text(0);
            Name = e.Text(1);
            Bytes = e.Long(0);
            Files = e.Long(1);
            Chunks = e.Long(2);
            KeptBytes = e.Long(3);
        }

        /// <summary>Which item.</summary>
        public string ItemId { get; private set; }
        /// <summary>What it will be called.</summary>
        public string Name { get; private set; }
        /// <summary>Bytes in all.</summary>
        public long Bytes { get; private set; }
        /// <summary>Files in all.</summary>
        public long Files { get; private set; }
        /// <summary>Chunks in all.</summary>
        public long Chunks { get; private set; }
        /// <summary>Bytes that an earlier run left.</summary>
        public long KeptBytes { get; private set; }
    }

    /// <summary>How far a download is.</summary>
    public sealed class DownloadProgress
    {
        internal DownloadProgress(RawEvent e)
        {
            Done = e.Long(0);
            Total = e.Long(1);
            BytesPerSecond = e.Long(2);
            Sources = e.Int(3);
            Status = e.Status;
            ItemId = e.Text(0);
            Name = e.Text(1);
        }

        /// <summary>Verified bytes.</summary>
        public long Done { get; private set; }
        /// <summary>Bytes in all.</summary>
        public long Total { get; private set; }
        /// <summary>How fast it goes.</summary>
        public long BytesPerSecond { get; private set; }
        /// <summary>Peers that it comes from.</summary>
        public int Sources { get; private set; }
        /// <summary>In a snapshot: ok while it goes on or is finished, else why it ended.</summary>
        public Status Status { get; private set; }
        /// <summary>In a snapshot: which item.</summary>
        public string ItemId { get; private set; }
        /// <summary>In a snapshot: what it is called.</summary>
        public string Name { get; private set; }

        /// <summary>From 0 to 100.</summary>
        public int Percent
        {
            get { return Total == 0 ? 100 : (int)(100.0 * Done / Total); }
        }
    }

    /// <summary>A peer is no longer fetched from.</summary>
    public sealed class SourceDropped
    {
        internal SourceDropped(RawEvent e)
        {
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
    }

    /// <summary>The end of a download. With <see cref="Status.Ok"/> the item is in its place, whole and verified.</summary>
    public sealed class DownloadEnded : SessionEnded
    {
        internal DownloadEnded(RawEvent e) : base(e, 1)
        {
            ItemId = e.Text(0);
            Path = e.Status == Status.Ok ? e.Text(1) : "";
            Bytes = e.Long(0);
            FetchedBytes = e.Long(1);
            KeptBytes = e.Long(2);
            DurationMs = e.Long(3);
            WasThere = e.Flag(4);
        }

        /// <summary>Which item.</summary>
        public string ItemId { get; private set; }
        /// <summary>Where it is now.</summary>
        public string Path { get; private set; }
        /// <summary>Bytes in all.</summary>
        public long Bytes { get; private set; }
        /// <summary>Bytes fetched.</summary>
        public long FetchedBytes { get; private set; }
        /// <summary>Bytes kept from earlier runs.</summary>
        public long KeptBytes { get; private set; }
        /// <summary>How long it took.</summary>
        public long DurationMs { get; private set; }
        /// <summary>Whether it was there already.</summary>
        public bool WasThere { get; private set; }
    }
}
