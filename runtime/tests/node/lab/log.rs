//! What the code under test logs.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Level, Metadata, Subscriber};

/// Hands every line of Moorline that is logged on this thread to `heard`, for as long as the guard lives; and of QUIC what went wrong:
/// what a stranger can do to it is a warning there. The tests have one thread, so that is all but what file readers and writers log.
pub(crate) fn listen(heard: impl Fn(Level, &str) + Send + Sync + 'static) -> DefaultGuard {
    set_default(Listener(heard))
}

struct Listener<F>(F);

impl<F: Fn(Level, &str) + Send + Sync + 'static> Subscriber for Listener<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let (level, target) = (*metadata.level(), metadata.target());
        metadata.is_event()
            && (level <= Level::DEBUG && target.starts_with("moorline")
                || level <= Level::ERROR && target.starts_with("quinn"))
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        (self.0)(*event.metadata().level(), &line.0);
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("a string takes everything");
    }
}
