//! Laws of Jacobians: the automatic, the user's, the differenced; the dense, the banded, the sparse.

use flowfield::integrate::{Bdf, Rodas4, Rodas5P};
use flowfield::{
    Differentiable, Error, Flow, Formula, MatrixFree, Number, Pattern, Solution, State, Structure,
    Structured, VectorField, WithJacobian, check_jacobian, field,
};
use ndarray::Array1;

/// A case of the stiff test sets: a formula, a point, and the Jacobian there written by hand, row by row.
trait Case: Formula {
    fn point(&self) -> Vec<f64>;
    fn by_hand(&self, y: &[f64], set: &mut dyn FnMut(usize, usize, f64));
}

struct VanDerPol;
impl Formula for VanDerPol {
    fn eval<T: Number>(&self, _t: T, y: &[T], _p: &[T], dy: &mut [T]) {
        dy[0] = y[1];
        dy[1] = T::of(1e3) * (T::of(1.0) - y[0] * y[0]) * y[1] - y[0];
    }
}
impl Case for VanDerPol {
    fn point(&self) -> Vec<f64> {
        vec![1.7, -0.9]
    }
    fn by_hand(&self, y: &[f64], set: &mut dyn FnMut(usize, usize, f64)) {
        set(0, 1, 1.0);
        set(1, 0, -2e3 * y[0] * y[1] - 1.0);
        set(1, 1, 1e3 * (1.0 - y[0] * y[0]));
    }
}

struct Robertson;
impl Formula for Robertson {
    fn eval<T: Number>(&self, _t: T, y: &[T], _p: &[T], dy: &mut [T]) {
        let (slow, fast, faster) = (T::of(0.04) * y[0], T::of(1e4) * y[1] * y[2], T::of(3e7) * y[1] * y[1]);
        dy[0] = fast - slow;
        dy[1] = slow - fast - faster;
        dy[2] = faster;
    }
}
impl Case for Robertson {
    fn point(&self) -> Vec<f64> {
        vec![0.7, 9e-6, 0.3]
    }
    fn by_hand(&self, y: &[f64], set: &mut dyn FnMut(usize, usize, f64)) {
        let (fast1, fast2, faster) = (1e4 * y[2], 1e4 * y[1], 6e7 * y[1]);
        [(0, 0, -0.04), (0, 1, fast1), (0, 2, fast2), (1, 0, 0.04)]
            .iter()
            .for_each(|&(i, j, v)| set(i, j, v));
        [(1, 1, -fast1 - faster), (1, 2, -fast2), (2, 1, faster)].iter().for_each(|&(i, j, v)| set(i, j, v));
    }
}

struct Hires;
impl Formula for Hires {
    fn eval<T: Number>(&self, _t: T, y: &[T], _p: &[T], d: &mut [T]) {
        let c = T::of;
        let r = c(280.0) * y[5] * y[7];
        d[0] = c(-1.71) * y[0] + c(0.43) * y[1] + c(8.32) * y[2] + c(0.0007);
        d[1] = c(1.71) * y[0] - c(8.75) * y[1];
        d[2] = c(-10.03) * y[2] + c(0.43) * y[3] + c(0.035) * y[4];
        d[3] = c(8.32) * y[1] + c(1.71) * y[2] - c(1.12) * y[3];
        d[4] = c(-1.745) * y[4] + c(0.43) * y[5] + c(0.43) * y[6];
        d[5] = -r + c(0.69) * y[3] + c(1.71) * y[4] - c(0.43) * y[5] + c(0.69) * y[6];
        d[6] = r - c(1.81) * y[6];
        d[7] = -r + c(1.81) * y[6];
    }
}
impl Case for Hires {
    fn point(&self) -> Vec<f64> {
        vec![0.9, 0.2, 0.1, 0.5, 0.3, 1.1, 0.002, 0.003]
    }
    fn by_hand(&self, y: &[f64], set: &mut dyn FnMut(usize, usize, f64)) {
        let (a, b) = (280.0 * y[7], 280.0 * y[5]);
        [(0, 0, -1.71), (0, 1, 0.43), (0, 2, 8.32), (1, 0, 1.71), (1, 1, -8.75)]
            .iter()
            .for_each(|&(i, j, v)| set(i, j, v));
        [(2, 2, -10.03), (2, 3, 0.43), (2, 4, 0.035), (3, 1, 8.32), (3, 2, 1.71)]
            .iter()
            .for_each(|&(i, j, v)| set(i, j, v));
        [(3, 3, -1.12), (4, 4, -1.745), (4, 5, 0.43), (4, 6, 0.43), (5, 3, 0.69)]
            .iter()
            .for_each(|&(i, j, v)| set(i, j, v));
        [(5, 4, 1.71), (5, 5, -a - 0.43), (5, 6, 0.69), (5, 7, -b), (6, 5, a)]
            .iter()
            .for_each(|&(i, j, v)| set(i, j, v));
        [(6, 6, -1.81), (6, 7, b), (7, 5, -a), (7, 6, 1.81), (7, 7, -b)]
            .iter()
            .for_each(|&(i, j, v)| set(i, j, v));
    }
}

