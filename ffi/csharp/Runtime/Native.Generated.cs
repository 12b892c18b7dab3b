// The C interface as C# sees it. Generated from ffi/src by `cargo xtask codegen`: change that, and not this file.
// Names are those of moorline.h without the prefix. What each thing means is said there.

using System.Runtime.InteropServices;

namespace Moorline
{
    internal static unsafe partial class Native
    {
#if UNITY_IOS && !UNITY_EDITOR
        const string Library = "__Internal";
#else
        const string Library = "moorline";
#endif

        internal const int OK = 0;
        internal const int E_INVALID_ARGUMENT = 1;
        internal const int E_NULL = 2;
        internal const int E_INVALID_UTF8 = 3;
        internal const int E_BAD_HANDLE = 4;
        internal const int E_WRONG_KIND = 5;
        internal const int E_WRONG_CLIENT = 6;
        internal const int E_ABI = 7;
        internal const int E_STRUCT_SIZE = 8;
        internal const int E_WOULD_DEADLOCK = 9;
        internal const int E_BUSY = 10;
        internal const int E_FORKED = 100;
        internal const int E_NOT_INITIALIZED = 101;
        internal const int E_DISPOSED = 102;
        internal const int E_CANCELLED = 103;
        internal const int E_TIMEOUT = 104;
        internal const int E_CLOSED = 105;
        internal const int E_READY_TIMEOUT = 106;
        internal const int E_NO_LIBRARY = 107;
        internal const int E_TOO_MANY = 200;
        internal const int E_TOO_LARGE = 201;
        internal const int E_OVERFLOW = 202;
        internal const int E_UNKNOWN_ITEM = 300;
        internal const int E_PEERS_GONE = 301;
        internal const int E_BAD_ITEM = 302;
        internal const int E_ALREADY = 303;
        internal const int E_ACCESS = 304;
        internal const int E_AUTH = 400;
        internal const int E_UNREACHABLE = 401;
        internal const int E_SESSION_ENDED = 402;
        internal const int E_REPLACED = 403;
        internal const int E_PROTOCOL = 404;
        internal const int E_REJECTED = 405;
        internal const int E_DROPPED = 406;
        internal const int E_SUPERSEDED = 407;
        internal const int E_EXPIRED = 408;
        internal const int E_UNKNOWN_OUTCOME = 409;
        internal const int E_NO_SUCH_METHOD = 410;
        internal const int E_NO_SUCH_PARTICIPANT = 411;
        internal const int E_PEER_BUSY = 412;
        internal const int E_CALL_FAILED = 413;
        internal const int E_IO = 500;
        internal const int E_NO_SPACE = 501;
        internal const int E_EXISTS = 502;
        internal const int E_BIND = 503;
        internal const int E_PANIC = 900;
        internal const int E_INTERNAL = 901;
        internal const uint ABI_VERSION = 65536;
        internal const int NUMBERS = 6;
        internal const int SPANS = 5;
        internal const uint FOREVER = 4294967295;
        internal const uint KIND_CLIENT = 1;
        internal const uint KIND_NODE = 2;
        internal const uint KIND_ROOM = 3;
        internal const uint KIND_DOWNLOAD = 4;
        internal const uint KIND_REQUEST = 5;
        internal const uint KIND_CALL = 6;
        internal const uint EVENT_CLIENT_CLOSED = 1;
        internal const uint EVENT_LAGGED = 2;
        internal const uint EVENT_PANIC = 3;
        internal const uint EVENT_LOG = 4;
        internal const uint EVENT_REQUEST_DONE = 5;
        internal const uint EVENT_NODE_STARTED = 20;
        internal const uint EVENT_NODE_STOPPED = 21;
        internal const uint EVENT_NODE_FAILED = 22;
        internal const uint EVENT_PEER_UP = 23;
        internal const uint EVENT_PEER_DOWN = 24;
        internal const uint EVENT_PEER_REFUSED = 25;
        internal const uint EVENT_OFFERS_CHANGED = 26;
        internal const uint EVENT_LIBRARY_CHANGED = 27;
        internal const uint EVENT_UPLOAD_STARTED = 28;
        internal const uint EVENT_SERVICE = 29;
        internal const uint EVENT_DOWNLOAD_CHECKING = 40;
        internal const uint EVENT_DOWNLOAD_PLANNED = 41;
        internal const uint EVENT_DOWNLOAD_PROGRESS = 42;
        internal const uint EVENT_DOWNLOAD_SOURCE_DROPPED = 43;
        internal const uint EVENT_DOWNLOAD_ALONE = 44;
        internal const uint EVENT_DOWNLOAD_ENDED = 45;
        internal const uint EVENT_ROOM_JOINED = 60;
        internal const uint EVENT_ROOM_STATE = 61;
        internal const uint EVENT_ROOM_CONNECTION_LOST = 62;
        internal const uint EVENT_ROOM_RECOVERED = 63;
        internal const uint EVENT_ROOM_RESYNC = 64;
        internal const uint EVENT_ROOM_MESSAGE = 65;
        internal const uint EVENT_ROOM_PARTICIPANT_JOINED = 66;
        internal const uint EVENT_ROOM_PARTICIPANT_UPDATED = 67;
        internal const uint EVENT_ROOM_PARTICIPANT_LEFT = 68;
        internal const uint EVENT_ROOM_VALUE = 69;
        internal const uint EVENT_ROOM_CALL = 70;
        internal const uint EVENT_ROOM_DISCONNECTED = 71;
        internal const uint RECORD_NODE = 100;
        internal const uint RECORD_PEER = 101;
        internal const uint RECORD_OFFER = 102;
        internal const uint RECORD_PROVIDER = 103;
        internal const uint RECORD_ITEM = 104;
        internal const uint RECORD_DOWNLOAD = 105;
        internal const uint RECORD_ROOM = 106;
        internal const uint RECORD_PARTICIPANT = 107;
        internal const uint RECORD_ATTRIBUTE = 108;
        internal const uint RECORD_VALUE = 109;
        internal const uint FLAG_READY = 1;
        internal const uint FLAG_CHILDREN = 2;
        internal const uint FLAG_NO_MULTICAST = 4;
        internal const uint FLAG_LIBRARY = 8;
        internal const uint FLAG_END_WHEN_ALONE = 16;
        internal const uint FLAG_SHARE = 32;
        internal const uint FLAG_NO_MEETING = 64;
        internal const uint SEND_RELIABLE = 0;
        internal const uint SEND_LATEST = 1;
        internal const uint SEND_EPHEMERAL = 2;
        internal const uint REJECT_FAILED = 0;
        internal const uint REJECT_NO_SUCH_METHOD = 1;
        internal const uint REJECT_BUSY = 2;
        internal const uint HINT_OFFLINE = 0;
        internal const uint HINT_ONLINE = 1;
        internal const uint HINT_PATH_CHANGED = 2;
        internal const uint HINT_RETRY_NOW = 3;

