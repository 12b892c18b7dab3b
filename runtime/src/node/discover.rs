use std::sync::Arc;

use moorline_discovery::{Announcement, Discovery, DiscoveryEvent, Found};
use moorline_proto::PeerId;
use tokio::sync::mpsc;
use tracing::debug;

use crate::supervisor::{BoxError, Scope};

use super::context::Context;

/// Discovery events that wait to be looked at.
const QUEUE: usize = 256;

/// The service `discovery`: announces this node and turns what is found into targets for the dialler.
pub(super) async fn run(
    context: Arc<Context>,
    discovery: Arc<dyn Discovery>,
    own: Option<Announcement>,
    scope: Scope,
) -> Result<(), BoxError> {
    // A backend that starts anew reports everybody again and knows nothing of whom it had lost.
    context.targets.forget_found();
    let (sender, mut events) = mpsc::channel(QUEUE);
    let own_key = own.as_ref().and_then(|own| own.id.clone().or_else(|| own.tag.clone()));
    let mut backend = discovery.run(own, sender, scope.token().clone());
    loop {
        tokio::select! {
            biased;
            ended = &mut backend => {
                ended?;
                return if scope.is_cancelled() { Ok(()) } else { Err("discovery ended by itself".into()) };
            }
            Some(event) = events.recv() => take(&context, own_key.as_deref(), event),
        }
    }
}

fn take(context: &Arc<Context>, own_key: Option<&str>, event: DiscoveryEvent) {
    match event {
        DiscoveryEvent::Found(found) | DiscoveryEvent::Updated(found) => {
            if own_key == Some(found.key.as_str()) {
                return;
            }
            let Found { key, announcement, addrs, .. } = found;
            let peer = match announcement.id.as_deref().map(str::parse::<PeerId>).transpose() {
                Ok(peer) => peer,
                Err(error) => {
                    debug!(key, %error, "ignoring an announcement whose id is no peer id");
                    return;
                }
            };
            if peer != Some(context.own_id) {
                context.targets.found(context, key, peer, addrs);
            }
        }
        DiscoveryEvent::Lost { key } => context.targets.lost(&key),
    }
}
