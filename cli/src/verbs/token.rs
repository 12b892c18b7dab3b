//! `moorline token`: an access token for a room.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use moorline_signaling::Grants;
use moorline_signaling::server::token::{AccessToken, Secret};

use super::room::words;
use super::signal::SecretArgs;
use crate::exit::{Code, Failure, Result};
use crate::json::{Event, RoomEvent};
use crate::output::Output;
use crate::{args, units};

/// Make an access token for a room
///
/// Prints a JSON Web Token for a `moorline signal` that has the same secret. Whoever has it can join ROOM as ID until it expires:
/// `moorline room URL ROOM --token-file FILE`. Of several who join as one ID, the last one stays.
#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    /// The room
    #[arg(value_name = "ROOM", value_parser = words::parse_room)]
    room: String,

    /// Who the token is for; one participant of that identity is in a room at a time
    #[arg(long, value_name = "ID", value_parser = words::parse_identity)]
    identity: String,

    /// Name that others see [default: the participant may say]
    #[arg(long, value_name = "NAME", value_parser = args::parse_name)]
    name: Option<String>,

    /// How long it is good, from now on
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = parse_ttl)]
    ttl: Duration,

    /// Do not allow to send messages and to announce values
    #[arg(long)]
    no_publish: bool,

    /// Do not allow to call others
    #[arg(long)]
    no_call: bool,

    /// Do not allow to change its own name, metadata and attributes
    #[arg(long)]
    no_update_self: bool,

    /// Free text about the participant [default: the participant may say]
    #[arg(long, value_name = "TEXT", value_parser = words::parse_metadata)]
    metadata: Option<String>,

    #[command(flatten)]
    secret: SecretArgs,
}

pub(crate) fn run(args: &TokenArgs, output: &Output) -> Result<Code> {
    let secret = args.secret.read()?.ok_or_else(|| {
        Failure::new(Code::Usage, "there is no secret to sign the token with")
            .hint("Give the one that the server has: --token-secret-file, MOORLINE_TOKEN_SECRET or --token-secret.")
    })?;
    let (token, expires_unix) = mint(args, &secret, SystemTime::now());
    output.line(&token);
    output.event(&Event::Room(RoomEvent::Token { token: &token, expires_unix }));
    Ok(Code::Success)
}

/// The token, and when it expires: seconds since 1970.
fn mint(args: &TokenArgs, secret: &Secret, now: SystemTime) -> (String, u64) {
    let expires = now + args.ttl;
    let token = AccessToken {
        name: args.name.clone().unwrap_or_default(),
        metadata: args.metadata.clone().unwrap_or_default(),
        grants: Grants { publish: !args.no_publish, call: !args.no_call, update_self: !args.no_update_self },
        ..AccessToken::new(&args.identity, &args.room, expires)
    };
    let expires_unix = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    (token.sign(secret), expires_unix)
}

fn parse_ttl(text: &str) -> std::result::Result<Duration, String> {
    match units::parse_duration(text) {
        Ok(time) if time < Duration::from_secs(1) => Err("at least a second".to_owned()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn args(line: &[&str]) -> TokenArgs {
        let cli = Cli::try_parse_from([&["moorline", "token"], line].concat()).expect("parses");
        match cli.verb {
            Verb::Token(args) => args,
            other => panic!("another verb: {other:?}"),
        }
    }

    fn secret() -> Secret {
        Secret::new(b"0123456789abcdef").expect("long enough")
    }

    #[test]
    fn what_is_minted_is_what_the_server_reads() {
        let line =
            ["lobby", "--identity", "ada", "--name", "Ada L.", "--ttl", "90", "--no-call", "--metadata", "guest"];
        let now = UNIX_EPOCH + Duration::from_millis(1_000_500);
        let (token, expires) = mint(&args(&line), &secret(), now);
        assert_eq!(expires, 1090);
        let read = AccessToken::verify(&token, &secret(), now).expect("good");
        assert_eq!((read.identity.as_str(), read.room.as_str(), read.name.as_str()), ("ada", "lobby", "Ada L."));
        assert_eq!(read.metadata, "guest");
        assert_eq!(read.grants, Grants { publish: true, call: false, update_self: true });
        assert_eq!(read.expires, UNIX_EPOCH + Duration::from_secs(expires));
        assert!(AccessToken::verify(&token, &secret(), now + Duration::from_secs(90)).is_err(), "expired");
    }

    #[test]
    fn all_is_allowed_unless_said_otherwise() {
        let (token, _) = mint(&args(&["lobby", "--identity", "ada"]), &secret(), UNIX_EPOCH);
        let read = AccessToken::verify(&token, &secret(), UNIX_EPOCH).expect("good");
        assert_eq!(read.grants, Grants { publish: true, call: true, update_self: true });
        assert_eq!(read.expires, UNIX_EPOCH + Duration::from_secs(3600));
    }

    #[test]
    fn a_ttl_has_an_edge() {
        assert_eq!(parse_ttl("1"), Ok(Duration::from_secs(1)));
        assert!(parse_ttl("0.9").is_err());
        assert!(parse_ttl("0").is_err());
    }
}
