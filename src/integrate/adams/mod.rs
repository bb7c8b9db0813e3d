//! Adams methods: one predictor–corrector of variable order and step size.
//!
//! Two evaluations a step whatever the order: for fields so expensive that nothing else counts, at tight tolerances.

mod coefficients;
mod differences;

use std::fmt;

use crate::integrate::{Integrator, Polynomial, Tolerance, Verdict};
use crate::state::check_layout;
use crate::{Error, Real, Result, State, VectorField};
use coefficients::MOST;
use differences::Differences;

/// Adams–Bashforth–Moulton in PECE form with modified divided differences, orders 1 to 12, adaptive.
///
/// ```text
/// p = yₙ + h Σⱼ₍ⱼ₍ₖ gⱼ Φ*ⱼ(n)          yₙ₊₁ = p + h gₖ Φₖ(n+1)          error ≈ h (gₖ − gₖ₋₁) Φₖ(n+1)
/// Φ₀ = f,   Φⱼ(n+1) = Φⱼ₋₁(n+1) − Φ*ⱼ₋₁(n),   Φ*ⱼ = βⱼ Φⱼ
/// ```
///
/// The predictor has order `k`, the solution carried on order `k + 1`. Starts at order 1 with ever longer steps, then
/// chooses order and step by the estimates at the neighbouring orders: it does not use the flow's
/// [`Controller`](super::Controller), since its step sizes stay as they are until doubling pays. Values inside a step are of
/// the same order. With fixed steps it is Heun's method.
///
/// References: Shampine, Gordon, *Computer Solution of Ordinary Differential Equations* (Freeman 1975), chapters 5, 6
/// and 10; HNW III.5 and III.7.
///
/// ```
/// use flowfield::{Flow, field, integrate::Adams};
/// let oscillator = field(|_t, y: &[f64; 2], dy| *dy = [y[1], -y[0]]);
/// let sol = Flow::new(oscillator, Adams::new()).tol(1e-10).solve(0.0, 10.0, [1.0, 0.0])?;
/// assert!((sol.y_end()[0] - 10f64.cos()).abs() < 1e-8 && sol.stats.evals < 300);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Adams<S: State> {
    differences: Option<Differences<S>>,
    most: usize,
    /// Order of the predictor, and the one chosen for the next step.
    k: usize,
    next_k: usize,
    /// Order and step grow with every step until something speaks against it.
    start_up: bool,
    failures: u32,
    /// Steps of the same size in a row.
    steady: usize,
}

impl<S: State> Adams<S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Adams { differences: None, most: MOST, k: 1, next_k: 1, start_up: true, failures: 0, steady: 0 }
    }

    /// The highest order of the predictor, 1 to 12.
    #[must_use]
    pub fn max_order(mut self, k: usize) -> Self {
        self.most = k;
        self
    }

    fn restart(&mut self) {
        (self.k, self.next_k, self.start_up, self.failures, self.steady) = (1, 1, true, 0, 0);
    }
}

impl<S: State> Default for Adams<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> fmt::Debug for Adams<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adams").field("k", &self.k).finish_non_exhaustive()
    }
}

