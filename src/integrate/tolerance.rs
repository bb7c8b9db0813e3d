//! How accurate is accurate enough: relative and absolute tolerances, one for all components or one for each.

use ndarray::{Array, Dimension};

use crate::{Error, Real, Result};

/// One number for all components, or one for each. Made from a number, an array, a slice or a `Vec`.
#[derive(Debug, Clone, PartialEq)]
pub enum PerComponent<F> {
    /// The same for every component.
    Same(F),
    /// One for each component, in row-major order of the state.
    Each(Vec<F>),
}

impl<F: Real> From<F> for PerComponent<F> {
    fn from(x: F) -> Self {
        PerComponent::Same(x)
    }
}
impl<F: Real> From<&[F]> for PerComponent<F> {
    fn from(x: &[F]) -> Self {
        PerComponent::Each(x.to_vec())
    }
}
impl<F: Real> From<Vec<F>> for PerComponent<F> {
    fn from(x: Vec<F>) -> Self {
        PerComponent::Each(x)
    }
}
impl<F: Real, const N: usize> From<[F; N]> for PerComponent<F> {
    fn from(x: [F; N]) -> Self {
        PerComponent::Each(x.to_vec())
    }
}
impl<F: Real, D: Dimension> From<Array<F, D>> for PerComponent<F> {
    fn from(x: Array<F, D>) -> Self {
        PerComponent::Each(x.iter().copied().collect())
    }
}

impl<F: Real> PerComponent<F> {
    #[inline(always)]
    fn at(&self, i: usize) -> F {
        match self {
            PerComponent::Same(x) => *x,
            PerComponent::Each(v) => v[i],
        }
    }

    fn values(&self) -> &[F] {
        match self {
            PerComponent::Same(x) => std::slice::from_ref(x),
            PerComponent::Each(v) => v,
        }
    }
}

/// Error weights `w = atol + rtol · max(|y₀|, |y₁|)` and the norm of an error in them,
/// `‖e‖ = √(mean (eᵢ / wᵢ)²)` (HNW II.4, equations 4.10 and 4.11). A step is good if `‖e‖ ≤ 1`.
#[derive(Debug, Clone)]
pub struct Tolerance<F> {
    /// Relative tolerance.
    pub rtol: PerComponent<F>,
    /// Absolute tolerance.
    pub atol: PerComponent<F>,
}

impl<F: Real> Default for Tolerance<F> {
    /// rtol 1e-6 and atol 1e-9 in `f64`; 1e-4 and 1e-6 in `f32`.
    fn default() -> Self {
        let double = F::EPS.f64() < 1e-10;
        let (r, a) = if double { (1e-6, 1e-9) } else { (1e-4, 1e-6) };
        Tolerance { rtol: F::of(r).into(), atol: F::of(a).into() }
    }
}

impl<F: Real> Tolerance<F> {
    /// Checks the settings against a state of `n` components.
    ///
    /// # Errors
    /// A negative or non-finite tolerance, both zero, a relative one below four times round-off (unless
    /// zero), or a list whose length is not `n`.
    pub fn check(&self, n: usize) -> Result<()> {
        for (what, tol) in [("rtol", &self.rtol), ("atol", &self.atol)] {
            if let PerComponent::Each(v) = tol {
                Error::shape(what, &[n], &[v.len()])?;
            }
            for &x in tol.values() {
                Error::setting(
                    x >= F::zero() && x.is_finite(),
                    what,
                    x.f64(),
                    "it must be 0 or positive, and finite",
                )?;
            }
        }
        let least = 4.0 * F::EPS.f64();
        for i in 0..n.min(self.rtol.values().len().max(self.atol.values().len())) {
            let (r, a) = (self.rtol.at(i).f64(), self.atol.at(i).f64());
            Error::setting(
                r > 0.0 || a > 0.0,
                "rtol and atol",
                0.0,
                "at least one of them must be positive",
            )?;
            if r > 0.0 && r < least {
                return Err(Error::ToleranceTooSmall { rtol: r, least });
            }
        }
        Ok(())
    }

