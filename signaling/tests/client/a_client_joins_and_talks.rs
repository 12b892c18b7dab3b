use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_proto::wire::signal as pb;
use moorline_signaling::machine::{CallRefusal, Event, SelfUpdate, State};
use moorline_signaling::{CallError, ClientConfig, CloseReason, ParticipantId, SendClass, SendOutcome};

use crate::peer::{FromClient, FromServer, Peer, Terms, soon};
use crate::support::{ends_with, joined, joined_with, losses, only_tasks_left, rest, text_of_next_message, until};

#[tokio::test]
async fn it_joins_sends_and_receives_and_leaves() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined(&peer, &Terms::default()).await;
    assert!(matches!(client.state(), State::Live { .. }));
    assert_eq!(client.participant(), Some(ParticipantId(1)));
    assert_eq!(client.participants().len(), 2);

    conn.deliver("hello").await;
    assert_eq!(text_of_next_message(&mut events).await, "hello");

    let sent = client.send(SendClass::Reliable, "to all");
    let FromClient::Publish(publish) = conn.recv_body().await else { panic!("no publish") };
    assert_eq!(publish.payload, "to all");
    assert_eq!(publish.dedupe_id, sent.id().0);
    conn.send(FromServer::AckOnly(pb::AckOnly {})).await;
    assert_eq!(soon(sent).await, SendOutcome::Acked);

    client.close();
    conn.serve().await;
    assert_eq!(soon(client.stopped()).await, CloseReason::UserClosed);
    assert_eq!(client.state(), State::Closed);
    let rest = rest(&mut events).await;
    assert_eq!(losses(&rest), 0);
    assert!(ends_with(&rest, &CloseReason::UserClosed));
    only_tasks_left(0).await;
}

#[tokio::test]
async fn the_events_begin_with_the_join() {
    let peer = Peer::bind().await;
    let (_client, mut events, _conn) = joined(&peer, &Terms::default()).await;
    let (node, there) = until(&mut events, |event| match event {
        Event::Joined { node, participants, .. } => Some((node, participants.len())),
        _ => None,
    })
    .await;
    assert_eq!((node.as_str(), there), ("peer", 2));
}

#[tokio::test]
async fn a_call_brings_its_answer() {
    let peer = Peer::bind().await;
    let (client, _events, mut conn) = joined(&peer, &Terms::default()).await;
    let call = client.call(ParticipantId(2), "add", Bytes::from_static(b"1+1"), Duration::from_secs(5));
    let answer = async {
        let FromClient::Call(call) = conn.recv_body().await else { panic!("no call") };
        assert_eq!((call.method.as_str(), call.to), ("add", 2));
        let reply = pb::CallReply {
            call_id: call.call_id,
            from: 2,
            status: pb::CallStatus::CallOk.into(),
            payload: "2".into(),
        };
        conn.send(FromServer::Deliver(pb::Deliver { event: Some(pb::deliver::Event::CallReply(reply)) })).await;
    };
    let (result, ()) = soon(async { tokio::join!(call, answer) }).await;
    assert_eq!(result, Ok(Bytes::from_static(b"2")));
}

#[tokio::test]
async fn a_call_that_was_given_up_leaves_room_for_another() {
    let peer = Peer::bind().await;
    let mut config = ClientConfig::new(peer.url(), "room");
    config.machine.bounds.calls = 1;
    let (client, _events, mut conn) = joined_with(&peer, &Terms::default(), config).await;
    let call = |method: &'static str| client.call(ParticipantId(2), method, "", Duration::from_secs(60));
    {
        let given_up = call("first");
        tokio::pin!(given_up);
        tokio::select! {
            biased;
            _ = &mut given_up => panic!("nobody answers"),
            body = conn.recv_body() => assert!(matches!(body, FromClient::Call(_))),
        }
        assert_eq!(call("second").await, Err(CallError::Overflow));
    }
    tokio::select! {
        biased;
        result = call("third") => panic!("nobody answers, but {result:?}"),
        body = conn.recv_body() => {
            let FromClient::Call(call) = body else { panic!("no call") };
            assert_eq!(call.method, "third");
        }
    }
}

#[tokio::test]
async fn a_call_of_another_is_answered() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined(&peer, &Terms::default()).await;
    let request = pb::CallRequest { call_id: 9, from: 2, method: "m".into(), payload: Bytes::new(), timeout_ms: 1_000 };
    conn.send(FromServer::Deliver(pb::Deliver { event: Some(pb::deliver::Event::CallRequest(request)) })).await;
    let request = until(&mut events, |event| match event {
        Event::CallRequest(request) => Some(request),
        _ => None,
    })
    .await;
    client.reply(&request, Err(CallRefusal::NoSuchMethod)).unwrap();
    let FromClient::Reply(reply) = conn.recv_body().await else { panic!("no reply") };
    assert_eq!((reply.call_id, reply.to, reply.status()), (9, 2, pb::CallStatus::CallNoSuchMethod));
}

#[tokio::test]
async fn participants_follow_the_room() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined(&peer, &Terms::default()).await;
    let before = client.participants();
    assert!(Arc::ptr_eq(&before, &client.participants()));
    let left = pb::ParticipantLeft { id: 2, reason: pb::LeftReason::Left.into() };
    conn.send(FromServer::Deliver(pb::Deliver { event: Some(pb::deliver::Event::ParticipantLeft(left)) })).await;
    until(&mut events, |event| matches!(event, Event::ParticipantLeft { .. }).then_some(())).await;
    assert_eq!(client.participants().len(), 1);
}

#[tokio::test]
async fn what_one_says_of_oneself_shows_once_the_server_took_it() {
    let peer = Peer::bind().await;
    let (client, _events, mut conn) = joined(&peer, &Terms::default()).await;
    let value = client.set_value("mute", "yes");
    assert!(matches!(conn.recv_body().await, FromClient::StateUpdate(_)));
    assert!(client.participants()[0].values.is_empty());
    conn.send(FromServer::AckOnly(pb::AckOnly {})).await;
    assert_eq!(soon(value).await, SendOutcome::Acked);

    let update = client.update(SelfUpdate { name: Some("Me".into()), ..SelfUpdate::default() });
    assert!(matches!(conn.recv_body().await, FromClient::ParticipantUpdate(_)));
    conn.send(FromServer::AckOnly(pb::AckOnly {})).await;
    assert_eq!(soon(update).await, SendOutcome::Acked);
    let own = client.participants()[0].clone();
    assert_eq!((own.values["mute"].payload.as_ref(), own.name.as_str()), (b"yes".as_slice(), "Me"));
}
