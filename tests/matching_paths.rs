//! Laws of all paths: rates are derivatives, ends are met, conversions invert each other, and flows between Gaussians
//! are those known in closed form.

use flowfield::dataset::normal;
use flowfield::integrate::Rk4;
use flowfield::matching::*;
use flowfield::nn::{Mlp, Network, Potential};
use flowfield::{Error, Flow, VectorField, field};
use ndarray::{Array1, Array2};

#[test]
fn rates_are_derivatives() {
    for path in paths() {
        path.check().unwrap();
        for t in [0.05, 0.3, 0.5, 0.77, 0.99] {
            let h = 1e-6;
            let (lo, at, hi) = (path.at(t - h), path.at(t), path.at(t + h));
            let rates = [
                (hi.alpha - lo.alpha, at.alpha_dot),
                (hi.beta - lo.beta, at.beta_dot),
                (hi.gamma - lo.gamma, at.gamma_dot),
            ];
            for (difference, rate) in rates {
                let slope = difference / (2.0 * h);
                assert!(
                    (slope - rate).abs() < 1e-6 * (1.0 + rate.abs()),
                    "{} at {t}: {slope} {rate}",
                    path.name()
                );
            }
        }
    }
}

#[test]
fn paths_lead_from_the_source_to_the_data() {
    for path in paths() {
        let (start, end) = (path.at(0.0), path.at(1.0));
        let values = |c: &Coefficients| [c.alpha, c.beta, c.gamma, c.alpha_dot, c.beta_dot, c.gamma_dot];
        assert!(values(&start).iter().chain(&values(&end)).all(|v| v.is_finite()), "{}", path.name());
        // What each leaves of the other end, or blurs, is a known small number.
        assert!((start.alpha - 1.0).abs() < 1e-4 && start.beta.abs() < 7e-3, "{}: {start:?}", path.name());
        assert!((end.beta - 1.0).abs() < 1e-4 && end.alpha.abs() < 0.0126, "{}: {end:?}", path.name());
        assert!(start.gamma <= 0.1 && end.gamma <= 0.1, "{}", path.name());
    }
}

#[test]
fn conversions_agree_on_a_known_pair_and_invert_each_other() {
    use Prediction::{Data, Noise, Score, Velocity};
    let kinds = [Velocity, Noise, Data, Score];
    for path in paths() {
        for t in [0.2, 0.5, 0.8] {
            let c = path.at(t);
            let a = c.alpha.hypot(c.gamma);
            let a_dot = (c.alpha * c.alpha_dot + c.gamma * c.gamma_dot) / a;
            let (noise, data) = (-0.7, 1.9);
            let x = a * noise + c.beta * data;
            let value = |kind| match kind {
                Velocity => a_dot * noise + c.beta_dot * data,
                Noise => noise,
                Data => data,
                Score => -noise / a,
            };
            for from in kinds {
                for to in kinds {
                    let (p, q) = c.convert(from, to);
                    let got = p * x + q * value(from);
                    let want = value(to);
                    assert!(
                        (got - want).abs() < 1e-9 * (1.0 + want.abs()),
                        "{} {from:?} {to:?}",
                        path.name()
                    );
                }
            }
        }
    }
}

/// The velocity of the path's marginals between N(0, 1) and N(m, s²), exactly.
fn gaussian_velocity(path: &dyn Path, m: f64, s: f64, t: f64, x: f64) -> f64 {
    let c = path.at(t);
    let variance = c.alpha.powi(2) + c.gamma.powi(2) + (c.beta * s).powi(2);
    let covariance = c.alpha * c.alpha_dot + c.gamma * c.gamma_dot + c.beta * c.beta_dot * s * s;
    c.beta_dot * m + covariance / variance * (x - c.beta * m)
}

