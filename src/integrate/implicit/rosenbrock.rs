//! The one loop that steps every Rosenbrock–Wanner method.

use std::fmt;
use std::marker::PhantomData;

use num_traits::Float as _;

use super::derivative::time_derivative;
use super::system::System;
use super::tableau::{RosenbrockMethod, RosenbrockTableau};
use crate::integrate::{Integrator, Polynomial, Tolerance, Work};
use crate::state::{check_layout, first_not_finite};
use crate::{Error, Real, Result, State, VectorField};

/// A Rosenbrock–Wanner method `M` with `N` stages: linearly implicit, one factorisation and `N` solves a step, no
/// Newton iteration. For stiff problems with up to some hundred unknowns, more if the Jacobian is banded or sparse.
///
/// Users take it by its method's name, [`Rodas5P`](super::Rodas5P) for instance.
///
/// ```
/// use flowfield::{Flow, field, integrate::Rodas5P};
/// // Robertson's reaction: rates from 0.04 to 3e7.
/// let robertson = field(|_t, y: &[f64; 3], dy| {
///     let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
///     *dy = [fast - slow, slow - fast - faster, faster];
/// });
/// let sol = Flow::new(robertson, Rodas5P::new()).rtol(1e-6).atol(1e-10).solve(0.0, 1e5, [1.0, 0.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.786592e-2).abs() < 1e-6);
/// assert!(sol.stats.accepted < 120);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rosenbrock<M, S: State, const N: usize> {
    work: Option<Box<Workspace<S, N>>>,
    tol: Tolerance<S::Elem>,
    method: PhantomData<fn() -> M>,
}

/// What a step needs; all of it allocated once.
struct Workspace<S: State, const N: usize> {
    u: [S; N],
    /// f(t, y₀), ∂f/∂t and ∂f/∂y at the start of the step.
    slope: S,
    in_time: S,
    system: System<S>,
    /// Argument and right-hand side of a stage, and what the mass matrix multiplies.
    scratch: [S; 3],
    slope_ready: bool,
    jac_ready: bool,
    /// The last matrix could not be factorised.
    singular: bool,
}

impl<M: RosenbrockMethod<N>, S: State, const N: usize> Rosenbrock<M, S, N> {
    const T: RosenbrockTableau<N> = M::TABLEAU;

    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Rosenbrock { work: None, tol: Tolerance::default(), method: PhantomData }
    }
}

impl<M: RosenbrockMethod<N>, S: State, const N: usize> Default for Rosenbrock<M, S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: RosenbrockMethod<N>, S: State, const N: usize> fmt::Debug for Rosenbrock<M, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::T.name).field("tol", &self.tol).finish_non_exhaustive()
    }
}

impl<S: State, const N: usize> Workspace<S, N> {
    fn new(y0: &S) -> Self {
        Workspace {
            u: std::array::from_fn(|_| y0.clone()),
            slope: y0.clone(),
            in_time: y0.clone(),
            system: System::new(y0),
            scratch: [y0.clone(), y0.clone(), y0.clone()],
            slope_ready: false,
            jac_ready: false,
            singular: false,
        }
    }

    /// The field and its derivatives at the start of a step; kept when the step is repeated.
    #[inline(always)]
    fn differentiate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        (h, tol): (S::Elem, &Tolerance<S::Elem>),
        y0: &S,
    ) -> Result<()> {
        self.system.look_at(field)?;
        if !self.slope_ready {
            field.eval(t, y0, &mut self.slope);
            self.slope_ready = true;
        }
        if !self.jac_ready {
            time_derivative(field, (t, y0, &self.slope), h.signum(), &mut self.in_time);
            self.system.refresh(field, (t, y0, &self.slope), (h, tol));
            self.jac_ready = true;
        }
        Ok(())
    }

    /// Solves for `u[i]`, those before it being known.
    #[inline(always)]
    fn stage<V: VectorField<S> + ?Sized>(
        &mut self,
        tableau: &RosenbrockTableau<N>,
        field: &mut V,
        (t, h, y0): (S::Elem, S::Elem, &S),
        i: usize,
    ) {
        let of = S::Elem::of;
        let [argument, rhs, massed] = &mut self.scratch;
        if i == 0 {
            rhs.clone_from(&self.slope);
        } else {
            argument.clone_from(y0);
            add(&tableau.a[i], i, of(1.0), &self.u, argument);
            field.eval(t + of(tableau.alpha[i]) * h, argument, rhs);
            match self.system.mass() {
                None => add(&tableau.c[i], i, h.recip(), &self.u, rhs),
                Some(mass) => {
                    argument.as_mut_slice().fill(of(0.0));
                    add(&tableau.c[i], i, h.recip(), &self.u, argument);
                    mass.times(argument.as_slice(), massed.as_mut_slice());
                    rhs.as_mut_slice().iter_mut().zip(massed.as_slice()).for_each(|(r, &m)| *r += m);
                }
            }
        }
        let in_time = of(tableau.gammas[i]) * h;
        let pairs = rhs.as_mut_slice().iter_mut().zip(self.in_time.as_slice());
        pairs.for_each(|(r, &d)| *r += in_time * d);
        self.system.solve(field, rhs);
        self.u[i].clone_from(rhs);
    }
}

