//! The factorisation and its solves.

use std::sync::Arc;

use num_traits::Float as _;

use super::matching::largest_product;
use super::symbolic::{Front, Symbolic};
use crate::Real;
use crate::linalg::Pattern;
use crate::linalg::dense::eliminate;
use crate::linalg::scalar::Scalar;
use crate::simd::{Arith, Isa, Kernel};

/// `P A = L U` of a matrix with a fixed pattern. Rows are exchanged within a front only, which is enough for the matrices
/// `σ I − J` of implicit methods (their diagonal grows as the step shrinks). Where it is not, as with algebraic equations
/// that do not contain the variable of the same number, large entries are brought to the diagonal first.
#[derive(Debug, Clone)]
pub(crate) struct SparseLu<T> {
    plan: Arc<Symbolic>,
    pattern: Pattern,
    /// The rows are in an order that was made for values met before.
    matched: bool,
    /// Values of the matrix, in the order of its pattern.
    values: Vec<T>,
    /// Of each front: its rows of U (with the factors of L among them), then its rows of L below, transposed.
    factors: Vec<T>,
    pivots: Vec<u32>,
    front: Vec<T>,
    /// What fronts have left for others to come.
    waiting: Vec<T>,
    x: Vec<T>,
    gathered: Vec<T>,
}

impl<T: Scalar> SparseLu<T> {
    /// Room for matrices of a pattern that holds the whole diagonal.
    pub(crate) fn new(pattern: Pattern) -> Self {
        let rows: Vec<u32> = (0..pattern.n() as u32).collect();
        let values = vec![T::NIL; pattern.len()];
        Self::with_rows(pattern, &rows, values)
    }

    fn with_rows(pattern: Pattern, rows: &[u32], values: Vec<T>) -> Self {
        let (n, plan) = (pattern.n(), Arc::new(Symbolic::new(&pattern, rows)));
        SparseLu {
            pattern,
            matched: false,
            values,
            factors: vec![T::NIL; plan.stored],
            pivots: vec![0; n],
            front: vec![T::NIL; plan.largest * plan.largest],
            waiting: Vec::with_capacity(plan.waiting),
            x: vec![T::NIL; n],
            gathered: vec![T::NIL; plan.largest],
            plan,
        }
    }

    /// The values of the matrix, in the order of its pattern, to be written before [`factor`](Self::factor).
    pub(crate) fn values(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// Factorises the matrix that was written; false if it is singular to round-off or not finite.
    pub(crate) fn factor(&mut self) -> bool {
        self.eliminate_all() || (self.match_rows() && self.eliminate_all())
    }

    fn eliminate_all(&mut self) -> bool {
        self.waiting.clear();
        let plan = self.plan.clone();
        plan.fronts.iter().all(|front| self.eliminate(&plan, front))
    }

    /// Brings large entries to the diagonal; false if that cannot be done, or is done.
    #[cold]
    fn match_rows(&mut self) -> bool {
        let Some(rows) = largest_product(&self.pattern, &self.values) else { return false };
        let same = self.plan.order.iter().zip(&self.plan.rows).all(|(&j, &i)| rows[j as usize] == i);
        if same && self.matched {
            return false;
        }
        let pattern = self.pattern.clone();
        *self = Self::with_rows(pattern, &rows, std::mem::take(&mut self.values));
        self.matched = true;
        true
    }

    fn eliminate(&mut self, plan: &Symbolic, front: &Front) -> bool {
        let (size, width) = (front.size(), front.width);
        let m = &mut self.front[..size * size];
        m.fill(T::NIL);
        front.entries.iter().for_each(|&(from, to)| m[to as usize] = self.values[from as usize]);
        // The children's remains lie at the end, the last child's last.
        for &child in front.children.iter().rev() {
            let places = &plan.fronts[child as usize].places;
            let rest = self.waiting.len() - places.len() * places.len();
            for (row, &i) in self.waiting[rest..].chunks_exact(places.len()).zip(places) {
                let to = &mut m[i as usize * size..][..size];
                row.iter().zip(places).for_each(|(&x, &j)| to[j as usize] += x);
            }
            self.waiting.truncate(rest);
        }
        if !eliminate(m, size, width, &mut self.pivots[front.first..][..width]) {
            return false;
        }
        let (upper, lower) = self.factors[front.start..][..front.stored()].split_at_mut(width * size);
        upper.copy_from_slice(&m[..width * size]);
        let below = size - width;
        let mut largest = T::Real::of(0.0);
        for (i, row) in m[width * size..].chunks_exact(size).enumerate() {
            (0..width).for_each(|k| {
                lower[k * below + i] = row[k];
                largest = largest.max(row[k].size());
            });
            self.waiting.extend_from_slice(&row[width..]);
        }
        // A pivot much smaller than what it eliminates spoils the rest.
        self.matched || largest < T::Real::of(GROWTH)
    }

    /// Overwrites `b` with the solution.
    pub(crate) fn solve(&mut self, b: &mut [T]) {
        self.plan.rows.iter().zip(&mut self.x).for_each(|(&i, x)| *x = b[i as usize]);
        Isa::detect().run(Solve(self));
        self.plan.order.iter().zip(&self.x).for_each(|(&i, &x)| b[i as usize] = x);
    }
}

/// Largest factor of an elimination that is not looked at twice.
const GROWTH: f64 = 1e7;

/// Both triangular solves, in the order of elimination.
struct Solve<'a, T>(&'a mut SparseLu<T>);

