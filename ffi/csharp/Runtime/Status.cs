namespace Moorline
{
    /// <summary>How something went. Grouped by who can do something about it; a number never gets a second meaning.</summary>
    public enum Status
    {
        /// <summary>It worked.</summary>
        Ok = 0,

        // 1 to 99: the caller's mistake.
        /// <summary>An argument makes no sense; the error says which, and what would.</summary>
        InvalidArgument = 1,
        /// <summary>A pointer that has to lead somewhere is null.</summary>
        Null = 2,
        /// <summary>A text is not UTF-8.</summary>
        InvalidUtf8 = 3,
        /// <summary>No such handle: it is 0, made up, or of something that has been dropped.</summary>
        BadHandle = 4,
        /// <summary>The handle is of another kind of thing. That thing is unharmed.</summary>
        WrongKind = 5,
        /// <summary>The handle belongs to another client. Its thing is unharmed.</summary>
        WrongClient = 6,
        /// <summary>The caller was made for another version of this interface.</summary>
        Abi = 7,
        /// <summary><c>struct_size</c> is that of no version of this struct.</summary>
        StructSize = 8,
        /// <summary>The call would wait for itself: a callback cannot wait for its own end.</summary>
        WouldDeadlock = 9,
        /// <summary>Events are taken by somebody else: by a callback, or by another thread that disposes of the client.</summary>
        Busy = 10,

        // 100 to 199: the state of things.
        /// <summary>
        /// This process is a fork of the one that initialised the library. Nothing was touched; <c>moorline_init</c> starts
        /// afresh.
        /// </summary>
        Forked = 100,
        /// <summary><c>moorline_init</c> was not called in this process.</summary>
        NotInitialized = 101,
        /// <summary>The client is being disposed of.</summary>
        Disposed = 102,
        /// <summary>Called off: by a cancellation, because what it belongs to ended, or because of a panic there.</summary>
        Cancelled = 103,
        /// <summary>Not done in time.</summary>
        Timeout = 104,
        /// <summary>The session has ended.</summary>
        Closed = 105,
        /// <summary>The session was not declared ready in time.</summary>
        ReadyTimeout = 106,
        /// <summary>The node was started without a library.</summary>
        NoLibrary = 107,

        // 200 to 299: bounds.
        /// <summary>As many as are allowed exist already.</summary>
        TooMany = 200,
        /// <summary>Longer than is allowed.</summary>
        TooLarge = 201,
        /// <summary>The queue is full; it was not sent.</summary>
        Overflow = 202,

        // 300 to 399: peers.
        /// <summary>Nobody offers the item.</summary>
        UnknownItem = 300,
        /// <summary>The last peer that had it left.</summary>
        PeersGone = 301,
        /// <summary>The item itself is malformed.</summary>
        BadItem = 302,
        /// <summary>The same item is being fetched into the same folder already.</summary>
        Already = 303,
        /// <summary>Passphrase or allow list stood in the way.</summary>
        Access = 304,

        // 400 to 499: rooms.
        /// <summary>The server did not take the token.</summary>
        Auth = 400,
        /// <summary>The server cannot be reached, or not any more.</summary>
        Unreachable = 401,
        /// <summary>The server ended the session, or removed this participant.</summary>
        SessionEnded = 402,
        /// <summary>The same identity joined from elsewhere.</summary>
        Replaced = 403,
        /// <summary>Client and server do not understand each other.</summary>
        Protocol = 404,
        /// <summary>The server refused it; it was not applied.</summary>
        Rejected = 405,
        /// <summary>There was no connection, and it was not to wait for one.</summary>
        Dropped = 406,
        /// <summary>A newer value of the same key took its place.</summary>
        Superseded = 407,
        /// <summary>It waited for a connection longer than it was to.</summary>
        Expired = 408,
        /// <summary>It was sent, and what became of it is not known.</summary>
        UnknownOutcome = 409,
        /// <summary>The participant called has no such method.</summary>
        NoSuchMethod = 410,
        /// <summary>No such participant is in the room.</summary>
        NoSuchParticipant = 411,
        /// <summary>The participant called has too much to answer.</summary>
        PeerBusy = 412,
        /// <summary>The handler of the participant called failed.</summary>
        CallFailed = 413,

        // 500 to 599: this machine.
        /// <summary>The operating system refused something.</summary>
        Io = 500,
        /// <summary>The disk is too full.</summary>
        NoSpace = 501,
        /// <summary>Something else is where the item should go.</summary>
        Exists = 502,
        /// <summary>The address cannot be listened on.</summary>
        Bind = 503,

        // 900 and above: defects of this library.
        /// <summary>A panic, contained. Please report it.</summary>
        Panic = 900,
        /// <summary>Something that must not be. Please report it.</summary>
        Internal = 901,
    }
}
