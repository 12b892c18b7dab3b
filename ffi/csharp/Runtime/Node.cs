using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>A peer on the network: it shares items, finds other peers, and fetches from them.</summary>
    public sealed unsafe class Node : Session
    {
        private readonly Milestone<NodeStarted> _started = new Milestone<NodeStarted>();
        private readonly Milestone<SessionEnded> _stopped = new Milestone<SessionEnded>();

        internal Node(MoorlineClient client, ulong handle) : base(client, handle)
        {
        }

        /// <summary>It runs.</summary>
        public event Action<NodeStarted> Started;
        /// <summary>Its last event.</summary>
        public event Action<SessionEnded> Stopped;
        /// <summary>A service that it cannot do without died; <see cref="Stopped"/> follows.</summary>
        public event Action<NodeFailed> Failed;
        /// <summary>A peer is connected.</summary>
        public event Action<Peer> PeerUp;
        /// <summary>A peer is no longer connected.</summary>
        public event Action<PeerDown> PeerDown;
        /// <summary>A peer cannot be joined, and trying again will not mend it.</summary>
        public event Action<PeerRefused> PeerRefused;
        /// <summary>What peers offer changed: see <see cref="Offers"/>.</summary>
        public event Action<Node> OffersChanged;
        /// <summary>What it shares changed: see <see cref="Items"/>.</summary>
        public event Action<LibraryChanged> LibraryChanged;
        /// <summary>A peer began to fetch from it.</summary>
        public event Action<UploadStarted> UploadStarted;
        /// <summary>A service of it changed its state.</summary>
        public event Action<ServiceChanged> ServiceChanged;

        /// <summary>Done when it runs; fails if it stops before that.</summary>
        public Task<NodeStarted> WhenStarted
        {
            get { return Ask(_started); }
        }

        /// <summary>Done with its last event, whatever that says.</summary>
        public Task<SessionEnded> WhenStopped
        {
            get { return Ask(_stopped); }
        }

        internal override bool IsAwaited
        {
            get { return _started.Awaited || _stopped.Awaited; }
        }

        /// <summary>
        /// Stops it: rooms are left, downloads keep what they have, peers are told goodbye. <see cref="Stopped"/> follows. Again
        /// changes nothing.
        /// </summary>
        public void Stop()
        {
            Tolerate(Native.NodeStop(Client.Handle, Handle));
        }

        /// <summary>
        /// Shares one more file or folder, or every child of a folder. Done when it is accepted; it is on offer once it is
        /// hashed.
        /// </summary>
        public Task ShareAsync(string path, bool children = false, CancellationToken token = default(CancellationToken))
        {
            return Request(token, (memory, request) =>
            {
                var text = memory.Text(path);
                var flags = children ? Native.FLAG_CHILDREN : 0;
                return Native.NodeShare(Client.Handle, Handle, text.Data, text.Length, flags, request, memory.Error);
            });
        }

        /// <summary>
        /// Connects to a peer at <c>ip:port</c>, and stays so. Done when it is accepted; <see cref="PeerUp"/> says that it is
        /// there.
        /// </summary>
        public Task AddPeerAsync(string address, CancellationToken token = default(CancellationToken))
        {
            return Request(token, (memory, request) =>
            {
                var text = memory.Text(address);
                return Native.NodeAddPeer(Client.Handle, Handle, text.Data, text.Length, request, memory.Error);
            });
        }

        /// <summary>
        /// Fetches an item from everyone who has it. <paramref name="listen"/> may add handlers, and should do nothing else.
        /// </summary>
        public Download Download(DownloadOptions options, Action<Download> listen = null)
        {
            if (options == null)
                throw new ArgumentNullException("options");
            return Client.Sessions.Begin(
                (memory, session) =>
                {
                    var wanted = options.ToNative(memory);
                    return Native.NodeDownload(Client.Handle, Handle, &wanted, session, memory.Error);
                },
                handle => new Download(this, handle), listen, false);
        }

        /// <summary>How it is.</summary>
        public NodeInfo Info()
        {
            return new NodeInfo(Snapshot(Native.NodeInfo).Single());
        }

        /// <summary>The peers that are connected.</summary>
        public IList<Peer> Peers()
        {
            return Snapshot(Native.NodePeers).Select(row => new Peer(row)).ToList();
        }

        /// <summary>What connected peers offer.</summary>
        public IList<Offer> Offers()
        {
            var offers = new List<Offer>();
            foreach (var row in Snapshot(Native.NodeOffers))
            {
                if (row.Kind == Native.RECORD_OFFER)
                    offers.Add(new Offer(row));
                else
                    offers[offers.Count - 1].Add(new Provider(row));
            }
            return offers;
        }

        /// <summary>What it shares.</summary>
        public IList<Item> Items()
        {
            return Snapshot(Native.NodeItems).Select(row => new Item(row)).ToList();
        }

        internal override bool Deliver(RawEvent e)
        {
            switch (e.Kind)
            {
                case Native.EVENT_NODE_STARTED:
                    var started = new NodeStarted(e);
                    Client.Raise(Started, started);
                    _started.Reach(started);
                    break;
                case Native.EVENT_NODE_STOPPED:
                    NoteEnd();
                    var stopped = new SessionEnded(e, 0);
                    _started.Miss(stopped);
                    Client.Raise(Stopped, stopped);
                    _stopped.Reach(stopped);
                    return true;
                case Native.EVENT_NODE_FAILED:
                    Client.Raise(Failed, new NodeFailed(e));
                    break;
                case Native.EVENT_PEER_UP:
                    Client.Raise(PeerUp, new Peer(e));
                    break;
                case Native.EVENT_PEER_DOWN:
                    Client.Raise(PeerDown, new PeerDown(e));
                    break;
                case Native.EVENT_PEER_REFUSED:
                    Client.Raise(PeerRefused, new PeerRefused(e));
                    break;
                case Native.EVENT_OFFERS_CHANGED:
                    Client.Raise(OffersChanged, this);
                    break;
                case Native.EVENT_LIBRARY_CHANGED:
                    Client.Raise(LibraryChanged, new LibraryChanged(e));
                    break;
                case Native.EVENT_UPLOAD_STARTED:
                    Client.Raise(UploadStarted, new UploadStarted(e));
                    break;
                case Native.EVENT_SERVICE:
                    Client.Raise(ServiceChanged, new ServiceChanged(e));
                    break;
            }
            return false;
        }

        internal override RawEvent LastEvent(Status status)
        {
            return new RawEvent(Native.EVENT_NODE_STOPPED, status, Handle);
        }
    }
}
