//! The passphrase and the allow list gate everything, in both directions.

use std::collections::BTreeSet;

use moorline_proto::{ErrorCode, PeerId};
use moorline_transport::{Access, AdmitError, ConnectError, Connection, DialError, EndpointConfig, Identity};

use crate::support::{Host, bind, config, ping, serve, soon};

fn knowing(seed: u8, passphrase: &str) -> EndpointConfig {
    let access = Access { passphrase: Some(passphrase.parse().unwrap()), allow: None };
    EndpointConfig { access, ..config(seed) }
}

fn allowing(seed: u8, allowed: &[u8]) -> EndpointConfig {
    let allow: BTreeSet<PeerId> = allowed.iter().map(|seed| id(*seed)).collect();
    EndpointConfig { access: Access { passphrase: None, allow: Some(allow) }, ..config(seed) }
}

fn id(seed: u8) -> PeerId {
    Identity::from_seed([seed; 32]).peer_id()
}

async fn meet(
    caller: EndpointConfig,
    host: EndpointConfig,
) -> (Result<Connection, ConnectError>, Result<Connection, AdmitError>) {
    let (caller, mut host) = (bind(caller), Host::new(host));
    let called = soon(caller.connect(&[host.addr()], None)).await;
    (called, host.next().await)
}

async fn refusal(caller: EndpointConfig, host: EndpointConfig) -> (DialError, AdmitError) {
    let (called, admitted) = meet(caller, host).await;
    (called.unwrap_err().cause().unwrap().clone(), admitted.unwrap_err())
}

#[tokio::test]
async fn the_same_passphrase_connects() {
    let (called, admitted) = meet(knowing(1, "open sesame"), knowing(2, "open sesame")).await;
    let (called, admitted) = (called.unwrap(), admitted.unwrap());
    serve(&admitted);
    soon(ping(&called)).await.unwrap();
    assert_eq!((called.peer().name.as_str(), admitted.peer().name.as_str()), ("peer 2", "peer 1"));
}

#[tokio::test]
async fn another_passphrase_is_refused_and_both_sides_know_why() {
    let (called, admitted) = refusal(knowing(1, "open sesame"), knowing(2, "open Sesame")).await;
    assert_eq!(called, DialError::PassphraseWrong { peer: id(2) });
    assert!(called.to_string().contains("passphrases are not the same"), "{called}");
    assert_eq!(admitted, AdmitError::Refused { peer: id(1), code: ErrorCode::PassphraseWrong });
}

#[tokio::test]
async fn a_missing_passphrase_is_asked_for() {
    let (called, admitted) = refusal(config(1), knowing(2, "open sesame")).await;
    assert!(matches!(called, DialError::Refused { code: ErrorCode::PassphraseRequired, .. }), "{called:?}");
    assert!(called.to_string().contains("a passphrase is needed"), "{called}");
    assert_eq!(admitted, AdmitError::Refused { peer: id(1), code: ErrorCode::PassphraseRequired });
}

#[tokio::test]
async fn a_member_of_a_closed_group_does_not_join_an_open_one() {
    let (called, admitted) = refusal(knowing(1, "open sesame"), config(2)).await;
    assert!(matches!(called, DialError::Refused { code: ErrorCode::PassphraseUnexpected, .. }), "{called:?}");
    assert_eq!(admitted, AdmitError::Refused { peer: id(1), code: ErrorCode::PassphraseUnexpected });
}

#[tokio::test]
async fn only_those_on_the_list_come_in() {
    let (called, admitted) = meet(config(1), allowing(2, &[1, 7])).await;
    assert!(called.is_ok() && admitted.is_ok());

    let (called, admitted) = refusal(config(3), allowing(2, &[1, 7])).await;
    assert!(matches!(called, DialError::Refused { code: ErrorCode::NotAllowed, .. }), "{called:?}");
    assert_eq!(admitted, AdmitError::Refused { peer: id(3), code: ErrorCode::NotAllowed });
}

#[tokio::test]
async fn the_list_holds_for_those_that_we_dial_as_well() {
    let (called, admitted) = meet(allowing(1, &[2]), config(2)).await;
    assert!(called.is_ok() && admitted.is_ok());

    let (called, admitted) = refusal(allowing(1, &[7]), config(2)).await;
    assert_eq!(called, DialError::NotAllowed { peer: id(2) });
    assert!(matches!(admitted, AdmitError::Lost(_)), "{admitted:?}");
}

#[tokio::test]
async fn with_both_gates_a_peer_has_to_pass_both() {
    let both = |seed, passphrase: &str, allowed: &[u8]| {
        let mut config = allowing(seed, allowed);
        config.access.passphrase = Some(passphrase.parse().unwrap());
        config
    };
    let (called, _) = meet(knowing(1, "sesame"), both(2, "sesame", &[1])).await;
    assert!(called.is_ok());
    let (called, _) = refusal(knowing(1, "sesame"), both(2, "sesame", &[7])).await;
    assert!(matches!(called, DialError::Refused { code: ErrorCode::NotAllowed, .. }), "{called:?}");
    let (called, _) = refusal(knowing(1, "barley"), both(2, "sesame", &[1])).await;
    assert_eq!(called, DialError::PassphraseWrong { peer: id(2) });
}
