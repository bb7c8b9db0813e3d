//! Singular values by one-sided Jacobi rotations.

use ndarray::{Array1, Array2, Axis};

use super::qr::{qr, transposed};
use crate::Real;

/// A = U diag(σ) Vᵀ of an n × m matrix, with k = min(n, m) singular values in falling order: U is n × k, V is m × k.
///
/// One-sided Jacobi finds small singular values to high relative accuracy (Demmel, Veselić, *Jacobi's method is more
/// accurate than QR*, SIAM J. Matrix Anal. 13, 1992), which low-rank integrators live on. O(n m k) a sweep, some ten sweeps.
pub(crate) fn svd<F: Real>(a: &Array2<F>) -> (Array2<F>, Array1<F>, Array2<F>) {
    if a.nrows() < a.ncols() {
        let (u, sigma, v) = svd(&transposed(a));
        return (v, sigma, u);
    }
    // Columns as rows, so that rotations run along memory.
    let mut columns = transposed(a);
    let mut v = Array2::eye(a.ncols());
    for _ in 0..SWEEPS {
        if !sweep(&mut columns, &mut v) {
            break;
        }
    }
    let norms: Array1<F> = columns.rows().into_iter().map(|c| c.dot(&c).sqrt()).collect();
    let mut order: Vec<usize> = (0..norms.len()).collect();
    order.sort_by(|&i, &j| norms[j].partial_cmp(&norms[i]).unwrap_or(std::cmp::Ordering::Equal));
    // The sorted columns are orthogonal: QR normalises them, and completes the basis where they vanish.
    let (mut u, r) = qr(&transposed(&columns.select(Axis(0), &order)));
    for (mut column, &d) in u.columns_mut().into_iter().zip(r.diag()) {
        if d < F::zero() {
            column.mapv_inplace(|x| -x);
        }
    }
    (u, norms.select(Axis(0), &order), transposed(&v.select(Axis(0), &order)))
}

const SWEEPS: usize = 60;

/// Rotates every pair of rows to be orthogonal; true if any was not.
fn sweep<F: Real>(columns: &mut Array2<F>, v: &mut Array2<F>) -> bool {
    let n = columns.nrows();
    let mut turned = false;
    for i in 0..n {
        for j in i + 1..n {
            let (a, b) = (columns.row(i), columns.row(j));
            let (aa, bb, ab) = (a.dot(&a), b.dot(&b), a.dot(&b));
            let coupled = ab.abs() > F::EPS * (aa * bb).sqrt();
            if !coupled || ab == F::zero() {
                continue;
            }
            turned = true;
            let zeta = (bb - aa) / (F::of(2.0) * ab);
            let root = (F::one() + zeta * zeta).sqrt();
            let tangent = if zeta < F::zero() { -(root - zeta).recip() } else { (zeta + root).recip() };
            let cosine = (F::one() + tangent * tangent).sqrt().recip();
            rotate(columns, (i, j), cosine, cosine * tangent);
            rotate(v, (i, j), cosine, cosine * tangent);
        }
    }
    turned
}

/// (rᵢ, rⱼ) ← (c rᵢ - s rⱼ, s rᵢ + c rⱼ).
fn rotate<F: Real>(m: &mut Array2<F>, (i, j): (usize, usize), c: F, s: F) {
    let (mut above, mut below) = m.view_mut().split_at(Axis(0), j);
    for (x, y) in above.row_mut(i).iter_mut().zip(below.row_mut(0).iter_mut()) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::super::qr::qr;
    use super::*;
    use crate::rng::Rng;

    fn random(n: usize, m: usize, seed: u64) -> Array2<f64> {
        let mut rng = Rng::new(seed, 0);
        Array2::from_shape_simple_fn((n, m), || rng.normal())
    }

    fn worst(a: &Array2<f64>) -> f64 {
        a.iter().fold(0.0, |m, x| m.max(x.abs()))
    }

    #[test]
    fn factors_multiply_back_and_are_orthonormal() {
        for (n, m) in [(1, 1), (5, 3), (3, 5), (20, 20), (40, 7)] {
            let a = random(n, m, 1);
            let k = n.min(m);
            let (q, r) = qr(&a);
            let (u, sigma, v) = svd(&a);
            assert!(worst(&(q.dot(&r) - &a)) < 1e-13);
            assert!(worst(&((&u * &sigma).dot(&v.t()) - &a)) < 1e-13);
            for basis in [&q, &u, &v] {
                assert!(worst(&(basis.t().dot(basis) - Array2::<f64>::eye(k))) < 1e-13, "{n} x {m}");
            }
            assert!(sigma.windows(2).into_iter().all(|w| w[0] >= w[1]));
        }
    }

    #[test]
    fn small_singular_values_are_found_to_relative_accuracy_and_missing_ranks_completed() {
        let (u, v) = (qr(&random(30, 12, 2)).0, qr(&random(12, 12, 3)).0);
        let want: Array1<f64> = (0..12).map(|j| 10f64.powi(-2 * j)).collect();
        // Graded columns: U diag(σ) with a rotation of the right side that leaves the columns graded.
        let (_, sigma, _) = svd(&(&u * &want));
        assert!(sigma.iter().zip(&want).all(|(a, b)| (a / b - 1.0).abs() < 1e-13));
        let flat = (&u * &want.mapv(|s| if s > 1e-5 { s } else { 0.0 })).dot(&v.t());
        let (u, sigma, v) = svd(&flat);
        assert!(sigma[3] < 1e-15 && worst(&(u.t().dot(&u) - Array2::<f64>::eye(12))) < 1e-13);
        assert!(worst(&((&u * &sigma).dot(&v.t()) - flat)) < 1e-14);
    }
}
