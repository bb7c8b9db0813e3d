//! Which starting point goes with which data point.

use std::fmt;

use ndarray::Array2;

use crate::rng::Rng;
use crate::state::check_rows;
use crate::transport::{Assignment, Cost, Entropic, PointCost, Sinkhorn, uniform};
use crate::{Error, Real, Result};

/// The joint law of a path's ends: the source x0 (t = 0) and the data x1 (t = 1).
///
/// [`Optimal`](Self::Optimal), [`Sinkhorn`](Self::Sinkhorn) and [`User`](Self::User) pair the rows of a pool, by default
/// the minibatch, anew for every pool. Where there are conditions, their distance is part of the cost
/// ([`condition_weight`](super::Matching::condition_weight)); a transport plan that ignores them makes the source
/// depend on the condition, which sampling then does not know of (*The curse of conditions*, arXiv 2503.10636).
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub enum Coupling<'a, F> {
    /// The source independent of the data.
    #[default]
    Independent,
    /// Row `i` of the data always with row `i` of this array: the pairs of a reflow, or any paired data.
    Paired(&'a Array2<F>),
    /// The cheapest one-to-one pairing of a pool in squared distance: a permutation, so that no row is lost or doubled
    /// (Pooladian et al., *Multisample flow matching*, 2023; Tong et al., TMLR 2024, section 3.2).
    Optimal,
    /// Entropic transport between the rows of a pool: each source row keeps its place once and draws its data row from
    /// its row of the plan.
    Sinkhorn {
        /// The temperature ε, in units of a squared distance.
        eps: f64,
    },
    /// Writes for each row of the sources (first argument) which row of the data (second) it goes with.
    User(&'a Pairing<'a, F>),
}

/// A user's coupling: `(sources, data, partner of each source)`. The partners are 0, 1, .. on entry.
pub type Pairing<'a, F> = dyn Fn(&Array2<F>, &Array2<F>, &mut [usize]) + 'a;

/// Most L1 error of the marginals, and most passes over the pairs, of a minibatch's entropic plan.
const TOL: f64 = 1e-3;
const PASSES: usize = 2000;

impl<F: Real> Coupling<'_, F> {
    /// Whether the rows of a pool are to be paired.
    pub(super) fn pairs_pools(&self) -> bool {
        !matches!(self, Coupling::Independent | Coupling::Paired(_))
    }

    /// Writes the partner of each source among the data of a pool. Costs are those of the given points, which may
    /// have their conditions appended; a user sees the bare ones.
    pub(super) fn pair(
        &self,
        bare: (&Array2<F>, &Array2<F>),
        priced: Option<&(Array2<f64>, Array2<f64>)>,
        rng: &mut Rng,
        partner: &mut [usize],
    ) -> Result<()> {
        let cost = || match priced {
            Some((x, y)) => PointCost::squared_euclidean(x, y),
            None => PointCost::squared_euclidean(bare.0, bare.1),
        };
        match self {
            Coupling::Independent | Coupling::Paired(_) => Ok(()),
            Coupling::Optimal => {
                partner.copy_from_slice(Assignment::new().permutation(&cost()?)?);
                Ok(())
            }
            Coupling::Sinkhorn { eps } => draw_from_plan(&cost()?, *eps, rng, partner),
            Coupling::User(pairing) => {
                pairing(bare.0, bare.1, partner);
                let rows = bare.1.nrows();
                let worst = partner.iter().copied().max().unwrap_or(0);
                let need = "a coupling must name rows of the data that it was given";
                Error::setting(worst < rows, "a partner", worst as f64, need)
            }
        }
    }

    /// Checks the coupling against data of this shape.
    pub(super) fn check(&self, rows: usize, columns: usize) -> Result<()> {
        match self {
            Coupling::Paired(x0) => {
                Error::shape("the paired source", &[rows, columns], x0.shape())?;
                check_rows("the paired source", x0)
            }
            Coupling::Sinkhorn { eps } => {
                let need = "it must be positive and finite; Coupling::Optimal is the limit 0";
                Error::setting(*eps > 0.0 && eps.is_finite(), "the coupling's eps", *eps, need)
            }
            _ => Ok(()),
        }
    }
}

/// Draws each source's partner from its row of the entropic plan.
fn draw_from_plan(cost: &PointCost, eps: f64, rng: &mut Rng, partner: &mut [usize]) -> Result<()> {
    let weights = uniform::<f64>(partner.len());
    let Entropic { f, g, .. } =
        Sinkhorn::new(eps).tol(TOL).max_passes(PASSES).solve(cost, &weights, &weights)?;
    let mut scratch = vec![0.0; partner.len()];
    let mut share = vec![0.0; partner.len()];
    for (i, partner) in partner.iter_mut().enumerate() {
        let row = cost.row(i, &mut scratch);
        let mut sum = 0.0;
        for ((share, c), g) in share.iter_mut().zip(row).zip(&g) {
            sum += ((f[i] + g - c) / eps).exp();
            *share = sum;
        }
        let at = rng.uniform::<f64>() * sum;
        *partner = share.partition_point(|&s| s <= at).min(share.len() - 1);
    }
    Ok(())
}

impl<F> fmt::Debug for Coupling<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Coupling::Independent => f.write_str("Independent"),
            Coupling::Paired(x0) => write!(f, "Paired({:?})", x0.shape()),
            Coupling::Optimal => f.write_str("Optimal"),
            Coupling::Sinkhorn { eps } => write!(f, "Sinkhorn {{ eps: {eps} }}"),
            Coupling::User(_) => f.write_str("User(..)"),
        }
    }
}
