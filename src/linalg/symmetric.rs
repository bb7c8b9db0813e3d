//! Eigenvalues of small symmetric matrices, and functions of them.

use ndarray::{Array1, Array2};

/// Sweeps of Jacobi's method; it converges quadratically after a few.
const SWEEPS: usize = 60;

/// (λ, V) with `A = V diag(λ) Vᵀ`, by cyclic Jacobi rotations (Golub and Van Loan, section 8.5). O(d³) a sweep.
pub(crate) fn eigen(a: &Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let d = a.nrows();
    let mut a = 0.5 * (a + &a.t());
    let mut v = Array2::eye(d);
    let scale = a.iter().map(|x| x * x).sum::<f64>();
    for _ in 0..SWEEPS {
        let off: f64 = (0..d).flat_map(|i| (0..i).map(move |j| (i, j))).map(|ij| a[ij] * a[ij]).sum();
        if off <= 1e-32 * scale {
            break;
        }
        for q in 1..d {
            for p in 0..q {
                rotate(&mut a, &mut v, p, q);
            }
        }
    }
    (a.diag().to_owned(), v)
}

/// Makes `a[p, q]` zero.
fn rotate(a: &mut Array2<f64>, v: &mut Array2<f64>, p: usize, q: usize) {
    if a[[p, q]] == 0.0 {
        return;
    }
    let theta = (a[[q, q]] - a[[p, p]]) / (2.0 * a[[p, q]]);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..a.nrows() {
        let (x, y) = (a[[k, p]], a[[k, q]]);
        (a[[k, p]], a[[k, q]]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..a.nrows() {
        let (x, y) = (a[[p, k]], a[[q, k]]);
        (a[[p, k]], a[[q, k]]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (v[[k, p]], v[[k, q]]);
        (v[[k, p]], v[[k, q]]) = (c * x - s * y, s * x + c * y);
    }
}

/// `V f(λ) Vᵀ`.
pub(crate) fn apply(a: &Array2<f64>, f: impl Fn(f64) -> f64) -> Array2<f64> {
    let (lambda, v) = eigen(a);
    let scaled = &v * &lambda.mapv(f);
    scaled.dot(&v.t())
}

/// The square root of a positive semidefinite matrix; what round-off made negative counts as zero.
pub(crate) fn sqrt(a: &Array2<f64>) -> Array2<f64> {
    apply(a, |l| l.max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_squared_is_the_matrix() {
        for d in [1, 2, 5, 20] {
            let b = Array2::from_shape_fn((d, d), |(i, j)| ((3 * i + 7 * j) as f64).sin());
            let a = b.dot(&b.t());
            let root = sqrt(&a);
            assert!((root.dot(&root) - &a).iter().all(|e| e.abs() < 1e-12 * d as f64));
            let (lambda, v) = eigen(&a);
            assert!((v.t().dot(&v) - Array2::<f64>::eye(d)).iter().all(|e| e.abs() < 1e-13 * d as f64));
            assert!((lambda.sum() - a.diag().sum()).abs() < 1e-12 * d as f64);
        }
        assert_eq!(sqrt(&Array2::zeros((3, 3))), Array2::<f64>::zeros((3, 3)));
    }
}
