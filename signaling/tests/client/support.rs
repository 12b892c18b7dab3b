//! What tests do with a client.

use moorline_signaling::machine::Event;
use moorline_signaling::{Client, ClientConfig, CloseReason, Events};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep};

use crate::peer::{Conn, PATIENCE, Peer, Terms, soon};

/// A client in a room, and the server's end of its connection.
pub(crate) async fn joined(peer: &Peer, terms: &Terms) -> (Client, Events, Conn<tokio::net::TcpStream>) {
    joined_with(peer, terms, ClientConfig::new(peer.url(), "room")).await
}

pub(crate) async fn joined_with(
    peer: &Peer,
    terms: &Terms,
    config: ClientConfig,
) -> (Client, Events, Conn<tokio::net::TcpStream>) {
    let (client, (conn, _)) = soon(async { tokio::join!(Client::connect(config), peer.admit(terms)) }).await;
    let (client, events) = client.expect("the room is joined");
    (client, events, conn)
}

/// The next event that `wanted` makes something of.
pub(crate) async fn until<T>(events: &mut Events, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    soon(async {
        loop {
            let event = events.next().await.expect("the events have ended before");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    })
    .await
}

/// All events that are left, with `Closed` at their end.
pub(crate) async fn rest(events: &mut Events) -> Vec<Event> {
    soon(async {
        let mut rest = Vec::new();
        while let Some(event) = events.next().await {
            rest.push(event);
        }
        rest
    })
    .await
}

pub(crate) async fn text_of_next_message(events: &mut Events) -> String {
    until(events, |event| match event {
        Event::Message(message) => Some(String::from_utf8(message.payload.to_vec()).unwrap()),
        _ => None,
    })
    .await
}

pub(crate) fn losses(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::ConnectionLost { .. })).count()
}

pub(crate) fn ends_with(events: &[Event], reason: &CloseReason) -> bool {
    matches!(events.last(), Some(Event::Closed { reason: last }) if last == reason)
}

/// Waits until no task of the runtime is left but those that the test knows of.
pub(crate) async fn only_tasks_left(known: usize) {
    let metrics = Handle::current().metrics();
    let give_up = Instant::now() + PATIENCE;
    while metrics.num_alive_tasks() > known {
        assert!(Instant::now() < give_up, "{} tasks are left", metrics.num_alive_tasks() - known);
        // There is no event to wait for: that the last one has gone is not told to anybody.
        sleep(Duration::from_millis(1)).await;
    }
}
