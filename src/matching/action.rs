//! Action matching: a time-dependent potential from marginals alone.

use ndarray::{Array1, Array2};

use super::field::Matching;
use crate::nn::Network;
use crate::{Real, Result};

/// Workspace of one evaluation.
pub(super) struct ActionWork<F> {
    start: Array2<F>,
    end: Array2<F>,
    /// Potentials, cotangents of them, and slopes in `[x | t | condition]`.
    s: Array2<F>,
    sbar: Array2<F>,
    slope: Array2<F>,
}

impl<F: Real> ActionWork<F> {
    fn new(rows: usize, width: usize) -> Self {
        let zeros = |columns| Array2::zeros((rows, columns));
        ActionWork {
            start: zeros(width),
            end: zeros(width),
            s: zeros(1),
            sbar: zeros(1),
            slope: zeros(width),
        }
    }
}

impl<N: Network<F>, F: Real> Matching<'_, N, F> {
    /// Minus the gradient of `E s(x0, 0) - E s(x1, 1) + E[|∇s|²/2 + ∂s/∂t]`; returns the value.
    pub(super) fn act(&mut self, theta: &Array1<F>, dtheta: &mut Array1<F>) -> Result<F> {
        let Some(batch) = &self.draws.batch else { return Ok(F::nan()) };
        let (rows, width) = batch.input.dim();
        let d = self.draws.data.ncols();
        let tape = self.tape.get_or_insert_with(|| self.net.tape(rows));
        let work = self.action.get_or_insert_with(|| ActionWork::new(rows, width));
        let share = F::of(1.0 / rows as f64);
        batch.ends(self.draws.data, &mut work.start, &mut work.end);
        dtheta.fill(F::zero());
        let mut value = F::zero();
        for (x, sign) in [(&work.start, F::one()), (&work.end, -F::one())] {
            self.net.forward(theta, x, &mut work.s, tape)?;
            value += sign * share * work.s.sum();
            work.sbar.fill(-sign * share);
            self.net.vjp(theta, &work.sbar, Some(dtheta), None, tape)?;
        }
        self.net.forward(theta, &batch.input, &mut work.s, tape)?;
        work.sbar.fill(F::one());
        self.net.vjp(theta, &work.sbar, None, Some(&mut work.slope), tape)?;
        let half = F::of(0.5);
        for mut row in work.slope.rows_mut() {
            let square: F = row.iter().take(d).map(|&g| g * g).sum();
            value += share * (half * square + row[d]);
            // The derivative of the slope's term, with the field's sign, is along (∇s, 1, 0).
            row.iter_mut().take(d).for_each(|g| *g *= -share);
            row[d] = -share;
            row.iter_mut().skip(d + 1).for_each(|g| *g = F::zero());
        }
        self.net.vjp_of_jvp(theta, &work.sbar, &work.slope, Some(dtheta), None, tape)?;
        Ok(value)
    }
}