impl<T: Scalar> Kernel for Solve<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let SparseLu { plan, factors, pivots, x, gathered, .. } = self.0;
        for front in &plan.fronts {
            forward::<T, A>(front, &factors[front.start..][..front.stored()], pivots, x, gathered);
        }
        for front in plan.fronts.iter().rev() {
            backward::<T, A>(front, &factors[front.start..][..front.stored()], x, gathered);
        }
    }
}

#[inline(always)]
fn forward<T: Scalar, A: Arith>(front: &Front, factors: &[T], pivots: &[u32], x: &mut [T], sums: &mut [T]) {
    let (size, width, below) = (front.size(), front.width, front.below.len());
    let (upper, lower) = factors.split_at(width * size);
    let own = &mut x[front.first..][..width];
    for (k, &p) in pivots[front.first..][..width].iter().enumerate() {
        own.swap(k, p as usize);
    }
    for i in 1..width {
        own[i] = own[..i].iter().zip(&upper[i * size..]).fold(own[i], |sum, (&x, &l)| sum.minus::<A>(l, x));
    }
    if below == 0 {
        return;
    }
    let sums = &mut sums[..below];
    sums.fill(T::NIL);
    for (&x, column) in own.iter().zip(lower.chunks_exact(below)) {
        sums.iter_mut().zip(column).for_each(|(s, &l)| *s = s.minus::<A>(l, x));
    }
    front.below.iter().zip(sums).for_each(|(&i, s)| x[i as usize] += *s);
}

#[inline(always)]
fn backward<T: Scalar, A: Arith>(front: &Front, factors: &[T], x: &mut [T], gathered: &mut [T]) {
    let (size, width) = (front.size(), front.width);
    let gathered = &mut gathered[..front.below.len()];
    front.below.iter().zip(&mut *gathered).for_each(|(&i, g)| *g = x[i as usize]);
    let own = &mut x[front.first..][..width];
    for i in (0..width).rev() {
        let row = &factors[i * size..][..size];
        let mut sum = minus_dot::<T, A>(own[i], &row[width..], gathered);
        sum = own[i + 1..].iter().zip(&row[i + 1..]).fold(sum, |sum, (&x, &u)| sum.minus::<A>(u, x));
        own[i] = sum * row[i];
    }
}

