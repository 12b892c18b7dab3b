//! How much memory bytes from a peer cost, measured with an allocator that counts. One test in a program of its own:
//! others at the same time would be counted too.

use moorline_proto::*;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What the documentation promises for a frame of [`MAX_FRAME`] bytes, the frame itself not counted.
const FRAME_COST: usize = 2 * MAX_FRAME;
/// And for the records of a page.
const PAGE_COST: usize = 1 << 20;

/// The most bytes that were allocated at once during `work`, beyond those before it.
fn cost<T>(work: impl FnOnce() -> T) -> (usize, T) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = work();
    (ALLOCATOR.peak_usage() - before, result)
}

/// As many copies of `unit` as a frame holds, in a field `outer` if that is given.
fn frame_full_of(unit: &[u8], outer: Option<u8>) -> Vec<u8> {
    let body = unit.repeat((MAX_FRAME - 16) / unit.len());
    let Some(number) = outer else { return body };
    let mut frame = vec![number << 3 | 2];
    let mut len = body.len();
    while len >= 0x80 {
        frame.push(len as u8 | 0x80);
        len >>= 7;
    }
    frame.push(len as u8);
    frame.extend(body);
    frame
}

/// A message field `number` with `body`, which is short.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, body.len() as u8], body].concat()
}

fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let summary = field(2, &[]);
    vec![
        ("empty capabilities", frame_full_of(&field(2, &[]), None)),
        ("empty capabilities of a reply", frame_full_of(&field(3, &[]), Some(1))),
        ("empty summaries", frame_full_of(&summary, Some(3))),
        ("pages of one empty summary", frame_full_of(&field(3, &summary), None)),
        ("pages and deltas in turn", frame_full_of(&[field(3, &summary), field(4, &field(4, &[]))].concat(), None)),
        ("empty upserts", frame_full_of(&field(4, &[]), Some(4))),
        ("empty removals", frame_full_of(&field(5, &[]), Some(4))),
        ("packed times", frame_full_of(&field(2, &[0; 100]), Some(6))),
        ("one list of packed times", [&[0x12][..], &frame_full_of(&[0], Some(2))[1..]].concat()),
        ("single times", frame_full_of(&[2 << 3, 0], Some(6))),
        ("single times, bare", frame_full_of(&[2 << 3, 0], None)),
        ("unknown fields", frame_full_of(&field(15, b"x"), None)),
        ("unknown fields inside", frame_full_of(&field(15, b"x"), Some(3))),
        ("groups", frame_full_of(&[15 << 3 | 3], None)),
        ("zeros", frame_full_of(&[0], None)),
        ("ones", frame_full_of(&[0xff], None)),
        ("names again and again", frame_full_of(&field(2, &[b'n'; 100]), None)),
        ("one long name", frame_full_of(b"n", Some(2))),
        ("one long reason", frame_full_of(b"r", Some(1))),
        ("a long head", frame_full_of(&[1], Some(5))),
    ]
}

/// Decodes a frame as one type of message, and says whether it is one.
type Decoder = fn(&[u8]) -> bool;

fn decoders() -> Vec<(&'static str, Decoder)> {
    vec![
        ("Hello", |frame| Hello::decode(frame).is_ok()),
        ("HelloAnswer", |frame| HelloAnswer::decode(frame).is_ok()),
        ("Introduce", |frame| Introduce::decode(frame).is_ok()),
        ("Admission", |frame| Admission::decode(frame).is_ok()),
        ("Request", |frame| Request::decode(frame).is_ok()),
        ("Response", |frame| Response::decode(frame).is_ok()),
        ("Goodbye", |frame| Goodbye::decode(frame).is_ok()),
        ("EncodedPage", |frame| EncodedPage::decode(frame).is_ok()),
    ]
}

