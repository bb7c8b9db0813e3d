//! The solution of a linear differential equation by Krylov spaces.

use num_traits::Float as _;

use super::small::SmallExp;
use crate::integrate::Tolerance;
use crate::integrate::implicit::product;
use crate::{Real, State, VectorField};

/// Directions at most.
const MOST: usize = 64;
/// Parts into which a step is cut at most.
const PARTS: usize = 100;
/// The error of a whole solution, in the norm of the error weights.
const TARGET: f64 = 1e-2;

/// Solves, for θ from 0 to 1,
///
/// ```text
/// dw/dθ = h J w + b₁ + θ b₂ + θ²/2 b₃,    w(0) = 0,    so that    w(1) = φ₁(hJ) b₁ + φ₂(hJ) b₂ + φ₃(hJ) b₃,
/// ```
///
/// as `exp(θ A) (0, z)` with one matrix `A = [hJ B; 0 K]` for all of them, `K` being a shift: the powers of θ are unknowns,
/// too. Each part of the interval has its own Arnoldi basis, as large as the error estimate `β τ hₘ₊₁ₘ |eₘᵀ φ₁(τH) e₁| ‖vₘ₊₁‖`
/// asks for; with the largest one the part is made shorter instead.
///
/// Reference: Saad, *Analysis of some Krylov subspace approximations to the matrix exponential operator*, SIAM J. Numer. Anal. 29
/// (1992) 209–228; Niesen, Wright, *Algorithm 919*, ACM Trans. Math. Softw. 38 (2012) 22.
#[derive(Debug)]
pub(super) struct Krylov<S: State> {
    basis: Vec<S>,
    /// The powers of θ in each direction.
    tails: Vec<[S::Elem; 3]>,
    /// H by rows of MOST.
    small: Vec<f64>,
    exp: SmallExp,
    /// Of the new state in the directions.
    coordinates: Vec<f64>,
    moved: S,
    /// Products of the Jacobian with a vector.
    pub(super) products: u64,
}

/// What moves a linear equation: the matrix and the columns of `B`, some of which are zero.
pub(super) struct Linear<'a, S: State> {
    pub(super) at: (S::Elem, &'a S, &'a S),
    pub(super) h: S::Elem,
    /// Factors and vectors b₁, b₂, b₃.
    pub(super) forcing: [Option<(S::Elem, &'a S)>; 3],
    /// Inverse error weights.
    pub(super) inverse: &'a [S::Elem],
}

impl<S: State> Linear<'_, S> {
    fn degree(&self) -> usize {
        self.forcing.iter().rposition(Option::is_some).map_or(0, |k| k + 1)
    }

    /// The largest of the columns in a norm.
    fn largest(&self, norm: impl Fn(&[S::Elem]) -> S::Elem) -> S::Elem {
        let sizes = self.forcing.iter().flatten().map(|(c, b)| c.abs() * norm(b.as_slice()));
        sizes.fold(S::Elem::ZERO, |m, s| if s > m || s.is_nan() { s } else { m })
    }
}

impl<S: State> Krylov<S> {
    pub(super) fn new(y: &S) -> Self {
        let most = MOST.min(y.as_slice().len() + 3);
        Krylov {
            basis: vec![y.clone(); most + 1],
            tails: vec![[S::Elem::ZERO; 3]; most + 1],
            small: vec![0.0; (most + 1) * MOST],
            exp: SmallExp::new(most + 1),
            coordinates: vec![0.0; most],
            moved: y.clone(),
            products: 0,
        }
    }

