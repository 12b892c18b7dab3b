//! What `--json` prints: one object a line, each with a `type`. Fields are only ever added.
//!
//! Ids are the text forms that the other verbs accept; sizes are bytes, times seconds, rates bytes a second.
//! Fields without a value are left out.

mod rooms;

use serde::Serialize;

use crate::text;

pub(crate) use rooms::{Content, Participant, RoomEvent, id};

/// An object on stdout.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// `share`: listening, and about to read and hash what it shares. First object.
    Starting { peer: &'a str, name: &'a str, listen: &'a str, addresses: &'a [String], access: &'a str },
    /// `share`: everything was hashed once; the items follow, then changes as they come.
    Ready {
        peer: &'a str,
        name: &'a str,
        /// Local UDP address.
        listen: &'a str,
        /// Addresses that others can give to `--peer`.
        addresses: &'a [String],
        /// `open`, `passphrase`, `allow` or `passphrase+allow`.
        access: &'a str,
        /// How many `item` objects follow.
        items: usize,
    },
    /// `share`: an item on offer by this program (at the start, and whenever one is added or changes).
    Item(Item<'a>),
    /// `share`: an item is no longer on offer.
    ItemRemoved { item: &'a str, name: &'a str },
    /// `share`: something was left out, and why.
    LeftOut {
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<&'a str>,
        reason: &'a str,
    },
    /// A peer is connected.
    PeerUp { peer: &'a str, name: &'a str, address: &'a str },
    /// A peer is gone; `reason` is a sentence.
    PeerDown {
        peer: &'a str,
        name: &'a str,
        reason: &'a str,
        /// Whether it said goodbye, as opposed to a reset or a time-out.
        goodbye: bool,
    },
    /// A peer was found but does not admit us, or cannot talk with us.
    PeerRefused { address: &'a str, reason: &'a str },
    /// `list`: whoever is in this room alone is not in the picture.
    RoomUnreached { room: &'a str, reason: &'a str },
    /// `share`: a peer began to fetch an item.
    Serving { peer: &'a str, peer_name: &'a str, item: &'a str, name: &'a str },
    /// `list`: a peer on this network, with what it shares.
    Peer { peer: &'a str, name: &'a str, address: &'a str, items: u64 },
    /// `list`: an item and who has it.
    Offer {
        #[serde(flatten)]
        item: Item<'a>,
        peers: Vec<PeerRef<'a>>,
    },
    /// `list --watch`: an item that nobody offers any more.
    OfferRemoved { item: &'a str, name: &'a str },
    /// `get`: an argument was resolved to an item.
    Found { query: &'a str, item: &'a str, name: &'a str, bytes: u64, peers: Vec<PeerRef<'a>> },
    /// `get`: what will be fetched, and what an earlier run already verified.
    Planned { item: &'a str, name: &'a str, bytes: u64, files: u64, resumed_bytes: u64 },
    /// `get`: bytes verified and written so far (a few times a second).
    Progress {
        item: &'a str,
        name: &'a str,
        bytes: u64,
        total: u64,
        rate: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds_left: Option<f64>,
        sources: usize,
    },
    /// `get`: a source is not used any more.
    SourceDropped {
        item: &'a str,
        name: &'a str,
        peer: &'a str,
        peer_name: &'a str,
        reason: &'a str,
        /// Whether it sent bytes that are not the item's.
        bad_content: bool,
    },
    /// `get`: a peer sent bytes that are not the item's. Its connection is closed and it is not asked again.
    PeerLiar { peer: &'a str, name: &'a str, item: &'a str, reason: &'a str },
    /// `get`: data on this disk is compared with the item before anything is fetched.
    Checking { item: &'a str, name: &'a str, bytes: u64, total: u64 },
    /// `get`: nobody who has the item is left. Once an absence.
    AllPeersGone { item: &'a str, name: &'a str, waiting: bool },
    /// `get`: the item is complete and verified under `path`.
    Finished {
        item: &'a str,
        name: &'a str,
        path: &'a str,
        bytes: u64,
        seconds: f64,
        rate: f64,
        sources: usize,
        resumed_bytes: u64,
        /// It was there, whole, before anything was fetched.
        already_there: bool,
    },
    /// `get`: the item was not fetched.
    Failed { item: &'a str, name: &'a str, code: u8, reason: &'a str },
    /// `get`: stopped by the user; what was verified is kept.
    Cancelled { item: &'a str, name: &'a str },
    /// `doctor`: one thing that was looked at.
    Check {
        name: &'a str,
        /// `ok`, `warning`, `bad` or `info`.
        status: &'a str,
        detail: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        advice: Option<&'a str>,
        #[serde(skip_serializing_if = "serde_json::Value::is_null")]
        data: serde_json::Value,
    },
    /// `doctor`: the result. Last object.
    Verdict { ok: bool, warnings: usize, bad: usize },
    /// `demo`: a step, as told.
    Step { step: &'a str, text: &'a str },
    /// A long-running verb ended; last object unless an `error` follows.
    Stopped { reason: &'a str },
    /// The verb failed. Last object; `code` is the exit code.
    Error {
        code: u8,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'a str>,
    },
    /// `signal`, `token` and `room`: has a `type` of its own.
    #[serde(untagged)]
    Room(RoomEvent<'a>),
}

/// An item, as its owner describes it.
#[derive(Debug, Serialize)]
pub(crate) struct Item<'a> {
    pub(crate) item: &'a str,
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thumbnail: Option<Thumbnail<'a>>,
    pub(crate) bytes: u64,
    pub(crate) files: u64,
}

/// A picture that peers serve.
#[derive(Debug, Serialize)]
pub(crate) struct Thumbnail<'a> {
    pub(crate) media_type: &'a str,
    pub(crate) bytes: u32,
}

/// A peer that has an item.
#[derive(Debug, Serialize)]
pub(crate) struct PeerRef<'a> {
    pub(crate) peer: String,
    pub(crate) name: &'a str,
}

/// The event as one line. Characters that could drive a terminal are escaped, so that the line is safe to look at.
pub(crate) fn line(event: &Event<'_>) -> String {
    // Plain structs with string keys: serialisation has no way to fail; the fallback keeps the line valid JSON.
    let json = serde_json::to_string(event)
        .unwrap_or_else(|_| r#"{"type":"error","code":1,"message":"not serialisable"}"#.to_owned());
    if !json.chars().any(text::misleads) {
        return json;
    }
    // Such characters can only stand inside of strings, where an escape means the same.
    let mut out = String::with_capacity(json.len() + 16);
    let mut units = [0; 2];
    for c in json.chars() {
        if text::misleads(c) {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_with_a_type() {
        let json = line(&Event::PeerDown { peer: "abcd", name: "a\nb", reason: "it said goodbye", goodbye: true });
        assert_eq!(
            json,
            r#"{"type":"peer_down","peer":"abcd","name":"a\nb","reason":"it said goodbye","goodbye":true}"#
        );
    }

    #[test]
    fn an_offer_is_flat() {
        let item = Item {
            item: "x",
            name: "Quake",
            title: None,
            version: Some("1.0"),
            description: None,
            thumbnail: None,
            bytes: 7,
            files: 1,
        };
        let json = line(&Event::Offer { item, peers: vec![PeerRef { peer: "p".to_owned(), name: "n" }] });
        assert_eq!(
            json,
            r#"{"type":"offer","item":"x","name":"Quake","version":"1.0","bytes":7,"files":1,"peers":[{"peer":"p","name":"n"}]}"#
        );
    }

    #[test]
    fn what_drives_a_terminal_is_escaped_and_reads_back_the_same() {
        let evil = "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{e0041}";
        let json = line(&Event::Stopped { reason: evil });
        assert!(!json.chars().any(text::misleads), "{json:?}");
        let back: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!(back["reason"], evil);
    }
}
