//! Where the passphrase comes from: a file, an option, or the environment, in this order.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use moorline_runtime::transport::Passphrase;

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};

/// The variable that holds a passphrase.
pub(crate) const VARIABLE: &str = "MOORLINE_PASSPHRASE";

/// The passphrase that the options or the environment give, if any. Reading from stdin waits for a line.
pub(crate) fn read(net: &NetArgs) -> Result<Option<Passphrase>> {
    resolve(net, std::env::var_os(VARIABLE))
}

fn resolve(net: &NetArgs, environment: Option<OsString>) -> Result<Option<Passphrase>> {
    let (text, origin) = if let Some(path) = &net.passphrase_file {
        (first_line(path)?, format!("in {}", crate::text::path(path)))
    } else if let Some(secret) = &net.passphrase {
        (secret.0.clone(), "given by --passphrase".to_owned())
    } else if let Some(value) = environment.filter(|value| !value.is_empty()) {
        let text = value
            .into_string()
            .map_err(|_| Failure::new(Code::Usage, format!("the passphrase in {VARIABLE} is not valid UTF-8")))?;
        (text, format!("in {VARIABLE}"))
    } else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|error| Failure::new(Code::Usage, format!("the passphrase {origin} cannot be used: {error}")))
}

fn first_line(path: &Path) -> Result<String> {
    let failed = |error: &io::Error| Failure::disk("read the passphrase from", path, error);
    let line = if path == Path::new("-") {
        line_of(io::stdin().lock())
    } else {
        line_of(BufReader::new(File::open(path).map_err(|error| failed(&error))?))
    };
    line.map_err(|error| failed(&error))
}

/// The first line without its end. Longer ones than any passphrase may be are cut, and refused by the parser.
fn line_of(reader: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.take(Passphrase::MAX_LEN as u64 + 3).read_line(&mut line)?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Secret;

    fn with(option: Option<&str>, file: Option<&Path>) -> NetArgs {
        NetArgs {
            passphrase: option.map(|text| Secret(text.to_owned())),
            passphrase_file: file.map(Path::to_owned),
            ..NetArgs::default()
        }
    }

    fn parsed(text: &str) -> Option<Passphrase> {
        Some(text.parse().expect("a passphrase"))
    }

    #[test]
    fn file_beats_option_beats_environment() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "from file\r\nsecond line").expect("writes");
        let environment = || Some(OsString::from("from env"));
        assert_eq!(resolve(&with(Some("x"), Some(&path)), environment()).expect("reads"), parsed("from file"));
        assert_eq!(resolve(&with(Some("from option"), None), environment()).expect("reads"), parsed("from option"));
        assert_eq!(resolve(&with(None, None), environment()).expect("reads"), parsed("from env"));
        assert_eq!(resolve(&with(None, None), Some(OsString::new())).expect("reads"), None);
        assert_eq!(resolve(&with(None, None), None).expect("reads"), None);
    }

    #[test]
    fn an_empty_file_is_an_error_and_not_an_open_node() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "\n").expect("writes");
        let failure = resolve(&with(None, Some(&path)), None).expect_err("empty");
        assert_eq!(failure.code, Code::Usage);
        let failure = resolve(&with(None, Some(&folder.path().join("none"))), None).expect_err("missing");
        assert_eq!(failure.code, Code::LocalDisk);
    }

    #[test]
    fn a_line_has_an_edge() {
        let longest = "x".repeat(Passphrase::MAX_LEN);
        assert_eq!(line_of(format!("{longest}\r\n").as_bytes()).expect("reads"), longest);
        assert!(line_of(format!("{longest}y\n").as_bytes()).expect("reads").len() > Passphrase::MAX_LEN);
    }
}
