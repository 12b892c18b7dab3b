//! The codes that WebSocket connections are closed with. The band says what the client is to do next.
//!
//! | code | band | after |
//! | --- | --- | --- |
//! | 4000 | final | a frame that is none, or makes no sense |
//! | 4001 | final | no common version of the protocol |
//! | 4002 | final | the session ended: a leave, or a token that ran out |
//! | 4003 | final | a token for something else |
//! | 4004 | final | the same identity joined anew |
//! | 4100 | retry | too many arrivals |
//! | 4101 | retry | a token that has expired, or is not good |
//! | 4102 | retry | no Hello in time |
//! | 4103 | retry | a room that is full |
//! | 4200 | rejoin | frames of the client are missing |
//! | 4201 | rejoin | a newer connection took over |
//! | 4203 | rejoin | the client does not read |
//! | 4300 | move | the end of a drain |
//! | 4301 | move | the server stops |
//! | 4302 | move | the node is full |

/// A frame that is none, or makes no sense.
pub const PROTOCOL: u16 = 4000;
/// No common version of the protocol.
pub const VERSION: u16 = 4001;
/// The session ended.
pub const SESSION_ENDED: u16 = 4002;
/// A token for something else.
pub const FORBIDDEN: u16 = 4003;
/// The same identity joined anew.
pub const REPLACED: u16 = 4004;
/// Too many arrivals.
pub const RATE_LIMITED: u16 = 4100;
/// A token that has expired, or is not good.
pub const TOKEN: u16 = 4101;
/// No Hello in time.
pub const TIMED_OUT: u16 = 4102;
/// A room that is full.
pub const ROOM_FULL: u16 = 4103;
/// Frames of the client are missing.
pub const OUT_OF_STEP: u16 = 4200;
/// A newer connection took over.
pub const FENCED: u16 = 4201;
/// The client does not read.
pub const SLOW_CONSUMER: u16 = 4203;
/// The end of a drain.
pub const DRAINED: u16 = 4300;
/// The server stops.
pub const STOPPING: u16 = 4301;
/// The node is full.
pub const NODE_FULL: u16 = 4302;
