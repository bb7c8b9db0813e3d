//! The spectral radius of the Jacobian, by power iteration on differences of the field.

use num_traits::Float as _;

use crate::{Real, State, VectorField};

/// Estimates the spectral radius of `∂f/∂y` and remembers the eigenvector for the next time.
///
/// ```text
/// z ← y + δ (f(t, z) − f(t, y)) / ‖f(t, z) − f(t, y)‖        ρ ≈ ‖f(t, z) − f(t, y)‖ / δ,   δ = √eps ‖y‖
/// ```
///
/// Reference: Sommeijer, Shampine, Verwer, *RKC: an explicit solver for parabolic PDEs*, J. Comput. Appl. Math. 88 (1998)
/// 315–326, section 2.3.
#[derive(Debug, Clone)]
pub(super) struct SpectralRadius<S> {
    z: S,
    fz: S,
    /// A direction to start from is known.
    warm: bool,
}

/// The estimate is a lower bound; what it is multiplied by.
const SAFETY: f64 = 1.2;
const MOST_ITERATIONS: usize = 50;

impl<S: State> SpectralRadius<S> {
    pub(super) fn new(y: &S) -> Self {
        SpectralRadius { z: y.clone(), fz: y.clone(), warm: false }
    }

    /// Forgets the direction.
    pub(super) fn restart(&mut self) {
        self.warm = false;
    }

    /// The estimate at `(t, y)`, where `f0 = f(t, y)`; a safe factor is included.
    pub(super) fn estimate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        (y, f0): (&S, &S),
    ) -> S::Elem {
        let of = S::Elem::of;
        let zero = of(0.0);
        if !self.warm {
            self.z.as_mut_slice().copy_from_slice(f0.as_slice());
        }
        let size = norm(y.as_slice());
        let delta = S::Elem::EPS.sqrt() * if size > zero { size } else { of(1.0) };
        let direction = norm(self.z.as_slice());
        if direction > zero && direction.is_finite() {
            self.place(y, delta / direction);
        } else {
            self.disturb(y, delta, 0);
        }
        let mut radius = zero;
        for i in 0..MOST_ITERATIONS {
            field.eval(t, &self.z, &mut self.fz);
            let difference = self.fz.as_slice().iter().zip(f0.as_slice());
            self.z.as_mut_slice().iter_mut().zip(difference).for_each(|(z, (&a, &b))| *z = a - b);
            let length = norm(self.z.as_slice());
            let before = std::mem::replace(&mut radius, length / delta);
            let settled = (radius - before).abs() < of(0.01) * radius;
            if !radius.is_finite() || (i >= 1 && settled) {
                break;
            }
            if length > zero { self.place(y, delta / length) } else { self.disturb(y, delta, i + 1) }
        }
        // z holds the last difference of the field: the direction to start from next time.
        self.warm = radius.is_finite() && radius > zero;
        radius * of(SAFETY)
    }

    /// `z ← y + factor z`.
    fn place(&mut self, y: &S, factor: S::Elem) {
        self.z.as_mut_slice().iter_mut().zip(y.as_slice()).for_each(|(z, &y)| *z = y + factor * *z);
    }

    /// `z ← y`, one component of it moved by `delta`: for want of a better direction.
    fn disturb(&mut self, y: &S, delta: S::Elem, i: usize) {
        self.z.as_mut_slice().copy_from_slice(y.as_slice());
        let z = self.z.as_mut_slice();
        let i = i % z.len().max(1);
        if let Some(z) = z.get_mut(i) {
            *z += delta;
        }
    }
}

fn norm<F: Real>(x: &[F]) -> F {
    x.iter().fold(F::zero(), |s, &x| s + x * x).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_largest_eigenvalue_and_is_quick_the_second_time() {
        let n = 50;
        let mut evals = 0;
        let mut heat = |_t: f64, y: &ndarray::Array1<f64>, dy: &mut ndarray::Array1<f64>| {
            evals += 1;
            for i in 0..n {
                let at = |j: usize| y.get(j).copied().unwrap_or(0.0);
                dy[i] = at(i.wrapping_sub(1)) - 2.0 * y[i] + at(i + 1);
            }
        };
        let y = ndarray::Array1::from_shape_fn(n, |i| ((i * i) as f64).sin());
        let mut f0 = y.clone();
        heat(0.0, &y, &mut f0);
        let mut radius = SpectralRadius::new(&y);
        let rho = radius.estimate(&mut heat, 0.0, (&y, &f0));
        assert!(rho > 4.0 && rho < 5.0, "{rho}");
        let again = radius.estimate(&mut heat, 0.0, (&y, &f0));
        assert!(again >= rho * 0.999 && again < 5.0, "{again}");
        assert!(evals < 30, "{evals}");
    }

    #[test]
    fn a_constant_field_has_radius_zero() {
        let mut constant = |_t: f64, _y: &[f64; 3], dy: &mut [f64; 3]| *dy = [1.0, 2.0, 3.0];
        let y = [0.0; 3];
        let rho = SpectralRadius::new(&y).estimate(&mut constant, 0.0, (&y, &[1.0, 2.0, 3.0]));
        assert_eq!(rho, 0.0);
    }
}
