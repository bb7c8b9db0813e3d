//! Mirror descent: explicit Euler in dual coordinates.

use super::Integrator;
use crate::state::check_layout;
use crate::{Error, Real, Result, State, VectorField};

/// A convex potential φ, whose gradient maps points (primal) to dual coordinates and whose Hessian is a metric.
///
/// Products over coordinates, except for [`Simplex`](Self::Simplex) and [`PNorm`](Self::PNorm), which take each row of the
/// state (its last axis) as one point.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Geometry {
    /// φ = ½ Σ x²: no mirror at all.
    Euclidean,
    /// φ = Σ x log x - x on x > 0: exponentiated gradient, `x' = x ∘ f`.
    Entropy,
    /// The same on x > 0, Σ x = 1: replicator dynamics, `x_i' = x_i (f_i - Σ_j x_j f_j)`.
    Simplex,
    /// φ = -Σ log x on x > 0, `x' = x² ∘ f`.
    LogBarrier,
    /// φ = ½ |x|_p², p > 1.
    PNorm(f64),
    /// φ = Σ x asinh(x/β) - √(x² + β²), `x' = √(x² + β²) ∘ f`: between the Euclidean (β large) and, with a
    /// sign, the entropic (β small); the geometry of products of two parameters.
    Hypentropy(f64),
}

impl Geometry {
    /// Refuses settings out of range, and points outside the domain.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Weight`].
    pub fn check<S: State>(&self, x: &S) -> Result<()> {
        match *self {
            Geometry::PNorm(p) => {
                Error::setting(p > 1.0 && p.is_finite(), "p", p, "it must be above 1 and finite")?
            }
            Geometry::Hypentropy(b) => {
                Error::setting(b > 0.0 && b.is_finite(), "beta", b, "it must be positive and finite")?;
            }
            _ => {}
        }
        let positive = matches!(self, Geometry::Entropy | Geometry::Simplex | Geometry::LogBarrier);
        let zero_too = !matches!(self, Geometry::LogBarrier);
        let inside = |v: &S::Elem| *v > S::Elem::of(0.0) || (zero_too && *v == S::Elem::of(0.0));
        match x.as_slice().iter().position(|v| positive && !inside(v)) {
            Some(row) => Err(Error::Weight {
                what: "the points of a mirror flow",
                row,
                value: x.as_slice()[row].f64(),
            }),
            None => self.check_sums(x),
        }
    }

    fn check_sums<S: State>(&self, x: &S) -> Result<()> {
        if *self != Geometry::Simplex {
            return Ok(());
        }
        let row = row_len(x);
        for x in x.as_slice().chunks(row) {
            let sum: f64 = x.iter().map(|v| v.f64()).sum();
            let close = (sum - 1.0).abs() <= 1e3 * row as f64 * S::Elem::EPS.f64();
            Error::setting(
                close,
                "the sum over a row",
                sum,
                "it must be 1 on the simplex: divide by the sum",
            )?;
        }
        Ok(())
    }

    /// One mirror step of a point `x` along the covector `f`: `∇φ(y) = ∇φ(x) + h f`. Not a number where that leaves
    /// the domain.
    pub fn step<F: Real>(&self, x: &[F], f: &[F], h: F, y: &mut [F]) {
        let each = |y: &mut [F], map: &dyn Fn(F, F) -> F| {
            y.iter_mut().zip(x.iter().zip(f)).for_each(|(y, (&x, &f))| *y = map(x, h * f));
        };
        match *self {
            Geometry::Euclidean => each(y, &|x, s| x + s),
            Geometry::Entropy => each(y, &|x, s| x * s.exp()),
            Geometry::Simplex => {
                // A shift of f moves no point of the simplex: the largest exponent is brought to 0.
                let top = f.iter().fold(F::neg_infinity(), |m, &f| m.max(h * f));
                each(y, &|x, s| x * (s - top).exp());
                let sum: F = y.iter().copied().sum();
                y.iter_mut().for_each(|y| *y /= sum);
            }
            Geometry::LogBarrier => each(y, &|x, s| {
                let shrink = F::one() - x * s;
                if shrink > F::zero() { x / shrink } else { F::nan() }
            }),
            Geometry::Hypentropy(beta) => {
                let beta = F::of(beta);
                each(y, &|x, s| beta * ((x / beta).asinh() + s).sinh());
            }
            Geometry::PNorm(_) => {
                self.to_dual(x, y);
                y.iter_mut().zip(f).for_each(|(z, &f)| *z += h * f);
                self.undo_dual(y);
            }
        }
    }

