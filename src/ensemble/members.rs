//! One result for each member, in order.

use std::ops::Index;

use rayon::prelude::*;

use crate::{Error, Stats};

/// Where a member ended, and the work it took.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Member<Y> {
    /// The state at the end.
    pub y: Y,
    /// Work counts.
    pub stats: Stats,
}

/// The results of an ensemble, in the order of its members.
///
/// ```
/// use flowfield::ensemble::ensemble;
/// let roots = ensemble(4, |i| if i == 2 { Err("no") } else { Ok((i as f64).sqrt()) });
/// assert_eq!(roots.len(), 4);
/// assert_eq!(roots.failures().collect::<Vec<_>>(), [(2, &"no")]);
/// assert_eq!(roots.successes().map(|(i, _)| i).collect::<Vec<_>>(), [0, 1, 3]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Members<T, E = Error>(pub Vec<Result<T, E>>);

impl<T, E> Members<T, E> {
    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members that were solved, by index.
    pub fn successes(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().enumerate().filter_map(|(i, r)| Some((i, r.as_ref().ok()?)))
    }

    /// The members that failed, by index, each with its reason.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &E)> {
        self.0.iter().enumerate().filter_map(|(i, r)| Some((i, r.as_ref().err()?)))
    }

    /// All solved members, or the first failure with its index.
    ///
    /// # Errors
    /// The index and the reason of the first member that failed.
    pub fn all(self) -> Result<Vec<T>, (usize, E)> {
        self.0.into_iter().enumerate().map(|(i, r)| r.map_err(|e| (i, e))).collect()
    }
}

impl<T, E> Index<usize> for Members<T, E> {
    type Output = Result<T, E>;

    fn index(&self, i: usize) -> &Result<T, E> {
        &self.0[i]
    }
}

/// Solves members `0..n` on all threads of the current rayon pool; `solve(i)` is member `i`, alone and from its start, so
/// the result is the same for any number of threads.
///
/// ```
/// use flowfield::{Flow, ensemble::ensemble, field, integrate::Tsit5};
/// let decays = ensemble(100, |i| {
///     let rate = i as f64 / 100.0;
///     Flow::new(field(move |_t, y: &[f64; 1], dy| dy[0] = -rate * y[0]), Tsit5::new()).save_last().solve(0.0, 1.0, [1.0])
/// });
/// for (i, sol) in decays.successes() {
///     assert!((sol.y_end()[0] - (-(i as f64) / 100.0).exp()).abs() < 1e-6);
/// }
/// ```
pub fn ensemble<T: Send, E: Send>(n: usize, solve: impl Fn(usize) -> Result<T, E> + Sync) -> Members<T, E> {
    Members((0..n).into_par_iter().map(&solve).collect())
}
