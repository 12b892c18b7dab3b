//! Whatever strikes the socket, peers that mean it are served.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::support::{Host, bind, config, hasty, loopback, pattern, ping, serve, soon};

/// Datagrams of every kind of rubbish: random, and with the marks of QUIC packets.
fn rubbish(seed: u64) -> Vec<u8> {
    let lens = [0, 1, 7, 20, 21, 43, 100, 1199, 1200, 1472, 6500, 9000];
    let mut datagram = pattern(seed, lens[seed as usize % lens.len()]).to_vec();
    let forms = [None, Some(0x40), Some(0x7f), Some(0xc0), Some(0xc3), Some(0xd0), Some(0xe0), Some(0xf0), Some(0x80)];
    if let (Some(first), Some(form)) = (datagram.first_mut(), forms[seed as usize % forms.len()]) {
        *first = form;
        // QUIC version 1, a version that nobody speaks, or version negotiation.
        let version = [[0, 0, 0, 1], [0xba, 0xba, 0xba, 0xba], [0, 0, 0, 0]][seed as usize % 3];
        if datagram.len() > 6 {
            datagram[1..5].copy_from_slice(&version);
            datagram[5] %= 21;
        }
    }
    datagram
}

fn pelt(target: SocketAddr) {
    let socket = UdpSocket::bind(loopback()).unwrap();
    for seed in 0..3000 {
        let _ = socket.send_to(&rubbish(seed), target);
    }
}

/// The first packet of a genuine dial: TLS begins in it.
async fn genuine_first_packet(seed: u8) -> Vec<u8> {
    let listener = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
    let caller = bind(config(seed));
    let addrs = [listener.local_addr().unwrap()];
    let mut packet = vec![0; 2000];
    let len = tokio::select! {
        biased;
        received = listener.recv(&mut packet) => received.unwrap(),
        ended = caller.connect(&addrs, None) => panic!("{ended:?}"),
    };
    packet.truncate(len);
    packet
}

#[tokio::test]
async fn random_datagrams_do_not_disturb_an_endpoint() {
    let mut host = Host::new(config(2));
    let caller = bind(config(1));
    let connection = soon(caller.connect(&[host.addr()], None)).await.unwrap();
    let admitted = host.next().await.unwrap();
    serve(&admitted);
    let (host_addr, caller_addr) = (host.addr(), caller.local_addr());
    let pelting = tokio::task::spawn_blocking(move || {
        pelt(host_addr);
        pelt(caller_addr);
    });
    while !pelting.is_finished() {
        soon(ping(&connection)).await.unwrap();
    }
    pelting.await.unwrap();
    soon(ping(&connection)).await.unwrap();
    let newcomer = bind(config(3));
    soon(newcomer.connect(&[host_addr], None)).await.unwrap();
    let outcome = host.next().await;
    assert!(outcome.is_ok(), "only genuine peers got as far as knocking: {outcome:?}");
}

#[tokio::test]
async fn damaged_and_repeated_first_packets_do_not_disturb_an_endpoint() {
    let mut host = Host::new(hasty(2));
    let original = genuine_first_packet(1).await;
    let socket = UdpSocket::bind(loopback()).unwrap();
    for seed in 0..200 {
        let mut packet = original.clone();
        let at = seed * 7919 % packet.len();
        packet[at] ^= 1 << (seed % 8);
        socket.send_to(&packet, host.addr()).unwrap();
    }
    let caller = bind(config(3));
    let connection = soon(caller.connect(&[host.addr()], None)).await.unwrap();
    let admitted = soon(async {
        loop {
            if let Ok(admitted) = host.next().await {
                break admitted;
            }
        }
    })
    .await;
    serve(&admitted);
    soon(ping(&connection)).await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_at_its_deadline_and_holds_up_nobody() {
    let mut impatient = config(2);
    // Shorter than the idle limit, which would end a stalled handshake as well.
    impatient.limits.handshake_timeout = Duration::from_millis(700);
    let mut host = Host::new(impatient);
    let socket = UdpSocket::bind(loopback()).unwrap();
    for seed in 10..15 {
        socket.send_to(&genuine_first_packet(seed).await, host.addr()).unwrap();
    }
    let start = Instant::now();
    let caller = bind(hasty(1));
    let connection = soon(caller.connect(&[host.addr()], None)).await.unwrap();
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(host.next().await);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(outcomes[0].is_ok(), "the genuine peer did not have to wait: {outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 5, "{outcomes:?}");
    assert_eq!(connection.end(), None);
    soon(async {
        while host.endpoint.open_connections() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
