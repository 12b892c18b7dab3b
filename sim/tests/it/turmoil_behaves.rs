//! What turmoil does, where this crate builds on it. When one of these fails after an update, look for who relied on it.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use turmoil::net::{TcpListener, TcpStream, UdpSocket};
use turmoil::{Builder, Sim};

const HERE: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 9000);

type Log = Rc<RefCell<Vec<String>>>;

fn builder() -> Builder {
    let mut builder = Builder::new();
    let ms = Duration::from_millis(1);
    builder.rng_seed(1).simulation_duration(Duration::from_secs(3600)).min_message_latency(ms).max_message_latency(ms);
    builder
}

fn run_for(sim: &mut Sim<'_>, ms: u64) {
    let end = sim.elapsed() + Duration::from_millis(ms);
    while sim.elapsed() < end {
        sim.step().unwrap();
    }
}

/// Accepts, and writes a byte every 10 ms.
async fn ticker() -> turmoil::Result {
    let listener = TcpListener::bind(HERE).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            while stream.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        });
    }
}

/// Connects, and logs how reading ends or that nothing comes for a second.
fn reader(log: &Log) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = turmoil::Result>>> + use<> {
    let log = log.clone();
    move || {
        let log = log.clone();
        Box::pin(async move {
            loop {
                let mut stream = match timeout(Duration::from_secs(1), TcpStream::connect(("server", 9000))).await {
                    Ok(Ok(stream)) => stream,
                    Ok(Err(error)) => {
                        log.borrow_mut().push(format!("connect: {:?}", error.kind()));
                        sleep(Duration::from_secs(1)).await;
                        continue;
                    }
                    Err(_) => {
                        log.borrow_mut().push("connect: silence".into());
                        continue;
                    }
                };
                log.borrow_mut().push("connected".into());
                let mut byte = [0];
                let end = loop {
                    match timeout(Duration::from_secs(1), stream.read(&mut byte)).await {
                        Ok(Ok(0)) => break "end".to_owned(),
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) => break format!("{:?}", error.kind()),
                        Err(_) => break "silence".to_owned(),
                    }
                };
                log.borrow_mut().push(format!("read: {end}"));
            }
        })
    }
}

fn tcp() -> (Sim<'static>, Log) {
    let log = Log::default();
    let mut sim = builder().build();
    sim.host("server", ticker);
    sim.host("reader", reader(&log));
    run_for(&mut sim, 100);
    assert_eq!(log.take(), ["connected"]);
    (sim, log)
}

#[test]
fn a_crash_ends_connections_at_once_and_connecting_hangs_until_the_bounce() {
    let (mut sim, log) = tcp();
    sim.crash("server");
    run_for(&mut sim, 50);
    assert_eq!(log.take(), ["read: end"]);
    run_for(&mut sim, 2_500);
    assert_eq!(log.take(), ["connect: silence", "connect: silence"]);
    sim.bounce("server");
    run_for(&mut sim, 2_000);
    assert_eq!(log.borrow().last().map(String::as_str), Some("connected"), "{log:?}");
}

#[test]
fn a_connection_that_lost_a_segment_never_goes_on() {
    let (mut sim, log) = tcp();
    sim.partition("server", "reader");
    run_for(&mut sim, 100);
    sim.repair("server", "reader");
    run_for(&mut sim, 1_500);
    assert_eq!(log.borrow().first().map(String::as_str), Some("read: silence"), "there is no retransmission");
}

#[test]
fn connecting_across_a_partition_is_refused_at_once() {
    let (mut sim, log) = tcp();
    sim.partition("server", "reader");
    run_for(&mut sim, 1_100);
    assert_eq!(log.take(), ["read: silence", "connect: ConnectionRefused"]);
}

#[test]
fn what_is_held_arrives_whole_when_it_is_released() {
    let (mut sim, log) = tcp();
    sim.hold("server", "reader");
    run_for(&mut sim, 800);
    sim.release("server", "reader");
    run_for(&mut sim, 3_000);
    assert!(log.take().is_empty(), "nothing was lost");
}

/// Sends `count` datagrams at once after 100 ms, and counts those that arrive before they are read.
fn datagrams(capacity: Option<usize>, count: usize) -> usize {
    let mut builder = builder();
    if let Some(capacity) = capacity {
        builder.udp_capacity(capacity);
    }
    let mut sim = builder.build();
    let read = Rc::new(RefCell::new(0));
    let counter = read.clone();
    sim.host("server", move || {
        let read = counter.clone();
        async move {
            let socket = UdpSocket::bind(HERE).await?;
            sleep(Duration::from_secs(1)).await;
            let mut byte = [0];
            loop {
                socket.recv_from(&mut byte).await?;
                *read.borrow_mut() += 1;
            }
        }
    });
    sim.client("sender", async move {
        let socket = UdpSocket::bind(HERE).await?;
        sleep(Duration::from_millis(100)).await;
        for _ in 0..count {
            socket.try_send_to(b"x", ("server", 9000))?;
        }
        Ok(())
    });
    run_for(&mut sim, 2_000);
    read.take()
}

#[test]
fn datagrams_beyond_the_capacity_are_lost_without_a_word() {
    assert_eq!(datagrams(None, 100), 64);
    assert_eq!(datagrams(Some(1 << 16), 100), 100);
}

#[test]
fn a_partition_loses_what_is_under_way_and_one_direction_can_be_cut_alone() {
    let log = Log::default();
    let mut sim = builder().build();
    for (name, other) in [("one", "two"), ("two", "one")] {
        let log = log.clone();
        sim.host(name, move || {
            let log = log.clone();
            async move {
                let socket = UdpSocket::bind(HERE).await?;
                let mut buffer = [0; 8];
                loop {
                    socket.send_to(name.as_bytes(), (other, 9000)).await?;
                    if let Ok(received) = timeout(Duration::from_millis(100), socket.recv_from(&mut buffer)).await {
                        let heard = String::from_utf8_lossy(&buffer[..received?.0]).into_owned();
                        log.borrow_mut().push(format!("{name} hears {heard}"));
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }
    run_for(&mut sim, 50);
    log.take();
    sim.partition_oneway("one", "two");
    run_for(&mut sim, 1_000);
    let heard = log.take();
    assert!(!heard.is_empty() && heard.iter().all(|line| line == "one hears two"), "{heard:?}");
    sim.repair_oneway("one", "two");
    run_for(&mut sim, 1_000);
    assert!(log.take().contains(&"two hears one".to_owned()));
}

#[test]
fn simulated_time_goes_on_for_a_host_that_is_down() {
    let seen = Log::default();
    let log = seen.clone();
    let mut sim = builder().build();
    sim.host("one", move || {
        let log = log.clone();
        async move {
            log.borrow_mut().push(format!("{:?}", turmoil::sim_elapsed().unwrap()));
            std::future::pending().await
        }
    });
    run_for(&mut sim, 10);
    sim.crash("one");
    run_for(&mut sim, 10);
    sim.bounce("one");
    run_for(&mut sim, 10);
    assert_eq!(seen.take(), ["0ns", "20ms"]);
}
