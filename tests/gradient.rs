//! Flows of functions: gradient, damped, mirror and proximal, with their certificates.

mod common;

use common::slope;
use flowfield::gradient::{DampedFlow, GradientFlow, Status};
use flowfield::integrate::{Dop853, Euler, Geometry, Heun, Mirror, Mirrored, Proximal, Rk4, Tsit5};
use flowfield::nn::{Mlp, Network};
use flowfield::{Flow, VectorField, field};
use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, array};

/// log Σ exp of linear functions plus a quadratic: smooth, strongly convex (λ >= 0.2), not quadratic.
fn soft(x: &[f64], g: &mut [f64]) -> f64 {
    let rows = [[1.0, 0.5, -0.3], [-0.7, 1.1, 0.2], [0.1, -0.9, 0.8], [0.4, 0.3, -1.2]];
    let e: Vec<f64> = rows.iter().map(|r| r.iter().zip(x).map(|(r, x)| r * x).sum::<f64>().exp()).collect();
    let sum: f64 = e.iter().sum();
    for (k, g) in g.iter_mut().enumerate() {
        *g = 0.2 * x[k] + rows.iter().zip(&e).map(|(r, e)| r[k] * e / sum).sum::<f64>();
    }
    sum.ln() + 0.1 * x.iter().map(|x| x * x).sum::<f64>()
}

const START: [f64; 3] = [2.0, -1.5, 3.0];

#[test]
fn euler_is_gradient_descent_and_implicit_euler_the_proximal_point() {
    let mut x = START;
    Flow::new(GradientFlow::new(soft), Euler::new()).steps(5, 0.3, &mut x).unwrap();
    let mut by_hand = START;
    for _ in 0..5 {
        let mut g = [0.0; 3];
        soft(&by_hand, &mut g);
        (0..3).for_each(|k| by_hand[k] += 0.3 * -g[k]);
    }
    assert_eq!(x, by_hand);

    for h in [0.1, 1.0, 1e3] {
        let (mut x, mut g) = (START, [0.0; 3]);
        let before = soft(&x, &mut g);
        Flow::new(GradientFlow::new(soft), Proximal::new()).step(h, &mut x).unwrap();
        let after = soft(&x, &mut g);
        let moved: f64 = x.iter().zip(START).map(|(a, b)| (a - b) * (a - b)).sum();
        assert!(after + moved / (2.0 * h) <= before, "h = {h}");
        let worst = (0..3).map(|k| (x[k] - START[k] + h * g[k]).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-12 * h.max(1.0), "h = {h}: {worst}");
    }
    // A quadratic: factor 1/(1 + λτ) exactly.
    let bowl = field(|_t, y: &[f64; 3], d| *d = [-y[0], -30.0 * y[1], -1e4 * y[2]]);
    let mut y = [1.0; 3];
    Flow::new(bowl, Proximal::new()).steps(2, 0.7, &mut y).unwrap();
    for (y, l) in y.iter().zip([1.0_f64, 30.0, 1e4]) {
        assert!((y - (1.0 + 0.7 * l).powi(-2)).abs() < 1e-12);
    }
}

#[test]
fn the_proximal_point_is_of_first_order_and_moves_thousands_of_unknowns() {
    let exact =
        *Flow::new(GradientFlow::new(soft), Dop853::new()).tol(1e-12).solve(0.0, 2.0, START).unwrap().y_end();
    let error = |n: usize| {
        let mut x = START;
        Flow::new(GradientFlow::new(soft), Proximal::new()).steps(n, 2.0 / n as f64, &mut x).unwrap();
        common::distance(&x, &exact)
    };
    let points: Vec<_> = [20, 40, 80].into_iter().map(|n| (2.0 / n as f64, error(n))).collect();
    assert!((slope(&points) - 1.0).abs() < 0.05, "{points:?}");

    // A chain of springs, h far above explicit stability.
    let n = 5000;
    let chain = field(move |_t, y: &Array1<f64>, d: &mut Array1<f64>| {
        for i in 0..n {
            let (a, b) = (if i > 0 { y[i - 1] } else { 0.0 }, if i + 1 < n { y[i + 1] } else { 0.0 });
            d[i] = 1e2 * (a - 2.0 * y[i] + b) - y[i].powi(3);
        }
    });
    let mut y = Array1::from_shape_fn(n, |i| (0.01 * i as f64).sin());
    let mut flow = Flow::new(chain, Proximal::new());
    flow.step(1.0, &mut y).unwrap();
    assert!(flow.integrator().iterations() < 400, "{} iterations", flow.integrator().iterations());
}

