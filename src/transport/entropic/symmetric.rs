//! The entropic problem between a measure and itself.

use super::problem::Problem;
use super::store::Store;
use crate::Real;
use crate::transport::Cost;

/// Scalings may move by this in the logarithm before the kernel is built anew.
const DRIFT: f64 = 4.0;

/// Iterates `u ← √(u / (K a u))`, `f = g`, until the L1 error of the marginal is at most `tol`; returns the error.
///
/// In the logarithm this is the mean of the identity and Sinkhorn's map, whose derivative at the solution has
/// its eigenvalues in [-1, 0] for a positive definite kernel: the error at least halves in every pass.
pub(super) fn converge<T: Real, C: Cost + ?Sized>(p: &mut Problem<'_, C>, tol: f64, most: usize) -> f64 {
    loop {
        let mean: Vec<f64> = p.f.iter().zip(&p.g).map(|(f, g)| 0.5 * (f + g)).collect();
        (p.f, p.g) = (mean.clone(), mean);
        let store = Store::<T>::build(p);
        p.passes += 1;
        let mut u = vec![1.0; p.f.len()];
        let (mut error, mut drift) = (f64::INFINITY, 0.0);
        while error > tol && drift < DRIFT && p.passes < most {
            p.passes += 1;
            let x: Vec<f64> = p.a.iter().zip(&u).map(|(a, u)| a * u).collect();
            let (sums, _) = store.there_and_back(p, &x, |_, s| s);
            error = x.iter().zip(&sums).zip(p.a).map(|((x, s), a)| (x * s - a).abs()).sum();
            if error > tol {
                u.iter_mut().zip(&sums).for_each(|(u, s)| *u = (*u / s.max(1e-300)).sqrt());
                drift = u.iter().map(|u| u.ln().abs()).fold(0.0, f64::max);
            }
        }
        p.f.iter_mut().zip(&u).for_each(|(f, u)| *f += p.eps * u.ln());
        p.g.clone_from(&p.f);
        if error <= tol || p.passes >= most {
            return error;
        }
    }
}