struct Oregonator;
impl Formula for Oregonator {
    fn eval<T: Number>(&self, _t: T, y: &[T], _p: &[T], d: &mut [T]) {
        let c = T::of;
        d[0] = c(77.27) * (y[1] + y[0] * (c(1.0) - c(8.375e-6) * y[0] - y[1]));
        d[1] = (y[2] - (c(1.0) + y[0]) * y[1]) / c(77.27);
        d[2] = c(0.161) * (y[0] - y[2]);
    }
}
impl Case for Oregonator {
    fn point(&self) -> Vec<f64> {
        vec![1e5, 1.2, 3e4]
    }
    fn by_hand(&self, y: &[f64], set: &mut dyn FnMut(usize, usize, f64)) {
        set(0, 0, 77.27 * (1.0 - 2.0 * 8.375e-6 * y[0] - y[1]));
        set(0, 1, 77.27 * (1.0 - y[0]));
        set(1, 0, -y[1] / 77.27);
        set(1, 1, -(1.0 + y[0]) / 77.27);
        set(1, 2, 1.0 / 77.27);
        set(2, 0, 0.161);
        set(2, 2, -0.161);
    }
}

/// The Brusselator on a line, u and v side by side.
struct Line(usize);
impl Formula for Line {
    fn eval<T: Number>(&self, _t: T, y: &[T], _p: &[T], d: &mut [T]) {
        let (m, c) = (self.0, T::of(0.02 * ((self.0 + 1) * (self.0 + 1)) as f64));
        let at = |i: usize, k: usize, edge: f64| {
            if i == usize::MAX || i >= m { T::of(edge) } else { y[2 * i + k] }
        };
        for i in 0..m {
            let (u, v) = (y[2 * i], y[2 * i + 1]);
            let spread = |x: T, k: usize, edge: f64| {
                at(i.wrapping_sub(1), k, edge) - T::of(2.0) * x + at(i + 1, k, edge)
            };
            let w = u * u * v;
            d[2 * i] = T::of(1.0) + w - T::of(4.0) * u + c * spread(u, 0, 1.0);
            d[2 * i + 1] = T::of(3.0) * u - w + c * spread(v, 1, 3.0);
        }
    }
}
impl Case for Line {
    fn point(&self) -> Vec<f64> {
        (0..2 * self.0).map(|k| if k % 2 == 0 { 1.0 + (k as f64).sin() } else { 3.0 }).collect()
    }
    fn by_hand(&self, y: &[f64], set: &mut dyn FnMut(usize, usize, f64)) {
        let c = 0.02 * ((self.0 + 1) * (self.0 + 1)) as f64;
        for i in 0..self.0 {
            let (p, q) = (2 * i, 2 * i + 1);
            let (u, v) = (y[p], y[q]);
            [(p, p, 2.0 * u * v - 4.0 - 2.0 * c), (p, q, u * u)].iter().for_each(|&(i, j, v)| set(i, j, v));
            [(q, p, 3.0 - 2.0 * u * v), (q, q, -u * u - 2.0 * c)].iter().for_each(|&(i, j, v)| set(i, j, v));
            if i > 0 {
                [p, q].iter().for_each(|&k| set(k, k - 2, c));
            }
            if i + 1 < self.0 {
                [p, q].iter().for_each(|&k| set(k, k + 2, c));
            }
        }
    }
}

