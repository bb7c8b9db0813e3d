//! The one loop that steps every explicit Runge–Kutta method.

use num_traits::Float as _;

use super::combine::{Dynamic, combine, weighted_sum};
use super::tableau::{ExtraStage, Interpolant, Method, Tableau, row, unrolled};
use crate::integrate::{Integrator, Polynomial, Tolerance};
use crate::memory::Memories;
use crate::state::check_layout;
use crate::{Real, Result, State, VectorField};
use std::fmt;
use std::marker::PhantomData;

/// An explicit Runge–Kutta method `M` with `N` stages on states of type `S`.
///
/// Users take it by its method's name, [`Tsit5`](super::Tsit5) for instance. A method of your own is a
/// [`Tableau`] on an empty type:
///
/// ```
/// use flowfield::integrate::explicit::{ExplicitRk, tableau::{Interpolant, Method, Tableau}};
/// use flowfield::{Flow, field};
///
/// struct Kutta3;
/// impl Method<3> for Kutta3 {
///     const TABLEAU: Tableau<3> = Tableau {
///         name: "Kutta3", order: 3, embedded_order: 0,
///         a: [[0.0; 3], [0.5, 0.0, 0.0], [-1.0, 2.0, 0.0]],
///         b: [1.0 / 6.0, 2.0 / 3.0, 1.0 / 6.0], c: [0.0, 0.5, 1.0],
///         e: None, e3: None, fsal: false, interpolant: Interpolant::Hermite,
///     };
/// }
/// let decay = field(|_t, y: &[f64; 1], dy| dy[0] = -y[0]);
/// let mut y = [1.0];
/// Flow::new(decay, ExplicitRk::<Kutta3, _, 3>::new()).steps(100, 0.01, &mut y)?;
/// assert!((y[0] - (-1.0_f64).exp()).abs() < 1e-7);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct ExplicitRk<M, S, const N: usize> {
    /// The stages k₁..k_N, and whether k₁ belongs to the coming step already.
    k: Option<Box<[S; N]>>,
    k1_ready: bool,
    /// f(t + h, y₁), if the interpolant has asked for it.
    end_slope: Option<S>,
    end_slope_ready: bool,
    extra: Vec<S>,
    method: PhantomData<fn() -> M>,
}

impl<M: Method<N>, S: State, const N: usize> ExplicitRk<M, S, N> {
    const T: Tableau<N> = M::TABLEAU;

    /// The method, before it has seen a state.
    pub fn new() -> Self {
        const { assert!(N <= 17, "at most 17 stages are unrolled") };
        ExplicitRk {
            k: None,
            k1_ready: false,
            end_slope: None,
            end_slope_ready: false,
            extra: Vec::new(),
            method: PhantomData,
        }
    }
}

impl<M: Method<N>, S: State, const N: usize> Default for ExplicitRk<M, S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Method<N>, S: State, const N: usize> fmt::Debug for ExplicitRk<M, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::T.name).field("stages", &N).finish_non_exhaustive()
    }
}

