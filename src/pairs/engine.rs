//! Blocks of sources over all targets, strip by strip and thread by thread.

use rayon::prelude::*;

use super::groups::{Groups, strips};
use super::kernel::{Energy, Gaussian, InverseMultiquadric, Laplace, Profile, RadialKernel};
use super::strip::{ROWS, STRIP, Sink, Strips, exponentials, exponents, products, profile, squares};
use crate::Real;
use crate::simd::{Arith, Isa, Kernel};

/// Pairs from which threads pay, and sources that a thread takes at a time.
const THREADS: usize = 1 << 18;
const BLOCK: usize = 64;

/// The targets as the loops want them: coordinates, what is summed, and a number for each (a weight, or a log
/// weight).
#[derive(Debug, Clone)]
pub(super) struct Targets<F: Real> {
    pub points: Groups<F>,
    pub payload: Groups<F>,
    pub weights: Groups<F>,
    pub isa: Isa,
}

impl<F: Real> Targets<F> {
    pub(super) fn new() -> Self {
        Targets { points: Groups::new(), payload: Groups::new(), weights: Groups::new(), isa: Isa::detect() }
    }
}

/// What is done with every block of sources.
pub(super) trait Reduction<F>: Sync {
    /// Numbers that each source sums up in double precision.
    fn width(&self) -> usize;

    /// Adds to the rows of `sums`, one for each row of `x` (d columns).
    fn block(&self, x: &[F], d: usize, sums: &mut [f64]);
}

/// Runs a reduction over all sources, in threads where that pays; `sums` must be as wide as it says.
pub(super) fn reduce<F: Real, R: Reduction<F>>(how: &R, x: &[F], targets: &Targets<F>, sums: &mut [f64]) {
    let (d, width) = (targets.points.columns, how.width());
    let pairs = x.len() / d * targets.points.rows;
    if pairs < THREADS {
        let blocks = x.chunks(BLOCK * d).zip(sums.chunks_mut(BLOCK * width));
        blocks.for_each(|(x, sums)| how.block(x, d, sums));
    } else {
        let blocks = x.par_chunks(BLOCK * d).zip(sums.par_chunks_mut(BLOCK * width));
        blocks.for_each(|(x, sums)| how.block(x, d, sums));
    }
}

/// A strip of targets for a pair of sources.
trait Visit<F> {
    fn visit<A: Arith>(&mut self, strip: std::ops::Range<usize>, x: [&[F]; ROWS], rows: [usize; ROWS]);
}

/// Strip after strip and, for each, pair after pair of sources: so a strip stays in the cache. A last single source
/// comes with itself. (No closures here: they would not be compiled for the kernel's instruction set.)
#[inline(always)]
fn sweep<A: Arith, F: Real, V: Visit<F>>(x: &[F], targets: &Targets<F>, visitor: &mut V) {
    let d = targets.points.columns;
    let n = x.len() / d;
    for strip in strips::<F>(targets.points.rows) {
        for i in (0..n).step_by(ROWS) {
            let j = (i + 1).min(n - 1);
            visitor.visit::<A>(strip.clone(), [&x[i * d..][..d], &x[j * d..][..d]], [i, j]);
        }
    }
}

/// The rows of two sources, the second empty if it is the first.
#[inline(always)]
fn pair_of_rows(sums: &mut [f64], width: usize, [i, j]: [usize; ROWS]) -> [&mut [f64]; ROWS] {
    let (first, second) = sums[i * width..][..width * (j - i + 1)].split_at_mut(width);
    [first, second]
}

#[inline(always)]
fn distances<A: Arith, F: Real>(x: [&[F]; ROWS], y: &[F], len: usize, out: &mut Strips<F>) {
    match x[0].len() {
        1 => squares::<A, F, 1>(x, y, len, out),
        2 => squares::<A, F, 2>(x, y, len, out),
        3 => squares::<A, F, 3>(x, y, len, out),
        _ => squares::<A, F, 0>(x, y, len, out),
    }
}

/// `Σ_j k s_j`, then `Σ_j w_j ∇_x k`, up to the kernel's factors; either may be left out.
pub(super) struct KernelSums<'a, F: Real> {
    pub targets: &'a Targets<F>,
    pub kernel: RadialKernel,
    pub sums: bool,
    pub gradients: bool,
}

impl<F: Real> Reduction<F> for KernelSums<'_, F> {
    fn width(&self) -> usize {
        let Targets { points, payload, .. } = self.targets;
        (if self.sums { payload.columns } else { 0 }) + if self.gradients { points.columns } else { 0 }
    }

    fn block(&self, x: &[F], _: usize, sums: &mut [f64]) {
        let strips = [[F::zero(); STRIP]; ROWS];
        self.targets.isa.run(KernelBlock { of: self, x, sums, values: strips, slopes: strips });
    }
}

struct KernelBlock<'a, F: Real> {
    of: &'a KernelSums<'a, F>,
    x: &'a [F],
    sums: &'a mut [f64],
    values: Strips<F>,
    slopes: Strips<F>,
}

impl<F: Real> Kernel for KernelBlock<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(mut self) {
        sweep::<A, F, _>(self.x, self.of.targets, &mut self);
    }
}

