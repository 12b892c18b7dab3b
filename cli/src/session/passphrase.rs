//! Where the passphrase comes from: a file, an option, or the environment, in this order.

use std::ffi::OsString;

use moorline_runtime::transport::Passphrase;

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::secret::Source;

/// The variable that holds a passphrase.
pub(crate) const VARIABLE: &str = "MOORLINE_PASSPHRASE";

/// The passphrase that the options or the environment give, if any. Reading from stdin waits for a line.
pub(crate) fn read(net: &NetArgs) -> Result<Option<Passphrase>> {
    resolve(net, std::env::var_os(VARIABLE))
}

fn resolve(net: &NetArgs, environment: Option<OsString>) -> Result<Option<Passphrase>> {
    let source = Source {
        what: "passphrase",
        file: net.passphrase_file.as_deref(),
        option: net.passphrase.as_ref(),
        option_name: "--passphrase",
        variable: VARIABLE,
        max: Passphrase::MAX_LEN,
    };
    let Some(found) = source.resolve(environment)? else { return Ok(None) };
    let refused = |error| format!("the passphrase {} cannot be used: {error}", found.origin);
    found.secret.0.parse().map(Some).map_err(|error| Failure::new(Code::Usage, refused(error)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
    fn the_options_and_the_environment_are_asked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "from file\n").expect("writes");
        let environment = || Some(OsString::from("from env"));
        assert_eq!(resolve(&with(Some("x"), Some(&path)), environment()).expect("reads"), parsed("from file"));
        assert_eq!(resolve(&with(Some("from option"), None), environment()).expect("reads"), parsed("from option"));
        assert_eq!(resolve(&with(None, None), environment()).expect("reads"), parsed("from env"));
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
    fn one_that_is_too_long_is_refused_and_not_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        let longest = "x".repeat(Passphrase::MAX_LEN);
        std::fs::write(&path, format!("{longest}\r\n")).expect("writes");
        assert_eq!(resolve(&with(None, Some(&path)), None).expect("reads"), parsed(&longest));
        std::fs::write(&path, format!("{longest}y\n")).expect("writes");
        assert_eq!(resolve(&with(None, Some(&path)), None).expect_err("too long").code, Code::Usage);
    }
}
