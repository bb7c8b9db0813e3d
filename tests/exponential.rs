//! Laws of the exponential integrators: exact for linear fields, order, freedom from step restrictions, proportionality.

mod common;

use common::{distance, slope};
use flowfield::integrate::*;
use flowfield::{Error, Flow, VectorField, field};
use ndarray::Array1;
use std::f64::consts::PI;

type Y = Array1<f64>;

/// u_t = rate (second difference) + react · (u − u³) + drive · sin 5t, zero at both ends, with its products.
#[derive(Clone, Copy)]
struct Reaction {
    rate: f64,
    react: f64,
    drive: f64,
    /// Whether the field gives its own products.
    products: bool,
}

fn diffuse(rate: f64, y: &Y, out: &mut Y) {
    let (y, n) = (y.as_slice().unwrap(), y.len());
    for (i, d) in out.iter_mut().enumerate() {
        let left = if i > 0 { y[i - 1] } else { 0.0 };
        let right = if i + 1 < n { y[i + 1] } else { 0.0 };
        *d = rate * (left - 2.0 * y[i] + right);
    }
}

impl VectorField<Y> for Reaction {
    fn eval(&mut self, t: f64, y: &Y, dy: &mut Y) {
        diffuse(self.rate, y, dy);
        let push = self.drive * (5.0 * t).sin();
        dy.iter_mut().zip(y).for_each(|(d, &y)| *d += self.react * (y - y * y * y) + push);
    }
    fn jvp(&mut self, _t: f64, y: &Y, v: &Y, out: &mut Y) -> bool {
        diffuse(self.rate, v, out);
        out.iter_mut()
            .zip(y.iter().zip(v))
            .for_each(|(o, (y, v))| *o += self.react * (1.0 - 3.0 * y * y) * v);
        self.products
    }
}

fn heat(n: usize, products: bool) -> Reaction {
    Reaction { rate: ((n + 1) * (n + 1)) as f64, react: 0.0, drive: 0.0, products }
}

/// Allen–Cahn: a largest rate of about 170, a reaction of 2.
fn allen_cahn(drive: f64) -> Reaction {
    Reaction { rate: 0.01 * 65.0 * 65.0, react: 2.0, drive, products: true }
}

fn bump(n: usize) -> Y {
    Array1::from_shape_fn(n, |i| {
        let x = (i + 1) as f64 / (n + 1) as f64;
        (PI * x).sin() + 0.5 * (3.0 * PI * x).sin()
    })
}

/// [`heat`] at time t from [`bump`]: eigenvectors, each with its own decay.
fn heat_exact(n: usize, t: f64) -> Y {
    Array1::from_shape_fn(n, |i| {
        let dx = 1.0 / (n + 1) as f64;
        let mode = |k: f64| {
            let lambda = 4.0 / (dx * dx) * (0.5 * k * PI * dx).sin().powi(2);
            (-lambda * t).exp() * (k * PI * (i + 1) as f64 * dx).sin()
        };
        mode(1.0) + 0.5 * mode(3.0)
    })
}

fn gap<S: flowfield::State<Elem = f64>>(a: &S, b: &S) -> f64 {
    distance(a.as_slice(), b.as_slice())
}

/// Errors at the end of fixed steps, by the size of the step.
fn errors<I: Integrator<Y>>(field: Reaction, make: fn() -> I) -> Vec<(f64, f64)> {
    let exact = Flow::new(field, RadauIIA5::new()).tol(1e-11).solve(0.0, 1.0, bump(64)).unwrap();
    let error = |steps: u32| {
        let h = 1.0 / f64::from(steps);
        let sol = Flow::new(field, make()).tol(1e-10).fixed_step(h).solve(0.0, 1.0, bump(64)).unwrap();
        (h, gap(sol.y_end(), exact.y_end()))
    };
    [16, 32, 64].map(error).to_vec()
}

#[test]
fn both_keep_their_order_on_a_stiff_semilinear_problem_driven_or_not() {
    for drive in [0.0, 3.0] {
        let two = errors(allen_cahn(drive), ExponentialEuler::new);
        let three = errors(allen_cahn(drive), Exprb32::new);
        let (p, q) = (slope(&two), slope(&three));
        println!("drive {drive}: {p:.2} {two:?}, {q:.2} {three:?}");
        assert!((p - 2.0).abs() < 0.3, "{drive} order {p}: {two:?}");
        assert!((q - 3.0).abs() < 0.4, "{drive} order {q}: {three:?}");
    }
}

#[test]
fn linear_fields_are_solved_exactly_by_steps_of_any_size() {
    // Damped oscillation, a fast decay that it drives, and a constant force.
    let linear = || {
        field(|_t, y: &[f64; 3], d: &mut [f64; 3]| {
            *d = [y[1], -4.0 * y[0] - 0.2 * y[1] + 1.0, 100.0 * (y[0] - y[2])];
        })
    };
    let exact = Flow::new(linear(), Vern9::new()).tol(1e-13).solve(0.0, 4.0, [1.0, 0.0, 2.0]).unwrap();
    for h in [4.0, 2.0, 0.5] {
        let mut two = Flow::new(linear(), ExponentialEuler::new()).tol(1e-10).fixed_step(h);
        let mut three = Flow::new(linear(), Exprb32::new()).tol(1e-10).fixed_step(h);
        let two = two.solve(0.0, 4.0, [1.0, 0.0, 2.0]).unwrap();
        let three = three.solve(0.0, 4.0, [1.0, 0.0, 2.0]).unwrap();
        let gaps = [gap(two.y_end(), exact.y_end()), gap(three.y_end(), exact.y_end())];
        // Finite differences hold about eight digits.
        assert!(gaps.iter().all(|&g| g < 1e-5), "{h} {gaps:?}");
    }
    for (n, h) in [(20, 0.1), (60, 0.1), (100, 0.02), (400, 0.02)] {
        let mut flow = Flow::new(heat(n, true), ExponentialEuler::new()).tol(1e-9).fixed_step(h);
        let error = gap(flow.solve(0.0, 0.1, bump(n)).unwrap().y_end(), &heat_exact(n, 0.1));
        assert!(error < 1e-8, "n = {n}: {error:e}");
    }
}

