using System.Collections.Generic;

namespace Moorline
{
    /// <summary>Which room to join. Null and zero mean the default.</summary>
    public sealed class RoomOptions
    {
        /// <summary>
        /// The server: <c>ws://host:port/path</c> or <c>wss://...</c>. Several, separated by spaces: the first choice first.
        /// </summary>
        public string Url;
        /// <summary>The room.</summary>
        public string Room;
        /// <summary>The token, where the server asks for one.</summary>
        public string Token;
        /// <summary>What others see.</summary>
        public string Name;
        /// <summary>Who this is, where no token says so. Default: made up by the server.</summary>
        public string Identity;
        /// <summary>Free text.</summary>
        public string Metadata;
        /// <summary>Do not tell the node's addresses, and do not connect to the nodes in the room.</summary>
        public bool NoMeeting;
        /// <summary>
        /// Milliseconds from a loss, or from the start, to giving up. Default 30,000; <see
        /// cref="System.Threading.Timeout.Infinite"/>: never.
        /// </summary>
        public int DeadlineMs;
        /// <summary>Milliseconds until the room is left if nobody dispatches events. Default 15,000.</summary>
        public int ReadyTimeoutMs;

        internal unsafe Native.RoomOptions ToNative(Borrowed memory)
        {
            return new Native.RoomOptions
            {
                StructSize = (uint)sizeof(Native.RoomOptions),
                Flags = NoMeeting ? Native.FLAG_NO_MEETING : 0,
                Url = memory.Text(Url),
                Room = memory.Text(Room),
                Token = memory.Text(Token),
                Name = memory.Text(Name),
                Identity = memory.Text(Identity),
                Metadata = memory.Text(Metadata),
                DeadlineMs = Borrowed.Milliseconds(DeadlineMs, "DeadlineMs"),
                ReadyTimeoutMs = Borrowed.Milliseconds(ReadyTimeoutMs, "ReadyTimeoutMs"),
            };
        }
    }

    /// <summary>What becomes of a message when the connection is not at its best.</summary>
    public enum Delivery
    {
        /// <summary>Kept, in order, sent again after a loss, acknowledged.</summary>
        Reliable = 0,
        /// <summary>The newest value of a key (the topic), known to whoever comes later.</summary>
        Latest = 1,
        /// <summary>At once, or not at all.</summary>
        Ephemeral = 2,
    }

    /// <summary>How a message is sent. Null and zero mean the default.</summary>
    public sealed class SendOptions
    {
        /// <summary>What becomes of it when the connection is not at its best.</summary>
        public Delivery Delivery;
        /// <summary>Topic; with <see cref="Delivery.Latest"/> the key.</summary>
        public string Topic;
        /// <summary>Participants to send to. None: everyone else.</summary>
        public ICollection<ulong> To = new List<ulong>();
        /// <summary>Milliseconds to wait for a connection. Default 30,000.</summary>
        public int TtlMs;

        internal unsafe Native.SendOptions ToNative(Borrowed memory)
        {
            uint count;
            return new Native.SendOptions
            {
                StructSize = (uint)sizeof(Native.SendOptions),
                Delivery = (uint)Delivery,
                Topic = memory.Text(Topic),
                To = memory.Numbers(To, out count),
                ToCount = count,
                TtlMs = Borrowed.Milliseconds(TtlMs, "TtlMs"),
            };
        }
    }

    /// <summary>What a participant says of itself from now on. Null leaves things as they are.</summary>
    public sealed class SelfUpdate
    {
        /// <summary>The new name.</summary>
        public string Name;
        /// <summary>The new metadata.</summary>
        public string Metadata;
        /// <summary>Attributes to change; an empty value removes its key.</summary>
        public IDictionary<string, string> Attributes = new Dictionary<string, string>();

        internal unsafe Native.UpdateOptions ToNative(Borrowed memory)
        {
            uint count;
            return new Native.UpdateOptions
            {
                StructSize = (uint)sizeof(Native.UpdateOptions),
                Name = memory.Text(Name),
                Metadata = memory.Text(Metadata),
                Keys = memory.Texts(Attributes == null ? null : Attributes.Keys, out count),
                Values = memory.Texts(Attributes == null ? null : Attributes.Values, out count),
                AttributeCount = count,
            };
        }
    }

    /// <summary>What the system knows of the network.</summary>
    public enum NetworkHint
    {
        /// <summary>There is no network.</summary>
        Offline = 0,
        /// <summary>There is a network again.</summary>
        Online = 1,
        /// <summary>It is another network: what is open may be dead.</summary>
        PathChanged = 2,
        /// <summary>Somebody wants the connection now.</summary>
        RetryNow = 3,
    }
}
