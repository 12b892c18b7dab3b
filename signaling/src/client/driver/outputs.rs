use moorline_sim_point::sim_point;
use tracing::{debug, info};

use crate::client::credentials::Wanted;
use crate::client::outbox::Refused;
use crate::machine::{Event, Input, Output, Transport};

use super::Owner;

impl Owner {
    /// Does one thing that the machine wants. What it finds out goes into `late`.
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dial { epoch, url } => {
                let link = self.connections.open(url);
                self.links.insert(epoch, link);
            }
            Output::Write { epoch, frame } => {
                let Some(link) = self.links.get(&epoch) else { return };
                match link.write(frame) {
                    // It reports its end by itself.
                    Ok(()) | Err(Refused::Gone) => {}
                    Err(Refused::Full) => {
                        self.links.remove(&epoch);
                        let end = Transport::Error("the connection takes no more".to_owned());
                        self.late.push_back(Input::Transport(epoch, end));
                    }
                }
            }
            Output::Abort { epoch, code } => self.condemned.push((epoch, code)),
            Output::FetchToken { force } => self.fetches.fetch_token(force),
            Output::FetchCreds { exclude, prefer, reason } => {
                self.fetches.fetch_server(Wanted { exclude, prefer, reason });
            }
            Output::App(event) => self.tell(event),
        }
    }

    pub(super) fn give_up_condemned(&mut self) {
        for (epoch, code) in self.condemned.drain(..) {
            match (self.links.remove(&epoch), code) {
                (Some(link), Some(code)) => link.abort(code),
                (Some(link), None) => link.reset(),
                (None, _) => {}
            }
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::SendOutcome { id, outcome } => {
                sim_point!("client.outcome");
                // Who hears that it was taken is to see it.
                self.show_own();
                return self.waiters.send_done(id, outcome);
            }
            Event::CallOutcome { id, result } => return self.waiters.call_done(id, result),
            Event::Closed { reason } => {
                info!(%reason, "closed");
                self.finish(reason);
                return;
            }
            Event::Decision(ref decision) => debug!("{decision}"),
            Event::Joined { .. } => sim_point!("client.joined"),
            Event::ConnectionLost { .. } => sim_point!("client.lost"),
            Event::Recovered { .. } => sim_point!("client.recovered"),
            _ => {}
        }
        self.shared.roster().observe(&event);
        self.sink.push(event);
    }
}
