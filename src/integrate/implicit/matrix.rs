//! The matrices `σ M − J` of implicit methods, stored and factorised as the field's structure says.

use crate::linalg::{BandLu, Lu, Scalar};
use crate::mass::MassMatrix;
use crate::{Real, Structure};

/// `σ M − J`, real or complex, and its factorisation.
#[derive(Debug)]
pub(super) enum Matrix<T> {
    Dense(Lu<T>),
    Banded(BandLu<T>),
}

impl<F: Real, T: Scalar<Real = F>> Matrix<T> {
    /// Room for matrices with a Jacobian of this structure and this mass matrix.
    pub(super) fn of(n: usize, structure: &Structure, mass: Option<&MassMatrix<F>>) -> Self {
        match (structure, mass) {
            (&Structure::Banded { lower, upper }, None | Some(MassMatrix::Diagonal(_))) => {
                Matrix::Banded(BandLu::new(n, lower, upper))
            }
            _ => {
                let mut lu = Lu::default();
                lu.resize(n);
                Matrix::Dense(lu)
            }
        }
    }

    /// Factorises `shift M − J`; false if it is singular to round-off or not finite.
    #[inline(always)]
    pub(super) fn factor(
        &mut self,
        n: usize,
        shift: T,
        (structure, jac): (&Structure, &[F]),
        mass: Option<&MassMatrix<F>>,
    ) -> bool {
        let diagonal = |i: usize| match mass {
            Some(MassMatrix::Diagonal(d)) => shift * T::of_real(d[i]),
            _ => shift,
        };
        match self {
            Matrix::Dense(lu) => {
                let m = &mut lu.matrix()[..n * n];
                fill_dense(m, n, structure, jac);
                if let Some(MassMatrix::Dense(mass)) = mass {
                    m.iter_mut().zip(mass).for_each(|(m, &mass)| *m += shift * T::of_real(mass));
                } else {
                    (0..n).for_each(|i| m[i * n + i] += diagonal(i));
                }
                lu.factor(n)
            }
            Matrix::Banded(lu) => {
                lu.fill(|k| T::of_real(-jac[k]), diagonal);
                lu.factor()
            }
        }
    }

    /// Overwrites `b` with the solution.
    #[inline(always)]
    pub(super) fn solve(&mut self, n: usize, b: &mut [T]) {
        match self {
            Matrix::Dense(lu) => lu.solve(n, b),
            Matrix::Banded(lu) => lu.solve(b),
        }
    }
}

/// `-J`, whatever its structure.
#[inline(always)]
fn fill_dense<F: Real, T: Scalar<Real = F>>(m: &mut [T], n: usize, structure: &Structure, jac: &[F]) {
    if let Structure::Dense = structure {
        m.iter_mut().zip(jac).for_each(|(m, &a)| *m = T::of_real(-a));
        return;
    }
    m.fill(T::NIL);
    for j in 0..n {
        structure.for_column(n, j, |i, at| m[i * n + j] = T::of_real(-jac[at]));
    }
}
