//! `moorline signal`: the room server.

mod secret;

pub(super) use secret::SecretArgs;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use moorline_signaling::server::{Drain, Server, ServerConfig, ServerHandle};
use tokio::net::TcpListener;

use crate::exit::{Code, Failure, Result};
use crate::json::{Event, RoomEvent};
use crate::output::Output;
use crate::signals::Stop;
use crate::{address, args, text, units};

/// The TCP port of the server, unless another one is asked for.
const DEFAULT_PORT: u16 = 7350;
/// Clients that are still there this long before the end of the drain count as cut off.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// Run a room server, until Ctrl-C
///
/// Rooms come into being when somebody joins them with `moorline room` or through the library. Without a secret, anyone who
/// reaches the address can join any room; with one, only those who have a token that `moorline token` made from it. Connections are
/// not encrypted: beyond one machine, put a TLS proxy in front. At the first Ctrl-C clients are asked to go elsewhere.
#[derive(Args, Debug)]
pub(crate) struct SignalArgs {
    /// TCP address to listen on, ADDR:PORT, ADDR or PORT; a part that is left out is the default's
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7350", value_parser = parse_listen)]
    listen: SocketAddr,

    /// Name of this server, as clients are told [default: a new one each time]
    #[arg(long, value_name = "NAME", value_parser = args::parse_name)]
    node: Option<String>,

    /// Clients that are let in a second; others are asked to come a little later
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accept_rate: u32,

    /// How long a participant whose connection was lost may take to come back
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_window)]
    resume_window: Duration,

    /// How long clients may take to go elsewhere when this server is stopped
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_window)]
    drain: Duration,

    /// Where clients are asked to go then: the URL of another server, as they know it
    #[arg(long, value_name = "URL", value_parser = super::room::words::parse_url)]
    move_to: Option<String>,

    /// Web pages of this origin may connect, such as `https://example.org`; `*` is any. Can be given more than once
    /// [default: none without a secret, any with one]
    #[arg(long, value_name = "ORIGIN", help_heading = "Access", value_parser = parse_origin)]
    allow_origin: Vec<String>,

    #[command(flatten)]
    secret: SecretArgs,
}

pub(crate) async fn run(args: SignalArgs, output: &Output, stop: Stop) -> Result<Code> {
    let secret = args.secret.read()?;
    let open = secret.is_none();
    let listener = TcpListener::bind(args.listen).await.map_err(|error| cannot_listen(args.listen, &error))?;
    let config = ServerConfig {
        node_id: args.node.clone().unwrap_or_default(),
        secret,
        allowed_origins: args.allow_origin.clone(),
        accept_rate: args.accept_rate,
        resume_window: args.resume_window,
        ..ServerConfig::default()
    };
    let server = Server::start(config, listener).map_err(|error| cannot_listen(args.listen, &error))?;
    introduce(output, &server, open);
    stop.requested().await;

    let left = drain(&server, &args, output).await;
    server.shutdown().await;
    output.event(&Event::Room(RoomEvent::Stopped { left }));
    if left == 0 {
        output.note("goodbye");
    } else {
        output.note(format_args!("goodbye; cut off: {}", units::count(left as u64, "client")));
    }
    Ok(Code::Success)
}

/// The first lines.
fn introduce(output: &Output, server: &ServerHandle, open: bool) {
    let listen = server.local_addr().to_string();
    if open {
        output.warn(format_args!("anyone who reaches {listen} can join any room; --token-secret-file limits that"));
    } else {
        output.note("Only those who have a token, made by `moorline token` with the same secret, can join a room.");
    }
    output.line(format_args!("Address  ws://{listen}"));
    output.line(format_args!("Node     {}", text::name(server.node_id())));
    output.event(&Event::Room(RoomEvent::Ready { listen, node: server.node_id(), open }));
    output.note("ready; Ctrl-C ends it");
}

