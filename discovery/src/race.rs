//! Polling several futures from one task: the crate spawns nothing, so that whoever awaits `run` owns all of its work.

use crate::BoxFuture;
use std::{future::poll_fn, task::Poll};

/// Waits until each of `futures` is done.
pub(crate) async fn all(mut futures: Vec<BoxFuture<'_, ()>>) {
    poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Drives `futures`, dropping those that are done, for as long as it is polled. Never ready. Cancel safe: nothing is lost when it is dropped.
pub(crate) async fn drive(futures: &mut Vec<BoxFuture<'_, ()>>) {
    poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        Poll::<()>::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        select,
        time::{Duration, Instant, sleep},
    };

    #[tokio::test(start_paused = true)]
    async fn all_takes_as_long_as_the_slowest() {
        let start = Instant::now();
        all(vec![Box::pin(sleep(Duration::from_secs(1))), Box::pin(sleep(Duration::from_secs(3)))]).await;
        assert_eq!(start.elapsed().as_secs(), 3);
        all(Vec::new()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn drive_keeps_what_is_not_done() {
        let mut futures: Vec<BoxFuture<'_, ()>> =
            vec![Box::pin(sleep(Duration::from_secs(1))), Box::pin(sleep(Duration::from_secs(9)))];
        select! {
            biased;
            () = drive(&mut futures) => unreachable!("drive is never ready"),
            () = sleep(Duration::from_secs(2)) => {}
        }
        assert_eq!(futures.len(), 1);
    }
}
