//! Panics that nobody planted, wherever they are caught.

use std::cell::RefCell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// What was said by panics on this thread. Planted ones unwind without a word.
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From here on, panics of this process are also noted by thread. What was done about them before is done as well.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            // A thread that is just ending has nothing to tell.
            let _ = SAID.try_with(|said| said.try_borrow_mut().map(|mut said| said.push(panic.to_string())));
            before(panic);
        }));
    });
}

/// What was noted on this thread and not taken yet.
pub(crate) fn take() -> Vec<String> {
    SAID.take()
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, resume_unwind};

    #[test]
    fn a_panic_is_noted_on_its_thread_and_a_planted_one_is_not() {
        super::watch();
        let _ = catch_unwind(|| resume_unwind(Box::new("planted")));
        assert!(super::take().is_empty());
        let _ = catch_unwind(|| panic!("at once"));
        let _ = std::thread::spawn(|| panic!("elsewhere")).join();
        let said = super::take();
        assert!(said.len() == 1 && said[0].contains("at once"), "{said:?}");
        assert!(super::take().is_empty());
    }
}