/// Asks all clients to go elsewhere. How many had not at the deadline.
async fn drain(server: &ServerHandle, args: &SignalArgs, output: &Output) -> usize {
    let sessions = server.stats().sessions;
    let deadline_ms = u64::try_from(args.drain.as_millis()).unwrap_or(u64::MAX);
    output.event(&Event::Room(RoomEvent::Draining { sessions, deadline_ms }));
    if sessions > 0 {
        let (clients, time) = (units::count(sessions as u64, "client"), units::duration(args.drain));
        output.note(format_args!("asking {clients} to go elsewhere, for at most {time}"));
        let in_time = args.drain.as_secs_f64() * f64::from(args.accept_rate);
        if sessions as f64 > in_time {
            let rate = args.accept_rate;
            output.warn(format_args!(
                "at {rate} a second, not all of {clients} can be let in elsewhere within {time}; --drain is the time"
            ));
        }
    }
    let advice = Drain {
        deadline: args.drain,
        target: args.move_to.clone(),
        reason: "the server is being stopped".to_owned(),
        ..Drain::default()
    };
    let mut drained = pin!(server.drain(advice));
    let left = tokio::select! {
        biased;
        all_left = &mut drained => return if all_left { 0 } else { sessions },
        () = tokio::time::sleep(args.drain.saturating_sub(LAST_LOOK)) => server.stats().attached,
    };
    if drained.await { 0 } else { left }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::new(Code::Unreachable, format!("cannot listen on {address}: {error}"))
        .hint("Choose another address or port with --listen; port 0 takes one that is free.")
}

fn parse_listen(text: &str) -> std::result::Result<SocketAddr, String> {
    let listen = address::parse_listen(text).map_err(|_| {
        format!("write ADDR:PORT, ADDR or PORT, for example 192.168.1.5:{DEFAULT_PORT}, [::]:0 or {DEFAULT_PORT}")
    })?;
    let ip = listen.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Ok(SocketAddr::new(ip, listen.port.unwrap_or(DEFAULT_PORT)))
}

/// Longest wait that can be asked for: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

fn parse_origin(text: &str) -> std::result::Result<String, String> {
    let host = text.split_once("://").map_or("", |(_, host)| host);
    let is_origin = !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    if is_origin || matches!(text, "*" | "null") {
        return Ok(text.to_owned());
    }
    Err("write it as a browser does: https://example.org or http://127.0.0.1:8080, without a path; or `*`".to_owned())
}

fn parse_window(text: &str) -> std::result::Result<Duration, String> {
    match units::parse_duration(text) {
        Ok(time) if time > LONGEST => Err(format!("`{text}` is too long: at most a day")),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_an_address_is_the_default_s() {
        let parsed = |text| parse_listen(text).map(|address| address.to_string());
        assert_eq!(parsed("127.0.0.1:7350").as_deref(), Ok("127.0.0.1:7350"));
        assert_eq!(parsed("0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(parsed(":9000").as_deref(), Ok("127.0.0.1:9000"));
        assert_eq!(parsed("0.0.0.0").as_deref(), Ok("0.0.0.0:7350"));
        assert_eq!(parsed("[::]:80").as_deref(), Ok("[::]:80"));
        for bad in ["", "here", "localhost:1", "70000"] {
            assert!(parse_listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_written_as_a_browser_does() {
        for good in ["https://example.org", "http://127.0.0.1:8080", "*", "null"] {
            assert_eq!(parse_origin(good).as_deref(), Ok(good));
        }
        for bad in ["", "example.org", "https://", "https://example.org/", "https://example.org/page"] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn waits_have_an_edge() {
        assert_eq!(parse_window("86400"), Ok(LONGEST));
        assert_eq!(parse_window("0"), Ok(Duration::ZERO));
        assert!(parse_window("86401").is_err());
        assert!(parse_window("-1").is_err());
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = taken.local_addr().expect("bound");
        let error = TcpListener::bind(address).await.expect_err("taken");
        let failure = cannot_listen(address, &error);
        assert_eq!(failure.code, Code::Unreachable);
        assert!(failure.message.contains(&address.to_string()) && failure.hint.is_some(), "{failure:?}");
    }
}
