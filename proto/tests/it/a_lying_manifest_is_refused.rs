//! A head and pages whose hashes all fit, made by somebody who lies in them.

use moorline_proto::*;

use crate::a_manifest_describes_its_item::{build, dir, file};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn small(name: &str) -> FileEntry {
    FileEntry {
        path: path(name),
        size: 1,
        executable: false,
        hash: Hash::of(b"x"),
        modified_ms: 0,
        first_subtree: 0,
        subtrees: Vec::new(),
    }
}

/// A file of three chunks, honest.
fn large(name: &str) -> FileEntry {
    let (pages, _) = build(&[file(name, 2 * CHUNK_SIZE + 1)]);
    match Page::decode(&pages[0]).unwrap().entries.remove(0) {
        Entry::File(file) => file,
        other => panic!("{other:?}"),
    }
}

/// The part of a large file's record from value `first` to before `end`.
fn part(file: &FileEntry, first: usize, end: usize) -> Entry {
    Entry::File(FileEntry { first_subtree: first as u64, subtrees: file.subtrees[first..end].to_vec(), ..file.clone() })
}

/// A head that vouches for `pages`, with sums as they are.
fn head_of(pages: &[EncodedPage]) -> ManifestHead {
    let mut head =
        ManifestHead { kind: ItemKind::Folder, pages: Vec::new(), entries: 0, files: 0, bytes: 0, chunks: 0 };
    for encoded in pages {
        let page = Page::decode(encoded).unwrap_or(Page { entries: vec![] });
        let chunks = page.chunks().len() as u32;
        head.chunks += u64::from(chunks);
        head.pages.push(PageRef { hash: encoded.hash(), chunks });
        for entry in &page.entries {
            let (files, bytes) = match entry {
                Entry::File(file) if file.first_subtree == 0 => (1, file.size),
                Entry::Dir(_) => (0, 0),
                Entry::File(_) => continue,
            };
            head.entries += 1;
            head.files += files;
            head.bytes = head.bytes.saturating_add(bytes);
        }
    }
    head
}

fn verify(head: &ManifestHead, pages: &[EncodedPage]) -> Result<(), ManifestError> {
    let mut verifier = ManifestVerifier::new(head);
    for page in pages {
        if let Err(error) = verifier.push(page) {
            // It stays failed, whatever comes.
            assert_eq!(verifier.push(page), Err(error.clone()));
            assert_eq!(verifier.finish(), Err(error.clone()));
            return Err(error);
        }
    }
    verifier.finish()
}

/// Verifies pages of these records, under a head that is right about them.
fn verify_records(pages: &[&[Entry]]) -> Result<(), ManifestError> {
    let encode = |entries: &&[Entry]| Page { entries: entries.to_vec() }.encode();
    let pages: Vec<_> = pages.iter().map(encode).collect();
    verify(&head_of(&pages), &pages)
}

fn names(names: &[&str]) -> Vec<Entry> {
    names.iter().map(|name| Entry::File(small(name))).collect()
}

/// Checks a result against a pattern.
macro_rules! assert_refused {
    ($result:expr, $pattern:pat) => {
        let result = $result;
        assert!(matches!(result, Err($pattern)), "{result:?}");
    };
}

#[test]
fn honest_records_pass() {
    let big = large("b");
    let whole = [Entry::File(small("a")), Entry::File(big.clone()), Entry::Dir(path("c"))];
    assert_eq!(verify_records(&[&whole]), Ok(()));
    let torn: [&[Entry]; 2] = [&[Entry::File(small("a")), part(&big, 0, 2)], &[part(&big, 2, 3)]];
    assert_eq!(verify_records(&torn), Ok(()));
}

#[test]
fn bad_paths() {
    for bad in ["../x", "/etc/passwd", "C:\\x", "a:b", "a\0", "CON.txt", "com¹", "a.", "a ", "", "a//b"] {
        let honest = Page { entries: names(&["p"]) }.encode();
        // The same record with another path in it.
        let mut content = honest.content[..2].to_vec();
        content.extend_from_slice(&(bad.len() as u16).to_be_bytes());
        content.extend_from_slice(bad.as_bytes());
        content.extend_from_slice(&honest.content[5..]);
        let lying = EncodedPage { content: content.into(), ..honest };
        assert_refused!(verify(&head_of(std::slice::from_ref(&lying)), &[lying]), ManifestError::Path(_));
    }
}