        /// <summary>A status as a word.</summary>
        internal static string StatusName(int status)
        {
            switch (status)
            {
                case OK: return "ok";
                case E_INVALID_ARGUMENT: return "invalid_argument";
                case E_NULL: return "null";
                case E_INVALID_UTF8: return "invalid_utf8";
                case E_BAD_HANDLE: return "bad_handle";
                case E_WRONG_KIND: return "wrong_kind";
                case E_WRONG_CLIENT: return "wrong_client";
                case E_ABI: return "abi";
                case E_STRUCT_SIZE: return "struct_size";
                case E_WOULD_DEADLOCK: return "would_deadlock";
                case E_BUSY: return "busy";
                case E_FORKED: return "forked";
                case E_NOT_INITIALIZED: return "not_initialized";
                case E_DISPOSED: return "disposed";
                case E_CANCELLED: return "cancelled";
                case E_TIMEOUT: return "timeout";
                case E_CLOSED: return "closed";
                case E_READY_TIMEOUT: return "ready_timeout";
                case E_NO_LIBRARY: return "no_library";
                case E_TOO_MANY: return "too_many";
                case E_TOO_LARGE: return "too_large";
                case E_OVERFLOW: return "overflow";
                case E_UNKNOWN_ITEM: return "unknown_item";
                case E_PEERS_GONE: return "peers_gone";
                case E_BAD_ITEM: return "bad_item";
                case E_ALREADY: return "already";
                case E_ACCESS: return "access";
                case E_AUTH: return "auth";
                case E_UNREACHABLE: return "unreachable";
                case E_SESSION_ENDED: return "session_ended";
                case E_REPLACED: return "replaced";
                case E_PROTOCOL: return "protocol";
                case E_REJECTED: return "rejected";
                case E_DROPPED: return "dropped";
                case E_SUPERSEDED: return "superseded";
                case E_EXPIRED: return "expired";
                case E_UNKNOWN_OUTCOME: return "unknown_outcome";
                case E_NO_SUCH_METHOD: return "no_such_method";
                case E_NO_SUCH_PARTICIPANT: return "no_such_participant";
                case E_PEER_BUSY: return "peer_busy";
                case E_CALL_FAILED: return "call_failed";
                case E_IO: return "io";
                case E_NO_SPACE: return "no_space";
                case E_EXISTS: return "exists";
                case E_BIND: return "bind";
                case E_PANIC: return "panic";
                case E_INTERNAL: return "internal";
                default: return "unknown";
            }
        }

