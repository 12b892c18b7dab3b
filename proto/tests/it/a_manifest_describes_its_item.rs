//! From entries to pages, a head and chunks, and back, whatever the entries are.

use blake3::hazmat::{Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};
use moorline_proto::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::strategies::rel_path;

/// An entry before it is in a manifest; `None` is an empty folder.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) path: RelPath,
    pub(crate) file: Option<FileSpec>,
}

#[derive(Debug, Clone)]
pub(crate) struct FileSpec {
    pub(crate) size: u64,
    pub(crate) executable: bool,
    pub(crate) modified_ms: i64,
}

impl FileSpec {
    /// Values nobody ever hashed anything to, different for every file and chunk.
    pub(crate) fn subtrees(&self, path: &RelPath) -> Vec<[u8; 32]> {
        let count = if self.size <= CHUNK_SIZE { 0 } else { self.size.div_ceil(CHUNK_SIZE) };
        let value = |number| *blake3::hash(format!("{path} {number}").as_bytes()).as_bytes();
        (0..count).map(value).collect()
    }

    /// The hash that these values give; of small files, any.
    pub(crate) fn hash(&self, path: &RelPath) -> Hash {
        match self.size {
            0 => Hash::of(b""),
            size if size <= CHUNK_SIZE => Hash::of(path.as_str().as_bytes()),
            size => root(&self.subtrees(path), size),
        }
    }
}

