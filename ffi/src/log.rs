//! Lines of the log as events. Nothing global: only the threads of a client write to it.

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Weak;

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::happening::Happening;
use crate::kinds::MOORLINE_EVENT_LOG;
use crate::queue::{Class, Queue};

/// Longest line, in bytes.
const MAX_LINE: usize = 4096;

/// What takes lines up to a level (1 error to 5 trace); `None` for 0.
pub(crate) fn to_queue(level: u32, queue: Weak<Queue>) -> Option<Dispatch> {
    let level = match level {
        0 => return None,
        1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    };
    Some(Dispatch::new(registry().with(Lines { level, queue })))
}

/// Has this thread write its lines there, for as long as it lives.
pub(crate) fn install(logger: &Dispatch) {
    thread_local! {
        static GUARD: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
    }
    GUARD.with_borrow_mut(|guard| *guard = Some(tracing::dispatcher::set_default(logger)));
}

struct Lines {
    level: Level,
    queue: Weak<Queue>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.level
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut line = Line(String::new());
        event.record(&mut line);
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => 1,
            Level::WARN => 2,
            Level::INFO => 3,
            Level::DEBUG => 4,
            Level::TRACE => 5,
        };
        let happening = Happening::new(MOORLINE_EVENT_LOG, 0).numbers([level]);
        queue.push(Class::News, happening.texts([metadata.target().to_owned(), line.0]));
    }
}

/// The message, and after it the fields as `name=value`.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if self.0.len() >= MAX_LINE {
            return;
        }
        let gap = if self.0.is_empty() { "" } else { " " };
        // Writing to a string cannot fail; a value that cannot be shown is left out.
        let _ = match field.name() {
            "message" => write!(self.0, "{gap}{value:?}"),
            name => write!(self.0, "{gap}{name}={value:?}"),
        };
        let end = self.0.floor_char_boundary(MAX_LINE);
        self.0.truncate(end);
    }
}
