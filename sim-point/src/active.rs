//! What points do in a simulation.

mod polled;

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::task::Poll;

pub use polled::{Polled, run, still, task};

/// What decides on a thread. Called for each point that is reached; it may not reach a point itself.
pub trait Hook {
    /// A point is reached.
    fn reach(&self, reached: &Reached<'_>) -> Answer;

    /// Whether what runs just now belongs to a process that was killed.
    fn is_still(&self) -> bool;
}

/// A point, at the moment at which it is reached.
#[derive(Clone, Copy, Debug)]
pub struct Reached<'a> {
    /// Its name.
    pub point: &'a str,
    /// The innermost [`task`] that it is reached in; `None`: there is none, and a panic would be the caller's.
    pub task: Option<&'a str>,
    /// Whether it can yield.
    pub yields: bool,
}

/// What is to happen at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Go,
    /// A panic with this message. It does not pass through the panic hook of the process.
    Panic(String),
    /// Other tasks run first. Nothing at a point that cannot yield.
    Yield,
    /// The process is killed: async code stands still here; other code unwinds, and its task stands still.
    Still,
}

/// What code unwinds with that cannot stand still.
struct Killed;

thread_local! {
    static HOOK: RefCell<Option<Rc<dyn Hook>>> = const { RefCell::new(None) };
}

/// Keeps a hook in its place. Dropping it brings back the one before.
#[must_use = "the hook is gone as soon as this is dropped"]
pub struct Installed {
    before: Option<Rc<dyn Hook>>,
}

/// Installs a hook for this thread.
pub fn install(hook: Rc<dyn Hook>) -> Installed {
    Installed { before: HOOK.replace(Some(hook)) }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // Later than the thread's own end there is nothing to bring back.
        let _ = HOOK.try_with(|hook| hook.replace(self.before.take()));
    }
}

/// The hook of this thread. Not while it unwinds: a second panic would be the end of the process.
fn hook() -> Option<Rc<dyn Hook>> {
    if std::thread::panicking() {
        return None;
    }
    HOOK.try_with(|hook| hook.borrow().clone()).ok().flatten()
}

fn ask(hook: &dyn Hook, point: &str, yields: bool) -> Answer {
    polled::with_current(|task| hook.reach(&Reached { point, task, yields }))
}

/// What `sim_point!("..")` does.
pub fn reach(point: &str) {
    let Some(hook) = hook() else { return };
    match ask(&*hook, point, false) {
        Answer::Go | Answer::Yield => {}
        Answer::Panic(message) => resume_unwind(Box::new(message)),
        Answer::Still => resume_unwind(Box::new(Killed)),
    }
}

/// What `sim_point!(await "..")` does. Cancel-safe.
pub async fn reach_async(point: &str) {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        let Some(hook) = hook() else { return Poll::Ready(()) };
        match ask(&*hook, point, true) {
            Answer::Go => Poll::Ready(()),
            Answer::Panic(message) => resume_unwind(Box::new(message)),
            Answer::Still => Poll::Pending,
            Answer::Yield => {
                yielded = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests;
