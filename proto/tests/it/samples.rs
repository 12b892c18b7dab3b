//! One value of every message, for vectors and for mutations.

use std::fmt::Debug;

use bytes::Bytes;
use moorline_proto::*;

/// A message of some type, and how to read that type.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) payload: Bytes,
    /// The debug form of what `&[u8]` decodes to.
    pub(crate) decode: fn(&[u8]) -> Result<String, DecodeError>,
}

fn shown<T: Debug>(value: T) -> String {
    format!("{value:?}")
}

macro_rules! samples {
    ($($name:literal: $type:ident = $value:expr;)*) => {
        vec![$({
            let value: $type = $value;
            Sample {
                name: $name,
                payload: value.encode(),
                value: shown(value),
                decode: |frame| $type::decode(frame).map(shown),
            }
        }),*]
    };
}

pub(crate) fn item(byte: u8) -> ItemId {
    ItemId::from_bytes([byte; 32])
}

pub(crate) fn digest() -> LibraryDigest {
    LibraryDigest { revision: 7, items: 2, hash: Hash::from_bytes([0xd1; 32]) }
}

pub(crate) fn summary() -> ItemSummary {
    ItemSummary {
        id: item(1),
        name: "Quake".into(),
        title: Some("Quake, the café edition ☕".into()),
        version: Some("1.06".into()),
        description: Some("Two lines:\n\tboth kept.".into()),
        bytes: 1_073_741_824,
        files: 312,
        thumbnail: Some(Thumbnail { media_type: "image/png".into(), bytes: 131_072, hash: Hash::of(b"picture") }),
    }
}

pub(crate) fn plain_summary() -> ItemSummary {
    ItemSummary {
        id: item(2),
        name: "maps.zip".into(),
        title: None,
        version: None,
        description: None,
        bytes: 0,
        files: 1,
        thumbnail: None,
    }
}

fn refusal() -> Refusal {
    Refusal {
        code: ErrorCode::UnsupportedVersion,
        message: "this peer speaks version 2, you speak 1".into(),
        versions: VersionRange { min: 2, max: 2 },
    }
}

/// A manifest with an empty folder, an empty file, a small one and a large one.
pub(crate) fn manifest() -> (Vec<EncodedPage>, ManifestHead) {
    let large = vec![0x5a; 2 * CHUNK_SIZE as usize + 1];
    let mut hasher = FileHasher::new();
    hasher.update(&large);
    let (hash, subtrees, size) = hasher.finish();
    let path = |text| RelPath::parse(text).unwrap();
    let mut builder = ManifestBuilder::new();
    let hello = Hash::of(b"hello");
    builder.push_file(path("bin/run"), 5, true, 1_700_000_000_123, hello, &[]).unwrap();
    builder.push_file(path("data/é.pak"), size, false, -1, hash, &subtrees).unwrap();
    builder.push_file(path("empty"), 0, false, 0, Hash::of(b""), &[]).unwrap();
    builder.push_dir(path("saves")).unwrap();
    builder.finish().unwrap()
}

pub(crate) fn all() -> Vec<Sample> {
    let (pages, head) = manifest();
    samples! {
        "Hello": Hello = Hello {
            versions: VersionRange { min: 1, max: 3 },
            capabilities: vec!["future".into(), "x-test".into()],
            pake: Some(Bytes::from_static(&[0xaa; 33])),
        };
        "Hello, open": Hello = Hello { versions: VERSIONS, capabilities: vec![], pake: None };
        "HelloAnswer, reply": HelloAnswer = HelloAnswer::Reply(HelloReply {
            version: 1,
            versions: VersionRange { min: 1, max: 1 },
            capabilities: vec!["future".into()],
            pake: Some(Bytes::from_static(&[0xbb; 33])),
            confirm: Some(Bytes::from_static(&[0xcc; 32])),
        });
        "HelloAnswer, refused": HelloAnswer = HelloAnswer::Refused(refusal());
        "Introduce": Introduce = Introduce {
            confirm: Some(Bytes::from_static(&[0xdd; 32])),
            name: "Ada's machine".into(),
            agent: "moorline/0.1.0".into(),
            serves: true,
        };
        "Introduce, shy": Introduce = Introduce {
            confirm: None,
            name: String::new(),
            agent: String::new(),
            serves: false,
        };
        "Admission, welcome": Admission = Admission::Welcome(Welcome {
            name: "Grace".into(),
            agent: "moorline/0.1.0".into(),
            serves: true,
            digest: digest(),
        });
        "Admission, refused": Admission = Admission::Refused(Refusal {
            code: ErrorCode::Unknown(99),
            ..refusal()
        });
        "Request, ping": Request = Request::Ping { nonce: 0x0102_0304_0506_0708 };
        "Request, list": Request = Request::ListItems { after: None };
        "Request, list on": Request = Request::ListItems { after: Some(item(3)) };
        "Request, watch": Request = Request::WatchLibrary { since: 300 };
        "Request, manifest": Request = Request::Manifest { item: item(4) };
        "Request, pages": Request = Request::ManifestPages { item: item(5), first: 1, count: 4095 };
        "Request, chunks": Request = Request::Chunks { item: item(6), first: u64::MAX - 1, count: 1 };
        "Request, thumbnail": Request = Request::Thumbnail { item: item(7) };
        "Response, error": Response = Response::Error(PeerError {
            code: ErrorCode::NotFound,
            message: "no such item".into(),
        });
        "Response, pong": Response = Response::Pong { nonce: u64::MAX, digest: LibraryDigest::default() };
        "Response, items": Response = Response::Items(ItemPage {
            revision: 7,
            items: vec![summary(), plain_summary()],
            more: true,
        });
        "Response, no items": Response = Response::Items(ItemPage { revision: 0, items: vec![], more: false });
        "Response, delta": Response = Response::Delta(LibraryDelta {
            from: 6,
            to: 7,
            reset: false,
            upserts: vec![plain_summary()],
            removed: vec![item(8), item(9)],
        });
        "Response, reset": Response = Response::Delta(LibraryDelta {
            from: 0,
            to: 900,
            reset: true,
            upserts: vec![],
            removed: vec![],
        });
        "Response, manifest": Response = Response::Manifest(head);
        "Response, page": Response = Response::ManifestPage(pages[0].clone());
        "Response, chunks": Response = Response::Chunks { bytes: 2_097_153 };
        "Response, thumbnail": Response = Response::Thumbnail {
            media_type: "image/png".into(),
            bytes: Bytes::from_static(b"\x89PNG"),
        };
        "EncodedPage": EncodedPage = pages[0].clone();
        "Goodbye": Goodbye = Goodbye { reason: "the harbour closes".into() };
        "Goodbye, silent": Goodbye = Goodbye { reason: String::new() };
    }
}
