use std::time::Duration;

use futures_util::future::join_all;
use moorline_signaling::machine::Event;
use moorline_signaling::{Client, ClientConfig, Strategy};
use tokio::time::Instant;

use crate::peer::{Peer, Terms, soon};
use crate::support::until;

const CLIENTS: usize = 100;
const SPREAD: Duration = Duration::from_millis(250);

#[tokio::test]
async fn a_hundred_in_one_process_do_not_wait_for_each_other() {
    let peer = Peer::bind().await;
    let url = peer.url();
    let terms = Terms { spread_ms: 250, ..Terms::default() };
    let connects = join_all((0..CLIENTS).map(|_| Client::connect(ClientConfig::new(url.clone(), "room"))));
    let admits = async {
        let mut conns = Vec::new();
        for _ in 0..CLIENTS {
            conns.push(peer.admit(&terms).await.0);
        }
        conns
    };
    let (clients, conns) = soon(async { tokio::join!(connects, admits) }).await;
    let mut clients: Vec<_> = clients.into_iter().map(Result::unwrap).collect();

    let dropped = Instant::now();
    conns.into_iter().for_each(crate::peer::Conn::reset);
    let _served = peer.serve(terms);
    let recoveries = clients.iter_mut().map(|(_, events)| async move {
        let strategy = until(events, |event| match event {
            Event::Recovered { strategy, .. } => Some(strategy),
            _ => None,
        })
        .await;
        (strategy, dropped.elapsed())
    });
    let mut took: Vec<_> = join_all(recoveries)
        .await
        .into_iter()
        .map(|(strategy, took)| {
            assert_eq!(strategy, Strategy::Fast);
            took
        })
        .collect();
    took.sort_unstable();
    // One after the other they would need many times that, on a machine that does other things as well.
    let p99 = took[CLIENTS * 99 / 100];
    assert!(p99 < 2 * SPREAD + Duration::from_secs(3), "p99 is {p99:?}");
    assert!(took[CLIENTS / 2] > SPREAD / 5, "not all at once: the median is {:?}", took[CLIENTS / 2]);

    let closing = Instant::now();
    clients.iter().for_each(|(client, _)| client.close());
    assert!(closing.elapsed() < Duration::from_secs(1), "a hundred times close() took {:?}", closing.elapsed());
    soon(join_all(clients.iter().map(|(client, _)| client.stopped()))).await;
}
