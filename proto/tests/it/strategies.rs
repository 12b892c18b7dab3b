//! Arbitrary values of every type.

use bytes::Bytes;
use moorline_proto::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn line(max: usize) -> impl Strategy<Value = String> {
    any::<String>().prop_map(move |text| fit(&text, max, false))
}

fn lines(max: usize) -> impl Strategy<Value = String> {
    "(?s).{0,80}".prop_map(move |text| fit(&text, max, true))
}

/// Drops what would be refused.
fn fit(text: &str, max: usize, breaks: bool) -> String {
    let mut fitted = String::new();
    for c in text.chars() {
        let allowed = !c.is_control() || (breaks && matches!(c, '\n' | '\t'));
        if allowed && fitted.len() + c.len_utf8() <= max {
            fitted.push(c);
        }
    }
    fitted
}

fn blob(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=max).prop_map(Bytes::from)
}

fn item_id() -> impl Strategy<Value = ItemId> {
    any::<[u8; 32]>().prop_map(ItemId::from_bytes)
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash::from_bytes)
}

fn versions() -> impl Strategy<Value = VersionRange> {
    (1u32.., any::<u32>()).prop_map(|(one, other)| VersionRange { min: one.min(other.max(1)), max: one.max(other) })
}

fn capabilities() -> impl Strategy<Value = Vec<String>> {
    vec(line(limits::MAX_CAPABILITY), 0..4)
}

fn error_code() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![0u32..20, any::<u32>()].prop_map(ErrorCode::from_code)
}

fn digest() -> impl Strategy<Value = LibraryDigest> {
    (any::<u64>(), any::<u32>(), hash()).prop_map(|(revision, items, hash)| LibraryDigest { revision, items, hash })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    (error_code(), lines(limits::MAX_MESSAGE), versions()).prop_map(|(code, message, versions)| Refusal {
        code,
        message,
        versions,
    })
}

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    let pake = option::of(blob(limits::MAX_PAKE));
    (versions(), capabilities(), pake).prop_map(|(versions, capabilities, pake)| Hello { versions, capabilities, pake })
}

pub(crate) fn hello_answer() -> impl Strategy<Value = HelloAnswer> {
    let reply = (versions(), capabilities(), option::of(blob(limits::MAX_PAKE)), option::of(blob(limits::MAX_CONFIRM)));
    let reply = reply.prop_map(|(versions, capabilities, pake, confirm)| HelloReply {
        version: versions.max,
        versions,
        capabilities,
        pake,
        confirm,
    });
    prop_oneof![reply.prop_map(HelloAnswer::Reply), refusal().prop_map(HelloAnswer::Refused)]
}

pub(crate) fn introduce() -> impl Strategy<Value = Introduce> {
    let confirm = option::of(blob(limits::MAX_CONFIRM));
    let fields = (confirm, line(limits::MAX_NAME), line(limits::MAX_AGENT), any::<bool>());
    fields.prop_map(|(confirm, name, agent, serves)| Introduce { confirm, name, agent, serves })
}

pub(crate) fn admission() -> impl Strategy<Value = Admission> {
    let fields = (line(limits::MAX_NAME), line(limits::MAX_AGENT), any::<bool>(), digest());
    let welcome = fields.prop_map(|(name, agent, serves, digest)| Welcome { name, agent, serves, digest });
    prop_oneof![welcome.prop_map(Admission::Welcome), refusal().prop_map(Admission::Refused)]
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any::<u64>().prop_map(|nonce| Request::Ping { nonce }),
        option::of(item_id()).prop_map(|after| Request::ListItems { after }),
        any::<u64>().prop_map(|since| Request::WatchLibrary { since }),
        item_id().prop_map(|item| Request::Manifest { item }),
        (item_id(), 0..MAX_PAGES as u32, 1..=MAX_PAGES as u32).prop_map(|(item, first, count)| {
            Request::ManifestPages { item, first, count: count.min(MAX_PAGES as u32 - first) }
        }),
        (item_id(), 0..u64::MAX - u64::from(u32::MAX), 1u32..).prop_map(|(item, first, count)| Request::Chunks {
            item,
            first,
            count
        }),
        item_id().prop_map(|item| Request::Thumbnail { item }),
    ]
}

