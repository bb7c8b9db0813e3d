//! Implicit Euler without a Jacobian: the proximal point method.

use super::{Integrator, Polynomial};
use crate::state::check_layout;
use crate::{Error, Real, Result, State, VectorField};

/// Pairs of differences that the limited-memory method remembers.
const MEMORY: usize = 12;

/// The implicit Euler step `y₁ = y₀ + h f(y₁)` for fields that are minus a gradient, by limited-memory BFGS: no Jacobian
/// and no matrix, so that it moves states of any size.
///
/// For `f = -∇E` it is the proximal point method `y₁ = argmin E(y) + |y - y₀|² / (2h)`: the energy never rises, whatever h,
/// as long as the minimum is found, and `E(y₁) + |y₁ - y₀|²/(2h) <= E(y₀)`. On a cloud of particles it is the
/// Jordan–Kinderlehrer–Otto step with the pairing frozen to "every particle stays itself", right for small h
/// ([`ParticleJko`](crate::measure::ParticleJko) looks for the pairing). For general stiff fields take an implicit method with a Jacobian. A field that knows its own metric and solver
/// ([`VectorField::proximal`]: the densities of the `measure` room, which take Wasserstein steps) is left to them. Rockafellar, SIAM J. Control Optim. 14 (1976); inner method: Nocedal
/// and Wright, *Numerical Optimization*, algorithm 7.4, the line search on slopes alone.
///
/// ```
/// use flowfield::{Flow, field, integrate::Proximal};
/// let bowl = field(|_t, y: &[f64; 2], dy| *dy = [-y[0], -100.0 * y[1]]);
/// let mut y = [1.0, 1.0];
/// Flow::new(bowl, Proximal::new()).step(0.5, &mut y)?;
/// assert!((y[0] - 1.0 / 1.5).abs() < 1e-12 && (y[1] - 1.0 / 51.0).abs() < 1e-12);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Proximal<S: State> {
    tol: f64,
    most: usize,
    iterations: u64,
    work: Option<Memory<S>>,
}

#[derive(Debug, Clone)]
struct Memory<S: State> {
    /// The residual `y - y₀ - h f(y)` here and at a trial point, and the direction.
    residual: S,
    trial: S,
    direction: S,
    slope: S,
    /// Differences of points and of residuals, with 1/⟨s, r⟩; a ring.
    pairs: Vec<(S, S, S::Elem)>,
    count: usize,
    alpha: [f64; MEMORY],
}

impl<S: State> Default for Proximal<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> Proximal<S> {
    /// With the default tolerance: a residual of 1e-13 (`f32`: 5e-5) relative to the largest component or 1.
    pub fn new() -> Self {
        Proximal { tol: 450.0 * S::Elem::EPS.f64(), most: 2000, iterations: 0, work: None }
    }

    /// Another tolerance of the residual, relative to the largest component or 1.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Inner iterations since the method was made.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }
}

fn dot<F: Real>(a: &[F], b: &[F]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
}

fn largest<F: Real>(a: &[F]) -> f64 {
    a.iter().fold(0.0, |m, a| if a.is_nan() { f64::NAN } else { m.max(a.f64().abs()) })
}

impl<S: State> Memory<S> {
    fn new(y0: &S) -> Self {
        let zero = || y0.clone();
        let pairs = (0..MEMORY).map(|_| (zero(), zero(), S::Elem::of(0.0))).collect();
        Memory {
            residual: zero(),
            trial: zero(),
            direction: zero(),
            slope: zero(),
            pairs,
            count: 0,
            alpha: [0.0; MEMORY],
        }
    }

    /// Writes minus the inverse Hessian's estimate times the residual to `direction` (two-loop recursion).
    fn aim(&mut self) {
        self.direction.clone_from(&self.residual);
        let d = self.direction.as_mut_slice();
        let known = self.count.min(MEMORY);
        for k in (self.count - known..self.count).rev() {
            let (s, r, rho) = &self.pairs[k % MEMORY];
            let a = rho.f64() * dot(s.as_slice(), d);
            self.alpha[k % MEMORY] = a;
            d.iter_mut().zip(r.as_slice()).for_each(|(d, &r)| *d -= S::Elem::of(a) * r);
        }
        if known > 0 {
            let (_, r, rho) = &self.pairs[(self.count - 1) % MEMORY];
            let scale = S::Elem::of(1.0 / (rho.f64() * dot(r.as_slice(), r.as_slice())));
            d.iter_mut().for_each(|d| *d *= scale);
        }
        for k in self.count - known..self.count {
            let (s, r, rho) = &self.pairs[k % MEMORY];
            let b = S::Elem::of(self.alpha[k % MEMORY] - rho.f64() * dot(r.as_slice(), d));
            d.iter_mut().zip(s.as_slice()).for_each(|(d, &s)| *d += b * s);
        }
        d.iter_mut().for_each(|d| *d = -*d);
    }

