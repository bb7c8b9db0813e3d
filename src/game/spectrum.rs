//! Eigenvalues of a field's Jacobian: why one integrator spirals out of a game where another spirals in.

use ndarray::Array1;
use num_complex::Complex64;

use crate::integrate::Integrator;
use crate::linalg::hessenberg_eigenvalues;
use crate::rng::Rng;
use crate::{Error, Flow, Real, Result, VectorField};

/// Eigenvalues of `∂f/∂theta` from a Krylov space of dimension `k`: those at the rim of the spectrum, largest modulus first. They are all
/// of them where `k` reaches the dimension.
///
/// Arnoldi's iteration on products of the Jacobian with vectors by central differences of the field, which must not draw
/// anew between evaluations (a [`Gan`](super::Gan) does so between steps only). In `f32` expect three digits.
///
/// A rotating game shows imaginary parts without negative real parts; penalties and regularisers move them to the left
/// (Mescheder, Nowozin, Geiger, *The numerics of GANs*, NeurIPS 2017, section 3).
///
/// ```
/// use flowfield::{field, game::{amplification, spectrum}, integrate::{Euler, Rk4}};
/// use ndarray::{Array1, array};
/// let mut bilinear = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| { dy[0] = -y[1]; dy[1] = y[0]; });
/// let eigenvalues = spectrum(&mut bilinear, &array![0.3, 0.4], 2, 0)?;
/// assert!((eigenvalues[0].im.abs() - 1.0).abs() < 1e-6 && eigenvalues[0].re.abs() < 1e-6);
/// assert!(amplification(Euler::new(), 0.5 * eigenvalues[0])? > 1.0);
/// assert!(amplification(Rk4::new(), 0.5 * eigenvalues[0])? < 1.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
///
/// # Errors
/// A field that refuses `theta`; one that is not finite there; an iteration that does not converge.
pub fn spectrum<F: Real, V: VectorField<Array1<F>> + ?Sized>(
    field: &mut V,
    theta: &Array1<F>,
    k: usize,
    seed: u64,
) -> Result<Vec<Complex64>> {
    if theta.is_empty() || k == 0 {
        return Err(Error::Empty { what: "the Krylov space" });
    }
    field.check(theta)?;
    let h = arnoldi(field, theta, k.min(theta.len()), seed)?;
    let mut eigenvalues = hessenberg_eigenvalues(&h).ok_or(Error::NotConverged {
        what: "the QR iteration of a spectrum",
        iterations: 60,
        residual: f64::NAN,
        tol: f64::EPSILON,
    })?;
    eigenvalues.sort_by(|a, b| b.norm().total_cmp(&a.norm()).then(b.im.total_cmp(&a.im)));
    Ok(eigenvalues)
}

/// The Jacobian on the Krylov space of a random vector, in an orthonormal basis: an upper Hessenberg matrix.
fn arnoldi<F: Real, V: VectorField<Array1<F>> + ?Sized>(
    field: &mut V,
    theta: &Array1<F>,
    k: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>> {
    let mut rng = Rng::new(seed, 0);
    let start: Array1<f64> = Array1::from_shape_simple_fn(theta.len(), || rng.normal());
    let mut basis = vec![&start / start.dot(&start).sqrt()];
    let mut h = vec![vec![0.0; k]; k];
    for j in 0..k {
        let mut w = jacobian_times(field, theta, &basis[j])?;
        let size = w.dot(&w).sqrt();
        // Twice: once leaves the basis skew by round-off.
        for _ in 0..2 {
            for (i, q) in basis.iter().enumerate() {
                let along = q.dot(&w);
                h[i][j] += along;
                w.scaled_add(-along, q);
            }
        }
        let norm = w.dot(&w).sqrt();
        if j + 1 < k {
            if norm <= 1e-12 * size {
                // The space is invariant: its eigenvalues are exact, and there are no others to be had from it.
                h.truncate(j + 1);
                h.iter_mut().for_each(|row| row.truncate(j + 1));
                break;
            }
            h[j + 1][j] = norm;
            basis.push(w / norm);
        }
    }
    Ok(h)
}

/// J q by central differences.
fn jacobian_times<F: Real, V: VectorField<Array1<F>> + ?Sized>(
    field: &mut V,
    theta: &Array1<F>,
    q: &Array1<f64>,
) -> Result<Array1<f64>> {
    let size = theta.iter().fold(0.0_f64, |m, t| m.max(t.f64().abs()));
    let most = q.iter().fold(0.0_f64, |m, q| m.max(q.abs()));
    // The cube root of round-off balances it against the third derivative.
    let eps = F::EPS.f64().cbrt() * size.max(1.0) / most;
    let mut slopes = [theta.clone(), theta.clone()];
    for (slope, side) in slopes.iter_mut().zip([eps, -eps]) {
        let moved = Array1::from_shape_fn(theta.len(), |i| theta[i] + F::of(side * q[i]));
        field.eval(F::zero(), &moved, slope);
    }
    let [up, down] = slopes;
    let w = Array1::from_shape_fn(theta.len(), |i| (up[i] - down[i]).f64() / (2.0 * eps));
    match w.iter().position(|v| !v.is_finite()) {
        None => Ok(w),
        Some(component) => Err(Error::FieldNotFinite { t: 0.0, h: eps, component }),
    }
}

/// By how much one step of an integrator multiplies the component along an eigenvector of eigenvalue `λ`, `z = h λ`: the modulus `|R(z)|` of its
/// stability function, found by letting it step `y′ = z y`.
///
/// # Errors
/// The integrator's own.
pub fn amplification<I: Integrator<[f64; 2]>>(integrator: I, z: Complex64) -> Result<f64> {
    let linear = crate::field(move |_t, y: &[f64; 2], dy: &mut [f64; 2]| {
        *dy = [z.re * y[0] - z.im * y[1], z.im * y[0] + z.re * y[1]];
    });
    let mut y = [1.0, 0.0];
    Flow::new(linear, integrator).step(1.0, &mut y)?;
    Ok(y[0].hypot(y[1]))
}
