//! The access tokens that are shown to room servers: where they are, and how a fresh one is had.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use moorline_signaling::client::SourceError;
use moorline_signaling::{ClientConfig, limits};

use crate::args::Secret;
use crate::exit::{Code, Failure, Result};
use crate::secret::Source;

/// The variable that holds a token.
pub(crate) const VARIABLE: &str = "MOORLINE_TOKEN";

/// A token for one room, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This one and no other.
    Fixed(Secret),
    /// The first line of this file, read again whenever the server wants a fresh one.
    File(PathBuf),
}

impl Token {
    /// The token that the options or the environment give, if any. It is read once to see that it can be used; from stdin (`-`) that
    /// waits for a line, and is the only time.
    pub(crate) fn find(
        option: Option<&Secret>,
        option_name: &'static str,
        file: Option<&Path>,
        environment: Option<OsString>,
    ) -> Result<Option<Self>> {
        let source = Source { option, option_name, ..in_file(file) };
        let Some(found) = source.resolve(environment)? else { return Ok(None) };
        check(&found.secret.0)
            .map_err(|why| Failure::new(Code::Usage, format!("the token {} cannot be used: {why}", found.origin)))?;
        Ok(Some(match file.filter(|path| *path != Path::new("-")) {
            Some(path) => Self::File(path.to_owned()),
            None => Self::Fixed(found.secret),
        }))
    }

    /// The configuration, with this token.
    pub(crate) fn apply(&self, config: ClientConfig) -> ClientConfig {
        match self {
            Self::Fixed(token) => config.token(&token.0),
            Self::File(path) => {
                let path = path.clone();
                config.token_source(move |_force| reread(path.clone()))
            }
        }
    }

    /// Whether there may be another one later.
    pub(crate) fn renews(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

fn in_file(file: Option<&Path>) -> Source<'_> {
    Source { what: "token", file, option: None, option_name: "", variable: VARIABLE, max: limits::MAX_TOKEN }
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

    fn given(text: &str) -> Result<Option<Token>> {
        Token::find(Some(&Secret(text.to_owned())), "--token", None, None)
    }

    #[test]
    fn a_token_has_an_edge_and_does_not_show() {
        assert!(given(&"x".repeat(limits::MAX_TOKEN)).expect("short enough").is_some());
        let long = "x".repeat(limits::MAX_TOKEN + 1);
        let failure = given(&long).expect_err("too long");
        assert_eq!(failure.code, Code::Usage);
        assert!(!failure.message.contains("xxx"), "{failure}");
        assert!(!format!("{:?}", given("open-sesame").expect("reads")).contains("sesame"));
    }

    #[test]
    fn no_token_is_no_failure_and_an_empty_file_is_one() {
        let none = |environment| Token::find(None, "--token", None, environment).expect("reads");
        assert_eq!(none(None), None);
        assert_eq!(none(Some("from env".into())), Some(Token::Fixed(Secret("from env".to_owned()))));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "\n").expect("writes");
        let failure = Token::find(None, "--token", Some(&path), None).expect_err("empty");
        assert_eq!(failure.code, Code::Usage);
    }

    #[test]
    fn only_a_file_can_have_another_one_later() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").expect("writes");
        let found = Token::find(None, "--token", Some(&path), None).expect("reads").expect("there is one");
        assert_eq!(found, Token::File(path));
        assert!(found.renews() && !Token::Fixed(Secret("x".to_owned())).renews());
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