        /// <summary>Bytes that somebody else owns. UTF-8 where text is meant, not terminated. `data` may be null if `length` is 0.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct Span
        {
            internal byte* Data;
            internal ulong Length;
        }

        /// <summary>Something that happened, or one row of a snapshot. Which `numbers` and `spans` mean what stands with each `MOORLINE_EVENT_...`.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct Event
        {
            internal uint Kind;
            internal int Status;
            internal ulong Handle;
            internal ulong Request;
            internal ulong Sequence;
            internal fixed ulong Numbers[6];
            internal Span Spans0, Spans1, Spans2, Spans3, Spans4;
        }

        /// <summary>Where a function says what was wrong. Set `struct_size`; the rest is written only if the function fails.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct Error
        {
            internal uint StructSize;
            internal int Status;
            internal uint Length;
            internal uint Reserved;
            internal fixed byte Message[496];
        }

        /// <summary>How a client is made. Zero in any field but the first two means the default.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct InitOptions
        {
            internal uint StructSize;
            internal uint AbiVersion;
            internal uint Threads;
            internal uint EventCapacity;
            internal uint RequestCapacity;
            internal uint LogLevel;
        }

        /// <summary>How a node is made. Empty spans and zeros mean the default.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct NodeOptions
        {
            internal uint StructSize;
            internal uint Flags;
            internal Span Listen;
            internal Span Name;
            internal Span Identity;
            internal Span Cache;
            internal Span Passphrase;
            internal Span* Share;
            internal Span* Allow;
            internal Span* Peers;
            internal uint ShareCount;
            internal uint AllowCount;
            internal uint PeerCount;
            internal uint ShutdownDeadlineMs;
            internal uint ReadyTimeoutMs;
            internal uint Reserved;
        }

        /// <summary>What to fetch. Empty spans and zeros mean the default.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct DownloadOptions
        {
            internal uint StructSize;
            internal uint Flags;
            internal Span Item;
            internal Span Into;
            internal Span Name;
            internal Span From;
            internal uint WaitMs;
            internal uint Reserved;
        }

        /// <summary>Which room to join. Empty spans and zeros mean the default.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct RoomOptions
        {
            internal uint StructSize;
            internal uint Flags;
            internal Span Url;
            internal Span Room;
            internal Span Token;
            internal Span Name;
            internal Span Identity;
            internal Span Metadata;
            internal uint DeadlineMs;
            internal uint ReadyTimeoutMs;
        }

        /// <summary>How a message is sent. Null where it is asked for: reliable, to everyone else.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct SendOptions
        {
            internal uint StructSize;
            internal uint Delivery;
            internal Span Topic;
            internal ulong* To;
            internal uint ToCount;
            internal uint TtlMs;
        }

        /// <summary>What a participant says of itself from now on. A span whose `data` is null leaves things as they are.</summary>
        [StructLayout(LayoutKind.Sequential)]
        internal struct UpdateOptions
        {
            internal uint StructSize;
            internal uint AttributeCount;
            internal Span Name;
            internal Span Metadata;
            internal Span* Keys;
            internal Span* Values;
        }

        /// <summary>Takes events, in order, from one thread of the client, which may call every function but `moorline_dispose` and
        /// `moorline_events_callback`. The events are valid until it returns. It must not throw: what it throws is contained where that is
        /// possible, and counts as a panic of the client.</summary>
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void EventCallback(void* userData, Event* events, uint count);

