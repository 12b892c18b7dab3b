use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_signaling::client::{BoxFuture, Connector, Stream};
use moorline_signaling::{Client, ClientConfig, CloseReason};
use tokio::time::{Instant, advance, sleep};

use crate::peer::soon;

/// Notes each dial, and refuses it.
#[derive(Clone, Default)]
struct Refusing(Arc<Mutex<Vec<Instant>>>);

impl Connector for Refusing {
    fn connect<'a>(&'a self, _: &'a str, _: u16, _: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        self.0.lock().unwrap().push(Instant::now());
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_stood_still_owes_no_attempts() {
    let dials = Refusing::default();
    let mut config = ClientConfig::new("ws://nowhere", "room");
    config.connector = Arc::new(dials.clone());
    config.machine.timers.deadline = None;
    config.machine.backoff.rejoin_cap = Duration::from_secs(1);
    let (client, _events, driver) = Client::prepare(config).unwrap();
    let work = tokio::spawn(driver.run());
    sleep(Duration::from_secs(20)).await;
    let before = dials.0.lock().unwrap().len();
    assert!(before >= 10, "{before} dials in 20 s");

    // Nothing runs for a minute, in which about a hundred attempts had their time.
    advance(Duration::from_secs(60)).await;
    let resumed = Instant::now();
    sleep(Duration::from_secs(20)).await;
    let after = dials.0.lock().unwrap()[before..].to_vec();
    assert!((10..60).contains(&after.len()), "{} dials in the 20 s after the stall", after.len());
    let at_once = after.iter().filter(|at| at.duration_since(resumed) < Duration::from_millis(1)).count();
    assert!(at_once <= 2, "{at_once} dials at once");

    client.close();
    assert_eq!(soon(work).await.unwrap(), CloseReason::UserClosed);
}
