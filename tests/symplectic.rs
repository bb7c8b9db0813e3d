//! Laws of the symplectic methods: order, reversibility, the two-form, bounded energy error, work.

mod common;

use common::{distance, slope};
use flowfield::integrate::symplectic::{SplittingMethod, Symplectic, methods};
use flowfield::integrate::*;
use flowfield::{Error, Flow, VectorField, field, second_order, separable};
use ndarray::Array1;

type Y = [f64; 4];

/// The Kepler problem, H = |p|²/2 - 1/|q|.
fn kepler() -> impl VectorField<Y> {
    second_order(|_t: f64, q, _v, a: &mut [f64]| {
        let r2 = q[0] * q[0] + q[1] * q[1];
        let k = -1.0 / (r2 * r2.sqrt());
        (a[0], a[1]) = (k * q[0], k * q[1]);
    })
}

/// At the pericentre of an orbit of this eccentricity and period 2π.
fn pericentre(e: f64) -> Y {
    [1.0 - e, 0.0, 0.0, ((1.0 + e) / (1.0 - e)).sqrt()]
}

fn energy(y: &Y) -> f64 {
    0.5 * (y[2] * y[2] + y[3] * y[3]) - 1.0 / y[0].hypot(y[1])
}

struct Law {
    name: &'static str,
    order: u32,
    symmetric: bool,
    /// State after n steps of size h.
    run: fn(usize, f64, Y) -> Y,
}

fn law<M: SplittingMethod>() -> Law {
    let m = M::SPLITTING;
    let run = |n, h, mut y: Y| {
        Flow::new(kepler(), Symplectic::<M, Y>::new()).steps(n, h, &mut y).unwrap();
        y
    };
    Law { name: m.name, order: m.order, symmetric: m.is_symmetric(), run }
}

fn laws() -> Vec<Law> {
    vec![
        law::<methods::SymplecticEuler>(),
        law::<methods::StormerVerlet>(),
        law::<methods::PositionVerlet>(),
        law::<methods::McLachlanAtela2>(),
        law::<methods::Ruth3>(),
        law::<methods::McLachlanAtela3>(),
        law::<methods::McLachlanAtela4>(),
        law::<methods::McLachlanAtela5>(),
        law::<methods::Yoshida4>(),
        law::<methods::Yoshida6>(),
        law::<methods::Yoshida8>(),
        law::<methods::KahanLi6>(),
        law::<methods::SuzukiUmeno8>(),
        law::<methods::KahanLi8>(),
    ]
}

#[test]
fn every_method_converges_with_its_order() {
    let y0 = pericentre(0.3);
    let end = 7.0;
    let exact = *Flow::new(kepler(), Vern9::new()).tol(1e-14).solve(0.0, end, y0).unwrap().y_end();
    for m in laws() {
        let steps = match m.order {
            1 => [2000, 4000, 8000],
            2 | 3 => [800, 1600, 3200],
            4 | 5 => [200, 400, 800],
            6 => [80, 120, 160],
            _ => [50, 70, 90],
        };
        let points = steps.map(|n| {
            let h = end / n as f64;
            (h, distance(&(m.run)(n, h, y0), &exact))
        });
        let p = slope(&points);
        let order = f64::from(m.order);
        // McLachlan and Atela made the leading error of their fifth-order method so small that it converges faster here.
        let good = if m.order < 5 { (p - order).abs() < 0.3 } else { p > order - 0.5 };
        assert!(good, "{}: order {p}, not {order}; {points:?}", m.name);
    }
}

#[test]
fn symmetric_methods_go_back_the_way_they_came() {
    let y0 = pericentre(0.5);
    for m in laws().into_iter().filter(|m| m.symmetric) {
        let there = (m.run)(1000, 0.01, y0);
        let back = (m.run)(1000, -0.01, there);
        assert!(distance(&back, &y0) < 1e-11, "{}: {}", m.name, distance(&back, &y0));
    }
}

#[test]
fn the_two_form_is_preserved() {
    // JᵀΩJ = Ω for the Jacobian J of one large step, by central differences.
    let (y0, d) = (pericentre(0.4), 1e-5);
    for m in laws() {
        let column = |j: usize| {
            let shifted = |s: f64| {
                let mut y = y0;
                y[j] += s;
                (m.run)(1, 0.3, y)
            };
            // Richardson: the fourth-order difference quotient.
            let (a, b, c, e) = (shifted(-2.0 * d), shifted(-d), shifted(d), shifted(2.0 * d));
            std::array::from_fn::<f64, 4, _>(|i| (a[i] - 8.0 * b[i] + 8.0 * c[i] - e[i]) / (12.0 * d))
        };
        let jacobian: [[f64; 4]; 4] = std::array::from_fn(column);
        let omega = |x: &Y, y: &Y| x[0] * y[2] + x[1] * y[3] - x[2] * y[0] - x[3] * y[1];
        let scale = jacobian.iter().flatten().fold(1.0_f64, |s, x| s.max(x.abs()));
        for i in 0..4 {
            for j in 0..4 {
                let want = if j == i + 2 {
                    1.0
                } else if i == j + 2 {
                    -1.0
                } else {
                    0.0
                };
                let got = omega(&jacobian[i], &jacobian[j]);
                assert!((got - want).abs() < 1e-9 * scale * scale, "{} ({i}, {j}): {got}", m.name);
            }
        }
    }
}