#[test]
fn order_and_duplicates() {
    use PathCollision::*;
    assert_refused!(verify_records(&[&names(&["b", "a"])]), ManifestError::Unsorted { .. });
    assert_refused!(verify_records(&[&names(&["b"]), &names(&["a"])]), ManifestError::Unsorted { .. });
    assert_refused!(verify_records(&[&names(&["a-b", "a/b"])]), ManifestError::Unsorted { .. });
    assert_refused!(verify_records(&[&names(&["a", "a"])]), ManifestError::Collision(Duplicate(_)));
    assert_refused!(verify_records(&[&names(&["a"]), &names(&["a"])]), ManifestError::Collision(Duplicate(_)));
}

#[test]
fn collisions() {
    use PathCollision::*;
    for pair in [["A", "a"], ["A/x", "a/y"], ["e\u{301}", "é"], ["STRASSE", "straße"], ["x/Q/1", "x/q"]] {
        assert_refused!(verify_records(&[&names(&pair)]), ManifestError::Collision(Spelling(_)));
        assert_refused!(
            verify_records(&[&names(&pair[..1]), &names(&pair[1..])]),
            ManifestError::Collision(Spelling(_))
        );
    }
    assert_refused!(verify_records(&[&names(&["a", "a/b"])]), ManifestError::Collision(FileAndFolder(_)));
    let in_empty_folder = [Entry::Dir(path("a")), Entry::File(small("a/b"))];
    assert_refused!(verify_records(&[&in_empty_folder]), ManifestError::FolderNotEmpty { .. });
}

#[test]
fn hashes_that_the_subtree_values_do_not_give() {
    let mut wrong_hash = large("a");
    wrong_hash.hash = Hash::of(b"else");
    assert_refused!(verify_records(&[&[Entry::File(wrong_hash)]]), ManifestError::WrongRoot { .. });

    let mut wrong_value = large("a");
    wrong_value.subtrees[1][0] ^= 1;
    assert_refused!(verify_records(&[&[Entry::File(wrong_value)]]), ManifestError::WrongRoot { .. });

    let mut swapped = large("a");
    swapped.subtrees.swap(0, 1);
    assert_refused!(verify_records(&[&[Entry::File(swapped)]]), ManifestError::WrongRoot { .. });

    let mut empty = small("a");
    empty.size = 0;
    assert_refused!(verify_records(&[&[Entry::File(empty)]]), ManifestError::WrongRoot { .. });
}

#[test]
fn too_few_too_many_or_other_subtree_values() {
    let big = large("b");
    let refused = |pages: &[&[Entry]]| {
        assert_refused!(verify_records(pages), ManifestError::Subtrees { .. });
    };
    refused(&[&[part(&big, 0, 2)]]); // never completed
    refused(&[&[part(&big, 1, 3)]]); // the beginning is missing
    refused(&[&[part(&big, 0, 1)], &[part(&big, 2, 3)]]); // a gap
    refused(&[&[part(&big, 0, 2)], &[part(&big, 1, 3)]]); // an overlap
    refused(&[&[part(&big, 0, 2), part(&big, 2, 3)]]); // twice on one page
    refused(&[&[part(&big, 0, 2)], &[Entry::File(small("c")), part(&big, 2, 3)]]); // something between
    refused(&[&[part(&big, 0, 2)], &[Entry::Dir(path("c")), part(&big, 2, 3)]]);
    refused(&[&[part(&big, 0, 2), Entry::Dir(path("c"))]]);

    let mut more = big.clone();
    more.subtrees.push([0; 32]);
    refused(&[&[Entry::File(more)]]);
    let mut none = big.clone();
    none.subtrees.clear();
    refused(&[&[Entry::File(none)]]);
    let mut far = big.clone();
    far.first_subtree = u64::MAX;
    refused(&[&[Entry::File(far)]]);

    // The second part belongs to a file that says something else of itself.
    for change in [
        |file: &mut FileEntry| file.size += 1,
        |file: &mut FileEntry| file.executable = !file.executable,
        |file: &mut FileEntry| file.hash = Hash::of(b"else"),
    ] {
        let mut other = big.clone();
        change(&mut other);
        refused(&[&[part(&big, 0, 2)], &[part(&other, 2, 3)]]);
    }
}

