//! A man in the middle can pass the messages of two members on to each other, and gains nothing: each proof is bound to its own
//! TLS connection and to the two keys at its ends.

use quinn::{RecvStream, SendStream};

use super::support::{Host, bind, config, soon};
use super::{knowing, read_frame, secured, taken};
use crate::{AdmitError, DialError, EndpointConfig};

fn member(seed: u8) -> EndpointConfig {
    knowing(config(seed), "open sesame")
}

/// Copies whole frames until there are no more; how many.
async fn copy(mut from: RecvStream, mut to: SendStream) -> usize {
    let mut frames = 0;
    while let Some(frame) = read_frame(&mut from).await {
        if to.write_all(&frame).await.is_err() {
            break;
        }
        frames += 1;
    }
    frames
}

#[tokio::test]
async fn a_relayed_proof_convinces_nobody() {
    let mut victim = Host::new(member(1));
    let caller = bind(member(2));
    // Knows no passphrase. The caller takes it for a member (it dialled without an expected key).
    let middle = bind(config(66));
    let addr = middle.local_addr();
    let relaying = tokio::spawn({
        let victim = victim.endpoint.clone();
        async move {
            let from_caller = taken(&middle).await;
            let (to_caller, caller_says) = from_caller.accept_bi().await.unwrap();
            let to_victim = secured(&middle, &victim).await;
            let (to_victim, victim_says) = to_victim.open_bi().await.unwrap();
            tokio::join!(copy(caller_says, to_victim), copy(victim_says, to_caller))
        }
    });
    let error = soon(caller.connect(&[addr], None)).await.unwrap_err();
    assert!(matches!(error.cause(), Some(DialError::PassphraseWrong { .. })), "{error:?}");
    assert!(matches!(
        victim.next().await,
        Err(AdmitError::Refused { .. } | AdmitError::Lost(_) | AdmitError::Protocol(_))
    ));
    let (forth, back) = soon(relaying).await.unwrap();
    assert_eq!((forth, back), (1, 1), "hello and reply were passed on; the caller's name was never sent");
}

#[tokio::test]
async fn the_same_two_members_connect_without_the_man_in_the_middle() {
    let mut victim = Host::new(member(1));
    let caller = bind(member(2));
    soon(caller.connect(&[victim.addr()], None)).await.unwrap();
    victim.next().await.unwrap();
}