impl<S: State> Integrator<S> for Adams<S> {
    fn name(&self) -> &'static str {
        "Adams"
    }

    /// The highest that adaptive runs choose; fixed steps are Heun's method, of order 2.
    fn order(&self) -> Option<u32> {
        Some(self.most as u32 + 1)
    }

    fn error_order(&self) -> Option<u32> {
        Some(self.k as u32)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        let k = self.most as f64;
        Error::setting(
            (1..=MOST).contains(&self.most),
            "max_order",
            k,
            "Adams methods here have orders 1 to 12",
        )?;
        match &mut self.differences {
            Some(d) if d.fits(y0) => d.restart(),
            d => *d = Some(Differences::new(y0, self.most)),
        }
        self.restart();
        Ok(())
    }

    fn prime(&mut self, slope: &S) {
        if let Some(d) = &mut self.differences {
            d.slope_at_start(slope);
        }
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.differences.is_none() {
            self.init(y0)?;
        }
        let Some(d) = &mut self.differences else { return Ok(()) };
        d.look_back(field, t, y0);
        d.predict(h, self.k, y0, y1);
        field.eval(t + h, y1, &mut d.slope);
        d.correct(h, self.k, y1);
        Ok(())
    }

    fn accept(&mut self, smooth: bool) {
        let Some(d) = &mut self.differences else { return };
        if !smooth {
            d.restart();
            self.restart();
            return;
        }
        d.commit(self.next_k);
        self.k = self.next_k;
    }

    fn error_norm(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        self.differences.as_ref().map(|d| d.error(self.k, self.k, tol, h, (y0, y1)))
    }

    fn judge(
        &mut self,
        tol: &Tolerance<S::Elem>,
        h: S::Elem,
        err: S::Elem,
        (y0, y1): (&S, &S),
    ) -> Option<Verdict<S::Elem>> {
        let d = self.differences.as_ref()?;
        let k = self.k;
        let err = err.f64();
        let at = |q: usize| d.error(k, q, tol, h, (y0, y1)).f64();
        let lower = if k > 1 { at(k - 1) } else { f64::INFINITY };
        let prefers_lower = match k {
            1 => false,
            2 => lower <= 0.5 * err,
            _ => lower.max(at(k - 2)) <= err,
        };
        if err.is_nan() || err > 1.0 {
            return Some(self.fail(h, err, prefers_lower));
        }
        let higher = || if k < self.most && d.sees(k + 1) { at(k + 1) } else { f64::INFINITY };
        let settled = self.steady > k && d.sees(k + 1);
        self.failures = 0;
        let start_up = self.start_up && !prefers_lower && k < self.most;
        let (next, err) = if start_up {
            (k + 1, err)
        } else if prefers_lower {
            (k - 1, lower)
        } else if settled {
            best_order(k, lower, err, higher())
        } else {
            (k, err)
        };
        (self.start_up, self.next_k) = (start_up, next);
        let factor = if self.start_up { 2.0 } else { growth(err, next) };
        self.steady = if factor == 1.0 { self.steady + 1 } else { 0 };
        Some(Verdict { accept: true, h: h * S::Elem::of(factor) })
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> usize {
        self.differences.as_ref().map_or(0, |d| d.worst(self.k, tol, h, (y0, y1)))
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
        if let Some(d) = &mut self.differences {
            d.slope_at_end(field, t + h, y1);
            d.interpolate((t, h), self.k, (y0, y1), out);
        }
        Ok(())
    }
}

impl<S: State> Adams<S> {
    /// A step is to be repeated: half as long, and from the third time on at order 1.
    fn fail(&mut self, h: S::Elem, err: f64, lower: bool) -> Verdict<S::Elem> {
        (self.start_up, self.steady) = (false, 0);
        self.failures += 1;
        if lower {
            self.k -= 1;
        }
        let mut factor = 0.5;
        if !err.is_finite() {
            factor = 0.1;
        } else if self.failures > 2 || self.k == 1 {
            self.k = 1;
            factor = (0.5 / err).sqrt().clamp(0.01, 0.5);
        }
        Verdict { accept: false, h: h * S::Elem::of(factor) }
    }
}

/// The order among `k - 1`, `k` and `k + 1` whose error is least, and that error; order 1 is left for a clear gain only.
fn best_order(k: usize, lower: f64, err: f64, higher: f64) -> (usize, f64) {
    match k {
        _ if k > 1 && lower <= err.min(higher) => (k - 1, lower),
        1 if higher < 0.5 * err => (2, higher),
        2.. if higher < err => (k + 1, higher),
        _ => (k, err),
    }
}

/// Doubles a step, or keeps it, or shortens it to between 0.5 and 0.9: coefficients and errors stay calm.
fn growth(err: f64, k: usize) -> f64 {
    if err * 2f64.powi(k as i32 + 1) <= 0.5 {
        2.0
    } else if err <= 0.5 {
        1.0
    } else {
        (0.5 / err).powf(1.0 / (k as f64 + 1.0)).clamp(0.5, 0.9)
    }
}