#[test]
fn sizes_that_cannot_be() {
    let mut huge = large("a");
    huge.size = u64::MAX;
    assert_refused!(verify_records(&[&[Entry::File(huge)]]), ManifestError::FileTooLarge { .. });

    let mut largest = large("a");
    largest.size = MAX_FILE_SIZE; // allowed, but its values will never come
    assert_refused!(verify_records(&[&[Entry::File(largest)]]), ManifestError::Subtrees { .. });

    let mut with_size = large("a");
    with_size.size -= 1; // one chunk less, with the values of three
    assert_refused!(verify_records(&[&[Entry::File(with_size)]]), ManifestError::Subtrees { .. });
}

#[test]
fn sums_that_lie_either_way() {
    let (pages, honest) = build(&[file("a", 10), dir("b"), file("c", 2 * CHUNK_SIZE)]);
    assert_eq!(verify(&honest, &pages), Ok(()));
    for step in [1u64, u64::MAX] {
        let lie = |change: &dyn Fn(&mut ManifestHead)| {
            let mut head = honest.clone();
            change(&mut head);
            verify(&head, &pages)
        };
        let entries = lie(&|head| head.entries = head.entries.wrapping_add(step));
        assert_refused!(entries, ManifestError::Totals { what: "entries", .. });
        let files = lie(&|head| head.files = head.files.wrapping_add(step));
        assert_refused!(files, ManifestError::Totals { what: "files", .. });
        let bytes = lie(&|head| head.bytes = head.bytes.wrapping_add(step));
        assert_refused!(bytes, ManifestError::Totals { what: "bytes", .. });
        let chunks = lie(&|head| {
            head.pages[0].chunks = head.pages[0].chunks.wrapping_add(step as u32);
            head.chunks = head.chunks.wrapping_add(step);
        });
        assert_refused!(chunks, ManifestError::Totals { what: "chunks in a page", .. });
    }
}

#[test]
fn a_head_that_contradicts_itself() {
    let (_, honest) = build(&[file("a", 10), dir("b")]);
    let verify = |change: &dyn Fn(&mut ManifestHead)| {
        let mut head = honest.clone();
        change(&mut head);
        let decoded = ManifestHead::decode(&head.encode());
        let verified = head.verify(&head.item_id());
        assert_eq!(decoded.map(drop), verified);
        verified
    };
    assert_eq!(verify(&|_| {}), Ok(()));
    assert_refused!(verify(&|head| head.chunks += 1), ManifestError::Totals { .. });
    assert_refused!(verify(&|head| head.files = 3), ManifestError::Totals { .. });
    assert_refused!(verify(&|head| head.kind = ItemKind::File), ManifestError::NotOneFile);

    let pages = |count| {
        move |head: &mut ManifestHead| {
            head.chunks = count as u64;
            head.pages = vec![head.pages[0]; count];
        }
    };
    assert_eq!(verify(&pages(MAX_PAGES)), Ok(()));
    assert_refused!(verify(&pages(MAX_PAGES + 1)), ManifestError::TooManyPages { max: MAX_PAGES });

    let another = ItemId::from_bytes([1; 32]);
    assert_refused!(honest.verify(&another), ManifestError::WrongItem { .. });
}

#[test]
fn pages_that_are_not_the_ones_promised() {
    let many: Vec<_> = (0..5000).map(|number| dir(&format!("{number:05}"))).collect();
    let (pages, head) = build(&many);
    assert_eq!(pages.len(), 2);
    assert_eq!(verify(&head, &pages), Ok(()));
    assert_refused!(verify(&head, &pages[..1]), ManifestError::Incomplete { missing: 1 });
    assert_refused!(verify(&head, &pages[1..]), ManifestError::WrongPage { page: 0, .. });
    let mut extra = pages.clone();
    extra.push(pages[1].clone());
    assert_refused!(verify(&head, &extra), ManifestError::TooManyPages { max: 2 });
    let mut flipped = pages;
    let mut content = flipped[1].content.to_vec();
    content[77] ^= 1;
    flipped[1].content = content.into();
    assert_refused!(verify(&head, &flipped), ManifestError::WrongPage { page: 1, .. });
}

