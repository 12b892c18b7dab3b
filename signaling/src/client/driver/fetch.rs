use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::client::connector::BoxFuture;
use crate::client::credentials::{CredentialsSource, Server, SourceError, TokenSource, Wanted};
use crate::client::endpoint::Endpoint;
use crate::machine::Input;

/// What is asked of the application's sources: at most one token and one server at a time. Nothing runs beside the client's task.
pub(super) struct Fetches {
    tokens: Arc<dyn TokenSource>,
    servers: Arc<dyn CredentialsSource>,
    token: Option<BoxFuture<'static, Result<String, SourceError>>>,
    server: Option<BoxFuture<'static, Result<Server, SourceError>>>,
}

impl Fetches {
    pub(super) fn new(tokens: Arc<dyn TokenSource>, servers: Arc<dyn CredentialsSource>) -> Self {
        Self { tokens, servers, token: None, server: None }
    }

    /// Asks for a token. One that was asked for before is of no interest any more.
    pub(super) fn fetch_token(&mut self, force: bool) {
        let source = self.tokens.clone();
        self.token = Some(Box::pin(async move { source.token(force).await }));
    }

    /// Asks for a server, likewise.
    pub(super) fn fetch_server(&mut self, wanted: Wanted) {
        let source = self.servers.clone();
        self.server = Some(Box::pin(async move { source.server(wanted).await }));
    }

    /// Waits for an answer; for ever if nothing was asked. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Input {
        poll_fn(|cx| {
            if let Some(token) = &mut self.token
                && let Poll::Ready(answer) = token.as_mut().poll(cx)
            {
                self.token = None;
                return Poll::Ready(token_input(answer));
            }
            if let Some(server) = &mut self.server
                && let Poll::Ready(answer) = server.as_mut().poll(cx)
            {
                self.server = None;
                return Poll::Ready(server_input(answer));
            }
            Poll::Pending
        })
        .await
    }

    pub(super) fn clear(&mut self) {
        self.token = None;
        self.server = None;
    }
}

fn token_input(answer: Result<String, SourceError>) -> Input {
    match answer {
        Ok(token) => Input::TokenReady(token),
        Err(SourceError { reason, fatal }) => Input::TokenFailed { reason, fatal },
    }
}

fn server_input(answer: Result<Server, SourceError>) -> Input {
    match answer {
        Ok(Server { node, url }) => match Endpoint::parse(&url) {
            Ok(_) => Input::CredsReady { node, url },
            Err(error) => Input::CredsFailed { reason: format!("{url}: {error}"), fatal: true },
        },
        Err(SourceError { reason, fatal }) => Input::CredsFailed { reason, fatal },
    }
}
