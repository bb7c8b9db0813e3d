//! Timing and JSON lines, in the format that the peers' programs print.
#![allow(dead_code)]

use std::hint::black_box;
use std::time::Instant;

/// Median and least seconds of one call: `repeats` blocks, each of as many calls as fill `block` seconds.
pub fn seconds<T>(repeats: usize, block: f64, mut call: impl FnMut() -> T) -> (f64, f64) {
    let one = Instant::now();
    black_box(call());
    let calls = (block / one.elapsed().as_secs_f64().max(1e-9)).clamp(1.0, 1e6) as usize;
    let mut times: Vec<f64> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| drop(black_box(call())));
            start.elapsed().as_secs_f64() / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[repeats / 2], times[0])
}

/// What follows `cargo bench --bench NAME --`, without the flags that cargo itself adds.
pub fn filters() -> Vec<String> {
    std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect()
}

/// Whether a line is wanted: no filter, or one that is part of its name.
pub fn wanted(filters: &[String], name: &str) -> bool {
    filters.is_empty() || filters.iter().any(|f| name.contains(f))
}