#[test]
fn every_path_carries_one_gaussian_to_the_other() {
    let (m, s) = (1.5, 0.7);
    for path in paths() {
        let path = &*path;
        let start = path.at(0.0);
        let spread = (start.alpha.powi(2) + start.gamma.powi(2) + (start.beta * s).powi(2)).sqrt();
        let mut x = normal::<f64>((2000, 1), 3).mapv(|z| start.beta * m + spread * z);
        let z = x.mapv(|x| (x - start.beta * m) / spread);
        let v = field(|t: f64, x: &Array2<f64>, dx: &mut Array2<f64>| {
            dx.zip_mut_with(x, |d, &x| *d = gaussian_velocity(path, m, s, t, x));
        });
        Flow::new(v, Rk4::new()).steps(2000, 5e-4, &mut x).unwrap();
        let end = path.at(1.0);
        let spread = (end.alpha.powi(2) + end.gamma.powi(2) + (end.beta * s).powi(2)).sqrt();
        let worst = x.iter().zip(&z).map(|(x, z)| (x - end.beta * m - spread * z).abs()).fold(0.0, f64::max);
        // Rates without bound at an end cost accuracy there.
        assert!(worst < 0.02, "{}: {worst}", path.name());
    }
}

/// A least-squares fit `u = a + b x` in a narrow band of times around t.
fn slope_of_velocity(path: impl Path + 'static, m: f64, s: f64, t: f64) -> (f64, f64) {
    // A linear network sees [x, t]: with a law of times at a point, its best fit is the conditional mean.
    let data = normal::<f64>((4000, 1), 1).mapv(|z| m + s * z);
    let net = Mlp::velocity(1, &[]);
    let mut theta = Array1::zeros(net.n_params());
    let at = move |_| t;
    let matching = Matching::new(&net, &data, 2000).path(path).time(TimeLaw::Quantile(&at)).seed(5);
    let schedule = flowfield::integrate::Schedule::cosine(600);
    Flow::new(matching, flowfield::integrate::Adam::default())
        .controller(schedule)
        .steps(600, 0.1, &mut theta)
        .unwrap();
    (theta[2] + t * theta[1], theta[0])
}

#[test]
fn training_finds_the_velocity_of_gaussians_in_closed_form() {
    // T4: v*(x, t) is linear in x; the trigonometric path between two standard normals stands still.
    let (m, s, t) = (1.5, 0.7, 0.4);
    let want = (gaussian_velocity(&Straight, m, s, t, 0.0), {
        gaussian_velocity(&Straight, m, s, t, 1.0) - gaussian_velocity(&Straight, m, s, t, 0.0)
    });
    let got = slope_of_velocity(Straight, m, s, t);
    assert!((got.0 - want.0).abs() < 0.08 && (got.1 - want.1).abs() < 0.08, "{got:?} {want:?}");
    let got = slope_of_velocity(Trigonometric, 0.0, 1.0, t);
    assert!(got.0.abs() < 0.08 && got.1.abs() < 0.08, "{got:?}");
    let want = {
        let at = |x| gaussian_velocity(&Bridge { sigma: 1.0 }, m, s, t, x);
        (at(0.0), at(1.0) - at(0.0))
    };
    let got = slope_of_velocity(Bridge { sigma: 1.0 }, m, s, t);
    assert!((got.0 - want.0).abs() < 0.1 && (got.1 - want.1).abs() < 0.1, "{got:?} {want:?}");
}

#[test]
fn the_score_of_gaussians_is_that_of_the_velocity() {
    // T6: s = (t v - x) / (1 - t) is the gradient of log N(tm, (1-t)² + t²s²).
    let (m, s, t, x) = (1.5, 0.7, 0.6, 0.3);
    let (p, q) = Straight.at(t).convert(Prediction::Velocity, Prediction::Score);
    let score = p * x + q * gaussian_velocity(&Straight, m, s, t, x);
    let want = -(x - t * m) / ((1.0 - t).powi(2) + (t * s).powi(2));
    assert!((score - want).abs() < 1e-12, "{score} {want}");
}

