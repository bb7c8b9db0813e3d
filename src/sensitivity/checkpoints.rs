//! Which states of a run are kept for its reverse.

use crate::{Error, Result};

/// Which states of a run of `n` steps are kept for its reverse; the others are computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkpoints {
    /// All of them: `n` states, nothing is computed again.
    #[default]
    All,
    /// Every `k`-th: at most `⌈n/k⌉ + k - 1` states, each step is computed twice; least for `k ≈ √n`.
    Every(usize),
    /// At most this many states, placed so that the fewest steps are repeated (binomial checkpointing): `n ≤ (s+r)!/(s! r!)`
    /// steps cost at most `r` forward sweeps beside the first.
    ///
    /// Reference: Griewank, Walther, *Algorithm 799: Revolve*, ACM TOMS 26 (2000) 19–45.
    Binomial(usize),
    /// As many as go into this number of bytes, placed as by [`Binomial`](Self::Binomial).
    Bytes(usize),
}

impl Checkpoints {
    /// States that may be kept where they are counted, for states of this many bytes.
    pub(super) fn slots(self, bytes: usize) -> Result<Option<usize>> {
        match self {
            Checkpoints::All => Ok(None),
            Checkpoints::Every(k) => {
                Error::setting(k > 0, "the distance between checkpoints", 0.0, "at least 1")?;
                Ok(None)
            }
            Checkpoints::Binomial(0) => Err(Error::MemoryTooSmall { bytes: 0, least: bytes }),
            Checkpoints::Binomial(s) => Ok(Some(s)),
            Checkpoints::Bytes(limit) if limit < bytes => {
                Err(Error::MemoryTooSmall { bytes: limit, least: bytes })
            }
            Checkpoints::Bytes(limit) => Ok(Some(limit / bytes.max(1))),
        }
    }
}

/// `(s + r)! / (s! r!)`, saturating.
fn binomial(s: usize, r: usize) -> usize {
    let mut b: u128 = 1;
    for i in 1..=r.min(s) as u128 {
        b = b * (s.max(r) as u128 + i) / i;
        if b > usize::MAX as u128 {
            return usize::MAX;
        }
    }
    b as usize
}

/// How far to advance from a kept state before the next is kept, for `steps` steps (at least 2) to reverse and `slots` kept
/// states in all, that one included.
pub(super) fn advance(steps: usize, slots: usize) -> usize {
    let sweeps = (1..).find(|&r| binomial(slots, r) >= steps).unwrap_or(1);
    // Griewank and Walther's bounds on both parts: β(s - 1, r) to the right, β(s, r - 2) to the left.
    let left = sweeps.checked_sub(2).map_or(1, |r| binomial(slots, r));
    steps.saturating_sub(binomial(slots - 1, sweeps)).max(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps repeated by the reverse of `n` steps with `s` states kept, the first of them given.
    fn repeated(n: usize, s: usize) -> usize {
        match (n, s) {
            (0 | 1, _) => 0,
            (n, 1) => n * (n - 1) / 2,
            _ => {
                let m = advance(n, s);
                m + repeated(n - m, s - 1) + repeated(m, s)
            }
        }
    }

    #[test]
    fn the_fewest_steps_are_repeated() {
        // Griewank and Walther's minimum, by dynamic programming.
        let (n, s) = (60, 6);
        let mut best = vec![vec![0; s + 1]; n + 1];
        for l in 2..=n {
            for c in 1..=s {
                let all = l * (l - 1) / 2;
                let split = |m: usize| m + best[l - m][c - 1] + best[m][c];
                best[l][c] = if c == 1 { all } else { (1..l).map(split).min().unwrap_or(all) };
            }
        }
        for (l, row) in best.iter().enumerate().skip(2) {
            for (c, &least) in row.iter().enumerate().skip(1) {
                assert_eq!(repeated(l, c), least, "{l} steps, {c} states");
            }
        }
    }

    #[test]
    fn binomials() {
        assert_eq!((binomial(3, 2), binomial(2, 3), binomial(1, 7), binomial(5, 0)), (10, 10, 8, 1));
    }
}
