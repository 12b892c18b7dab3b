use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moorline_signaling::machine::{Event, State as ClientState};
use moorline_signaling::{CallError, Client, ClientConfig, SendClass, SendOutcome};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::inbox::Inbox;
use super::token::{self, Tokens};
use super::{Configure, Happened, Logged, Place};
use crate::SimConnector;

/// What a room user's host is like.
#[derive(Clone)]
pub struct UserSpec {
    urls: Vec<String>,
    room: String,
    tokens: Option<Tokens>,
    configure: Option<Configure<ClientConfig>>,
}

impl UserSpec {
    /// A user who joins `room` on the server at `url` as soon as the host starts, and stays.
    #[must_use]
    pub fn joining(url: impl Into<String>, room: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], room: room.into(), tokens: None, configure: None }
    }

    /// Another server of the same room.
    #[must_use]
    pub fn or(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Shows tokens, which servers may ask for. They say who it is: the same person after a crash.
    #[must_use]
    pub fn tokens(self, tokens: Tokens) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// Has a last look at the configuration, each time that the client starts.
    #[must_use]
    pub fn configure(self, with: impl Fn(&mut ClientConfig) + Send + Sync + 'static) -> Self {
        Self { configure: Some(Arc::new(with)), ..self }
    }
}

/// A host whose user is in a room. Clones are the same host. After a crash it joins the room as somebody new.
#[derive(Clone)]
pub struct UserHost {
    place: Place,
    spec: UserSpec,
    orders: Inbox<Order>,
    /// For how long the host has slept, in milliseconds.
    slept_ms: Arc<AtomicU64>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    lives: u64,
    client: Option<ClientState>,
    events: Vec<Logged<Event>>,
    sends: u64,
    calls: u64,
    outcomes: BTreeMap<u64, SendOutcome>,
}

enum Order {
    Send { number: u64, class: SendClass, payload: Bytes },
    Call { number: u64, to: String, payload: Bytes, timeout: Duration },
    Deaf(bool),
    Close,
}

