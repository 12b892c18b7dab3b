//! A peer that has not proved the passphrase learns no name, no program and no library, whichever side it is on.

use moorline_proto::{Hash, Hello, HelloAnswer, HelloReply, LibraryDigest};
use std::sync::Arc;

use super::support::{Host, bind, config, soon};
use super::{knowing, read_frame, secured, send_frame, taken};
use crate::pake::{Exchange, Parties, Role};
use crate::{AdmitError, DialError, EndpointConfig, OsEntropy};

const NAME: &str = "Alice's secret lair";
const AGENT: &str = "lair-program/7";
const HASH: [u8; 32] = *b"the digest of the secret library";

fn secretive(seed: u8) -> EndpointConfig {
    let mut config = knowing(config(seed), "open sesame");
    (config.name, config.agent) = (NAME.to_owned(), AGENT.to_owned());
    config.digest = Arc::new(|| LibraryDigest { revision: 1, items: 2, hash: Hash::from_bytes(HASH) });
    config
}

fn assert_tells_nothing(seen: &[u8]) {
    for secret in [NAME.as_bytes(), AGENT.as_bytes(), &HASH, b"open sesame"] {
        assert!(!seen.windows(secret.len()).any(|window| window == secret), "{:?} in {seen:?}", secret.escape_ascii());
    }
}

/// All that the host ever says on the first stream to a stranger that sends `hello` and then `second`.
async fn interrogate(host: &Host, hello: &Hello, second: Option<&[u8]>) -> Vec<u8> {
    let stranger = bind(config(66));
    let connection = secured(&stranger, &host.endpoint).await;
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send_frame(&mut send, &hello.encode()).await;
    let mut seen = read_frame(&mut recv).await.unwrap().to_vec();
    if let Some(second) = second {
        send_frame(&mut send, second).await;
    }
    while let Ok(Some(chunk)) = recv.read_chunk(usize::MAX, true).await {
        seen.extend_from_slice(&chunk.bytes);
    }
    seen
}

fn guess(stranger: u8, host: u8) -> Hello {
    let id = |seed| crate::Identity::from_seed([seed; 32]).peer_id();
    let parties = Parties { initiator: id(stranger), responder: id(host) };
    let (_, message) = Exchange::start(Role::Initiator, &"guess".parse().unwrap(), parties, &OsEntropy);
    Hello { versions: moorline_proto::VERSIONS, capabilities: Vec::new(), pake: Some(message) }
}

#[tokio::test]
async fn a_stranger_that_dials_us_learns_nothing() {
    let mut host = Host::new(secretive(1));
    let no_proof = Hello { pake: None, ..guess(66, 1) };
    assert_tells_nothing(&soon(interrogate(&host, &no_proof, None)).await);
    assert!(matches!(host.next().await, Err(AdmitError::Refused { .. })));

    // With a guess, and with an introduction that holds no proof, or a made up one.
    for confirm in [None, Some(vec![0; 32].into()), Some(vec![1; 64].into())] {
        let introduce = moorline_proto::Introduce { confirm, name: "x".into(), agent: "x".into(), serves: true };
        assert_tells_nothing(&soon(interrogate(&host, &guess(66, 1), Some(&introduce.encode()))).await);
        assert!(matches!(host.next().await, Err(AdmitError::Refused { .. })));
    }
}

#[tokio::test]
async fn an_open_door_to_compare_with_tells_the_name() {
    let mut open = secretive(1);
    open.access = crate::Access::default();
    let host = Host::new(open);
    let hello = Hello { pake: None, ..guess(66, 1) };
    let introduce = moorline_proto::Introduce { confirm: None, name: "x".into(), agent: "x".into(), serves: true };
    let seen = soon(interrogate(&host, &hello, Some(&introduce.encode()))).await;
    assert!(seen.windows(NAME.len()).any(|window| window == NAME.as_bytes()), "or the tests above prove nothing");
}

#[tokio::test]
async fn an_impostor_that_we_dial_learns_nothing() {
    let impostor = bind(config(66));
    let caller = bind(secretive(1));
    let listening = tokio::spawn({
        let impostor = impostor.clone();
        async move {
            let connection = taken(&impostor).await;
            let (mut send, mut recv) = connection.accept_bi().await.unwrap();
            let mut seen = read_frame(&mut recv).await.unwrap().to_vec();
            let (_, message) = Exchange::start(
                Role::Responder,
                &"guess".parse().unwrap(),
                Parties { initiator: crate::Identity::from_seed([1; 32]).peer_id(), responder: impostor.peer_id() },
                &OsEntropy,
            );
            let versions = moorline_proto::VERSIONS;
            let (pake, confirm) = (Some(message), Some(vec![7; 32].into()));
            let reply = HelloReply { version: 1, versions, capabilities: Vec::new(), pake, confirm };
            send_frame(&mut send, &HelloAnswer::Reply(reply).encode()).await;
            while let Ok(Some(chunk)) = recv.read_chunk(usize::MAX, true).await {
                seen.extend_from_slice(&chunk.bytes);
            }
            seen
        }
    });
    let error = soon(caller.connect(&[impostor.local_addr()], None)).await.unwrap_err();
    assert_eq!(error.cause(), Some(&DialError::PassphraseWrong { peer: impostor.peer_id() }));
    assert_tells_nothing(&soon(listening).await.unwrap());
}

#[tokio::test]
async fn an_impostor_that_skips_the_proof_is_not_trusted() {
    let impostor = bind(config(66));
    let caller = bind(secretive(1));
    let skipping = impostor.clone();
    tokio::spawn(async move {
        let connection = taken(&skipping).await;
        let (mut send, mut recv) = connection.accept_bi().await.unwrap();
        read_frame(&mut recv).await.unwrap();
        let versions = moorline_proto::VERSIONS;
        let reply = HelloReply { version: 1, versions, capabilities: Vec::new(), pake: None, confirm: None };
        send_frame(&mut send, &HelloAnswer::Reply(reply).encode()).await;
        connection.closed().await;
    });
    let error = soon(caller.connect(&[impostor.local_addr()], None)).await.unwrap_err();
    assert!(matches!(error.cause(), Some(DialError::Protocol(problem)) if problem.contains("skipped")), "{error:?}");
}