#[test]
fn convex_flows_contract_and_keep_their_bounds() {
    let run = |t: f64, start: [f64; 3]| {
        *Flow::new(GradientFlow::new(soft), Tsit5::new()).tol(1e-11).solve(0.0, t, start).unwrap().y_end()
    };
    let rest = run(200.0, START);
    let f = |x: &[f64; 3]| soft(x, &mut [0.0; 3]);
    let square = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    for t in [0.5, 2.0, 8.0] {
        let x = run(t, START);
        assert!(f(&x) - f(&rest) <= square(&START, &rest) / (2.0 * t));
        let other = [-1.0, 0.5, 0.0];
        assert!(square(&x, &run(t, other)).sqrt() <= (-0.2 * t).exp() * square(&START, &other).sqrt());
        assert!(f(&x) - f(&rest) <= (-0.4 * t).exp() * (f(&START) - f(&rest)));
    }
    // Nesterov's bound and, for a quadratic, Bessel's function J1 (values: Abramowitz and Stegun, table 9.1).
    let bowl = |x: &[f64], g: &mut [f64]| {
        g[0] = 4.0 * x[0];
        2.0 * x[0] * x[0]
    };
    for (t, j1) in
        [(0.5, 0.440_050_585_744_933_5), (1.0, 0.576_724_807_756_873_4), (5.0, 0.043_472_746_168_861_4)]
    {
        let sol =
            Flow::new(DampedFlow::nesterov(bowl), Tsit5::new()).tol(1e-11).solve(0.0, t, [1.0, 0.0]).unwrap();
        assert!((sol.y_end()[0] - 2.0 * j1 / (2.0 * t)).abs() < 1e-8, "t = {t}: {}", sol.y_end()[0]);
        assert!(2.0 * sol.y_end()[0].powi(2) <= 2.0 / (t * t));
    }
}

#[test]
fn the_energy_identity_holds_to_the_order_of_the_method() {
    let (_, c) =
        Flow::new(GradientFlow::new(soft), Tsit5::new()).tol(1e-10).solve_certified(0.0, 5.0, START).unwrap();
    assert!(c.is_monotone() && c.identity_gap < 1e-8, "{}", c.identity_gap);
    let (_, c) = Flow::new(DampedFlow::heavy_ball(soft, 0.5), Tsit5::new())
        .tol(1e-10)
        .solve_certified(0.0, 5.0, [2.0, -1.5, 3.0, 0.0, 0.0, 0.0])
        .unwrap();
    assert!(c.is_monotone() && c.identity_gap < 1e-8, "{}", c.identity_gap);
    let gap = |n: usize| {
        let c = Flow::new(GradientFlow::new(soft), Euler::new()).steps_certified(
            n,
            2.0 / n as f64,
            &mut START.clone(),
        );
        c.unwrap().identity_gap
    };
    assert!((slope(&[(1.0 / 40.0, gap(40)), (1.0 / 80.0, gap(80))]) - 1.0).abs() < 0.1);
    let gap = |n: usize| {
        let c = Flow::new(GradientFlow::new(soft), Heun::new()).steps_certified(
            n,
            2.0 / n as f64,
            &mut START.clone(),
        );
        c.unwrap().identity_gap
    };
    assert!((slope(&[(1.0 / 40.0, gap(40)), (1.0 / 80.0, gap(80))]) - 2.0).abs() < 0.1);
    // Above 2/L descent climbs, and the certificate says so.
    let steep = |x: &[f64], g: &mut [f64]| {
        g[0] = 10.0 * x[0];
        5.0 * x[0] * x[0]
    };
    let c = Flow::new(GradientFlow::new(steep), Euler::new()).steps_certified(5, 0.25, &mut [1.0]).unwrap();
    assert!(matches!(c.status, Status::Rose { .. }));
}

