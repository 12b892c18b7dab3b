//! How figures leave the process.

use std::time::Duration;

/// Prints one.
pub(crate) fn figure(name: &str, value: f64) {
    println!("figure {name} {value}");
}

/// Prints the median and the 99th percentile, in milliseconds.
pub(crate) fn quantiles(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    for (quantile, share) in [("p50", 0.5), ("p99", 0.99)] {
        figure(&format!("{name}.{quantile}"), millis(at(&times, share)));
    }
}

/// Milliseconds with a fraction.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The least value that so large a share of the sorted values does not exceed.
fn at(sorted: &[Duration], share: f64) -> Duration {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
