//! The matrices `σ M − J` of implicit methods, stored and factorised as the field's structure says.

use crate::linalg::{BandLu, Lu, Scalar, SparseLu};
use crate::mass::MassMatrix;
use crate::{Pattern, Real, Structure};

/// `σ M − J`, real or complex, and its factorisation.
#[derive(Debug)]
pub(super) enum Matrix<T> {
    Dense(Lu<T>),
    Banded(BandLu<T>),
    Sparse(Box<Sparse<T>>),
}

/// A factorisation and the places of the Jacobian and of the mass matrix in its pattern.
#[derive(Debug)]
pub(super) struct Sparse<T> {
    lu: SparseLu<T>,
    jacobian: Vec<u32>,
    mass: Vec<u32>,
}

impl<F: Real, T: Scalar<Real = F>> Sparse<T> {
    fn new(n: usize, jacobian: &Pattern, mass: Option<&MassMatrix<F>>) -> Self {
        let mut places: Vec<_> = jacobian.places().collect();
        for_mass(n, mass, |i, j, _| places.push((i, j)));
        let mass = places.len();
        places.extend((0..n).map(|i| (i, i)));
        let pattern = Pattern::inside(n, &places);
        let at = &pattern.given()[..mass];
        let (jacobian, mass) = (at[..jacobian.len()].to_vec(), at[jacobian.len()..].to_vec());
        Sparse { lu: SparseLu::new(pattern), jacobian, mass }
    }

    fn fill(&mut self, n: usize, shift: T, jac: &[F], mass: Option<&MassMatrix<F>>) {
        let values = self.lu.values();
        values.fill(T::NIL);
        self.jacobian.iter().zip(jac).for_each(|(&at, &a)| values[at as usize] = T::of_real(-a));
        let mut places = self.mass.iter();
        for_mass(n, mass, |_, _, m| {
            if let Some(&at) = places.next() {
                values[at as usize] += shift * T::of_real(m);
            }
        });
    }
}

/// The entries of a mass matrix that are not zero; of a diagonal one, all on the diagonal.
fn for_mass<F: Real>(n: usize, mass: Option<&MassMatrix<F>>, mut visit: impl FnMut(usize, usize, F)) {
    match mass {
        None => (0..n).for_each(|i| visit(i, i, F::of(1.0))),
        Some(MassMatrix::Diagonal(d)) => d.iter().enumerate().for_each(|(i, &m)| visit(i, i, m)),
        Some(MassMatrix::Dense(m)) => {
            let entries = m.indexed_iter().filter(|(_, m)| **m != F::of(0.0));
            entries.for_each(|((i, j), &m)| visit(i, j, m));
        }
    }
}

impl<F: Real, T: Scalar<Real = F>> Matrix<T> {
    /// Room for matrices with a Jacobian of this structure and this mass matrix.
    pub(super) fn of(n: usize, structure: &Structure, mass: Option<&MassMatrix<F>>) -> Self {
        match (structure, mass) {
            (&Structure::Banded { lower, upper }, None | Some(MassMatrix::Diagonal(_))) => {
                Matrix::Banded(BandLu::new(n, lower, upper))
            }
            (Structure::Sparse(pattern), _) => Matrix::Sparse(Box::new(Sparse::new(n, pattern, mass))),
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
            Matrix::Sparse(sparse) => {
                sparse.fill(n, shift, jac, mass);
                sparse.lu.factor()
            }
        }
    }

    /// Overwrites `b` with the solution.
    #[inline(always)]
    pub(super) fn solve(&mut self, n: usize, b: &mut [T]) {
        match self {
            Matrix::Dense(lu) => lu.solve(n, b),
            Matrix::Banded(lu) => lu.solve(b),
            Matrix::Sparse(sparse) => sparse.lu.solve(b),
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
