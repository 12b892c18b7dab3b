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
    /// Deliveries that are kept for a client that has not acknowledged them.
    pub replay_capacity: usize,
    /// The bytes of those deliveries.
    pub replay_bytes: usize,
    /// Ephemeral messages that wait for one socket. A newer one is dropped.
    pub ephemeral_capacity: usize,
    /// Frames that one connection may send in a second; the server reads no faster.
    pub frames_per_second: u32,
    /// Frames that it may send at once after a rest.
    pub frame_burst: u32,
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
            replay_capacity: 1_024,
            replay_bytes: 1 << 20,
            ephemeral_capacity: 64,
            frames_per_second: 2_000,
            frame_burst: 1_000,
            max_inflight: 256,
        }
    }
}