    /// `z = ∇φ(x)`.
    pub fn to_dual<F: Real>(&self, x: &[F], z: &mut [F]) {
        z.copy_from_slice(x);
        match *self {
            Geometry::Euclidean => {}
            Geometry::Entropy | Geometry::Simplex => z.iter_mut().for_each(|z| *z = z.ln()),
            Geometry::LogBarrier => z.iter_mut().for_each(|z| *z = -z.recip()),
            Geometry::Hypentropy(beta) => z.iter_mut().for_each(|z| *z = (*z / F::of(beta)).asinh()),
            Geometry::PNorm(p) => power_map(z, p),
        }
    }

    /// `x = ∇φ*(z)`: back from dual coordinates.
    pub fn from_dual<F: Real>(&self, z: &[F], x: &mut [F]) {
        x.copy_from_slice(z);
        self.undo_dual(x);
    }

    fn undo_dual<F: Real>(&self, x: &mut [F]) {
        match *self {
            Geometry::Euclidean => {}
            Geometry::Entropy => x.iter_mut().for_each(|x| *x = x.exp()),
            Geometry::Simplex => {
                let top = x.iter().fold(F::neg_infinity(), |m, &x| m.max(x));
                x.iter_mut().for_each(|x| *x = (*x - top).exp());
                let sum: F = x.iter().copied().sum();
                x.iter_mut().for_each(|x| *x /= sum);
            }
            Geometry::LogBarrier => {
                x.iter_mut().for_each(|x| *x = if *x < F::zero() { -x.recip() } else { F::nan() });
            }
            Geometry::Hypentropy(beta) => x.iter_mut().for_each(|x| *x = F::of(beta) * x.sinh()),
            Geometry::PNorm(p) => power_map(x, p / (p - 1.0)),
        }
    }

    /// Turns a covector at `x` into the velocity of the mirror flow, `f ← [∇²φ(x)]⁻¹ f`.
    pub fn raise<F: Real>(&self, x: &[F], f: &mut [F]) {
        let pairs = f.iter_mut().zip(x);
        match *self {
            Geometry::Euclidean => {}
            Geometry::Entropy => pairs.for_each(|(f, &x)| *f *= x),
            Geometry::LogBarrier => pairs.for_each(|(f, &x)| *f *= x * x),
            Geometry::Hypentropy(b) => pairs.for_each(|(f, &x)| *f *= x.hypot(F::of(b))),
            Geometry::Simplex => {
                let mean = x.iter().zip(&*f).fold(F::zero(), |s, (&x, &f)| s + x * f);
                f.iter_mut().zip(x).for_each(|(f, &x)| *f = x * (*f - mean));
            }
            Geometry::PNorm(p) => raise_p(x, f, p),
        }
    }
}

/// `∇ ½|x|_p²`: `sign(x_i) |x_i|^{p-1} |x|_p^{2-p}`.
fn power_map<F: Real>(x: &mut [F], p: f64) {
    let top = x.iter().fold(F::zero(), |m, x| m.max(x.abs()));
    if top <= F::zero() {
        return;
    }
    // Relative to the largest, so that no power leaves the range of numbers.
    let p = F::of(p);
    let norm = x.iter().map(|x| (x.abs() / top).powf(p)).sum::<F>().powf(p.recip());
    let scale = top * norm.powf(F::of(2.0) - p);
    x.iter_mut().for_each(|x| *x = (x.abs() / top).powf(p - F::one()).copysign(*x) * scale);
}