    /// Remembers the step `a · direction` and the change of the residual; forgets all where the curvature is not positive.
    fn learn(&mut self, a: f64) {
        let (s, r, rho) = &mut self.pairs[self.count % MEMORY];
        let step = s.as_mut_slice().iter_mut().zip(self.direction.as_slice());
        step.for_each(|(s, &d)| *s = S::Elem::of(a) * d);
        let change =
            r.as_mut_slice().iter_mut().zip(self.residual.as_slice().iter().zip(self.slope.as_slice()));
        change.for_each(|(r, (&new, &old))| *r = new - old);
        let curvature = dot(s.as_slice(), r.as_slice());
        if curvature > 0.0 && curvature.is_finite() {
            *rho = S::Elem::of(1.0 / curvature);
            self.count += 1;
        } else {
            self.count = 0;
        }
    }
}

impl<S: State> Proximal<S> {
    /// Searches along the direction for a point where the slope of the proximal objective is small: returns the length.
    fn search<V: VectorField<S> + ?Sized>(
        w: &mut Memory<S>,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        y: &S,
    ) -> f64 {
        let start = dot(w.direction.as_slice(), w.residual.as_slice());
        let (mut low, mut low_slope, mut high): (f64, f64, Option<(f64, f64)>) = (0.0, start, None);
        let mut a = 1.0;
        for _ in 0..40 {
            let line = y.as_slice().iter().zip(w.direction.as_slice());
            w.trial.as_mut_slice().iter_mut().zip(line).for_each(|(o, (&y, &d))| *o = y + S::Elem::of(a) * d);
            residual(field, (t, h), y0, &w.trial, &mut w.slope);
            let slope = dot(w.direction.as_slice(), w.slope.as_slice());
            if slope.abs() <= 0.7 * start.abs() {
                return a;
            }
            if slope.is_nan() || slope > 0.0 {
                high = Some((a, slope));
            } else {
                (low, low_slope) = (a, slope);
            }
            a = match high {
                None => 3.0 * a,
                // The secant, kept inside the bracket.
                Some((b, s)) if s.is_finite() => {
                    let cut = low + (b - low) * (-low_slope) / (s - low_slope);
                    cut.clamp(low + 0.1 * (b - low), b - 0.1 * (b - low))
                }
                Some((b, _)) => 0.5 * (low + b),
            };
        }
        0.0
    }

    /// The minimiser of the proximal objective, from `y1` on.
    pub(crate) fn descend<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        at: (S::Elem, S::Elem),
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        let w = self.work.get_or_insert_with(|| Memory::new(y0));
        if !w.residual.same_shape(y0) {
            *w = Memory::new(y0);
        }
        w.count = 0;
        residual(field, at, y0, y1, &mut w.residual);
        let mut size = largest(w.residual.as_slice());
        for _ in 0..self.most {
            let goal = self.tol * largest(y1.as_slice()).max(1.0);
            if size <= goal {
                return Ok(());
            }
            self.iterations += 1;
            w.aim();
            if dot(w.direction.as_slice(), w.residual.as_slice()) >= 0.0 {
                // Round-off, or a wrong memory: down the slope instead.
                w.count = 0;
                w.aim();
            }
            let a = Self::search(w, field, at, y0, y1);
            if a == 0.0 {
                if w.count == 0 {
                    break;
                }
                w.count = 0;
                continue;
            }
            y1.as_mut_slice().copy_from_slice(w.trial.as_slice());
            std::mem::swap(&mut w.residual, &mut w.slope);
            // The old residual now lies in `slope`.
            w.learn(a);
            size = largest(w.residual.as_slice());
        }
        Err(Error::NotConverged {
            what: "the proximal step (take a smaller step, or a field that is minus a gradient)",
            iterations: self.most,
            residual: size,
            tol: self.tol,
        })
    }
}

/// `y - y₀ - h f(y)`: h times the slope of the proximal objective.
fn residual<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    (t, h): (S::Elem, S::Elem),
    y0: &S,
    y: &S,
    out: &mut S,
) {
    field.eval(t, y, out);
    let points = y.as_slice().iter().zip(y0.as_slice());
    out.as_mut_slice().iter_mut().zip(points).for_each(|(r, (&y, &y0))| *r = (y - y0) - h * *r);
}

impl<S: State> Integrator<S> for Proximal<S> {
    fn name(&self) -> &'static str {
        "proximal point"
    }

    fn order(&self) -> Option<u32> {
        Some(1)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        Error::setting(self.tol > 0.0, "the tolerance", self.tol, "it must be positive")?;
        self.work = Some(Memory::new(y0));
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
        if self.work.is_none() {
            self.init(y0)?;
        }
        if field.proximal(h, y0, y1)? {
            return Ok(());
        }
        y1.as_mut_slice().copy_from_slice(y0.as_slice());
        self.descend(field, (t + h, h), y0, y1)
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        let Some(w) = &mut self.work else { return Ok(()) };
        field.eval(t, y0, &mut w.slope);
        field.eval(t + h, y1, &mut w.trial);
        out.hermite(t, h, (y0.as_slice(), w.slope.as_slice()), (y1.as_slice(), w.trial.as_slice()));
        Ok(())
    }
}