    /// The error weight of component `i`.
    #[inline(always)]
    pub(crate) fn weight(&self, i: usize, y0: F, y1: F) -> F {
        // The tiny term keeps 0 / 0 out when atol = 0 = y.
        weight(self.atol.at(i) + F::min_positive_value(), self.rtol.at(i), y0, y1)
    }

    /// The norm of an error; NaN if anything in it is.
    #[inline(always)]
    pub fn norm(&self, y0: &[F], y1: &[F], error: &impl Components<F>) -> F {
        let (PerComponent::Same(r), PerComponent::Same(a)) = (&self.rtol, &self.atol) else {
            return self.norm_of_each(y0, y1, error);
        };
        let n = y0.len();
        let scaled = Scaled { error, rtol: *r, atol: *a + F::min_positive_value(), y0, y1: &y1[..n] };
        let whole = if n < 8 { 0 } else { n / 8 * 8 };
        let mut sum = F::zero();
        for i in whole..n {
            let x = scaled.at(i);
            sum += x * x;
        }
        if whole > 0 {
            sum += sum_in_lanes(whole, &scaled);
        }
        (sum * F::of(1.0 / n.max(1) as f64)).sqrt()
    }

    /// Another tolerance, component by component: `change` gets and gives (rtol, atol).
    pub(crate) fn map(&self, change: impl Fn(f64, f64) -> (f64, f64)) -> Self {
        let n = self.rtol.values().len().max(self.atol.values().len());
        let pair = |i: usize| change(self.rtol.at(i).f64(), self.atol.at(i).f64());
        if let (PerComponent::Same(_), PerComponent::Same(_)) = (&self.rtol, &self.atol) {
            let (r, a) = pair(0);
            return Tolerance { rtol: F::of(r).into(), atol: F::of(a).into() };
        }
        let (r, a): (Vec<F>, Vec<F>) = (0..n).map(pair).map(|(r, a)| (F::of(r), F::of(a))).unzip();
        Tolerance { rtol: r.into(), atol: a.into() }
    }

    /// The smallest relative tolerance.
    pub(crate) fn least_relative(&self) -> F {
        self.rtol.values().iter().fold(F::infinity(), |least, &r| least.min(r))
    }

    /// Writes the inverse error weights at `y`.
    #[inline(always)]
    pub(crate) fn invert(&self, y: &[F], out: &mut [F]) {
        if let (PerComponent::Same(r), PerComponent::Same(a)) = (&self.rtol, &self.atol) {
            let (r, a) = (*r, *a + F::min_positive_value());
            out.iter_mut().zip(y).for_each(|(o, &y)| *o = F::one() / (a + r * y.abs()));
        } else {
            out.iter_mut().zip(y).enumerate().for_each(|(i, (o, &y))| *o = self.weight(i, y, y).recip());
        }
    }

    /// The norm of an error in inverse weights that were written before.
    #[inline(always)]
    pub(crate) fn weighted(error: &[F], inverse: &[F]) -> F {
        let n = error.len();
        let scaled = Weighted { error, inverse: &inverse[..n] };
        let whole = if n < 8 { 0 } else { n / 8 * 8 };
        let mut sum = F::zero();
        for i in whole..n {
            let x = scaled.at(i);
            sum += x * x;
        }
        if whole > 0 {
            sum += sum_in_lanes(whole, &scaled);
        }
        (sum * F::of(1.0 / n.max(1) as f64)).sqrt()
    }

    #[inline(never)]
    fn norm_of_each(&self, y0: &[F], y1: &[F], error: &impl Components<F>) -> F {
        let scaled = (0..y0.len()).map(|i| error.at(i) / self.weight(i, y0[i], y1[i]));
        (scaled.map(|x| x * x).sum::<F>() / F::of(y0.len().max(1) as f64)).sqrt()
    }

    /// The component whose scaled error is largest, a NaN counting as largest of all.
    pub fn worst(&self, y0: &[F], y1: &[F], error: &impl Components<F>) -> usize {
        let mut worst = (0, F::zero());
        for i in 0..y0.len() {
            let e = (error.at(i) / self.weight(i, y0[i], y1[i])).abs();
            if !e.is_finite() {
                return i;
            }
            if e > worst.1 {
                worst = (i, e);
            }
        }
        worst.0
    }
}

