use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline_signaling::SourceError;
use moorline_signaling::client::TokenSource;
use moorline_signaling::server::token::{AccessToken, Secret};

use super::{Happened, Place};

/// What all room servers that ask for tokens sign them with.
pub(crate) fn secret() -> Secret {
    Secret::new(b"known to all servers of a simulation").expect("it is long enough")
}

/// How a user gets tokens: from somebody whose clock is right.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// How long each is good for. The time at which it ends is cut to whole seconds.
    pub ttl: Duration,
    /// Whether another one is to be had. Otherwise there is one for each life of the host.
    pub renews: bool,
}

/// The tokens of one life of a user.
pub(super) fn source(place: Place, room: String, tokens: Tokens) -> impl TokenSource {
    let given = Arc::new(AtomicU64::new(0));
    let expires = place.net.clock().wall() + tokens.ttl;
    move |force: bool| {
        let number = given.fetch_add(1, Ordering::Relaxed) + 1;
        let token = if tokens.renews {
            let expires = place.net.clock().wall() + tokens.ttl;
            Ok(AccessToken::new(&*place.name, &room, expires).sign(&secret()))
        } else if force {
            Err(SourceError::fatal("there is no other token"))
        } else {
            Ok(AccessToken::new(&*place.name, &room, expires).sign(&secret()))
        };
        if token.is_ok() {
            place.happened(Happened::TokenGiven { number });
        }
        std::future::ready(token)
    }
}
