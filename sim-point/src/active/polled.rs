use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Answer, Hook, Killed, ask, hook};

thread_local! {
    /// The tasks that are being polled on this thread, the innermost last.
    static CURRENT: RefCell<Vec<Arc<Name>>> = const { RefCell::new(Vec::new()) };
}

/// A task as its points call it.
struct Name {
    task: String,
    start: String,
    poll: String,
}

/// A task whose polls are points. See [`task`].
pub struct Polled<F> {
    /// `None`: no points.
    name: Option<Arc<Name>>,
    started: bool,
    /// `None`: it was unwound by the end of its process, or by a panic.
    future: Option<Pin<Box<F>>>,
}

/// Makes a point of each poll of a task: `task.<name>.start` the first time, `task.<name>.poll` later. At each it can be put behind the
/// other tasks that are ready.
pub fn task<F: Future>(name: &str, future: F) -> Polled<F> {
    Polled { name: Some(Name::of(name)), started: false, future: Some(Box::pin(future)) }
}

/// A future that stands still when its process is killed, but that has no point.
pub fn still<F: Future>(future: F) -> Polled<F> {
    Polled { name: None, started: false, future: Some(Box::pin(future)) }
}

/// Makes a point of the start of blocking work, `task.<name>.start`, and calls it.
pub fn run<T>(name: &str, work: impl FnOnce() -> T) -> T {
    if hook().is_none() {
        return work();
    }
    let name = Name::of(name);
    let _inside = Inside::enter(name.clone());
    super::reach(&name.start);
    work()
}

impl<F: Future> Polled<F> {
    /// Asks for this poll. `Some`: it does not take place.
    fn held_up(&mut self, hook: &dyn Hook, cx: &Context<'_>) -> Option<Poll<F::Output>> {
        if hook.is_still() {
            return Some(Poll::Pending);
        }
        let name = self.name.as_ref()?;
        let point = if self.started { &name.poll } else { &name.start };
        match ask(hook, point, true) {
            Answer::Go => None,
            Answer::Panic(message) => {
                // Its destructors run as they do when it panics by itself: they see that.
                let _unwound = self.future.take();
                resume_unwind(Box::new(message))
            }
            Answer::Still => Some(Poll::Pending),
            Answer::Yield => {
                cx.waker().wake_by_ref();
                Some(Poll::Pending)
            }
        }
    }
}

impl<F: Future> Future for Polled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let hook = hook();
        let _inside = hook.as_ref().and_then(|_| this.name.clone()).map(Inside::enter);
        if this.future.is_some()
            && let Some(hook) = &hook
            && let Some(held_up) = this.held_up(&**hook, cx)
        {
            return held_up;
        }
        let Some(future) = &mut this.future else { return Poll::Pending };
        this.started = true;
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(panic) => {
                this.future = None;
                if panic.is::<Killed>() { Poll::Pending } else { resume_unwind(panic) }
            }
        }
    }
}

impl Name {
    fn of(name: &str) -> Arc<Self> {
        let (start, poll) = (format!("task.{name}.start"), format!("task.{name}.poll"));
        Arc::new(Self { task: name.to_owned(), start, poll })
    }
}

/// While it lives, this thread is in a task.
struct Inside;

impl Inside {
    fn enter(name: Arc<Name>) -> Self {
        CURRENT.with_borrow_mut(|current| current.push(name));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| drop(current.pop()));
    }
}

pub(super) fn with_current<T>(look: impl FnOnce(Option<&str>) -> T) -> T {
    let name = CURRENT.with_borrow(|current| current.last().cloned());
    look(name.as_ref().map(|name| &*name.task))
}
