//! Sums over all pairs of points: the O(n m) engine under kernels, entropic transport and particle flows.
//!
//! For sources `x` (n × d), targets `y` (m × d) and anything summed `s` (m × p):
//!
//! | question | answer |
//! |---|---|
//! | `Σ_j k(x_i, y_j) s_j` | [`KernelSum::sums`] |
//! | `Σ_j w_j ∇_x k(x_i, y_j)` | [`KernelSum::gradients`] |
//! | both for one evaluation of the kernel | [`KernelSum::both`] |
//! | `log Σ_j exp(h_j - \|x_i - y_j\|² / ε)` | [`SoftMin::log_sum_exp`] |
//! | the mean of `y_j` under those weights | [`SoftMin::mean`] |
//!
//! Nothing of size n × m is stored. A strip of 4 kB of targets serves a block of sources from the first-level
//! cache: distances, then the kernel, then what is summed, each a short loop over vectors of the number type;
//! a strip's sums are added up in double precision. Threads take blocks of sources from a quarter of a million
//! pairs on; a row is always summed in the same order, so that no result depends on their number.
//!
//! Distances are sums of squared gaps, never `|x|² + |y|² - 2 x·y`: clouds far from the origin lose nothing.
//!
//! May import: `scalar`, `error`, `state`, `simd`.

mod engine;
mod groups;
mod kernel;
mod soft;
mod strip;
mod sum;

pub use kernel::RadialKernel;
pub use soft::SoftMin;
pub use sum::KernelSum;

use ndarray::Array2;

use crate::{Error, Real, Result};

/// Refuses empty clouds and points that are not finite.
pub(crate) fn check_points<F: Real>(what: &'static str, x: &Array2<F>) -> Result<()> {
    if x.is_empty() {
        return Err(Error::Empty { what });
    }
    crate::state::check_rows(what, x)
}
