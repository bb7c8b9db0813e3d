//! Explicit Runge–Kutta methods in reverse.

use super::{PullWork, Reversible, Stages, Step, add, scaled};
use crate::integrate::explicit::ExplicitRk;
use crate::integrate::explicit::tableau::{Method, Tableau};
use crate::sensitivity::Parametric;
use crate::{Real, State};

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
    fn stages() -> Option<Stages> {
        Some(Stages { count: N, shared: M::TABLEAU.fsal })
    }

    fn pull<V: Parametric<S> + ?Sized>(
        work: &mut PullWork<S>,
        field: &mut V,
        step: Step<'_, S>,
        bar: &mut S,
        theta_bar: &mut [S::Elem],
    ) {
        let tableau = &M::TABLEAU;
        let stages = const { needed(&M::TABLEAU) };
        let Step { t, h, y0, records } = step;
        let time = |i: usize| t + S::Elem::of(tableau.c[i]) * h;
        work.prepare(stages, 1, y0);
        if records.is_none() {
            work.run_again(tableau, field, &step);
        }
        let PullWork { arguments, bars, scratch, free, pulls, .. } = work;
        let [cotangent] = &mut scratch[..] else { return };
        for i in (0..stages).rev() {
            scaled(h * S::Elem::of(tableau.b[i]), bar, cotangent);
            let (now, later) = bars[i..].split_at_mut(1);
            for (row, later) in tableau.a[i + 1..].iter().zip(later.iter()) {
                add(h * S::Elem::of(row[i]), later, cotangent);
            }
            let slot = records.unwrap_or(*free) + i;
            field.vjp_recorded(slot, time(i), &arguments[i], cotangent, &mut now[0], theta_bar);
        }
        bars.iter().for_each(|b| add(S::Elem::of(1.0), b, bar));
        *pulls += stages as u64;
    }
}

impl<S: State> PullWork<S> {
    /// The stages again, recorded in slots that are free.
    fn run_again<V: Parametric<S> + ?Sized, const N: usize>(
        &mut self,
        tableau: &Tableau<N>,
        field: &mut V,
        &Step { t, h, y0, .. }: &Step<'_, S>,
    ) {
        for (i, argument) in self.arguments.iter_mut().enumerate() {
            let (before, now) = self.k.split_at_mut(i);
            argument.clone_from(y0);
            for (a, k) in tableau.a[i].iter().zip(before.iter()) {
                add(h * S::Elem::of(*a), k, argument);
            }
            field.record(self.free + i, t + S::Elem::of(tableau.c[i]) * h, argument, &mut now[0]);
        }
        self.evals += self.arguments.len() as u64;
    }
}