#[test]
fn networks_that_predict_noise_or_data_make_the_same_flow() {
    let data = normal::<f64>((2000, 1), 4).mapv(|z| 2.0 + 0.5 * z);
    let net = Mlp::velocity(1, &[24, 24]);
    for target in [Prediction::Noise, Prediction::Data] {
        for path in [0, 1] {
            let mut theta = net.init(1);
            let mut matching = Matching::new(&net, &data, 256).target(target).seed(2);
            if path == 1 {
                matching = matching.path(Smoothed { sigma: 0.2 });
            }
            let schedule = flowfield::integrate::Schedule::cosine(2000);
            let mut training =
                Flow::new(matching, flowfield::integrate::Adam::default()).controller(schedule);
            training.steps(2000, 5e-3, &mut theta).unwrap();
            let mut x = normal((1000, 1), 9);
            if path == 1 {
                let v =
                    Converted::new(net.field(&theta), Smoothed { sigma: 0.2 }, target, Prediction::Velocity);
                Flow::new(v, Rk4::new()).steps(100, 0.01, &mut x).unwrap();
            } else {
                let v = Converted::new(net.field(&theta), Straight, target, Prediction::Velocity);
                Flow::new(v.margin(0.02), Rk4::new()).steps(100, 0.01, &mut x).unwrap();
            }
            let mean = x.mean().unwrap();
            let std = x.std(0.0);
            // Smoothed: its ends are blurred by 0.2.
            let want = if path == 1 { 0.53 } else { 0.5 };
            assert!(
                (mean - 2.0).abs() < 0.15 && (std - want).abs() < 0.15,
                "{target:?} {path}: {mean} {std}"
            );
        }
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let bad: Vec<Box<dyn Path>> = vec![
        Box::new(Cosine { offset: -1.0 }),
        Box::new(VariancePreserving { least: 0.0, most: 1.0 }),
        Box::new(Polynomial(0.5)),
        Box::new(Bridge { sigma: f64::NAN }),
        Box::new(Smoothed { sigma: -0.1 }),
        Box::new(Conditional { sigma_min: f64::INFINITY }),
    ];
    for path in &bad {
        assert!(matches!(path.check(), Err(Error::Setting { .. })), "{}", path.name());
    }
    let (data, net) = (normal::<f64>((10, 2), 0), Mlp::velocity(2, &[4]));
    let mut theta: Array1<f64> = net.init(0);
    let matching = Matching::new(&net, &data, 5).path(Polynomial(0.0));
    assert!(Flow::new(matching, flowfield::integrate::Euler::new()).steps(1, 0.1, &mut theta).is_err());
    let converted =
        Converted::new(net.field(&theta), Straight, Prediction::Data, Prediction::Velocity).margin(0.7);
    assert!(matches!(converted.check(&data), Err(Error::Setting { .. })));
}

#[test]
fn a_potential_is_the_gradient_of_its_scalar_network() {
    for still in [false, true] {
        let scalar = Mlp::new(if still { 2 } else { 3 }, &[7, 6], 1);
        let v =
            if still { Potential::new(scalar.clone(), 2).still() } else { Potential::new(scalar.clone(), 2) };
        let theta: Array1<f64> = v.init(3);
        let x = normal::<f64>((5, 3), 1);
        let (mut tape, mut y) = (v.tape(8), Array2::zeros((5, 2)));
        v.forward(&theta, &x, &mut y, &mut tape).unwrap();
        let value = |x: &Array2<f64>| {
            let inner = if still { x.slice(ndarray::s![.., ..2]).to_owned() } else { x.clone() };
            let mut s = Array2::zeros((5, 1));
            scalar.forward(&theta, &inner, &mut s, &mut scalar.tape(5)).unwrap();
            s
        };
        for k in 0..2 {
            let (mut hi, mut lo) = (x.clone(), x.clone());
            hi.column_mut(k).mapv_inplace(|v| v + 1e-5);
            lo.column_mut(k).mapv_inplace(|v| v - 1e-5);
            let slope = (value(&hi) - value(&lo)) / 2e-5;
            for i in 0..5 {
                assert!(
                    (y[[i, k]] - slope[[i, 0]]).abs() < 1e-8,
                    "still {still}: {} {}",
                    y[[i, k]],
                    slope[[i, 0]]
                );
            }
        }
        // vjp and jvp against each other, and both against differences of the velocity.
        let (dx, ybar) = (normal::<f64>((5, 3), 7), normal::<f64>((5, 2), 8));
        let (mut dy, mut xbar, mut bar) = (y.clone(), x.clone(), Array1::zeros(theta.len()));
        v.jvp(&theta, None, Some(&dx), &mut dy, &mut tape).unwrap();
        v.vjp(&theta, &ybar, Some(&mut bar), Some(&mut xbar), &mut tape).unwrap();
        let (forward, reverse) = ((&dy * &ybar).sum(), (&dx * &xbar).sum());
        assert!((forward - reverse).abs() < 1e-12, "{forward} {reverse}");
        let along = |theta: &Array1<f64>, x: &Array2<f64>| {
            let mut y = y.clone();
            v.forward(theta, x, &mut y, &mut v.tape(5)).unwrap();
            (&y * &ybar).sum()
        };
        let slope = (along(&theta, &(&x + &(&dx * 1e-5))) - along(&theta, &(&x - &(&dx * 1e-5)))) / 2e-5;
        assert!((forward - slope).abs() < 1e-7);
        let turn = Array1::from_shape_fn(theta.len(), |i| ((i * i) as f64).sin());
        let slope = (along(&(&theta + &(&turn * 1e-5)), &x) - along(&(&theta - &(&turn * 1e-5)), &x)) / 2e-5;
        assert!((bar.dot(&turn) - slope).abs() < 1e-6, "{} {slope}", bar.dot(&turn));
        assert!(matches!(
            v.jvp(&theta, Some(&theta), None, &mut dy, &mut tape),
            Err(Error::Unsupported { .. })
        ));
    }
}

/// Gauss–Legendre nodes and weights on [0, 1], by Newton's iteration.
fn gauss(n: usize) -> Vec<(f64, f64)> {
    let legendre = |x: f64| {
        let (mut p0, mut p1) = (1.0, x);
        for k in 2..=n {
            let k = k as f64;
            (p0, p1) = (p1, ((2.0 * k - 1.0) * x * p1 - (k - 1.0) * p0) / k);
        }
        (p1, n as f64 * (x * p1 - p0) / (x * x - 1.0))
    };
    let node = |i: usize| {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        for _ in 0..50 {
            let (p, d) = legendre(x);
            x -= p / d;
        }
        let d = legendre(x).1;
        (0.5 * (x + 1.0), 1.0 / ((1.0 - x * x) * d * d))
    };
    (0..n).map(node).collect()
}

#[test]
fn action_matching_is_matching_by_gradients_less_a_constant() {
    // Identity I2: E ½|∇s - u|² = the action objective + E ½|u|², exactly under uniform times: 40 Gauss nodes, one pair.
    let (x0, x1) = (normal::<f64>((4, 2), 0), normal::<f64>((4, 2), 1));
    let scalar = Mlp::new(3, &[8, 8], 1);
    let v = Potential::new(scalar.clone(), 2);
    let theta: Array1<f64> = v.init(5);
    let (mut squares, mut action) = (0.0, 0.0);
    let (mut slope_squares, mut slope_action) = (Array1::zeros(theta.len()), Array1::zeros(theta.len()));
    for (t, w) in gauss(40) {
        let at = move |_| t;
        let pairs = Coupling::Paired(&x0);
        let mut one = Matching::new(&v, &x1, 4).coupling(pairs).time(TimeLaw::Quantile(&at));
        let mut two = Matching::new(&scalar, &x1, 4)
            .coupling(pairs)
            .time(TimeLaw::Quantile(&at))
            .objective(Objective::Action);
        let mut d = theta.clone();
        one.check(&theta).unwrap();
        two.check(&theta).unwrap();
        one.redraw();
        one.eval(0.0, &theta, &mut d);
        // The mean square divides by d = 2, as the half does.
        squares += w * one.loss();
        slope_squares.scaled_add(w, &d);
        two.redraw();
        two.eval(0.0, &theta, &mut d);
        action += w * two.loss();
        slope_action.scaled_add(w, &d);
    }
    // The same seed draws the same rows.
    let mut probe = Matching::new(&v, &x1, 4).coupling(Coupling::Paired(&x0)).time(TimeLaw::Grid(1));
    let mut zero = Array1::zeros(theta.len());
    probe.redraw();
    let theta0 = zero.clone();
    probe.eval(0.0, &theta0, &mut zero);
    assert!((squares - action - probe.loss()).abs() < 1e-10, "{squares} {action} {}", probe.loss());
    let worst = (&slope_squares - &slope_action).iter().fold(0.0_f64, |m, d| m.max(d.abs()));
    assert!(worst < 1e-10, "{worst}");
}
