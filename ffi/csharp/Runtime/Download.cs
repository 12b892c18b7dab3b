using System;
using System.Linq;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>An item on its way to this disk.</summary>
    public sealed unsafe class Download : Session
    {
        private readonly Milestone<DownloadEnded> _finished = new Milestone<DownloadEnded>();

        internal Download(Node node, ulong handle) : base(node.Client, handle)
        {
            Node = node;
        }

        /// <summary>What is on this disk already is compared with the item.</summary>
        public event Action<DownloadChecking> Checking;
        /// <summary>Fetching begins.</summary>
        public event Action<DownloadPlanned> Planned;
        /// <summary>How far it is.</summary>
        public event Action<DownloadProgress> Progress;
        /// <summary>A peer is no longer fetched from.</summary>
        public event Action<SourceDropped> SourceDropped;
        /// <summary>The last peer that has it left; the download waits for another.</summary>
        public event Action<Download> Alone;
        /// <summary>Its last event.</summary>
        public event Action<DownloadEnded> Ended;

        /// <summary>The node that fetches it.</summary>
        public Node Node { get; private set; }

        /// <summary>Done when the item is in its place, whole and verified; cancelled or failed if it will not be.</summary>
        public Task<DownloadEnded> WhenFinished
        {
            get { return Ask(_finished); }
        }

        internal override bool IsAwaited
        {
            get { return _finished.Awaited; }
        }

        /// <summary>Calls it off. What was fetched is kept for the next time. Again changes nothing.</summary>
        public void Cancel()
        {
            Tolerate(Native.Cancel(Client.Handle, Handle));
        }

        /// <summary>How far it is.</summary>
        public DownloadProgress Info()
        {
            return new DownloadProgress(Snapshot(Native.DownloadInfo).Single());
        }

        internal override bool Deliver(RawEvent e)
        {
            switch (e.Kind)
            {
                case Native.EVENT_DOWNLOAD_CHECKING:
                    Client.Raise(Checking, new DownloadChecking(e));
                    break;
                case Native.EVENT_DOWNLOAD_PLANNED:
                    Client.Raise(Planned, new DownloadPlanned(e));
                    break;
                case Native.EVENT_DOWNLOAD_PROGRESS:
                    Client.Raise(Progress, new DownloadProgress(e));
                    break;
                case Native.EVENT_DOWNLOAD_SOURCE_DROPPED:
                    Client.Raise(SourceDropped, new SourceDropped(e));
                    break;
                case Native.EVENT_DOWNLOAD_ALONE:
                    Client.Raise(Alone, this);
                    break;
                case Native.EVENT_DOWNLOAD_ENDED:
                    NoteEnd();
                    var ended = new DownloadEnded(e);
                    Client.Raise(Ended, ended);
                    if (ended.Status == Status.Ok)
                        _finished.Reach(ended);
                    else
                        _finished.Miss(ended);
                    return true;
            }
            return false;
        }

        internal override RawEvent LastEvent(Status status)
        {
            return new RawEvent(Native.EVENT_DOWNLOAD_ENDED, status, Handle);
        }
    }
}
