//! Guessing the passphrase is slow, in both directions.

use std::time::Duration;

use moorline_proto::ErrorCode;
use moorline_transport::{Access, AdmitError, DialError, EndpointConfig, Limits};

use crate::support::{Host, bind, config, soon};

fn knowing(seed: u8, passphrase: &str, max_unproven_per_ip: u32) -> EndpointConfig {
    let access = Access { passphrase: Some(passphrase.parse().unwrap()), allow: None };
    let limits = Limits { max_unproven_per_ip, ..Limits::default() };
    EndpointConfig { access, limits, ..config(seed) }
}

async fn dial(caller: EndpointConfig, host: &Host) -> Result<(), DialError> {
    let called = soon(bind(caller).connect(&[host.addr()], None)).await;
    called.map(drop).map_err(|error| error.cause().unwrap().clone())
}

#[tokio::test]
async fn after_so_many_wrong_guesses_even_a_right_one_has_to_wait() {
    let mut host = Host::new(knowing(2, "right", 3));
    for guess in ["a", "b", "c"] {
        // Each guess by another peer: what counts is where they come from.
        let outcome = dial(knowing(guess.as_bytes()[0], guess, 100), &host).await;
        assert!(matches!(outcome, Err(DialError::PassphraseWrong { .. })), "{outcome:?}");
        assert!(matches!(host.next().await, Err(AdmitError::Refused { code: ErrorCode::PassphraseWrong, .. })));
    }
    let outcome = dial(knowing(9, "right", 100), &host).await.unwrap_err();
    assert!(matches!(outcome, DialError::Refused { code: ErrorCode::TooManyAttempts, .. }), "{outcome:?}");
    assert!(outcome.to_string().contains("try again in"), "{outcome}");
    assert!(matches!(host.next().await, Err(AdmitError::Refused { code: ErrorCode::TooManyAttempts, .. })));
}

#[tokio::test]
async fn one_wrong_guess_is_forgotten_after_a_while() {
    let mut strict = knowing(2, "right", 1);
    strict.limits.unproven_forgiven_after = Duration::from_millis(300);
    let host = Host::new(strict);
    assert!(dial(knowing(1, "wrong", 100), &host).await.is_err());
    soon(async { while dial(knowing(1, "right", 100), &host).await.is_err() {} }).await;
}

#[tokio::test]
async fn right_passphrases_never_run_out() {
    let host = Host::new(knowing(2, "right", 1));
    for _ in 0..5 {
        dial(knowing(1, "right", 1), &host).await.unwrap();
    }
}

#[tokio::test]
async fn an_impostor_that_we_dial_gets_only_so_many_guesses_as_well() {
    let (mut host, caller) = (Host::new(knowing(2, "wrong", 100)), bind(knowing(1, "right", 2)));
    for _ in 0..2 {
        let error = soon(caller.connect(&[host.addr()], None)).await.unwrap_err();
        assert!(matches!(error.cause(), Some(DialError::PassphraseWrong { .. })), "{error:?}");
        assert!(host.next().await.is_err());
    }
    let error = soon(caller.connect(&[host.addr()], None)).await.unwrap_err();
    assert!(matches!(error.cause(), Some(DialError::TooManyAttempts { .. })), "{error:?}");
}
