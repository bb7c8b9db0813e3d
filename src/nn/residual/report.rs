//! What happens along the depth.

use ndarray::{ArrayRef1, ArrayRef2};

use super::Residual;
use super::block::Pass;
use super::tape::ResidualTape;
use crate::nn::Network as _;
use crate::nn::kernel::{copy_rows, padded};
use crate::{Error, Real, Result};

/// Sizes along the depth, block by block, as root mean squares over rows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DepthReport {
    /// |hₗ|, for l = 1 … N.
    pub stream: Vec<f64>,
    /// |hₗ - hₗ₋₁| / |hₗ₋₁|.
    pub increment: Vec<f64>,
}

impl DepthReport {
    /// The sum of the relative increments: how many blocks' worth of turning the depth amounts to. Grows like log N where increments are
    /// aligned, like √N where they are independent (pre-norm at its start), like N with post-norm.
    pub fn effective_depth(&self) -> f64 {
        self.increment.iter().sum()
    }
}

impl Residual {
    /// Runs rows of x and reports on every block.
    ///
    /// # Errors
    /// An unusable architecture, shapes that do not fit.
    pub fn depth_report<F: Real>(&self, theta: &ArrayRef1<F>, x: &ArrayRef2<F>) -> Result<DepthReport> {
        self.verify()?;
        Error::shape("theta", &[self.n_params()], theta.shape())?;
        Error::shape("x", &[x.nrows(), self.inputs], x.shape())?;
        let layout = |shape: &[usize]| Error::Layout { shape: shape.to_vec() };
        let theta = theta.as_slice().ok_or_else(|| layout(theta.shape()))?;
        let from = x.as_slice().ok_or_else(|| layout(x.shape()))?;
        let mut tape = ResidualTape::new(self, x.nrows());
        tape.pack(self, theta);
        let (mut stream, mut increment) = (vec![0.0; self.depth], vec![[0.0; 2]; self.depth]);
        let per_block = tape.per_block();
        let ResidualTape { isa, weights, transposes, work, .. } = &mut tape;
        let pass = Pass { net: self, isa: *isa, theta, weights, transposes, tangent: None };
        for from in from.chunks(per_block * self.inputs) {
            let rows = from.len() / self.inputs;
            copy_rows(from, self.inputs, &mut work.x, padded(self.inputs), self.inputs);
            pass.affine(0, rows, &work.x, &mut work.r[0]);
            for l in 0..self.depth {
                let (before, after) = work.r.split_at_mut(1);
                pass.forward(l, rows, &before[0], (&mut work.z[0], &mut after[0]), &mut work.scratch);
                let old = work.scratch.h.to_vec();
                pass.enter(l + 1, &after[0], &mut work.scratch);
                let used = rows * padded(self.width);
                let new = &work.scratch.h[..used];
                stream[l] += new.iter().map(|v| v.f64().powi(2)).sum::<f64>();
                for (new, old) in new.iter().zip(&old) {
                    increment[l][0] += (new.f64() - old.f64()).powi(2);
                    increment[l][1] += old.f64().powi(2);
                }
                work.r.swap(0, 1);
            }
        }
        let rows = x.nrows().max(1) as f64;
        Ok(DepthReport {
            stream: stream.into_iter().map(|sum| (sum / rows).sqrt()).collect(),
            increment: increment.into_iter().map(|[moved, from]| (moved / from).sqrt()).collect(),
        })
    }

    /// Euclidean norm of each block's part of a gradient (or of any vector like theta).
    ///
    /// # Errors
    /// A vector of another length.
    pub fn block_norms<F: Real>(&self, gradient: &ArrayRef1<F>) -> Result<Vec<f64>> {
        Error::shape("the gradient", &[self.n_params()], gradient.shape())?;
        let norm = |l| self.block_range(l).map(|i| gradient[i].f64().powi(2)).sum::<f64>().sqrt();
        Ok((0..self.depth).map(norm).collect())
    }

    /// |y(theta + dtheta) - y(theta)| / |y(theta)| over rows of x: what an update does to the output.
    ///
    /// # Errors
    /// An unusable architecture, shapes that do not fit.
    pub fn update_magnitude<F: Real>(
        &self,
        theta: &ArrayRef1<F>,
        dtheta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
    ) -> Result<f64> {
        Error::shape("dtheta", theta.shape(), dtheta.shape())?;
        let mut tape = self.tape(x.nrows());
        let mut before = ndarray::Array2::zeros((x.nrows(), self.outputs));
        let mut after = before.clone();
        self.forward(theta, x, &mut before, &mut tape)?;
        self.forward(&(theta.to_owned() + dtheta), x, &mut after, &mut tape)?;
        let square = |a: F| a.f64().powi(2);
        let moved: f64 = after.iter().zip(&before).map(|(&a, &b)| square(a - b)).sum();
        Ok((moved / before.iter().copied().map(square).sum::<f64>()).sqrt())
    }
}
