//! The median of many numbers.

use crate::Real;

/// The element of rank `rank` (from 0) of `all`, which are not NaN: from a sample, two bounds between which it almost surely
/// lies; then one pass that counts what is below and keeps what is between.
pub(super) fn ranked<F: Real>(all: &[F], rank: usize, kept: &mut Vec<F>) -> F {
    const SAMPLE: usize = 4096;
    let n = all.len();
    if n <= 4 * SAMPLE {
        kept.clear();
        kept.extend_from_slice(all);
        return select(kept, rank);
    }
    // An odd stride, so that no row length divides it.
    let stride = (n / SAMPLE) | 1;
    kept.clear();
    kept.extend(all.iter().step_by(stride).copied());
    kept.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let (at, m) = (rank as f64 / n as f64 * kept.len() as f64, kept.len());
    // Four standard deviations of the sample's rank.
    let margin = 2.0 * (m as f64).sqrt() + 2.0;
    let low = kept[(at - margin).max(0.0) as usize];
    let high = kept[((at + margin) as usize).min(m - 1)];
    kept.resize(n, F::zero());
    let (mut below, mut between) = (0, 0);
    for block in all.chunks(1024) {
        below += block.iter().map(|&v| usize::from(v < low)).sum::<usize>();
        for &v in block {
            kept[between] = v;
            between += usize::from(v >= low && v <= high);
        }
    }
    if rank < below || rank >= below + between {
        kept.clear();
        kept.extend_from_slice(all);
        return select(kept, rank);
    }
    select(&mut kept[..between], rank - below)
}

fn select<F: Real>(of: &mut [F], rank: usize) -> F {
    *of.select_nth_unstable_by(rank, |a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal)).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn agrees_with_sorting_also_where_most_are_equal() {
        let mut rng = Rng::new(0, 0);
        for n in [1, 2, 17, 16_384, 16_385, 100_000] {
            let all: Vec<f64> = (0..n)
                .map(|i| if i % 3 == 0 { 0.5 } else { (8.0 * rng.normal::<f64>()).round().abs() })
                .collect();
            let mut sorted = all.clone();
            sorted.sort_by(f64::total_cmp);
            for rank in [0, n / 3, n / 2, n - 1] {
                assert_eq!(ranked(&all, rank, &mut Vec::new()), sorted[rank], "{n} {rank}");
            }
        }
    }
}
