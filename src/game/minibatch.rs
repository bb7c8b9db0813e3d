//! The rows of one step: real, noise, generated, and those in between.

use ndarray::Array2;

use super::penalty::PenaltyPoints;
use crate::Real;
use crate::rng::Rng;

/// Rows drawn before a step and kept between its stages; a generated row and its noise are those of the same index.
#[derive(Debug)]
pub(super) struct Minibatch<F> {
    pub noise: Array2<F>,
    pub real: Array2<F>,
    pub fake: Array2<F>,
    /// Where the slope is looked at.
    pub points: Array2<F>,
    /// Mixing weights of the interpolation points.
    mix: Vec<F>,
}

impl<F: Real> Minibatch<F> {
    pub fn new(batch: usize, noise: usize, d: usize) -> Self {
        let rows = |d| Array2::zeros((batch, d));
        let mix = vec![F::zero(); batch];
        Minibatch { noise: rows(noise), real: rows(d), fake: rows(d), points: rows(d), mix }
    }

    /// Draws everything that does not depend on parameters.
    pub fn draw(&mut self, data: &Array2<F>, mut rng: Rng) {
        for mut row in self.real.rows_mut() {
            row.assign(&data.row(rng.below(data.nrows())));
        }
        self.noise.iter_mut().for_each(|z| *z = rng.normal());
        self.mix.iter_mut().for_each(|u| *u = rng.uniform());
    }

    /// Writes the rows at which the slope is looked at.
    pub fn place(&mut self, at: PenaltyPoints) {
        match at {
            PenaltyPoints::Real => self.points.assign(&self.real),
            PenaltyPoints::Fake => self.points.assign(&self.fake),
            PenaltyPoints::Interpolates => {
                let rows = self.points.rows_mut().into_iter().zip(self.real.rows()).zip(self.fake.rows());
                for (((mut p, real), fake), &u) in rows.zip(&self.mix) {
                    p.iter_mut().zip(real.iter().zip(fake)).for_each(|(p, (&r, &f))| *p = f + u * (r - f));
                }
            }
        }
    }
}
