//! The exponential of a small matrix.

/// Coefficients of the Taylor polynomial, 1 / k!.
const fn taylor() -> [f64; 16] {
    let mut c = [1.0; 16];
    let mut k = 1;
    while k < 16 {
        c[k] = c[k - 1] / k as f64;
        k += 1;
    }
    c
}
const TAYLOR: [f64; 16] = taylor();
/// Norm of the matrix that the polynomial sees: the remainder is 0.5¹⁶ / 16!, 7e-19.
const REACH: f64 = 0.5;

/// Room for the exponential of matrices of an order up to the one it was built for.
#[derive(Debug)]
pub(super) struct SmallExp {
    /// The matrix in the first; the result in the last.
    powers: [Vec<f64>; 4],
    sum: Vec<f64>,
    product: Vec<f64>,
}

impl SmallExp {
    pub(super) fn new(most: usize) -> Self {
        let room = || vec![0.0; most * most];
        SmallExp { powers: std::array::from_fn(|_| room()), sum: room(), product: room() }
    }

    /// The row-major n × n matrix, to be written before [`exponentiate`](Self::exponentiate).
    pub(super) fn matrix(&mut self, n: usize) -> &mut [f64] {
        &mut self.powers[0][..n * n]
    }

    /// `exp(A)` by scaling, a Taylor polynomial of degree 15 in the form of Paterson and Stockmeyer, and squaring; `None`
    /// if `A` or the result is not finite. Higham, *Functions of Matrices* (2008), sections 4.2 and 10.3.
    pub(super) fn exponentiate(&mut self, n: usize) -> Option<&[f64]> {
        let column = |j: usize| (0..n).map(|i| self.powers[0][i * n + j].abs()).sum::<f64>();
        let norm = (0..n).map(column).fold(0.0, |m: f64, c| if c > m || c.is_nan() { c } else { m });
        if !norm.is_finite() {
            return None;
        }
        let halvings = (norm / REACH).log2().ceil().max(0.0) as i32;
        let scale = 0.5_f64.powi(halvings);
        self.powers[0][..n * n].iter_mut().for_each(|a| *a *= scale);
        for k in 1..4 {
            let (known, next) = self.powers.split_at_mut(k);
            multiply(n, &known[0], &known[k - 1], &mut next[0]);
        }
        self.sum[..n * n].fill(0.0);
        for block in [12, 8, 4, 0] {
            self.append(n, block);
        }
        for _ in 0..halvings {
            multiply(n, &self.sum, &self.sum, &mut self.product);
            std::mem::swap(&mut self.sum, &mut self.product);
        }
        let result = &self.sum[..n * n];
        result.iter().all(|x| x.is_finite()).then_some(result)
    }

    /// `sum ← sum A⁴ + Σ_{i < 4} Aⁱ / (block + i)!`.
    fn append(&mut self, n: usize, block: usize) {
        let [a, a2, a3, a4] = &self.powers;
        multiply(n, &self.sum, a4, &mut self.product);
        std::mem::swap(&mut self.sum, &mut self.product);
        let c = &TAYLOR[block..block + 4];
        for (i, s) in self.sum[..n * n].iter_mut().enumerate() {
            *s += c[1] * a[i] + c[2] * a2[i] + c[3] * a3[i];
        }
        self.sum[..n * n].iter_mut().step_by(n + 1).for_each(|s| *s += c[0]);
    }
}

/// `c ← a b`; zeros of `a` cost nothing.
fn multiply(n: usize, a: &[f64], b: &[f64], c: &mut [f64]) {
    for (row, out) in a[..n * n].chunks_exact(n).zip(c.chunks_exact_mut(n)) {
        out.fill(0.0);
        for (&a, b) in row.iter().zip(b.chunks_exact(n)).filter(|(a, _)| **a != 0.0) {
            out.iter_mut().zip(b).for_each(|(o, &b)| *o += a * b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exp(n: usize, a: &[f64]) -> Vec<f64> {
        let mut small = SmallExp::new(n + 2);
        small.matrix(n).copy_from_slice(a);
        small.exponentiate(n).unwrap().to_vec()
    }

    #[test]
    fn rotations_decay_and_shifts_have_their_known_exponentials() {
        for angle in [1e-9, 0.3, 2.0, 40.0_f64] {
            let got = exp(2, &[0.0, -angle, angle, 0.0]);
            let want = [angle.cos(), -angle.sin(), angle.sin(), angle.cos()];
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-13), "{got:?} {want:?}");
        }
        let got = exp(3, &[0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(got, [1.0, 1.0, 0.5, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
        // φ₁(z) = (e^z - 1) / z in the corner, also for a very stiff z.
        for z in [-1e8, -1e3, -1.0, 1e-7, 3.0_f64] {
            let got = exp(2, &[z, 1.0, 0.0, 0.0])[1];
            assert!((got / (z.exp_m1() / z) - 1.0).abs() < 1e-12, "{z} {got}");
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let mut small = SmallExp::new(2);
        for bad in [f64::NAN, f64::INFINITY, 1e6] {
            small.matrix(2).copy_from_slice(&[bad, 0.0, 0.0, 1.0]);
            assert!(small.exponentiate(2).is_none(), "{bad}");
        }
    }
}
