//! A matrix field seen through two bases.

use ndarray::Array2;

use super::LowRank;
use crate::integrate::Integrator;
use crate::{Error, Real, Result, State as _, VectorField};

/// The field M' = ± Lᵀ F(t, L M Rᵀ) R for the matrix field F; an absent basis is the identity.
struct Sandwich<'a, V: ?Sized, F> {
    field: &'a mut V,
    left: Option<&'a Array2<F>>,
    right: Option<&'a Array2<F>>,
    backward: bool,
    /// F(W), with W's shape.
    slope: Array2<F>,
}

impl<F: Real, V: VectorField<Array2<F>> + ?Sized> VectorField<Array2<F>> for Sandwich<'_, V, F> {
    fn eval(&mut self, t: F, m: &Array2<F>, dm: &mut Array2<F>) {
        let inner = self.left.map_or_else(|| m.clone(), |l| l.dot(m));
        let mut w = self.right.map_or_else(|| inner.clone(), |r| inner.dot(&r.t()));
        w.standardise();
        self.field.eval(t, &w, &mut self.slope);
        let inner = self.left.map_or_else(|| self.slope.clone(), |l| l.t().dot(&self.slope));
        let slope = self.right.map_or_else(|| inner.clone(), |r| inner.dot(r));
        *dm = if self.backward { -slope } else { slope };
        dm.standardise();
    }
}

/// One step of `inner` for M' = ± Lᵀ F(t, L M Rᵀ) R from `m`, over the time of `(t, h)`.
pub(super) fn substep<F: Real, V, I>(
    inner: &mut I,
    field: &mut V,
    (t, h): (F, F),
    (left, m, right): (Option<&Array2<F>>, &Array2<F>, Option<&Array2<F>>),
    backward: bool,
) -> Result<Array2<F>>
where
    V: VectorField<Array2<F>> + ?Sized,
    I: Integrator<Array2<F>>,
{
    let rows = left.map_or(m.nrows(), |l| l.nrows());
    let columns = right.map_or(m.ncols(), |r| r.nrows());
    let mut m = m.clone();
    m.standardise();
    let mut next = m.clone();
    inner.init(&m)?;
    let slope = Array2::zeros((rows, columns));
    inner.step(&mut Sandwich { field, left, right, backward, slope }, t, h, &m, &mut next)?;
    Ok(next)
}

/// The factors of the state between steps: kept as long as the state is what the last step made of it.
#[derive(Debug, Clone)]
pub(super) struct Kept<F> {
    factors: Option<(Array2<F>, LowRank<F>)>,
}

impl<F: Real> Kept<F> {
    pub(super) fn none() -> Self {
        Kept { factors: None }
    }

    /// The factors of y, of the given rank if they have to be found anew.
    pub(super) fn take(&mut self, y: &Array2<F>, rank: usize) -> Result<LowRank<F>> {
        match self.factors.take() {
            Some((state, factors)) if state == *y => Ok(factors),
            _ => LowRank::from_svd(y, rank),
        }
    }

    /// Keeps the factors and writes their product.
    pub(super) fn put(&mut self, factors: LowRank<F>, y: &mut Array2<F>) {
        *y = factors.to_dense();
        y.standardise();
        self.factors = Some((y.clone(), factors));
    }

    pub(super) fn rank(&self) -> Option<usize> {
        self.factors.as_ref().map(|(_, f)| f.rank())
    }
}

/// Refuses states that no integrator here can move.
pub(super) fn check_state<F: Real>(y: &Array2<F>, rank: usize) -> Result<()> {
    if y.is_empty() {
        return Err(Error::Empty { what: "the matrix" });
    }
    super::factors::check_rank(rank, y.nrows(), y.ncols())
}
