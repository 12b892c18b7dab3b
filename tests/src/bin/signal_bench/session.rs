//! Clients under measurement: each with a task that notes when what happens to it happened.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use moorline_signaling::{Client, ClientConfig, CloseReason, Events, machine::Event};
use tokio::{sync::mpsc, time::timeout};

/// So many join at a time.
const AT_ONCE: usize = 50;

/// Clients in one process.
pub(crate) struct Sessions {
    pub(crate) clients: Vec<Client>,
    marks: mpsc::UnboundedReceiver<Mark>,
}

/// Something that a client's application heard.
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) client: usize,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Lost,
    Recovered,
    Closed(CloseReason),
}

impl Sessions {
    /// Joins so many, with rooms of ten, each at the URL that its number gives.
    pub(crate) async fn join(count: usize, url: impl Fn(usize) -> String) -> Result<Self> {
        let (sender, marks) = mpsc::unbounded_channel();
        let mut clients = Vec::with_capacity(count);
        for first in (0..count).step_by(AT_ONCE) {
            let some: Vec<_> = (first..count.min(first + AT_ONCE))
                .map(|index| {
                    let mut config = ClientConfig::new(url(index), format!("room-{}", index / 10));
                    // Drops follow each other quickly here: each is to be the first for its client, not one of a series.
                    config.machine.timers.stable = Duration::from_millis(10);
                    tokio::spawn(Client::connect(config))
                })
                .collect();
            for joining in some {
                let (client, events) = joining.await??;
                tokio::spawn(note(clients.len(), events, sender.clone()));
                clients.push(client);
            }
        }
        Ok(Self { clients, marks })
    }

    /// Waits until so many clients have this to say; when, for each.
    pub(crate) async fn heard(
        &mut self,
        count: usize,
        within: Duration,
        wanted: impl Fn(&What) -> bool,
    ) -> Result<Vec<Mark>> {
        let mut heard = Vec::with_capacity(count);
        let all = async {
            while heard.len() < count {
                let Some(mark) = self.marks.recv().await else { bail!("all clients are gone") };
                if let What::Closed(reason) = &mark.what {
                    bail!("client {} closed: {reason}", mark.client);
                }
                if wanted(&mark.what) {
                    heard.push(mark);
                }
            }
            Ok(())
        };
        match timeout(within, all).await {
            Ok(outcome) => outcome?,
            Err(_) => bail!("only {} of {count} clients within {within:?}", heard.len()),
        }
        Ok(heard)
    }

    /// Forgets what was noted so far.
    pub(crate) fn forget(&mut self) {
        while self.marks.try_recv().is_ok() {}
    }

    pub(crate) async fn close(self) {
        self.clients.iter().for_each(Client::close);
        for client in &self.clients {
            client.stopped().await;
        }
    }
}

/// Until the client has closed.
async fn note(client: usize, mut events: Events, marks: mpsc::UnboundedSender<Mark>) {
    while let Some(event) = events.next().await {
        let what = match event {
            Event::ConnectionLost { .. } => What::Lost,
            Event::Recovered { .. } => What::Recovered,
            Event::Closed { reason } => What::Closed(reason),
            _ => continue,
        };
        let _ = marks.send(Mark { at: Instant::now(), client, what });
    }
}
