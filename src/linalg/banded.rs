//! LU factorisation of banded matrices with partial pivoting.

use super::dense::is_finite;
use super::scalar::Scalar;
use crate::simd::{Arith, Isa, Kernel};

/// P A = L U of an n × n matrix with `lower` diagonals below the main one and `upper` above it.
///
/// Row exchanges widen U to `lower + upper` diagonals; where none were needed it stays as narrow as the matrix.
#[derive(Debug, Clone)]
pub(crate) struct BandLu<T> {
    lower: usize,
    upper: usize,
    /// Row by row, `width` numbers each: column j of row i at `i width + j + lower - i`; the diagonal holds inverses.
    rows: Vec<T>,
    /// The multipliers of step k at `k lower ..`: the rows of L move with later exchanges only in thought.
    multipliers: Vec<T>,
    pivots: Vec<u32>,
    exchanged: bool,
}

impl<T: Scalar> BandLu<T> {
    pub(crate) fn new(n: usize, lower: usize, upper: usize) -> Self {
        BandLu {
            lower,
            upper,
            rows: vec![T::NIL; n * (2 * lower + 1 + upper)],
            multipliers: vec![T::NIL; n * lower],
            pivots: vec![0; n],
            exchanged: false,
        }
    }

    /// Writes the matrix: `entry` of its position in a band stored as `lower + 1 + upper` numbers a row, which is also on
    /// the diagonal at `diagonal(i)`.
    #[inline(always)]
    pub(crate) fn fill(&mut self, entry: impl Fn(usize) -> T, diagonal: impl Fn(usize) -> T) {
        let (band, width) = (self.lower + 1 + self.upper, self.width());
        for (i, row) in self.rows.chunks_exact_mut(width).enumerate() {
            (0..band).for_each(|k| row[k] = entry(i * band + k));
            row[band..].fill(T::NIL);
            row[self.lower] += diagonal(i);
        }
    }

    fn width(&self) -> usize {
        2 * self.lower + 1 + self.upper
    }

    /// Factorises the matrix that was written; false if it is singular to round-off or not finite.
    pub(crate) fn factor(&mut self) -> bool {
        match (self.lower, self.upper) {
            (1, 1) => self.factor_band(1, 1),
            (2, 2) => self.factor_band(2, 2),
            (lower, upper) if lower + upper < 16 => self.factor_band(lower, upper),
            _ => Isa::detect().run(Wide(self)),
        }
    }

    /// Overwrites `b` with the solution.
    pub(crate) fn solve(&self, b: &mut [T]) {
        let reach = if self.exchanged { self.lower + self.upper } else { self.upper };
        match (self.lower, reach) {
            (1, 1) => self.solve_band(1, 1, b),
            (2, 2) => self.solve_band(2, 2, b),
            (lower, reach) => self.solve_band(lower, reach, b),
        }
    }

    #[inline(always)]
    fn factor_band(&mut self, lower: usize, upper: usize) -> bool {
        let (n, width) = (self.pivots.len(), 2 * lower + 1 + upper);
        self.exchanged = false;
        for k in 0..n {
            let below = lower.min(n - 1 - k);
            // From the pivot to the end of the row, also after an exchange.
            let reach = (lower + upper).min(n - 1 - k);
            let (above, rest) = self.rows.split_at_mut((k + 1) * width);
            let row = &mut above[k * width + lower..][..reach + 1];
            // Row k + d starts d columns earlier: its column k stands d places before the diagonal.
            let start = |d: usize| (d - 1) * width + lower - d;
            let pivot = (1..=below).fold((0, row[0].size()), |best, d| {
                let size = rest[start(d)].size();
                if size > best.1 { (d, size) } else { best }
            });
            if pivot.0 > 0 {
                row.swap_with_slice(&mut rest[start(pivot.0)..][..reach + 1]);
                self.exchanged = true;
            }
            self.pivots[k] = (k + pivot.0) as u32;
            let inverse = row[0].inverse();
            if !is_finite(inverse) {
                return false;
            }
            row[0] = inverse;
            for d in 1..=below {
                let other = &mut rest[start(d)..][..reach + 1];
                let factor = other[0] * inverse;
                self.multipliers[k * lower + d - 1] = factor;
                other[1..].iter_mut().zip(&row[1..]).for_each(|(o, &u)| *o -= factor * u);
            }
        }
        true
    }

