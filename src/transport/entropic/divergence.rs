//! The Sinkhorn divergence.

use ndarray::{Array1, Array2};

use super::{Entropic, Sinkhorn};
use crate::pairs::SoftMin;
use crate::transport::PointCost;
use crate::{Error, Real, Result};

/// The debiased entropic cost `S = OT(a, b) - OT(a, a)/2 - OT(b, b)/2` between weighted clouds, for `|x - y|²`,
/// with KL(π | a ⊗ b) as the penalty: not negative, zero only for equal measures.
///
/// A value that is used again starts from its last potentials: along a flow of particles each call is cheap.
///
/// # References
/// Feydy et al., *Interpolating between optimal transport and MMD using Sinkhorn divergences*, AISTATS 2019.
///
/// ```
/// use flowfield::dataset::normal;
/// use flowfield::transport::{SinkhornDivergence, uniform};
/// let x = normal::<f64>((80, 2), 0);
/// let (w, y) = (uniform::<f64>(80), &x + 2.0);
/// let s = SinkhornDivergence::new(1.0).between(&x, &w, &y, &w)?;
/// // A translation by t costs |t|², whatever ε; its gradient is -2 t/n for every point.
/// assert!((s.value - 8.0).abs() < 1e-4 && (s.gradient[[0, 0]] + 4.0 / 80.0).abs() < 1e-6);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SinkhornDivergence {
    solver: Sinkhorn,
    eps: f64,
    last: Option<[Entropic; 3]>,
}

/// Value and gradient of a [`SinkhornDivergence`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Divergence<F> {
    /// S.
    pub value: f64,
    /// dS/dx, n × d: `2 a_i (T_xx(x_i) - T_xy(x_i))` with the barycentric maps T of the two plans, by the envelope
    /// theorem.
    pub gradient: Array2<F>,
    /// The largest residual of the three problems.
    pub residual: f64,
    /// Whether all three converged.
    pub converged: bool,
}

impl SinkhornDivergence {
    /// At temperature `eps`, in the units of |x - y|².
    pub fn new(eps: f64) -> Self {
        SinkhornDivergence { solver: Sinkhorn::new(eps), eps, last: None }
    }

    /// Tolerance of each of the three problems, see [`Sinkhorn::tol`].
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.solver = self.solver.tol(tol);
        self
    }

    /// Between `x` (n × d) with weights `a` and `y` (m × d) with weights `b`.
    ///
    /// # Errors
    /// Those of [`Sinkhorn::solve`] and of [`PointCost::new`].
    pub fn between<F: Real>(
        &mut self,
        x: &Array2<F>,
        a: &Array1<F>,
        y: &Array2<F>,
        b: &Array1<F>,
    ) -> Result<Divergence<F>> {
        let sides = [(x, a, y, b), (x, a, x, a), (y, b, y, b)];
        let mut answers = Vec::with_capacity(3);
        for (k, (p, wp, q, wq)) in sides.into_iter().enumerate() {
            let warm = self.last.as_ref().map(|last| &last[k]);
            let warm = warm.filter(|s| (s.f.len(), s.g.len()) == (p.nrows(), q.nrows()));
            let solver = self.solver.clone();
            let solver = if k > 0 { solver.symmetric() } else { solver };
            let solver = if let Some(s) = warm { solver.warm(s) } else { solver };
            answers.push(solver.solve(&PointCost::squared_euclidean(p, q)?, wp, wq)?);
        }
        let residual = answers.iter().map(|s| s.residual).fold(0.0, f64::max);
        let converged = answers.iter().all(|s| s.converged);
        let value = answers[0].value - 0.5 * (answers[1].value + answers[2].value);
        let to_y = entropic_map(x, y, b, &answers[0].g, self.eps)?;
        let to_x = entropic_map(x, x, a, &answers[1].g, self.eps)?;
        let mut gradient = to_x - to_y;
        for (mut row, &w) in gradient.rows_mut().into_iter().zip(a) {
            row.mapv_inplace(|g| F::of(2.0) * w * g);
        }
        self.last = answers.try_into().ok();
        Ok(Divergence { value, gradient, residual, converged })
    }
}

/// The entropic map `T(x) = Σ_j w_j y_j`, `w_j ∝ b_j exp((g_j - |x - y_j|²) / ε)`, at any points `x` (k × d): on the
/// sources of the problem that gave the potentials `g` it is the barycentric map of the plan, elsewhere it
/// extends that (Pooladian and Niles-Weed, arXiv 2109.12004).
///
/// # Errors
/// [`Error::Shape`], [`Error::Empty`], [`Error::NotFinite`], [`Error::Setting`].
///
/// ```
/// use flowfield::dataset::normal;
/// use flowfield::transport::{PointCost, Sinkhorn, entropic_map, uniform};
/// let x = normal::<f64>((200, 2), 0);
/// let (y, w) = (&x + 1.0, uniform::<f64>(200));
/// let s = Sinkhorn::new(0.1).solve(&PointCost::squared_euclidean(&x, &y)?, &w, &w)?;
/// let moved = entropic_map(&normal((10, 2), 1), &y, &w, &s.g, s.eps)?;
/// assert_eq!(moved.dim(), (10, 2));
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn entropic_map<F: Real>(
    x: &Array2<F>,
    y: &Array2<F>,
    b: &Array1<F>,
    g: &Array1<f64>,
    eps: f64,
) -> Result<Array2<F>> {
    Error::shape("the weights", &[y.nrows()], b.shape())?;
    Error::shape("the potentials", &[y.nrows()], g.shape())?;
    let h = Array1::from_shape_fn(g.len(), |j| F::of(g[j] / eps + b[j].f64().ln()));
    SoftMin::new(y, &h, eps)?.mean(x)
}
