//! `moorline get`: fetch items from everyone who has them.

mod alone;
mod download;
mod fetch;
mod find;
mod here;
mod names;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use moorline_runtime::transfer::WhenAlone;

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::output::Output;
use crate::session::{Purpose, Session};
use crate::signals::Stop;
use crate::units;

use find::Source;

/// Fetch items from everyone on this network who has them
///
/// An ITEM is a name, NAME@PEER, or an id or the first four or more characters of one, as `moorline list` prints them. Every chunk
/// is verified; an item appears under its name when it is whole. A transfer that was stopped goes on where it was when the same
/// command is given again.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// What to fetch: NAME, NAME@PEER or ID; may be repeated
    #[arg(value_name = "ITEM", required = true)]
    items: Vec<String>,

    /// Folder to put the items into; made if missing
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,

    /// Fetch from this peer alone: its name, its id or the beginning of it, or its address
    #[arg(long, value_name = "PEER|ADDR", value_parser = find::parse_source)]
    from: Option<Source>,

    /// Wait until somebody offers the items, instead of giving up after a few seconds
    #[arg(long, conflicts_with = "no_wait")]
    wait: bool,

    /// What to do when everyone who has an item is gone
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Alone::Wait)]
    when_alone: Alone,

    /// Short for --when-alone end
    #[arg(long)]
    no_wait: bool,

    /// How long to wait with nobody to fetch from, for example 30s, 10m or 2h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = units::parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    net: NetArgs,
}

/// What to do when everyone who has an item is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Alone {
    /// Wait until somebody is back, at most for --timeout
    Wait,
    /// End at once; what was fetched is kept for the next time
    End,
}

impl GetArgs {
    fn when_alone(&self) -> WhenAlone {
        if self.no_wait || self.when_alone == Alone::End { WhenAlone::End } else { WhenAlone::Wait }
    }
}

pub(crate) async fn run(args: GetArgs, output: &Output, stop: Stop) -> Result<Code> {
    // Messages and JSON name the same place from wherever they are read.
    let into = std::path::absolute(&args.into).map_err(|error| Failure::disk("find", &args.into, &error))?;
    let args = GetArgs { into, ..args };
    let mut session = Session::start(output, &args.net, Purpose::default()).await?;
    let result = find_and_fetch(&args, output, &stop, &mut session).await;
    // Goodbye goes out whatever happened; the result is what counts.
    session.stop().await;
    result
}

async fn find_and_fetch(args: &GetArgs, output: &Output, stop: &Stop, session: &mut Session) -> Result<Code> {
    let Some(found) = find::find(args, output, stop, session).await? else { return Ok(Code::Interrupted) };
    fetch::fetch(args, output, stop, session, found).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn parse(line: &str) -> std::result::Result<GetArgs, clap::Error> {
        let cli = Cli::try_parse_from(std::iter::once("moorline").chain(line.split_whitespace()))?;
        match cli.verb {
            Verb::Get(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults_wait_for_a_lost_peer_but_not_for_ever() {
        let args = parse("get Quake").expect("parses");
        assert_eq!(args.when_alone(), WhenAlone::Wait);
        assert_eq!(args.timeout, Duration::from_secs(600));
        assert_eq!(args.into, PathBuf::from("."));
        assert!(!args.wait);
    }

    #[test]
    fn both_spellings_end_when_alone() {
        assert_eq!(parse("get Quake --no-wait").expect("parses").when_alone(), WhenAlone::End);
        assert_eq!(parse("get Quake --when-alone end").expect("parses").when_alone(), WhenAlone::End);
        assert!(parse("get Quake --wait --no-wait").is_err());
        assert!(parse("get Quake --when-alone never").is_err());
    }

    #[test]
    fn an_item_with_a_leading_dash_follows_two_dashes() {
        assert_eq!(parse("get --wait -- -Quake").expect("parses").items, ["-Quake"]);
    }
}
