/// How much a server takes before it says no. Every queue and table of the server has its bound here.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections, whatever they are up to. One more is answered with HTTP status 503.
    pub max_connections: usize,
    /// Connections that are not in a room yet. One more is answered with HTTP status 503.
    pub max_pending: usize,
    /// Sessions on this node, those that wait for their client's return included.
    pub max_sessions: usize,
    /// Rooms with somebody in them.
    pub max_rooms: usize,
    /// Participants of one room.
    pub max_participants: usize,
    /// Bytes of everything that a newcomer to a room is told. Must leave space in a frame of 4 MiB for the rest of the Welcome.
    pub room_state_bytes: usize,
    /// Deliveries that are kept for a client that has not acknowledged them. A client that keeps up has as many as come in during one
    /// round trip: with two that publish as fast as they may and 0.5 s, that is 2 x (`frame_burst` + 0.5 x `frames_per_second`),
    /// 4,000 by default. Twice as many are kept.
    pub replay_capacity: usize,
    /// The bytes of those deliveries. In the same case 2 x (`byte_burst` + 0.5 x `bytes_per_second`) come in, 3 MiB by default.
    /// What a client missed has to reach it within the 5 s that it gives a replay, so more is not always better.
    pub replay_bytes: usize,
    /// Bytes of all rooms' state and of all logs together, each delivery counted once however many logs hold it. When they are spent,
    /// newcomers are sent to another node, state does not grow, ephemeral messages are dropped, and of what a client does not
    /// acknowledge no more than 63 deliveries and 16 KiB are kept: it has to join anew if there is more. That much for each session is
    /// what can come on top of this bound.
    pub total_bytes: usize,
    /// Ephemeral messages that wait for one socket. A newer one is dropped.
    pub ephemeral_capacity: usize,
    /// Frames that one connection may send in a second; the server reads no faster.
    pub frames_per_second: u32,
    /// Frames that it may send at once after a rest.
    pub frame_burst: u32,
    /// Bytes that one connection may send in a second; the server reads no faster. Without this bound two who publish could fill the log
    /// of one who reads.
    pub bytes_per_second: u32,
    /// Bytes that it may send at once after a rest.
    pub byte_burst: u32,
    /// Calls of one participant that wait for an answer.
    pub open_calls: usize,
    /// Reliable frames that a client may have without acknowledgement; it is told, and the sequence is what holds it to it.
    pub max_inflight: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_pending: 4_096,
            max_sessions: 20_000,
            max_rooms: 10_000,
            max_participants: 1_000,
            room_state_bytes: 3 << 20,
            replay_capacity: 8_192,
            replay_bytes: 4 << 20,
            total_bytes: 1 << 30,
            ephemeral_capacity: 64,
            frames_per_second: 2_000,
            frame_burst: 1_000,
            bytes_per_second: 2 << 20,
            byte_burst: 512 << 10,
            open_calls: 1_024,
            max_inflight: 256,
        }
    }
}
