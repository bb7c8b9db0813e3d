//! Momentum whose global scale and per-coordinate gains follow exponentiated-gradient flows.

use num_traits::Float as _;

use super::{Memory, cosine};
use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::{Error, Real, Result, State, VectorField};

/// Momentum with a global scale s and a gain p for each coordinate that adapt themselves by exponentiated gradient.
///
/// With f the field (minus a gradient), β the forgetting factor of its mean m, μ the momentum:
///
/// ```text
/// ln s ← ln s + γ_s cos(f, v)               clipped to the scale's bounds
/// ln p ← ln p + γ_p sign(f) ∘ sign(m)       clipped to the gains' bounds
/// v ← μ v + h p ∘ f      m ← β m + (1 - β) f      y ← y + s v
/// ```
///
/// One coupled flow in (y, ln s, ln p). Amid, Anil, Fifty, Warmuth, *Step-size adaptation using exponentiated gradient
/// updates*, 2022 (arXiv 2202.00145); the defaults are those of the authors' code. As s moves by a factor of at most e^γ_s a
/// step between fixed bounds, this refines a learning rate that is right to within a factor of ten; [`AutoStep`](super::AutoStep)
/// finds one that is not.
///
/// ```
/// use flowfield::{Flow, field, integrate::EgStepSize};
/// let bowl = field(|_t, y: &[f64; 2], dy| *dy = [-y[0], -30.0 * y[1]]);
/// let mut y = [1.0, 1.0];
/// Flow::new(bowl, EgStepSize::default()).steps(1_000, 1e-3, &mut y)?;
/// assert!(y[0].abs() < 1e-3 && y[1].abs() < 1e-3);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EgStepSize<S: State> {
    /// γ_s, the rate of the scale.
    pub scale_rate: f64,
    /// γ_p, the rate of the gains.
    pub gain_rate: f64,
    /// β, the forgetting factor of the mean field that the gains go by.
    pub beta: f64,
    /// μ.
    pub momentum: f64,
    /// Least and largest scale.
    pub scale_bounds: (f64, f64),
    /// Least and largest gain.
    pub gain_bounds: (f64, f64),
    /// Whether the scale goes by the cosine of f and v, instead of their product.
    pub directions: bool,
    /// Whether the gains go by signs, instead of the product of f and the mean m (without its bias).
    pub signs: bool,
    scale: f64,
    count: u64,
    memory: Memory<S>,
}

impl<S: State> Default for EgStepSize<S> {
    /// γ_s = 0.001, γ_p = 0.01, β = μ = 0.9, scale in [0.1, 10], gains in [0.01, 100], by directions and signs.
    fn default() -> Self {
        EgStepSize {
            scale_rate: 1e-3,
            gain_rate: 1e-2,
            beta: 0.9,
            momentum: 0.9,
            scale_bounds: (0.1, 10.0),
            gain_bounds: (1e-2, 1e2),
            directions: true,
            signs: true,
            scale: 1.0,
            count: 0,
            memory: Memory(None),
        }
    }
}

impl<S: State> EgStepSize<S> {
    /// The scale s.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    fn check(&self) -> Result<()> {
        for (what, rate) in [("scale_rate", self.scale_rate), ("gain_rate", self.gain_rate)] {
            Error::setting(
                rate >= 0.0 && rate.is_finite(),
                what,
                rate,
                "it must be 0 or positive, and finite",
            )?;
        }
        for (what, factor) in [("beta", self.beta), ("momentum", self.momentum)] {
            Error::setting((0.0..1.0).contains(&factor), what, factor, "it must lie in [0, 1)")?;
        }
        for (what, (low, high)) in [("scale_bounds", self.scale_bounds), ("gain_bounds", self.gain_bounds)] {
            let good = low > 0.0 && low <= high && high.is_finite();
            Error::setting(good, what, low, "the bounds must be positive, the least first")?;
        }
        Ok(())
    }
}

impl<S: State> Integrator<S> for EgStepSize<S> {
    fn name(&self) -> &'static str {
        "EgStepSize"
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        self.check()?;
        (self.scale, self.count) = (1.0, 0);
        self.memory.prepare::<4>(y0)?;
        if let Some([.., gain]) = self.memory.parts::<4>() {
            gain.as_mut_slice().fill(S::Elem::of(1.0));
        }
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
        if self.memory.0.is_none() {
            self.init(y0)?;
        }
        let of = S::Elem::of;
        let Some([slope, velocity, mean, gain]) = self.memory.parts() else { return Ok(()) };
        field.eval(t, y0, slope);
        let (f, v, m, p) =
            (slope.as_slice(), velocity.as_mut_slice(), mean.as_mut_slice(), gain.as_mut_slice());
        let along = if self.directions { cosine(f, v) } else { product(f, v) };
        let (low, high) = self.scale_bounds;
        self.scale = (self.scale * (self.scale_rate * along).exp()).clamp(low, high);
        let count = i32::try_from(self.count.max(1)).unwrap_or(i32::MAX);
        let unbias = of(1.0 / (1.0 - self.beta.powi(count)));
        self.count = self.count.saturating_add(1);
        let (scale, mu, beta, rate) = (of(self.scale), of(self.momentum), of(self.beta), of(self.gain_rate));
        let (low, high) = (of(self.gain_bounds.0), of(self.gain_bounds.1));
        let ends = y1.as_mut_slice().iter_mut().zip(y0.as_slice());
        for ((((y1, &y0), &f), v), (m, p)) in ends.zip(f).zip(v).zip(m.iter_mut().zip(p)) {
            let agreement = if self.signs { sign(f) * sign(*m) } else { f * *m * unbias };
            *p = (*p * (rate * agreement).exp()).max(low).min(high);
            *v = mu * *v + h * *p * f;
            *m = beta * *m + (of(1.0) - beta) * f;
            *y1 = y0 + scale * *v;
        }
        Ok(())
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let [_, velocity, mean, gain] = self.memory.parts()?;
        Some(vec![
            ("velocity", Remembered::State(velocity)),
            ("mean", Remembered::State(mean)),
            ("gain", Remembered::State(gain)),
            ("scale", Remembered::Number(&mut self.scale)),
            ("count", Remembered::Count(&mut self.count)),
        ])
    }
}

/// -1, 0 or 1.
fn sign<F: Real>(x: F) -> F {
    if x > F::zero() {
        F::one()
    } else if x < F::zero() {
        -F::one()
    } else {
        F::zero()
    }
}

fn product<F: Real>(a: &[F], b: &[F]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
}
