//! The linear systems of an implicit method: where methods and linear algebra meet.

use super::derivative::Jacobian;
use super::krylov::Krylov;
use super::matrix::Matrix;
use crate::integrate::{Tolerance, Work};
use crate::linalg::Complex;
use crate::mass::MassMatrix;
use crate::{Real, Result, State, Structure, VectorField};

/// The Jacobian `J = ∂f/∂y` of the field at some point behind, the mass matrix `M` (the identity unless the field has
/// one), and the factorised matrices of a method:
///
/// ```text
/// (σ M − J) x = b            a real shift, σ = 1/(hγ)
/// ((α + iβ) M − J) x = b     a complex one, of fully implicit methods
/// ```
///
/// Everything is allocated by the first [`refresh`](Self::refresh) of a run, when the structure of the Jacobian is known. The
/// methods decide when to refresh and when to factorise again; how the matrices are stored and solved with is decided here.
#[derive(Debug)]
pub(super) struct System<S: State> {
    jac: Jacobian<S::Elem>,
    mass: Option<MassMatrix<S::Elem>>,
    /// The field has been asked for its mass matrix.
    asked: bool,
    real: Option<Matrix<S::Elem>>,
    pair: Option<Matrix<Complex<S::Elem>>>,
    paired: bool,
    /// In place of matrices, where none are wanted.
    krylov: Option<Box<Krylov<S>>>,
    right: Vec<Complex<S::Elem>>,
    scratch: [S; 2],
    counts: Work,
}

impl<S: State> System<S> {
    pub(super) fn new(y0: &S) -> Self {
        System {
            jac: Jacobian::new(),
            mass: None,
            asked: false,
            real: None,
            pair: None,
            paired: false,
            krylov: None,
            right: Vec::new(),
            scratch: [y0.clone(), y0.clone()],
            counts: Work::default(),
        }
    }

    /// With complex matrices too, for methods that solve with them.
    pub(super) fn with_pair(mut self) -> Self {
        self.paired = true;
        self
    }

    pub(super) fn fits(&self, y0: &S) -> bool {
        self.scratch[0].same_shape(y0)
    }

    /// A new run begins.
    pub(super) fn restart(&mut self) {
        (self.counts, self.asked) = (Work::default(), false);
        self.jac.restart();
    }

    /// How many numbers a state has; a constant for `[F; N]`, so that loops over it unroll.
    #[inline(always)]
    fn n(&self) -> usize {
        self.scratch[0].as_slice().len()
    }

    /// Asks the field for its mass matrix, once a run. To be called before the others.
    ///
    /// # Errors
    /// A matrix that is not n × n.
    #[inline(always)]
    pub(super) fn look_at<V: VectorField<S> + ?Sized>(&mut self, field: &V) -> Result<()> {
        if self.asked {
            return Ok(());
        }
        self.asked = true;
        let mass = field.mass();
        if mass != self.mass.as_ref() {
            (self.real, self.pair) = (None, None);
        }
        self.mass = mass.cloned();
        self.mass.as_ref().map_or(Ok(()), |m| m.check(self.n()))
    }

    /// `out = M x`.
    #[inline(always)]
    pub(super) fn times_mass(&self, x: &S, out: &mut S) {
        match &self.mass {
            None => out.clone_from(x),
            Some(mass) => mass.times(x.as_slice(), out.as_mut_slice()),
        }
    }

    /// The mass matrix, if it is not the identity.
    #[inline(always)]
    pub(super) fn mass(&self) -> Option<&MassMatrix<S::Elem>> {
        self.mass.as_ref()
    }