/// The Brusselator on a periodic square, all u before all v, with a source that is switched on.
struct Square(usize);
impl Square {
    fn around(&self, k: usize) -> [usize; 4] {
        let (m, i, j) = (self.0, k % self.0, k / self.0);
        [j * m + (i + 1) % m, j * m + (i + m - 1) % m, (j + 1) % m * m + i, (j + m - 1) % m * m + i]
    }
    fn rate(&self) -> f64 {
        10.0 * ((self.0 - 1) * (self.0 - 1)) as f64
    }
}
impl Formula for Square {
    fn eval<T: Number>(&self, t: T, y: &[T], _p: &[T], d: &mut [T]) {
        let m = self.0 * self.0;
        let source = (t - T::of(1.1)).where_positive(T::of(5.0), T::of(0.0));
        for k in 0..m {
            let (u, v) = (y[k], y[m + k]);
            let near = self.around(k);
            let spread = |first: usize| {
                let sum = near.iter().fold(T::of(-4.0) * y[first + k], |s, &n| s + y[first + n]);
                T::of(self.rate()) * sum
            };
            d[k] = T::of(1.0) + u * u * v - T::of(4.4) * u + spread(0) + source;
            d[m + k] = T::of(3.4) * u - u * u * v + spread(m);
        }
    }
}
impl Case for Square {
    fn point(&self) -> Vec<f64> {
        (0..2 * self.0 * self.0).map(|k| 1.0 + 0.5 * (k as f64).sin()).collect()
    }
    fn by_hand(&self, y: &[f64], set: &mut dyn FnMut(usize, usize, f64)) {
        let (m, c) = (self.0 * self.0, self.rate());
        for k in 0..m {
            let (u, v) = (y[k], y[m + k]);
            set(k, k, 2.0 * u * v - 4.4 - 4.0 * c);
            set(k, m + k, u * u);
            set(m + k, k, 3.4 - 2.0 * u * v);
            set(m + k, m + k, -u * u - 4.0 * c);
            for n in self.around(k) {
                [(k, n), (m + k, m + n)].iter().for_each(|&(i, j)| set(i, j, c));
            }
        }
    }
}

/// A matrix by hand, dense.
fn truth<C: Case>(case: &C) -> (Array1<f64>, Vec<f64>, Pattern) {
    let y = case.point();
    let n = y.len();
    let (mut dense, mut places) = (vec![0.0; n * n], Vec::new());
    case.by_hand(&y, &mut |i, j, v| {
        dense[i * n + j] = v;
        places.push((i, j));
    });
    (Array1::from(y), dense, Pattern::new(n, &places).unwrap())
}

/// Values in a structure as a dense matrix.
fn spread(structure: &Structure, n: usize, values: &[f64]) -> Vec<f64> {
    let entry = |k: usize| structure.position(n, k / n, k % n).map_or(0.0, |at| values[at]);
    (0..n * n).map(entry).collect()
}

fn jacobian<V: VectorField<Array1<f64>>>(field: &mut V, y: &Array1<f64>) -> Vec<f64> {
    let (n, structure) = (y.len(), field.structure(0.0, y));
    let mut values = vec![0.0; structure.len(n)];
    assert!(field.jacobian(0.0, y, &mut values));
    spread(&structure, n, &values)
}

fn assert_same(got: &[f64], want: &[f64], what: &str) {
    let scale = want.iter().fold(0.0_f64, |s, v| s.max(v.abs()));
    for (k, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= 4e-16 * (w.abs() + 1e-3 * scale), "{what}: number {k} is {g:e}, not {w:e}");
    }
}

