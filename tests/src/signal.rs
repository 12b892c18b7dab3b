//! Rooms: the server and the people in them as processes, and a proxy between the two that breaks what it carries.

mod proxy;
mod server;
mod transcript;
mod user;
mod websocket;

pub use proxy::{Direction, Proxy};
pub use server::{SignalServer, mint, reserved_address};
pub use transcript::Transcript;
pub use user::RoomUser;
pub use websocket::{Message, messages};
