//! `moorline completions`: a script that lets a shell complete the command line.

use std::io::{self, Write};

use clap::Args;
use clap_complete::Shell;

use crate::exit::{Code, Failure, Result};

/// Print a completion script for a shell
///
/// For example: `moorline completions bash > ~/.local/share/bash-completion/completions/moorline`
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<Code> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::command(), "moorline", &mut script);
    write_out(&script)
}

/// Writes to stdout. A reader that went away is nobody's failure.
pub(super) fn write_out(bytes: &[u8]) -> Result<Code> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Code::LocalDisk, format!("cannot write to stdout: {error}")))
        }
        _ => Ok(Code::Success),
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_verbs() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut crate::args::command(), "moorline", &mut script);
            let script = String::from_utf8_lossy(&script);
            for verb in ["share", "list", "get", "doctor", "demo", "signal", "room", "token"] {
                assert!(script.contains(verb), "{shell}: {verb}");
            }
        }
    }
}
