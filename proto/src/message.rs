//! What peers say to each other: the crate's own types around the generated ones.
//!
//! Encoding never fails; what is too long shows when the frame is made, or when the peer refuses it. Decoding checks
//! everything that the schema's comments promise, first of all the counts (see `shape`), before it allocates.

mod check;
mod error;
mod error_code;
mod hello;
mod library;
pub mod limits;
mod request;
mod response;
mod shape;

pub use error::DecodeError;
pub use error_code::{ErrorCode, PeerError};
pub use hello::{Admission, Goodbye, Hello, HelloAnswer, HelloReply, Introduce, Refusal, Welcome};
pub use library::{ItemPage, ItemSummary, LibraryDelta, LibraryDigest, Thumbnail};
pub use request::Request;
pub use response::Response;