    /// Forms the Jacobian at `(t, y)`, where `f0 = f(t, y)`; `h` and `tol` set the scale of finite differences.
    #[inline(always)]
    pub(super) fn refresh<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        at: (S::Elem, &S, &S),
        scale: (S::Elem, &Tolerance<S::Elem>),
    ) {
        let changed = self.jac.look_at(field, (at.0, at.1), self.paired);
        if changed || (self.real.is_none() && self.krylov.is_none()) {
            self.make_room(at.1);
        }
        if let Some(krylov) = &mut self.krylov {
            krylov.place(at, scale.1);
        }
        let [a, b] = &mut self.scratch;
        self.jac.form(field, at, scale, (a, b));
        self.counts.jacobians += 1;
    }

    #[cold]
    fn make_room(&mut self, y: &S) {
        if *self.jac.structure() == Structure::MatrixFree {
            (self.real, self.krylov) = (None, Some(Box::new(Krylov::new(y))));
            return;
        }
        self.krylov = None;
        let (n, mass) = (self.n(), self.mass.as_ref());
        self.real = Some(Matrix::of(n, self.jac.structure(), mass));
        if self.paired {
            self.pair = Some(Matrix::of(n, self.jac.structure(), mass));
            self.right.resize(n, Complex { re: S::Elem::ZERO, im: S::Elem::ZERO });
        }
    }

    /// Factorises `σ M − J`; false if it is singular to round-off or not finite.
    #[inline(always)]
    pub(super) fn factor(&mut self, sigma: S::Elem) -> bool {
        self.counts.factorisations += 1;
        if let Some(krylov) = &mut self.krylov {
            return krylov.shift(sigma);
        }
        let (n, jac) = (self.n(), (self.jac.structure(), self.jac.values()));
        self.real.as_mut().is_some_and(|m| m.factor(n, sigma, jac, self.mass.as_ref()))
    }

    /// Factorises `(α + iβ) M − J`; false if it is singular to round-off or not finite.
    #[inline(always)]
    pub(super) fn factor_pair(&mut self, alpha: S::Elem, beta: S::Elem) -> bool {
        self.counts.factorisations += 1;
        let (n, jac) = (self.n(), (self.jac.structure(), self.jac.values()));
        let shift = Complex { re: alpha, im: beta };
        self.pair.as_mut().is_some_and(|m| m.factor(n, shift, jac, self.mass.as_ref()))
    }

    /// Overwrites `b` with the solution of the real system. The field is there for solvers without a matrix.
    #[inline(always)]
    pub(super) fn solve<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, b: &mut S) {
        self.counts.solves += 1;
        if let Some(krylov) = &mut self.krylov {
            krylov.solve(field, self.mass.as_ref(), b);
            return;
        }
        let n = self.n();
        if let Some(matrix) = &mut self.real {
            matrix.solve(n, b.as_mut_slice());
        }
    }

    /// Overwrites `re + i im` with the solution of the complex system.
    #[inline(always)]
    pub(super) fn solve_pair<V: VectorField<S> + ?Sized>(&mut self, _field: &mut V, re: &mut S, im: &mut S) {
        self.counts.solves += 1;
        let (n, re, im) = (self.n(), re.as_mut_slice(), im.as_mut_slice());
        let Some(matrix) = &mut self.pair else { return };
        let right = &mut self.right[..n];
        for (right, (&re, &im)) in right.iter_mut().zip(re.iter().zip(im.iter())) {
            *right = Complex { re, im };
        }
        matrix.solve(n, right);
        for (right, (re, im)) in right.iter().zip(re.iter_mut().zip(im)) {
            (*re, *im) = (right.re, right.im);
        }
    }

    /// Counts Newton iterations, which are the methods' own.
    #[inline(always)]
    pub(super) fn count_iterations(&mut self, iterations: u64) {
        self.counts.iterations += iterations;
    }

    #[inline(always)]
    pub(super) fn counts(&self) -> Work {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{WithMass, field};

    #[test]
    fn solves_shifted_systems_with_and_without_a_mass_matrix() {
        // J = [[0, 1], [-2, -3]] by differences, exact for a linear field.
        let linear = field(|_t, y: &[f64; 2], d: &mut [f64; 2]| *d = [y[1], -2.0 * y[0] - 3.0 * y[1]]);
        let tol = Tolerance::default();
        for mass in [[1.0, 1.0], [2.0, 0.0]] {
            let mut field = WithMass::new(linear, mass);
            let mut system = System::new(&[0.0; 2]).with_pair();
            system.look_at(&field).unwrap();
            let (y, mut f) = ([0.3, -0.2], [0.0; 2]);
            field.eval(0.0, &y, &mut f);
            system.refresh(&mut field, (0.0, &y, &f), (1e-2, &tol));
            assert!(system.factor(5.0) && system.factor_pair(5.0, 7.0));
            let mut x = [1.0, 2.0];
            system.solve(&mut field, &mut x);
            let back = [5.0 * mass[0] * x[0] - x[1], 5.0 * mass[1] * x[1] + 2.0 * x[0] + 3.0 * x[1]];
            assert!((back[0] - 1.0).abs() + (back[1] - 2.0).abs() < 1e-6, "{back:?}");
            let (mut re, mut im) = ([1.0, 2.0], [0.0, 0.0]);
            system.solve_pair(&mut field, &mut re, &mut im);
            let real = [
                mass[0] * (5.0 * re[0] - 7.0 * im[0]) - re[1],
                mass[1] * (5.0 * re[1] - 7.0 * im[1]) + 2.0 * re[0] + 3.0 * re[1],
            ];
            assert!((real[0] - 1.0).abs() + (real[1] - 2.0).abs() < 1e-6, "{real:?}");
        }
        let mut wrong = WithMass::new(linear, [1.0; 3]);
        assert!(System::new(&[0.0; 2]).look_at(&wrong).is_err() && wrong.check(&[0.0; 2]).is_err());
        wrong = WithMass::new(linear, [f64::NAN, 1.0]);
        assert!(wrong.check(&[0.0; 2]).is_err());
    }
}