#[test]
fn a_metric_turns_descent_into_natural_descent_and_the_identity_stays() {
    let metric = |x: &[f64], v: &mut [f64]| v.iter_mut().zip(x).for_each(|(v, x)| *v /= 1.0 + x * x);
    let flow = GradientFlow::new(soft).metric(metric);
    let (_, c) = Flow::new(flow, Tsit5::new()).tol(1e-10).solve_certified(0.0, 5.0, START).unwrap();
    assert!(c.is_monotone() && c.identity_gap < 1e-8);
}

#[test]
fn the_loss_of_a_network_flows_like_any_other() {
    let net = Mlp::new(1, &[16], 1);
    let x = Array2::from_shape_fn((32, 1), |(i, _)| i as f64 / 16.0 - 1.0);
    let y = x.mapv(|x: f64| (3.0 * x).sin());
    let mut tape = net.tape(32);
    let loss = |theta: &[f64], g: &mut [f64]| {
        let square = |first: usize, out: &[f64], bar: &mut [f64]| {
            let mut sum = 0.0;
            for (k, (bar, out)) in bar.iter_mut().zip(out).enumerate() {
                let gap = out - y[[first + k, 0]];
                *bar = gap / 32.0;
                sum += 0.5 * gap * gap / 32.0;
            }
            sum
        };
        let (theta, mut g) = (ArrayView1::from(theta), ArrayViewMut1::from(g));
        net.loss_gradient(&theta, &x, square, &mut g, &mut tape).unwrap()
    };
    let mut flow = Flow::new(GradientFlow::new(loss), Tsit5::new()).tol(1e-6);
    let (_, c) = flow.solve_certified(0.0, 20.0, net.init(0)).unwrap();
    assert!(c.is_monotone() && c.energy_end() < 0.6 * c.energy[0].1 && c.identity_gap < 1e-4, "{c:?}");
}

/// A loss on positive numbers whose minimum over the simplex lies inside.
fn pull(x: &[f64], f: &mut [f64]) {
    let to = [0.2, 0.5, 0.3];
    f.iter_mut().zip(x).zip(to).for_each(|((f, x), to)| *f = to / x - 1.0 + 0.3 * x);
}

fn covectors() -> impl VectorField<Array1<f64>> {
    field(|_t, x: &Array1<f64>, f: &mut Array1<f64>| pull(x.as_slice().unwrap(), f.as_slice_mut().unwrap()))
}

#[test]
fn mirror_descent_follows_its_flow_to_first_order_and_the_flow_takes_any_method() {
    let start = array![0.6, 0.1, 0.3];
    let all = [
        Geometry::Entropy,
        Geometry::Simplex,
        Geometry::LogBarrier,
        Geometry::PNorm(1.5),
        Geometry::PNorm(3.0),
        Geometry::Hypentropy(0.5),
    ];
    for g in all {
        let flow = |n: usize| {
            let mut x = start.clone();
            Flow::new(Mirrored::new(covectors(), g), Rk4::new()).steps(n, 1.0 / n as f64, &mut x).unwrap();
            x
        };
        let exact = flow(400);
        let mirror = |n: usize| {
            let mut x = start.clone();
            Flow::new(covectors(), Mirror::new(g)).steps(n, 1.0 / n as f64, &mut x).unwrap();
            common::distance(x.as_slice().unwrap(), exact.as_slice().unwrap())
        };
        let points: Vec<_> = [200, 400, 800].map(|n| (1.0 / f64::from(n), mirror(n as usize))).to_vec();
        assert!((slope(&points) - 1.0).abs() < 0.12, "{g:?}: {points:?}");
        let coarse = common::distance(flow(20).as_slice().unwrap(), exact.as_slice().unwrap());
        let fine = common::distance(flow(40).as_slice().unwrap(), exact.as_slice().unwrap());
        assert!((coarse / fine).log2() > 2.8, "{g:?}: order {}", (coarse / fine).log2());
    }
}

