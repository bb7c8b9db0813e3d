//! Tolerances of an estimate of lower order than the method.

use crate::Real;
use crate::integrate::Tolerance;

/// What the iteration and the estimate, of lower order than the method, are measured with.
#[derive(Debug, Clone)]
pub(super) struct Inner<F> {
    pub(super) tol: Tolerance<F>,
    /// Newton's iteration ends when its error is this part of the tolerance.
    pub(super) share: f64,
}

impl<F: Real> Inner<F> {
    /// rtol' = 0.209 rtol^0.72 and atol' in proportion, since the estimate behaves as h⁴ and the error of a step as h⁶.
    ///
    /// RADAU5 has 0.1 rtol^(2/3), which is the same at 1e-6 and within 6 % in step size from 1e-4 to 1e-8; the larger exponent
    /// lets errors follow the tolerance more closely.
    pub(super) fn new(tol: &Tolerance<F>) -> Self {
        let inner = tol.map(|rtol, atol| {
            let main = if rtol > 0.0 { rtol } else { atol };
            let scale = 0.209 * main.powf(0.72) / main;
            (rtol * scale, atol * scale)
        });
        let least = inner.least_relative().f64().max(1e-300);
        let share = (10.0 * F::EPS.f64() / least).max(least.sqrt().min(0.03));
        Inner { tol: inner, share: share.min(0.5) }
    }
}
