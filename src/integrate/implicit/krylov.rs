//! Linear systems without a matrix: Newton–Krylov.

use num_traits::Float as _;

use crate::integrate::Tolerance;
use crate::linalg::Rotations;
use crate::mass::MassMatrix;
use crate::{Real, State, VectorField};

/// Directions before a restart.
const MOST: usize = 30;
const RESTARTS: usize = 10;
/// How far the residual is brought down. Finite differences in place of derivatives do not allow for much more.
const REDUCTION: f64 = 1e-6;

/// Solves `(σ M − J) x = b` by GMRES(30) with right preconditioning, in the norm of the error weights. `J` enters through
/// products with vectors alone: the field's [`jvp`](VectorField::jvp), or a finite difference.
///
/// Reference: Saad, Schultz, *GMRES*, SIAM J. Sci. Stat. Comput. 7 (1986) 856–869; Brown, Hindmarsh, *Reduced storage matrix
/// methods in stiff ODE systems*, Appl. Math. Comput. 31 (1989) 40–91.
#[derive(Debug)]
pub(super) struct Krylov<S: State> {
    /// Where the Jacobian is taken, and the field there.
    at: Option<(S::Elem, S, S)>,
    weights: Vec<S::Elem>,
    sigma: S::Elem,
    basis: Vec<S>,
    solution: S,
    /// Of the preconditioner, and of the differences.
    scratch: [S; 2],
    rotations: Rotations<S::Elem>,
}

impl<S: State> Krylov<S> {
    pub(super) fn new(y: &S) -> Self {
        Krylov {
            at: None,
            weights: vec![S::Elem::ZERO; y.as_slice().len()],
            sigma: S::Elem::ZERO,
            basis: vec![y.clone(); MOST + 1],
            solution: y.clone(),
            scratch: [y.clone(), y.clone()],
            rotations: Rotations::new(MOST),
        }
    }

    /// Moves the point at which the Jacobian is taken.
    pub(super) fn place(&mut self, (t, y, f0): (S::Elem, &S, &S), tol: &Tolerance<S::Elem>) {
        for (i, (w, &y)) in self.weights.iter_mut().zip(y.as_slice()).enumerate() {
            *w = tol.weight(i, y, y).recip();
        }
        match &mut self.at {
            Some(at) => {
                at.0 = t;
                at.1.clone_from(y);
                at.2.clone_from(f0);
            }
            None => self.at = Some((t, y.clone(), f0.clone())),
        }
    }

    pub(super) fn shift(&mut self, sigma: S::Elem) -> bool {
        self.sigma = sigma;
        sigma.is_finite()
    }

    /// Overwrites `b` with the solution; with NaN where the iteration does not get there.
    pub(super) fn solve<V>(&mut self, field: &mut V, mass: Option<&MassMatrix<S::Elem>>, b: &mut S)
    where
        V: VectorField<S> + ?Sized,
    {
        self.solution.as_mut_slice().fill(S::Elem::ZERO);
        let target = self.norm(b) * S::Elem::of(REDUCTION);
        for _ in 0..RESTARTS {
            // b holds what is left of the right-hand side.
            let left = self.norm(b);
            if left <= target {
                b.clone_from(&self.solution);
                return;
            }
            let used = self.directions(field, mass, (b, left), target);
            self.correct(field, used);
            self.residual(field, mass, b, used);
        }
        if self.norm(b) <= target {
            b.clone_from(&self.solution);
        } else {
            b.as_mut_slice().fill(S::Elem::nan());
        }
    }

    /// Builds directions until the residual would be at `target`; how many.
    fn directions<V>(
        &mut self,
        field: &mut V,
        mass: Option<&MassMatrix<S::Elem>>,
        (b, left): (&S, S::Elem),
        target: S::Elem,
    ) -> usize
    where
        V: VectorField<S> + ?Sized,
    {
        scaled(left.recip(), b, &mut self.basis[0]);
        self.rotations.restart(left);
        for k in 0..MOST {
            let (known, next) = self.basis.split_at_mut(k + 1);
            let next = &mut next[0];
            let [argument, moved] = &mut self.scratch;
            argument.clone_from(&known[k]);
            let Some((t, y, f0)) = &self.at else { return 0 };
            field.apply_preconditioner(*t, y, self.sigma, argument);
            product(field, (*t, y, f0), argument, (next, moved));
            finish_product(self.sigma, mass, argument, (next, moved));
            // Modified Gram–Schmidt.
            for (i, direction) in known.iter().enumerate() {
                let overlap = inner(&self.weights, direction, next);
                self.rotations.set(i, overlap);
                let pairs = next.as_mut_slice().iter_mut().zip(direction.as_slice());
                pairs.for_each(|(n, &d)| *n -= overlap * d);
            }
            let length = inner(&self.weights, next, next).sqrt();
            let residual = self.rotations.close(k, length);
            if residual <= target || length == S::Elem::ZERO || !length.is_finite() {
                return k + 1;
            }
            next.as_mut_slice().iter_mut().for_each(|n| *n /= length);
        }
        MOST
    }