#[test]
fn positivity_and_the_simplex_are_kept_to_round_off() {
    let steep = field(|_t, x: &Array2<f64>, f: &mut Array2<f64>| {
        f.zip_mut_with(x, |f, x| *f = -40.0 * x);
        f.column_mut(0).mapv_inplace(|f| f + 55.0);
    });
    let mut x = Array2::from_elem((5, 4), 0.25);
    Flow::new(steep, Mirror::new(Geometry::Simplex)).steps(10_000, 0.3, &mut x).unwrap();
    assert!(x.iter().all(|&v| v >= 0.0));
    assert!(x.rows().into_iter().all(|r| (r.sum() - 1.0).abs() < 4.0 * f64::EPSILON));
    let down = field(|_t, _x: &[f64; 2], f: &mut [f64; 2]| *f = [-1.0, -100.0]);
    let mut x = [1.0, 1.0];
    Flow::new(down, Mirror::new(Geometry::Entropy)).steps(10, 0.5, &mut x).unwrap();
    assert!(x[0] > 0.0 && x[1] > 0.0);
    let mut x = [1.0, 1.0];
    Flow::new(down, Mirror::new(Geometry::LogBarrier)).steps(1000, 0.5, &mut x).unwrap();
    assert!((x[0] - 1.0 / 501.0).abs() < 1e-15 && x[1] > 0.0);
}

#[test]
fn exponentiated_gradient_is_the_hadamard_flow() {
    // x = u²: u' = ½ u f(u²) gives x' = x f(x), the entropic mirror flow.
    let start = [0.6, 0.1, 0.3];
    let hadamard = field(|_t, u: &[f64; 3], d: &mut [f64; 3]| {
        pull(&u.map(|u| u * u), d);
        d.iter_mut().zip(u).for_each(|(d, u)| *d *= 0.5 * u);
    });
    let flow = |n: usize| {
        let mut u = start.map(f64::sqrt);
        Flow::new(hadamard, Rk4::new()).steps(n, 1.0 / n as f64, &mut u).unwrap();
        u.map(|u| u * u)
    };
    let mut x = start;
    let entropic = Mirrored::new(field(|_t, x: &[f64; 3], f: &mut [f64; 3]| pull(x, f)), Geometry::Entropy);
    Flow::new(entropic, Rk4::new()).steps(400, 1.0 / 400.0, &mut x).unwrap();
    assert!(common::distance(&x, &flow(400)) < 1e-10);
    // Descent on u against exponentiated gradient on x: first order in the step.
    let gap = |n: usize| {
        let (mut u, mut x) = (start.map(f64::sqrt), start);
        Flow::new(hadamard, Euler::new()).steps(n, 1.0 / n as f64, &mut u).unwrap();
        let covectors = field(|_t, x: &[f64; 3], f: &mut [f64; 3]| pull(x, f));
        Flow::new(covectors, Mirror::new(Geometry::Entropy)).steps(n, 1.0 / n as f64, &mut x).unwrap();
        common::distance(&x, &u.map(|u| u * u))
    };
    let points: Vec<_> = [100, 200, 400].map(|n| (1.0 / f64::from(n), gap(n as usize))).to_vec();
    assert!((slope(&points) - 1.0).abs() < 0.05, "{points:?}");
}

#[test]
fn bad_settings_and_starts_are_refused() {
    let down = field(|_t, _x: &[f64; 2], f: &mut [f64; 2]| *f = [-1.0, 1.0]);
    let mut x = [0.5, -0.5];
    assert!(Flow::new(down, Mirror::new(Geometry::Entropy)).step(0.1, &mut x).is_err());
    assert!(Flow::new(down, Mirror::new(Geometry::Simplex)).step(0.1, &mut [0.3, 0.3]).is_err());
    assert!(Flow::new(down, Mirror::new(Geometry::PNorm(0.9))).step(0.1, &mut [0.3, 0.3]).is_err());
    assert!(Flow::new(down, Proximal::new().tol(0.0)).step(0.1, &mut x).is_err());
    let bowl = |x: &[f64], g: &mut [f64]| {
        g[0] = x[0];
        0.5 * x[0] * x[0]
    };
    assert!(Flow::new(DampedFlow::heavy_ball(bowl, -1.0), Euler::new()).step(0.1, &mut [1.0, 0.0]).is_err());
    assert!(Flow::new(DampedFlow::nesterov(bowl), Euler::new()).step(0.1, &mut [1.0]).is_err());
    // Not minus a gradient, and not monotone: the solver says that it did not converge.
    let away = field(|_t, y: &[f64; 1], d: &mut [f64; 1]| d[0] = 2.0 * y[0] + 1.0);
    assert!(Flow::new(away, Proximal::new()).step(1.0, &mut [1.0]).is_err());
}
