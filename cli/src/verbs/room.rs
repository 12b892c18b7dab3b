//! `moorline room`: join a room, talk, see who comes and goes.

mod access;
mod command;
mod input;
pub(crate) mod outcome;
mod roster;
mod show;
mod talk;
pub(super) mod words;

use std::time::Duration;

use clap::Args;
use moorline_signaling::{Client, ClientConfig, ConfigError, limits};
use tokio::task::JoinSet;

use crate::exit::{Code, Failure, Result};
use crate::output::Output;
use crate::signals::Stop;
use crate::{args, machine, text, units};

use access::AccessArgs;
use talk::Talk;

/// How long the last socket may take to close once the room was left.
const WIND_DOWN: Duration = Duration::from_millis(700);
/// How long a message may wait for a connection where there is no deadline.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// Join a room, talk, see who comes and goes
///
/// Each line of stdin is a message to everyone in the room; the end of stdin leaves it once all was acknowledged, or after
/// --deadline: where stdin is empty from the start, as in services, --listen-only stays. Commands: /who, /to NAME TEXT,
/// /set KEY VALUE, /name NAME, /call NAME METHOD TEXT, /quit; //TEXT sends /TEXT. A line of a pipe that failed is told on stderr,
/// and the exit code is 8 then. A connection that is lost is made good, with what was missed meanwhile, or the program says why
/// not. Several URLs are servers to move between.
#[derive(Args, Debug)]
pub(crate) struct RoomArgs {
    /// A room server, ws://HOST:PORT or wss://HOST:PORT; may be repeated
    #[arg(value_name = "URL", required = true, num_args = 1.., value_parser = words::parse_url)]
    urls: Vec<String>,

    /// The room; it comes into being with the first who joins it
    #[arg(value_name = "ROOM", value_parser = words::parse_room)]
    room: String,

    /// Name that others see [default: this machine's name]
    #[arg(long, value_name = "NAME", value_parser = args::parse_name)]
    name: Option<String>,

    /// Who this is, one of a kind in the room, where no token says so [default: made up by the server]
    #[arg(long, value_name = "ID", value_parser = words::parse_identity)]
    identity: Option<String>,

    /// Free text about this participant
    #[arg(long, value_name = "TEXT", value_parser = words::parse_metadata)]
    metadata: Option<String>,

    /// Something about this participant; may be repeated
    #[arg(long = "attribute", value_name = "KEY=VALUE", value_parser = words::parse_attribute)]
    attributes: Vec<(String, String)>,

    /// How long to try, at the start and after each loss of the connection, and how long the end of stdin waits for what was
    /// sent; 0: without end
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = units::parse_duration)]
    deadline: Duration,

    /// Read nothing from stdin, and stay until Ctrl-C: for services and jobs, whose stdin is /dev/null
    #[arg(long)]
    listen_only: bool,

    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: RoomArgs, output: &Output, stop: Stop) -> Result<Code> {
    let config = config(&args)?;
    let (client, events, driver) = Client::prepare(config).map_err(|error| unusable(&error))?;
    let servers: Vec<String> = args.urls.iter().map(|url| text::reason(url)).collect();
    output.note(format_args!("joining {} at {}", text::name(&args.room), servers.join(" or ")));
    // Who stops it: the talk, which closes the client; the drop of this set at the latest. A panic in it is the reason that the talk
    // ends with.
    let mut tasks = JoinSet::new();
    tasks.spawn(driver.run());
    let patience = if args.deadline.is_zero() { LONGEST_WAIT } else { args.deadline };
    let result = Talk::new(output, client, args.room, patience, args.listen_only).run(events, &stop).await;
    // Its goodbye on the socket; whoever does not take it in time is cut off.
    let _ = tokio::time::timeout(WIND_DOWN, tasks.join_next()).await;
    result
}

fn config(args: &RoomArgs) -> Result<ClientConfig> {
    let mut urls = args.urls.iter();
    let first = urls.next().map(String::as_str).unwrap_or_default();
    let mut config = urls.fold(ClientConfig::new(first, &args.room), |config, url| config.server(url));
    let info = &mut config.machine.info;
    info.name = args.name.clone().unwrap_or_else(|| machine::peer_name(None));
    info.identity = args.identity.clone().unwrap_or_default();
    info.agent = concat!("moorline ", env!("CARGO_PKG_VERSION")).to_owned();
    info.metadata = args.metadata.clone().unwrap_or_default();
    info.attributes = args.attributes.iter().cloned().collect();
    let attributes: usize = info.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    if attributes > limits::MAX_ATTRIBUTES {
        let message = format!("the attributes have {attributes} bytes: at most {}", limits::MAX_ATTRIBUTES);
        return Err(Failure::new(Code::Usage, message));
    }
    let deadline = (!args.deadline.is_zero()).then_some(args.deadline);
    config.machine.timers.deadline = deadline;
    // As long as there is hope for a connection, there is for a message.
    let bounds = &mut config.machine.bounds;
    bounds.send_ttl = bounds.send_ttl.max(deadline.unwrap_or(LONGEST_WAIT));
    args.access.apply(config)
}