    #[inline(always)]
    fn solve_band(&self, lower: usize, reach: usize, b: &mut [T]) {
        let (n, width) = (self.pivots.len(), self.width());
        let b = &mut b[..n];
        for k in 0..n {
            if self.exchanged {
                b.swap(k, self.pivots[k] as usize);
            }
            let x = b[k];
            let below = lower.min(n - 1 - k);
            let factors = &self.multipliers[k * lower..][..lower];
            b[k + 1..][..below].iter_mut().zip(factors).for_each(|(b, &l)| *b -= l * x);
        }
        for k in (0..n).rev() {
            let row = &self.rows[k * width + self.lower..][..reach + 1];
            let mut sum = b[k];
            // The nearest last: it is the one that is not known yet.
            let right = reach.min(n - 1 - k);
            for d in (1..=right).rev() {
                sum -= row[d] * b[k + d];
            }
            b[k] = sum * row[0];
        }
    }
}

/// A band so wide that vector instructions pay.
struct Wide<'a, T>(&'a mut BandLu<T>);

impl<T: Scalar> Kernel for Wide<'_, T> {
    type Output = bool;
    #[inline(always)]
    fn run<A: Arith>(self) -> bool {
        self.0.factor_band(self.0.lower, self.0.upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{Complex, Lu};
    use crate::rng::Rng;

    fn compare<T: Scalar<Real = f64>>(
        n: usize,
        (lower, upper): (usize, usize),
        mut entry: impl FnMut() -> T,
    ) -> f64 {
        let band = lower + 1 + upper;
        let values: Vec<T> = (0..n * band).map(|_| entry()).collect();
        let shift: Vec<T> = (0..n).map(|_| entry()).collect();
        let b: Vec<T> = (0..n).map(|_| entry()).collect();
        let mut banded = BandLu::new(n, lower, upper);
        banded.fill(|k| values[k], |i| shift[i]);
        let mut dense = Lu::default();
        dense.resize(n);
        for i in 0..n {
            for j in i.saturating_sub(lower)..(i + upper + 1).min(n) {
                dense.matrix()[i * n + j] = values[i * band + j + lower - i];
            }
            dense.matrix()[i * n + i] += shift[i];
        }
        assert!(banded.factor() && dense.factor(n));
        let (mut x, mut y) = (b.clone(), b);
        banded.solve(&mut x);
        dense.solve(n, &mut y);
        let size = y.iter().map(|y| y.size()).fold(0.0, f64::max);
        x.iter().zip(&y).map(|(&x, &y)| (x - y).size()).fold(0.0, f64::max) / size
    }

    #[test]
    fn banded_is_dense_with_and_without_exchanges() {
        let mut rng = Rng::new(1, 0);
        for n in [1, 2, 5, 40, 90] {
            for bands in [(0, 0), (1, 1), (2, 2), (2, 1), (0, 3), (3, 0), (20, 20)] {
                let bands = (bands.0.min(n - 1), bands.1.min(n - 1));
                let real = compare(n, bands, || rng.normal::<f64>());
                assert!(real < 1e-9, "n = {n}, {bands:?}: {real:e}");
                let complex = compare(n, bands, || Complex::new(rng.normal::<f64>(), rng.normal()));
                assert!(complex < 1e-9, "n = {n}, {bands:?}: {complex:e}");
            }
        }
    }

    #[test]
    fn a_singular_band_is_refused() {
        let mut lu = BandLu::<f64>::new(3, 1, 1);
        lu.fill(|_| 0.0, |i| i as f64);
        assert!(!lu.factor());
        lu.fill(|_| f64::NAN, |_| 1.0);
        assert!(!lu.factor());
    }
}