fn check_case<C: Case>(name: &str, make: impl Fn() -> C) {
    let (y, dense, pattern) = truth(&make());
    assert_same(&jacobian(&mut Differentiable::new(make()), &y), &dense, name);
    // The pattern that is followed from y to dy is the one by hand, and what is probed is, too.
    let mut traced = Differentiable::new(make()).sparse();
    let Structure::Sparse(found) = traced.structure(0.0, &y) else { panic!("{name}: not sparse") };
    let places = |p: &Pattern| p.places().collect::<Vec<_>>();
    assert_eq!(places(&found), places(&pattern), "{name}: traced");
    assert_same(&jacobian(&mut traced, &y), &dense, name);
    assert_same(&jacobian(&mut Differentiable::new(make()).pattern(pattern.clone()), &y), &dense, name);
    let mut evals = 0;
    let formula = make();
    let plain = field(|t, y: &Array1<f64>, dy: &mut Array1<f64>| {
        evals += 1;
        formula.eval(t, State::as_slice(y), &[], dy.as_mut_slice());
    });
    let Structure::Sparse(probed) = Structured::detected(plain).structure(0.0, &y) else { panic!("{name}") };
    assert_eq!(places(&probed), places(&pattern), "{name}: probed");
    println!("{name}: probed in {evals} evaluations");
}

#[test]
fn the_automatic_jacobian_is_the_one_by_hand_and_detected_patterns_are_the_true_ones() {
    check_case("van der Pol", || VanDerPol);
    check_case("Robertson", || Robertson);
    check_case("HIRES", || Hires);
    check_case("Oregonator", || Oregonator);
    check_case("Brusselator, line", || Line(40));
    check_case("Brusselator, square", || Square(9));
}

#[test]
fn a_banded_automatic_jacobian_is_the_dense_one() {
    let (y, dense, _) = truth(&Line(30));
    assert_same(&jacobian(&mut Differentiable::new(Line(30)).banded(2, 2), &y), &dense, "banded");
    let many = 500;
    let y = Array1::from(Square(20).point());
    let mut probes = 0;
    let square = field(|t, y: &Array1<f64>, dy: &mut Array1<f64>| {
        probes += 1;
        Square(20).eval(t, State::as_slice(y), &[], dy.as_mut_slice());
    });
    let structure = Structured::detected(square).structure(0.0, &y);
    assert!(matches!(structure, Structure::Sparse(p) if p.len() == 800 * 6) && probes < many, "{probes}");
}

#[test]
fn directional_and_time_derivatives_are_exact() {
    struct Forced;
    impl Formula for Forced {
        fn eval<T: Number>(&self, t: T, y: &[T], p: &[T], dy: &mut [T]) {
            dy[0] = p[0] * t * t * y[0] * y[1];
            dy[1] = y[0].exp() * p[1];
        }
    }
    let mut forced = Differentiable::new(Forced).parameters(&[2.0, 3.0]);
    let (t, y, mut out) = (0.5, [0.2, 0.7], [0.0; 2]);
    assert!(forced.jvp(t, &y, &[1.0, -1.0], &mut out));
    let want = [2.0 * 0.25 * (0.7 - 0.2), 3.0 * 0.2f64.exp()];
    assert!((out[0] - want[0]).abs() < 1e-15 && (out[1] - want[1]).abs() < 1e-15);
    assert!(forced.time_derivative(t, &y, &mut out));
    assert!((out[0] - 4.0 * 0.5 * 0.2 * 0.7).abs() < 1e-15 && out[1] == 0.0);
    forced.derivative((t, 0.0), (&y, &[]), &[1.0, 2.0], &mut out);
    assert!((out[0] - 0.25 * 0.14).abs() < 1e-15 && (out[1] - 2.0 * 0.2f64.exp()).abs() < 1e-15);
}

/// One run of the Brusselator on a line, by a field.
fn run<V: VectorField<Array1<f64>>>(field: V) -> Solution<Array1<f64>> {
    let start = Array1::from_shape_fn(80, |k| {
        let x = (k / 2 + 1) as f64 / 41.0;
        if k % 2 == 0 { 1.0 + (std::f64::consts::TAU * x).sin() } else { 3.0 }
    });
    Flow::new(field, Rodas5P::new()).tol(1e-6).save_last().solve(0.0, 2.0, start).unwrap()
}

