use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::NodeName;

use super::connector::BoxFuture;

/// Where a client's tokens come from.
///
/// The future runs inside the client's own task: it must not block. It is dropped when the client closes, or asks again; there is never
/// more than one. An answer later than [`Timers::credentials`](crate::machine::Timers::credentials) is a failed attempt. A panic closes
/// the client.
///
/// Implemented for closures: `|force| async move { Ok(token) }`.
pub trait TokenSource: Send + Sync + 'static {
    /// A token. With `force` the one given last is of no use any more: the server did not take it, or it is about to expire.
    fn token(&self, force: bool) -> BoxFuture<'_, Result<String, SourceError>>;
}

impl<F, T> TokenSource for F
where
    F: Fn(bool) -> T + Send + Sync + 'static,
    T: Future<Output = Result<String, SourceError>> + Send + 'static,
{
    fn token(&self, force: bool) -> BoxFuture<'_, Result<String, SourceError>> {
        Box::pin(self(force))
    }
}

/// Always the same token.
#[derive(Clone, Default)]
pub struct FixedToken(String);

impl FixedToken {
    /// This one. Empty: none.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

impl TokenSource for FixedToken {
    /// Fails for good where another token is needed.
    fn token(&self, force: bool) -> BoxFuture<'_, Result<String, SourceError>> {
        let answer = if force {
            Err(SourceError::fatal("another token is needed, and there is only one"))
        } else {
            Ok(self.0.clone())
        };
        Box::pin(std::future::ready(answer))
    }
}

impl std::fmt::Debug for FixedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FixedToken(..)")
    }
}

/// Chooses the server for each attempt. Its future is treated as that of a [`TokenSource`].
pub trait CredentialsSource: Send + Sync + 'static {
    /// A server.
    fn server(&self, wanted: Wanted) -> BoxFuture<'_, Result<Server, SourceError>>;
}

/// Which server a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// None of these, if there is any other.
    pub exclude: Vec<NodeName>,
    /// This one, if it is known.
    pub prefer: Option<NodeName>,
    /// Why one is wanted, for logs.
    pub reason: String,
}

/// A server of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// What to call it before it says its own name.
    pub node: NodeName,
    /// `ws://` or `wss://`.
    pub url: String,
}

impl Server {
    /// The server at this URL, which is its name as well.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        let url = url.into();
        Self { node: url.clone(), url }
    }

    fn is(&self, name: &str) -> bool {
        self.node == name || self.url == name
    }
}

/// Why there is no token or no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SourceError {
    /// For people.
    pub reason: String,
    /// Whether asking again is of no use: the client closes.
    pub fatal: bool,
}

impl SourceError {
    /// Asking again may help.
    #[must_use]
    pub fn retryable(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), fatal: false }
    }

    /// Asking again is of no use.
    #[must_use]
    pub fn fatal(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), fatal: true }
    }
}

/// A fixed list of servers. It stays with one until that is excluded, and then takes the next.
#[derive(Debug)]
pub struct ServerList {
    servers: Vec<Server>,
    /// The last choice.
    current: AtomicUsize,
}

impl ServerList {
    /// The first of them is tried first.
    #[must_use]
    pub fn new(servers: Vec<Server>) -> Self {
        Self { servers, current: AtomicUsize::new(0) }
    }

    fn choose(&self, wanted: &Wanted) -> Option<&Server> {
        let excluded = |index: &usize| wanted.exclude.iter().any(|name| self.servers[*index].is(name));
        let preferred =
            wanted.prefer.as_deref().and_then(|name| self.servers.iter().position(|server| server.is(name)));
        let current = self.current.load(Ordering::Relaxed);
        let in_turn = || (0..self.servers.len()).map(|step| (current + step) % self.servers.len());
        let good = preferred.filter(|index| !excluded(index)).or_else(|| in_turn().find(|index| !excluded(index)));
        // Where all are excluded, they take turns.
        let index = good.or_else(|| in_turn().nth(1)).or_else(|| in_turn().next())?;
        self.current.store(index, Ordering::Relaxed);
        self.servers.get(index)
    }
}

impl CredentialsSource for ServerList {
    fn server(&self, wanted: Wanted) -> BoxFuture<'_, Result<Server, SourceError>> {
        let chosen = self.choose(&wanted).cloned();
        Box::pin(std::future::ready(chosen.ok_or_else(|| SourceError::fatal("the list of servers is empty"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> ServerList {
        ServerList::new(["ws://a", "ws://b", "ws://c"].map(Server::at).to_vec())
    }

    fn choose(list: &ServerList, exclude: &[&str], prefer: Option<&str>) -> String {
        let exclude = exclude.iter().map(|&name| name.to_owned()).collect();
        let wanted = Wanted { exclude, prefer: prefer.map(str::to_owned), reason: String::new() };
        list.choose(&wanted).map(|server| server.url.clone()).unwrap_or_default()
    }

    #[test]
    fn a_choice_lasts_until_it_is_excluded() {
        let list = list();
        assert_eq!(choose(&list, &[], None), "ws://a");
        assert_eq!(choose(&list, &[], None), "ws://a");
        assert_eq!(choose(&list, &["ws://a"], None), "ws://b");
        assert_eq!(choose(&list, &[], None), "ws://b");
        assert_eq!(choose(&list, &[], Some("ws://c")), "ws://c");
        assert_eq!(choose(&list, &[], None), "ws://c");
    }

    #[test]
    fn excluded_servers_are_passed_over_while_there_is_another() {
        let list = list();
        assert_eq!(choose(&list, &["ws://a", "ws://b"], None), "ws://c");
        assert_eq!(choose(&list, &["ws://c"], None), "ws://a");
    }

    #[test]
    fn servers_take_turns_where_all_are_excluded() {
        let list = list();
        let all = ["ws://a", "ws://b", "ws://c"];
        let chosen: Vec<_> = (0..4).map(|_| choose(&list, &all, None)).collect();
        assert_eq!(chosen, ["ws://b", "ws://c", "ws://a", "ws://b"]);
        let one = ServerList::new(vec![Server::at("ws://a")]);
        assert_eq!(choose(&one, &["ws://a"], None), "ws://a");
    }

    #[test]
    fn a_preference_counts_if_it_is_in_the_list_and_not_excluded() {
        let list = list();
        assert_eq!(choose(&list, &[], Some("ws://c")), "ws://c");
        assert_eq!(choose(&list, &[], Some("ws://elsewhere")), "ws://c");
        assert_eq!(choose(&list, &["ws://c"], Some("ws://c")), "ws://a");
    }
}
