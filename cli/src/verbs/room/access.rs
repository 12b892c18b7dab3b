//! The access token that a participant shows to the server.

use std::path::PathBuf;

use clap::Args;
use moorline_signaling::ClientConfig;

use crate::args::Secret;
use crate::exit::Result;
use crate::token::{self, Token};

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
        let (option, file) = (self.token.as_ref(), self.token_file.as_deref());
        let found = Token::find(option, "--token", file, std::env::var_os(token::VARIABLE))?;
        Ok(match found {
            Some(token) => token.apply(config),
            None => config,
        })
    }
}