/// BLAKE3's tree as its paper draws it, top down: nothing in common with how the crate does it.
fn root(values: &[[u8; 32]], size: u64) -> Hash {
    let (left, right) = halves(values, size);
    Hash::from_bytes(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
}

fn halves(values: &[[u8; 32]], size: u64) -> ([u8; 32], [u8; 32]) {
    let left_size = left_subtree_len(size);
    let (left, right) = values.split_at((left_size / CHUNK_SIZE) as usize);
    (subtree(left, left_size), subtree(right, size - left_size))
}

fn subtree(values: &[[u8; 32]], size: u64) -> [u8; 32] {
    if let [value] = values {
        return *value;
    }
    let (left, right) = halves(values, size);
    merge_subtrees_non_root(&left, &right, Mode::Hash)
}

pub(crate) fn push(builder: &mut ManifestBuilder, spec: &Spec) -> Result<(), ManifestError> {
    let path = spec.path.clone();
    let Some(file) = &spec.file else {
        return builder.push_dir(path);
    };
    let (hash, subtrees) = (file.hash(&path), file.subtrees(&path));
    builder.push_file(path, file.size, file.executable, file.modified_ms, hash, &subtrees)
}

pub(crate) fn build(specs: &[Spec]) -> (Vec<EncodedPage>, ManifestHead) {
    let mut builder = ManifestBuilder::new();
    let mut pages = Vec::new();
    for spec in specs {
        push(&mut builder, spec).unwrap();
        pages.extend(builder.take_pages());
    }
    let (rest, head) = builder.finish().unwrap();
    pages.extend(rest);
    (pages, head)
}

pub(crate) fn file(path: &str, size: u64) -> Spec {
    Spec {
        path: RelPath::parse(path).unwrap(),
        file: Some(FileSpec { size, executable: size % 2 == 1, modified_ms: size as i64 - 1000 }),
    }
}

pub(crate) fn dir(path: &str) -> Spec {
    let path = RelPath::parse(path).unwrap();
    Spec { path, file: None }
}

/// Everything that must hold of a manifest made from `specs`.
fn check(specs: &[Spec]) -> (Vec<Page>, ManifestHead) {
    let (encoded, head) = build(specs);
    assert_eq!(head.pages.len(), encoded.len());
    head.verify(&head.item_id()).unwrap();
    assert_eq!(ManifestHead::decode(&head.encode()), Ok(head.clone()));

    let mut verifier = ManifestVerifier::new(&head);
    let verified = encoded.iter().map(|page| verifier.push(page).unwrap());
    let pages: Vec<Page> = verified.collect();
    verifier.finish().unwrap();

    for (page, encoded) in pages.iter().zip(&encoded) {
        assert!(encoded.content.len() <= PAGE_TARGET && page.entries.len() <= PAGE_MAX_RECORDS);
        assert_eq!(page.encode(), *encoded);
    }
    check_entries(specs, &pages);
    check_chunks(&pages, &head);
    (pages, head)
}

fn check_entries(specs: &[Spec], pages: &[Page]) {
    let mut specs = specs.iter();
    let mut missing: Vec<[u8; 32]> = Vec::new(); // subtree values of the file at hand
    for entry in pages.iter().flat_map(|page| &page.entries) {
        if let (Entry::File(file), false) = (entry, missing.is_empty()) {
            let rest = missing.split_off(file.subtrees.len());
            assert_eq!(file.subtrees, missing);
            missing = rest;
            continue;
        }
        let spec = specs.next().expect("no more records than entries");
        assert_eq!(entry.path(), &spec.path);
        let (Entry::File(file), Some(expected)) = (entry, &spec.file) else {
            assert!(matches!(entry, Entry::Dir(_)) && spec.file.is_none());
            continue;
        };
        assert_eq!(file.hash, expected.hash(&spec.path));
        assert_eq!(
            (file.size, file.executable, file.modified_ms, file.first_subtree),
            (expected.size, expected.executable, expected.modified_ms, 0)
        );
        missing = expected.subtrees(&spec.path);
        let rest = missing.split_off(file.subtrees.len());
        assert_eq!(file.subtrees, missing);
        missing = rest;
    }
    assert!(missing.is_empty() && specs.next().is_none());
}

/// Chunks cover every byte of every file once, in order, and keep to their limits.
fn check_chunks(pages: &[Page], head: &ManifestHead) {
    let (mut number, mut bytes) = (0, 0);
    for (index, page) in pages.iter().enumerate() {
        let chunks = page.chunks();
        assert_eq!(chunks.len() as u64, u64::from(head.pages[index].chunks));
        let mut seen = Vec::new();
        for chunk in &chunks {
            let first = number - seen_chunks(&chunks, chunk);
            assert_eq!(head.page_of_chunk(number), Some((index, first)));
            number += 1;
            bytes += chunk.len;
            assert!(chunk.len <= CHUNK_SIZE);
            match &chunk.content {
                ChunkContent::Pack { entries } => {
                    assert!((1..=PACK_MAX_FILES).contains(&entries.len()));
                    let sizes = entries.iter().map(|entry| small_file(page, *entry).size);
                    assert_eq!(chunk.len, sizes.sum::<u64>());
                    seen.extend(entries.iter().map(|entry| (*entry, 0)));
                }
                ChunkContent::Slice { entry, offset, .. } => seen.push((*entry, *offset)),
            }
        }
        let expected = page.entries.iter().enumerate().flat_map(|(index, entry)| {
            let Entry::File(file) = entry else { return Vec::new() };
            let slices = file.first_subtree..file.first_subtree + file.subtrees.len() as u64;
            let small = (!file.is_large()).then_some((index, 0));
            small.into_iter().chain(slices.map(|number| (index, number * CHUNK_SIZE))).collect()
        });
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }
    assert_eq!((number, bytes), (head.chunks, head.bytes));
    assert_eq!(head.page_of_chunk(number), None);
}

fn seen_chunks(chunks: &[Chunk], until: &Chunk) -> u64 {
    chunks.iter().position(|chunk| std::ptr::eq(chunk, until)).unwrap() as u64
}

fn small_file(page: &Page, entry: usize) -> &FileEntry {
    match &page.entries[entry] {
        Entry::File(file) if !file.is_large() => file,
        other => panic!("{other:?} in a pack"),
    }
}

#[test]
fn an_empty_folder_is_an_item_without_pages() {
    let (pages, head) = check(&[]);
    assert!(pages.is_empty());
    assert_eq!((head.entries, head.chunks, head.bytes), (0, 0, 0));
}

#[test]
fn sizes_around_a_chunk() {
    let sizes = [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 3 * CHUNK_SIZE + 5];
    let specs: Vec<_> = (0..).zip(sizes).map(|(n, size)| file(&format!("f{n}"), size)).collect();
    let (pages, head) = check(&specs);
    let lens: Vec<_> = pages[0].chunks().iter().map(|chunk| chunk.len).collect();
    let (full, one) = (CHUNK_SIZE, 1);
    // f0, f1 and f2 fit one pack to the last byte; f3 fills the next.
    assert_eq!(lens, [full, full, full, one, full, full, full, full, full, 5]);
    assert_eq!(head.files, 7);
}

#[test]
fn a_pack_holds_so_many_files_and_so_many_bytes() {
    let names = |count| (0..count).map(|number| format!("{number:05}")).collect::<Vec<_>>();
    let packs = |specs: &[Spec]| check(specs).0[0].chunks().len();
    let empty: Vec<_> = names(PACK_MAX_FILES).iter().map(|name| file(name, 0)).collect();
    assert_eq!(packs(&empty), 1);
    let one_more: Vec<_> = names(PACK_MAX_FILES + 1).iter().map(|name| file(name, 0)).collect();
    assert_eq!(packs(&one_more), 2);

    assert_eq!(packs(&[file("a", CHUNK_SIZE / 2), file("b", CHUNK_SIZE / 2)]), 1);
    assert_eq!(packs(&[file("a", CHUNK_SIZE / 2), file("b", CHUNK_SIZE / 2 + 1)]), 2);
    // An empty folder does not part small files, a large file does.
    assert_eq!(packs(&[file("a", 1), dir("b"), file("c", 1)]), 1);
    assert_eq!(packs(&[file("a", 1), file("b", 2 * CHUNK_SIZE), file("c", 1)]), 4);
}

#[test]
fn a_large_file_goes_on_in_the_next_page() {
    // 20,000 values of 32 bytes are five pages.
    let specs = [file("a", 7), file("big", 20_000 * CHUNK_SIZE - 3), file("c", 7)];
    let (pages, head) = check(&specs);
    assert_eq!((pages.len(), head.entries, head.files), (5, 3, 3));
    assert_eq!(head.chunks, 20_002);
    for page in &pages {
        let file = match &page.entries[..] {
            [Entry::File(file)] | [_, Entry::File(file)] | [Entry::File(file), _] => file,
            other => panic!("{other:?}"),
        };
        assert!(file.path.as_str() == "big" || page.entries.len() == 2);
    }
    // All pages of a file but the last are full: not one more value would have fit.
    let (encoded, _) = build(&specs);
    for page in &encoded[..4] {
        assert!(page.content.len() + 32 > PAGE_TARGET);
    }
}

#[test]
fn a_page_is_filled_to_the_last_byte() {
    // Records of 128 bytes: 1,023 of them and the layout byte leave 127 bytes.
    let name = |number: usize| format!("{number:084}");
    let mut specs: Vec<_> = (0..1023).map(|number| file(&name(number), 1)).collect();
    specs.push(file(&format!("{:083}", 1023), 1));
    let (encoded, _) = build(&specs);
    assert_eq!(encoded.len(), 1);
    assert_eq!(encoded[0].content.len(), PAGE_TARGET);
    specs.pop();
    specs.push(file(&name(1023), 1));
    assert_eq!(build(&specs).0.len(), 2);
}

#[test]
fn many_small_files() {
    let specs: Vec<_> = (0..10_000).map(|n| file(&format!("d{:02}/f{n:05}", n / 100), 8192)).collect();
    let (pages, head) = check(&specs);
    assert_eq!(head.files, 10_000);
    assert!(pages.len() < 10 && head.chunks < 100, "{} {}", pages.len(), head.chunks);
}

#[test]
fn times_change_nothing_but_content_does() {
    let id = |change: &dyn Fn(&mut FileSpec)| {
        let mut spec = file("f", 3 * CHUNK_SIZE);
        change(spec.file.as_mut().unwrap());
        build(&[spec]).1.item_id()
    };
    let original = id(&|_| {});
    assert_eq!(id(&|file| file.modified_ms = 1), original);
    assert_ne!(id(&|file| file.executable = !file.executable), original);
    assert_ne!(id(&|file| file.size -= 1), original);
    assert_ne!(build(&[file("g", 3 * CHUNK_SIZE)]).1.item_id(), original);
}

#[test]
fn a_file_is_another_item_than_the_folder_around_it() {
    let spec = file("f", 5);
    let mut single = ManifestBuilder::single_file();
    push(&mut single, &spec).unwrap();
    let (pages, head) = single.finish().unwrap();
    assert_eq!(head.kind, ItemKind::File);
    let mut verifier = ManifestVerifier::new(&head);
    verifier.push(&pages[0]).unwrap();
    verifier.finish().unwrap();
    assert_ne!(head.item_id(), build(&[spec]).1.item_id());
}

#[test]
fn bytes_are_checked_against_their_chunk() {
    let mut builder = ManifestBuilder::new();
    let path = |text| RelPath::parse(text).unwrap();
    let large = vec![9; CHUNK_SIZE as usize + 2];
    let mut hasher = FileHasher::new();
    hasher.update(&large);
    let (hash, subtrees, size) = hasher.finish();
    for (name, content) in [("a", "one"), ("b", ""), ("c", "three")] {
        let hash = Hash::of(content.as_bytes());
        builder.push_file(path(name), content.len() as u64, false, 0, hash, &[]).unwrap();
    }
    builder.push_file(path("large"), size, false, 0, hash, &subtrees).unwrap();
    let page = Page::decode(&builder.finish().unwrap().0[0]).unwrap();
    let chunks = page.chunks();
    let last = &large[CHUNK_SIZE as usize..];
    assert_eq!(page.verify_chunk(&chunks[0], b"onethree"), Ok(()));
    assert_eq!(page.verify_chunk(&chunks[1], &large[..CHUNK_SIZE as usize]), Ok(()));
    assert_eq!(page.verify_chunk(&chunks[2], last), Ok(()));

    let bad = |path: &str, offset| {
        let path = RelPath::parse(path).unwrap();
        Err(BadChunk::Content { path, offset })
    };
    assert_eq!(page.verify_chunk(&chunks[0], b"ONEthree"), bad("a", 0));
    assert_eq!(page.verify_chunk(&chunks[0], b"onethreE"), bad("c", 0));
    assert_eq!(page.verify_chunk(&chunks[2], &[9, 8]), bad("large", CHUNK_SIZE));
    let short = page.verify_chunk(&chunks[0], b"onethre");
    assert_eq!(short, Err(BadChunk::Length { expected: 8, actual: 7 }));
    let foreign = Page { entries: vec![] };
    assert_eq!(foreign.verify_chunk(&chunks[0], b"onethree"), Err(BadChunk::Foreign));
    assert_eq!(foreign.verify_chunk(&chunks[2], last), Err(BadChunk::Foreign));
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let size = prop_oneof![
        5 => 0..100_000u64,
        1 => Just(0),
        1 => CHUNK_SIZE - 2..CHUNK_SIZE + 2,
        1 => CHUNK_SIZE..3000 * CHUNK_SIZE,
    ];
    let file = (size, any::<bool>(), any::<i64>());
    let file = file.prop_map(|(size, executable, modified_ms)| FileSpec { size, executable, modified_ms });
    let entries = btree_map(rel_path(), prop::option::weighted(0.9, file), 0..60);
    entries.prop_map(|entries| {
        // Only what can stand together.
        let mut set = PathSet::new();
        let mut kept: Vec<Spec> = Vec::new();
        for (path, file) in entries {
            let fits = match &file {
                Some(_) => set.insert_file(&path),
                None => set.insert_dir(&path),
            };
            let in_empty_folder = kept.last().is_some_and(|last| path.starts_with(&last.path));
            if fits.is_ok() && !in_empty_folder {
                kept.push(Spec { path, file });
            }
        }
        kept
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_item(specs in specs()) {
        check(&specs);
    }

    #[test]
    fn sorted_and_unsorted_collision_checks_agree(paths in vec((rel_path(), any::<bool>()), 0..40)) {
        let mut sorted = paths;
        sorted.sort();
        sorted.dedup_by(|a, b| a.0 == b.0);
        let (mut set, mut builder) = (PathSet::new(), ManifestBuilder::new());
        for (path, is_file) in sorted {
            let in_set = if is_file { set.insert_file(&path) } else { set.insert_dir(&path) };
            let in_manifest = if is_file {
                builder.push_file(path, 1, false, 0, Hash::of(b"x"), &[])
            } else {
                builder.push_dir(path)
            };
            let failed = in_manifest.is_err();
            match in_manifest {
                Ok(()) => prop_assert_eq!(in_set, Ok(())),
                Err(ManifestError::Collision(collision)) => prop_assert_eq!(in_set, Err(collision)),
                // A manifest says more: a folder with a record has nothing in it.
                Err(ManifestError::FolderNotEmpty { .. }) => {}
                Err(other) => prop_assert!(false, "{}", other),
            }
            if failed {
                break;
            }
        }
    }
}
