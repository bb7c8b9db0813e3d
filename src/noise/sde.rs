//! A drift and a diffusion: a stochastic differential equation as a field.

use std::fmt;
use std::marker::PhantomData;

use super::{Calculus, Kind, Noise, Source, Structure};
use crate::{Error, Half, Real, Result, State, VectorField};

/// What multiplies the noise; any closure `FnMut(t, &y, &mut g)` is one. `g` holds `n` numbers, or `n × m` for
/// [`Kind::Matrix`].
pub trait Diffusion<S: State> {
    /// Writes `g(t, y)`.
    fn eval(&mut self, t: S::Elem, y: &S, g: &mut [S::Elem]);

    /// Whether it fits states of `n` numbers.
    ///
    /// # Errors
    /// A shape that does not fit, a negative amplitude.
    fn check(&self, n: usize) -> Result<()> {
        let _ = n;
        Ok(())
    }
}

impl<S: State, G: FnMut(S::Elem, &S, &mut [S::Elem])> Diffusion<S> for G {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, g: &mut [S::Elem]) {
        self(t, y, g);
    }
}

/// A diffusion that does not change: one number for all components, one for each, or a matrix.
#[derive(Debug, Clone)]
pub struct Constant<F> {
    values: Vec<F>,
    columns: usize,
}

impl<S: State> Diffusion<S> for Constant<S::Elem> {
    fn eval(&mut self, _t: S::Elem, _y: &S, g: &mut [S::Elem]) {
        match self.values.as_slice() {
            [one] => g.fill(*one),
            all => g.copy_from_slice(all),
        }
    }

    fn check(&self, n: usize) -> Result<()> {
        if let Some(rows) = self.values.len().checked_div(self.columns) {
            Error::shape("the diffusion matrix", &[n, self.columns], &[rows, self.columns])?;
        } else if self.values.len() != 1 {
            Error::shape("the amplitudes of the noise", &[n], &[self.values.len()])?;
        }
        // A matrix may well hold negative numbers; an amplitude may not.
        for &s in &self.values {
            let good = s.f64().is_finite() && (self.columns > 0 || s >= S::Elem::of(0.0));
            let need = "finite, and zero or positive: it is a standard deviation per square root of time";
            Error::setting(good, "the amplitude of the noise", s.f64(), need)?;
        }
        Ok(())
    }
}

/// A stochastic differential equation `dy = f(t, y) dt + g(t, y) dW` as a field: a drift, a diffusion and a seed.
///
/// It is moved by the integrators of [`stochastic`](crate::integrate::stochastic): fixed steps by any of them, adaptive
/// ones by [`Sra1`](crate::integrate::Sra1) and [`Sriw1`](crate::integrate::Sriw1). The noise is a [`Brownian`](super::Brownian)
/// path, the same for all step sizes ([`seed`](Self::seed)), or drawn step by step ([`fresh`](Self::fresh)).
///
/// ```
/// use flowfield::{Flow, field, integrate::EulerMaruyama, noise::Sde};
/// // Geometric Brownian motion.
/// let drift = field(|_t, y: &[f64; 1], dy| dy[0] = 0.05 * y[0]);
/// let gbm = Sde::diagonal(drift, |_t, y: &[f64; 1], g: &mut [f64]| g[0] = 0.2 * y[0]).seed(7);
/// let mut y = [1.0];
/// Flow::new(gbm, EulerMaruyama::new()).steps(256, 1.0 / 256.0, &mut y)?;
/// assert!(y[0] > 0.3 && y[0] < 3.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Sde<V, G, S> {
    drift: V,
    diffusion: G,
    structure: Structure,
    seed: Option<Seed>,
    source: Source,
    unit: f64,
    state: PhantomData<fn(&S)>,
}

#[derive(Debug, Clone, Copy)]
enum Seed {
    Path(u64),
    Fresh,
}

impl<S: State, V: VectorField<S>> Sde<V, Constant<S::Elem>, S> {
    /// Additive noise, `dy = f(t, y) dt + σ dW`, a motion for each component; `sigma` holds one number for all
    /// components or one for each.
    pub fn additive(drift: V, sigma: &[S::Elem]) -> Self {
        let constant = Constant { values: sigma.to_vec(), columns: 0 };
        Self::new(drift, constant, Kind::Diagonal).constant()
    }

    /// Additive noise by a constant `n × columns` matrix in row-major order.
    pub fn additive_matrix(drift: V, columns: usize, sigma: &[S::Elem]) -> Self {
        let constant = Constant { values: sigma.to_vec(), columns };
        Self::new(drift, constant, Kind::Matrix(columns)).constant()
    }
}

impl<S: State, V: VectorField<S>, G: Diffusion<S>> Sde<V, G, S> {
    fn new(drift: V, diffusion: G, kind: Kind) -> Self {
        let structure = Structure { kind, calculus: Calculus::Ito, additive: false, commutative: false };
        Sde {
            drift,
            diffusion,
            structure,
            seed: None,
            source: Source::Unseeded,
            unit: 1.0,
            state: PhantomData,
        }
    }

