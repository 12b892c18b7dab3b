//! Whatever is shared, what peers get verifies.

use std::collections::BTreeMap;
use std::fs;

use moorline_proto::{CHUNK_SIZE, RelPath};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::support::{Fixture, content, file, only_item, paths, verify_chunks};

const CHUNK: usize = CHUNK_SIZE as usize;

/// Few letters, so that names collide, nest and sort in every way; among them some that sort below and above the separator.
fn path() -> impl Strategy<Value = String> {
    // Not `.` and `..`, which are no names, and would lead out of the folder.
    let name = "[ab.\\-ä]{1,3}".prop_filter("a name", |name| name != "." && name != "..");
    vec(name, 1..4).prop_map(|components| components.join("/"))
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => 0..2000usize,
        1 => Just(CHUNK - 1),
        1 => Just(CHUNK),
        1 => Just(CHUNK + 1),
        1 => CHUNK..3 * CHUNK,
    ]
}

#[derive(Clone, Debug)]
enum Node {
    File(usize),
    Folder,
}

fn tree() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let node = prop_oneof![4 => size().prop_map(Node::File), 1 => Just(Node::Folder)];
    btree_map(path(), node, 1..25)
}

/// Makes what the file system lets: a path may lead through what is a file already.
fn make(fixture: &Fixture, tree: &BTreeMap<String, Node>) {
    for (path, node) in tree {
        let full = fixture.path(path);
        if fs::create_dir_all(full.parent().unwrap()).is_err() {
            continue;
        }
        match node {
            Node::Folder => drop(fs::create_dir_all(full)),
            Node::File(size) if !full.is_dir() => fixture.write(path, content(*size, *size as u8)),
            Node::File(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_page_and_every_chunk_of_a_random_tree_verifies(first in tree(), second in tree()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new();
            fixture.write("zz-always", "something");
            let library = fixture.item_library();
            // The second round scans a tree of which a part is known.
            for tree in [&first, &second] {
                make(&fixture, tree);
                fixture.scan(&library).await;
                let item = only_item(&library);
                verify_chunks(&item);
                let listed = paths(&item);
                let sorted: Vec<RelPath> =
                    listed.iter().map(|path| RelPath::parse(path.trim_end_matches('/')).unwrap()).collect();
                assert!(sorted.is_sorted_by(|a, b| a < b), "{listed:?}");
                for path in &listed {
                    match path.strip_suffix('/') {
                        Some(folder) => assert!(fixture.path(folder).is_dir()),
                        None => {
                            let on_disk = fs::read(fixture.path(path)).unwrap();
                            assert_eq!(file(&item, path).hash.as_bytes(), blake3::hash(&on_disk).as_bytes());
                        }
                    }
                }
                // A library that never saw the tree before comes to the same item.
                let mut config = fixture.config(vec![moorline_runtime::library::ShareRoot::Item(fixture.shared())]);
                config.cache_dir = fixture.cache().with_extension("other");
                let fresh = moorline_runtime::library::Library::open(config).unwrap();
                fixture.scan(&fresh).await;
                assert_eq!(only_item(&fresh).id(), item.id());
            }
            assert_eq!(fixture.scan(&library).await.bytes_hashed, 0);
        });
    }
}