/// `out += Σ_{j < count} weights[j] · scale · u[j]`, skipping zero weights.
#[inline(always)]
fn add<S: State, const N: usize>(weights: &[f64; N], count: usize, scale: S::Elem, u: &[S; N], out: &mut S) {
    let out = out.as_mut_slice();
    for j in 0..count {
        if weights[j] != 0.0 {
            let w = scale * S::Elem::of(weights[j]);
            out.iter_mut().zip(u[j].as_slice()).for_each(|(o, &u)| *o += w * u);
        }
    }
}

impl<M: RosenbrockMethod<N>, S: State, const N: usize> Integrator<S> for Rosenbrock<M, S, N> {
    fn name(&self) -> &'static str {
        Self::T.name
    }

    fn order(&self) -> Option<u32> {
        Some(Self::T.order)
    }

    fn error_order(&self) -> Option<u32> {
        Some(Self::T.embedded_order)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        match &mut self.work {
            Some(w) if w.system.fits(y0) => {
                w.system.restart();
                (w.slope_ready, w.jac_ready) = (false, false);
            }
            _ => self.work = Some(Box::new(Workspace::new(y0))),
        }
        Ok(())
    }

    fn aim(&mut self, tol: &Tolerance<S::Elem>) {
        self.tol = tol.clone();
    }

    fn prime(&mut self, slope: &S) {
        if let Some(w) = &mut self.work {
            w.slope.clone_from(slope);
            w.slope_ready = true;
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
        if self.work.is_none() {
            self.init(y0)?;
        }
        let Some(w) = self.work.as_deref_mut() else { return Ok(()) };
        w.differentiate(field, t, (h, &self.tol), y0)?;
        w.singular = !w.system.factor((S::Elem::of(Self::T.gamma) * h).recip());
        if w.singular {
            // 1/(hγ) is an eigenvalue of J, or J is not finite: a NaN makes the step be repeated with another h.
            y1.as_mut_slice().fill(S::Elem::nan());
            w.u[N - 1].as_mut_slice().fill(S::Elem::nan());
            return Ok(());
        }
        for i in 0..N {
            w.stage(&Self::T, field, (t, h, y0), i);
        }
        y1.clone_from(y0);
        add(&Self::T.b, N, S::Elem::of(1.0), &w.u, y1);
        Ok(())
    }

    fn accept(&mut self, _smooth: bool) {
        if let Some(w) = &mut self.work {
            (w.slope_ready, w.jac_ready) = (false, false);
        }
    }

    #[inline(always)]
    fn error_norm(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let w = self.work.as_deref()?;
        Some(tol.norm(y0.as_slice(), y1.as_slice(), &Estimate { weights: &Self::T.e, u: &w.u }))
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> usize {
        let Some(w) = self.work.as_deref() else { return 0 };
        tol.worst(y0.as_slice(), y1.as_slice(), &Estimate { weights: &Self::T.e, u: &w.u })
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
        let Some(w) = self.work.as_deref_mut() else { return Ok(()) };
        if Self::T.dense.is_empty() {
            let slope = &mut w.scratch[0];
            field.eval(t + h, y1, slope);
            out.hermite(t, h, (y0.as_slice(), w.slope.as_slice()), (y1.as_slice(), slope.as_slice()));
            return Ok(());
        }
        out.start(t, h, 4, y0.as_slice());
        let ends = y1.as_slice().iter().zip(y0.as_slice());
        out.coefficient_mut(1).iter_mut().zip(ends).for_each(|(c, (&y1, &y0))| *c = y1 - y0);
        // In nested form: k₁ + θ(k₂ + θ k₃) = k₁ + θ((k₂ + k₃) - θ̄ k₃).
        let rows = [&[(0, 1.0)][..], &[(1, 1.0), (2, 1.0)], &[(2, -1.0)]];
        for (power, sources) in rows.iter().enumerate() {
            let to = out.coefficient_mut(power + 2);
            for (row, sign) in sources.iter().filter_map(|&(r, sign)| Some((Self::T.dense.get(r)?, sign))) {
                for (u, &weight) in w.u.iter().zip(row) {
                    let weight = S::Elem::of(sign * weight);
                    to.iter_mut().zip(u.as_slice()).for_each(|(c, &u)| *c += weight * u);
                }
            }
        }
        Ok(())
    }

    fn explain(&self, t: S::Elem, h: S::Elem, steps: Option<u64>) -> Option<Error> {
        let w = self.work.as_deref()?;
        // Of a field that is not finite the caller can say more.
        let singular = w.singular && first_not_finite(w.slope.as_slice()).is_none();
        (singular && steps.is_none()).then(|| Error::SingularMatrix {
            method: Self::T.name,
            t: t.f64(),
            h: h.f64(),
        })
    }

    fn takes_mass(&self) -> bool {
        !Self::T.dense.is_empty()
    }

    fn work(&self) -> Work {
        self.work.as_deref().map_or_else(Work::default, |w| w.system.counts())
    }
}

/// Σᵢ eᵢ uᵢ, component by component.
struct Estimate<'a, S, const N: usize> {
    weights: &'a [f64; N],
    u: &'a [S; N],
}

impl<S: State, const N: usize> crate::integrate::Components<S::Elem> for Estimate<'_, S, N> {
    #[inline(always)]
    fn at(&self, i: usize) -> S::Elem {
        let mut sum = S::Elem::of(0.0);
        for j in 0..N {
            if self.weights[j] != 0.0 {
                sum += S::Elem::of(self.weights[j]) * self.u[j].as_slice()[i];
            }
        }
        sum
    }
}
