//! Properties that hold for every flow, on random instances.

mod common;

use common::distance;
use flowfield::integrate::*;
use flowfield::{Flow, Solution, VectorField, field};
use proptest::prelude::*;

type Y = [f64; 3];
type Matrix = [[f64; 3]; 3];

fn matrix() -> impl Strategy<Value = Matrix> {
    prop::array::uniform3(prop::array::uniform3(-2.0..2.0))
}

fn vector() -> impl Strategy<Value = Y> {
    prop::array::uniform3(-2.0..2.0)
}

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn apply(a: &Matrix, y: &Y) -> Y {
    std::array::from_fn(|i| (0..3).map(|j| a[i][j] * y[j]).sum())
}

/// e^A by Taylor's series of A / 2^s, squared s times.
fn exponential(a: &Matrix) -> Matrix {
    let squarings = 8;
    let small = a.map(|row| row.map(|x| x / f64::from(1 << squarings)));
    let identity: Matrix = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    let (mut sum, mut term) = (identity, identity);
    for k in 1..20 {
        term = times(&term, &small).map(|row| row.map(|x| x / f64::from(k)));
        (0..9).for_each(|i| sum[i / 3][i % 3] += term[i / 3][i % 3]);
    }
    (0..squarings).fold(sum, |e, _| times(&e, &e))
}

fn linear(a: Matrix) -> impl VectorField<Y> {
    field(move |_t, y: &Y, dy: &mut Y| *dy = apply(&a, y))
}

/// A bounded nonlinear field that depends on time.
fn bounded(a: Matrix) -> impl Fn(f64, &Y, &mut Y) + Copy {
    move |t: f64, y: &Y, dy: &mut Y| {
        let z = apply(&a, y);
        *dy = std::array::from_fn(|i| (z[i] + t * (i as f64 + 1.0)).sin());
    }
}

fn solve<V: VectorField<Y>, I: Integrator<Y>>(f: V, method: I, (t0, t1): (f64, f64), y0: Y) -> Solution<Y> {
    Flow::new(f, method).tol(1e-10).dense().solve(t0, t1, y0).unwrap()
}

fn size(y: &Y) -> f64 {
    1.0 + y.iter().fold(0.0, |s: f64, x| s.max(x.abs()))
}

/// The ends of a run by every adaptive method.
fn ends(f: impl Fn() -> Box<dyn VectorField<Y>>, span: (f64, f64), y0: Y) -> Vec<(&'static str, Y)> {
    macro_rules! by {
        ($($method:ident)*) => { vec![$( (stringify!($method), *solve(f(), $method::new(), span, y0).y_end()) ),*] };
    }
    by!(Bs3 Dopri5 Tsit5 Vern6 Vern7 Vern8 Vern9 Dop853 Adams)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linear_systems_follow_the_matrix_exponential(a in matrix(), y0 in vector(), t in 0.1..2.0_f64) {
        let want = apply(&exponential(&a.map(|row| row.map(|x| x * t))), &y0);
        for (name, y) in ends(|| Box::new(linear(a)), (0.0, t), y0) {
            // Growth amplifies early errors: by e^‖A‖t at most.
            prop_assert!(distance(&y, &want) < 2e-6 * size(&want), "{name}: {y:?}, not {want:?}");
        }
    }

    #[test]
    fn time_runs_back(a in matrix(), y0 in vector()) {
        let f = bounded(a);
        for (name, y) in ends(|| Box::new(f), (0.0, 1.5), y0) {
            let back = *solve(f, Vern7::new(), (1.5, 0.0), y).y_end();
            prop_assert!(distance(&back, &y0) < 1e-5, "{name}: {back:?}, not {y0:?}");
        }
    }

    #[test]
    fn linear_fields_have_linear_flows(a in matrix(), x in vector(), y in vector(), c in -3.0..3.0_f64) {
        // With fixed steps the discrete flow itself is linear, to round-off.
        let step = |mut y: Y| { Flow::new(linear(a), Vern6::new()).steps(20, 0.05, &mut y).unwrap(); y };
        let sum = step(std::array::from_fn(|i| x[i] + c * y[i]));
        let (fx, fy) = (step(x), step(y));
        let want: Y = std::array::from_fn(|i| fx[i] + c * fy[i]);
        prop_assert!(distance(&sum, &want) < 1e-12 * (size(&fx) + 4.0 * size(&fy)));
    }

    #[test]
    fn autonomous_flows_do_not_look_at_the_clock(a in matrix(), y0 in vector(), shift in -4..4_i32) {
        // A shift that is exact in binary: the same steps, bit for bit in size and nearly so in value.
        let f = move |_t: f64, y: &Y, dy: &mut Y| bounded(a)(0.0, y, dy);
        let s = f64::from(shift);
        let here = solve(f, Tsit5::new(), (0.0, 2.0), y0);
        let there = solve(f, Tsit5::new(), (s, s + 2.0), y0);
        prop_assert_eq!(here.stats, there.stats);
        prop_assert!(distance(here.y_end(), there.y_end()) < 1e-12);
    }

    #[test]
    fn scaling_time_scales_the_field(a in matrix(), y0 in vector(), c in 0.3..3.0_f64) {
        let slow = solve(linear(a), Dop853::new(), (0.0, c), y0);
        let fast = solve(linear(a.map(|row| row.map(|x| c * x))), Dop853::new(), (0.0, 1.0), y0);
        prop_assert!(distance(slow.y_end(), fast.y_end()) < 1e-6 * size(slow.y_end()));
    }

    #[test]
    fn dense_output_agrees_with_a_run_that_stops_there(a in matrix(), y0 in vector(), t in 0.0..2.0_f64) {
        let f = bounded(a);
        macro_rules! check {
            ($($method:ident)*) => { $(
                let whole = solve(f, $method::new(), (0.0, 2.0), y0);
                let stopped = solve(f, $method::new(), (0.0, t), y0);
                let gap = distance(&whole.at(t).unwrap(), stopped.y_end());
                prop_assert!(gap < 1e-6, "{}: {gap:e} at {t}", stringify!($method));
                let restarted = solve(f, $method::new(), (t, 2.0), whole.at(t).unwrap());
                prop_assert!(distance(whole.y_end(), restarted.y_end()) < 2e-5, "{}", stringify!($method));
            )* };
        }
        check!(Bs3 Dopri5 Tsit5 Vern6 Vern7 Vern8 Vern9 Dop853 Adams);
    }

    #[test]
    fn running_twice_gives_the_same_bits(a in matrix(), y0 in vector()) {
        let f = bounded(a);
        for ((name, x), (_, y)) in ends(|| Box::new(f), (0.0, 1.0), y0).into_iter().zip(ends(|| Box::new(f), (0.0, 1.0), y0)) {
            prop_assert_eq!(x.map(f64::to_bits), y.map(f64::to_bits), "{}", name);
        }
    }
}
