//! Row-wise normalisation, and its first and second derivatives.

use crate::Real;
use crate::nn::kernel::{Arith, Kernel};

/// What rows are normalised by. Neither has parameters of its own: the affine layer that follows absorbs them.
///
/// With the projection P = I - 11ᵀ/d on rows without mean (for [`Norm::Layer`]; the identity for [`Norm::Rms`]):
///
/// ```text
/// n(x) = z / σ,   z = P x,   σ = √(|z|² / d + ε),   ε = 1e-12
/// n'(x) ẋ = P (ẋ/σ - z ⟨z, ẋ⟩ / (d σ³)), which is symmetric
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Norm {
    /// By mean and deviation (Ba, Kiros, Hinton 2016).
    #[default]
    Layer,
    /// By the root mean square (Zhang, Sennrich 2019).
    Rms,
}

/// Keeps σ positive; small enough not to be seen by rows that are not almost zero.
const FLOOR: f64 = 1e-12;

impl Norm {
    /// Takes the mean off a row, if this norm does.
    #[inline(always)]
    fn centre<F: Real>(self, x: &mut [F]) {
        if self == Norm::Layer {
            let mean = sum(x.iter().copied()) / F::of(x.len() as f64);
            x.iter_mut().for_each(|x| *x -= mean);
        }
    }

    /// Centres x in place and returns 1/σ.
    #[inline(always)]
    fn scale<F: Real>(self, x: &mut [F]) -> F {
        self.centre(x);
        (product(x, x) / F::of(x.len() as f64) + F::of(FLOOR)).sqrt().recip()
    }
}

/// A sum in eight strands, so that it runs in vector registers.
#[inline(always)]
fn sum<F: Real>(values: impl ExactSizeIterator<Item = F>) -> F {
    let mut strands = [F::zero(); 8];
    values.enumerate().for_each(|(i, v)| strands[i % 8] += v);
    strands.iter().fold(F::zero(), |s, &v| s + v)
}

#[inline(always)]
fn product<F: Real>(a: &[F], b: &[F]) -> F {
    let mut strands = [F::zero(); 8];
    let (a8, b8) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a8.0.iter().zip(b8.0) {
        for l in 0..8 {
            strands[l] += a[l] * b[l];
        }
    }
    let rest: F = a8.1.iter().zip(b8.1).map(|(&a, &b)| a * b).sum();
    strands.iter().fold(rest, |s, &v| s + v)
}

/// Rows of `width` numbers, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub width: usize,
    pub stride: usize,
}

/// y = n(x).
pub(super) struct Normalise<'a, F> {
    pub norm: Norm,
    pub rows: Rows,
    pub x: &'a [F],
    pub y: &'a mut [F],
}

impl<F: Real> Kernel for Normalise<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let Rows { width, stride } = self.rows;
        for (x, y) in self.x.chunks_exact(stride).zip(self.y.chunks_exact_mut(stride)) {
            let y = &mut y[..width];
            y.copy_from_slice(&x[..width]);
            let scale = self.norm.scale(y);
            y.iter_mut().for_each(|y| *y *= scale);
        }
    }
}

/// g ← n'(x) g: forward and reverse mode alike, as n' is symmetric. `z` is scratch of x's size.
pub(super) struct Derive<'a, F> {
    pub norm: Norm,
    pub rows: Rows,
    pub x: &'a [F],
    pub g: &'a mut [F],
    pub z: &'a mut [F],
}

impl<F: Real> Kernel for Derive<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let Rows { width, stride } = self.rows;
        let z = &mut self.z[..width];
        for (x, g) in self.x.chunks_exact(stride).zip(self.g.chunks_exact_mut(stride)) {
            let g = &mut g[..width];
            z.copy_from_slice(&x[..width]);
            let scale = self.norm.scale(z);
            let along = product(z, g) * scale * scale / F::of(width as f64);
            g.iter_mut().zip(z.iter()).for_each(|(g, &z)| *g = scale * (*g - along * z));
            self.norm.centre(g);
        }
    }
}

/// q ← q + ∂/∂x ⟨s, n'(x) ẋ⟩: what reverse over forward adds. `z` is scratch for three rows.
///
/// With a = ⟨s, ẋ⟩, b = ⟨s, z⟩, c = ⟨z, ẋ⟩ (s and ẋ centred): P of
/// `-(a z + c s + b ẋ)/(d σ³) + 3 b c z/(d² σ⁵)`.
pub(super) struct Curve<'a, F> {
    pub norm: Norm,
    pub rows: Rows,
    pub x: &'a [F],
    pub dx: &'a [F],
    pub s: &'a [F],
    pub q: &'a mut [F],
    pub z: &'a mut [F],
}

impl<F: Real> Kernel for Curve<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let Rows { width, stride } = self.rows;
        let (z, rest) = self.z.split_at_mut(width);
        let (dz, rest) = rest.split_at_mut(width);
        let s = &mut rest[..width];
        let inverse = F::of(1.0 / width as f64);
        let rows = self.x.chunks_exact(stride).zip(self.dx.chunks_exact(stride));
        for ((x, dx), (from, q)) in rows.zip(self.s.chunks_exact(stride).zip(self.q.chunks_exact_mut(stride)))
        {
            z.copy_from_slice(&x[..width]);
            dz.copy_from_slice(&dx[..width]);
            s.copy_from_slice(&from[..width]);
            let scale = self.norm.scale(z);
            self.norm.centre(dz);
            self.norm.centre(s);
            let (a, b, c) = (product(s, dz), product(s, z), product(z, dz));
            let cube = scale * scale * scale * inverse;
            let first = F::of(3.0) * b * c * scale * scale * inverse - a;
            for ((q, &z), (&dz, &s)) in q[..width].iter_mut().zip(&*z).zip(dz.iter().zip(&*s)) {
                // A combination of centred rows is centred.
                *q += cube * (first * z - c * s - b * dz);
            }
        }
    }
}
