//! Adam and AdamW.

use num_traits::Float as _;

use super::{BLOCK, Memory};
use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::simd::{Arith, Isa, Kernel};
use crate::state::first_not_finite;
use crate::{Error, Real, Result, State, VectorField};

/// Adam: a step along the field's running mean, scaled by its running root mean square.
///
/// ```text
/// m ← β₁ m + (1 - β₁) f      v ← β₂ v + (1 - β₂) f²
/// y ← y + h · m̂ / (√v̂ + ε) - h · λ · y,     m̂ = m / (1 - β₁ᵏ),  v̂ = v / (1 - β₂ᵏ)
/// ```
///
/// With a weight decay λ it is AdamW. Kingma and Ba, *Adam*, ICLR 2015, algorithm 1; Loshchilov and
/// Hutter, *Decoupled weight decay regularization*, ICLR 2019, algorithm 2.
///
/// ```
/// use flowfield::{Flow, field, integrate::Adam};
/// let bowl = field(|_t, y: &[f64; 2], dy| *dy = [-y[0], -100.0 * y[1]]);   // minus a gradient
/// let mut y = [1.0, 1.0];
/// Flow::new(bowl, Adam::default()).steps(2_000, 1e-2, &mut y)?;
/// assert!(y[0].abs() < 1e-3 && y[1].abs() < 1e-3);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Adam<S: State> {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
    count: u64,
    /// Whether what was written last is finite.
    finite: bool,
    memory: Memory<S>,
}

impl<S: State> Default for Adam<S> {
    /// β₁ = 0.9, β₂ = 0.999, ε = 1e-8, no weight decay.
    fn default() -> Self {
        Adam {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            decay: 0.0,
            count: 0,
            finite: false,
            memory: Memory(None),
        }
    }
}

impl<S: State> Adam<S> {
    /// AdamW: decoupled weight decay λ.
    pub fn with_decay(decay: f64) -> Self {
        Adam { decay, ..Self::default() }
    }

    /// Other forgetting factors β₁ and β₂, each in [0, 1).
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// Another ε.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    fn check(&self) -> Result<()> {
        for (what, beta) in [("Adam's beta1", self.beta1), ("Adam's beta2", self.beta2)] {
            Error::setting((0.0..1.0).contains(&beta), what, beta, "it must lie in [0, 1)")?;
        }
        let need = "it must be 0 or positive, and finite";
        Error::setting(
            self.eps > 0.0 && self.eps.is_finite(),
            "Adam's eps",
            self.eps,
            "it must be positive",
        )?;
        Error::setting(self.decay >= 0.0 && self.decay.is_finite(), "weight decay", self.decay, need)
    }
}

impl<S: State> Integrator<S> for Adam<S> {
    fn name(&self) -> &'static str {
        if self.decay == 0.0 { "Adam" } else { "AdamW" }
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        self.check()?;
        self.count = 0;
        self.memory.prepare::<3>(y0)
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
        self.count = self.count.saturating_add(1);
        let count = i32::try_from(self.count).unwrap_or(i32::MAX);
        let (b1, b2) = (of(self.beta1), of(self.beta2));
        let (c1, c2) = (of(1.0 - self.beta1), of(1.0 - self.beta2));
        let scale = of(1.0 / (1.0 - self.beta2.powi(count))).sqrt();
        let lr = h * of(1.0 / (1.0 - self.beta1.powi(count)));
        let (eps, keep) = (of(self.eps), of(1.0) - h * of(self.decay));
        let Some([slope, m, v]) = self.memory.parts() else { return Ok(()) };
        field.eval(t, y0, slope);
        let moments = (slope.as_slice(), m.as_mut_slice(), v.as_mut_slice());
        let betas = [b1, c1, b2, c2];
        let state = (y0.as_slice(), y1.as_mut_slice());
        self.finite = Isa::detect().run(Update { moments, betas, state, lr, keep, scale, eps });
        Ok(())
    }

    fn wrote_finite(&self) -> bool {
        self.finite
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let [_, m, v] = self.memory.parts()?;
        let count = Remembered::Count(&mut self.count);
        Some(vec![
            ("first_moment", Remembered::State(m)),
            ("second_moment", Remembered::State(v)),
            ("count", count),
        ])
    }
}

/// The update of all components: square roots and divisions in the widest registers there are.
struct Update<'a, F> {
    /// Field, mean, mean square.
    moments: (&'a [F], &'a mut [F], &'a mut [F]),
    betas: [F; 4],
    state: (&'a [F], &'a mut [F]),
    lr: F,
    keep: F,
    scale: F,
    eps: F,
}

impl<F: Real> Kernel for Update<'_, F> {
    /// Whether the new state is finite.
    type Output = bool;
    #[inline(always)]
    fn run<A: Arith>(self) -> bool {
        let Update { moments: (f, m, v), betas: [b1, c1, b2, c2], state: (y0, y1), lr, keep, scale, eps } =
            self;
        let state = y1.chunks_mut(BLOCK).zip(y0.chunks(BLOCK));
        let moments = m.chunks_mut(BLOCK).zip(v.chunks_mut(BLOCK)).zip(f.chunks(BLOCK));
        let mut finite = true;
        for ((y1, y0), ((m, v), f)) in state.zip(moments) {
            let moments = m.iter_mut().zip(v).zip(f);
            for ((y1, &y0), ((m, v), &f)) in y1.iter_mut().zip(y0).zip(moments) {
                *m = b1 * *m + c1 * f;
                *v = b2 * *v + c2 * f * f;
                *y1 = keep * y0 + lr * *m / (v.sqrt() * scale + eps);
            }
            finite &= first_not_finite(y1).is_none();
        }
        finite
    }
}
