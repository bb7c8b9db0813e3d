//! One entropic problem at one temperature: potentials, and passes over all pairs that recompute every cost.

use rayon::prelude::*;

use super::rows::{AddScaled, ExpRow};
use crate::simd::Isa;
use crate::state::first_not_finite;
use crate::transport::Cost;
use crate::transport::exact::scan::column_minima;

/// Pairs from which threads pay.
pub(super) const THREADS: usize = 1 << 18;
/// Chunks of rows; their sums are added in order, so that the bits do not depend on the number of threads.
const CHUNKS: usize = 16;

pub(super) fn chunk_rows(n: usize) -> usize {
    n.div_ceil(CHUNKS).max(16)
}

/// Numbers outside this are underflow or overflow on the way.
fn sane(x: f64) -> bool {
    x > 1e-280 && x < 1e280
}

/// Costs, weights and potentials; `reach` is ρ of the marginal penalties, infinite for hard marginals.
#[derive(Debug)]
pub(super) struct Problem<'a, C: ?Sized> {
    pub cost: &'a C,
    pub a: &'a [f64],
    pub b: &'a [f64],
    pub f: Vec<f64>,
    pub g: Vec<f64>,
    pub eps: f64,
    pub reach: f64,
    pub passes: usize,
}

impl<C: Cost + ?Sized> Problem<'_, C> {
    /// What a potential is multiplied with after each update: ρ / (ρ + ε).
    fn damping(&self) -> f64 {
        if self.reach.is_finite() { self.reach / (self.reach + self.eps) } else { 1.0 }
    }

    /// One iteration: `f` from `g`, and then `g` from the new `f`, in one pass over the pairs. Returns the L1
    /// error of the column marginals before `g` changed (the rows' are exact); with soft marginals, the change of
    /// the potentials in units of ε instead.
    pub(super) fn pass(&mut self) -> f64 {
        self.passes += 1;
        let (f, columns) = self.half_pass();
        let damping = self.damping();
        let change_f = change(&self.f, &f) / self.eps;
        self.f = f;
        let mut minima = None;
        let (mut error, mut change_g) = (0.0, 0.0_f64);
        for (j, &sum) in columns.iter().enumerate() {
            error += self.b[j] * (sum - 1.0).abs();
            let full = match sane(sum) {
                true => self.g[j] - self.eps * sum.ln(),
                // Nothing reaches this column yet: start from the nearest source.
                false => minima
                    .get_or_insert_with(|| column_minima(self.cost, self.f.iter().copied().enumerate()))[j],
            };
            change_g = change_g.max((damping * full - self.g[j]).abs() / self.eps);
            self.g[j] = damping * full;
        }
        if damping < 1.0 { change_f.max(change_g) } else { error }
    }

    /// New `f`, and `Σ_i a_i exp((f_i + g_j - c_ij) / ε)` with it.
    fn half_pass(&self) -> (Vec<f64>, Vec<f64>) {
        let (n, m) = self.cost.shape();
        let g: Vec<f64> = self.g.iter().map(|g| g / self.eps).collect();
        let rows = chunk_rows(n);
        let chunk = |start: usize| {
            let (mut f, mut sums) = (Vec::with_capacity(rows), vec![0.0; m]);
            let (mut scratch, mut e) = (vec![0.0; m], vec![0.0; m]);
            for i in start..(start + rows).min(n) {
                f.push(self.row(i, &g, &mut scratch, &mut e, &mut sums));
            }
            (f, sums)
        };
        let starts: Vec<usize> = (0..n).step_by(rows).collect();
        let parts: Vec<_> = match n * m < THREADS {
            true => starts.into_iter().map(chunk).collect(),
            false => starts.into_par_iter().map(chunk).collect(),
        };
        let mut columns = vec![0.0; m];
        let mut f = Vec::with_capacity(n);
        for (part, sums) in parts {
            f.extend(part);
            columns.iter_mut().zip(sums).for_each(|(c, s)| *c += s);
        }
        (f, columns)
    }

    /// The new potential of row `i`, whose plan is added to the columns' sums.
    fn row(&self, i: usize, g: &[f64], scratch: &mut [f64], e: &mut [f64], sums: &mut [f64]) -> f64 {
        let isa = Isa::detect();
        let (c, scale) = (self.cost.row(i, scratch), 1.0 / self.eps);
        if self.passes == 1 && first_not_finite(c).is_some() {
            return f64::NAN;
        }
        let mut old = self.f[i];
        let mut sum = isa.run(ExpRow { c, g, b: self.b, shift: old * scale, scale, out: e });
        if !sane(sum) {
            // Too far from the old potential: start from the nearest target that has mass.
            let near = c.iter().zip(&self.g).zip(self.b).filter(|(_, b)| **b > 0.0);
            old = near.map(|((c, g), _)| c - g).fold(f64::INFINITY, f64::min);
            sum = isa.run(ExpRow { c, g, b: self.b, shift: old * scale, scale, out: e });
        }
        let new = self.damping() * (old - self.eps * sum.ln());
        let by = self.a[i] * ((new - old) * scale).exp();
        isa.run(AddScaled { k: e, by, out: sums });
        new
    }
}

fn change(old: &[f64], new: &[f64]) -> f64 {
    old.iter().zip(new).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
