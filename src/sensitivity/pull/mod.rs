//! One step of a method in reverse.

mod explicit;
mod rosenbrock;

use super::Parametric;
use crate::integrate::Integrator;
use crate::linalg::Lu;
use crate::{Real, State};

/// A method whose step can be pulled back.
pub trait Reversible<S: State>: Integrator<S> {
    /// The derivative of the step in reverse: turns the cotangent of its end into that of its start, and adds what belongs to the
    /// parameters to `theta_bar`. The step size is held fixed.
    fn pull<V: Parametric<S> + ?Sized>(
        work: &mut PullWork<S>,
        field: &mut V,
        step: Step<'_, S>,
        bar: &mut S,
        theta_bar: &mut [S::Elem],
    );

    /// Which of the field's evaluations were a step's stages, if that can be told from their order.
    fn stages() -> Option<Stages> {
        None
    }
}

/// A step that was taken.
#[derive(Debug)]
pub struct Step<'a, S: State> {
    /// When it started.
    pub t: S::Elem,
    /// Its size.
    pub h: S::Elem,
    /// The state it started from.
    pub y0: &'a S,
    /// The slot of the first stage's record, if the stages were recorded, the others' following it.
    pub records: Option<usize>,
}

/// The evaluations of a step: stage after stage, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    /// How many.
    pub count: usize,
    /// The last stage of a step is the first of the next.
    pub shared: bool,
}

/// What a step in reverse needs; allocated once.
#[derive(Debug)]
pub struct PullWork<S: State> {
    k: Vec<S>,
    arguments: Vec<S>,
    bars: Vec<S>,
    scratch: Vec<S>,
    jacobian: Vec<S::Elem>,
    lu: Lu<S::Elem>,
    /// The first slot that holds no record of the run.
    pub(super) free: usize,
    /// Evaluations of the field, and pull-backs of it.
    pub(super) evals: u64,
    pub(super) pulls: u64,
}

impl<S: State> Default for PullWork<S> {
    fn default() -> Self {
        PullWork {
            k: Vec::new(),
            arguments: Vec::new(),
            bars: Vec::new(),
            scratch: Vec::new(),
            jacobian: Vec::new(),
            lu: Lu::default(),
            free: 0,
            evals: 0,
            pulls: 0,
        }
    }
}

impl<S: State> PullWork<S> {
    /// Makes room for so many stages, and so many further states.
    fn prepare(&mut self, stages: usize, scratch: usize, y: &S) {
        let fits = self.k.len() == stages && self.scratch.iter().all(|s| s.same_shape(y));
        if !fits || self.scratch.len() != scratch {
            self.k = vec![y.clone(); stages];
            self.arguments = vec![y.clone(); stages];
            self.bars = vec![y.clone(); stages];
            self.scratch = vec![y.clone(); scratch];
        }
    }
}

/// `out += scale · x`.
pub(super) fn add<S: State>(scale: S::Elem, x: &S, out: &mut S) {
    if scale != S::Elem::of(0.0) {
        out.as_mut_slice().iter_mut().zip(x.as_slice()).for_each(|(o, &x)| *o += scale * x);
    }
}

/// `out = scale · x`.
fn scaled<S: State>(scale: S::Elem, x: &S, out: &mut S) {
    out.as_mut_slice().iter_mut().zip(x.as_slice()).for_each(|(o, &x)| *o = scale * x);
}

/// `<a, b>`.
pub(super) fn dot<S: State>(a: &S, b: &S) -> S::Elem {
    a.as_slice().iter().zip(b.as_slice()).map(|(&a, &b)| a * b).sum()
}
