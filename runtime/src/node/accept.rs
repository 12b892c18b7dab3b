use std::sync::Arc;

use moorline_sim_point::sim_point;
use tracing::debug;

use crate::supervisor::{BoxError, Scope};

use super::context::Context;
use super::session;

/// The service `quic-server`: admits peers, each in a task of its own, so that a slow handshake holds up nobody.
pub(super) async fn run(context: Arc<Context>, scope: Scope) -> Result<(), BoxError> {
    let Some(endpoint) = context.endpoint() else { return Ok(()) };
    loop {
        let incoming = tokio::select! {
            biased;
            () = scope.cancelled() => return Ok(()),
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else {
            // During shutdown the goodbye closes the endpoint, and cancellation may be seen a moment later.
            return if scope.is_cancelled() { Ok(()) } else { Err("the UDP socket stopped working".into()) };
        };
        let context = context.clone();
        let admission = scope.clone();
        drop(scope.spawn("handshake", async move {
            let addr = incoming.remote_addr();
            // The handshake carries its own deadline.
            let admitted = tokio::select! {
                biased;
                () = admission.cancelled() => return,
                admitted = incoming.admit() => admitted,
            };
            match admitted {
                Ok(connection) => {
                    sim_point!(await "accept.admitted");
                    session::start(&context, connection);
                }
                Err(error) => debug!(%addr, %error, "a peer was not admitted"),
            }
        }));
    }
}
