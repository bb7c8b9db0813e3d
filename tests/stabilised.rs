//! Laws of the stabilised methods: order on the heat equation, work, stability without help, proportionality.

mod common;

use common::{coupled, coupled_exact, distance, slope};
use flowfield::integrate::*;
use flowfield::{Error, Flow, Solution, VectorField, field};
use ndarray::Array1;
use std::f64::consts::PI;

type Y = Array1<f64>;

/// u_t = u_xx on n inner points of [0, 1], zero at both ends.
fn heat(n: usize) -> impl VectorField<Y> {
    let scale = ((n + 1) * (n + 1)) as f64;
    field(move |_t, y: &Y, dy: &mut Y| {
        let y = y.as_slice().unwrap();
        for (i, d) in dy.iter_mut().enumerate() {
            let left = if i > 0 { y[i - 1] } else { 0.0 };
            let right = if i + 1 < n { y[i + 1] } else { 0.0 };
            *d = scale * (left - 2.0 * y[i] + right);
        }
    })
}

/// Eigenvectors of the discrete operator with their own decay: the exact solution of [`heat`].
fn heat_exact(n: usize, t: f64) -> Y {
    let dx = 1.0 / (n + 1) as f64;
    Array1::from_shape_fn(n, |i| {
        let x = (i + 1) as f64 * dx;
        let mode = |k: f64| {
            let lambda = 4.0 / (dx * dx) * (0.5 * k * PI * dx).sin().powi(2);
            (-lambda * t).exp() * (k * PI * x).sin()
        };
        mode(1.0) + 0.5 * mode(3.0)
    })
}

fn gap(a: &Y, b: &Y) -> f64 {
    distance(a.as_slice().unwrap(), b.as_slice().unwrap())
}

#[test]
fn order_two_on_the_heat_equation_with_many_stages() {
    let n = 200;
    let points = [20, 40, 80].map(|steps| {
        let h = 0.1 / f64::from(steps);
        let mut flow = Flow::new(heat(n), Rkc2::new()).fixed_step(h).dense();
        let sol = flow.solve(0.0, 0.1, heat_exact(n, 0.0)).unwrap();
        assert!(gap(&sol.at(0.0511).unwrap(), &heat_exact(n, 0.0511)) < 50.0 * h * h);
        (h, gap(sol.y_end(), &heat_exact(n, 0.1)))
    });
    let p = slope(&points);
    assert!((p - 2.0).abs() < 0.25, "order {p}: {points:?}");
}

#[test]
fn rock4_has_order_four() {
    let points = [25, 50, 100].map(|n| {
        let h = 2.0 / f64::from(n);
        let sol =
            Flow::new(coupled(), Rock4::new()).fixed_step(h).solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
        (h, distance(sol.y_end(), &coupled_exact(2.0)))
    });
    assert!((slope(&points) - 4.0).abs() < 0.35, "{points:?}");
    // With 20 to 40 stages.
    let n = 60;
    let points = [16, 24, 32].map(|steps| {
        let h = 0.5 / f64::from(steps);
        let sol = Flow::new(heat(n), Rock4::new()).fixed_step(h).solve(0.0, 0.5, heat_exact(n, 0.0)).unwrap();
        (h, gap(sol.y_end(), &heat_exact(n, 0.5)))
    });
    assert!(slope(&points) > 3.5, "{points:?}");
}

#[test]
fn rock4_errors_are_proportional_to_the_tolerance_and_cheaper_than_order_two() {
    let run = |tol: f64| {
        Flow::new(heat(50), Rock4::new()).tol(tol).save_last().solve(0.0, 0.1, heat_exact(50, 0.0)).unwrap()
    };
    let points = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]
        .map(|tol| (tol, gap(run(tol).y_end(), &heat_exact(50, 0.1))));
    let p = slope(&points);
    assert!((0.7..1.3).contains(&p), "slope {p}: {points:?}");
    let two = Flow::new(heat(50), Rkc2::new()).tol(1e-7).solve(0.0, 0.1, heat_exact(50, 0.0)).unwrap();
    let four = run(1e-6);
    assert!(gap(four.y_end(), &heat_exact(50, 0.1)) < gap(two.y_end(), &heat_exact(50, 0.1)));
    assert!(2 * four.stats.evals < two.stats.evals, "{} against {}", four.stats, two.stats);
}

