//! Linear combinations of stages, each in one pass over memory.

use crate::{Real, State};

/// `out = y0 + h Σ_{j < J} weights[j] k[j]`, skipping weights that are zero.
///
/// With constant weights the sum is straight-line code: for `[F; N]` states in registers, for arrays one
/// loop over all `J` streams. The newest stage is added last, so that the rest of the sum does not wait for it.
#[inline(always)]
pub(super) fn combine<const J: usize, const N: usize, S: State>(
    weights: &[f64; N],
    h: S::Elem,
    y0: &S,
    k: &[S; N],
    out: &mut S,
) {
    sum_into(
        &weighted_sum_of::<J, N, S>(weights, k, y0.as_slice().len()),
        h,
        y0.as_slice(),
        out.as_mut_slice(),
    );
}

#[inline(always)]
fn sum_into<F: Real, const N: usize>(sum: &WeightedSum<'_, F, N>, h: F, y0: &[F], out: &mut [F]) {
    let n = y0.len();
    let out = &mut out[..n];
    for i in 0..n {
        out[i] = y0[i] + h * sum.at(i);
    }
}

/// Σⱼ weights[j] k[j], component by component.
pub(super) struct WeightedSum<'a, F, const N: usize> {
    weights: &'a [f64; N],
    k: [&'a [F]; N],
    terms: usize,
}

/// The sum over all `N` stages.
#[inline(always)]
pub(super) fn weighted_sum<'a, S: State, const N: usize>(
    weights: &'a [f64; N],
    k: &'a [S; N],
    n: usize,
) -> WeightedSum<'a, S::Elem, N> {
    weighted_sum_of::<N, N, S>(weights, k, n)
}

#[inline(always)]
fn weighted_sum_of<'a, const J: usize, const N: usize, S: State>(
    weights: &'a [f64; N],
    k: &'a [S; N],
    n: usize,
) -> WeightedSum<'a, S::Elem, N> {
    let k = std::array::from_fn(|j| if j < J { &k[j].as_slice()[..n] } else { &[] as &[S::Elem] });
    WeightedSum { weights, k, terms: J }
}

impl<F: Real, const N: usize> WeightedSum<'_, F, N> {
    #[inline(always)]
    pub(super) fn at(&self, i: usize) -> F {
        let mut sum = F::zero();
        for j in 0..N {
            if j < self.terms && self.weights[j] != 0.0 {
                sum += F::of(self.weights[j]) * self.k[j][i];
            }
        }
        sum
    }
}

/// A sum whose number of terms is known at run time only: the interpolants' extra stages.
pub(super) struct Dynamic<'a, S> {
    pub(super) weights: &'a [f64],
    pub(super) k: &'a [S],
    pub(super) extra: &'a [S],
}

impl<S: State> Dynamic<'_, S> {
    /// `out = y0 + h Σⱼ weights[j] kⱼ`, `k` first, then `extra`.
    pub(super) fn add_to(&self, h: S::Elem, y0: &[S::Elem], out: &mut [S::Elem]) {
        out.copy_from_slice(y0);
        for (k, &w) in self.k.iter().chain(self.extra).zip(self.weights).filter(|(_, w)| **w != 0.0) {
            let factor = h * S::Elem::of(w);
            out.iter_mut().zip(k.as_slice()).for_each(|(o, &k)| *o += factor * k);
        }
    }
}
