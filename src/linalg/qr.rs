//! Thin QR factorisation by Householder reflections.

use ndarray::{Array1, Array2, s};

use crate::Real;

/// A = Q R of an n × m matrix: Q is n × min(n, m) with orthonormal columns, also where A has not full rank; R is upper
/// triangular, min(n, m) × m. Golub, Van Loan, *Matrix Computations*, algorithm 5.2.1.
pub(crate) fn qr<F: Real>(a: &Array2<F>) -> (Array2<F>, Array2<F>) {
    let (n, m) = a.dim();
    let k = n.min(m);
    let mut r = a.clone();
    let mut reflectors = Vec::with_capacity(k);
    for j in 0..k {
        let reflector = householder(&r.slice(s![j.., j]).to_owned());
        reflect(&reflector, &mut r, j, j);
        reflectors.push(reflector);
    }
    let mut q = Array2::zeros((n, k));
    q.diag_mut().fill(F::one());
    for (j, reflector) in reflectors.iter().enumerate().rev() {
        reflect(reflector, &mut q, j, j);
    }
    let upper = Array2::from_shape_fn((k, m), |(i, j)| if i <= j { r[[i, j]] } else { F::zero() });
    (q, upper)
}

/// The transpose, in row-major order.
pub(crate) fn transposed<F: Real>(a: &Array2<F>) -> Array2<F> {
    a.t().as_standard_layout().into_owned()
}

/// Q alone.
pub(crate) fn orthonormal<F: Real>(a: &Array2<F>) -> Array2<F> {
    qr(a).0
}

/// The v (scaled to vᵀv = 2, or zero) whose reflection I - v vᵀ takes x to a multiple of the first unit vector.
fn householder<F: Real>(x: &Array1<F>) -> Array1<F> {
    let most = x.iter().fold(F::zero(), |m, v| m.max(v.abs()));
    if most == F::zero() {
        return Array1::zeros(x.len());
    }
    let mut v = x / most;
    let norm = v.dot(&v).sqrt();
    let first = v[0];
    v[0] = if first < F::zero() { first - norm } else { first + norm };
    let length = v.dot(&v).sqrt();
    v * (F::of(2.0).sqrt() / length)
}

/// Applies I - v vᵀ to rows `row..` and columns `column..`.
fn reflect<F: Real>(v: &Array1<F>, a: &mut Array2<F>, row: usize, column: usize) {
    let mut part = a.slice_mut(s![row.., column..]);
    let along = v.dot(&part);
    for (mut target, &v) in part.rows_mut().into_iter().zip(v) {
        target.scaled_add(-v, &along);
    }
}
