//! Reproducible random numbers: a seed is a `u64`, and no type of the generator's crate is public.

use rand::{Rng as _, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Real;

/// One stream of random numbers: xoshiro256++ seeded by a mix of (seed, stream).
///
/// Things that draw once a step ask for the stream of that step, so that what they draw does not
/// depend on what was drawn before, nor on the number of threads.
#[derive(Debug, Clone)]
pub(crate) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// The stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        // The odd constant (2^64 / golden ratio) spreads neighbouring streams; seed_from_u64 then mixes.
        let mixed = seed.rotate_left(32) ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Rng(Xoshiro256PlusPlus::seed_from_u64(mixed.wrapping_add(seed)))
    }

    /// Uniform on [0, 1), with 53 (f64) or 24 (f32, after rounding down) random bits.
    #[inline]
    pub(crate) fn uniform<F: Real>(&mut self) -> F {
        let bits = if F::EPS.f64() < 1e-10 { 53 } else { 24 };
        F::of((self.0.next_u64() >> (64 - bits)) as f64 / (1u64 << bits) as f64)
    }

    /// Standard normal.
    #[inline]
    pub(crate) fn normal<F: Real>(&mut self) -> F {
        let z: f64 = StandardNormal.sample(&mut self.0);
        F::of(z)
    }

    /// Uniform on 0..n (n > 0), by multiplication; the bias is below n / 2^64.
    #[inline]
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// 64 random bits: a seed for something else.
    #[inline]
    pub(crate) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills with standard normals.
    pub(crate) fn fill_normal<F: Real>(&mut self, out: &mut [F]) {
        out.iter_mut().for_each(|z| *z = self.normal());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_and_stream_same_numbers_others_differ() {
        let draw = |seed, stream| -> Vec<u64> {
            let mut r = Rng::new(seed, stream);
            (0..4).map(|_| r.uniform::<f64>().to_bits()).collect()
        };
        assert_eq!(draw(3, 7), draw(3, 7));
        let all = [draw(0, 0), draw(0, 1), draw(1, 0), draw(1, 1), draw(2, 3), draw(3, 2)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }

    #[test]
    fn moments_of_the_draws() {
        let mut r = Rng::new(1, 0);
        let n = 100_000;
        let (mut u, mut z, mut zz) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            u += r.uniform::<f64>();
            let x: f64 = r.normal();
            z += x;
            zz += x * x;
        }
        let n = f64::from(n);
        assert!((u / n - 0.5).abs() < 0.005 && (z / n).abs() < 0.015);
        assert!((zz / n - 1.0).abs() < 0.02);
        assert!((0..1000).all(|_| r.uniform::<f32>() < 1.0));
        assert!((0..1000).map(|_| r.below(3)).all(|k| k < 3));
    }
}