#[test]
fn every_way_to_a_jacobian_leads_to_the_same_solution() {
    let plain = || {
        field(|t, y: &Array1<f64>, dy: &mut Array1<f64>| {
            Line(40).eval(t, State::as_slice(y), &[], dy.as_mut_slice());
        })
    };
    let (_, _, pattern) = truth(&Line(40));
    let dense = run(plain());
    let order: Vec<_> = pattern.places().collect();
    let hand = {
        let order = order.clone();
        move |_t: f64, y: &Array1<f64>, jac: &mut [f64]| {
            let at = |i: usize, j: usize| order.iter().position(|&p| p == (i, j)).unwrap();
            Line(40).by_hand(State::as_slice(y), &mut |i, j, v| jac[at(i, j)] = v);
        }
    };
    let band = |_t: f64, y: &Array1<f64>, jac: &mut [f64]| {
        Line(40).by_hand(State::as_slice(y), &mut |i, j, v| jac[i * 5 + j + 2 - i] = v);
    };
    let runs = [
        ("coloured band", run(Structured::banded(plain(), 2, 2))),
        ("coloured sparse", run(Structured::sparse(plain(), pattern.clone()))),
        ("detected", run(Structured::detected(plain()))),
        ("automatic dense", run(Differentiable::new(Line(40)))),
        ("automatic band", run(Differentiable::new(Line(40)).banded(2, 2))),
        ("automatic sparse", run(Differentiable::new(Line(40)).sparse())),
        ("by hand, band", run(WithJacobian::banded(plain(), 2, 2, band))),
        ("by hand, sparse", run(WithJacobian::sparse(plain(), Pattern::new(80, &order).unwrap(), hand))),
    ];
    for (name, sol) in &runs {
        let distance = (sol.y_end() - dense.y_end()).mapv(f64::abs).fold(0.0_f64, |a, &b| a.max(b));
        assert!(distance < 1e-7, "{name}: {distance:e}");
        assert!(sol.stats.accepted.abs_diff(dense.stats.accepted) <= 1, "{name}");
    }
    let per_jacobian = |s: &Solution<_>| s.stats.evals as f64 / s.stats.jacobians as f64;
    assert!(
        per_jacobian(&dense) > 80.0 && per_jacobian(&runs[0].1) < 16.0 && per_jacobian(&runs[2].1) < 25.0
    );
}

#[test]
fn values_in_the_users_order_are_sorted_and_added() {
    let places = [(1, 1), (0, 0), (1, 0), (1, 1)];
    let f = field(|_t, y: &[f64; 2], d| *d = [-y[0], y[0] - 5.0 * y[1]]);
    let jac = |_t: f64, _y: &[f64; 2], jac: &mut [f64]| jac.copy_from_slice(&[-2.0, -1.0, 1.0, -3.0]);
    let mut f = WithJacobian::sparse(f, Pattern::new(2, &places).unwrap(), jac);
    let mut values = [0.0; 3];
    assert!(f.jacobian(0.0, &[0.0; 2], &mut values));
    assert_eq!(values, [-1.0, 1.0, -5.0]);
}

#[test]
fn structures_that_do_not_fit_are_refused() {
    let decay = || field(|_t, y: &[f64; 2], d| *d = [-y[0], -y[1]]);
    let error =
        |field: Structured<_>| Flow::new(field, Rodas4::new()).solve(0.0, 1.0, [1.0, 1.0]).unwrap_err().error;
    assert!(matches!(error(Structured::banded(decay(), 2, 0)), Error::Setting { what: "bandwidth", .. }));
    assert!(matches!(error(Structured::sparse(decay(), Pattern::new(3, &[]).unwrap())), Error::Shape { .. }));
    assert!(matches!(
        Pattern::new(2, &[(0, 0), (5, 1)]),
        Err(Error::EntryOutside { row: 5, column: 1, n: 2 })
    ));
}

