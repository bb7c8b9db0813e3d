//! The spectral radius of the Jacobian, by power iteration on differences of the field.

use num_traits::Float as _;

use crate::{Error, Real, Result, State, VectorField};

type Bound<S> = Box<dyn FnMut(<S as State>::Elem, &S) -> <S as State>::Elem + Send>;

/// What a stabilised method knows of the spectral radius, and for how long it has known it.
pub(crate) struct Radius<S: State> {
    /// The last value.
    pub(super) value: S::Elem,
    bound: Option<Bound<S>>,
    power: Option<Power<S>>,
    /// Steps for which the estimate has served; none: it must be made.
    served: Option<u32>,
    /// A step has been tried since the last one that stands.
    tried: bool,
}

/// After how many steps the radius is estimated anew.
const SERVES: u32 = 25;

impl<S: State> Radius<S> {
    pub(crate) fn new() -> Self {
        Radius { value: S::Elem::of(0.0), bound: None, power: None, served: None, tried: false }
    }

    pub(super) fn bounded_by(&mut self, bound: impl FnMut(S::Elem, &S) -> S::Elem + Send + 'static) {
        self.bound = Some(Box::new(bound));
    }

    /// A run begins with states of the shape of `y0`.
    pub(crate) fn restart(&mut self, y0: &S) {
        match &mut self.power {
            Some(power) if power.z.same_shape(y0) => power.warm = false,
            power => *power = Some(Power::new(y0)),
        }
        (self.served, self.tried) = (None, false);
    }

    /// Brings the value up to date for a step from `(t, y)`, where `f0 = f(t, y)`.
    pub(crate) fn update<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        (y, f0): (&S, &S),
    ) -> Result<S::Elem> {
        // After a rejection the Jacobian may have changed since its radius was estimated.
        let stale = self.served.is_none_or(|n| n >= SERVES || (n > 0 && self.tried));
        self.tried = true;
        if let Some(bound) = &mut self.bound {
            self.value = bound(t, y);
            let rho = self.value.f64();
            Error::setting(rho >= 0.0, "spectral_radius", rho, "it must be 0 or positive, and not NaN")?;
        } else if let (true, Some(power)) = (stale, &mut self.power) {
            self.value = power.estimate(field, t, (y, f0));
            self.served = Some(0);
        }
        Ok(self.value)
    }

    /// The step stands.
    pub(super) fn accept(&mut self, smooth: bool) {
        self.tried = false;
        self.served = self.served.filter(|_| smooth).map(|n| n + 1);
    }
}

/// The rate of the fastest mode at `(t, y)`: the spectral radius of `∂f/∂y`.
pub(crate) fn fastest_rate<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    t: S::Elem,
    y: &S,
) -> S::Elem {
    let mut slope = y.clone();
    field.eval(t, y, &mut slope);
    Power::new(y).estimate(field, t, (y, &slope)) / S::Elem::of(SAFETY)
}

/// Estimates the spectral radius of `∂f/∂y` and remembers the eigenvector for the next time.
///
/// ```text
/// z ← y + δ (f(t, z) − f(t, y)) / ‖f(t, z) − f(t, y)‖        ρ ≈ ‖f(t, z) − f(t, y)‖ / δ,   δ = √eps ‖y‖
/// ```
///
/// Reference: Sommeijer, Shampine, Verwer, *RKC: an explicit solver for parabolic PDEs*, J. Comput. Appl. Math. 88 (1998)
/// 315–326, section 2.3.
#[derive(Debug, Clone)]
struct Power<S> {
    z: S,
    fz: S,
    /// A direction to start from is known.
    warm: bool,
}

/// The estimate is a lower bound; what it is multiplied by.
const SAFETY: f64 = 1.2;
const MOST_ITERATIONS: usize = 50;
/// From a direction without memory, two estimates may agree long before they are right.
const LEAST_ITERATIONS: usize = 4;

impl<S: State> Power<S> {
    fn new(y: &S) -> Self {
        Power { z: y.clone(), fz: y.clone(), warm: false }
    }

    /// The estimate at `(t, y)`, where `f0 = f(t, y)`; a safe factor is included.
    fn estimate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        (y, f0): (&S, &S),
    ) -> S::Elem {
        let of = S::Elem::of;
        let zero = of(0.0);
        let least = if self.warm { 1 } else { LEAST_ITERATIONS };
        if !self.warm {
            self.rough_direction(f0);
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
            if !radius.is_finite() || (i >= least && settled) {
                break;
            }
            if length > zero { self.place(y, delta / length) } else { self.disturb(y, delta, i + 1) }
        }
        // z holds the last difference of the field: the direction to start from next time.
        self.warm = radius.is_finite() && radius > zero;
        radius * of(SAFETY)
    }

    /// A direction to start from: the slope, and as much of every other eigenvector by scattered signs. A smooth slope
    /// alone may hold nothing of the fastest modes, and the iteration would settle on a slow one.
    fn rough_direction(&mut self, f0: &S) {
        let size = norm(f0.as_slice());
        let share = if size > S::Elem::of(0.0) { size } else { S::Elem::of(1.0) };
        let share = share / S::Elem::of((f0.as_slice().len().max(1) as f64).sqrt());
        for (i, (z, &f)) in self.z.as_mut_slice().iter_mut().zip(f0.as_slice()).enumerate() {
            let hash = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let sign = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 63;
            *z = if sign == 0 { f + share } else { f - share };
        }
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
        let mut radius = Power::new(&y);
        let rho = radius.estimate(&mut heat, 0.0, (&y, &f0));
        assert!(rho > 4.0 && rho < 5.0, "{rho}");
        let again = radius.estimate(&mut heat, 0.0, (&y, &f0));
        assert!(again >= rho * 0.999 && again < 5.0, "{again}");
        assert!(evals < 30, "{evals}");
    }

    #[test]
    fn a_smooth_slope_does_not_hide_the_fast_modes() {
        let n = 60;
        let mut heat = |_t: f64, y: &ndarray::Array1<f64>, dy: &mut ndarray::Array1<f64>| {
            for i in 0..n {
                let at = |j: usize| y.get(j).copied().unwrap_or(0.0);
                dy[i] = at(i.wrapping_sub(1)) - 2.0 * y[i] + at(i + 1);
            }
        };
        // An eigenvector of the slowest mode.
        let y = ndarray::Array1::from_shape_fn(n, |i| (std::f64::consts::PI * (i + 1) as f64 / 61.0).sin());
        let mut f0 = y.clone();
        heat(0.0, &y, &mut f0);
        let rho = Power::new(&y).estimate(&mut heat, 0.0, (&y, &f0));
        assert!(rho > 4.0 && rho < 5.0, "{rho}");
    }

    #[test]
    fn a_constant_field_has_radius_zero() {
        let mut constant = |_t: f64, _y: &[f64; 3], dy: &mut [f64; 3]| *dy = [1.0, 2.0, 3.0];
        let y = [0.0; 3];
        let rho = Power::new(&y).estimate(&mut constant, 0.0, (&y, &[1.0, 2.0, 3.0]));
        assert_eq!(rho, 0.0);
    }
}