fn summary() -> impl Strategy<Value = ItemSummary> {
    let thumbnail = (line(limits::MAX_MEDIA_TYPE), 0..=limits::MAX_THUMBNAIL as u32, hash());
    let thumbnail = thumbnail.prop_map(|(media_type, bytes, hash)| Thumbnail { media_type, bytes, hash });
    let name = line(limits::MAX_NAME - 1).prop_map(|name| name + "x");
    let title = option::of(line(limits::MAX_TITLE));
    let version = option::of(line(limits::MAX_ITEM_VERSION));
    let description = option::of(lines(limits::MAX_DESCRIPTION));
    let texts = (name, title, version, description);
    let rest = (item_id(), any::<u64>(), any::<u64>(), option::of(thumbnail));
    (texts, rest).prop_map(|((name, title, version, description), rest)| ItemSummary {
        id: rest.0,
        name,
        title,
        version,
        description,
        bytes: rest.1,
        files: rest.2,
        thumbnail: rest.3,
    })
}

fn summaries() -> impl Strategy<Value = Vec<ItemSummary>> {
    vec(summary(), 0..5).prop_map(|mut items| {
        items.sort_by_key(|item| item.id);
        items.dedup_by_key(|item| item.id);
        items
    })
}

pub(crate) fn response() -> impl Strategy<Value = Response> {
    let error = (error_code(), lines(limits::MAX_MESSAGE));
    let page = (any::<u64>(), summaries(), any::<bool>());
    let removed = vec(item_id(), 0..10);
    let delta = (any::<u64>(), any::<u64>(), any::<bool>(), summaries(), removed);
    let thumbnail = (line(limits::MAX_MEDIA_TYPE), blob(1000));
    prop_oneof![
        error.prop_map(|(code, message)| Response::Error(PeerError { code, message })),
        (any::<u64>(), digest()).prop_map(|(nonce, digest)| Response::Pong { nonce, digest }),
        page.prop_map(|(revision, items, more)| Response::Items(ItemPage {
            revision,
            more: more && !items.is_empty(),
            items,
        })),
        delta.prop_map(|(from, to, reset, upserts, removed)| Response::Delta(LibraryDelta {
            from,
            to,
            reset,
            upserts,
            removed,
        })),
        manifest_head().prop_map(Response::Manifest),
        encoded_page().prop_map(Response::ManifestPage),
        any::<u64>().prop_map(|bytes| Response::Chunks { bytes }),
        thumbnail.prop_map(|(media_type, bytes)| Response::Thumbnail { media_type, bytes }),
    ]
}

pub(crate) fn goodbye() -> impl Strategy<Value = Goodbye> {
    lines(limits::MAX_REASON).prop_map(|reason| Goodbye { reason })
}

pub(crate) fn encoded_page() -> impl Strategy<Value = EncodedPage> {
    (blob(500), vec(any::<i64>(), 0..20)).prop_map(|(content, modified_ms)| EncodedPage { content, modified_ms })
}

pub(crate) fn manifest_head() -> impl Strategy<Value = ManifestHead> {
    let page = (hash(), any::<u32>()).prop_map(|(hash, chunks)| PageRef { hash, chunks });
    let fields = (vec(page, 0..20), any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>());
    fields.prop_map(|(pages, one, other, bytes, single)| ManifestHead {
        kind: if single { ItemKind::File } else { ItemKind::Folder },
        chunks: pages.iter().map(|page| u64::from(page.chunks)).sum(),
        pages,
        entries: if single { 1 } else { one.max(other) },
        files: if single { 1 } else { one.min(other) },
        bytes,
    })
}

/// A component from an alphabet small enough that components meet.
pub(crate) fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-cA-C]{1,3}",
        1 => "[a-z -.]{0,12}[a-zé日😀-]",
        1 => "\\PC{1,20}",
    ]
}

/// Paths as a folder scan would find them: sorted, without duplicates, most of them free of collisions.
pub(crate) fn rel_path() -> impl Strategy<Value = RelPath> {
    let text = vec(component(), 1..6).prop_map(|components| components.join("/"));
    text.prop_filter_map("not a path", |text| RelPath::parse(&text).ok())
}
