//! How far a training is from as good as can be.

use ndarray::{Array1, Array2};

use super::field::Matching;
use super::objective::Objective;
use crate::nn::Network;
use crate::{Error, Real, Result};

/// A loss beside what no network can go below.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Assessment {
    /// Mean square of the residuals, `E|v(x_t, t) - u|² / d`, over fresh draws.
    pub loss: f64,
    /// An estimate of its least value, the conditional variance `E|u - E[u | x_t]|² / d`.
    pub floor: f64,
}

/// The stream of draws of an assessment, apart from those of training.
const PROBE: u64 = 0x5eed_0f10;

impl<N: Network<F>, F: Real> Matching<'_, N, F> {
    /// Sets the loss at `theta` beside an estimate of its floor, from at least `rows` fresh draws: a loss well above it
    /// belongs to a training that is stuck or not finished, a loss near it to one that has converged.
    ///
    /// Many paths go through a point, each with its own velocity: their variance remains however good the network is.
    /// It is estimated by half the mean square difference of the residuals of nearest neighbours in `(x_t, t,
    /// condition)`: of two paths through nearly the same point, the network says the same, and what remains is variance
    /// (Rice, *Bandwidth choice for nonparametric regression*, Ann. Stat. 12, 1984). In many dimensions neighbours
    /// are far apart, and only errors that are alike over such distances are told from variance.
    ///
    /// # Errors
    /// What training would refuse, and fewer than 2 rows.
    ///
    /// ```
    /// use flowfield::{Flow, dataset::normal, integrate::Adam, matching::Matching, nn::{Mlp, Network}};
    /// // N(0, 1) to N(0, 1): the floor is π/2.
    /// let data = normal::<f64>((4_000, 1), 0);
    /// let net = Mlp::velocity(1, &[16]);
    /// let mut theta = net.init(0);
    /// let mut training = Flow::new(Matching::new(&net, &data, 128), Adam::default());
    /// training.steps(500, 5e-3, &mut theta)?;
    /// let now = training.field().assess(&theta, 2_000)?;
    /// assert!((now.floor - 1.571).abs() < 0.25 && (now.loss - now.floor).abs() < 0.2);
    /// # Ok::<(), flowfield::Error>(())
    /// ```
    pub fn assess(&self, theta: &Array1<F>, rows: usize) -> Result<Assessment> {
        self.check_all()?;
        Error::setting(rows >= 2, "the rows of an assessment", rows as f64, "it must be at least 2")?;
        Error::shape("theta", &[self.net.n_params()], theta.shape())?;
        if self.objective == Objective::Action {
            return Err(Error::Unsupported {
                what: "a floor",
                with: "action matching, whose loss never sees a velocity",
                instead: "assess a Matching of Potential::new(&net) by squares",
            });
        }
        let mut draws = self.draws.clone();
        (draws.seed, draws.step, draws.batch) = (draws.seed ^ PROBE, 0, None);
        let mut tape = self.net.tape(draws.rows);
        let (mut places, mut residuals) = (Vec::new(), Vec::new());
        while places.len() < rows {
            draws.draw()?;
            let Some(batch) = &draws.batch else { break };
            let mut v = Array2::zeros(batch.target.raw_dim());
            self.net.forward(theta, &batch.input, &mut v, &mut tape)?;
            places.extend(batch.input.rows().into_iter().map(numbers));
            residuals.extend((&v - &batch.target).rows().into_iter().map(numbers));
        }
        standardise(&mut places);
        let d = draws.data.ncols() as f64 * places.len() as f64;
        let loss = residuals.iter().flatten().map(|r| r * r).sum::<f64>() / d;
        let difference = |i: usize| square_distance(&residuals[i], &residuals[nearest(&places, i)]);
        let floor = 0.5 * (0..places.len()).map(difference).sum::<f64>() / d;
        Ok(Assessment { loss, floor })
    }
}

fn numbers<F: Real>(row: ndarray::ArrayView1<'_, F>) -> Vec<f64> {
    row.iter().map(|v| v.f64()).collect()
}

fn square_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn nearest(rows: &[Vec<f64>], i: usize) -> usize {
    let others = (0..rows.len()).filter(|&j| j != i);
    let distance = |j: usize| square_distance(&rows[i], &rows[j]);
    others.map(|j| (distance(j), j)).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(i, |(_, j)| j)
}

/// Brings every column to variance one (constant ones stay).
fn standardise(rows: &mut [Vec<f64>]) {
    let n = rows.len() as f64;
    for k in 0..rows.first().map_or(0, Vec::len) {
        let mean = rows.iter().map(|r| r[k]).sum::<f64>() / n;
        let std = (rows.iter().map(|r| (r[k] - mean).powi(2)).sum::<f64>() / n).sqrt();
        if std > 0.0 {
            rows.iter_mut().for_each(|r| r[k] /= std);
        }
    }
}