    /// Writes `w(1)` to `w`; false if that is not finite, or takes too many parts.
    pub(super) fn solve<V>(&mut self, field: &mut V, linear: &Linear<'_, S>, w: &mut S) -> bool
    where
        V: VectorField<S> + ?Sized,
    {
        w.as_mut_slice().fill(S::Elem::ZERO);
        // The powers of θ as large as the forcing, so that neither is lost beside the other.
        let unit = linear.largest(length);
        if unit == S::Elem::ZERO {
            return true;
        }
        let (mut theta, mut part) = (0.0, 1.0_f64);
        for _ in 0..PARTS {
            let start = S::Elem::of(theta);
            let powers = [unit, unit * start, unit * start * start * S::Elem::of(0.5)];
            match self.advance(field, linear, (unit, powers), part.min(1.0 - theta), w) {
                Some(taken) => (theta, part) = (theta + taken, taken),
                None => return false,
            }
            if theta >= 1.0 {
                return true;
            }
        }
        false
    }

    /// Moves `w` by at most `part` of the step; by how much, if at all.
    fn advance<V>(
        &mut self,
        field: &mut V,
        linear: &Linear<'_, S>,
        (unit, mut tail): (S::Elem, [S::Elem; 3]),
        mut part: f64,
        w: &mut S,
    ) -> Option<f64>
    where
        V: VectorField<S> + ?Sized,
    {
        let degree = linear.degree();
        tail[degree..].fill(S::Elem::ZERO);
        let beta = (square(w.as_slice()) + square(&tail)).sqrt();
        self.write(0, w, &tail, beta);
        let whole = w.as_slice().len() + degree;
        let most = (self.basis.len() - 1).min(whole);
        let mut check = (degree + 4).min(most);
        for m in 1..=most {
            let next = self.direction(field, linear, unit, m - 1);
            if !next.is_finite() {
                return None;
            }
            let exact = m == whole || next == S::Elem::ZERO;
            if m < check && !exact {
                continue;
            }
            check = (m + m / 3 + 1).min(most);
            let left = if exact { 0.0 } else { beta.f64() * self.left(linear, unit, m) };
            loop {
                let error = self.estimate(m, part).map(|e| if exact { 0.0 } else { e * left });
                if error.is_some_and(|e| e <= TARGET * part) {
                    self.combine(m, beta, w);
                    return Some(part);
                }
                if m < most && !exact {
                    break;
                }
                part *= 0.5;
                if part < 1e-4 {
                    return None;
                }
            }
        }
        None
    }

    /// Direction `j` is (w, tail) / `by`.
    fn write(&mut self, j: usize, w: &S, tail: &[S::Elem; 3], by: S::Elem) {
        let pairs = self.basis[j].as_mut_slice().iter_mut().zip(w.as_slice());
        pairs.for_each(|(v, &w)| *v = w / by);
        self.tails[j] = tail.map(|z| z / by);
    }

    /// Makes direction `j + 1` from direction `j`; gives its length before it was made 1, 0 if nothing but round-off is left.
    fn direction<V>(&mut self, field: &mut V, linear: &Linear<'_, S>, unit: S::Elem, j: usize) -> S::Elem
    where
        V: VectorField<S> + ?Sized,
    {
        let (known, next) = self.basis.split_at_mut(j + 1);
        let next = &mut next[0];
        product(field, linear.at, &known[j], (next, &mut self.moved));
        self.products += 1;
        next.as_mut_slice().iter_mut().for_each(|n| *n *= linear.h);
        let from = self.tails[j];
        for (&z, (c, b)) in from.iter().zip(&linear.forcing).filter_map(|(z, f)| Some((z, f.as_ref()?))) {
            let factor = z * *c / unit;
            next.as_mut_slice().iter_mut().zip(b.as_slice()).for_each(|(n, &b)| *n += factor * b);
        }
        let mut tail = [S::Elem::ZERO, from[0], from[1]];
        tail[linear.degree()..].fill(S::Elem::ZERO);
        let before = (square(next.as_slice()) + square(&tail)).sqrt();
        (0..=j).for_each(|i| self.small[i * MOST + j] = 0.0);
        // Gram–Schmidt twice is enough.
        for i in (0..=j).chain(0..=j) {
            let (v, z) = (known[i].as_slice(), self.tails[i]);
            let overlap = dot(v, next.as_slice()) + dot(&z, &tail);
            self.small[i * MOST + j] += overlap.f64();
            next.as_mut_slice().iter_mut().zip(v).for_each(|(n, &v)| *n -= overlap * v);
            tail.iter_mut().zip(z).for_each(|(t, z)| *t -= overlap * z);
        }
        let size = (square(next.as_slice()) + square(&tail)).sqrt();
        let size = if size <= S::Elem::of(10.0) * S::Elem::EPS * before { S::Elem::ZERO } else { size };
        if size > S::Elem::ZERO {
            next.as_mut_slice().iter_mut().for_each(|n| *n /= size);
            self.tails[j + 1] = tail.map(|z| z / size);
        }
        self.small[(j + 1) * MOST + j] = size.f64();
        size
    }

    /// The direction left out after `m`, in the norm of the error weights, times its entry of H.
    fn left(&self, linear: &Linear<'_, S>, unit: S::Elem, m: usize) -> f64 {
        let weighted = |v: &[S::Elem]| Tolerance::weighted(v, linear.inverse);
        let through_tail = square(&self.tails[m]).sqrt() * linear.largest(weighted) / unit;
        (weighted(self.basis[m].as_slice()) + through_tail).f64() * self.small[m * MOST + m - 1]
    }

    /// The coordinates of `exp(τ H) e₁` for m directions; `τ |eₘᵀ φ₁(τH) e₁|`, or `None` if that is not finite.
    fn estimate(&mut self, m: usize, tau: f64) -> Option<f64> {
        let n = m + 1;
        let matrix = self.exp.matrix(n);
        matrix.fill(0.0);
        for i in 0..m {
            let row = i.saturating_sub(1)..m;
            matrix[i * n..][row.clone()].copy_from_slice(&self.small[i * MOST..][row]);
            matrix[i * n..i * n + m].iter_mut().for_each(|a| *a *= tau);
        }
        matrix[m] = tau;
        let exp = self.exp.exponentiate(n)?;
        self.coordinates[..m].iter_mut().zip(exp.iter().step_by(n)).for_each(|(c, &e)| *c = e);
        Some(exp[(m - 1) * n + m].abs())
    }

    fn combine(&self, m: usize, beta: S::Elem, w: &mut S) {
        w.as_mut_slice().fill(S::Elem::ZERO);
        for (direction, &c) in self.basis.iter().zip(&self.coordinates[..m]) {
            let c = beta * S::Elem::of(c);
            w.as_mut_slice().iter_mut().zip(direction.as_slice()).for_each(|(w, &v)| *w += c * v);
        }
    }
}

fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).fold(F::ZERO, |s, (&a, &b)| s + a * b)
}

fn square<F: Real>(a: &[F]) -> F {
    dot(a, a)
}

fn length<F: Real>(a: &[F]) -> F {
    square(a).sqrt()
}
