//! No bytes panic, and what is accepted is accepted in one form only.

use moorline_proto::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::samples;

/// Everything that reads bytes from a peer.
fn decode_as_everything(bytes: &[u8]) {
    let _ = Hello::decode(bytes);
    let _ = HelloAnswer::decode(bytes);
    let _ = Introduce::decode(bytes);
    let _ = Admission::decode(bytes);
    let _ = Request::decode(bytes);
    let _ = Response::decode(bytes);
    let _ = Goodbye::decode(bytes);
    let _ = EncodedPage::decode(bytes);
    decode_head(bytes);
    decode_page(bytes, &[]);
}

fn decode_head(bytes: &[u8]) {
    if let Ok(head) = ManifestHead::decode(bytes) {
        assert_eq!(head.encode(), bytes, "one head, one form");
        let _ = head.page_of_chunk(head.chunks);
    }
}

fn decode_page(content: &[u8], modified_ms: &[i64]) {
    let encoded = EncodedPage { content: content.to_vec().into(), modified_ms: modified_ms.to_vec() };
    let Ok(page) = Page::decode(&encoded) else {
        return;
    };
    assert_eq!(page.encode(), encoded, "one page, one form");
    for chunk in page.chunks() {
        assert!(chunk.len <= CHUNK_SIZE);
        assert!(page.verify_chunk(&chunk, &[]).is_err() || chunk.len == 0);
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ];
    vec(one, 1..4)
}

fn apply(bytes: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damage {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[from.min(to)..=from.max(to)].to_vec();
                bytes.extend(part);
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..600)) {
        decode_as_everything(&bytes);
    }

    /// Bytes that are keys and lengths more often than chance would have it.
    #[test]
    fn bytes_that_look_like_fields(bytes in vec(prop_oneof![0u8..48, any::<u8>()], 0..200)) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn damaged_messages(which: Index, damage in damage()) {
        let samples = samples();
        let sample = &samples[which.index(samples.len())];
        let damaged = apply(sample, &damage);
        decode_as_everything(&damaged);
        let mut decoder = FrameDecoder::new(1000);
        let taken = decoder.push(&damaged);
        prop_assert!(taken <= damaged.len() && decoder.buffered() <= 1004);
    }

    #[test]
    fn damaged_manifests(damage in damage()) {
        let (pages, head) = manifest();
        decode_head(&apply(head, &damage));
        for page in pages {
            decode_page(&apply(&page.content, &damage), &page.modified_ms);
        }
    }
}

/// Made once: hashing three MiB for each case would be most of the test.
fn samples() -> &'static [bytes::Bytes] {
    static SAMPLES: std::sync::OnceLock<Vec<bytes::Bytes>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(|| samples::all().into_iter().map(|sample| sample.payload).collect())
}

fn manifest() -> (&'static [EncodedPage], &'static [u8]) {
    static MANIFEST: std::sync::OnceLock<(Vec<EncodedPage>, Vec<u8>)> = std::sync::OnceLock::new();
    let (pages, head) = MANIFEST.get_or_init(|| {
        let (pages, head) = samples::manifest();
        (pages, head.encode().to_vec())
    });
    (pages, head)
}
