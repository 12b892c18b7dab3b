//! What is encoded is decoded, at the limits too; what is newer is tolerated; what is over a limit is refused.

use bytes::Bytes;
use moorline_proto::*;
use proptest::prelude::*;

use crate::samples::{self, item, plain_summary};
use crate::strategies;

macro_rules! round_trips {
    ($($test:ident: $type:ident from $strategy:expr;)*) => {
        proptest! {$(
            #[test]
            fn $test(value in $strategy) {
                prop_assert_eq!($type::decode(&value.encode()), Ok(value));
            }
        )*}
    };
}

round_trips! {
    hello: Hello from strategies::hello();
    hello_answer: HelloAnswer from strategies::hello_answer();
    introduce: Introduce from strategies::introduce();
    admission: Admission from strategies::admission();
    request: Request from strategies::request();
    response: Response from strategies::response();
    goodbye: Goodbye from strategies::goodbye();
    encoded_page: EncodedPage from strategies::encoded_page();
    manifest_head: ManifestHead from strategies::manifest_head();
}

/// A field of each wire type, with a number that no message has.
const UNKNOWN_FIELDS: &[&[u8]] = &[
    b"\xc0\x3e\x96\x01",                         // varint
    b"\xc1\x3e\x01\x02\x03\x04\x05\x06\x07\x08", // 64 bit
    b"\xc2\x3e\x03abc",                          // bytes
    b"\xc5\x3e\x01\x02\x03\x04",                 // 32 bit
];

#[test]
fn fields_of_later_versions_are_ignored() {
    for sample in samples::all() {
        for unknown in UNKNOWN_FIELDS {
            let before = [unknown, &sample.payload[..]].concat();
            let after = [&sample.payload[..], unknown].concat();
            assert_eq!((sample.decode)(&before).as_ref(), Ok(&sample.value));
            assert_eq!((sample.decode)(&after).as_ref(), Ok(&sample.value));
        }
    }
}

#[test]
fn an_unknown_kind_is_told_from_a_broken_frame() {
    for unknown in UNKNOWN_FIELDS.iter().chain(&[&b""[..]]) {
        let unknown_kind = |error| matches!(error, DecodeError::UnknownKind(_));
        assert!(Request::decode(unknown).is_err_and(unknown_kind));
        assert!(Response::decode(unknown).is_err_and(unknown_kind));
        assert!(HelloAnswer::decode(unknown).is_err_and(unknown_kind));
        assert!(Admission::decode(unknown).is_err_and(unknown_kind));
    }
    let broken = Request::decode(&[0x0a, 200, 1]);
    assert!(matches!(broken, Err(DecodeError::Malformed(_))));
}

