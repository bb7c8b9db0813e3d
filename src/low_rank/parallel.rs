//! All factors at once, from one evaluation of the field.

use ndarray::{Array2, s};

use super::bug::joined;
use super::sandwich::{Kept, check_state};
use super::{LowRank, Truncation};
use crate::integrate::Integrator;
use crate::linalg::transposed;
use crate::{Error, Real, Result, VectorField};

/// The parallel rank-adaptive integrator with Euler substeps: K, L and S each from the old factors and one evaluation.
///
/// ```text
/// K₁ = U₀S₀ + h F V₀    L₁ = V₀S₀ᵀ + h Fᵀ U₀    S₁ = S₀ + h U₀ᵀ F V₀,    F = F(t, U₀S₀V₀ᵀ)
/// Ŝ = [[S₁, L₁ᵀ Ṽ], [Ũᵀ K₁, 0]] in the bases [U₀, Ũ], [V₀, Ṽ]; then truncated
/// ```
///
/// Low-rank training with one gradient a step. Ceruti, Kusch, Lubich, *A parallel rank-adaptive integrator for dynamical low-rank
/// approximation*, SIAM J. Sci. Comput. 46 (2024); Schotthöfer, Zangrando, Ceruti, Tudisco, Kusch, *GeoLoRA*, 2024.
#[derive(Debug, Clone)]
pub struct ParallelBug<F> {
    rank: usize,
    truncation: Truncation,
    kept: Kept<F>,
}

impl<F: Real> ParallelBug<F> {
    /// From this rank, dropping singular values up to this fraction of the norm.
    pub fn new(rank: usize, tolerance: f64) -> Self {
        let truncation = Truncation { relative: tolerance, absolute: 0.0, max_rank: usize::MAX };
        ParallelBug { rank, truncation, kept: Kept::none() }
    }

    /// The largest rank.
    #[must_use]
    pub fn max_rank(mut self, rank: usize) -> Self {
        self.truncation.max_rank = rank;
        self
    }

    /// The rank after the last step.
    pub fn rank(&self) -> usize {
        self.kept.rank().unwrap_or(self.rank)
    }
}

impl<F: Real> Integrator<Array2<F>> for ParallelBug<F> {
    fn name(&self) -> &'static str {
        "ParallelBug"
    }

    fn order(&self) -> Option<u32> {
        Some(1)
    }

    fn init(&mut self, y0: &Array2<F>) -> Result<()> {
        check_state(y0, self.rank)?;
        let (rank, most) = (self.rank, self.truncation.max_rank);
        Error::setting(most >= rank, "max_rank", most as f64, "it must be at least the rank to start from")?;
        self.truncation.check()
    }

    fn step<V: VectorField<Array2<F>> + ?Sized>(
        &mut self,
        field: &mut V,
        t: F,
        h: F,
        y0: &Array2<F>,
        y1: &mut Array2<F>,
    ) -> Result<()> {
        let y = self.kept.take(y0, self.rank)?;
        let mut slope = y0.clone();
        field.eval(t, &y.to_dense(), &mut slope);
        let (right, left) = (slope.dot(&y.v), slope.t().dot(&y.u));
        let k = y.left() + &right * h;
        let l = transposed(&y.right()) + &left * h;
        // The old bases come first, so that the new directions are what is left of K and L.
        let (u, v) = (joined(&y.u, &k), joined(&y.v, &l));
        let (u, v) = (aligned(u, &y.u), aligned(v, &y.v));
        let r = y.rank();
        let mut s = Array2::zeros((u.ncols(), v.ncols()));
        s.slice_mut(s![..r, ..r]).assign(&(&y.s + &(y.u.t().dot(&right) * h)));
        s.slice_mut(s![r.., ..r]).assign(&u.slice(s![.., r..]).t().dot(&k));
        s.slice_mut(s![..r, r..]).assign(&l.t().dot(&v.slice(s![.., r..])));
        self.kept.put(LowRank { u, s, v }.truncate(&self.truncation), y1);
        Ok(())
    }
}

/// Replaces the first columns of a basis by those it was made from: QR gives them up to sign.
fn aligned<F: Real>(mut basis: Array2<F>, first: &Array2<F>) -> Array2<F> {
    basis.slice_mut(s![.., ..first.ncols()]).assign(first);
    basis
}