#[test]
fn the_energy_error_stays_bounded_over_a_million_steps() {
    let y0 = pericentre(0.3);
    for (name, h, run) in [
        ("StormerVerlet", 0.01, law::<methods::StormerVerlet>().run),
        ("Yoshida4", 0.02, law::<methods::Yoshida4>().run),
        ("KahanLi8", 0.05, law::<methods::KahanLi8>().run),
    ] {
        let mut y = y0;
        let mut blocks = [0.0_f64; 10];
        for worst in &mut blocks {
            for _ in 0..1000 {
                y = run(100, h, y);
                *worst = worst.max((energy(&y) - energy(&y0)).abs());
            }
        }
        // No drift: the last tenth is no worse than the first (round-off aside).
        assert!(blocks[9] < 1.5 * blocks[0] + 1e-12, "{name}: {blocks:?}");
        assert!(blocks[9] < 1e-4, "{name}: {blocks:?}");
    }
    // A Runge–Kutta method of order 4 drifts.
    let mut flow = Flow::new(kepler(), Rk4::new());
    let mut y = y0;
    flow.steps(100_000, 0.05, &mut y).unwrap();
    let early = (energy(&y) - energy(&y0)).abs();
    flow.steps(200_000, 0.05, &mut y).unwrap();
    assert!((energy(&y) - energy(&y0)).abs() > 2.0 * early);
}

#[test]
fn a_force_is_evaluated_once_a_verlet_step() {
    let y0 = pericentre(0.1);
    let evals = |flow: &Flow<_, _, Y>| flow.stats().evals;
    let mut flow = Flow::new(kepler(), StormerVerlet::new());
    flow.steps(100, 0.01, &mut { y0 }).unwrap();
    assert_eq!(evals(&flow), 101);
    flow.steps(100, 0.01, &mut { y0 }).unwrap();
    // The caller may have changed the state between the calls.
    assert_eq!(evals(&flow), 202);
    let mut flow = Flow::new(kepler(), KahanLi8::new());
    flow.steps(10, 0.01, &mut { y0 }).unwrap();
    assert_eq!(flow.stats().evals, 171);
    // A closure over the whole state pays for both halves.
    let whole = field(|_t, y: &[f64; 2], dy| *dy = [y[1], -y[0]]);
    let mut flow = Flow::new(whole, StormerVerlet::new());
    flow.steps(100, 0.01, &mut [1.0, 0.0]).unwrap();
    assert_eq!(flow.stats().evals, 201);
}

#[test]
fn all_ways_to_write_a_field_take_the_same_steps() {
    let y0 = [0.3, -0.2, 0.1, 0.4];
    let force = |q: &[f64], dp: &mut [f64]| (dp[0], dp[1]) = (-q[0] - 2.0 * q[0] * q[1], -q[1] - q[0] * q[0]);
    let mut results = Vec::new();
    let mut y = y0;
    let whole = field(|_t, y: &Y, dy: &mut Y| {
        (dy[0], dy[1]) = (y[2], y[3]);
        force(&y[..2], &mut dy[2..]);
    });
    Flow::new(whole, Yoshida6::new()).steps(50, 0.1, &mut y).unwrap();
    results.push(y.to_vec());
    let mut y = y0;
    let apart = separable(|_t, p: &[f64], dq: &mut [f64]| dq.copy_from_slice(p), |_t, q, dp| force(q, dp));
    Flow::new(apart, Yoshida6::new()).steps(50, 0.1, &mut y).unwrap();
    results.push(y.to_vec());
    let mut y = Array1::from(y0.to_vec());
    let second = second_order(|_t, q: &[f64], _v, a| force(q, a));
    Flow::new(second, Yoshida6::new()).steps(50, 0.1, &mut y).unwrap();
    results.push(y.to_vec());
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn time_dependent_forces_keep_the_order() {
    // q″ = -q + sin 2t, exact with q(0) = 0, v(0) = 1: q = (5 sin t - sin 2t) / 3.
    let error = |n: usize| {
        let driven = second_order(|t: f64, q, _v, a: &mut [f64]| a[0] = -q[0] + (2.0 * t).sin());
        let mut y = [0.0, 1.0];
        Flow::new(driven, Yoshida4::new()).steps(n, 3.0 / n as f64, &mut y).unwrap();
        (y[0] - (5.0 * 3f64.sin() - 6f64.sin()) / 3.0).abs()
    };
    let p = slope(&[60, 120, 240].map(|n| (1.0 / n as f64, error(n))));
    assert!((p - 4.0).abs() < 0.3, "{p}");
}

#[test]
fn values_inside_a_step_are_there() {
    let sol = Flow::new(kepler(), KahanLi6::new())
        .fixed_step(0.02)
        .dense()
        .solve(0.0, 3.0, pericentre(0.2))
        .unwrap();
    let exact =
        Flow::new(kepler(), Vern9::new()).tol(1e-13).dense().solve(0.0, 3.0, pericentre(0.2)).unwrap();
    for i in 0..30 {
        let t = 0.05 + 0.098 * f64::from(i);
        assert!(distance(&sol.at(t).unwrap(), &exact.at(t).unwrap()) < 1e-7, "at {t}");
    }
}

#[test]
fn an_odd_number_of_components_is_refused() {
    let f = field(|_t, y: &[f64; 3], dy: &mut [f64; 3]| *dy = *y);
    let e = Flow::new(f, StormerVerlet::new()).steps(1, 0.1, &mut [1.0; 3]).unwrap_err();
    assert_eq!(e, Error::OddState { len: 3 });
    assert!(e.to_string().contains("positions first"));
    let f = second_order(|_t: f64, _q, _v, _a| ());
    let e = Flow::new(f, Tsit5::new()).solve(0.0, 1.0, [1.0; 5]).unwrap_err();
    assert_eq!(e.error, Error::OddState { len: 5 });
    let adaptive = Flow::new(kepler(), StormerVerlet::new()).solve(0.0, 1.0, pericentre(0.0)).unwrap_err();
    assert!(matches!(adaptive.error, Error::NoErrorEstimate { .. }));
}
