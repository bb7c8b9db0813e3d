//! Basis update and Galerkin: the bases first, then their coefficients.

use ndarray::{Array2, Axis, concatenate};

use super::sandwich::{Kept, check_state, substep};
use super::{LowRank, Truncation};
use crate::integrate::Integrator;
use crate::linalg::{orthonormal, transposed};
use crate::{Error, Real, Result, VectorField};

/// The basis-update and Galerkin integrator of fixed rank: K and L from the old bases, then S in the new ones.
///
/// No backward step, of first order, robust to small singular values; its error constant is visibly larger than that of
/// [`AugmentedBug`]. Ceruti, Lubich, *An unconventional robust integrator for dynamical low-rank approximation*, BIT 62 (2022).
#[derive(Debug, Clone)]
pub struct Bug<I, F> {
    rank: usize,
    inner: I,
    kept: Kept<F>,
}

impl<I, F: Real> Bug<I, F> {
    /// At this rank, with substeps by `inner`.
    pub fn new(rank: usize, inner: I) -> Self {
        Bug { rank, inner, kept: Kept::none() }
    }
}

/// The rank-adaptive integrator: bases [K₁, U₀] and [L₁, V₀] of twice the rank, a Galerkin step, and a truncation.
///
/// Robust to small singular values, no backward step; along a gradient flow the loss falls as that of the full matrix does, up to
/// the truncation. Ceruti, Kusch, Lubich, *A rank-adaptive robust integrator for dynamical low-rank approximation*, BIT 62 (2022).
///
/// ```
/// use flowfield::{Flow, field, integrate::Euler, low_rank::AugmentedBug};
/// use ndarray::{Array2, array};
/// let target = array![[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]];
/// let descent = field(|_t, w: &Array2<f64>, dw| *dw = &target - w);
/// let mut w = Array2::from_elem((2, 3), 0.1);
/// Flow::new(descent, AugmentedBug::new(1, Euler::new()).tolerance(1e-8)).steps(200, 0.1, &mut w)?;
/// assert!((w - &target).iter().all(|d| d.abs() < 1e-7));                       // it found that the rank is 2
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AugmentedBug<I, F> {
    rank: usize,
    truncation: Truncation,
    inner: I,
    kept: Kept<F>,
}

impl<I, F: Real> AugmentedBug<I, F> {
    /// From this rank, which then stays; see [`tolerance`](Self::tolerance).
    pub fn new(rank: usize, inner: I) -> Self {
        let truncation = Truncation { relative: 0.0, absolute: 0.0, max_rank: rank };
        AugmentedBug { rank, truncation, inner, kept: Kept::none() }
    }

    /// Lets the rank go with the solution: singular values are dropped up to this fraction of the norm.
    #[must_use]
    pub fn tolerance(mut self, relative: f64) -> Self {
        self.truncation = Truncation { relative, absolute: 0.0, max_rank: usize::MAX };
        self
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

/// K₁ and L₁ᵀ, each from the old factors.
fn new_bases<F: Real, V, I>(
    inner: &mut I,
    field: &mut V,
    span: (F, F),
    y: &LowRank<F>,
) -> Result<(Array2<F>, Array2<F>)>
where
    V: VectorField<Array2<F>> + ?Sized,
    I: Integrator<Array2<F>>,
{
    let k = substep(inner, field, span, (None, &y.left(), Some(&y.v)), false)?;
    let lt = substep(inner, field, span, (Some(&y.u), &y.right(), None), false)?;
    Ok((k, transposed(&lt)))
}

/// The Galerkin step in the bases u, v from the old factors.
fn galerkin<F: Real, V, I>(
    inner: &mut I,
    field: &mut V,
    span: (F, F),
    y: &LowRank<F>,
    (u, v): (Array2<F>, Array2<F>),
) -> Result<LowRank<F>>
where
    V: VectorField<Array2<F>> + ?Sized,
    I: Integrator<Array2<F>>,
{
    let start = u.t().dot(&y.u).dot(&y.s).dot(&y.v.t().dot(&v));
    let s = substep(inner, field, span, (Some(&u), &start, Some(&v)), false)?;
    Ok(LowRank { u, s, v })
}

/// An orthonormal basis of the columns of both.
pub(super) fn joined<F: Real>(a: &Array2<F>, b: &Array2<F>) -> Array2<F> {
    match concatenate(Axis(1), &[a.view(), b.view()]) {
        Ok(both) => orthonormal(&both),
        Err(_) => orthonormal(a),
    }
}

impl<F: Real, I: Integrator<Array2<F>>> Integrator<Array2<F>> for Bug<I, F> {
    fn name(&self) -> &'static str {
        "Bug"
    }

    fn order(&self) -> Option<u32> {
        Some(1)
    }

    fn init(&mut self, y0: &Array2<F>) -> Result<()> {
        check_state(y0, self.rank)
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
        let (k, l) = new_bases(&mut self.inner, field, (t, h), &y)?;
        let next = galerkin(&mut self.inner, field, (t, h), &y, (orthonormal(&k), orthonormal(&l)))?;
        self.kept.put(next, y1);
        Ok(())
    }
}

impl<F: Real, I: Integrator<Array2<F>>> Integrator<Array2<F>> for AugmentedBug<I, F> {
    fn name(&self) -> &'static str {
        "AugmentedBug"
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
        let (k, l) = new_bases(&mut self.inner, field, (t, h), &y)?;
        let bases = (joined(&k, &y.u), joined(&l, &y.v));
        let next = galerkin(&mut self.inner, field, (t, h), &y, bases)?;
        self.kept.put(next.truncate(&self.truncation), y1);
        Ok(())
    }
}