    /// Adds the best combination of the directions, preconditioned, to the solution.
    fn correct<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, used: usize) {
        let step = &mut self.scratch[0];
        step.as_mut_slice().fill(S::Elem::ZERO);
        for (direction, &factor) in self.basis.iter().zip(self.rotations.solve(used)) {
            let pairs = step.as_mut_slice().iter_mut().zip(direction.as_slice());
            pairs.for_each(|(s, &d)| *s += factor * d);
        }
        let Some((t, y, _)) = &self.at else { return };
        field.apply_preconditioner(*t, y, self.sigma, step);
        let pairs = self.solution.as_mut_slice().iter_mut().zip(step.as_slice());
        pairs.for_each(|(x, &s)| *x += s);
    }

    /// `b ← b − A s` for the step just added.
    fn residual<V>(&mut self, field: &mut V, mass: Option<&MassMatrix<S::Elem>>, b: &mut S, used: usize)
    where
        V: VectorField<S> + ?Sized,
    {
        let [step, moved] = &mut self.scratch;
        let Some((t, y, f0)) = &self.at else { return };
        // The last direction has served.
        let out = &mut self.basis[used];
        product(field, (*t, y, f0), step, (out, moved));
        finish_product(self.sigma, mass, step, (out, moved));
        b.as_mut_slice().iter_mut().zip(out.as_slice()).for_each(|(b, &a)| *b -= a);
    }

    fn norm(&self, x: &S) -> S::Elem {
        inner(&self.weights, x, x).sqrt()
    }
}

/// `out ← J v`, by the field's own product or a finite difference to `f0`.
pub(in crate::integrate) fn product<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    (t, y, f0): (S::Elem, &S, &S),
    v: &S,
    (out, moved): (&mut S, &mut S),
) {
    if field.jvp(t, y, v, out) {
        return;
    }
    let size = |x: &S| x.as_slice().iter().fold(S::Elem::ZERO, |s, &x| s + x * x).sqrt();
    let length = size(v);
    if length == S::Elem::ZERO {
        out.as_mut_slice().fill(S::Elem::ZERO);
        return;
    }
    let least = S::Elem::of(1e-3) * S::Elem::of(y.as_slice().len() as f64).sqrt();
    let increment = S::Elem::EPS.sqrt() * size(y).max(least) / length;
    moved.clone_from(y);
    moved.as_mut_slice().iter_mut().zip(v.as_slice()).for_each(|(m, &v)| *m += increment * v);
    field.eval(t, moved, out);
    let pairs = out.as_mut_slice().iter_mut().zip(f0.as_slice());
    pairs.for_each(|(o, &f0)| *o = (*o - f0) / increment);
}

/// `out ← σ M v − out`.
fn finish_product<S: State>(
    sigma: S::Elem,
    mass: Option<&MassMatrix<S::Elem>>,
    v: &S,
    (out, moved): (&mut S, &mut S),
) {
    let massed = match mass {
        None => v.as_slice(),
        Some(mass) => {
            mass.times(v.as_slice(), moved.as_mut_slice());
            moved.as_slice()
        }
    };
    out.as_mut_slice().iter_mut().zip(massed).for_each(|(o, &v)| *o = sigma * v - *o);
}

fn scaled<S: State>(factor: S::Elem, x: &S, out: &mut S) {
    out.as_mut_slice().iter_mut().zip(x.as_slice()).for_each(|(o, &x)| *o = factor * x);
}

/// `Σ (wᵢ aᵢ)(wᵢ bᵢ)`.
fn inner<S: State>(weights: &[S::Elem], a: &S, b: &S) -> S::Elem {
    let terms = weights.iter().zip(a.as_slice().iter().zip(b.as_slice()));
    terms.fold(S::Elem::ZERO, |s, (&w, (&a, &b))| s + (w * a) * (w * b))
}
