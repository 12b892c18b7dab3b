//! The words of a room as they are typed: URLs, names, attributes, within the limits that the server holds them to.

use moorline_signaling::limits;

/// Longest URL, bytes.
const MAX_URL: usize = 2048;

/// The URL of a room server. The rest of it is checked when the client is made.
pub(crate) fn parse_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://"));
    match rest {
        Some(rest) if !rest.is_empty() && text.len() <= MAX_URL && !text.chars().any(crate::text::misleads) => {
            Ok(text.to_owned())
        }
        _ => Err("write ws://HOST:PORT or wss://HOST:PORT; URLs come first, the room last".to_owned()),
    }
}

/// The name of a room.
pub(crate) fn parse_room(text: &str) -> Result<String, String> {
    if text.starts_with("ws://") || text.starts_with("wss://") {
        return Err("that is a URL: the name of the room comes after the URLs".to_owned());
    }
    word("room", text)
}

/// Who a participant is.
pub(crate) fn parse_identity(text: &str) -> Result<String, String> {
    word("identity", text)
}

/// Free text about a participant.
pub(crate) fn parse_metadata(text: &str) -> Result<String, String> {
    if text.len() > limits::MAX_METADATA {
        return Err(format!("it is {} bytes long: at most {}", text.len(), limits::MAX_METADATA));
    }
    Ok(text.to_owned())
}

/// `KEY=VALUE`.
pub(crate) fn parse_attribute(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no `=`: write KEY=VALUE"))?;
    if key.is_empty() {
        return Err("the key is empty: write KEY=VALUE".to_owned());
    }
    if key.len() + value.len() > limits::MAX_ATTRIBUTES {
        return Err(format!("key and value are longer than {} bytes", limits::MAX_ATTRIBUTES));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn word(what: &str, text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("the {what} is empty"));
    }
    if text.len() > limits::MAX_TEXT {
        return Err(format!("the {what} is {} bytes long: at most {}", text.len(), limits::MAX_TEXT));
    }
    if text.chars().any(crate::text::misleads) {
        return Err(format!("the {what} holds control or invisible characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_server_by_websocket() {
        assert!(parse_url("ws://127.0.0.1:7350").is_ok());
        assert!(parse_url("wss://rooms.example/a").is_ok());
        for bad in ["", "lobby", "http://a", "ws://", "127.0.0.1:7350", "ws://a\u{202e}b"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
        assert!(parse_url(&format!("ws://{}", "x".repeat(MAX_URL - 5))).is_ok());
        assert!(parse_url(&format!("ws://{}", "x".repeat(MAX_URL - 4))).is_err());
    }

    #[test]
    fn words_have_an_edge() {
        assert!(parse_room(&"x".repeat(limits::MAX_TEXT)).is_ok());
        for bad in ["", "a\nb", "ws://127.0.0.1", &"x".repeat(limits::MAX_TEXT + 1)] {
            assert!(parse_room(bad).is_err(), "{bad}");
        }
        assert!(parse_identity("").is_err());
        assert!(parse_metadata(&"x".repeat(limits::MAX_METADATA)).is_ok());
        assert!(parse_metadata(&"x".repeat(limits::MAX_METADATA + 1)).is_err());
    }

    #[test]
    fn an_attribute_is_split_at_the_first_sign() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(parse_attribute("a=b=c"), pair("a", "b=c"));
        assert_eq!(parse_attribute("a="), pair("a", ""));
        for bad in ["", "a", "=b"] {
            assert!(parse_attribute(bad).is_err(), "{bad}");
        }
        assert!(parse_attribute(&format!("a={}", "x".repeat(limits::MAX_ATTRIBUTES - 1))).is_ok());
        assert!(parse_attribute(&format!("a={}", "x".repeat(limits::MAX_ATTRIBUTES))).is_err());
    }
}
