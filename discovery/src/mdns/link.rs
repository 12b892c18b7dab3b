//! A responder of mdns-sd on one interface, and the events that come from it.

use super::{MdnsConfig, SERVICE_TYPE, names};
use crate::{Announcement, BoxFuture, interface::Wanted, txt};
use mdns_sd::{DaemonEvent, DaemonStatus, IfKind, IfPredicate, Receiver, ServiceDaemon, ServiceEvent, ServiceInfo};
use std::{
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// What came from a [`Link`].
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// It has opened its sockets and joined the group, on this many addresses.
    Started { addrs: usize },
    /// Something about another peer.
    Service(ServiceEvent),
    /// mdns-sd closes a subscription that is not read fast enough, without a word.
    SubscriptionClosed,
    /// The own service was given this name, since another one has the name it asked for.
    Renamed { instance: String },
    /// mdns-sd complains.
    Complaint(String),
    /// Its thread has ended. It gives no more events.
    Died,
}

/// A responder. Dropping it ends its thread, after a goodbye, without waiting for either; [`Link::close`] waits.
pub(crate) struct Link {
    pub(crate) interface: String,
    pub(crate) wanted: Wanted,
    /// Counts the replacements on this interface; part of the instance name.
    pub(crate) generation: u32,
    /// Deadline for `Started`; `None` once it has come.
    pub(crate) start_by: Option<Instant>,
    /// When what was not listed again since a lost subscription is taken for gone.
    pub(crate) resync_by: Option<Instant>,
    /// When the replacement has taken over.
    pub(crate) retire_at: Option<Instant>,
    /// Whether the subscription was lost and could not be renewed yet.
    pub(crate) unsubscribed: bool,
    /// Since when it runs.
    pub(crate) since: Instant,
    /// How many instance names it has heard of, counting those that came back.
    pub(crate) names: usize,
    responder: Responder,
    /// Full name that was registered.
    instance: Option<String>,
    services: Option<Stream<ServiceEvent>>,
    monitor: Option<Stream<DaemonEvent>>,
    opened: Option<Stream<DaemonStatus>>,
    started: bool,
    addrs: usize,
}

impl Link {
    /// Starts the thread, announces `own` if there is one, and browses. Does not wait: see [`LinkEvent::Started`].
    pub(crate) fn start(
        config: &MdnsConfig,
        interface: &str,
        wanted: Wanted,
        own: Option<&Announcement>,
        generation: u32,
    ) -> Result<Link, mdns_sd::Error> {
        let (responder, monitor) = Responder::open(config.port, interface, &wanted)?;
        let services = responder.0.browse(SERVICE_TYPE)?;
        let instance = own.map(|own| register(config, &responder, interface, own, generation)).transpose()?;
        // Commands are carried out in order, so the answer to this one says that all others were.
        let opened = responder.0.status()?;
        Ok(Link {
            interface: interface.to_owned(),
            wanted,
            generation,
            start_by: Some(Instant::now() + config.start_timeout),
            resync_by: None,
            retire_at: None,
            unsubscribed: false,
            since: Instant::now(),
            names: 0,
            responder,
            instance,
            services: Some(Stream::new(services)),
            monitor: Some(Stream::new(monitor)),
            opened: Some(Stream::new(opened)),
            started: false,
            addrs: 0,
        })
    }

    /// Browses (again). Everything that is known is listed again.
    pub(crate) fn subscribe(&mut self) -> Result<(), mdns_sd::Error> {
        self.services = Some(Stream::new(self.responder.0.browse(SERVICE_TYPE)?));
        Ok(())
    }

    /// Asks for the instance, and has it removed if nobody answers within `timeout`.
    pub(crate) fn verify(&self, fullname: &str, timeout: Duration) -> Result<(), mdns_sd::Error> {
        self.responder.0.verify(fullname.to_owned(), timeout)
    }