#[test]
fn rock4_shortens_steps_that_no_member_is_stable_for() {
    // h ρ is at most 8045: on this grid h stays below 0.02, however smooth the solution.
    let sol = Flow::new(heat(300), Rock4::new()).tol(1e-4).solve(0.0, 1.0, heat_exact(300, 0.0)).unwrap();
    assert!(gap(sol.y_end(), &heat_exact(300, 1.0)) < 1e-4);
    assert!(sol.t.windows(2).all(|w| w[1] - w[0] < 0.0223));
    assert!(sol.stats.evals < 12_000, "{}", sol.stats);
    let mut y = heat_exact(300, 0.0);
    let e = Flow::new(heat(300), Rock4::new()).steps(1, 1.0, &mut y).unwrap_err();
    assert!(matches!(e, Error::Diverged { .. }));
}

#[test]
fn order_two_on_a_nonlinear_system_that_depends_on_time() {
    let points = [100, 200, 400].map(|n| {
        let h = 2.0 / f64::from(n);
        let mut flow = Flow::new(coupled(), Rkc2::new()).fixed_step(h);
        let sol = flow.solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
        (h, distance(sol.y_end(), &coupled_exact(2.0)))
    });
    assert!((slope(&points) - 2.0).abs() < 0.25, "{points:?}");
}

fn adaptive(n: usize, tol: f64) -> Solution<Y> {
    Flow::new(heat(n), Rkc2::new()).tol(tol).save_last().solve(0.0, 0.5, heat_exact(n, 0.0)).unwrap()
}

#[test]
fn error_follows_the_tolerance() {
    let points = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7].map(|tol| {
        let sol = Flow::new(heat(50), Rkc2::new()).tol(tol).solve(0.0, 0.1, heat_exact(50, 0.0)).unwrap();
        (tol, gap(sol.y_end(), &heat_exact(50, 0.1)))
    });
    // The estimate is that of the solution carried on (no local extrapolation): error ~ tol^(2/3).
    let p = slope(&points);
    assert!((0.55..0.8).contains(&p), "slope {p}: {points:?}");
}

#[test]
fn the_work_grows_with_the_root_of_the_stiffness() {
    let work = |n| adaptive(n, 1e-5).stats.evals as f64;
    let (coarse, fine) = (work(100), work(400));
    // Sixteen times stiffer.
    assert!(fine < 5.0 * coarse, "{coarse} {fine}");
    let plain = Flow::new(heat(100), Tsit5::new()).tol(1e-5).solve(0.0, 0.5, heat_exact(100, 0.0)).unwrap();
    assert!(20.0 * coarse < plain.stats.evals as f64, "{coarse} against {}", plain.stats.evals);
}

#[test]
fn thousands_of_stages_do_not_amplify_round_off() {
    // h ρ = 6.4e6: 3140 stages a step.
    let n = 400;
    let mut y = heat_exact(n, 0.0);
    let bound = move |_t: f64, _y: &Y| 4.0 * ((n + 1) * (n + 1)) as f64;
    let mut flow = Flow::new(heat(n), Rkc2::new().spectral_radius(bound));
    flow.steps(20, 10.0, &mut y).unwrap();
    assert!(y.iter().all(|y| y.abs() < 0.5), "{y}");
    assert!(flow.stats().evals > 60_000);
}

#[test]
fn a_stiffness_that_changes_is_followed() {
    // y' = -k(t) (y - cos t) with k from 1 to 1e5.
    let f = field(|t: f64, y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = -10f64.powf(5.0 * t) * (y[0] - t.cos()));
    let sol = Flow::new(f, Rkc2::new()).tol(1e-6).solve(0.0, 1.0, [1.0]).unwrap();
    assert!((sol.y_end()[0] - 1f64.cos()).abs() < 1e-4);
    assert!(sol.stats.evals < 20_000, "{}", sol.stats);
}

#[test]
fn a_bound_that_is_not_a_number_is_an_error() {
    let failure = Flow::new(heat(5), Rkc2::new().spectral_radius(|_, _| f64::NAN))
        .solve(0.0, 1.0, heat_exact(5, 0.0))
        .unwrap_err();
    assert!(matches!(failure.error, Error::Setting { what: "spectral_radius", .. }));
    let mut y = heat_exact(5, 0.0);
    let e = Flow::new(heat(5), Rkc2::new().spectral_radius(|_, _| 1e30)).steps(3, 1.0, &mut y).unwrap_err();
    assert!(matches!(e, Error::Diverged { .. }));
}
