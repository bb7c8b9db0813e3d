//! The projector-splitting integrator.

use ndarray::Array2;

use super::LowRank;
use super::sandwich::{Kept, check_state, substep};
use crate::integrate::Integrator;
use crate::{Real, Result, VectorField};

/// Projector splitting (KSL) for W' = F(t, W) on matrices of fixed rank: in turn K = U S forward, S backward and L = V Sᵀ forward.
///
/// Its error does not depend on small singular values, and a W(t) of the given rank is followed exactly. The backward step of S
/// makes it unfit for strongly dissipative fields: take [`AugmentedBug`](super::AugmentedBug) there. The substeps are
/// taken by `I`. Lubich, Oseledets, *A projector-splitting integrator for dynamical low-rank approximation*, BIT 54 (2014).
///
/// The state is the full matrix; a start of higher rank is cut to the given one. Allocates in each step.
///
/// ```
/// use flowfield::{Flow, field, integrate::Rk4, low_rank::ProjectorSplitting};
/// use ndarray::{Array2, array};
/// let decay = field(|_t, w: &Array2<f64>, dw| *dw = -w);
/// let mut w = array![[1.0, 2.0], [2.0, 4.0]];
/// Flow::new(decay, ProjectorSplitting::new(1, Rk4::new())).steps(10, 0.1, &mut w)?;
/// assert!((w[[1, 1]] - 4.0 * (-1.0_f64).exp()).abs() < 1e-5);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProjectorSplitting<I, F> {
    rank: usize,
    inner: I,
    strang: bool,
    kept: Kept<F>,
}

impl<I, F: Real> ProjectorSplitting<I, F> {
    /// Of first order (Lie–Trotter), at this rank.
    pub fn new(rank: usize, inner: I) -> Self {
        ProjectorSplitting { rank, inner, strang: false, kept: Kept::none() }
    }

    /// Of second order (Strang): half steps of K and S, a step of L, and back.
    #[must_use]
    pub fn strang(mut self) -> Self {
        self.strang = true;
        self
    }
}

impl<F: Real, I: Integrator<Array2<F>>> ProjectorSplitting<I, F> {
    /// K forward with V fixed.
    fn k<V: VectorField<Array2<F>> + ?Sized>(
        &mut self,
        field: &mut V,
        span: (F, F),
        y: LowRank<F>,
    ) -> Result<LowRank<F>> {
        let k = substep(&mut self.inner, field, span, (None, &y.left(), Some(&y.v)), false)?;
        Ok(LowRank::from_left(&k, y.v))
    }

    /// S backward with U and V fixed.
    fn s<V: VectorField<Array2<F>> + ?Sized>(
        &mut self,
        field: &mut V,
        span: (F, F),
        y: LowRank<F>,
    ) -> Result<LowRank<F>> {
        let s = substep(&mut self.inner, field, span, (Some(&y.u), &y.s, Some(&y.v)), true)?;
        Ok(LowRank { s, ..y })
    }

    /// L forward with U fixed.
    fn l<V: VectorField<Array2<F>> + ?Sized>(
        &mut self,
        field: &mut V,
        span: (F, F),
        y: LowRank<F>,
    ) -> Result<LowRank<F>> {
        let lt = substep(&mut self.inner, field, span, (Some(&y.u), &y.right(), None), false)?;
        Ok(LowRank::from_right(y.u, &lt))
    }
}

impl<F: Real, I: Integrator<Array2<F>>> Integrator<Array2<F>> for ProjectorSplitting<I, F> {
    fn name(&self) -> &'static str {
        "ProjectorSplitting"
    }

    fn order(&self) -> Option<u32> {
        let most = if self.strang { 2 } else { 1 };
        self.inner.order().map(|p| p.min(most))
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
        let y = if self.strang {
            let half = h * F::of(0.5);
            let (first, last) = ((t, half), (t + half, half));
            let y = self.k(field, first, y)?;
            let y = self.s(field, first, y)?;
            let y = self.l(field, (t, h), y)?;
            let y = self.s(field, last, y)?;
            self.k(field, last, y)?
        } else {
            let y = self.k(field, (t, h), y)?;
            let y = self.s(field, (t, h), y)?;
            self.l(field, (t, h), y)?
        };
        self.kept.put(y, y1);
        Ok(())
    }
}
