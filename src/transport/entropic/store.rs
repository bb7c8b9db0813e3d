//! The kernel `exp((f_i + g_j - c_ij) / ε)` at fixed potentials: dense, sparse, or recomputed row by row.

use rayon::prelude::*;

use super::problem::{Problem, THREADS, chunk_rows};
use super::rows::{AddScaled, Dot, ExpRow};
use crate::Real;
use crate::simd::Isa;
use crate::transport::Cost;

/// Entries stored at most: 32 million single-precision numbers dense, 12 million with their columns sparse.
const DENSE: usize = 1 << 25;
const SPARSE: usize = 12 << 20;
/// Entries below this are left out where most are: the mass that this loses is far below any tolerance.
const CUT: f64 = 1e-12;

#[derive(Debug)]
enum Entries<T> {
    Dense(Vec<T>),
    /// Where each row starts, columns, values.
    Sparse(Vec<usize>, Vec<u32>, Vec<T>),
    Online,
}

/// The stored kernel of a problem; its potentials stay what they are while it is in use.
#[derive(Debug)]
pub(super) struct Store<T> {
    entries: Entries<T>,
    /// Pairs that one product visits.
    size: usize,
}

impl<T: Real> Store<T> {
    pub(super) fn build<C: Cost + ?Sized>(p: &Problem<'_, C>) -> Self {
        let (n, m) = p.cost.shape();
        let sampled: Vec<usize> = (0..n.min(32)).map(|k| k * n / n.min(32)).collect();
        let mut kept = 0;
        let g = scaled(&p.g, p.eps);
        let mut buffers = (vec![0.0; m], vec![0.0; m]);
        for &i in &sampled {
            exp_row(p, i, &g, &mut buffers);
            kept += buffers.1.iter().filter(|e| **e > CUT).count();
        }
        let expected = kept * n / sampled.len();
        if expected < (n * m / 4).min(SPARSE) {
            return Self::sparse(p, &g, expected);
        }
        if n * m > DENSE {
            return Store { entries: Entries::Online, size: n * m };
        }
        let mut dense = vec![T::zero(); n * m];
        let fill = |(i, out): (usize, &mut [T]), buffers: &mut (Vec<f64>, Vec<f64>)| {
            exp_row(p, i, &g, buffers);
            out.iter_mut().zip(&buffers.1).for_each(|(k, &e)| *k = T::of(e));
        };
        let new = || (vec![0.0; m], vec![0.0; m]);
        dense.par_chunks_exact_mut(m).enumerate().for_each_init(new, |buffers, row| fill(row, buffers));
        Store { entries: Entries::Dense(dense), size: n * m }
    }

    fn sparse<C: Cost + ?Sized>(p: &Problem<'_, C>, g: &[f64], expected: usize) -> Self {
        let (n, m) = p.cost.shape();
        let (mut starts, mut columns, mut values) =
            (vec![0], Vec::with_capacity(expected), Vec::with_capacity(expected));
        let rows = chunk_rows(n);
        let part = |start: usize| {
            let (mut ends, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
            let mut buffers = (vec![0.0; m], vec![0.0; m]);
            for i in start..(start + rows).min(n) {
                exp_row(p, i, g, &mut buffers);
                for (j8, chunk) in buffers.1.chunks(32).enumerate() {
                    if chunk.iter().fold(false, |any, e| any | (*e > CUT)) {
                        for (l, &e) in chunk.iter().enumerate().filter(|(_, e)| **e > CUT) {
                            columns.push((32 * j8 + l) as u32);
                            values.push(T::of(e));
                        }
                    }
                }
                ends.push(columns.len());
            }
            (ends, columns, values)
        };
        let parts: Vec<_> = (0..n).step_by(rows).collect::<Vec<_>>().into_par_iter().map(part).collect();
        for (ends, c, v) in parts {
            let base = columns.len();
            starts.extend(ends.into_iter().map(|end| base + end));
            columns.extend(c);
            values.extend(v);
        }
        let size = columns.len();
        Store { entries: Entries::Sparse(starts, columns, values), size }
    }

    /// `out_j = Σ_i w_i K_ij` with `w_i = weigh(i, Σ_j K_ij x_j)`: there and back in one pass. Also returns w.
    pub(super) fn there_and_back<C: Cost + ?Sized>(
        &self,
        p: &Problem<'_, C>,
        x: &[f64],
        weigh: impl Fn(usize, f64) -> f64 + Sync,
    ) -> (Vec<f64>, Vec<f64>) {
        let (n, m) = p.cost.shape();
        let rows = chunk_rows(n);
        let g = if matches!(self.entries, Entries::Online) { scaled(&p.g, p.eps) } else { Vec::new() };
        let chunk = |start: usize| {
            let (mut w, mut out) = (Vec::with_capacity(rows), vec![0.0; m]);
            let mut buffers = (Vec::new(), Vec::new());
            for i in start..(start + rows).min(n) {
                w.push(self.row(p, i, x, &g, &weigh, &mut buffers, &mut out));
            }
            (w, out)
        };
        let starts: Vec<usize> = (0..n).step_by(rows).collect();
        let parts: Vec<_> = match self.size < THREADS {
            true => starts.into_iter().map(chunk).collect(),
            false => starts.into_par_iter().map(chunk).collect(),
        };
        let (mut w, mut out) = (Vec::with_capacity(n), vec![0.0; m]);
        for (part, sums) in parts {
            w.extend(part);
            out.iter_mut().zip(sums).for_each(|(c, s)| *c += s);
        }
        (w, out)
    }

    #[allow(clippy::too_many_arguments)]
    fn row<C: Cost + ?Sized>(
        &self,
        p: &Problem<'_, C>,
        i: usize,
        x: &[f64],
        g: &[f64],
        weigh: &impl Fn(usize, f64) -> f64,
        buffers: &mut (Vec<f64>, Vec<f64>),
        out: &mut [f64],
    ) -> f64 {
        let isa = Isa::detect();
        let m = x.len();
        match &self.entries {
            Entries::Dense(k) => {
                let k = &k[i * m..][..m];
                let w = weigh(i, isa.run(Dot { k, x }));
                isa.run(AddScaled { k, by: w, out });
                w
            }
            Entries::Sparse(starts, columns, values) => {
                let at = starts[i]..starts[i + 1];
                let (columns, values) = (&columns[at.clone()], &values[at]);
                let dot: f64 = columns.iter().zip(values).map(|(&j, k)| k.f64() * x[j as usize]).sum();
                let w = weigh(i, dot);
                columns.iter().zip(values).for_each(|(&j, k)| out[j as usize] += w * k.f64());
                w
            }
            Entries::Online => {
                buffers.0.resize(m, 0.0);
                buffers.1.resize(m, 0.0);
                exp_row(p, i, g, buffers);
                let w = weigh(i, isa.run(Dot { k: &buffers.1, x }));
                isa.run(AddScaled { k: &buffers.1, by: w, out });
                w
            }
        }
    }
}

fn scaled(g: &[f64], eps: f64) -> Vec<f64> {
    g.iter().map(|g| g / eps).collect()
}

/// Row `i` of the kernel, into the second buffer.
fn exp_row<C: Cost + ?Sized>(p: &Problem<'_, C>, i: usize, g: &[f64], buffers: &mut (Vec<f64>, Vec<f64>)) {
    let scale = 1.0 / p.eps;
    let c = p.cost.row(i, &mut buffers.0);
    Isa::detect().run(ExpRow { c, g, b: p.b, shift: p.f[i] * scale, scale, out: &mut buffers.1 });
}