/// A summary in which every field has the most bytes that it may have.
fn longest_summary(number: usize) -> ItemSummary {
    let mut id = [0xff; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    ItemSummary {
        id: id.into(),
        name: "n".repeat(limits::MAX_NAME),
        title: Some("t".repeat(limits::MAX_TITLE)),
        version: Some("v".repeat(limits::MAX_ITEM_VERSION)),
        description: Some("d".repeat(limits::MAX_DESCRIPTION)),
        bytes: u64::MAX,
        files: u64::MAX,
        thumbnail: Some(Thumbnail {
            media_type: "m".repeat(limits::MAX_MEDIA_TYPE),
            bytes: limits::MAX_THUMBNAIL as u32,
            hash: Hash::of(b""),
        }),
    }
}

#[test]
fn the_longest_messages_fit_a_frame() {
    let items: Vec<_> = (0..limits::MAX_ITEMS).map(longest_summary).collect();
    let page = PageRef { hash: Hash::of(b""), chunks: u32::MAX };
    for response in [
        Response::Items(ItemPage { revision: u64::MAX, items: items.clone(), more: true }),
        Response::Delta(LibraryDelta {
            from: u64::MAX,
            to: u64::MAX,
            reset: true,
            upserts: items,
            removed: vec![item(255); limits::MAX_REMOVED],
        }),
        Response::Manifest(ManifestHead {
            kind: ItemKind::Folder,
            pages: vec![page; MAX_PAGES],
            entries: u64::MAX,
            files: u64::MAX,
            bytes: u64::MAX,
            chunks: u64::from(u32::MAX) * MAX_PAGES as u64,
        }),
        Response::ManifestPage(EncodedPage {
            content: vec![1; PAGE_TARGET].into(),
            modified_ms: vec![i64::MIN; PAGE_MAX_RECORDS],
        }),
        Response::Thumbnail {
            media_type: "m".repeat(limits::MAX_MEDIA_TYPE),
            bytes: vec![1; limits::MAX_THUMBNAIL].into(),
        },
    ] {
        let payload = response.encode();
        assert!(encode_frame(&payload, MAX_FRAME).is_ok());
        assert_eq!(Response::decode(&payload), Ok(response));
    }
}

#[test]
fn one_more_than_a_count_allows_is_refused() {
    let hello = |capabilities| Hello { versions: VERSIONS, capabilities: vec!["c".into(); capabilities], pake: None };
    let at_limit = hello(limits::MAX_CAPABILITIES);
    assert_eq!(Hello::decode(&at_limit.encode()), Ok(at_limit));
    let over = hello(limits::MAX_CAPABILITIES + 1);
    assert_too_many(Hello::decode(&over.encode()), "capabilities");

    let reply = HelloAnswer::Reply(HelloReply {
        version: 1,
        versions: VERSIONS,
        capabilities: over.capabilities,
        pake: None,
        confirm: None,
    });
    assert_too_many(HelloAnswer::decode(&reply.encode()), "capabilities");

    let items = (0..=limits::MAX_ITEMS).map(|number| ItemSummary { name: "n".into(), ..longest_summary(number) });
    let items: Vec<_> = items.collect();
    let listed = Response::Items(ItemPage { revision: 1, items: items.clone(), more: false });
    assert_too_many(Response::decode(&listed.encode()), "items");

    let delta = |upserts: &[ItemSummary], removed| {
        let delta =
            LibraryDelta { from: 0, to: 1, reset: false, upserts: upserts.to_vec(), removed: vec![item(1); removed] };
        Response::decode(&Response::Delta(delta).encode())
    };
    assert_too_many(delta(&items, 0), "upserts");
    assert_too_many(delta(&[], limits::MAX_REMOVED + 1), "removed");

    let page =
        Response::ManifestPage(EncodedPage { content: Bytes::new(), modified_ms: vec![0; PAGE_MAX_RECORDS + 1] });
    assert_too_many(Response::decode(&page.encode()), "modification times");
}

fn assert_too_many<T: std::fmt::Debug>(result: Result<T, DecodeError>, what: &str) {
    match result {
        Err(DecodeError::TooMany { field, .. }) => assert_eq!(field, what),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn one_more_than_a_length_allows_is_refused() {
    let bytes = |len| Some(Bytes::from(vec![1; len]));
    let hello = |len| {
        let hello = Hello { versions: VERSIONS, capabilities: vec![], pake: bytes(len) };
        Hello::decode(&hello.encode()).map(drop)
    };
    assert_edge("pake", limits::MAX_PAKE, hello);

    let capability = |len| {
        let hello = Hello { versions: VERSIONS, capabilities: vec!["c".repeat(len)], pake: None };
        Hello::decode(&hello.encode()).map(drop)
    };
    assert_edge("capabilities", limits::MAX_CAPABILITY, capability);

    let introduce = |confirm, name: usize, agent: usize| {
        let introduce =
            Introduce { confirm: bytes(confirm), name: "n".repeat(name), agent: "a".repeat(agent), serves: true };
        Introduce::decode(&introduce.encode()).map(drop)
    };
    assert_edge("confirm", limits::MAX_CONFIRM, |len| introduce(len, 1, 1));
    assert_edge("name", limits::MAX_NAME, |len| introduce(1, len, 1));
    assert_edge("agent", limits::MAX_AGENT, |len| introduce(1, 1, len));

    assert_edge("reason", limits::MAX_REASON, |len| {
        let reason = "r".repeat(len);
        Goodbye::decode(&Goodbye { reason }.encode()).map(drop)
    });
    assert_edge("message", limits::MAX_MESSAGE, |len| {
        let error = PeerError { code: ErrorCode::Busy, message: "m".repeat(len) };
        Response::decode(&Response::Error(error).encode()).map(drop)
    });
    assert_edge("thumbnail", limits::MAX_THUMBNAIL, |len| {
        let thumbnail = Response::Thumbnail { media_type: "image/png".into(), bytes: vec![1; len].into() };
        Response::decode(&thumbnail.encode()).map(drop)
    });
    assert_edge("manifest page", PAGE_TARGET, |len| {
        let page = EncodedPage { content: vec![1; len].into(), modified_ms: vec![] };
        EncodedPage::decode(&page.encode()).map(drop)
    });
}

#[test]
fn a_summary_can_be_checked_before_it_is_sent() {
    let with = |change: &dyn Fn(&mut ItemSummary, usize), len| {
        let mut summary = longest_summary(1);
        change(&mut summary, len);
        let checked = summary.check();
        let page = Response::Items(ItemPage { revision: 1, items: vec![summary], more: false });
        // What the maker is told is what a receiver would have said.
        assert_eq!(Response::decode(&page.encode()).map(drop), checked);
        checked
    };
    let text = |len| "x".repeat(len);
    assert_edge("item name", limits::MAX_NAME, |len| with(&|summary, len| summary.name = text(len), len));
    assert_edge("title", limits::MAX_TITLE, |len| with(&|summary, len| summary.title = Some(text(len)), len));
    assert_edge("version", limits::MAX_ITEM_VERSION, |len| {
        with(&|summary, len| summary.version = Some(text(len)), len)
    });
    assert_edge("description", limits::MAX_DESCRIPTION, |len| {
        with(&|summary, len| summary.description = Some(text(len)), len)
    });
    let thumbnail = |media_type: usize, bytes: usize| {
        Some(Thumbnail { media_type: text(media_type), bytes: bytes as u32, hash: Hash::of(b"") })
    };
    assert_edge("media type", limits::MAX_MEDIA_TYPE, |len| {
        with(&|summary, len| summary.thumbnail = thumbnail(len, 1), len)
    });
    assert_edge("thumbnail", limits::MAX_THUMBNAIL, |len| {
        with(&|summary, len| summary.thumbnail = thumbnail(1, len), len)
    });
    let nameless = with(&|summary, _| summary.name.clear(), 0);
    assert_eq!(nameless, Err(DecodeError::Missing("item name")));
}

fn assert_edge(what: &str, max: usize, decode: impl Fn(usize) -> Result<(), DecodeError>) {
    assert_eq!(decode(max), Ok(()), "{what} at its limit");
    match decode(max + 1) {
        Err(DecodeError::TooLong { field, len, .. }) => {
            assert_eq!((field, len), (what, max + 1));
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn text_that_would_steer_a_terminal_is_refused() {
    for bad in ["\x1b[2J", "a\0", "a\u{9b}31m", "a\rb", "two\nlines"] {
        let introduce = Introduce { confirm: None, name: bad.into(), agent: String::new(), serves: false };
        let refused = Introduce::decode(&introduce.encode());
        assert!(matches!(refused, Err(DecodeError::Control { field: "name", .. })), "{bad:?}");
        let summary = ItemSummary { name: bad.into(), ..plain_summary() };
        assert!(summary.check().is_err(), "{bad:?}");
    }
    let escape = Goodbye { reason: "\x1b]0;".into() };
    assert!(Goodbye::decode(&escape.encode()).is_err());
}

#[test]
fn numbers_that_nothing_matches_are_refused() {
    let pages = |first, count| Request::ManifestPages { item: item(1), first, count };
    let chunks = |first, count| Request::Chunks { item: item(1), first, count };
    let last = MAX_PAGES as u32 - 1;
    for good in [pages(0, 1), pages(last, 1), pages(0, last + 1), chunks(u64::MAX - 9, 9)] {
        assert_eq!(Request::decode(&good.encode()), Ok(good));
    }
    let over = [pages(0, 0), pages(last, 2), pages(u32::MAX, u32::MAX), chunks(0, 0), chunks(u64::MAX, 1)];
    for bad in over {
        let refused = Request::decode(&bad.encode());
        assert!(matches!(refused, Err(DecodeError::OutOfRange { .. })), "{bad:?}");
    }
    for versions in [(0, 0), (0, 1), (2, 1)] {
        let hello =
            Hello { versions: VersionRange { min: versions.0, max: versions.1 }, capabilities: vec![], pake: None };
        assert!(Hello::decode(&hello.encode()).is_err());
    }
    let picked_foreign = HelloAnswer::Reply(HelloReply {
        version: 2,
        versions: VERSIONS,
        capabilities: vec![],
        pake: None,
        confirm: None,
    });
    assert!(HelloAnswer::decode(&picked_foreign.encode()).is_err());
}

#[test]
fn a_listing_that_would_not_end_is_refused() {
    let listing = |items: &[ItemSummary], more| {
        let page = ItemPage { revision: 1, items: items.to_vec(), more };
        Response::decode(&Response::Items(page).encode())
    };
    let (one, two) = (samples::summary(), plain_summary());
    assert!(listing(&[one.clone(), two.clone()], true).is_ok());
    assert!(listing(&[], false).is_ok());
    assert!(listing(&[], true).is_err());
    assert!(listing(&[two.clone(), one], true).is_err());
    assert!(listing(&[two.clone(), two], true).is_err());
}
