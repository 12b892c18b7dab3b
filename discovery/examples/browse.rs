//! Prints who comes and goes, found by multicast DNS, until it is interrupted or its standard input ends. A line `verify KEY` on
//! standard input has that peer confirmed or dropped.
//!
//! ```text
//! browse [--mdns-port PORT] [--interface NAME]
//! ```

#[path = "shared/cli.rs"]
mod cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    cli::run(cli::Args::parse()?.config, None).await
}
