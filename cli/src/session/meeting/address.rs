//! `ws://HOST:PORT/ROOM`: a room server, and a room of it.

use moorline_runtime::signaling::limits::MAX_TEXT;

use crate::text;

/// A room server, and a room of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meeting {
    pub(super) url: String,
    pub(super) room: String,
}

const FORM: &str = "write ws://HOST:PORT/ROOM or wss://HOST:PORT/ROOM";

/// Reads `ws://HOST:PORT/ROOM`: the last part of the path is the room, with `%20` for a space and so on.
pub(crate) fn parse_meeting(text: &str) -> Result<Meeting, String> {
    let address = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://")).ok_or(FORM)?;
    if let Some(sign) = address.chars().find(|c| matches!(c, '?' | '#')) {
        let coded = if sign == '?' { "%3F" } else { "%23" };
        return Err(format!("a room has neither query nor fragment; a `{sign}` in its name is written {coded}"));
    }
    let (host, path) = address.split_once('/').ok_or(FORM)?;
    let room = decode(path.rsplit('/').next().unwrap_or_default())?;
    if host.is_empty() || room.is_empty() {
        return Err(FORM.to_owned());
    }
    if room.len() > MAX_TEXT || room.chars().any(text::misleads) {
        return Err(format!("the room is longer than {MAX_TEXT} bytes or holds control or invisible characters"));
    }
    Ok(Meeting { url: encode(text), room })
}

/// What was typed, with what no URL may hold written as RFC 3986 has it.
fn encode(text: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    let each = text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    each.collect()
}

/// Percent-decoding, RFC 3986, section 2.1.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |index: usize| rest.get(index).and_then(|digit| char::from(*digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err("a `%` in the name of a room is written %25".to_owned());
        };
        bytes.push((high * 16 + low) as u8);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "the name of the room is not valid UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        parse_meeting(text).map(|meeting| meeting.room)
    }

    #[test]
    fn the_last_part_of_the_path_is_the_room() {
        assert_eq!(parsed("ws://127.0.0.1:7350/lobby").as_deref(), Ok("lobby"));
        assert_eq!(parsed("wss://example.org/rooms/den").as_deref(), Ok("den"));
        for wrong in ["http://a/b", "ws://a", "ws://a/", "ws:///b", "lobby", "ws://a/b\u{202e}c"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert!(parsed(&format!("ws://a/{}", "x".repeat(MAX_TEXT + 1))).is_err());
    }

    #[test]
    fn a_room_is_decoded_and_the_url_is_one() {
        assert_eq!(parsed("ws://a/my%20room").as_deref(), Ok("my room"));
        assert_eq!(parsed("ws://a/my room").as_deref(), Ok("my room"));
        assert_eq!(parsed("ws://a/caf%C3%A9%2f100%25").as_deref(), Ok("café/100%"));
        assert_eq!(
            parse_meeting("ws://a/café bar").map(|meeting| meeting.url).as_deref(),
            Ok("ws://a/caf%C3%A9%20bar")
        );
        for wrong in ["ws://a/100%", "ws://a/%2", "ws://a/%zz", "ws://a/%ff", "ws://a/%0a", "ws://a/b%E2%80%AEc"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_query_and_a_fragment_are_refused_and_told_from_a_name() {
        for (wrong, coded) in [("ws://a/b?c=d", "%3F"), ("ws://a/b#c", "%23"), ("ws://a?b", "%3F")] {
            let error = parsed(wrong).expect_err(wrong);
            assert!(error.contains("query") && error.contains(coded), "{error}");
        }
        assert_eq!(parsed("ws://a/b%3Fc%23").as_deref(), Ok("b?c#"));
    }
}
