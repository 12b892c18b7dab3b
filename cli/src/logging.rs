//! Log lines of the libraries, on stderr, above any progress bar.

use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::output::Output;

/// The variable that overrides what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
pub(crate) const VARIABLE: &str = "MOORLINE_LOG";

/// Starts logging for this program. The default shows errors only: verbs tell the rest in their own words.
/// `-v` adds warnings and what Moorline does, `-vv` its details.
pub(crate) fn start(output: &Arc<Output>) {
    let default = match output.verbose() {
        0 => "error,mdns_sd=off",
        1 => {
            "warn,moorline=info,moorline_runtime=info,moorline_transport=info,moorline_discovery=info,\
             moorline_signaling=info,mdns_sd=error"
        }
        _ => {
            "info,moorline=debug,moorline_runtime=debug,moorline_transport=debug,moorline_discovery=debug,\
             moorline_signaling=debug"
        }
    };
    let filter = match std::env::var(VARIABLE) {
        Ok(wish) if !wish.is_empty() => EnvFilter::try_new(&wish).unwrap_or_else(|error| {
            output.warn(format_args!("{VARIABLE} is not understood and ignored: {error}"));
            EnvFilter::new(default)
        }),
        _ => EnvFilter::new(default),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Lines(Arc::clone(output)))
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        output.warn("logging was already set up; log lines go there");
    }
}

/// Hands out a buffer an event; the buffer goes to stderr in one piece when it is dropped.
#[derive(Clone, Debug)]
struct Lines(Arc<Output>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { output: Arc::clone(&self.0), text: Vec::new() }
    }
}

#[derive(Debug)]
struct Line {
    output: Arc<Output>,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Log lines quote remote text: the same rules as for everything else hold.
        let text = String::from_utf8_lossy(&self.text);
        for line in text.lines() {
            self.output.stderr(&crate::text::clean(line, 2000));
        }
    }
}
