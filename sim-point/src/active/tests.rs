use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Answer, Hook, Reached, install, run, still, task};
use crate::sim_point;

/// Answers at one point, once, and writes down what is reached.
struct Script {
    at: &'static str,
    answer: Answer,
    still: Cell<bool>,
    seen: RefCell<Vec<(String, Option<String>)>>,
}

impl Script {
    fn new(at: &'static str, answer: Answer) -> Rc<Self> {
        Rc::new(Self { at, answer, still: Cell::new(false), seen: RefCell::default() })
    }

    fn seen(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        seen.iter().map(|(point, task)| format!("{point} in {}", task.as_deref().unwrap_or("-"))).collect()
    }
}

impl Hook for Script {
    fn reach(&self, reached: &Reached<'_>) -> Answer {
        let before = self.seen.borrow().iter().any(|(point, _)| point == reached.point);
        self.seen.borrow_mut().push((reached.point.to_owned(), reached.task.map(str::to_owned)));
        if reached.point != self.at || before {
            return Answer::Go;
        }
        self.still.set(self.answer == Answer::Still);
        self.answer.clone()
    }

    fn is_still(&self) -> bool {
        self.still.get()
    }
}

async fn work(done: &Cell<u32>) {
    done.set(done.get() + 1);
    sim_point!("work.plain");
    done.set(done.get() + 1);
    sim_point!(await "work.async");
    done.set(done.get() + 1);
}

fn polls<F: Future>(future: F, times: usize) -> Poll<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let mut last = Poll::Pending;
    for _ in 0..times {
        last = future.as_mut().poll(&mut cx);
    }
    last
}

#[test]
fn without_a_hook_nothing_happens() {
    let done = Cell::new(0);
    assert_eq!(polls(task("one", work(&done)), 1), Poll::Ready(()));
    assert_eq!((done.get(), run("two", || 7)), (3, 7));
}

#[test]
fn points_know_the_task_that_they_are_in() {
    let script = Script::new("", Answer::Go);
    let _installed = install(script.clone());
    let done = Cell::new(0);
    assert_eq!(polls(task("one", work(&done)), 1), Poll::Ready(()));
    run("two", || sim_point!("in.two"));
    sim_point!("outside");
    let expected = [
        "task.one.start in one",
        "work.plain in one",
        "work.async in one",
        "task.two.start in two",
        "in.two in two",
        "outside in -",
    ];
    assert_eq!(script.seen(), expected);
}

#[test]
fn a_panic_is_raised_where_it_was_asked_for() {
    for (point, steps) in [("task.one.start", 0), ("work.plain", 1), ("work.async", 2)] {
        let _installed = install(Script::new(point, Answer::Panic("planted".into())));
        let done = Cell::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| polls(task("one", work(&done)), 1))).unwrap_err();
        assert_eq!((panic.downcast_ref::<String>().map(String::as_str), done.get()), (Some("planted"), steps));
    }
}

#[test]
fn what_yields_goes_on_with_the_next_poll() {
    for (point, steps) in [("task.one.start", 0), ("work.async", 2)] {
        let script = Script::new(point, Answer::Yield);
        let _installed = install(script.clone());
        let done = Cell::new(0);
        let mut future = pin!(task("one", work(&done)));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!((future.as_mut().poll(&mut cx), done.get()), (Poll::Pending, steps));
        assert_eq!((future.as_mut().poll(&mut cx), done.get()), (Poll::Ready(()), 3));
        let polls = script.seen().iter().filter(|seen| seen.starts_with("task.one.poll")).count();
        assert_eq!(polls, usize::from(point == "work.async"), "a start that was put off is still the start");
    }
}

#[test]
fn nothing_of_a_killed_process_is_polled_again() {
    for (point, steps) in [("task.one.start", 0), ("work.plain", 1), ("work.async", 2)] {
        let _installed = install(Script::new(point, Answer::Still));
        let (done, other) = (Cell::new(0), Cell::new(0));
        assert_eq!(polls(task("one", work(&done)), 3), Poll::Pending);
        assert_eq!(polls(still(work(&other)), 3), Poll::Pending);
        assert_eq!((done.get(), other.get()), (steps, 0), "{point}");
    }
}

#[test]
fn a_hook_is_gone_with_its_guard_and_the_one_before_is_back() {
    let (one, other) = (Script::new("", Answer::Go), Script::new("", Answer::Go));
    let first = install(one.clone());
    {
        let _second = install(other.clone());
        sim_point!("a");
    }
    sim_point!("b");
    drop(first);
    sim_point!("c");
    assert_eq!((one.seen(), other.seen()), (vec!["b in -".to_owned()], vec!["a in -".to_owned()]));
}
