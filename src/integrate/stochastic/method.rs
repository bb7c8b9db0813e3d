//! What the stochastic schemes share: workspace, noise, error norm.

use std::fmt;
use std::marker::PhantomData;

use crate::integrate::{Integrator, Polynomial, Tolerance};
use crate::noise::{Kind, Noise, Structure};
use crate::state::check_layout;
use crate::{Error, Real, Result, State, VectorField};

/// A scheme for stochastic differential equations, as an empty type; [`Stochastic`] is its integrator.
pub trait Scheme: 'static {
    /// The method's name, as its users call it.
    const NAME: &'static str;
    /// Order, rounded down to a whole number; see [the module](super).
    const ORDER: u32;
    /// Whether it estimates its error (as a method of order 1 does).
    const ADAPTIVE: bool = false;
    /// States and diffusions needed beside the drift and the diffusion at the start.
    const STAGES: usize;
    /// Whether it needs the integrals `I₍₁,₀₎`.
    const AREA: bool = false;

    /// Whether it can treat this noise.
    ///
    /// # Errors
    /// What it needs instead.
    fn admit(structure: Structure) -> Result<()>;

    /// One step; the increments are in `w`, and so are the drift and the diffusion at its start.
    ///
    /// # Errors
    /// What the noise refuses.
    fn step<S: State, V: VectorField<S> + ?Sized>(
        w: &mut Work<S>,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()>;
}

/// What a step needs; all of it allocated once.
#[derive(Debug)]
pub struct Work<S: State> {
    /// The noise's form.
    pub structure: Structure,
    /// Drift and diffusion at the start of the step.
    pub f: S,
    /// See [`f`](Self::f).
    pub g: Vec<S::Elem>,
    /// Increments of the motions.
    pub dw: Vec<S::Elem>,
    /// Their integrals over the step, if the scheme needs them.
    pub area: Vec<S::Elem>,
    /// Further states, drifts and diffusions of the scheme.
    pub y: Vec<S>,
    /// See [`y`](Self::y).
    pub k: Vec<S>,
    /// See [`y`](Self::y).
    pub gs: Vec<Vec<S::Elem>>,
    /// Numbers uniform on [0, 1), one for each pair of a matrix's motions.
    pub coins: Vec<f64>,
    /// The estimate of the error, if the scheme makes one.
    pub error: Vec<S::Elem>,
}

impl<S: State> Work<S> {
    fn new<M: Scheme>(structure: Structure, y0: &S) -> Self {
        let n = y0.as_slice().len();
        let zero = S::Elem::of(0.0);
        let (motions, numbers) = (structure.kind.motions(n), structure.kind.numbers(n));
        Work {
            structure,
            f: y0.clone(),
            g: vec![zero; numbers],
            dw: vec![zero; motions],
            area: vec![zero; if M::AREA { motions } else { 0 }],
            y: vec![y0.clone(); M::STAGES],
            k: vec![y0.clone(); M::STAGES],
            gs: vec![vec![zero; numbers]; M::STAGES],
            coins: vec![0.0; if let Kind::Matrix(m) = structure.kind { m * m } else { 0 }],
            error: vec![zero; if M::ADAPTIVE { n } else { 0 }],
        }
    }
}

/// The noise of a field that is known to have some.
pub(super) fn noise_of<'a, S: State, V: VectorField<S> + ?Sized>(
    field: &'a mut V,
    method: &'static str,
) -> Result<&'a mut dyn Noise<S>> {
    field.noise().ok_or(Error::NoNoise { method })
}

/// The integrator of a [`Scheme`]. See [the module](super) for the list.
pub struct Stochastic<M, S: State> {
    work: Option<Box<Work<S>>>,
    method: PhantomData<fn() -> M>,
}

impl<M: Scheme, S: State> Stochastic<M, S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Stochastic { work: None, method: PhantomData }
    }
}

impl<M: Scheme, S: State> Default for Stochastic<M, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Scheme, S: State> fmt::Debug for Stochastic<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(M::NAME).finish_non_exhaustive()
    }
}

impl<M: Scheme, S: State> Integrator<S> for Stochastic<M, S> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn order(&self) -> Option<u32> {
        Some(M::ORDER)
    }

    fn error_order(&self) -> Option<u32> {
        M::ADAPTIVE.then_some(1)
    }

    fn takes_noise(&self) -> bool {
        true
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        self.work = None;
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
        let noise = noise_of(field, M::NAME)?;
        let structure = noise.structure();
        let fits = self.work.as_ref().is_some_and(|w| w.f.same_shape(y0) && w.structure == structure);
        if !fits {
            M::admit(structure)?;
            self.work = Some(Box::new(Work::new::<M>(structure, y0)));
        }
        let Some(w) = self.work.as_deref_mut() else { return Ok(()) };
        noise.increments(t, h, &mut w.dw, M::AREA.then_some(&mut w.area))?;
        noise.diffusion(t, y0, &mut w.g);
        field.eval(t, y0, &mut w.f);
        M::step(w, field, t, h, y0, y1)
    }

    fn error_norm(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let w = self.work.as_deref().filter(|_| M::ADAPTIVE)?;
        Some(tol.norm(y0.as_slice(), y1.as_slice(), &w.error.as_slice()))
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> usize {
        let Some(w) = self.work.as_deref().filter(|_| M::ADAPTIVE) else { return 0 };
        tol.worst(y0.as_slice(), y1.as_slice(), &w.error.as_slice())
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        _field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        linear(t, h, y0, y1, out);
        Ok(())
    }
}

/// The chord of a step.
pub(super) fn linear<S: State>(t: S::Elem, h: S::Elem, y0: &S, y1: &S, out: &mut Polynomial<S::Elem>) {
    out.start(t, h, 1, y0.as_slice());
    let ends = y1.as_slice().iter().zip(y0.as_slice());
    out.coefficient_mut(1).iter_mut().zip(ends).for_each(|(c, (&y1, &y0))| *c = y1 - y0);
}

/// `out = y0 + h f`.
#[inline]
pub(super) fn drifted<S: State>(y0: &S, h: S::Elem, f: &S, out: &mut S) {
    let terms = y0.as_slice().iter().zip(f.as_slice());
    out.as_mut_slice().iter_mut().zip(terms).for_each(|(o, (&y, &f))| *o = y + h * f);
}

/// `out += scale · x`.
#[inline]
pub(super) fn add_scaled<F: Real>(scale: F, x: &[F], out: &mut [F]) {
    out.iter_mut().zip(x).for_each(|(o, &x)| *o += scale * x);
}
