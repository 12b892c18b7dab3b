use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Runs all futures at once in this task. The first `Ok` wins, and dropping the race drops the others; if none comes,
/// all errors, in the order of the futures.
pub(super) async fn first_ok<F, T, E>(futures: Vec<F>) -> Result<T, Vec<E>>
where
    F: Future<Output = Result<T, E>> + Send,
{
    let mut running: Vec<Option<Pin<Box<F>>>> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    let mut errors: Vec<Option<E>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (slot, error) in running.iter_mut().zip(&mut errors) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(Ok(value)) => return Poll::Ready(Ok(value)),
                Poll::Ready(Err(why)) => {
                    *error = Some(why);
                    *slot = None;
                }
                Poll::Pending => pending = true,
            }
        }
        match pending {
            true => Poll::Pending,
            false => Poll::Ready(Err(errors.iter_mut().filter_map(Option::take).collect())),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn after(ms: u64, result: Result<u64, u64>) -> Result<u64, u64> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        result
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_success_wins() {
        let race = vec![after(30, Ok(1)), after(10, Err(2)), after(20, Ok(3)), after(1_000_000, Ok(4))];
        assert_eq!(first_ok(race).await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_success_all_errors_come_in_order() {
        let race = vec![after(30, Err(1)), after(10, Err(2)), after(20, Err(3))];
        assert_eq!(first_ok(race).await, Err(vec![1, 2, 3]));
        assert_eq!(first_ok(Vec::<std::future::Ready<Result<(), u8>>>::new()).await, Err(vec![]));
    }
}
