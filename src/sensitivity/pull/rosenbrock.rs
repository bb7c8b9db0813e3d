//! Rosenbrock–Wanner methods in reverse.

use num_traits::Float as _;

use super::{PullWork, Reversible, Step, add, scaled};
use crate::integrate::implicit::Rosenbrock;
use crate::integrate::implicit::tableau::{RosenbrockMethod, RosenbrockTableau};
use crate::jacobian::Structure;
use crate::sensitivity::Parametric;
use crate::{Real, State};

/// A step is `W uᵢ = f(tᵢ, Yᵢ) + Σⱼ (cᵢⱼ/h) uⱼ + h γᵢ f_t`, `W = I/(hγ) - J`, `Yᵢ = y₀ + Σⱼ aᵢⱼ uⱼ`, `y₁ = y₀ + Σᵢ bᵢ uᵢ`, with `J` and
/// `f_t` at `(t, y₀)`. From the last stage to the first:
///
/// ```text
/// Wᵀ wᵢ = bᵢ ȳ₁ + Σⱼ₍ⱼ₎ᵢ₎ (aⱼᵢ Ȳⱼ + (cⱼᵢ/h) wⱼ),   Ȳᵢ = (∂f/∂y)ᵀ wᵢ at Yᵢ,
/// ȳ₀ = ȳ₁ + Σᵢ (Ȳᵢ + ∂/∂y₀ [wᵢᵀ (J uᵢ + h γᵢ f_t)]):
/// ```
///
/// one factorisation of the transposed matrix, and a second derivative of the field for each stage, because the method's own
/// Jacobian is part of the map that it computes.
///
/// Reference: Daescu, Carmichael, Sandu, *Adjoint implementation of Rosenbrock methods applied to variational data assimilation
/// problems*, J. Comput. Phys. 165 (2000) 496–510.
impl<M: RosenbrockMethod<N>, S: State, const N: usize> Reversible<S> for Rosenbrock<M, S, N> {
    fn pull<V: Parametric<S> + ?Sized>(
        work: &mut PullWork<S>,
        field: &mut V,
        step: Step<'_, S>,
        bar: &mut S,
        theta_bar: &mut [S::Elem],
    ) {
        let tableau = &M::TABLEAU;
        work.prepare(N, 3, step.y0);
        let n = step.y0.as_slice().len();
        work.form_jacobian(field, &step);
        if !work.factor((n, step.h), tableau.gamma, false) {
            return bar.as_mut_slice().fill(S::Elem::nan());
        }
        work.rosenbrock_stages(tableau, field, &step);
        if !work.factor((n, step.h), tableau.gamma, true) {
            return bar.as_mut_slice().fill(S::Elem::nan());
        }
        work.rosenbrock_back(tableau, field, &step, bar, theta_bar);
    }
}

impl<S: State> PullWork<S> {
    /// The dense Jacobian at the start of the step.
    fn form_jacobian<V: Parametric<S> + ?Sized>(&mut self, field: &mut V, &Step { t, y0, .. }: &Step<'_, S>) {
        let n = y0.as_slice().len();
        self.jacobian.resize(n * n, S::Elem::of(0.0));
        self.jacobian.fill(S::Elem::of(0.0));
        if field.structure(t, y0) == Structure::Dense && field.jacobian(t, y0, &mut self.jacobian) {
            return;
        }
        let [unit, column, _] = &mut self.scratch[..] else { return };
        unit.as_mut_slice().fill(S::Elem::of(0.0));
        for j in 0..n {
            unit.as_mut_slice()[j] = S::Elem::of(1.0);
            field.tangent(t, y0, unit, &[], column);
            unit.as_mut_slice()[j] = S::Elem::of(0.0);
            let rows = self.jacobian[j..].iter_mut().step_by(n).zip(column.as_slice());
            rows.for_each(|(to, &from)| *to = from);
        }
    }

