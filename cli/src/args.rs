//! The command line. Each verb declares its own arguments in its file; what several share stands here.

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::exit;
use crate::verbs;

/// Environment variables and what each is for.
pub(crate) const ENVIRONMENT: [(&str, &str); 6] = [
    ("MOORLINE_HOME", "folder for keys, remembered peers and caches (else the platform's own)"),
    ("MOORLINE_PASSPHRASE", "passphrase of a closed group, as if given by --passphrase"),
    ("MOORLINE_TOKEN", "access token of a room, as if given by --token or, for one --room, --room-token"),
    ("MOORLINE_TOKEN_SECRET", "what access tokens are signed with, as if given by --token-secret"),
    ("MOORLINE_LOG", "what to log on stderr, for example `debug` or `moorline_runtime=trace`"),
    ("NO_COLOR", "any value turns colours off"),
];

/// Share folders on a local network and fetch them from every peer at once, verified.
///
/// Peers find each other by multicast DNS; no server, no account, no set-up. `moorline share FOLDER` on one machine and
/// `moorline get NAME` on another is all it takes. `moorline doctor` says what is wrong when they do not see each other.
///
/// Beyond one network, people and programs talk in rooms: `moorline signal` is their server, `moorline room` joins one.
#[derive(Debug, Parser)]
#[command(
    name = "moorline",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_long_help = after_help()
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Share(verbs::share::ShareArgs),
    List(verbs::list::ListArgs),
    Get(verbs::get::GetArgs),
    Doctor(verbs::doctor::DoctorArgs),
    Demo(verbs::demo::DemoArgs),
    Signal(verbs::signal::SignalArgs),
    Room(verbs::room::RoomArgs),
    Token(verbs::token::TokenArgs),
    Completions(verbs::completions::CompletionsArgs),
    Man(verbs::man::ManArgs),
}

/// Options that every verb takes.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Print one JSON object a line on stdout, for programs
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,

    /// Say more on stderr; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,

    /// Say nothing on stderr but warnings and errors, and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// Options of every verb that joins the network.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetArgs {
    /// Name that others see [default: this machine's name]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: Option<String>,

    /// UDP address to listen on, ADDR:PORT, ADDR or PORT [default: every address; `share` takes port 16667 if it is
    /// free]
    #[arg(long, value_name = "ADDR", value_parser = crate::address::parse_listen)]
    pub(crate) listen: Option<crate::address::Listen>,

    /// A peer to contact directly, HOST or HOST:PORT; may be repeated. Needs no multicast
    #[arg(long = "peer", value_name = "ADDR", value_parser = crate::address::parse_target)]
    pub(crate) peers: Vec<crate::address::Target>,

    /// Use only this network interface for discovery; may be repeated
    #[arg(long = "interface", value_name = "IFACE")]
    pub(crate) interfaces: Vec<String>,

    /// Do not use this network interface for discovery; may be repeated
    #[arg(long = "skip-interface", value_name = "IFACE")]
    pub(crate) skipped: Vec<String>,

    /// Neither announce nor look for peers by multicast: only --peer and remembered peers
    #[arg(long)]
    pub(crate) no_multicast: bool,

    /// Neither contact peers that worked before nor remember new ones
    #[arg(long)]
    pub(crate) no_remembered: bool,

    /// Meet peers in this room of a room server, ws://HOST:PORT/ROOM; may be repeated. They need not be on one network.
    /// A space in the name of a room is %20
    #[arg(long = "room", value_name = "URL", value_parser = crate::session::parse_meeting)]
    pub(crate) rooms: Vec<crate::session::Meeting>,

    /// Token for the room, where its server asks for one; with several --room one for each, in the same order. Other users
    /// of this machine can read it in the process list: --room-token-file and MOORLINE_TOKEN keep it to yourself
    #[arg(long = "room-token", value_name = "TOKEN", requires = "rooms", conflicts_with = "room_token_files")]
    pub(crate) room_tokens: Vec<Secret>,

    /// Read the token from the first line of this file, again whenever the server wants a fresh one; `-` is stdin, once. With
    /// several --room one for each, in the same order
    #[arg(long = "room-token-file", value_name = "FILE", requires = "rooms")]
    pub(crate) room_token_files: Vec<PathBuf>,

    /// Key file of this peer's identity; made if missing [default: one of this machine's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// Passphrase of a closed group: only peers that know it see or fetch anything. Other users of this machine can
    /// read it in the process list: --passphrase-file and MOORLINE_PASSPHRASE keep it to yourself
    #[arg(long, value_name = "PASSPHRASE", conflicts_with = "passphrase_file")]
    pub(crate) passphrase: Option<Secret>,

    /// Read the passphrase from the first line of this file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Text that never shows up in debug output.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl std::str::FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(text.to_owned())) }
    }
}

/// The whole command line, for completions and manual pages.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

fn after_help() -> String {
    let mut help = exit::table();
    help.push_str("\nEnvironment:\n");
    for (name, meaning) in ENVIRONMENT {
        help.push_str(&format!("  {name:<21} {meaning}\n"));
    }
    help
}

/// Longest peer name, bytes.
const NAME_BYTES: usize = 63;

/// A name that others see.
pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.len() > NAME_BYTES {
        return Err(format!("the name is {} bytes long: at most {NAME_BYTES}", name.len()));
    }
    if name.chars().any(crate::text::misleads) {
        return Err("the name holds control or invisible characters".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("moorline").chain(line.split_whitespace()))
    }

    #[test]
    fn the_declaration_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn usage_errors_end_with_the_documented_code() {
        for line in [
            "",
            "fetch",
            "get",
            "share",
            "share x --passphrase",
            "list --wait never",
            "get x --from",
            "room",
            "token x",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), i32::from(exit::Code::Usage.number()), "{line}: {error}");
        }
    }

    #[test]
    fn a_passphrase_does_not_show_in_debug_output() {
        let cli = parse("list --passphrase open-sesame").expect("parses");
        assert!(!format!("{cli:?}").contains("sesame"));
    }

    #[test]
    fn passphrase_sources_exclude_each_other() {
        assert!(parse("share x --passphrase a --passphrase-file b").is_err());
        assert!(Cli::try_parse_from(["moorline", "share", "x", "--passphrase", ""]).is_err());
    }

    #[test]
    fn global_options_stand_on_both_sides_of_the_verb() {
        assert!(parse("--json list").expect("parses").common.json);
        assert!(parse("list --json").expect("parses").common.json);
        assert_eq!(parse("list -vv").expect("parses").common.verbose, 2);
        assert!(parse("list -v -q").is_err());
    }

    #[test]
    fn names_have_an_edge() {
        assert_eq!(parse_name(" my laptop ").as_deref(), Ok("my laptop"));
        assert!(parse_name(&"x".repeat(NAME_BYTES)).is_ok());
        assert!(parse_name(&"x".repeat(NAME_BYTES + 1)).is_err());
        assert!(parse_name("a\u{202e}b").is_err());
        assert!(parse_name("  ").is_err());
    }

    #[test]
    fn help_reads_as_documented() {
        let mut command = command().term_width(100);
        command.build();
        insta::assert_snapshot!("help", command.render_long_help().to_string());
        for verb in ["share", "list", "get", "doctor", "demo", "signal", "room", "token", "completions", "man"] {
            let sub = command.find_subcommand_mut(verb).expect("declared").clone();
            let help = sub.term_width(100).render_long_help().to_string();
            insta::assert_snapshot!(format!("help_{verb}"), help);
        }
    }
}
