//! Announces a peer by multicast DNS until it is interrupted or its standard input ends, printing what it sees of others.
//!
//! ```text
//! announce ID PORT [NAME] [--tag TAG] [--mdns-port PORT] [--interface NAME]
//! ```

#[path = "shared/cli.rs"]
mod cli;

use moorline_discovery::Announcement;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = cli::Args::parse()?;
    let id = args.next("ID")?;
    let port = args.next("PORT")?.parse()?;
    let name = args.next("NAME").ok();
    let own = Announcement { id: Some(id), tag: args.tag.take(), name, protocol: 1, port };
    cli::run(args.config, Some(own)).await
}
