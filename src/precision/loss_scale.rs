//! Gradients kept inside the range of a format by a factor on the loss.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use ndarray::{Array1, ArrayRef1, ArrayRef2};

use crate::integrate::{Integrator, Work};
use crate::nn::{Network, Parameter};
use crate::state::first_not_finite;
use crate::{Error, Real, Result, State, VectorField};

/// How the factor S on the loss is chosen. Powers of two keep the digits.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum LossScale {
    /// This S throughout.
    Static(f64),
    /// S starts at `init`; a gradient that is not finite makes the step be skipped and S be multiplied by `backoff`, `interval` good
    /// steps in a row make it be multiplied by `growth`. Never below `min`.
    Dynamic {
        /// The first S.
        init: f64,
        /// Factor after `interval` good steps.
        growth: f64,
        /// Factor after a bad step.
        backoff: f64,
        /// Good steps in a row before S grows.
        interval: u64,
        /// The least S.
        min: f64,
    },
}

impl LossScale {
    /// The published schedule (PyTorch, TensorFlow, JMP): from 2¹⁶, twice as much after 2000 good steps, half after a bad one, at least 1.
    pub fn dynamic() -> Self {
        LossScale::Dynamic { init: 65536.0, growth: 2.0, backoff: 0.5, interval: 2000, min: 1.0 }
    }

    fn first(self) -> f64 {
        match self {
            LossScale::Static(scale) => scale,
            LossScale::Dynamic { init, .. } => init,
        }
    }

    fn check(self) -> Result<()> {
        let positive = |what, value: f64| {
            let kept = value as f32;
            Error::setting(
                kept > 0.0 && kept.is_finite(),
                what,
                value,
                "it must be positive and finite in f32",
            )
        };
        positive("the loss scale", self.first())?;
        let LossScale::Dynamic { growth, backoff, min, .. } = self else { return Ok(()) };
        positive("the least loss scale", min)?;
        Error::setting(growth >= 1.0 && growth.is_finite(), "growth", growth, "it must be at least 1")?;
        Error::setting(backoff > 0.0 && backoff < 1.0, "backoff", backoff, "it must lie in (0, 1)")
    }
}

/// Bad steps in a row after which a run is given up.
const PATIENCE: u64 = 20;

/// The factor on a loss, shared by the network that multiplies with it and the method that watches the gradients.
///
/// ```
/// use flowfield::{Flow, dataset::moons, integrate::Adam, matching::Matching};
/// use flowfield::nn::{Mlp, Network};
/// use flowfield::precision::{Format, LossScale, LossScaler};
/// let net = Mlp::velocity(2, &[32, 32]).compute(Format::F16);
/// let mut theta = Network::<f32>::init(&net, 0);                      // the master parameters stay in f32
/// let scaler = LossScaler::new(LossScale::dynamic());
/// let scaled = scaler.network(&net);
/// let data = moons::<f32>(500, 0.05, 0);
/// Flow::new(Matching::new(&scaled, &data, 64), scaler.guard(Adam::default())).steps(50, 1e-3, &mut theta)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct LossScaler {
    rule: LossScale,
    /// S, kept in f32 whatever the format of the field: it would overflow f16 on its first growth.
    scale: AtomicU32,
    good: AtomicU64,
    bad: AtomicU64,
    skipped: AtomicU64,
}