/// A vector that is given component by component, so that it need not be stored before its norm is taken.
pub trait Components<F> {
    /// Component `i`.
    fn at(&self, i: usize) -> F;
}

impl<F: Real> Components<F> for &[F] {
    #[inline(always)]
    fn at(&self, i: usize) -> F {
        self[i]
    }
}

#[inline(always)]
fn weight<F: Real>(atol: F, rtol: F, y0: F, y1: F) -> F {
    let (a, b) = (y0.abs(), y1.abs());
    // Written so that a NaN in y1 reaches the weight.
    let larger = if a > b { a } else { b };
    atol + rtol * larger
}

/// An error in units of its weights.
struct Scaled<'a, F, E> {
    error: &'a E,
    rtol: F,
    atol: F,
    y0: &'a [F],
    y1: &'a [F],
}

impl<F: Real, E: Components<F>> Components<F> for Scaled<'_, F, E> {
    #[inline(always)]
    fn at(&self, i: usize) -> F {
        // The inverse weight apart from the error: it is ready before the error is.
        self.error.at(i) * (F::one() / weight(self.atol, self.rtol, self.y0[i], self.y1[i]))
    }
}

/// An error and its inverse weights.
struct Weighted<'a, F> {
    error: &'a [F],
    inverse: &'a [F],
}

impl<F: Real> Components<F> for Weighted<'_, F> {
    #[inline(always)]
    fn at(&self, i: usize) -> F {
        self.error[i] * self.inverse[i]
    }
}

/// Σ term(i)² for i < n, a multiple of eight, in eight partial sums so that the loop can run in vector registers.
#[inline(always)]
fn sum_in_lanes<F: Real>(n: usize, term: &impl Components<F>) -> F {
    let mut lanes = [F::zero(); 8];
    for start in (0..n).step_by(8) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            let x = term.at(start + lane);
            *sum += x * x;
        }
    }
    lanes.iter().fold(F::zero(), |s, &x| s + x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_is_the_root_mean_square_of_scaled_errors() {
        let y: Vec<f64> = (0..19).map(f64::from).collect();
        let tol = Tolerance { rtol: 0.1.into(), atol: 0.5.into() };
        let want = (y.iter().map(|v| (2.0 / (0.5 + 0.1 * v)).powi(2)).sum::<f64>() / 19.0).sqrt();
        assert!((tol.norm(&y, &y, &&[2.0; 19][..]) - want).abs() < 1e-14);
        let each = Tolerance { rtol: vec![0.1; 19].into(), atol: 0.5.into() };
        assert!((each.norm(&y, &y, &&[2.0; 19][..]) - want).abs() < 1e-14);
        let mut error = [0.1; 19];
        error[7] = 9.0;
        assert_eq!(tol.worst(&y, &y, &&error[..]), 7);
        error[3] = f64::NAN;
        assert!(tol.norm(&y, &y, &&error[..]).is_nan());
        assert_eq!(tol.worst(&y, &y, &&error[..]), 3);
        let zero = Tolerance { rtol: 1e-3.into(), atol: 0.0.into() };
        assert_eq!(zero.norm(&[0.0], &[0.0], &&[0.0][..]), 0.0);
    }

    #[test]
    fn bad_tolerances_are_refused() {
        let check = |r: f64, a: f64| Tolerance { rtol: r.into(), atol: a.into() }.check(2);
        assert!(check(1e-6, 0.0).is_ok() && check(0.0, 1e-3).is_ok());
        assert!(matches!(check(-1.0, 0.0), Err(Error::Setting { what: "rtol", .. })));
        assert!(matches!(check(1e-6, f64::NAN), Err(Error::Setting { what: "atol", .. })));
        assert!(matches!(check(0.0, 0.0), Err(Error::Setting { .. })));
        assert!(matches!(check(1e-16, 1.0), Err(Error::ToleranceTooSmall { .. })));
        let each = Tolerance { rtol: 1e-3.into(), atol: vec![1.0; 3].into() };
        assert!(matches!(each.check(2), Err(Error::Shape { what: "atol", .. })));
    }
}
