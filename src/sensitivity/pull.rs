//! One step of a method in reverse.

use super::Parametric;
use crate::integrate::Integrator;
use crate::integrate::explicit::ExplicitRk;
use crate::integrate::explicit::tableau::{Method, Tableau};
use crate::{Real, State};

/// A method whose step can be pulled back.
pub trait Reversible<S: State>: Integrator<S> {
    /// The derivative of the step from `y0` at `t`, in reverse: turns the cotangent of its end into that of `y0`, and adds
    /// what belongs to the parameters to `theta_bar`. The step size is held fixed.
    fn pull<V: Parametric<S> + ?Sized>(
        work: &mut PullWork<S>,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        bar: &mut S,
        theta_bar: &mut [S::Elem],
    );
}

/// What a step in reverse needs; allocated once.
#[derive(Debug)]
pub struct PullWork<S> {
    k: Vec<S>,
    arguments: Vec<S>,
    bars: Vec<S>,
    cotangent: Option<S>,
    /// Evaluations of the field, and pull-backs of it.
    pub(super) evals: u64,
    pub(super) pulls: u64,
}

impl<S> Default for PullWork<S> {
    fn default() -> Self {
        PullWork {
            k: Vec::new(),
            arguments: Vec::new(),
            bars: Vec::new(),
            cotangent: None,
            evals: 0,
            pulls: 0,
        }
    }
}

impl<S: State> PullWork<S> {
    fn prepare(&mut self, stages: usize, y: &S) {
        let fits = self.k.len() == stages && self.cotangent.as_ref().is_some_and(|c| c.same_shape(y));
        if !fits {
            self.k = vec![y.clone(); stages];
            self.arguments = vec![y.clone(); stages];
            self.bars = vec![y.clone(); stages];
            self.cotangent = Some(y.clone());
        }
    }
}

/// Stages that the end of the step depends on: the last of a first-same-as-last method is not among them.
const fn needed<const N: usize>(t: &Tableau<N>) -> usize {
    let mut n = N;
    while n > 1 && t.b[n - 1] == 0.0 {
        n -= 1;
    }
    n
}

/// With `k̄ᵢ = h bᵢ ȳ₁ + h Σⱼ aⱼᵢ Ȳⱼ` and `Ȳᵢ = (∂f/∂y)ᵀ k̄ᵢ`, from the last stage to the first: `ȳ₀ = ȳ₁ + Σᵢ Ȳᵢ`.
///
/// Reference: Hager, *Runge–Kutta methods in optimal control and the transformed adjoint system*, Numer. Math. 87 (2000)
/// 247–282; Sanz-Serna, SIAM Rev. 58 (2016) 3–33.
impl<M: Method<N>, S: State, const N: usize> Reversible<S> for ExplicitRk<M, S, N> {
    fn pull<V: Parametric<S> + ?Sized>(
        work: &mut PullWork<S>,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        bar: &mut S,
        theta_bar: &mut [S::Elem],
    ) {
        let tableau = &M::TABLEAU;
        let stages = const { needed(&M::TABLEAU) };
        let time = |i: usize| t + S::Elem::of(tableau.c[i]) * h;
        work.prepare(stages, y0);
        let PullWork { k, arguments, bars, cotangent, evals, pulls } = work;
        let Some(cotangent) = cotangent else { return };
        for (i, argument) in arguments.iter_mut().enumerate() {
            let (before, now) = k.split_at_mut(i);
            argument.clone_from(y0);
            for (a, k) in tableau.a[i].iter().zip(before.iter()) {
                add(h * S::Elem::of(*a), k, argument);
            }
            field.record(i, time(i), argument, &mut now[0]);
        }
        for i in (0..stages).rev() {
            scaled(h * S::Elem::of(tableau.b[i]), bar, cotangent);
            let (now, later) = bars[i..].split_at_mut(1);
            for (row, later) in tableau.a[i + 1..].iter().zip(later.iter()) {
                add(h * S::Elem::of(row[i]), later, cotangent);
            }
            field.vjp_recorded(i, time(i), &arguments[i], cotangent, &mut now[0], theta_bar);
        }
        bars.iter().for_each(|b| add(S::Elem::of(1.0), b, bar));
        *evals += stages as u64;
        *pulls += stages as u64;
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
