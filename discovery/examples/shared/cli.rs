//! What both examples share.

use moorline_discovery::{Announcement, Discovery, DiscoveryEvent, Found, Mdns, MdnsConfig};
use std::{collections::VecDeque, error::Error, io::BufRead};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) struct Args {
    pub(crate) config: MdnsConfig,
    #[allow(dead_code, reason = "one of the two examples uses it")]
    pub(crate) tag: Option<String>,
    plain: VecDeque<String>,
}

impl Args {
    pub(crate) fn parse() -> Result<Args, Box<dyn Error>> {
        let mut parsed = Args { config: MdnsConfig::default(), tag: None, plain: VecDeque::new() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--mdns-port" => parsed.config.port = value()?.parse()?,
                "--interface" => parsed.config.policy.include.push(value()?),
                "--tag" => parsed.tag = Some(value()?),
                _ => parsed.plain.push_back(arg),
            }
        }
        Ok(parsed)
    }

    #[allow(dead_code, reason = "one of the two examples uses it")]
    pub(crate) fn next(&mut self, what: &str) -> Result<String, String> {
        self.plain.pop_front().ok_or(format!("{what} is missing"))
    }
}

pub(crate) async fn run(config: MdnsConfig, own: Option<Announcement>) -> Result<(), Box<dyn Error>> {
    let mdns = Mdns::new(config);
    let stop = CancellationToken::new();
    let (events, mut seen) = mpsc::channel(64);
    let mut lines = stdin_lines();
    let watch = async {
        loop {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => break,
                line = lines.recv() => match line.as_deref().map(|line| line.split_once(' ')) {
                    Some(Some(("verify", key))) => mdns.verify(key),
                    Some(_) => eprintln!("not understood; try: verify KEY"),
                    None => break,
                },
                event = seen.recv() => match event {
                    Some(event) => println!("{}", show(&event)),
                    None => break,
                },
            }
        }
        stop.cancel();
    };
    println!("READY");
    let (outcome, ()) = tokio::join!(mdns.run(own, events, stop.clone()), watch);
    println!("BYE");
    Ok(outcome?)
}

fn show(event: &DiscoveryEvent) -> String {
    let line = |what: &str, found: &Found| {
        let addrs: Vec<String> = found.addrs.iter().map(ToString::to_string).collect();
        let Announcement { name, protocol, port, tag, .. } = &found.announcement;
        let (name, tag) = (name.as_deref().unwrap_or("-"), tag.as_deref().unwrap_or("-"));
        format!(
            "{what} key={} port={port} protocol={protocol} tag={tag} interfaces={} addrs={} name={name}",
            found.key,
            found.interfaces.join(","),
            addrs.join(",")
        )
    };
    match event {
        DiscoveryEvent::Found(found) => line("FOUND", found),
        DiscoveryEvent::Updated(found) => line("UPDATED", found),
        DiscoveryEvent::Lost { key } => format!("LOST key={key}"),
    }
}

/// A thread, since reading standard input cannot be interrupted; it ends with the program.
fn stdin_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(8);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}
