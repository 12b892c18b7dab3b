//! Rooms in which the node of a verb meets others.

use futures_util::future::select_all;
use moorline_runtime::node::NodeHandle;
use moorline_runtime::room::{Room, RoomConfig, RoomEvents};
use moorline_runtime::signaling::ClientConfig;
use moorline_runtime::signaling::limits::MAX_TEXT;
use moorline_runtime::signaling::machine::Event;

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::text;

/// A room server, and a room of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meeting {
    url: String,
    room: String,
}

/// Reads `ws://HOST:PORT/ROOM`: the last part of the path is the room.
pub(crate) fn parse_meeting(text: &str) -> std::result::Result<Meeting, String> {
    const FORM: &str = "write ws://HOST:PORT/ROOM or wss://HOST:PORT/ROOM";
    let address = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://")).ok_or(FORM)?;
    let (host, path) = address.split_once('/').ok_or(FORM)?;
    let room = path.rsplit('/').next().unwrap_or_default();
    if host.is_empty() || room.is_empty() {
        return Err(FORM.to_owned());
    }
    if room.len() > MAX_TEXT || room.chars().any(text::misleads) {
        return Err(format!("the room is longer than {MAX_TEXT} bytes or holds control or invisible characters"));
    }
    Ok(Meeting { url: text.to_owned(), room: room.to_owned() })
}

/// The rooms that were joined. Dropping them leaves them.
#[derive(Debug, Default)]
pub(crate) struct Meetings {
    rooms: Vec<(Room, RoomEvents, Meeting)>,
}

impl Meetings {
    /// Joins the rooms of the options. Whoever stays tries for ever; whoever looks for something gives up after a while.
    pub(crate) fn join(node: &NodeHandle, net: &NetArgs, name: &str, stays: bool) -> Result<Self> {
        let mut rooms = Vec::new();
        for meeting in &net.rooms {
            let mut client = ClientConfig::new(&meeting.url, &meeting.room);
            name.clone_into(&mut client.machine.info.name);
            client.machine.info.agent = concat!("moorline/", env!("CARGO_PKG_VERSION")).to_owned();
            if stays {
                client.machine.timers.deadline = None;
            }
            if let Some(token) = &net.room_token {
                client = client.token(&token.0);
            }
            let joined = node.join_room(RoomConfig::new(client));
            let (room, events) = joined.map_err(|error| {
                Failure::new(Code::Usage, format!("cannot join the room {}: {error}", text::reason(&meeting.url)))
            })?;
            rooms.push((room, events, meeting.clone()));
        }
        Ok(Self { rooms })
    }

    /// Reads what happens in the rooms, and tells what a person should know. Returns when something has happened; never, without rooms.
    /// Cancel-safe.
    pub(crate) async fn watch(&mut self) {
        let waiting = self.rooms.iter_mut().map(|(_, events, _)| Box::pin(events.next()));
        if waiting.len() == 0 {
            return std::future::pending().await;
        }
        let (event, index, _) = select_all(waiting).await;
        let meeting = &self.rooms[index].2;
        match event {
            Some(Event::ConnectionLost { cause, .. }) => {
                tracing::info!(room = meeting.room, %cause, "the connection to the room is lost; coming back");
            }
            Some(Event::Joined { .. } | Event::Recovered { .. }) => tracing::info!(room = meeting.room, "in the room"),
            Some(Event::Closed { reason }) => {
                tracing::error!(url = meeting.url, room = meeting.room, %reason, "peers in this room cannot be met");
                self.rooms.remove(index);
            }
            Some(_) => {}
            None => {
                self.rooms.remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_is_the_room() {
        let parsed = |text: &str| parse_meeting(text).map(|meeting| meeting.room);
        assert_eq!(parsed("ws://127.0.0.1:7350/lobby").as_deref(), Ok("lobby"));
        assert_eq!(parsed("wss://example.org/rooms/den").as_deref(), Ok("den"));
        for wrong in ["http://a/b", "ws://a", "ws://a/", "ws:///b", "lobby", "ws://a/b\u{202e}c"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert!(parsed(&format!("ws://a/{}", "x".repeat(MAX_TEXT + 1))).is_err());
    }
}