    /// Diagonal noise: component `i` is driven by its own motion, `gᵢ(t, yᵢ) dWᵢ`. `gᵢ` may depend on `yᵢ` only.
    pub fn diagonal(drift: V, diffusion: G) -> Self {
        Self::new(drift, diffusion, Kind::Diagonal)
    }

    /// Scalar noise: one motion drives all components, `gᵢ(t, y) dW`.
    pub fn scalar(drift: V, diffusion: G) -> Self {
        Self::new(drift, diffusion, Kind::Scalar)
    }

    /// General noise: `columns` motions, the diffusion an `n × columns` matrix in row-major order.
    pub fn matrix(drift: V, columns: usize, diffusion: G) -> Self {
        Self::new(drift, diffusion, Kind::Matrix(columns))
    }

    /// Says that the diffusion does not depend on the state (it may on time), which [`Sra1`](crate::integrate::Sra1) needs.
    #[must_use]
    pub fn constant(mut self) -> Self {
        (self.structure.additive, self.structure.commutative) = (true, true);
        self
    }

    /// Says that the columns of a matrix commute, which Milstein's method needs.
    #[must_use]
    pub fn commutative(mut self) -> Self {
        self.structure.commutative = true;
        self
    }

    /// Means the integral in Stratonovich's sense (default: Itô's).
    #[must_use]
    pub fn stratonovich(mut self) -> Self {
        self.structure.calculus = Calculus::Stratonovich;
        self
    }

    /// Takes the noise from the Brownian path of this seed: a function of time, whatever the steps.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        (self.seed, self.source) = (Some(Seed::Path(seed)), Source::Unseeded);
        self
    }

    /// Draws the noise anew at every step, from this seed: cheaper for large states; for fixed steps only.
    #[must_use]
    pub fn fresh(mut self, seed: u64) -> Self {
        (self.seed, self.source) = (Some(Seed::Fresh), Source::Fresh { seed, step: 0 });
        self
    }

    /// The unit of time of the path (default 1); see [`Brownian::unit`](super::Brownian::unit).
    #[must_use]
    pub fn time_unit(mut self, unit: f64) -> Self {
        self.unit = unit;
        self
    }

    /// The drift.
    pub fn drift(&self) -> &V {
        &self.drift
    }

    /// The path's motions are known once the state is.
    fn open(&mut self, motions: usize) {
        if let (Some(Seed::Path(seed)), Source::Unseeded) = (self.seed, &self.source) {
            self.source = Source::path(seed, motions, self.unit);
        }
        if let (Some(Seed::Path(seed)), Source::Path(path, _)) = (self.seed, &self.source)
            && path.motions() != motions
        {
            self.source = Source::path(seed, motions, self.unit);
        }
    }
}

impl<S: State, V: VectorField<S>, G: Diffusion<S>> VectorField<S> for Sde<V, G, S> {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.drift.eval(t, y, dy);
    }

    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        self.drift.jacobian(t, y, jac)
    }

    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        self.drift.eval_half(half, t, y, dy)
    }

    fn redraw(&mut self) -> bool {
        self.source.redraw();
        self.drift.redraw()
    }

    fn noise(&mut self) -> Option<&mut dyn Noise<S>> {
        Some(self)
    }

    fn check(&self, y: &S) -> Result<()> {
        if self.seed.is_none() {
            return Err(Error::MissingSeed);
        }
        let columns = self.structure.kind.motions(y.as_slice().len());
        Error::setting(columns > 0, "the columns of the diffusion", 0.0, "at least 1")?;
        self.diffusion.check(y.as_slice().len())?;
        self.drift.check(y)
    }
}

impl<S: State, V: VectorField<S>, G: Diffusion<S>> Noise<S> for Sde<V, G, S> {
    fn structure(&self) -> Structure {
        self.structure
    }

    fn diffusion(&mut self, t: S::Elem, y: &S, g: &mut [S::Elem]) {
        self.diffusion.eval(t, y, g);
    }

    fn increments(
        &mut self,
        t: S::Elem,
        h: S::Elem,
        dw: &mut [S::Elem],
        area: Option<&mut [S::Elem]>,
    ) -> Result<()> {
        self.open(dw.len());
        self.source.increments(t, h, dw, area)
    }

    fn coins(&mut self, t: S::Elem, out: &mut [f64]) -> Result<()> {
        self.source.coins(t, out)
    }

    fn is_path(&self) -> bool {
        matches!(self.seed, Some(Seed::Path(_)))
    }
}

impl<V: fmt::Debug, G, S> fmt::Debug for Sde<V, G, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sde")
            .field("drift", &self.drift)
            .field("structure", &self.structure)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