impl UserHost {
    pub(crate) fn new(place: Place, spec: UserSpec) -> Self {
        Self { place, spec, orders: Inbox::default(), slept_ms: Arc::default(), state: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// Sends to everybody else in the room. The number names it in [`outcome`](Self::outcome). Lost if the host is down.
    pub fn send(&self, class: SendClass, payload: impl Into<Bytes>) -> u64 {
        let number = {
            let mut state = self.lock();
            state.sends += 1;
            state.sends
        };
        let (payload, asked) = (payload.into(), class.clone());
        if self.orders.order(Order::Send { number, class, payload: payload.clone() }) {
            self.place.happened(Happened::SendAsked { number, class: asked, payload });
        }
        number
    }

    /// How many messages it was asked to send.
    #[must_use]
    pub fn sends(&self) -> u64 {
        self.lock().sends
    }

    /// Calls the user of another host, who answers with what the call brings. Lost if the host is down.
    pub fn call(&self, to: &str, payload: impl Into<Bytes>, timeout: Duration) -> u64 {
        let number = {
            let mut state = self.lock();
            state.calls += 1;
            state.calls
        };
        let to = to.to_owned();
        if self.orders.order(Order::Call { number, to: to.clone(), payload: payload.into(), timeout }) {
            self.place.happened(Happened::CallAsked { number, to });
        }
        number
    }

    /// Whether the user reads events.
    pub fn set_deaf(&self, deaf: bool) {
        self.orders.order(Order::Deaf(deaf));
    }

    /// What became of a message; `None` until that is known.
    #[must_use]
    pub fn outcome(&self, number: u64) -> Option<SendOutcome> {
        self.lock().outcomes.get(&number).cloned()
    }

    /// Leaves the room.
    pub fn close(&self) {
        self.orders.order(Order::Close);
    }

    /// Makes the client see that its computer has slept for so long.
    pub fn sleep(&self, long: Duration) {
        let ms = u64::try_from(long.as_millis()).unwrap_or(u64::MAX);
        self.slept_ms.fetch_add(ms, Ordering::Relaxed);
        self.place.net.trace().record(&self.place.name, "fault", |fields| {
            fields.text("what", "sleep").text("detail", &format!("{long:?}"));
        });
    }

    /// How often it was started.
    #[must_use]
    pub fn lives(&self) -> u64 {
        self.lock().lives
    }

    /// Where the client is; `None` before its first event.
    #[must_use]
    pub fn client_state(&self) -> Option<ClientState> {
        self.lock().client
    }

    /// All events so far, of all lives.
    #[must_use]
    pub fn events(&self) -> Vec<Logged<Event>> {
        self.lock().events.clone()
    }

    /// Looks at the events so far without copying them. Must not call the host meanwhile.
    pub fn with_events<T>(&self, look: impl FnOnce(&[Logged<Event>]) -> T) -> T {
        look(&self.lock().events)
    }

    /// The payloads of all messages so far, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Bytes> {
        let payload = |logged: &Logged<Event>| match &logged.event {
            Event::Message(message) => Some(message.payload.clone()),
            _ => None,
        };
        self.lock().events.iter().filter_map(payload).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self, life: u64) -> ClientConfig {
        let mut urls = self.spec.urls.iter();
        let mut config = ClientConfig::new(urls.next().cloned().unwrap_or_default(), &*self.spec.room);
        for url in urls {
            config = config.server(url);
        }
        config.machine.info.name = self.place.name.to_string();
        config.connector = Arc::new(SimConnector::new(&self.place.net, &self.place.address));
        config.seed = Some(self.place.seed("client", life));
        if let Some(tokens) = self.spec.tokens {
            config = config.token_source(token::source(self.place.clone(), self.spec.room.clone(), tokens));
        }
        let slept = self.slept_ms.clone();
        config.suspend_clock = Some(Arc::new(move || Some(Duration::from_millis(slept.load(Ordering::Relaxed)))));
        if let Some(configure) = &self.spec.configure {
            configure(&mut config);
        }
        config
    }

    fn heard(&self, life: u64, client: &Client, event: Event) {
        self.place.record("room", life, &event);
        self.place.happened(Happened::Room(event.clone()));
        let at = self.place.net.clock().now();
        let mut state = self.lock();
        state.client = Some(client.state());
        if let Event::StateChanged { to, .. } = &event {
            let epoch = if let ClientState::Live { epoch, .. } = to { Some(epoch.0) } else { None };
            self.place.state(life, to.name(), epoch);
        }
        state.events.push(Logged { at, life, event });
    }
}

/// One life of a user.
pub(crate) async fn run(host: UserHost) -> turmoil::Result {
    let mut orders = host.orders.open();
    let life = {
        let mut state = host.lock();
        state.lives += 1;
        state.client = None;
        state.lives - 1
    };
    host.place.say("host", life, "started");
    host.place.happened(Happened::Started);
    let (client, mut events, driver) = Client::prepare(host.config(life))?;
    let closed_from_within = client.clone();
    host.place.points.stop_with(&host.place.name, move || closed_from_within.close());
    let mut running = Running { host: &host, life, client, tasks: JoinSet::new() };
    running.tasks.spawn(async move { drop(driver.run().await) });
    let mut deaf = false;
    loop {
        tokio::select! {
            biased;
            event = events.next(), if !deaf => {
                let Some(event) = event else { break };
                if let Event::CallRequest(request) = &event {
                    // Everybody answers with what it is asked. Who is overrun does not, and the caller's timeout tells.
                    let _ = running.client.reply(request, Ok(request.payload.clone()));
                }
                host.heard(life, &running.client, event);
            }
            order = next_order(&mut orders) => match order {
                Order::Deaf(now) => {
                    deaf = now;
                    host.place.happened(Happened::Deaf(deaf));
                }
                order => running.carry_out(order),
            },
        }
    }
    // What was ordered has an outcome also then.
    orders.close();
    while let Ok(order) = orders.try_recv() {
        running.carry_out(order);
    }
    let Running { client, mut tasks, .. } = running;
    let reason = client.stopped().await;
    while tasks.join_next().await.is_some() {}
    host.place.say("host", life, &format!("stopped: {reason}"));
    host.place.happened(Happened::Stopped { tasks_left: None });
    Ok(())
}

struct Running<'a> {
    host: &'a UserHost,
    life: u64,
    client: Client,
    tasks: JoinSet<()>,
}

impl Running<'_> {
    fn carry_out(&mut self, order: Order) {
        while self.tasks.try_join_next().is_some() {}
        let (host, life) = (self.host.clone(), self.life);
        match order {
            Order::Send { number, class, payload } => {
                let sent = self.client.send(class, payload);
                self.tasks.spawn(async move {
                    let outcome = sent.await;
                    host.place.say("sent", life, &format!("{number}: {outcome:?}"));
                    host.place.happened(Happened::SendEnded { number, outcome: outcome.clone() });
                    host.lock().outcomes.insert(number, outcome);
                });
            }
            Order::Call { number, to, payload, timeout } => {
                let client = self.client.clone();
                self.tasks.spawn(async move {
                    let participant = client.participants().iter().find(|other| other.name == to).map(|other| other.id);
                    let result = match participant {
                        Some(participant) => client.call(participant, "echo", payload, timeout).await,
                        None => Err(CallError::NoSuchParticipant),
                    };
                    host.place.say("called", life, &format!("{number}: {result:?}"));
                    host.place.happened(Happened::CallEnded { number, result });
                });
            }
            Order::Close => self.client.close(),
            Order::Deaf(_) => {}
        }
    }
}

async fn next_order(orders: &mut mpsc::Receiver<Order>) -> Order {
    match orders.recv().await {
        Some(order) => order,
        None => std::future::pending().await,
    }
}