/// Frames that are in order and cost the most.
fn expensive() -> Vec<(&'static str, Response)> {
    let summary = |number: usize, len: usize| {
        let mut id = [0; 32];
        id[31] = number as u8;
        ItemSummary {
            id: id.into(),
            name: "n".repeat(limits::MAX_NAME.min(len)),
            title: Some("t".repeat(limits::MAX_TITLE.min(len))),
            version: Some("v".repeat(limits::MAX_ITEM_VERSION.min(len))),
            description: Some("d".repeat(limits::MAX_DESCRIPTION.min(len))),
            bytes: 1,
            files: 1,
            thumbnail: None,
        }
    };
    let items = |len| (0..limits::MAX_ITEMS).map(|number| summary(number, len)).collect::<Vec<_>>();
    let delta = |len| {
        Response::Delta(LibraryDelta {
            from: 1,
            to: 2,
            reset: false,
            upserts: items(len),
            removed: vec![ItemId::from_bytes([1; 32]); limits::MAX_REMOVED],
        })
    };
    let page = PageRef { hash: Hash::of(b""), chunks: 0 };
    vec![
        ("long items", delta(usize::MAX)),
        ("short items", delta(1)),
        (
            "pages",
            Response::Manifest(ManifestHead {
                kind: ItemKind::Folder,
                pages: vec![page; MAX_PAGES],
                entries: 0,
                files: 0,
                bytes: 0,
                chunks: 0,
            }),
        ),
        (
            "times",
            Response::ManifestPage(EncodedPage {
                content: vec![1; PAGE_TARGET].into(),
                modified_ms: vec![1; PAGE_MAX_RECORDS],
            }),
        ),
    ]
}

#[test]
fn bytes_from_a_peer_cost_no_more_than_documented() {
    for (attack, frame) in attacks() {
        assert!(frame.len() <= MAX_FRAME && frame.len() > MAX_FRAME - 200, "{attack}");
        for (message, decode) in decoders() {
            let (cost, _) = cost(|| decode(&frame));
            assert!(cost <= FRAME_COST, "{attack} as {message}: {cost} bytes");
        }
    }
    for (what, response) in expensive() {
        let frame = response.encode();
        let (cost, decoded) = cost(|| Response::decode(&frame));
        assert_eq!(decoded, Ok(response));
        assert!(cost <= FRAME_COST, "{what}: {cost} bytes");
        println!("{what}: {cost} bytes for a frame of {}", frame.len());
    }
    frames_cost_what_has_arrived();
    records_of_a_page();
}

fn frames_cost_what_has_arrived() {
    // The header promises the most that is allowed, and one byte follows.
    let mut header = u32::try_from(MAX_FRAME).unwrap().to_be_bytes().to_vec();
    header.push(1);
    let (promised, _) = cost(|| {
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        assert_eq!(decoder.push(&header), 5);
        decoder
    });
    assert!(promised <= 8192, "{promised} bytes for a promise");
    // The longest frame, byte by byte: no more than itself and, while it grows, half of it again.
    let (whole, _) = cost(|| {
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        assert_eq!(decoder.push(&header), 5);
        for _ in 1..MAX_FRAME {
            assert_eq!(decoder.push(&[1]), 1);
        }
        decoder.next().unwrap().unwrap()
    });
    assert!(whole <= MAX_FRAME * 3 / 2 + 1024, "{whole} bytes for a frame");
}

fn records_of_a_page() {
    let name = |number: usize| RelPath::parse(&format!("{number:x}")).unwrap();
    let dirs = (0..PAGE_MAX_RECORDS).map(|number| Entry::Dir(name(number)));
    let file = |number| {
        Entry::File(FileEntry {
            path: name(number),
            size: 1,
            executable: false,
            hash: Hash::of(b""),
            modified_ms: 0,
            first_subtree: 0,
            subtrees: Vec::new(),
        })
    };
    let files = (0..PAGE_TARGET / 50).map(file);
    for entries in [dirs.collect::<Vec<_>>(), files.collect()] {
        let encoded = Page { entries }.encode();
        let (cost, page) = cost(|| Page::decode(&encoded));
        page.unwrap();
        assert!(cost <= PAGE_COST, "{cost} bytes for records");
        println!("{cost} bytes for the records of a page of {}", encoded.content.len());
    }
}