impl<F: Real> Visit<F> for KernelBlock<'_, F> {
    #[inline(always)]
    fn visit<A: Arith>(&mut self, strip: std::ops::Range<usize>, x: [&[F]; ROWS], rows: [usize; ROWS]) {
        let KernelSums { targets, kernel, sums, gradients } = *self.of;
        let (y, w) = (targets.points.strip(&strip), targets.weights.strip(&strip));
        let (values, slopes, want) = (&mut self.values, &mut self.slopes, (sums, gradients));
        let scale = F::of(kernel.scale());
        distances::<A, F>(x, y, strip.len(), values);
        match kernel {
            RadialKernel::Gaussian { .. } => profiles::<A, F, Gaussian>(scale, w, values, slopes, want),
            RadialKernel::InverseMultiquadric { .. } => {
                profiles::<A, F, InverseMultiquadric>(scale, w, values, slopes, want);
            }
            RadialKernel::Laplace { .. } => profiles::<A, F, Laplace>(scale, w, values, slopes, want),
            RadialKernel::Energy => profiles::<A, F, Energy>(scale, w, values, slopes, want),
        }
        let [first, second] = pair_of_rows(self.sums, self.of.width(), rows);
        let mut p = 0;
        if sums {
            p = targets.payload.columns;
            let s = targets.payload.strip(&strip);
            products::<A, F, false>(x, values, s, strip.len(), &mut Sink([&mut *first, &mut *second]));
        }
        if gradients {
            let second = second.get_mut(p..).unwrap_or_default();
            products::<A, F, true>(x, slopes, y, strip.len(), &mut Sink([&mut first[p..], second]));
        }
    }
}

#[inline(always)]
fn profiles<A: Arith, F: Real, P: Profile>(
    scale: F,
    w: &[F],
    values: &mut Strips<F>,
    slopes: &mut Strips<F>,
    want: (bool, bool),
) {
    for (values, slopes) in values.iter_mut().zip(slopes) {
        match want {
            (true, true) => profile::<A, F, P, true, true>(scale, w, values, slopes),
            (true, false) => profile::<A, F, P, true, false>(scale, w, values, slopes),
            _ => profile::<A, F, P, false, true>(scale, w, values, slopes),
        }
    }
}

/// For each source the largest exponent `top`, `Σ_j exp(t_j - top)`, and `Σ_j exp(t_j - top) s_j` if asked for.
///
/// The exponents of a strip are measured by the largest so far; where a strip holds a larger one, the sums are
/// rescaled.
pub(super) struct SoftSums<'a, F: Real> {
    pub targets: &'a Targets<F>,
    pub scale: F,
    pub means: bool,
}

impl<F: Real> Reduction<F> for SoftSums<'_, F> {
    fn width(&self) -> usize {
        2 + if self.means { self.targets.payload.columns } else { 0 }
    }

    fn block(&self, x: &[F], _: usize, sums: &mut [f64]) {
        self.targets.isa.run(SoftBlock { of: self, x, sums, t: [[F::zero(); STRIP]; ROWS] });
    }
}

struct SoftBlock<'a, F: Real> {
    of: &'a SoftSums<'a, F>,
    x: &'a [F],
    sums: &'a mut [f64],
    t: Strips<F>,
}

impl<F: Real> Kernel for SoftBlock<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(mut self) {
        for row in self.sums.chunks_exact_mut(self.of.width()) {
            row[0] = f64::NEG_INFINITY;
        }
        sweep::<A, F, _>(self.x, self.of.targets, &mut self);
    }
}

impl<F: Real> Visit<F> for SoftBlock<'_, F> {
    #[inline(always)]
    fn visit<A: Arith>(&mut self, strip: std::ops::Range<usize>, x: [&[F]; ROWS], rows: [usize; ROWS]) {
        let SoftSums { targets, scale, means } = *self.of;
        let (len, h) = (strip.len(), targets.weights.strip(&strip));
        distances::<A, F>(x, targets.points.strip(&strip), len, &mut self.t);
        let [first, second] = pair_of_rows(self.sums, self.of.width(), rows);
        let [t0, t1] = &mut self.t;
        soft_row::<A, F>(scale, h, t0, first);
        if !second.is_empty() {
            soft_row::<A, F>(scale, h, t1, second);
        }
        if means {
            let second = second.get_mut(2..).unwrap_or_default();
            let sink = &mut Sink([&mut first[2..], second]);
            products::<A, F, false>(x, &self.t, targets.payload.strip(&strip), len, sink);
        }
    }
}

/// Squared distances become exponentials, measured by the largest exponent that the row has seen.
#[inline(always)]
fn soft_row<A: Arith, F: Real>(scale: F, h: &[F], t: &mut [F; STRIP], sums: &mut [f64]) {
    let top = exponents::<A, F>(scale, h, t).f64();
    if top > sums[0] {
        let by = (sums[0] - top).exp();
        for s in &mut sums[1..] {
            *s *= by;
        }
        sums[0] = top;
    }
    sums[1] += exponentials::<A, F>(F::of(sums[0]), &mut t[..h.len()]);
}