impl<M: Method<N>, S: State, const N: usize> Integrator<S> for ExplicitRk<M, S, N> {
    fn name(&self) -> &'static str {
        Self::T.name
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        // A last stage that the next step could reuse is evaluated again.
        Some(Vec::new())
    }

    fn order(&self) -> Option<u32> {
        Some(Self::T.order)
    }

    fn error_order(&self) -> Option<u32> {
        Self::T.e.map(|_| Self::T.error_order())
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        let fits = self.k.as_ref().is_some_and(|k| k[0].same_shape(y0));
        if !fits {
            self.k = Some(Box::new(std::array::from_fn(|_| y0.clone())));
            self.end_slope = None;
            self.extra.clear();
        }
        (self.k1_ready, self.end_slope_ready) = (false, false);
        Ok(())
    }

    fn prime(&mut self, slope: &S) {
        if let Some(k) = &mut self.k {
            k[0].clone_from(slope);
            self.k1_ready = true;
        }
    }

    #[inline(always)]
    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.k.is_none() {
            self.init(y0)?;
        }
        // One pointer for all stages: what a stage has just stored then stays in registers for the next.
        let Some(k) = self.k.as_deref_mut() else { return Ok(()) };
        if !self.k1_ready {
            field.eval(t, y0, &mut k[0]);
            self.k1_ready = true;
        }
        self.end_slope_ready = false;
        // y1 holds each stage's argument in turn: no scratch state is needed.
        unrolled!(N, I => {
            combine::<I, N, S>(&const { row(&Self::T.a, I) }, h, y0, k, y1);
            field.eval(t + S::Elem::of(const { if I < N { Self::T.c[I] } else { 0.0 } }) * h, y1, &mut k[I]);
        });
        if !Self::T.fsal {
            combine::<N, N, S>(&const { Self::T.b }, h, y0, k, y1);
        }
        Ok(())
    }

    #[inline(always)]
    fn accept(&mut self, smooth: bool) {
        self.k1_ready = false;
        if let Some(k) = &mut self.k {
            if smooth && Self::T.fsal {
                k.swap(0, N - 1);
                self.k1_ready = true;
            } else if let (true, Some(slope)) = (smooth && self.end_slope_ready, &mut self.end_slope) {
                std::mem::swap(&mut k[0], slope);
                self.k1_ready = true;
            }
        }
        self.end_slope_ready = false;
    }

    #[inline(always)]
    fn error_norm(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let k = self.k.as_deref()?;
        let (y0, y1) = (y0.as_slice(), y1.as_slice());
        let e = weighted_sum(const { &Self::T.e }.as_ref()?, h, k, y0.len());
        let first = tol.norm(y0, y1, &e);
        let Some(e3) = (const { &Self::T.e3 }) else { return Some(first) };
        let third = tol.norm(y0, y1, &weighted_sum(e3, h, k, y0.len()));
        let deno = first * first + S::Elem::of(0.01) * third * third;
        // Both zero: the step is exact. NaN passes through.
        Some(if deno == S::Elem::of(0.0) { deno } else { first * first / deno.sqrt() })
    }

    fn stability_bound(&self) -> Option<f64> {
        (N > 1).then(|| Self::T.real_stability())
    }

    fn stiffness(&self, h: S::Elem) -> Option<S::Elem> {
        // Two stages at the same time: ‖k_N − k_(N−1)‖ / ‖g_N − g_(N−1)‖ for their arguments g.
        let k = self.k.as_deref().filter(|_| N > 1 && Self::T.c[N - 1] == Self::T.c[N - 2])?;
        let rows = (&Self::T.a[N - 1], &Self::T.a[N - 2]);
        let (mut slopes, mut arguments) = (S::Elem::of(0.0), S::Elem::of(0.0));
        for i in 0..k[0].as_slice().len() {
            let mut difference = S::Elem::of(0.0);
            for (k, (a, b)) in k[..N - 1].iter().zip(rows.0.iter().zip(rows.1)) {
                difference += S::Elem::of(a - b) * k.as_slice()[i];
            }
            let slope = k[N - 1].as_slice()[i] - k[N - 2].as_slice()[i];
            (slopes, arguments) = (slopes + slope * slope, arguments + difference * difference);
        }
        let _ = h;
        Some(if arguments > S::Elem::of(0.0) { (slopes / arguments).sqrt() } else { S::Elem::of(0.0) })
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> usize {
        let (Some(k), Some(e)) = (self.k.as_deref(), &Self::T.e) else { return 0 };
        let (y0, y1) = (y0.as_slice(), y1.as_slice());
        tol.worst(y0, y1, &weighted_sum(e, h, k, y0.len()))
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
        match Self::T.interpolant {
            Interpolant::Hermite => self.hermite(field, t, h, (y0, y1), out),
            Interpolant::Polynomial { nested, extra, .. } => {
                self.extra_stages(field, t, h, y0, extra);
                self.polynomial(t, h, y0, nested, out);
            }
        }
        Ok(())
    }
}

impl<M: Method<N>, S: State, const N: usize> ExplicitRk<M, S, N> {
    fn hermite<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        (y0, y1): (&S, &S),
        out: &mut Polynomial<S::Elem>,
    ) {
        let Some(k) = &self.k else { return };
        let f1 = if Self::T.fsal {
            &k[N - 1]
        } else {
            let slope = self.end_slope.get_or_insert_with(|| y0.clone());
            if !self.end_slope_ready {
                field.eval(t + h, y1, slope);
                self.end_slope_ready = true;
            }
            slope
        };
        out.hermite(t, h, (y0.as_slice(), k[0].as_slice()), (y1.as_slice(), f1.as_slice()));
    }

    fn extra_stages<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        stages: &[ExtraStage],
    ) {
        let Some(k) = &self.k else { return };
        if self.extra.is_empty() && !stages.is_empty() {
            // One more than the stages: the last holds the argument of the stage being evaluated.
            self.extra = vec![y0.clone(); stages.len() + 1];
        }
        for (i, stage) in stages.iter().enumerate() {
            let (done, rest) = self.extra.split_at_mut(i);
            let Some((argument, slots)) = rest.split_last_mut() else { return };
            let all = Dynamic { weights: stage.a, k: k.as_slice(), extra: done };
            all.add_to(h, y0.as_slice(), argument.as_mut_slice());
            field.eval(t + S::Elem::of(stage.c) * h, argument, &mut slots[0]);
        }
    }

    fn polynomial(&self, t: S::Elem, h: S::Elem, y0: &S, nested: &[&[f64]], out: &mut Polynomial<S::Elem>) {
        let Some(k) = &self.k else { return };
        let degree = nested.iter().map(|w| w.len()).max().unwrap_or(0);
        out.start(t, h, degree, y0.as_slice());
        for (k, w) in k.iter().chain(&self.extra).zip(nested) {
            for (p, &w) in w.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                let factor = h * S::Elem::of(w);
                let row = out.coefficient_mut(p + 1);
                row.iter_mut().zip(k.as_slice()).for_each(|(c, &k)| *c += factor * k);
            }
        }
    }
}
