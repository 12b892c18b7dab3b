//! Both sides prove their keys, and a peer that is not the one expected is refused by name.

use moorline_transport::{CloseReason, ConnectError, ConnectionEnd, DialError, Identity};

use crate::support::{Host, bind, config, pair, ping, serve, soon};

#[tokio::test]
async fn each_side_knows_the_other_by_its_key() {
    let (mut a, mut b) = (config(1), config(2));
    (a.serves, b.agent) = (true, "somebody/2".to_owned());
    a.capabilities = vec!["fly".to_owned()];
    let pair = pair(a, b).await;
    assert_eq!(pair.dialler.peer().id, Identity::from_seed([2; 32]).peer_id());
    assert_eq!(pair.dialled.peer().id, Identity::from_seed([1; 32]).peer_id());
    let (host, caller) = (pair.dialler.peer(), pair.dialled.peer());
    assert_eq!((host.name.as_str(), host.agent.as_str(), host.serves), ("peer 2", "somebody/2", false));
    assert_eq!((caller.name.as_str(), caller.serves, caller.version), ("peer 1", true, 1));
    assert_eq!(caller.capabilities, ["fly"]);
    assert_eq!(host.digest, Some(Default::default()));
    assert_eq!(caller.digest, None);
    assert!(pair.dialler.initiated_by_us() && !pair.dialled.initiated_by_us());
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
    serve(&pair.dialler);
    soon(ping(&pair.dialled)).await.unwrap();
}

#[tokio::test]
async fn the_expected_peer_is_accepted_and_another_is_named() {
    let mut host = Host::new(config(2));
    let caller = bind(config(1));
    let expected = Identity::from_seed([2; 32]).peer_id();
    let connection = soon(caller.connect(&[host.addr()], Some(expected))).await.unwrap();
    assert_eq!(connection.peer().id, expected);
    host.next().await.unwrap();

    let other = Identity::from_seed([9; 32]).peer_id();
    let error = soon(caller.connect(&[host.addr()], Some(other))).await.unwrap_err();
    assert_eq!(error.cause(), Some(&DialError::WrongPeer { expected: other, found: expected }));
    let text = error.to_string();
    assert!(text.contains(&other.to_string()) && text.contains(&expected.to_string()), "{text}");
    assert!(host.next().await.is_err(), "the host did not admit us either");
}

#[tokio::test]
async fn dialling_oneself_is_noticed() {
    let host = Host::new(config(1));
    let error = soon(host.endpoint.connect(&[host.addr()], None)).await.unwrap_err();
    assert_eq!(error.cause(), Some(&DialError::Ourselves));
}

#[tokio::test]
async fn names_do_not_reach_terminals_as_commands() {
    let mut rude = config(1);
    rude.name = format!("\u{1b}[2Jbob\r\n{}", "x".repeat(1000));
    let pair = pair(rude, config(2)).await;
    let name = &pair.dialled.peer().name;
    assert!(name.starts_with("[2Jbobxxx") && name.len() == 255, "{name:?}");
}

#[tokio::test]
async fn a_closed_endpoint_dials_no_more() {
    let (caller, host) = (bind(config(1)), Host::new(config(2)));
    caller.close(&CloseReason::Goodbye(String::new()));
    let error = soon(caller.connect(&[host.addr()], None)).await.unwrap_err();
    assert_eq!(error, ConnectError::Closed);
    assert!(soon(caller.accept()).await.is_none() && caller.is_closed());
    assert_eq!(soon(host.endpoint.connect(&[], None)).await.unwrap_err(), ConnectError::NoAddress);
}

#[tokio::test]
async fn local_close_is_seen_as_local() {
    let pair = pair(config(1), config(2)).await;
    assert_eq!(pair.dialler.end(), None);
    pair.dialler.close(&CloseReason::Duplicate);
    assert_eq!(soon(pair.dialler.closed()).await, ConnectionEnd::Local);
    assert_eq!(pair.dialler.end(), Some(ConnectionEnd::Local));
}