/// `start - Σ aᵢ bᵢ`, in eight partial sums.
#[inline(always)]
fn minus_dot<T: Scalar, A: Arith>(start: T, a: &[T], b: &[T]) -> T {
    let mut sums = [T::NIL; 8];
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.0.iter().zip(b.0) {
        (0..8).for_each(|k| sums[k] = sums[k].minus::<A>(a[k], b[k]));
    }
    let rest = a.1.iter().zip(b.1).fold(start, |sum, (&a, &b)| sum.minus::<A>(a, b));
    sums.iter().fold(rest, |mut sum, &s| {
        sum += s;
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{Complex, Lu};
    use crate::rng::Rng;

    /// A random pattern with the diagonal, and a matrix in it whose diagonal matters.
    fn random(n: usize, each: usize, rng: &mut Rng) -> Pattern {
        let mut places: Vec<_> = (0..n).map(|i| (i, i)).collect();
        places.extend((0..n * each).map(|_| (rng.below(n), rng.below(n))));
        Pattern::new(n, &places).unwrap()
    }

    fn distance<T: Scalar<Real = f64>>(
        pattern: &Pattern,
        lu: &mut SparseLu<T>,
        mut entry: impl FnMut() -> T,
    ) -> f64 {
        let n = pattern.n();
        let mut dense = Lu::default();
        dense.resize(n);
        let ten = T::of_real(10.0);
        for ((i, j), value) in pattern.places().zip(lu.values()) {
            *value = entry();
            if i == j {
                *value += ten;
            }
            dense.matrix()[i * n + j] = *value;
        }
        assert!(lu.factor() && dense.factor(n));
        let b: Vec<T> = (0..n).map(|_| entry()).collect();
        let (mut x, mut y) = (b.clone(), b);
        lu.solve(&mut x);
        dense.solve(n, &mut y);
        x.iter().zip(&y).map(|(&x, &y)| (x - y).size()).fold(0.0, f64::max)
    }

    #[test]
    fn sparse_is_dense_and_a_second_factorisation_is_a_first() {
        let mut rng = Rng::new(2, 0);
        for (n, each) in [(1, 0), (2, 1), (7, 0), (30, 1), (80, 2), (120, 5), (60, 60)] {
            let pattern = random(n, each, &mut rng);
            let mut lu = SparseLu::<f64>::new(pattern.clone());
            let mut pair = SparseLu::<Complex<f64>>::new(pattern.clone());
            for _ in 0..3 {
                let real = distance(&pattern, &mut lu, || rng.normal());
                let complex = distance(&pattern, &mut pair, || Complex::new(rng.normal(), rng.normal()));
                assert!(real < 1e-11 && complex < 1e-11, "n = {n}: {real:e} {complex:e}");
            }
            let again = lu.clone();
            assert!(lu.factor());
            assert_eq!(lu.factors, again.factors);
        }
    }

    #[test]
    fn a_singular_matrix_is_refused() {
        let mut lu = SparseLu::<f64>::new(Pattern::new(3, &[(0, 0), (1, 1), (2, 2), (0, 1)]).unwrap());
        lu.values().copy_from_slice(&[1.0, 2.0, 0.0, 3.0]);
        assert!(!lu.factor());
        lu.values().fill(f64::NAN);
        assert!(!lu.factor());
    }

    /// A saddle: variables that no equation of their own number holds, and one that holds it only just.
    #[test]
    fn zeros_on_the_diagonal_are_exchanged_for_something() {
        let (n, mut rng) = (40, Rng::new(5, 0));
        let mut places = Vec::new();
        for k in 0..n / 2 {
            places.extend([(k, k), (k, (k + 1) % 20), (k, n / 2 + k), (n / 2 + k, k)]);
        }
        places.extend((0..n).map(|i| (i, i)));
        let pattern = Pattern::new(n, &places).unwrap();
        let mut lu = SparseLu::<f64>::new(pattern.clone());
        for small in [0.0, 1e-14] {
            let mut dense = Lu::default();
            dense.resize(n);
            dense.matrix().fill(0.0);
            for ((i, j), value) in pattern.places().zip(lu.values()) {
                *value = if i == j && i >= n / 2 { small } else { rng.normal() };
                dense.matrix()[i * n + j] = *value;
            }
            assert!(lu.factor() && dense.factor(n));
            let b: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
            let (mut x, mut y) = (b.clone(), b);
            lu.solve(&mut x);
            dense.solve(n, &mut y);
            let size = y.iter().fold(0.0_f64, |s, y| s.max(y.abs()));
            let error = x.iter().zip(&y).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(error < 1e-11 * size, "{error:e} of {size:e}");
        }
    }
}
