using System.Collections.Generic;

namespace Moorline
{
    /// <summary>How a client is made. Zero means the default.</summary>
    public sealed class ClientOptions
    {
        /// <summary>Threads for the network. Default 2, at most 64.</summary>
        public int Threads;
        /// <summary>Events that may wait to be dispatched. Default 4,096, at most 1,048,576.</summary>
        public int EventCapacity;
        /// <summary>Requests that may be under way. Default 4,096, at most 1,048,576.</summary>
        public int RequestCapacity;
        /// <summary>Lines of the log that become events.</summary>
        public LogLevel LogLevel;

        internal unsafe Native.InitOptions ToNative()
        {
            return new Native.InitOptions
            {
                StructSize = (uint)sizeof(Native.InitOptions),
                AbiVersion = Native.ABI_VERSION,
                Threads = Borrowed.Count(Threads, "Threads"),
                EventCapacity = Borrowed.Count(EventCapacity, "EventCapacity"),
                RequestCapacity = Borrowed.Count(RequestCapacity, "RequestCapacity"),
                LogLevel = Borrowed.Count((int)LogLevel, "LogLevel"),
            };
        }
    }

    /// <summary>How a node is made. Null and zero mean the default.</summary>
    public sealed class NodeOptions
    {
        /// <summary>Address to listen on, <c>ip:port</c>. Default: any address, any port.</summary>
        public string Listen;
        /// <summary>What others see. Default: the beginning of the peer id.</summary>
        public string Name;
        /// <summary>File with the key of this peer; made if it is missing. Default: a key for this run only.</summary>
        public string Identity;
        /// <summary>Folder in which hashes are kept. Default: a folder below the system's for temporary files.</summary>
        public string Cache;
        /// <summary>Only who knows it gets in. Default: everyone gets in.</summary>
        public string Passphrase;
        /// <summary>Files and folders to share.</summary>
        public ICollection<string> Share = new List<string>();
        /// <summary>Ids of the only peers that get in. None: everyone.</summary>
        public ICollection<string> Allow = new List<string>();
        /// <summary>Addresses of peers to connect to, <c>ip:port</c>.</summary>
        public ICollection<string> Peers = new List<string>();
        /// <summary>What <see cref="Share"/> names are folders; every child of them is an item.</summary>
        public bool ShareChildren;
        /// <summary>Do not look for peers by multicast DNS, and do not announce this one.</summary>
        public bool NoMulticast;
        /// <summary>Have a library even if nothing is shared yet.</summary>
        public bool HasLibrary;
        /// <summary>Milliseconds for goodbyes when the node stops. Default 2,000.</summary>
        public int ShutdownDeadlineMs;
        /// <summary>Milliseconds until the node stops if nobody dispatches events. Default 15,000.</summary>
        public int ReadyTimeoutMs;

        internal unsafe Native.NodeOptions ToNative(Borrowed memory)
        {
            uint shares, allowed, peers;
            return new Native.NodeOptions
            {
                StructSize = (uint)sizeof(Native.NodeOptions),
                Flags = (ShareChildren ? Native.FLAG_CHILDREN : 0) | (NoMulticast ? Native.FLAG_NO_MULTICAST : 0)
                    | (HasLibrary ? Native.FLAG_LIBRARY : 0),
                Listen = memory.Text(Listen),
                Name = memory.Text(Name),
                Identity = memory.Text(Identity),
                Cache = memory.Text(Cache),
                Passphrase = memory.Text(Passphrase),
                Share = memory.Texts(Share, out shares),
                Allow = memory.Texts(Allow, out allowed),
                Peers = memory.Texts(Peers, out peers),
                ShareCount = shares,
                AllowCount = allowed,
                PeerCount = peers,
                ShutdownDeadlineMs = Borrowed.Milliseconds(ShutdownDeadlineMs, "ShutdownDeadlineMs"),
                ReadyTimeoutMs = Borrowed.Milliseconds(ReadyTimeoutMs, "ReadyTimeoutMs"),
            };
        }
    }

    /// <summary>What to fetch. Null and zero mean the default.</summary>
    public sealed class DownloadOptions
    {
        /// <summary>The item: its id, or a name under which it is on offer.</summary>
        public string Item;
        /// <summary>The folder that receives it.</summary>
        public string Into;
        /// <summary>The name to give it. Default: that under which it is on offer.</summary>
        public string Name;
        /// <summary>Id of the only peer to fetch from. Default: everyone who has it.</summary>
        public string From;
        /// <summary>Milliseconds to wait for somebody to offer it. Default 10,000.</summary>
        public int WaitMs;
        /// <summary>End when nobody is left who has the item.</summary>
        public bool EndWhenAlone;
        /// <summary>Offer the item to others once it is whole. Needs a library.</summary>
        public bool Share;

        internal unsafe Native.DownloadOptions ToNative(Borrowed memory)
        {
            return new Native.DownloadOptions
            {
                StructSize = (uint)sizeof(Native.DownloadOptions),
                Flags = (EndWhenAlone ? Native.FLAG_END_WHEN_ALONE : 0) | (Share ? Native.FLAG_SHARE : 0),
                Item = memory.Text(Item),
                Into = memory.Text(Into),
                Name = memory.Text(Name),
                From = memory.Text(From),
                WaitMs = Borrowed.Milliseconds(WaitMs, "WaitMs"),
            };
        }
    }
}
