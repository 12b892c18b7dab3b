//! The self-test behind `moorline doctor`: does multicast come through to this host itself?

use super::{MdnsConfig, link::Responder};
use crate::{
    BoxFuture, DiscoveryError, InterfaceChoice, choose,
    interface::{Wanted, wanted},
    race,
};
use mdns_sd::{ServiceEvent, ServiceInfo};
use std::{collections::BTreeMap, fmt, sync::Mutex, sync::PoisonError, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// Nobody else listens to this type.
const PROBE_TYPE: &str = "_moorprobe._udp.local.";

/// What a [`probe`] found out.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    /// The UDP port of multicast DNS that was used.
    pub port: u16,
    /// Every interface of this machine, in the order of their index.
    pub interfaces: Vec<InterfaceProbe>,
}

impl ProbeReport {
    /// Whether multicast came through on at least one interface.
    pub fn works(&self) -> bool {
        self.interfaces.iter().any(|probe| matches!(probe.multicast, Multicast::Heard { .. }))
    }
}

/// One interface in a [`ProbeReport`].
#[derive(Clone, Debug)]
pub struct InterfaceProbe {
    /// Whether discovery uses it, and why.
    pub choice: InterfaceChoice,
    /// What became of multicast there.
    pub multicast: Multicast,
}

/// What became of multicast on an interface. Displays as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Multicast {
    /// Not tried, since discovery does not use the interface.
    NotUsed,
    /// A service announced there was seen there.
    Heard {
        /// After this long.
        after: Duration,
    },
    /// A service was announced, but was not seen.
    Silent {
        /// In this time.
        waited: Duration,
    },
    /// It could not be announced or looked for.
    Failed {
        /// What went wrong.
        why: String,
    },
}

impl fmt::Display for Multicast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Multicast::NotUsed => write!(f, "not used, so not tried"),
            Multicast::Heard { after } => write!(f, "multicast comes through (after {} ms)", after.as_millis()),
            Multicast::Silent { waited } => {
                write!(
                    f,
                    "multicast does not come through (waited {} ms); a firewall may block UDP port 5353 or 224.0.0.251",
                    waited.as_millis()
                )
            }
            Multicast::Failed { why } => write!(f, "multicast DNS could not be started: {why}"),
        }
    }
}

/// Announces a throw-away service on each interface that discovery would use and looks for it with a second responder.
///
/// Takes until all were heard, at most `deadline` (3 s are plenty) and what closing takes. It tells nothing about other hosts: that multicast
/// comes back to this one shows that neither its firewall nor its sockets are in the way. Dropping the future ends the responders.
///
/// # Errors
/// The interfaces cannot be listed.
pub async fn probe(config: &MdnsConfig, deadline: Duration) -> Result<ProbeReport, DiscoveryError> {
    let list = (config.interfaces)().map_err(DiscoveryError::Interfaces)?;
    let choices = choose(&list, &config.policy);
    let wanted = wanted(&choices, config.max_interfaces);
    let found: Mutex<BTreeMap<String, Multicast>> = Mutex::default();
    let probes = wanted.iter().map(|(name, wanted)| -> BoxFuture<'_, ()> {
        let found = &found;
        Box::pin(async move {
            let outcome = probe_one(config, name, wanted, deadline).await;
            found.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), outcome);
        })
    });
    race::all(probes.collect()).await;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let interfaces = choices
        .into_iter()
        .map(|choice| {
            let multicast = found.remove(&choice.interface.name).unwrap_or(Multicast::NotUsed);
            InterfaceProbe { choice, multicast }
        })
        .collect();
    Ok(ProbeReport { port: config.port, interfaces })
}

async fn probe_one(config: &MdnsConfig, interface: &str, wanted: &Wanted, deadline: Duration) -> Multicast {
    let start = Instant::now();
    let random = (config.random)();
    let instance = format!("{random:016x}");
    let service =
        ServiceInfo::new(PROBE_TYPE, &instance, &format!("moorprobe-{instance}.local."), (), 9, &[("v", "1")][..]);
    let started = service.and_then(|mut service| {
        // The name is random: nothing to be gained from asking whether it is taken, but a second.
        service.set_requires_probe(false);
        let fullname = service.get_fullname().to_owned();
        let (listener, _) = Responder::open(config.port, interface, wanted)?;
        let events = listener.0.browse(PROBE_TYPE)?;
        let (announcer, monitor) = Responder::open(config.port, interface, wanted)?;
        announcer.0.register(service.enable_addr_auto())?;
        Ok((fullname, listener, events, announcer, monitor))
    });
    let (fullname, listener, events, announcer, _monitor) = match started {
        Ok(started) => started,
        Err(error) => return Multicast::Failed { why: error.to_string() },
    };
    let heard = timeout_at(start + deadline, async {
        while let Ok(event) = events.recv_async().await {
            if matches!(event, ServiceEvent::ServiceFound(_, name) if name == fullname) {
                return true;
            }
        }
        false
    });
    let outcome = match heard.await {
        Ok(true) => Multicast::Heard { after: start.elapsed() },
        Ok(false) => Multicast::Failed { why: "the responder ended".to_owned() },
        Err(_) => Multicast::Silent { waited: start.elapsed() },
    };
    for responder in [announcer, listener] {
        // Ending sends the goodbye as well.
        if timeout(config.goodbye_timeout, responder.end()).await.is_err() {
            tracing::warn!(interface, "a responder of the self-test did not end in time");
        }
    }
    outcome
}