    /// The next event, if there is one.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<LinkEvent> {
        // First: when this is ready, all that happened up to then waits in the monitor.
        if let Some(opened) = &mut self.opened
            && let Poll::Ready(answer) = opened.poll_next(cx)
        {
            self.opened = None;
            self.started = answer.is_some();
        }
        while let Some(monitor) = &mut self.monitor
            && let Poll::Ready(event) = monitor.poll_next(cx)
        {
            let Some(event) = event else {
                self.monitor = None;
                return Poll::Ready(LinkEvent::Died);
            };
            if let Some(event) = self.take_note(event) {
                return Poll::Ready(event);
            }
        }
        if std::mem::take(&mut self.started) {
            return Poll::Ready(LinkEvent::Started { addrs: self.addrs });
        }
        let Some(services) = &mut self.services else { return Poll::Pending };
        Poll::Ready(match ready!(services.poll_next(cx)) {
            Some(event) => LinkEvent::Service(event),
            None => {
                self.services = None;
                LinkEvent::SubscriptionClosed
            }
        })
    }

    /// Says goodbye and ends the thread, each within `limit`. What it yields if that fails is a sentence for the log.
    pub(crate) fn close(self, limit: Duration) -> BoxFuture<'static, ()> {
        let Link { interface, responder, instance, .. } = self;
        Box::pin(async move {
            if let Some(instance) = instance {
                let said = timeout(limit, responder.goodbye(&instance)).await;
                if said.is_err() {
                    tracing::warn!(interface, "no goodbye was sent within {limit:?}; others will notice later");
                }
            }
            if timeout(limit, responder.end()).await.is_err() {
                tracing::warn!(interface, "the mDNS responder did not end within {limit:?}");
            }
        })
    }

    #[cfg(test)]
    pub(crate) async fn end_thread(&self) {
        self.responder.end().await;
    }

    fn take_note(&mut self, event: DaemonEvent) -> Option<LinkEvent> {
        match event {
            DaemonEvent::IpAdd(_) => self.addrs += 1,
            DaemonEvent::IpDel(_) => self.addrs = self.addrs.saturating_sub(1),
            DaemonEvent::Error(error) => return Some(LinkEvent::Complaint(error.to_string())),
            DaemonEvent::NameChange(change) => {
                // Unregistering goes by the original name; the responder knows what it is called now.
                let ours = self.instance.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&change.original));
                return ours.then_some(LinkEvent::Renamed { instance: change.new_name });
            }
            _ => {}
        }
        None
    }
}

fn register(
    config: &MdnsConfig,
    responder: &Responder,
    interface: &str,
    own: &Announcement,
    generation: u32,
) -> Result<String, mdns_sd::Error> {
    let instance = names::instance_name(own, interface, generation, (config.random)());
    let host = names::host_name((config.random)());
    let txt = txt::build(own);
    let service = ServiceInfo::new(SERVICE_TYPE, &instance, &host, (), own.port, &txt[..])?.enable_addr_auto();
    let fullname = service.get_fullname().to_owned();
    responder.0.register(service)?;
    Ok(fullname)
}

/// The handle of an mdns-sd thread, which would live on if the handle were just dropped.
pub(crate) struct Responder(pub(crate) ServiceDaemon);

impl Responder {
    /// Starts a thread that works on one interface, with the addresses `wanted`, and nowhere else.
    ///
    /// Multicast loop is on by default, which lets programs on one machine find each other; setting it would panic the thread
    /// of mdns-sd 0.21 where the system refuses.
    pub(crate) fn open(
        port: u16,
        interface: &str,
        wanted: &Wanted,
    ) -> Result<(Responder, Receiver<DaemonEvent>), mdns_sd::Error> {
        let responder = Responder(ServiceDaemon::new_with_port(port)?);
        let daemon = &responder.0;
        // Changes are watched for here: a change of address needs another responder, since mdns-sd does not recover from all of them.
        daemon.set_ip_check_interval(0)?;
        daemon.disable_interface(IfKind::All)?;
        // Only now, so that the events of the interfaces just disabled do not fill it up.
        let monitor = daemon.monitor()?;
        let (name, wanted) = (interface.to_owned(), wanted.clone());
        daemon.enable_interface(IfKind::Predicate(IfPredicate::new(move |entry| {
            entry.name == name && entry.index == wanted.index && wanted.addrs.contains(&entry.ip())
        })))?;
        Ok((responder, monitor))
    }

    /// Has the goodbye for `instance` sent.
    async fn goodbye(&self, instance: &str) {
        if let Some(answer) = accepted(|| self.0.unregister(instance)).await {
            // An error means that the thread is gone.
            let _ = answer.recv_async().await;
        }
    }

    /// Ends the thread, and waits until it has ended.
    pub(crate) async fn end(&self) {
        if let Some(answer) = accepted(|| self.0.shutdown()).await {
            let _ = answer.recv_async().await;
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        // Already ended, mostly. A full queue of commands cannot be waited for here.
        let _ = self.0.shutdown();
    }
}

/// Gives a command until the queue of commands has room; `None` if the thread has ended.
async fn accepted<T>(command: impl Fn() -> Result<T, mdns_sd::Error>) -> Option<T> {
    loop {
        match command() {
            Ok(answer) => return Some(answer),
            Err(mdns_sd::Error::Again) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(_) => return None,
        }
    }
}

/// A channel of mdns-sd that can be polled. Its own future borrows the receiver and forgets its waker when it is dropped, so it is kept.
struct Stream<T> {
    receiver: Receiver<T>,
    next: BoxFuture<'static, Option<T>>,
}

impl<T: Send + 'static> Stream<T> {
    fn new(receiver: Receiver<T>) -> Stream<T> {
        Stream { next: Self::next(&receiver), receiver }
    }

    fn next(receiver: &Receiver<T>) -> BoxFuture<'static, Option<T>> {
        let receiver = receiver.clone();
        Box::pin(async move { receiver.recv_async().await.ok() })
    }

    /// `None` when it is closed; not to be polled after that.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let item = ready!(self.next.as_mut().poll(cx));
        if item.is_some() {
            self.next = Self::next(&self.receiver);
        }
        Poll::Ready(item)
    }
}
