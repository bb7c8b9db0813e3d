//! A matrix plus outer sums.

use ndarray::{Array2, ArrayRef2};

use super::factors::check_rank;
use crate::{Error, Real, Result};

/// The factors of W = W₀ + A R + C B, with A n × r, B r × m and fixed 0-1 matrices R = [I_r … I_r], C = [I_r; …; I_r].
///
/// For r = 1 the increment is wᵢⱼ = aᵢ + bⱼ, and its gradients are row and column sums of G. Rank up to 2 r by as many
/// parameters as a product of rank r; r must divide both sides.
#[derive(Debug, Clone)]
pub struct AdditiveFactors<F> {
    /// A, n × r.
    pub a: Array2<F>,
    /// B, r × m.
    pub b: Array2<F>,
}

impl<F: Real> AdditiveFactors<F> {
    /// From A (n × r) and B (r × m).
    ///
    /// # Errors
    /// Ranks that differ, are 0, or do not divide n and m.
    pub fn new(a: Array2<F>, b: Array2<F>) -> Result<Self> {
        let (n, rank) = a.dim();
        Error::shape("B", &[rank, b.ncols()], b.shape())?;
        check_rank(rank, n, b.ncols())?;
        let divides = n.is_multiple_of(rank) && b.ncols().is_multiple_of(rank);
        Error::setting(divides, "the rank", rank as f64, "it must divide both sides of the matrix")?;
        Ok(AdditiveFactors { a, b })
    }

    /// A R + C B.
    pub fn sum(&self) -> Array2<F> {
        let rank = self.a.ncols();
        let shape = (self.a.nrows(), self.b.ncols());
        Array2::from_shape_fn(shape, |(i, j)| self.a[[i, j % rank]] + self.b[[i % rank, j]])
    }

    /// ∂L/∂A = G Rᵀ and ∂L/∂B = Cᵀ G, for G = ∂L/∂W (n × m): sums over every r-th column and row.
    ///
    /// # Errors
    /// A G of another shape.
    pub fn project_gradient(&self, g: &ArrayRef2<F>) -> Result<(Array2<F>, Array2<F>)> {
        let (n, m, rank) = (self.a.nrows(), self.b.ncols(), self.a.ncols());
        Error::shape("G", &[n, m], g.shape())?;
        let (mut ga, mut gb) = (Array2::zeros((n, rank)), Array2::zeros((rank, m)));
        for ((i, j), &g) in g.indexed_iter() {
            ga[[i, j % rank]] += g;
            gb[[i % rank, j]] += g;
        }
        Ok((ga, gb))
    }
}
