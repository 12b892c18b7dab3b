use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use moorline_proto::RelPath;

use super::dir::Dir;

/// The names in one directory, sorted by bytes. All of them lie in one allocation, so that a million names cost what they weigh.
#[derive(Default)]
pub(super) struct Listing {
    text: String,
    /// Where in `text` each name starts and ends, in order.
    names: Vec<(u32, u32)>,
    next: usize,
    /// Hashes of what names become where neither case nor Unicode form counts, as far as two names of the directory share one.
    clashes: BTreeSet<u64>,
    /// Which of these forms are taken by a name that is shared.
    taken: BTreeSet<String>,
}

impl Listing {
    /// Reads a directory. `None` if it has more than `limit` names. Names that are not Unicode go to `not_unicode`.
    pub(super) fn read(dir: &Dir, limit: usize, mut not_unicode: impl FnMut(&Path)) -> io::Result<Option<Self>> {
        let mut listing = Self::default();
        let mut count = 0;
        dir.names(|name| {
            count += 1;
            match name.to_str() {
                // Four gigabytes of names are too many, whatever the limit says.
                Some(name) if !listing.push(name) => count = limit.saturating_add(1),
                Some(_) => {}
                None => not_unicode(Path::new(name)),
            }
            count <= limit
        })?;
        if count > limit {
            return Ok(None);
        }
        listing.sort();
        listing.find_clashes();
        Ok(Some(listing))
    }

    /// The next name in order.
    pub(super) fn next(&mut self) -> Option<&str> {
        let (start, end) = *self.names.get(self.next)?;
        self.next += 1;
        self.text.get(start as usize..end as usize)
    }

    /// Takes the form of a name for itself. `false` if another name has it already. Most names share theirs with no other in the
    /// directory, and nothing is kept for them.
    pub(super) fn claim(&mut self, name: &str) -> bool {
        match self.clashing_form(name) {
            Some(form) => self.taken.insert(form),
            None => true,
        }
    }

    /// Gives a form back.
    pub(super) fn unclaim(&mut self, name: &str) {
        if let Some(form) = self.clashing_form(name) {
            self.taken.remove(&form);
        }
    }

    fn clashing_form(&self, name: &str) -> Option<String> {
        if self.clashes.is_empty() {
            return None;
        }
        form(name).filter(|form| self.clashes.contains(&short(form)))
    }

    fn find_clashes(&mut self) {
        let text = &self.text;
        let name = |(start, end): &(u32, u32)| text.get(*start as usize..*end as usize);
        let forms = self.names.iter().filter_map(name).filter_map(form);
        let mut hashes: Vec<u64> = forms.map(|form| short(&form)).collect();
        hashes.sort_unstable();
        self.clashes = hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    }

    fn push(&mut self, name: &str) -> bool {
        let (start, end) = (self.text.len(), self.text.len() + name.len());
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else { return false };
        self.text.push_str(name);
        self.names.push((start, end));
        true
    }

    fn sort(&mut self) {
        let text = self.text.as_bytes();
        self.names.sort_unstable_by(|a, b| text[a.0 as usize..a.1 as usize].cmp(&text[b.0 as usize..b.1 as usize]));
    }
}

/// `None` for names that are not shared anyway.
fn form(name: &str) -> Option<String> {
    RelPath::parse(name).ok().map(|name| name.fold_key())
}

fn short(form: &str) -> u64 {
    let hash = blake3::hash(form.as_bytes());
    let mut short = [0; 8];
    short.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_at_the_limit_is_read_and_one_beyond_is_not() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["b", "a", "ä"] {
            std::fs::write(temp.path().join(name), b"").unwrap();
        }
        let dir = Dir::open_root(temp.path()).unwrap();
        let mut listing = Listing::read(&dir, 3, |_| panic!("all are Unicode")).unwrap().unwrap();
        assert_eq!([listing.next().unwrap().to_owned(), listing.next().unwrap().to_owned()], ["a", "b"]);
        assert_eq!(listing.next(), Some("ä"));
        assert_eq!(listing.next(), None);
        assert!(Listing::read(&dir, 2, |_| {}).unwrap().is_none());
    }
}
