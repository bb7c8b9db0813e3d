//! Laws of the Adams method of variable order: work, accuracy, dense output, restarts.

mod common;

use common::{coupled, coupled_exact, distance, slope};
use flowfield::integrate::*;
use flowfield::{Error, Event, Flow, Solution, VectorField, field};
use ndarray::Array1;

fn orbit(tol: f64, most: usize) -> Solution<[f64; 4]> {
    let f = field(|_t, y: &[f64; 4], dy| {
        let r3 = (y[0] * y[0] + y[1] * y[1]).powf(1.5);
        *dy = [y[2], y[3], -y[0] / r3, -y[1] / r3];
    });
    Flow::new(f, Adams::new().max_order(most)).tol(tol).dense().solve(0.0, 20.0, ORBIT).unwrap()
}

/// Eccentricity 0.1 at the pericentre: DETEST D1.
const ORBIT: [f64; 4] = [0.9, 0.0, 0.0, 1.105_541_596_785_133];
/// From Kepler's equation at t = 20.
fn orbit_exact(t: f64) -> [f64; 4] {
    let e = 0.1;
    let mut u = t;
    for _ in 0..50 {
        u -= (u - e * u.sin() - t) / (1.0 - e * u.cos());
    }
    let (s, c) = u.sin_cos();
    let (b, r) = ((1.0 - e * e).sqrt(), 1.0 - e * c);
    [c - e, b * s, -s / r, b * c / r]
}

#[test]
fn two_evaluations_a_step() {
    for tol in [1e-4, 1e-8, 1e-12] {
        let f = coupled();
        let s = Flow::new(f, Adams::new())
            .tol(tol)
            .save_last()
            .solve(0.0, 2.0, coupled_exact(0.0))
            .unwrap()
            .stats;
        // Two a step, one a rejected step, two for the choice of the first step's size.
        assert_eq!(s.evals, 2 * s.accepted + s.rejected + 1, "{s}");
    }
}

#[test]
fn error_is_proportional_to_the_tolerance() {
    let points = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12]
        .map(|tol| (tol, distance(orbit(tol, 12).y_end(), &orbit_exact(20.0))));
    let p = slope(&points);
    assert!((0.7..1.3).contains(&p), "slope {p}: {points:?}");
    for (tol, e) in points {
        // Errors along the orbit grow over three periods.
        assert!(e < 2000.0 * tol, "tol {tol:e}: error {e:e}");
    }
}

#[test]
fn high_orders_pay_at_tight_tolerances() {
    let evals = |most| orbit(1e-11, most).stats.evals as f64;
    assert!(evals(12) < 0.55 * evals(5), "{} {}", evals(12), evals(5));
    assert!(evals(12) < 1000.0, "{}", evals(12));
}

#[test]
fn fewer_evaluations_than_dop853_at_the_same_error() {
    // Van der Pol's oscillator, DETEST E2.
    let f = field(|_t, y: &[f64; 2], dy| *dy = [y[1], (1.0 - y[0] * y[0]) * y[1] - y[0]]);
    fn run<V: VectorField<[f64; 2]> + Copy, I: Integrator<[f64; 2]>>(
        f: V,
        method: I,
        tol: f64,
    ) -> Solution<[f64; 2]> {
        Flow::new(f, method).tol(tol).save_last().solve(0.0, 20.0, [2.0, 0.0]).unwrap()
    }
    let exact = *run(f, Vern9::new(), 1e-14).y_end();
    let (adams, dop853) = (run(f, Adams::new(), 1e-11), run(f, Dop853::new(), 1e-10));
    let error = |s: &Solution<[f64; 2]>| distance(s.y_end(), &exact);
    assert!(error(&adams) < 3.0 * error(&dop853), "{:e} {:e}", error(&adams), error(&dop853));
    assert!(10 * adams.stats.evals < 7 * dop853.stats.evals, "{}; {}", adams.stats, dop853.stats);
}

#[test]
fn values_inside_the_steps_are_as_good_as_those_at_their_ends() {
    for (tol, most) in [(1e-6, 12), (1e-10, 12), (1e-6, 2), (1e-4, 1)] {
        let sol = orbit(tol, most);
        let ends = sol.t.iter().zip(&sol.y).map(|(t, y)| distance(y, &orbit_exact(*t))).fold(0.0, f64::max);
        let times = (0..2000).map(|i| 0.01 * f64::from(i));
        let inside = times.map(|t| distance(&sol.at(t).unwrap(), &orbit_exact(t))).fold(0.0, f64::max);
        assert!(inside < 1.5 * ends + 20.0 * tol, "tol {tol:e}: {inside:e} inside, {ends:e} at the ends");
    }
}

#[test]
fn events_that_change_the_state_restart_it() {
    // A ball that loses a tenth of its speed at every contact.
    let fall = field(|_t, y: &[f64; 2], dy: &mut [f64; 2]| *dy = [y[1], -9.81]);
    let bounce = Event::when(|_t, y: &[f64; 2]| y[0]).falling().then(|_t, y: &mut [f64; 2]| {
        y[0] = 0.0;
        y[1] *= -0.9;
    });
    let sol = Flow::new(fall, Adams::new()).tol(1e-9).event(bounce).solve(0.0, 4.0, [1.0, 0.0]).unwrap();
    let first = (2.0 / 9.81f64).sqrt();
    let v = 9.81 * first;
    for (i, e) in sol.events.iter().enumerate() {
        let before: f64 = (1..=i as i32).map(|k| 2.0 * v * 0.9f64.powi(k) / 9.81).sum();
        assert!((e.t - first - before).abs() < 1e-7, "contact {i} at {}", e.t);
    }
    assert!(sol.events.len() >= 4);
}

#[test]
fn backwards_in_time_on_arrays_and_in_single_precision() {
    let f = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| dy.zip_mut_with(y, |d, y| *d = -y));
    let sol = Flow::new(f, Adams::new()).tol(1e-10).solve(1.0, -1.0, Array1::from(vec![1.0, 2.0])).unwrap();
    assert!((sol.y_end()[1] - 2.0 * 2f64.exp()).abs() < 1e-7);
    let f = field(|_t, y: &[f32; 2], dy: &mut [f32; 2]| *dy = [y[1], -y[0]]);
    let sol = Flow::new(f, Adams::new()).tol(1e-5).solve(0.0, 3.0, [1.0, 0.0]).unwrap();
    assert!((sol.y_end()[0] - 3f32.cos()).abs() < 1e-3);
}

#[test]
fn an_order_out_of_range_is_an_error() {
    let f = field(|_t, y: &[f64; 1], dy: &mut [f64; 1]| *dy = *y);
    for k in [0, 13] {
        let e = Flow::new(f, Adams::new().max_order(k)).solve(0.0, 1.0, [1.0]).unwrap_err().error;
        assert!(matches!(e, Error::Setting { what: "max_order", .. }));
    }
}
