//! `moorline doctor`: what discovery and the network look like from here, and what to do about it.

mod checks;
mod interfaces;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use moorline_runtime::discovery;

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::json::Event;
use crate::output::{Output, Style};
use crate::session::{self, Purpose, Session};
use crate::signals::Stop;
use crate::state::{Home, Remembered};
use crate::verbs::list::Settle;
use crate::{machine, text};

use checks::{Check, Status};

/// How long the multicast self-test may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(3);
/// How long other peers are looked for at most, and how long nothing new must appear.
const LOOK: (Duration, Duration) = (Duration::from_secs(4), Duration::from_millis(1500));

/// Check what discovery and the network look like from here, and say what to do
///
/// Looks at the identity, the network interfaces, multicast to this machine itself, the UDP port and its buffers, peers that
/// answer, and the disk. Give the options that you give to `share` or `get` to check the same set-up; --peer says whether a machine
/// can be reached directly. The exit code is not 0 if discovery cannot work.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Folder whose disk is looked at
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,

    #[command(flatten)]
    net: NetArgs,
}

pub(crate) async fn run(args: DoctorArgs, output: &Output, stop: Stop) -> Result<Code> {
    let mut report = Report::default();
    tokio::select! {
        biased;
        () = stop.requested() => return Ok(Code::Interrupted),
        result = examine(&args, output, &mut report) => result?,
    }
    report.verdict(output)
}

async fn examine(args: &DoctorArgs, output: &Output, report: &mut Report) -> Result<()> {
    report.add(output, checks::program());
    let home = Home::locate()?;
    let remembered = Remembered::load(&home).addresses().len();

    // One after the other: the self-test and the node would otherwise answer each other on the same interfaces.
    let mut multicast_works = None;
    if args.net.no_multicast {
        report.add(output, Check::new("multicast", Status::Info, "switched off by --no-multicast"));
    } else {
        match discovery::probe(&session::mdns(&args.net), PROBE_DEADLINE).await {
            Ok(probe) => {
                for check in interfaces::checks(&probe) {
                    report.add(output, check);
                }
                multicast_works = Some(probe.works());
            }
            Err(error) => {
                let detail = text::reason(&error.to_string());
                report.add(
                    output,
                    Check::new("multicast", Status::Bad, detail)
                        .advice("Check that this system lets programs list its network interfaces."),
                );
                multicast_works = Some(false);
            }
        }
    }

    let purpose = Purpose { stable_port: true, ..Purpose::default() };
    match Session::start(output, &args.net, purpose).await {
        Ok(session) => connected(args, output, report, session, multicast_works).await?,
        Err(failure) => {
            let check = Check::new("port", Status::Bad, failure.message);
            report.add(
                output,
                match failure.hint {
                    Some(hint) => check.advice(hint),
                    None => check,
                },
            );
        }
    }
    report.add(output, checks::remembered(remembered, args.net.no_remembered));
    report.add(output, checks::disk(&args.into, machine::disk_space(&args.into)));
    Ok(())
}

/// What a running node shows.
async fn connected(
    args: &DoctorArgs,
    output: &Output,
    report: &mut Report,
    mut session: Session,
    multicast_works: Option<bool>,
) -> Result<()> {
    report.add(output, checks::identity(&session));
    report.add(output, checks::port(session.node().local_addr(), args.net.listen));
    report.add(output, checks::buffers(session.node().socket_buffers()));

    let mut settle = Settle::new(Instant::now(), LOOK.1, LOOK.0);
    loop {
        settle.observe(Instant::now(), session.fingerprint(), session.is_pending());
        if session.is_complete() {
            break;
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(settle.until_also(session.rooms_settle_at()).into()) => break,
            event = session.next(output) => { event?; }
        }
    }
    for check in checks::peers(&session, multicast_works) {
        report.add(output, check);
    }
    session.stop().await;
    Ok(())
}

/// What was found so far.
#[derive(Debug, Default)]
struct Report {
    warnings: usize,
    bad: usize,
    /// Discovery cannot work, as opposed to something else being wrong.
    unreachable: bool,
}

impl Report {
    fn add(&mut self, output: &Output, check: Check) {
        match check.status {
            Status::Warning => self.warnings += 1,
            Status::Bad => {
                self.bad += 1;
                self.unreachable |= check.is_network();
            }
            Status::Ok | Status::Info => {}
        }
        let Check { name, status, detail, advice, data } = check;
        output.event(&Event::Check { name, status: status.word(), detail: &detail, advice: advice.as_deref(), data });
        let style = match status {
            Status::Ok => Style::Good,
            Status::Info => Style::Dim,
            Status::Warning => Style::Warn,
            Status::Bad => Style::Bad,
        };
        let status = output.styled(style, &format!("{:<8}", status.word()));
        output.line(format_args!("{status} {name:<12} {detail}"));
        for line in advice.iter().flat_map(|advice| advice.lines()) {
            output.line(format_args!("{:21} → {line}", ""));
        }
    }

    fn verdict(&self, output: &Output) -> Result<Code> {
        output.event(&Event::Verdict { ok: self.bad == 0, warnings: self.warnings, bad: self.bad });
        if self.bad > 0 {
            let code = if self.unreachable { Code::Unreachable } else { Code::LocalDisk };
            return Err(Failure::new(code, "something is in the way: see the lines marked bad")
                .hint("Each says what to do about it; run `moorline doctor` again afterwards."));
        }
        output.line(match self.warnings {
            0 => "All is well.",
            _ => "Discovery works; the lines marked warning say what could be better.",
        });
        Ok(Code::Success)
    }
}