#[test]
fn a_forcing_linear_in_time_is_followed_exactly() {
    // y' = -50 (y - t): y = t - 1/50 + e^(-50 t) (y₀ + 1/50).
    let mut flow = Flow::new(field(|t, y: &[f64; 1], d| d[0] = -50.0 * (y[0] - t)), ExponentialEuler::new())
        .tol(1e-9)
        .fixed_step(0.5);
    let end = flow.solve(0.0, 2.0, [1.0]).unwrap().y_end()[0];
    assert!((end - 1.98).abs() < 1e-6, "{end}");
}

#[test]
fn the_heat_equation_restricts_no_step() {
    for products in [true, false] {
        let n = 100;
        // Explicit stability would ask for more than 2000 steps.
        let bound = 0.1 * 4.0 * heat(n, products).rate / 2.0;
        let two = Flow::new(heat(n, products), ExponentialEuler::new()).tol(1e-4).solve(0.0, 0.1, bump(n));
        let three = Flow::new(heat(n, products), Exprb32::new()).tol(1e-4).solve(0.0, 0.1, bump(n));
        for sol in [two.unwrap(), three.unwrap()] {
            println!("{products}: {:?}", sol.stats);
            assert!(sol.stats.accepted + sol.stats.rejected <= 20 && bound > 2000.0, "{}", sol.stats);
            assert!(gap(sol.y_end(), &heat_exact(n, 0.1)) < 1e-4);
            let evaluations = sol.stats.evals;
            assert!(!products || evaluations < 4 * (sol.stats.accepted + 2), "{evaluations}");
        }
    }
}

#[test]
fn the_error_follows_the_tolerance() {
    let exact = Flow::new(allen_cahn(3.0), RadauIIA5::new()).tol(1e-11).solve(0.0, 1.0, bump(64)).unwrap();
    let points = |third: bool| {
        [1e-3, 1e-4, 1e-5, 1e-6].map(|tol| {
            let sol = if third {
                Flow::new(allen_cahn(3.0), Exprb32::new()).tol(tol).solve(0.0, 1.0, bump(64))
            } else {
                Flow::new(allen_cahn(3.0), ExponentialEuler::new()).tol(tol).solve(0.0, 1.0, bump(64))
            };
            (tol, gap(sol.unwrap().y_end(), exact.y_end()))
        })
    };
    for third in [false, true] {
        let points = points(third);
        let p = slope(&points);
        println!("{third} {p:.2} {points:?}");
        // The estimate is of order h³: without it added, what is left of each step adds up to tolerance^(2/3).
        let range = if third { 0.7..1.3 } else { 0.57..0.77 };
        assert!(range.contains(&p), "{third}: slope {p}, {points:?}");
        assert!(points.iter().all(|(tol, e)| *e < 50.0 * tol), "{points:?}");
    }
}

#[test]
fn values_inside_a_step_and_single_precision() {
    let decay = || field(|_t, y: &[f32; 2], d: &mut [f32; 2]| *d = [-y[0] * y[0], -30.0 * (y[1] - y[0])]);
    let sol = Flow::new(decay(), Exprb32::new()).tol(1e-3).dense().solve(0.0, 2.0, [1.0, 1.0]).unwrap();
    for t in [0.3, 1.1, 2.0_f32] {
        let y = sol.at(t).unwrap()[0];
        assert!((y - 1.0 / (1.0 + t)).abs() < 5e-3, "{t}: {y}");
    }
    let sol = Flow::new(decay(), ExponentialEuler::new()).tol(1e-3).solve(0.0, 2.0, [1.0, 1.0]).unwrap();
    assert!((sol.y_end()[0] - 1.0 / 3.0).abs() < 5e-3);
}

#[test]
fn bad_input_is_named_and_a_state_at_rest_stays() {
    let blow = field(|_t, y: &[f64; 1], d| d[0] = if y[0] > 2.0 { f64::NAN } else { 1.0 });
    let failure = Flow::new(blow, Exprb32::new()).solve(0.0, 5.0, [0.0]).unwrap_err();
    assert!(matches!(failure.error, Error::FieldNotFinite { .. } | Error::StepUnderflow { .. }), "{failure}");
    assert!(failure.y[0] <= 2.0 && failure.t > 1.0);
    let wrong =
        Flow::new(heat(3, true), Exprb32::new()).solve(0.0, 1.0, Array1::from(vec![0.0, f64::NAN, 1.0]));
    assert!(matches!(wrong.unwrap_err().error, Error::NotFinite { .. }));
    let none = Flow::new(heat(3, true), ExponentialEuler::new()).solve(0.0, 1.0, Array1::from(vec![]));
    assert!(matches!(none.unwrap_err().error, Error::Empty { .. }));
    let rest = Flow::new(heat(8, true), Exprb32::new()).solve(0.0, 1e3, Array1::zeros(8)).unwrap();
    assert!(rest.y_end().iter().all(|&y| y == 0.0));
}
