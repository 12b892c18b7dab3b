//! The access token that a participant shows to the server.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use moorline_signaling::client::SourceError;
use moorline_signaling::{ClientConfig, limits};

use crate::args::Secret;
use crate::exit::{Code, Failure, Result};
use crate::secret::Source;

/// The variable that holds a token.
const VARIABLE: &str = "MOORLINE_TOKEN";

/// Where the token is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessArgs {
    /// Access token, as `moorline token` makes it. Other users of this machine can read it in the process list:
    /// --token-file and MOORLINE_TOKEN keep it to yourself
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<Secret>,

    /// Read the token from the first line of this file, again whenever the server wants a fresh one; `-` is stdin, once
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl AccessArgs {
    /// The configuration, with the token that the options or the environment give, if any. Reading from stdin waits for a line.
    pub(super) fn apply(&self, config: ClientConfig) -> Result<ClientConfig> {
        let Some(token) = self.resolve(std::env::var_os(VARIABLE))? else { return Ok(config) };
        Ok(match self.token_file.clone().filter(|path| path != Path::new("-")) {
            Some(path) => config.token_source(move |_force| reread(path.clone())),
            None => config.token(token.0),
        })
    }

    fn resolve(&self, environment: Option<OsString>) -> Result<Option<Secret>> {
        let Some(found) = self.source().resolve(environment)? else { return Ok(None) };
        check(&found.secret.0)
            .map_err(|why| Failure::new(Code::Usage, format!("the token {} cannot be used: {why}", found.origin)))?;
        Ok(Some(found.secret))
    }

    fn source(&self) -> Source<'_> {
        Source { option: self.token.as_ref(), ..in_file(self.token_file.as_deref()) }
    }
}

fn in_file(file: Option<&Path>) -> Source<'_> {
    let (what, option_name) = ("token", "--token");
    Source { what, file, option: None, option_name, variable: VARIABLE, max: limits::MAX_TOKEN }
}

fn check(token: &str) -> std::result::Result<(), String> {
    match token.len() {
        0 => Err("it is empty".to_owned()),
        1..=limits::MAX_TOKEN => Ok(()),
        _ => Err(format!("it is longer than {} bytes", limits::MAX_TOKEN)),
    }
}

/// What is in the file now. Whether it is another token than before is for the client to see.
async fn reread(path: PathBuf) -> std::result::Result<String, SourceError> {
    // Who waits for it: the client, within its deadline. A disk that does not answer holds up nothing else.
    let read = tokio::task::spawn_blocking(move || in_file(Some(&path)).first_line(&path)).await;
    let token = match read {
        Ok(Ok(token)) => token,
        Ok(Err(failure)) => return Err(SourceError::retryable(failure.message)),
        Err(error) => return Err(SourceError::retryable(error.to_string())),
    };
    check(&token).map_err(|why| SourceError::retryable(format!("the token cannot be used: {why}")))?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> AccessArgs {
        AccessArgs { token: Some(Secret(text.to_owned())), token_file: None }
    }

    #[test]
    fn a_token_has_an_edge_and_does_not_show() {
        assert!(token(&"x".repeat(limits::MAX_TOKEN)).resolve(None).expect("short enough").is_some());
        let long = "x".repeat(limits::MAX_TOKEN + 1);
        let failure = token(&long).resolve(None).expect_err("too long");
        assert_eq!(failure.code, Code::Usage);
        assert!(!failure.message.contains("xxx"), "{failure}");
        assert!(!format!("{:?}", token("open-sesame")).contains("sesame"));
    }

    #[test]
    fn no_token_is_no_failure_and_an_empty_file_is_one() {
        let none = AccessArgs::default();
        assert_eq!(none.resolve(None).expect("reads"), None);
        assert_eq!(none.resolve(Some("from env".into())).expect("reads"), Some(Secret("from env".to_owned())));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "\n").expect("writes");
        let file = AccessArgs { token: None, token_file: Some(path) };
        assert_eq!(file.resolve(None).expect_err("empty").code, Code::Usage);
    }

    #[tokio::test]
    async fn a_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        for text in ["first", "second"] {
            std::fs::write(&path, format!("{text}\n")).expect("writes");
            assert_eq!(reread(path.clone()).await.as_deref(), Ok(text));
        }
        std::fs::remove_file(&path).expect("removes");
        assert!(!reread(path).await.expect_err("it is gone").fatal);
    }
}
