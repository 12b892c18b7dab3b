//! The bytes on the wire do not change by accident. Implementations in other languages test against these snapshots.

use std::fmt::Write as _;

use moorline_proto::*;

use crate::samples;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_message_in_its_frame() {
    let mut vectors = String::new();
    for sample in samples::all() {
        let frame = encode_frame(&sample.payload, MAX_FRAME).unwrap();
        writeln!(vectors, "{}\n  value {}\n  frame {}", sample.name, sample.value, hex(&frame)).unwrap();
    }
    insta::assert_snapshot!("messages", vectors);
}

#[test]
fn a_manifest_and_its_item_id() {
    let (pages, head) = samples::manifest();
    assert_eq!(pages.len(), 1);
    let mut vectors = format!("head {head:#?}\nhead bytes {}\n", hex(&head.encode()));
    writeln!(vectors, "item id {}", head.item_id()).unwrap();
    for page in &pages {
        let decoded = Page::decode(page).unwrap();
        writeln!(vectors, "page hash {}", page.hash()).unwrap();
        writeln!(vectors, "page bytes {}", hex(&page.content)).unwrap();
        writeln!(vectors, "page times {:?}", page.modified_ms).unwrap();
        writeln!(vectors, "{decoded:#?}").unwrap();
        for chunk in decoded.chunks() {
            writeln!(vectors, "{chunk:?}").unwrap();
        }
    }
    insta::assert_snapshot!("manifest", vectors);
}

#[test]
fn item_ids_of_small_items() {
    let id = |builder: ManifestBuilder| builder.finish().unwrap().1.item_id();
    let file = |mut builder: ManifestBuilder| {
        let path = RelPath::parse("hello.txt").unwrap();
        let hash = Hash::of(b"hello");
        builder.push_file(path, 5, false, 0, hash, &[]).unwrap();
        builder
    };
    let mut folder = ManifestBuilder::new();
    folder.push_dir(RelPath::parse("saves").unwrap()).unwrap();
    let vectors = format!(
        "an empty folder {}\na folder with the empty folder \"saves\" {}\n\
         a folder with the file \"hello.txt\" that holds \"hello\" {}\nthat file itself {}\n",
        id(ManifestBuilder::new()),
        id(folder),
        id(file(ManifestBuilder::new())),
        id(file(ManifestBuilder::single_file())),
    );
    insta::assert_snapshot!("item_ids", vectors);
}

#[test]
fn identifiers_and_hashes_as_text() {
    let bytes: [u8; 32] = std::array::from_fn(|index| index as u8 * 8);
    let vectors = format!(
        "bytes {}\npeer id {}\nshort {}\nhash of nothing {}\n",
        hex(&bytes),
        PeerId::from_bytes(bytes),
        ItemId::from_bytes(bytes).short(),
        Hash::of(b"")
    );
    insta::assert_snapshot!("identifiers", vectors);
}