impl LossScaler {
    /// By this rule.
    pub fn new(rule: LossScale) -> Self {
        let scale = AtomicU32::new((rule.first() as f32).to_bits());
        LossScaler {
            rule,
            scale,
            good: AtomicU64::new(0),
            bad: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// S.
    pub fn scale(&self) -> f64 {
        f64::from(f32::from_bits(self.scale.load(Relaxed)))
    }

    /// Steps skipped so far.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// `net` with S times the loss on the way back, and its gradients divided by S.
    pub fn network<'a, N>(&'a self, net: &'a N) -> ScaledLoss<'a, N> {
        ScaledLoss { net, scaler: self }
    }

    /// `inner`, skipping steps whose gradient is not finite: they advance neither the state nor what `inner` remembers.
    pub fn guard<I, S>(&self, inner: I) -> Guarded<'_, I, S> {
        Guarded { inner, scaler: self, slope: None }
    }

    fn set(&self, scale: f64) {
        self.scale.store((scale as f32).to_bits(), Relaxed);
    }

    /// Counts a step; an error after too many bad ones in a row.
    fn judge(&self, finite: bool) -> Result<()> {
        if finite {
            self.bad.store(0, Relaxed);
            let good = self.good.fetch_add(1, Relaxed) + 1;
            if let LossScale::Dynamic { growth, interval, .. } = self.rule
                && good >= interval
            {
                self.good.store(0, Relaxed);
                self.set((self.scale() * growth).min(f64::from(f32::MAX)));
            }
            return Ok(());
        }
        self.good.store(0, Relaxed);
        self.skipped.fetch_add(1, Relaxed);
        let bad = self.bad.fetch_add(1, Relaxed) + 1;
        let scale = self.scale();
        if let LossScale::Dynamic { backoff, min, .. } = self.rule {
            self.set((scale * backoff).max(min));
        }
        if bad >= PATIENCE { Err(Error::GradientsNotFinite { steps: bad, scale }) } else { Ok(()) }
    }
}

/// A network whose loss is multiplied by S on the way back; made by [`LossScaler::network`].
#[derive(Debug)]
pub struct ScaledLoss<'a, N> {
    net: &'a N,
    scaler: &'a LossScaler,
}

impl<F: Real, N: Network<F>> Network<F> for ScaledLoss<'_, N> {
    type Tape = N::Tape;

    fn inputs(&self) -> usize {
        self.net.inputs()
    }
    fn outputs(&self) -> usize {
        self.net.outputs()
    }
    fn n_params(&self) -> usize {
        self.net.n_params()
    }
    fn check(&self) -> Result<()> {
        self.scaler.rule.check()?;
        self.net.check()
    }
    fn layout(&self) -> Vec<Parameter> {
        self.net.layout()
    }
    fn init(&self, seed: u64) -> Array1<F> {
        self.net.init(seed)
    }
    fn tape(&self, rows: usize) -> Self::Tape {
        self.net.tape(rows)
    }
    fn lean_tape(&self, rows: usize) -> Self::Tape {
        self.net.lean_tape(rows)
    }

    fn forward(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.net.forward(theta, x, y, tape)
    }

    fn pack(&self, theta: &ArrayRef1<F>, tape: &mut Self::Tape) -> Result<()> {
        self.net.pack(theta, tape)
    }

    fn forward_packed(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.net.forward_packed(theta, x, y, tape)
    }

    fn vjp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.net.vjp(theta, ybar, theta_bar, xbar, tape)
    }

    fn jvp(
        &self,
        theta: &ArrayRef1<F>,
        dtheta: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.net.jvp(theta, dtheta, dx, dy, tape)
    }

    fn vjp_of_jvp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        dx: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.net.vjp_of_jvp(theta, ybar, dx, theta_bar, xbar, tape)
    }

    fn loss_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut Self::Tape,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        let scale = F::of(self.scaler.scale());
        let scaled = |first: usize, y: &[F], ybar: &mut [F]| {
            let value = loss(first, y, ybar);
            ybar.iter_mut().for_each(|b| *b *= scale);
            value
        };
        let value = self.net.loss_gradient(theta, x, scaled, theta_bar, tape)?;
        let back = scale.recip();
        theta_bar.iter_mut().for_each(|g| *g *= back);
        Ok(value)
    }
}

/// A method that skips steps whose slope is not finite; made by [`LossScaler::guard`].
#[derive(Debug)]
pub struct Guarded<'a, I, S> {
    inner: I,
    scaler: &'a LossScaler,
    slope: Option<S>,
}

impl<S: State, I: Integrator<S>> Integrator<S> for Guarded<'_, I, S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        self.scaler.rule.check()?;
        self.slope = Some(y0.clone());
        self.inner.init(y0)
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
        let finite = first_not_finite(slope.as_slice()).is_none();
        self.scaler.judge(finite)?;
        if !finite {
            y1.clone_from(y0);
            return Ok(());
        }
        self.inner.accept(false);
        self.inner.step(&mut crate::integrate::Known::new(field, slope), t, h, y0, y1)
    }

    fn work(&self) -> Work {
        self.inner.work()
    }
}
