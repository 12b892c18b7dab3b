//! The secret that access tokens are signed with: what `signal` checks them against, and `token` makes them from.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use moorline_signaling::server::token::{MIN_SECRET, Secret};

use crate::args;
use crate::exit::{Code, Failure, Result};
use crate::secret::Source;

/// The variable that holds the secret.
const VARIABLE: &str = "MOORLINE_TOKEN_SECRET";
/// Longest secret, bytes. Beyond the 64 of a block of SHA-256, more adds nothing.
const MAX_SECRET: usize = 4096;

/// Where the secret is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Access")]
pub(crate) struct SecretArgs {
    /// Secret that access tokens are signed with, at least 16 bytes. Other users of this machine can read it in the
    /// process list: --token-secret-file and MOORLINE_TOKEN_SECRET keep it to yourself
    #[arg(long, value_name = "SECRET", conflicts_with = "token_secret_file")]
    pub(super) token_secret: Option<args::Secret>,

    /// Read the secret from the first line of this file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(super) token_secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// The secret that the options or the environment give, if any. Reading from stdin waits for a line.
    pub(crate) fn read(&self) -> Result<Option<Secret>> {
        self.resolve(std::env::var_os(VARIABLE))
    }

    fn resolve(&self, environment: Option<OsString>) -> Result<Option<Secret>> {
        let source = Source {
            what: "secret",
            file: self.token_secret_file.as_deref(),
            option: self.token_secret.as_ref(),
            option_name: "--token-secret",
            variable: VARIABLE,
            max: MAX_SECRET,
        };
        // It was meant to hold one: an open server is not what anybody wanted who set it.
        let meant = environment.as_ref().is_some_and(|value| value.is_empty());
        let Some(found) = source.resolve(environment)? else {
            if meant {
                return Err(Failure::new(Code::Usage, format!("{VARIABLE} is set, but empty")).hint(format!(
                    "Put the secret into it, or give --token-secret-file. Where none is wanted, unset it: `env -u {VARIABLE} moorline ...`."
                )));
            }
            return Ok(None);
        };
        let bytes = found.secret.0.as_bytes();
        if bytes.len() > MAX_SECRET {
            let message = format!("the secret {} is longer than {MAX_SECRET} bytes", found.origin);
            return Err(Failure::new(Code::Usage, message));
        }
        Secret::new(bytes).map(Some).map_err(|_| {
            let (origin, len) = (&found.origin, bytes.len());
            let message = format!("the secret {origin} has {len} bytes: at least {MIN_SECRET}, or it can be guessed");
            Failure::new(Code::Usage, message).hint("`openssl rand -base64 32` makes one.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "0123456789abcdef";

    fn option(text: &str) -> SecretArgs {
        SecretArgs { token_secret: Some(args::Secret(text.to_owned())), token_secret_file: None }
    }

    #[test]
    fn a_secret_has_an_edge_on_both_sides() {
        assert!(option(GOOD).resolve(None).expect("long enough").is_some());
        assert!(option(&"x".repeat(MAX_SECRET)).resolve(None).expect("short enough").is_some());
        for bad in [&GOOD[1..], &"x".repeat(MAX_SECRET + 1)] {
            let failure = option(bad).resolve(None).expect_err("refused");
            assert_eq!(failure.code, Code::Usage);
            assert!(!failure.message.contains(bad), "{failure}");
        }
    }

    #[test]
    fn a_file_that_holds_none_is_an_error_and_not_an_open_server() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "\n").expect("writes");
        let args = SecretArgs { token_secret: None, token_secret_file: Some(path.clone()) };
        assert_eq!(args.resolve(None).expect_err("empty").code, Code::Usage);
        std::fs::write(&path, format!("{GOOD}\n")).expect("writes");
        assert!(args.resolve(None).expect("reads").is_some());
        std::fs::remove_file(&path).expect("removes");
        assert_eq!(args.resolve(None).expect_err("missing").code, Code::LocalDisk);
    }

    #[test]
    fn a_variable_that_is_empty_is_an_error_and_not_an_open_server() {
        let failure = SecretArgs::default().resolve(Some(OsString::new())).expect_err("empty");
        assert_eq!(failure.code, Code::Usage);
        assert!(failure.message.contains(VARIABLE) && failure.hint.is_some(), "{failure:?}");
        assert!(option(GOOD).resolve(Some(OsString::new())).expect("the option has one").is_some());
    }

    #[test]
    fn the_environment_is_asked_last_and_nothing_is_no_secret() {
        let none = SecretArgs::default();
        assert!(none.resolve(Some(OsString::from(GOOD))).expect("reads").is_some());
        assert!(none.resolve(None).expect("reads").is_none());
        assert!(none.resolve(Some(OsString::from("short"))).is_err());
    }

    #[test]
    fn it_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", option(GOOD)).contains(GOOD));
    }
}
