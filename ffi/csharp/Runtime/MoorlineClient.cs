using System;
using System.Threading;
using System.Threading.Tasks;

namespace Moorline
{
    /// <summary>
    /// The way to Moorline: threads for the network, and a queue of events that <see cref="DispatchEvents"/> tells on the
    /// thread that calls it. Everything else may be called from any thread. Several clients do not notice one another.
    /// </summary>
    public sealed partial class MoorlineClient : IDisposable
    {
        /// <summary>Makes a client.</summary>
        public unsafe MoorlineClient(ClientOptions options = null)
        {
            using (var memory = new Borrowed())
            {
                var native = (options ?? new ClientOptions()).ToNative();
                ulong handle;
                memory.Check(Native.Init(&native, &handle, memory.Error));
                Handle = handle;
            }
            Requests = new Requests(Handle);
            Sessions = new Sessions(Handle);
        }

        /// <summary>The last event: nothing follows.</summary>
        public event Action<ClientClosed> Closed;
        /// <summary>Events were dropped because nobody dispatched them in time.</summary>
        public event Action<Lagged> Lagged;
        /// <summary>
        /// A defect of the library was contained. Its order is fixed: first the requests of its scope end as cancelled, then
        /// this is raised, then the sessions of its scope end.
        /// </summary>
        public event Action<Panicked> Panicked;
        /// <summary>A line of the log, as far as <see cref="ClientOptions.LogLevel"/> asks for it.</summary>
        public event Action<LogLine> Log;
        /// <summary>
        /// An event handler threw. The other handlers, and the events after it, are told nevertheless. If nobody listens here,
        /// <see cref="DispatchEvents"/> throws an <see cref="AggregateException"/> when it has told everything else.
        /// </summary>
        public event Action<Exception> HandlerFailed;

        /// <summary>
        /// Starts a node. Its tasks and events say whether it runs. Without <paramref name="listen"/> its events wait until
        /// they are dispatched the next time after this, so that handlers can be added at leisure on the thread that
        /// dispatches; on another one add them in <paramref name="listen"/>, which should do nothing else.
        /// </summary>
        public unsafe Node StartNode(NodeOptions options, Action<Node> listen = null)
        {
            if (options == null)
                throw new ArgumentNullException("options");
            return Sessions.Begin(
                (memory, session) =>
                {
                    var native = options.ToNative(memory);
                    return Native.NodeStart(Handle, &native, session, memory.Error);
                },
                handle => new Node(this, handle), listen, true);
        }

        /// <summary>
        /// Joins a room, with a node, which then meets the nodes in the room, or without one. Its tasks and events say whether
        /// it succeeds; leaving or disposing of it calls it off. For <paramref name="listen"/> see <see cref="StartNode"/>.
        /// </summary>
        public unsafe Room JoinRoom(RoomOptions options, Node node = null, Action<Room> listen = null)
        {
            if (options == null)
                throw new ArgumentNullException("options");
            return Sessions.Begin(
                (memory, session) =>
                {
                    var native = options.ToNative(memory);
                    return Native.RoomJoin(Handle, node == null ? 0 : node.Handle, &native, session, memory.Error);
                },
                handle => new Room(this, node, handle), listen, true);
        }

        /// <summary>Joins a room, and calls that off when the token is cancelled.</summary>
        public async Task<Room> JoinRoomAsync(
            RoomOptions options, Node node = null, Action<Room> listen = null, CancellationToken token = default(CancellationToken))
        {
            token.ThrowIfCancellationRequested();
            var room = JoinRoom(options, node, listen);
            try
            {
                using (token.Register(room.Dispose))
                    await room.WhenJoined;
                return room;
            }
            catch
            {
                room.Dispose();
                token.ThrowIfCancellationRequested();
                throw;
            }
        }

        internal ulong Handle { get; private set; }
        internal Requests Requests { get; private set; }
        internal Sessions Sessions { get; private set; }
    }
}
