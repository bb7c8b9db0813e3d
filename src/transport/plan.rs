//! The answer of an exact solver.

use ndarray::{Array1, Array2};

use super::Cost;
use crate::{Error, Real, Result};

/// An exact transport plan: who sends how much to whom, with the proof that nothing is cheaper.
///
/// The potentials satisfy `f_i + g_j <= c_ij` (and `Σ a_i f_i = Σ b_j g_j`), so `Σ a_i f_i + Σ b_j g_j` bounds the cost of every plan from
/// below; its distance to `cost` is the certificate's gap.
///
/// ```
/// use flowfield::transport::{PointCost, exact, uniform};
/// use ndarray::array;
/// let (x, y) = (array![[0.0], [1.0]], array![[3.0], [2.0]]);
/// let plan = exact(&PointCost::squared_euclidean(&x, &y)?, &uniform::<f64>(2), &uniform(2))?;
/// assert_eq!(plan.cost, 4.0);
/// assert_eq!(plan.permutation(), Some(vec![1, 0]));
/// assert!(plan.certificate.gap <= 1e-12);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// Numbers of sources and targets.
    pub shape: (usize, usize),
    /// (source, target, mass), by source, then target; masses are positive.
    pub entries: Vec<(usize, usize, f64)>,
    /// `Σ mass · c`.
    pub cost: f64,
    /// Dual potentials `f` (sources) and `g` (targets).
    pub potentials: (Array1<f64>, Array1<f64>),
    /// How far from optimal and feasible this can be.
    pub certificate: Certificate,
}

/// What proves a [`Plan`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Certificate {
    /// `Σ a f + Σ b g` with feasible potentials: no plan costs less.
    pub lower_bound: f64,
    /// `cost - lower_bound`, relative to the sums of absolute values that the two are: `Σ mass |c|` and
    /// `Σ a |f| + Σ b |g|`, whichever is larger.
    pub gap: f64,
    /// L1 distance of the plan's two marginals from the weights.
    pub marginal_error: f64,
    /// Pivots of the network simplex, or rows scanned by the assignment solver.
    pub work: usize,
}

impl Plan {
    /// Finishes a plan from its entries and the potentials of the targets: `f_i = min_j c_ij - g_j`.
    pub(crate) fn certified<C: Cost + ?Sized>(
        cost: &C,
        (a, b): (&[f64], &[f64]),
        mut entries: Vec<(usize, usize, f64)>,
        mut f: Vec<f64>,
        mut g: Vec<f64>,
        work: usize,
    ) -> Plan {
        // Of the potentials, which a constant may be moved between, those of which each side pays half.
        let shift = 0.5 * (dot(b, &g) - dot(a, &f)) / a.iter().sum::<f64>();
        f.iter_mut().for_each(|f| *f += shift);
        g.iter_mut().for_each(|g| *g -= shift);
        entries.sort_unstable_by_key(|&(i, j, _)| (i, j));
        let value: f64 = entries.iter().map(|&(i, j, w)| w * cost.at(i, j)).sum();
        let paid = entries.iter().map(|&(i, j, w)| w * cost.at(i, j).abs()).sum::<f64>();
        let size = |w: &[f64], f: &[f64]| w.iter().zip(f).map(|(w, f)| w * f.abs()).sum::<f64>();
        let size = paid.max(size(a, &f) + size(b, &g)).max(f64::MIN_POSITIVE);
        let lower_bound = dot(a, &f) + dot(b, &g);
        let (mut rows, mut columns) = (a.to_vec(), b.to_vec());
        for &(i, j, w) in &entries {
            rows[i] -= w;
            columns[j] -= w;
        }
        let marginal_error = rows.iter().chain(&columns).map(|r| r.abs()).sum();
        let certificate =
            Certificate { lower_bound, gap: (value - lower_bound) / size, marginal_error, work };
        let potentials = (Array1::from(f), Array1::from(g));
        Plan { shape: (a.len(), b.len()), entries, cost: value, potentials, certificate }
    }

    /// The plan as an n × m matrix.
    pub fn matrix<F: Real>(&self) -> Array2<F> {
        let mut matrix = Array2::zeros(self.shape);
        for &(i, j, w) in &self.entries {
            matrix[[i, j]] = F::of(w);
        }
        matrix
    }

    /// The target of each source, where every source sends all it has to one target of its own.
    pub fn permutation(&self) -> Option<Vec<usize>> {
        let (n, m) = self.shape;
        let mut taken = vec![false; m];
        let one_each = n == m
            && self.entries.len() == n
            && self
                .entries
                .iter()
                .enumerate()
                .all(|(k, e)| e.0 == k && !std::mem::replace(&mut taken[e.1], true));
        one_each.then(|| self.entries.iter().map(|e| e.1).collect())
    }

    /// The barycentric map: row `i` is the mean of what source `i` is sent to (n × d); `targets` is m × d.
    /// A source without mass gets a row of zeros.
    ///
    /// # Errors
    /// [`Error::Shape`] where `targets` has not one row per target.
    pub fn barycentric_map<F: Real>(&self, targets: &Array2<F>) -> Result<Array2<F>> {
        Error::shape("the targets", &[self.shape.1, targets.ncols()], targets.shape())?;
        let mut map = Array2::zeros((self.shape.0, targets.ncols()));
        let mut mass = vec![0.0; self.shape.0];
        self.entries.iter().for_each(|&(i, _, w)| mass[i] += w);
        for &(i, j, w) in &self.entries {
            map.row_mut(i).scaled_add(F::of(w / mass[i]), &targets.row(j));
        }
        Ok(map)
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