#[test]
fn a_page_that_breaks_the_layout() {
    let honest = Page { entries: vec![Entry::Dir(path("d")), Entry::File(large("f"))] };
    let honest = honest.encode();
    let decode = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut content = honest.content.to_vec();
        change(&mut content);
        Page::decode(&EncodedPage { content: content.into(), modified_ms: honest.modified_ms.clone() })
    };
    assert!(decode(&|_| {}).is_ok());
    let layout = |change: &dyn Fn(&mut Vec<u8>)| {
        assert_refused!(decode(change), ManifestError::Layout { part: "page", .. });
    };
    layout(&|content| content[0] = 2); // another layout
    layout(&|content| content.clear());
    layout(&|content| content.truncate(1)); // no records
    layout(&|content| content[1] = 2); // another kind of record
    layout(&|content| content[3] = 0xff); // a path that goes on behind the end
    layout(&|content| content[4] = 0xff); // not UTF-8
    layout(&|content| content[9] = 2); // flags
    layout(&|content| content.push(0)); // half a record
    for len in 1..honest.content.len() {
        let cut = decode(&|content| content.truncate(len));
        assert!(cut.is_err() || len == 5, "{len}"); // after 5 bytes a record ends; the times are wrong then
    }
    for times in [0, 2] {
        let page = EncodedPage { modified_ms: vec![0; times], ..honest.clone() };
        assert_refused!(Page::decode(&page), ManifestError::Times { files: 1, .. });
    }
}

#[test]
fn the_limits_of_a_page_themselves_pass_and_one_more_does_not() {
    let page = |records: usize| {
        let name = |number| Entry::Dir(path(&format!("{number:05}")));
        Page { entries: (0..records).map(name).collect() }.encode()
    };
    assert!(Page::decode(&page(PAGE_MAX_RECORDS)).is_ok());
    assert_refused!(Page::decode(&page(PAGE_MAX_RECORDS + 1)), ManifestError::Layout { .. });

    let mut entries: Vec<_> = (0..1023).map(|n| Entry::File(small(&format!("{n:084}")))).collect();
    entries.push(Entry::File(small(&"z".repeat(83))));
    let full = Page { entries: entries.clone() };
    assert_eq!(full.encode().content.len(), PAGE_TARGET);
    assert!(Page::decode(&full.encode()).is_ok());
    entries.pop();
    entries.push(Entry::File(small(&"z".repeat(84))));
    assert_refused!(Page::decode(&Page { entries }.encode()), ManifestError::Layout { .. });
}

#[test]
fn an_item_that_is_said_to_be_one_file() {
    let as_file = |entries: Vec<Entry>| {
        let pages = [Page { entries }.encode()];
        let mut head = head_of(&pages);
        head.kind = ItemKind::File;
        (head.entries, head.files) = (1, 1);
        verify(&head, &pages)
    };
    assert_eq!(as_file(names(&["a"])), Ok(()));
    assert_refused!(as_file(names(&["a/b"])), ManifestError::NotOneFile);
    assert_refused!(as_file(vec![Entry::Dir(path("a"))]), ManifestError::NotOneFile);
    assert_refused!(as_file(names(&["a", "b"])), ManifestError::Totals { .. });
}

#[test]
fn the_builder_refuses_what_a_verifier_would() {
    let push = |name: &str, size, hash, subtrees: &[[u8; 32]]| {
        ManifestBuilder::new().push_file(path(name), size, false, 0, hash, subtrees)
    };
    let big = large("a");
    assert_eq!(push("a", big.size, big.hash, &big.subtrees), Ok(()));
    assert_refused!(push("a", big.size, big.hash, &big.subtrees[1..]), ManifestError::Subtrees { .. });
    assert_refused!(push("a", 1, big.hash, &big.subtrees), ManifestError::Subtrees { .. });
    assert_refused!(push("a", big.size, Hash::of(b""), &big.subtrees), ManifestError::WrongRoot { .. });
    assert_refused!(push("a", 0, Hash::of(b"x"), &[]), ManifestError::WrongRoot { .. });
    assert_refused!(push("a", u64::MAX, Hash::of(b""), &[]), ManifestError::FileTooLarge { .. });

    let mut single = ManifestBuilder::single_file();
    assert_refused!(single.push_dir(path("a")), ManifestError::NotOneFile);
    let hash = Hash::of(b"x");
    assert_refused!(single.push_file(path("a/b"), 1, false, 0, hash, &[]), ManifestError::NotOneFile);
    single.push_file(path("a"), 1, false, 0, hash, &[]).unwrap();
    assert_refused!(single.push_file(path("b"), 1, false, 0, hash, &[]), ManifestError::NotOneFile);
    assert_refused!(ManifestBuilder::single_file().finish(), ManifestError::NotOneFile);
}