/// The inverse Hessian of `½|x|_p²`, which is the Hessian of `½|z|_q²` at z = ∇φ(x), by Euler's relation in closed form:
/// `H*f = (q-1) |z_i|^{q-2} |z|^{2-q} f_i + (2-q) |z|^{-2} x_i ⟨x, f⟩`.
fn raise_p<F: Real>(x: &[F], f: &mut [F], p: f64) {
    let p_ = F::of(p);
    let top = x.iter().fold(F::zero(), |m, x| m.max(x.abs()));
    if top <= F::zero() {
        return;
    }
    let q = F::of(p / (p - 1.0));
    let norm = top * x.iter().map(|x| (x.abs() / top).powf(p_)).sum::<F>().powf(p_.recip());
    let along = x.iter().zip(&*f).fold(F::zero(), |s, (&x, &f)| s + x * f) / (norm * norm);
    // |z_i| = |x_i|^{p-1} N^{2-p} and |z|_q = |x|_p = N give |z_i|^{q-2} N^{2-q} = (|x_i|/N)^{2-p}.
    for (f, &x) in f.iter_mut().zip(x) {
        let own = (x.abs() / norm).powf(F::of(2.0) - p_);
        *f = (q - F::one()) * own * *f + (F::of(2.0) - q) * along * x;
    }
}

/// Length of the state's last axis.
fn row_len<S: State>(x: &S) -> usize {
    x.shape().last().copied().unwrap_or(1).max(1)
}

/// Mirror descent along a field `f` of covectors, minus a loss's gradient for instance: explicit Euler in the dual
/// coordinates of a [`Geometry`],
///
/// ```text
/// ∇φ(y₁) = ∇φ(y₀) + h f(y₀)
/// ```
///
/// an integrator of first order for the mirror flow `y' = [∇²φ(y)]⁻¹ f(y)`, not for `y' = f(y)`; by [`Flow::steps`](crate::Flow::steps).
/// Positivity and the simplex are kept to round-off by construction. Nemirovsky and Yudin 1983; Beck and
/// Teboulle, Oper. Res. Lett. 31 (2003); exponentiated gradient: Kivinen and Warmuth, Inform. and Comput. 132 (1997).
///
/// ```
/// use flowfield::{Flow, field, integrate::{Geometry, Mirror}};
/// // Least cost over probabilities: everything moves to the second choice.
/// let cost = field(|_t, _x: &[f64; 3], f| *f = [-3.0, -1.0, -2.0]);
/// let mut x = [1.0 / 3.0; 3];
/// Flow::new(cost, Mirror::new(Geometry::Simplex)).steps(100, 0.1, &mut x)?;
/// // For a linear cost the step is exact whatever its size: x_i ∝ x_i(0) exp(-c_i t).
/// assert!((x[2] / x[1] - (-10.0_f64).exp()).abs() < 1e-15 && (x.iter().sum::<f64>() - 1.0).abs() < 1e-15);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mirror<S> {
    geometry: Geometry,
    slope: Option<S>,
}

impl<S: State> Mirror<S> {
    /// Mirror descent in this geometry.
    pub fn new(geometry: Geometry) -> Self {
        Mirror { geometry, slope: None }
    }
}