    /// Factorises `I/(hγ) - J` or its transpose; false if it is singular.
    fn factor(&mut self, (n, h): (usize, S::Elem), gamma: f64, transposed: bool) -> bool {
        self.lu.resize(n);
        let shift = (S::Elem::of(gamma) * h).recip();
        let at = |i: usize, j: usize| if transposed { j * n + i } else { i * n + j };
        let matrix = self.lu.matrix();
        for i in 0..n {
            for j in 0..n {
                let unit = if i == j { shift } else { S::Elem::of(0.0) };
                matrix[i * n + j] = unit - self.jacobian[at(i, j)];
            }
        }
        self.lu.factor(n)
    }

    /// The stages `uᵢ` and their arguments again.
    fn rosenbrock_stages<V: Parametric<S> + ?Sized, const N: usize>(
        &mut self,
        tableau: &RosenbrockTableau<N>,
        field: &mut V,
        &Step { t, h, y0, .. }: &Step<'_, S>,
    ) {
        let (of, n) = (S::Elem::of, y0.as_slice().len());
        let PullWork { k: u, arguments, scratch, lu, evals, .. } = self;
        let [in_time, ..] = &mut scratch[..] else { return };
        time_derivative(field, (t, y0), in_time, &mut u[0]);
        for (i, argument) in arguments.iter_mut().enumerate() {
            let (before, now) = u.split_at_mut(i);
            let now = &mut now[0];
            argument.clone_from(y0);
            before.iter().zip(&tableau.a[i]).for_each(|(u, &a)| add(of(a), u, argument));
            field.eval(t + of(tableau.alpha[i]) * h, argument, now);
            before.iter().zip(&tableau.c[i]).for_each(|(u, &c)| add(of(c) / h, u, now));
            add(h * of(tableau.gammas[i]), in_time, now);
            lu.solve(n, now.as_mut_slice());
        }
        *evals += N as u64;
    }

    /// The cotangents of the stages, the last one first.
    fn rosenbrock_back<V: Parametric<S> + ?Sized, const N: usize>(
        &mut self,
        tableau: &RosenbrockTableau<N>,
        field: &mut V,
        &Step { t, h, y0, .. }: &Step<'_, S>,
        bar: &mut S,
        theta_bar: &mut [S::Elem],
    ) {
        let (of, n) = (S::Elem::of, y0.as_slice().len());
        // A stage's u gives way to its w, once it is known.
        let PullWork { k: u, arguments, bars, scratch, lu, pulls, .. } = self;
        let [sum, w, curved] = &mut scratch[..] else { return };
        sum.clone_from(bar);
        for i in (0..N).rev() {
            scaled(of(tableau.b[i]), bar, w);
            for j in i + 1..N {
                add(of(tableau.a[j][i]), &bars[j], w);
                add(of(tableau.c[j][i]) / h, &u[j], w);
            }
            lu.solve(n, w.as_mut_slice());
            field.vjp(t + of(tableau.alpha[i]) * h, &arguments[i], w, &mut bars[i], theta_bar);
            let along = (h * of(tableau.gammas[i]), &u[i]);
            field.vjp_of_tangent((t, y0), along, w, curved, theta_bar);
            add(of(1.0), &bars[i], sum);
            add(of(1.0), curved, sum);
            u[i].clone_from(w);
        }
        bar.clone_from(sum);
        *pulls += 2 * N as u64;
    }
}

/// `∂f/∂t`, by central differences where the field does not know it.
fn time_derivative<S: State, V: Parametric<S> + ?Sized>(
    field: &mut V,
    (t, y): (S::Elem, &S),
    out: &mut S,
    other: &mut S,
) {
    if field.time_derivative(t, y, out) {
        return;
    }
    let step = S::Elem::EPS.cbrt() * (S::Elem::of(1.0) + t.abs());
    let (up, down) = (t + step, t - step);
    field.eval(up, y, out);
    field.eval(down, y, other);
    let pairs = out.as_mut_slice().iter_mut().zip(other.as_slice());
    pairs.for_each(|(o, &d)| *o = (*o - d) / (up - down));
}
