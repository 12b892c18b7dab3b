//! Access tokens at the door and during a session.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moorline_signaling::Grants;
use moorline_signaling::server::token::{AccessToken, Secret};
use tokio::time::Instant;

use crate::raw::*;

fn secret() -> Secret {
    Secret::new(&[1; 32]).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A server with a secret, on which it is 1,000 seconds past 1970 now, and later as tokio's time passes.
fn guarded() -> World {
    let start = Instant::now();
    let wall_clock = Arc::new(move || at(1_000) + start.elapsed());
    World::new(ServerConfig { secret: Some(secret()), wall_clock, ..config() })
}

fn with_token(token: &AccessToken) -> Who {
    Who { token: token.sign(&secret()), identity: "ignored".into(), ..who(&token.identity) }
}

fn ann(expires: u64) -> AccessToken {
    AccessToken::new("ann", "lobby", at(expires))
}

#[tokio::test(start_paused = true)]
async fn a_token_says_who_and_what() {
    let world = guarded();
    let mut token = ann(2_000);
    token.grants = Grants { publish: false, call: true, update_self: false };
    token.name = "Ann".into();
    let (mut raw, welcome) = world.join(&Who { room: String::new(), ..with_token(&token) }).await;
    assert_eq!(identities(&welcome), ["ann"]);
    assert_eq!(welcome.snapshot.unwrap().participants[0].name, "Ann");
    assert_eq!(welcome.grants, Some(pb::Grants { publish: false, call: true, update_self: false }));
    assert_eq!(welcome.token_ttl_ms, 1_000_000);
    raw.publish(1, "x").await;
    raw.send(2, 0, state("k", 1, b"x")).await;
    raw.send(3, 0, To::ParticipantUpdate(pb::ParticipantUpdate::default())).await;
    for seq in 1..=3 {
        let (_, Event::Rejected(rejected)) = raw.delivery().await else { panic!() };
        assert_eq!((rejected.client_seq, rejected.code()), (seq, pb::RejectCode::NotAllowed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_good_is_told_from_one_that_was() {
    let world = guarded();
    let forged = Who { token: ann(2_000).sign(&Secret::new(&[2; 32]).unwrap()), ..who("ann") };
    for (who, code, action, close) in [
        (with_token(&ann(999)), pb::FaultCode::TokenExpired, pb::FaultAction::Retry, 4101),
        (forged, pb::FaultCode::TokenRejected, pb::FaultAction::Retry, 4101),
        (who("ann"), pb::FaultCode::TokenRejected, pb::FaultAction::Retry, 4101),
        (Who { room: "attic".into(), ..with_token(&ann(2_000)) }, pb::FaultCode::Forbidden, pb::FaultAction::End, 4003),
    ] {
        let mut raw = world.socket().await;
        raw.send(0, 0, To::Hello(who.hello())).await;
        let (fault, closed) = raw.fault().await;
        assert_eq!((fault.code(), fault.action(), closed), (code, action, close));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_token() {
    let world = guarded();
    let (mut raw, welcome) = world.join(&with_token(&ann(1_010))).await;
    assert_eq!(welcome.token_ttl_ms, 10_000);
    let before = Instant::now();
    let mut warned = None;
    loop {
        match raw.body().await {
            From::Ping(_) => raw.send(0, 0, To::Pong(pb::Pong::default())).await,
            From::TokenExpiring(expiring) => {
                assert_eq!(expiring.in_ms, 2_000);
                warned = Some(before.elapsed().as_secs());
            }
            From::SessionEnded(end) => {
                assert_eq!(end.reason(), pb::EndReason::TokenRanOut);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((warned, before.elapsed().as_secs()), (Some(8), 10));
    assert_eq!(raw.closed().await, 4002);
    assert_eq!(world.server.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_lets_a_session_go_on() {
    let world = guarded();
    let (mut raw, _) = world.join(&with_token(&ann(1_010))).await;
    let mut fresh = ann(1_100);
    fresh.grants.publish = false;
    raw.send(0, 0, To::TokenUpdate(pb::TokenUpdate { auth_token: fresh.sign(&secret()) })).await;
    raw.idle(Duration::from_secs(30)).await;
    raw.publish(1, "x").await;
    assert!(matches!(raw.delivery().await, (1, Event::Rejected(_))), "and what it allows counts");
    let other = AccessToken::new("bob", "lobby", at(1_100)).sign(&secret());
    raw.send(0, 0, To::TokenUpdate(pb::TokenUpdate { auth_token: other })).await;
    let (fault, code) = raw.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::Forbidden, pb::FaultAction::End, 4003));
}

#[tokio::test(start_paused = true)]
async fn a_second_hello_shows_its_own_token() {
    let world = guarded();
    let good = with_token(&ann(2_000));
    let mut raw = world.rejected(&good).await;
    raw.send(0, 0, To::Hello(with_token(&ann(999)).recover(pb::Plan::Rejoin, &forgotten()))).await;
    let (fault, code) = raw.fault().await;
    assert_eq!((fault.code(), code), (pb::FaultCode::TokenExpired, 4101), "what the first one showed does not count");
    let mut raw = world.rejected(&good).await;
    raw.enter(good.recover(pb::Plan::Rejoin, &forgotten())).await;
}

/// How a participant with this token begins that says it is a moderator.
async fn begins(token: &AccessToken) -> pb::Participant {
    let world = guarded();
    let mut hello = with_token(token).hello();
    let info = hello.client_info.as_mut().unwrap();
    info.name = "Mallory".into();
    info.metadata = "mine".into();
    info.attributes.insert("moderator".into(), "yes".into());
    let mut raw = world.socket().await;
    raw.enter(hello).await.snapshot.unwrap().participants.remove(0)
}

#[tokio::test(start_paused = true)]
async fn what_a_token_says_of_its_holder_the_holder_adds_nothing_to() {
    let mut token = ann(2_000);
    let participant = begins(&token).await;
    assert_eq!((participant.name.as_str(), participant.metadata.as_str()), ("Mallory", "mine"));
    assert_eq!(participant.attributes["moderator"], "yes", "the token says nothing");

    token.attributes.insert("role".into(), "guest".into());
    let participant = begins(&token).await;
    assert_eq!(participant.attributes, [("role".to_owned(), "guest".to_owned())].into());
    assert_eq!(participant.metadata, "mine");

    token.attributes.clear();
    token.grants.update_self = false;
    let participant = begins(&token).await;
    assert_eq!((participant.name.as_str(), participant.metadata.as_str()), ("Mallory", ""));
    assert!(participant.attributes.is_empty(), "{:?}", participant.attributes);
    token.name = "Ann".into();
    assert_eq!(begins(&token).await.name, "Ann");
}

#[tokio::test(start_paused = true)]
async fn the_whole_life_of_a_token_is_told() {
    let year = 365 * 86_400;
    let (_raw, welcome) = guarded().join(&with_token(&ann(1_000 + year))).await;
    assert_eq!(welcome.token_ttl_ms, year * 1_000);
}
