//! IPv4 and IPv6 on one socket, and many addresses of one peer dialled in parallel.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use moorline_transport::{BindError, CloseReason, DialError, Endpoint};

use crate::support::{Host, bind, config, hasty, loopback, ping, serve, soon, within};

fn any_v6() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
}

fn at(ip: impl Into<std::net::IpAddr>, host: &Host) -> SocketAddr {
    SocketAddr::new(ip.into(), host.addr().port())
}

#[tokio::test]
async fn a_dual_stack_endpoint_is_reached_by_ipv4_and_ipv6_and_reaches_both() {
    let mut host = Host::on(Endpoint::bind(config(2), any_v6()).unwrap());
    let caller = Endpoint::bind(config(1), any_v6()).unwrap();
    for ip in [std::net::IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let connection = soon(caller.connect(&[at(ip, &host)], None)).await.unwrap();
        let admitted = host.next().await.unwrap();
        assert_eq!(connection.remote_addr().ip(), ip);
        assert_eq!(admitted.remote_addr().ip(), ip, "IPv4 is not shown in its mapped form");
        serve(&admitted);
        soon(ping(&connection)).await.unwrap();
    }
}

#[tokio::test]
async fn an_ipv4_endpoint_says_that_it_cannot_dial_ipv6() {
    let caller = bind(config(1));
    let error = soon(caller.connect(&["[::1]:9".parse().unwrap()], None)).await.unwrap_err();
    assert_eq!(error.cause(), Some(&DialError::BadAddress));
    let error = soon(caller.connect(&["127.0.0.1:0".parse().unwrap()], None)).await.unwrap_err();
    assert_eq!(error.cause(), Some(&DialError::BadAddress));
}

#[tokio::test]
async fn an_address_that_never_answers_does_not_delay_one_that_does() {
    let black_hole = UdpSocket::bind(loopback()).unwrap();
    let mut host = Host::new(config(2));
    let addrs = [black_hole.local_addr().unwrap(), "127.0.0.1:0".parse().unwrap(), host.addr()];
    let caller = bind(config(1));
    // Far below the handshake timeout of 5 s.
    let connection = within(Duration::from_secs(3), caller.connect(&addrs, None)).await.unwrap();
    assert_eq!(connection.remote_addr(), host.addr());
    let _admitted = host.next().await.unwrap();
    // The other attempt is given up, not left to run out: one connection stays.
    soon(async {
        while caller.open_connections() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(connection.end(), None);
}

#[tokio::test]
async fn without_any_answer_each_address_is_told() {
    let black_hole = UdpSocket::bind(loopback()).unwrap().local_addr().unwrap();
    let mut impatient = hasty(1);
    impatient.limits.handshake_timeout = Duration::from_millis(200);
    let caller = bind(impatient);
    let error = soon(caller.connect(&[black_hole, "[::1]:1".parse().unwrap()], None)).await.unwrap_err();
    assert_eq!(error.cause(), Some(&DialError::TimedOut(Duration::from_millis(200))));
    let text = error.to_string();
    assert!(text.contains(&black_hole.to_string()) && text.contains("[::1]:1"), "{text}");
}

#[tokio::test]
async fn a_peer_with_many_addresses_admits_us_once() {
    let mut host = Host::on(Endpoint::bind(config(2), any_v6()).unwrap());
    let caller = Endpoint::bind(config(1), any_v6()).unwrap();
    let addrs = [at(Ipv4Addr::LOCALHOST, &host), at(Ipv6Addr::LOCALHOST, &host), at([127, 0, 0, 2], &host)];
    let connection = soon(caller.connect(&addrs, None)).await.unwrap();
    let mut outcomes = vec![host.next().await];
    // What the other calls came to: given up before admission. They may not have got as far as knocking.
    while let Ok(Some(outcome)) = tokio::time::timeout(Duration::from_millis(500), host.admitted.recv()).await {
        outcomes.push(outcome);
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(connection.end(), None);
}

#[tokio::test]
async fn a_taken_port_is_named_with_advice() {
    let first = bind(config(1));
    let error = Endpoint::bind(config(2), first.local_addr()).unwrap_err();
    assert!(matches!(&error, BindError::Socket { addr, .. } if *addr == first.local_addr()), "{error:?}");
    assert!(error.to_string().contains("another program uses this port"), "{error}");
    first.close(&CloseReason::Goodbye(String::new()));
}

#[test]
fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
    assert!(matches!(Endpoint::bind(config(1), loopback()), Err(BindError::NoRuntime)));
}

#[tokio::test]
async fn impossible_settings_are_refused() {
    let mut bad = config(1);
    bad.limits.max_connections = 0;
    let error = Endpoint::bind(bad, loopback()).unwrap_err();
    assert!(error.to_string().contains("max_connections"), "{error}");
}

#[tokio::test]
async fn the_granted_socket_buffers_are_known() {
    let endpoint = bind(config(1));
    let buffers = endpoint.socket_buffers().unwrap();
    assert_eq!(buffers.requested, 4 << 20);
    assert!(buffers.recv > 0 && buffers.send > 0);
}