        [DllImport(Library, EntryPoint = "moorline_abi_version", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int AbiVersion(uint* version);

        [DllImport(Library, EntryPoint = "moorline_version", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Version(Span* text);

        [DllImport(Library, EntryPoint = "moorline_status_name", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int StatusName(int status, Span* text);

        [DllImport(Library, EntryPoint = "moorline_init", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Init(InitOptions* init, ulong* client, Error* error);

        [DllImport(Library, EntryPoint = "moorline_dispose", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Dispose(ulong client, uint deadlineMs, Event** events, uint* count, Error* error);

        [DllImport(Library, EntryPoint = "moorline_free", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Free(void* memory);

        [DllImport(Library, EntryPoint = "moorline_kind", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Kind(ulong client, ulong handle, uint* kind);

        [DllImport(Library, EntryPoint = "moorline_drop", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Drop(ulong client, ulong handle);

        [DllImport(Library, EntryPoint = "moorline_cancel", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Cancel(ulong client, ulong handle);

        [DllImport(Library, EntryPoint = "moorline_ready", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int Ready(ulong client, ulong session);

        [DllImport(Library, EntryPoint = "moorline_events_poll", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int EventsPoll(ulong client, uint capacity, uint timeoutMs, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_events_fd", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int EventsFd(ulong client, int* descriptor);

        [DllImport(Library, EntryPoint = "moorline_events_callback", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int EventsCallback(ulong client, EventCallback callback, void* userData);

        [DllImport(Library, EntryPoint = "moorline_node_start", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeStart(ulong client, NodeOptions* settings, ulong* node, Error* error);

        [DllImport(Library, EntryPoint = "moorline_node_stop", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeStop(ulong client, ulong node);

        [DllImport(Library, EntryPoint = "moorline_node_info", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeInfo(ulong client, ulong node, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_node_peers", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodePeers(ulong client, ulong node, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_node_offers", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeOffers(ulong client, ulong node, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_node_items", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeItems(ulong client, ulong node, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_node_share", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeShare(ulong client, ulong node, byte* path, ulong pathLength, uint flags, ulong* request, Error* error);

        [DllImport(Library, EntryPoint = "moorline_node_add_peer", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeAddPeer(ulong client, ulong node, byte* address, ulong addressLength, ulong* request, Error* error);

        [DllImport(Library, EntryPoint = "moorline_node_download", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int NodeDownload(ulong client, ulong node, DownloadOptions* wanted, ulong* download, Error* error);

        [DllImport(Library, EntryPoint = "moorline_download_info", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int DownloadInfo(ulong client, ulong download, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_room_join", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomJoin(ulong client, ulong node, RoomOptions* settings, ulong* room, Error* error);

        [DllImport(Library, EntryPoint = "moorline_room_leave", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomLeave(ulong client, ulong room);

        [DllImport(Library, EntryPoint = "moorline_room_info", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomInfo(ulong client, ulong room, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_room_participants", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomParticipants(ulong client, ulong room, Event** events, uint* count);

        [DllImport(Library, EntryPoint = "moorline_room_send", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomSend(ulong client, ulong room, SendOptions* settings, byte* payload, ulong payloadLength, ulong* request, Error* error);

        [DllImport(Library, EntryPoint = "moorline_room_call", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomCall(ulong client, ulong room, ulong participant, byte* method, ulong methodLength, byte* payload, ulong payloadLength, uint timeoutMs, ulong* request, Error* error);

        [DllImport(Library, EntryPoint = "moorline_room_update", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomUpdate(ulong client, ulong room, UpdateOptions* update, ulong* request, Error* error);

        [DllImport(Library, EntryPoint = "moorline_room_hint", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int RoomHint(ulong client, ulong room, uint advice);

        [DllImport(Library, EntryPoint = "moorline_call_reply", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int CallReply(ulong client, ulong call, byte* payload, ulong payloadLength, Error* error);

        [DllImport(Library, EntryPoint = "moorline_call_reject", CallingConvention = CallingConvention.Cdecl)]
        internal static extern int CallReject(ulong client, ulong call, uint reason, byte* message, ulong messageLength, Error* error);
    }
}