impl<S: State> Integrator<S> for Mirror<S> {
    fn name(&self) -> &'static str {
        match self.geometry {
            Geometry::Entropy | Geometry::Simplex => "exponentiated gradient",
            _ => "mirror descent",
        }
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        self.geometry.check(y0)?;
        self.slope = Some(y0.clone());
        Ok(())
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.slope.is_none() {
            self.init(y0)?;
        }
        let Some(slope) = &mut self.slope else { return Ok(()) };
        field.eval(t, y0, slope);
        let row = row_len(y0);
        let pairs = y0.as_slice().chunks(row).zip(slope.as_slice().chunks(row));
        for ((x, f), y) in pairs.zip(y1.as_mut_slice().chunks_mut(row)) {
            self.geometry.step(x, f, h, y);
        }
        Ok(())
    }
}

/// A field of covectors as the mirror flow `y' = [∇²φ(y)]⁻¹ f(t, y)`, for any integrator: the gradient flow in the metric
/// ∇²φ where `f` is minus a gradient.
#[derive(Debug, Clone)]
pub struct Mirrored<V> {
    field: V,
    geometry: Geometry,
}

impl<V> Mirrored<V> {
    /// `field` seen in this geometry.
    pub fn new(field: V, geometry: Geometry) -> Self {
        Mirrored { field, geometry }
    }
}

impl<S: State, V: VectorField<S>> VectorField<S> for Mirrored<V> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.field.eval(t, y, dy);
        let row = row_len(y);
        for (x, f) in y.as_slice().chunks(row).zip(dy.as_mut_slice().chunks_mut(row)) {
            self.geometry.raise(x, f);
        }
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn check(&self, y: &S) -> Result<()> {
        self.geometry.check(y)?;
        self.field.check(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Geometry; 6] = [
        Geometry::Euclidean,
        Geometry::Entropy,
        Geometry::Simplex,
        Geometry::LogBarrier,
        Geometry::PNorm(1.5),
        Geometry::Hypentropy(0.3),
    ];
    const X: [f64; 4] = [0.1, 0.4, 0.3, 0.2];
    const F: [f64; 4] = [0.7, -1.1, 0.4, 0.9];

    fn largest(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn a_step_is_a_sum_in_dual_coordinates_and_the_metric_is_its_slope() {
        for g in ALL.into_iter().chain([Geometry::PNorm(3.0), Geometry::PNorm(2.0)]) {
            let (mut z, mut back, mut y) = ([0.0; 4], [0.0; 4], [0.0; 4]);
            g.to_dual(&X, &mut z);
            g.from_dual(&z, &mut back);
            assert!(largest(&back, &X) < 1e-14, "{g:?}");
            let h = 1e-2;
            z.iter_mut().zip(F).for_each(|(z, f)| *z += h * f);
            g.from_dual(&z, &mut back);
            g.step(&X, &F, h, &mut y);
            assert!(largest(&y, &back) < 1e-14, "{g:?}");
            let (mut ahead, mut behind, mut v) = ([0.0; 4], [0.0; 4], F);
            g.step(&X, &F, 1e-6, &mut ahead);
            g.step(&X, &F, -1e-6, &mut behind);
            g.raise(&X, &mut v);
            let slope: Vec<f64> = ahead.iter().zip(behind).map(|(a, b)| (a - b) / 2e-6).collect();
            assert!(largest(&v, &slope) < 1e-8, "{g:?}: {v:?} {slope:?}");
        }
    }

    #[test]
    fn what_lies_outside_the_domain_is_refused() {
        assert!(Geometry::Entropy.check(&[1.0, -0.1]).is_err());
        assert!(Geometry::LogBarrier.check(&[1.0, 0.0]).is_err());
        assert!(Geometry::Simplex.check(&[0.5, 0.6]).is_err());
        assert!(Geometry::PNorm(1.0).check(&[0.5, 0.6]).is_err());
        assert!(Geometry::Hypentropy(0.0).check(&[0.5, 0.6]).is_err());
        assert!(Geometry::Euclidean.check(&[-0.5, 0.6]).is_ok());
        let mut y = [0.0_f64];
        Geometry::LogBarrier.step(&[1.0], &[2.0], 1.0, &mut y);
        assert!(y[0].is_nan());
    }
}