#[test]
fn a_wrong_entry_is_named_and_right_ones_pass() {
    let plain = || {
        field(|t, y: &Array1<f64>, dy: &mut Array1<f64>| {
            Line(40).eval(t, State::as_slice(y), &[], dy.as_mut_slice());
        })
    };
    let y = Array1::from(Line(40).point());
    let by_hand = |spoil: (usize, usize, f64)| {
        move |_t: f64, y: &Array1<f64>, jac: &mut [f64]| {
            let at = |i: usize, j: usize| i * 5 + j + 2 - i;
            Line(40).by_hand(State::as_slice(y), &mut |i, j, v| jac[at(i, j)] = v);
            jac[at(spoil.0, spoil.1)] *= spoil.2;
        }
    };
    let check = |spoil| check_jacobian(&mut WithJacobian::banded(plain(), 2, 2, by_hand(spoil)), 0.0, &y);
    assert_eq!(check((0, 0, 1.0)), Ok(()));
    for (row, column) in [(31, 30), (17, 19), (0, 0)] {
        let e = check((row, column, -1.0)).unwrap_err();
        assert!(
            matches!(e, Error::WrongJacobian { row: r, column: c, .. } if (r, c) == (row, column)),
            "{e}"
        );
        assert!(e.to_string().contains(&format!("entry ({row}, {column})")));
    }
    // A pattern that leaves out what is there.
    let narrow = |_t: f64, _y: &Array1<f64>, jac: &mut [f64]| jac.fill(0.0);
    let e = check_jacobian(&mut WithJacobian::banded(plain(), 0, 0, narrow), 0.0, &y);
    assert!(matches!(e, Err(Error::WrongJacobian { .. })));
    assert_eq!(check_jacobian(&mut Differentiable::new(Line(40)).sparse(), 0.0, &y), Ok(()));
    assert_eq!(check_jacobian(&mut plain(), 0.0, &y), Ok(()));
}

#[test]
fn without_a_matrix_the_solution_is_the_same_and_a_preconditioner_saves_work() {
    let plain = || {
        field(|t, y: &Array1<f64>, dy: &mut Array1<f64>| {
            Line(40).eval(t, State::as_slice(y), &[], dy.as_mut_slice());
        })
    };
    fn solve<V: VectorField<Array1<f64>>>(field: V) -> Solution<Array1<f64>> {
        let start = Array1::from(Line(40).point());
        Flow::new(field, Bdf::new()).tol(1e-6).save_last().solve(0.0, 2.0, start).unwrap()
    }
    let dense = solve(plain());
    // The diffusion alone, u and v apart: a tridiagonal system.
    let diffusion = |_t: f64, _y: &Array1<f64>, sigma: f64, r: &mut Array1<f64>| {
        let (m, c) = (40, 0.02 * 41.0 * 41.0);
        for first in 0..2 {
            let mut ratio = vec![0.0; m];
            for i in 0..m {
                let before = if i > 0 { (ratio[i - 1], r[2 * i - 2 + first]) } else { (0.0, 0.0) };
                let pivot = sigma + 2.0 * c - c * before.0;
                ratio[i] = c / pivot;
                r[2 * i + first] = (r[2 * i + first] + c * before.1) / pivot;
            }
            for i in (0..m - 1).rev() {
                r[2 * i + first] += ratio[i] * r[2 * i + 2 + first];
            }
        }
    };
    let bare = solve(MatrixFree::new(plain()));
    let exact = solve(MatrixFree::new(Differentiable::new(Line(40))));
    let conditioned = solve(MatrixFree::new(plain()).preconditioner(diffusion));
    for (name, sol) in [("bare", &bare), ("exact products", &exact), ("preconditioned", &conditioned)] {
        let distance = (sol.y_end() - dense.y_end()).mapv(f64::abs).fold(0.0_f64, |a, &b| a.max(b));
        assert!(distance < 1e-5, "{name}: {distance:e}");
    }
    println!("evaluations: {} {} {}", dense.stats.evals, bare.stats.evals, conditioned.stats.evals);
    assert!(conditioned.stats.evals * 3 < bare.stats.evals * 2);
    // A Rosenbrock method on products with vectors alone.
    let start = Array1::from(Line(40).point());
    let field = MatrixFree::new(Differentiable::new(Line(40)));
    let rodas = Flow::new(field, Rodas4::new()).tol(1e-5).save_last().solve(0.0, 2.0, start).unwrap();
    assert!((rodas.y_end() - dense.y_end()).iter().all(|d| d.abs() < 1e-3));
}
