//! The application: it answers what the machine asks for, and uses the room.

use std::time::Duration;

use bytes::Bytes;
use moorline_signaling::machine::{Event, Input, Outgoing, SelfUpdate};
use moorline_signaling::{CallId, NodeName, ParticipantId, SendClass, SendId};

use super::{Happening, World};
use crate::wire;

/// How the application answers when asked for a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TokenMode {
    /// There are none: the empty token.
    None,
    /// A new one each time that it is forced, else the last one.
    Fresh,
    /// Always the same.
    Stale,
    /// Never.
    Hang,
    /// With an error.
    Fail {
        /// For good.
        fatal: bool,
    },
}

/// How the application answers when asked for a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum CredsMode {
    /// As the client's own list of servers does: with the last one until it is excluded, or another one is preferred.
    Good,
    /// With another one each time, unless one is preferred.
    Turns,
    /// Always with the first one.
    First,
    /// Never.
    Hang,
    /// With an error.
    Fail {
        /// For good.
        fatal: bool,
    },
}

impl World {
    pub(super) fn fetch_token(&mut self, force: bool) {
        let input = match self.tokens {
            TokenMode::None => Input::TokenReady(String::new()),
            TokenMode::Fresh => {
                if force || self.minted_tokens == 0 {
                    self.minted_tokens += 1;
                }
                Input::TokenReady(format!("token-{}", self.minted_tokens))
            }
            TokenMode::Stale => Input::TokenReady("token-1".into()),
            TokenMode::Hang => return,
            TokenMode::Fail { fatal } => Input::TokenFailed { reason: "no token today".into(), fatal },
        };
        self.after(self.app_delay, Happening::Input(input));
    }

    pub(super) fn fetch_creds(&mut self, exclude: &[NodeName], prefer: Option<&str>) {
        let names: Vec<String> = self.cluster.nodes.iter().map(|node| node.name.clone()).collect();
        let input = match self.creds {
            CredsMode::Good | CredsMode::Turns => {
                let good = |index: &usize| !exclude.contains(&names[*index]);
                let preferred = prefer.and_then(|prefer| names.iter().position(|name| name == prefer));
                let first = self.creds_at + usize::from(self.creds == CredsMode::Turns);
                let mut in_turn = (0..names.len()).map(|step| (first + step) % names.len());
                let chosen = preferred.filter(good).or_else(|| in_turn.find(good));
                self.creds_at = chosen.unwrap_or((self.creds_at + 1) % names.len());
                ready(names.get(self.creds_at))
            }
            CredsMode::First => ready(names.first()),
            CredsMode::Hang => return,
            CredsMode::Fail { fatal } => Input::CredsFailed { reason: "no server today".into(), fatal },
        };
        self.after(self.app_delay, Happening::Input(input));
    }

    pub(super) fn heard(&mut self, event: &Event) {
        if let Event::CallRequest(request) = event {
            self.requests.push_back((request.id, request.from));
        }
    }

    /// Sends a message of this class. Its payload names it.
    pub(crate) fn send(&mut self, class: SendClass, len: usize, ttl: Option<Duration>) -> SendId {
        let id = self.mint_send();
        let body = Outgoing { payload: wire::marked(id, len), topic: String::new(), to: Vec::new() };
        self.input(Input::Send { id, class, body, ttl });
        id
    }

    /// Changes the participant's metadata to the name of this send.
    pub(crate) fn update(&mut self) -> SendId {
        let id = self.mint_send();
        let update = SelfUpdate { metadata: Some(id.to_string()), ..SelfUpdate::default() };
        self.input(Input::Update { id, update });
        id
    }

    /// Calls a participant.
    pub(crate) fn call(&mut self, to: u64, timeout: Duration) -> CallId {
        self.calls += 1;
        let id = CallId(self.calls);
        let payload = Bytes::from_static(b"ask");
        self.input(Input::Call { id, to: ParticipantId(to), method: "m".into(), payload, timeout });
        id
    }

    /// Forgets the newest call.
    pub(crate) fn cancel_call(&mut self) {
        self.input(Input::CancelCall(CallId(self.calls)));
    }

    /// Answers the oldest call of another participant, if there is one.
    pub(crate) fn reply(&mut self) {
        if let Some((call, to)) = self.requests.pop_front() {
            self.input(Input::Reply { call, to, result: Ok(Bytes::from_static(b"answer")) });
        }
    }
}

fn ready(node: Option<&String>) -> Input {
    match node {
        Some(node) => Input::CredsReady { node: node.clone(), url: format!("ws://{node}") },
        None => Input::CredsFailed { reason: "there is no server".into(), fatal: true },
    }
}