fn unusable(error: &ConfigError) -> Failure {
    let code = if matches!(error, ConfigError::BadUrl { .. }) { Code::Usage } else { Code::Failure };
    Failure::new(code, text::reason(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn parse(line: &[&str]) -> std::result::Result<RoomArgs, clap::Error> {
        Cli::try_parse_from([&["moorline", "room"], line].concat()).map(|cli| match cli.verb {
            Verb::Room(args) => args,
            other => panic!("another verb: {other:?}"),
        })
    }

    #[test]
    fn the_last_word_is_the_room_and_all_before_it_are_servers() {
        let one = parse(&["ws://a:1", "lobby"]).expect("parses");
        assert_eq!((one.urls, one.room.as_str()), (vec!["ws://a:1".to_owned()], "lobby"));
        let two = parse(&["--name", "ada", "ws://a:1", "wss://b", "lobby", "--json"]).expect("parses");
        assert_eq!(two.urls, ["ws://a:1", "wss://b"]);
        assert_eq!((two.room.as_str(), two.name.as_deref()), ("lobby", Some("ada")));
        for bad in [&["lobby"][..], &["ws://a:1"], &["lobby", "ws://a:1"], &["ws://a:1", "ws://b:1"], &["ws://a", ""]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn options_become_the_configuration() {
        let args = parse(&[
            "ws://a:1",
            "ws://b:1",
            "lobby",
            "--name",
            "ada",
            "--identity",
            "id",
            "--metadata",
            "m",
            "--attribute",
            "a=1",
            "--attribute",
            "b=2",
            "--deadline",
            "60",
        ]);
        let config = config(&args.expect("parses")).expect("makes sense");
        assert_eq!(
            config.servers.iter().map(|server| server.url.as_str()).collect::<Vec<_>>(),
            ["ws://a:1", "ws://b:1"]
        );
        assert_eq!(config.machine.room, "lobby");
        let info = &config.machine.info;
        assert_eq!((info.name.as_str(), info.identity.as_str(), info.metadata.as_str()), ("ada", "id", "m"));
        assert_eq!(info.attributes.len(), 2);
        assert_eq!(config.machine.timers.deadline, Some(Duration::from_secs(60)));
        assert_eq!(config.machine.bounds.send_ttl, Duration::from_secs(60));
    }

    #[test]
    fn no_deadline_is_no_end_and_messages_wait_as_long() {
        let config = config(&parse(&["ws://a:1", "lobby", "--deadline", "0"]).expect("parses")).expect("makes sense");
        assert_eq!(config.machine.timers.deadline, None);
        assert_eq!(config.machine.bounds.send_ttl, LONGEST_WAIT);
        assert!(!config.machine.info.name.is_empty(), "there is always a name");
    }

    #[test]
    fn attributes_have_an_edge_together() {
        let half = format!("a={}", "x".repeat(limits::MAX_ATTRIBUTES / 2 - 1));
        let attributes = |second: &str| {
            config(&parse(&["ws://a", "lobby", "--attribute", &half, "--attribute", second]).expect("parses"))
        };
        let other_half = half.replace("a=", "b=");
        assert!(attributes(&other_half).is_ok());
        assert_eq!(attributes(&format!("{other_half}x")).expect_err("too much").code, Code::Usage);
    }

    #[test]
    fn tokens_are_said_once_and_do_not_show() {
        assert!(parse(&["ws://a", "lobby", "--token", "a", "--token-file", "b"]).is_err());
        assert!(parse(&["ws://a", "lobby", "--token", ""]).is_err());
        let args = parse(&["ws://a", "lobby", "--token", "open-sesame"]).expect("parses");
        assert!(!format!("{args:?}").contains("sesame"));
    }

    #[test]
    fn a_url_that_leads_nowhere_is_a_mistake_of_the_command_line() {
        let config = config(&parse(&["ws://somebody@a", "lobby"]).expect("parses")).expect("makes sense");
        let error = Client::prepare(config).expect_err("names a user");
        assert_eq!(unusable(&error).code, Code::Usage);
    }
}
