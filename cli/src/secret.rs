//! Where secrets come from: a file, an option, or the environment, in this order.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::args::Secret;
use crate::exit::{Code, Failure, Result};

/// The places that one kind of secret may be in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// What it is, for messages: `passphrase`.
    pub(crate) what: &'static str,
    /// A file whose first line it is; `-` is stdin.
    pub(crate) file: Option<&'a Path>,
    /// On the command line.
    pub(crate) option: Option<&'a Secret>,
    /// The name of that option, as typed.
    pub(crate) option_name: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
    /// Longest one, bytes.
    pub(crate) max: usize,
}

/// A secret, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) secret: Secret,
    /// For messages: `given by --passphrase`.
    pub(crate) origin: String,
}

impl Source<'_> {
    /// The secret, if there is one anywhere, the variable's value being handed in; an empty one counts as none. Reading from stdin
    /// waits for a line. A file is read up to a little over the longest secret: what is too long comes out as too long.
    pub(crate) fn resolve(&self, environment: Option<OsString>) -> Result<Option<Found>> {
        let (text, origin) = if let Some(path) = self.file {
            (self.first_line(path)?, format!("in {}", crate::text::path(path)))
        } else if let Some(secret) = self.option {
            (secret.0.clone(), format!("given by {}", self.option_name))
        } else if let Some(value) = environment.filter(|value| !value.is_empty()) {
            let (what, variable) = (self.what, self.variable);
            let text = value
                .into_string()
                .map_err(|_| Failure::new(Code::Usage, format!("the {what} in {variable} is not valid UTF-8")))?;
            (text, format!("in {variable}"))
        } else {
            return Ok(None);
        };
        Ok(Some(Found { secret: Secret(text), origin }))
    }

    /// The first line of a file, or of stdin.
    pub(crate) fn first_line(&self, path: &Path) -> Result<String> {
        let failed = |error: &io::Error| Failure::disk(&format!("read the {} from", self.what), path, error);
        let line = if path == Path::new("-") {
            line_of(io::stdin().lock(), self.max)
        } else {
            line_of(BufReader::new(File::open(path).map_err(|error| failed(&error))?), self.max)
        };
        line.map_err(|error| failed(&error))
    }
}

/// The first line without its end. One that is longer than `max` is cut, but not to `max` or less.
fn line_of(reader: impl BufRead, max: usize) -> io::Result<String> {
    let mut line = String::new();
    reader.take(max as u64 + 3).read_line(&mut line)?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source<'a>(file: Option<&'a Path>, option: Option<&'a Secret>) -> Source<'a> {
        Source { what: "word", file, option, option_name: "--word", variable: "WORD", max: 16 }
    }

    fn found(source: &Source<'_>, environment: Option<&str>) -> Option<(String, String)> {
        let found = source.resolve(environment.map(OsString::from)).expect("reads");
        found.map(|found| (found.secret.0, found.origin))
    }

    #[test]
    fn file_beats_option_beats_environment() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "from file\r\nsecond line").expect("writes");
        let option = Secret("from option".to_owned());
        let pair = |text: &str, origin: &str| Some((text.to_owned(), origin.to_owned()));
        let in_file = format!("in {}", path.display());
        assert_eq!(found(&source(Some(&path), Some(&option)), Some("from env")), pair("from file", &in_file));
        assert_eq!(found(&source(None, Some(&option)), Some("from env")), pair("from option", "given by --word"));
        assert_eq!(found(&source(None, None), Some("from env")), pair("from env", "in WORD"));
        assert_eq!(found(&source(None, None), Some("")), None);
        assert_eq!(found(&source(None, None), None), None);
    }

    #[test]
    fn what_was_found_does_not_show_in_debug_output() {
        let found = source(None, None).resolve(Some("open-sesame".into())).expect("reads");
        assert!(!format!("{found:?}").contains("sesame"));
    }

    #[test]
    fn a_line_has_an_edge() {
        let longest = "x".repeat(16);
        assert_eq!(line_of(format!("{longest}\r\n").as_bytes(), 16).expect("reads"), longest);
        assert!(line_of(format!("{longest}y\n").as_bytes(), 16).expect("reads").len() > 16);
        assert!(line_of([0xff, b'\n'].as_slice(), 16).is_err());
    }
}
