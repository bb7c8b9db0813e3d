//! Laws of the Runge–Kutta–Nyström methods: order, proportionality, work, dense output.

mod common;

use common::{distance, slope};
use flowfield::integrate::*;
use flowfield::{Error, Flow, Solution, VectorField, second_order};
use ndarray::Array2;

type Y = [f64; 4];

/// q₁″ = -4 t² q₁ - 2 q₂ / r, q₂″ = -4 t² q₂ + 2 q₁ / r, r = |q| (HNW II.14): q = (cos t², sin t²).
fn spiral() -> impl VectorField<Y> + Copy {
    #[derive(Clone, Copy)]
    struct Spiral;
    impl VectorField<Y> for Spiral {
        fn eval(&mut self, t: f64, y: &Y, dy: &mut Y) {
            let r = y[0].hypot(y[1]);
            *dy = [y[2], y[3], -4.0 * t * t * y[0] - 2.0 * y[1] / r, -4.0 * t * t * y[1] + 2.0 * y[0] / r];
        }
    }
    Spiral
}

fn exact(t: f64) -> Y {
    let (s, c) = (t * t).sin_cos();
    [c, s, -2.0 * t * s, 2.0 * t * c]
}

fn fixed<I: Integrator<Y>>(make: fn() -> I, steps: [usize; 3]) -> f64 {
    slope(&steps.map(|n| {
        let h = 2.0 / n as f64;
        let sol = Flow::new(spiral(), make()).fixed_step(h).save_last().solve(0.5, 2.5, exact(0.5)).unwrap();
        (h, distance(sol.y_end(), &exact(2.5)))
    }))
}

#[test]
fn every_method_converges_with_its_order() {
    for (name, order, p) in [
        ("Dprkn6", 6.0, fixed(Dprkn6::new, [40, 60, 80])),
        ("Dprkn8", 8.0, fixed(Dprkn8::new, [20, 28, 40])),
        ("Dprkn12", 12.0, fixed(Dprkn12::new, [7, 9, 12])),
    ] {
        assert!(p > order - 0.5 && p < order + 2.5, "{name}: order {p}, not {order}");
    }
}

fn adaptive<I: Integrator<Y>>(make: fn() -> I, tol: f64) -> Solution<Y> {
    Flow::new(spiral(), make()).tol(tol).save_last().solve(0.5, 4.0, exact(0.5)).unwrap()
}

fn proportionality<I: Integrator<Y>>(make: fn() -> I) -> f64 {
    let tols = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11];
    slope(&tols.map(|tol| (tol, distance(adaptive(make, tol).y_end(), &exact(4.0)))))
}

#[test]
fn error_is_proportional_to_the_tolerance() {
    for (name, p) in [
        ("Dprkn6", proportionality(Dprkn6::new)),
        ("Dprkn8", proportionality(Dprkn8::new)),
        ("Dprkn12", proportionality(Dprkn12::new)),
    ] {
        assert!((0.7..1.3).contains(&p), "{name}: slope {p}");
    }
}

#[test]
fn fewer_evaluations_than_runge_kutta_at_the_same_error() {
    let error = |s: &Solution<Y>| distance(s.y_end(), &exact(4.0));
    let general = adaptive(Dop853::new, 1e-10);
    for nystrom in [adaptive(Dprkn8::new, 1e-8), adaptive(Dprkn12::new, 1e-9)] {
        assert!(error(&nystrom) < 1.5 * error(&general), "{:e} {:e}", error(&nystrom), error(&general));
        assert!(10 * nystrom.stats.evals < 7 * general.stats.evals, "{}; {}", nystrom.stats, general.stats);
    }
}

#[test]
fn values_inside_a_step_lie_on_the_solution() {
    fn worst<I: Integrator<Y>>(method: I, h: f64) -> f64 {
        let sol = Flow::new(spiral(), method).fixed_step(h).dense().solve(0.5, 2.5, exact(0.5)).unwrap();
        let times = (0..200).map(|i| 0.5 + 0.01 * f64::from(i));
        times.map(|t| distance(&sol.at(t).unwrap(), &exact(t))).fold(0.0, f64::max)
    }
    for (name, p) in [
        ("Dprkn8", slope(&[0.1, 0.05, 0.025].map(|h| (h, worst(Dprkn8::new(), h))))),
        ("Dprkn12", slope(&[0.1, 0.05, 0.025].map(|h| (h, worst(Dprkn12::new(), h))))),
    ] {
        assert!(p > 4.5, "{name}: the interpolant converges with order {p}");
    }
}

#[test]
fn rows_of_an_array_are_positions_then_velocities() {
    // Three oscillators in the columns; row 0 positions, row 1 velocities.
    let springs = second_order(|_t: f64, q: &[f64], _v, a| {
        (0..3).for_each(|i| a[i] = -((i + 1) as f64).powi(2) * q[i]);
    });
    let y0 = ndarray::array![[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]];
    let sol = Flow::new(springs, Dprkn6::new()).tol(1e-10).solve(0.0, 2.0, y0).unwrap();
    let y: &Array2<f64> = sol.y_end();
    (0..3).for_each(|i| assert!((y[[0, i]] - (2.0 * (i + 1) as f64).cos()).abs() < 1e-8));
    let f = |_t: f64, y: &[f64; 3], dy: &mut [f64; 3]| *dy = *y;
    let e = Flow::new(f, Dprkn6::new()).solve(0.0, 1.0, [1.0; 3]).unwrap_err();
    assert_eq!(e.error, Error::OddState { len: 3 });
}
