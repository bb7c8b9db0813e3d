//! The density of a flow: an analytic flow, total probability, agreement with the Jacobian of the flow map, probes, and
//! stochastic sampling with the same marginals.

mod common;

use common::normal_pair_velocity;
use flowfield::dataset::{moons, normal};
use flowfield::integrate::*;
use flowfield::matching::{Divergence, Likelihood, Matching, bits_per_dim, stochastic};
use flowfield::nn::{Mlp, Network};
use flowfield::{Error, Flow};
use ndarray::{Array1, Array2};

/// Noise to N(m, s²) in every column: velocity and divergence of independent pairs.
fn gaussian(m: f64, s: f64) -> impl FnMut(f64, &Array2<f64>, &mut Array2<f64>, &mut Array2<f64>) {
    move |t, x, v, div| {
        let slope = (t * s * s - (1.0 - t)) / ((1.0 - t).powi(2) + (t * s).powi(2));
        v.zip_mut_with(x, |v, x| *v = m + slope * (x - t * m));
        div.fill(slope * x.ncols() as f64);
    }
}

fn gaussian_log(x: &Array2<f64>, m: f64, s: f64) -> Array1<f64> {
    let term = |x: &f64| -0.5 * ((x - m) / s).powi(2) - s.ln() - 0.5 * std::f64::consts::TAU.ln();
    x.rows().into_iter().map(|r| r.iter().map(term).sum()).collect()
}

#[test]
fn an_analytic_gaussian_flow_by_every_adaptive_integrator() {
    let x = normal::<f64>((50, 3), 0) * 0.5 + 1.2;
    let exact = gaussian_log(&x, 1.2, 0.5);
    let mut bad = Vec::new();
    macro_rules! each {
        ($($method:ident)*) => { $(
            let got = Likelihood::of(gaussian(1.2, 0.5)).tol(1e-10).encode(&x, $method::new()).unwrap();
            let error = (&got.log_prob - &exact).iter().fold(0.0_f64, |m, d| m.max(d.abs()));
            println!("{}: {error:.1e}, {} evaluations", stringify!($method), got.evals);
            // The flow map is x₀ = (x - m) / s.
            let noise = (&x - 1.2) / 0.5;
            if error > 1e-6 || (&got.noise - &noise).iter().any(|d| d.abs() > 1e-6) {
                bad.push((stringify!($method), error));
            }
        )* };
    }
    each!(Bs3 Dopri5 Tsit5 SspRk43 Vern6 Vern7 Vern8 Vern9 Dop853 Adams Rkc2 Rock4);
    // Implicit ones, whose Jacobians are differences: few rows.
    let x = normal::<f64>((3, 2), 0) * 0.5 + 1.2;
    let exact = gaussian_log(&x, 1.2, 0.5);
    macro_rules! few {
        ($($method:ident)*) => { $(
            let got = Likelihood::of(gaussian(1.2, 0.5)).tol(1e-8).encode(&x, $method::new()).unwrap();
            let error = (&got.log_prob - &exact).iter().fold(0.0_f64, |m, d| m.max(d.abs()));
            println!("{}: {error:.1e}, {} evaluations", stringify!($method), got.evals);
            if error > 1e-6 {
                bad.push((stringify!($method), error));
            }
        )* };
    }
    few!(Rodas4 Rodas5P Ros3P RadauIIA5 Bdf Auto);
    assert!(bad.is_empty(), "{bad:?}");
}

/// A velocity network trained for a moment, so that it is no special map.
fn trained<F: flowfield::Real>(net: &Mlp, data: &Array2<F>) -> Array1<F> {
    let mut theta = net.init(1);
    Flow::new(Matching::new(net, data, 128).seed(3), Adam::default())
        .steps(400, F::of(3e-3), &mut theta)
        .unwrap();
    theta
}

#[test]
fn total_probability_is_one_in_one_and_two_dimensions() {
    let net = Mlp::velocity(1, &[24, 24]);
    let theta = trained(&net, &(normal::<f64>((500, 1), 0) * 0.4 + 0.8));
    let n = 1_200;
    let h = 12.0 / n as f64;
    let grid = Array2::from_shape_fn((n, 1), |(i, _)| -6.0 + (i as f64 + 0.5) * h);
    let log = Likelihood::new(&net, &theta).tol(1e-8).log_prob(&grid, Tsit5::new()).unwrap();
    let total = log.iter().map(|l| l.exp() * h).sum::<f64>();
    println!("total probability in 1-D: {total:.8}");
    assert!((total - 1.0).abs() < 1e-5);

    let net = Mlp::velocity(2, &[32, 32]);
    let theta = trained(&net, &moons::<f64>(500, 0.1, 0));
    let n = 160;
    let h = 9.0 / n as f64;
    let at = |k: usize| -4.5 + (k as f64 + 0.5) * h;
    let grid = Array2::from_shape_fn((n * n, 2), |(i, k)| if k == 0 { at(i / n) + 0.5 } else { at(i % n) });
    let log = Likelihood::new(&net, &theta).tol(1e-6).log_prob(&grid, Tsit5::new()).unwrap();
    let total = log.iter().map(|l| l.exp() * h * h).sum::<f64>();
    println!("total probability in 2-D: {total:.6}");
    assert!((total - 1.0).abs() < 1e-3);
}

#[test]
fn the_density_is_that_of_the_flow_map() {
    // log p₁(x) = log N(z) - log |det ∂x/∂z|, the determinant by differences of the flow map.
    let net = Mlp::velocity(2, &[16, 16, 16]);
    let theta = trained(&net, &moons::<f64>(500, 0.1, 0));
    let mut density = Likelihood::new(&net, &theta).tol(1e-11);
    let z = normal::<f64>((4, 2), 5);
    let out = density.decode(&z, Dop853::new()).unwrap();
    let h = 1e-5;
    for (r, z) in z.rows().into_iter().enumerate() {
        let around = Array2::from_shape_fn((4, 2), |(k, c)| {
            z[c] + if k / 2 == c { h * if k % 2 == 0 { 1.0 } else { -1.0 } } else { 0.0 }
        });
        let x = density.decode(&around, Dop853::new()).unwrap().x;
        let d = |k: usize, c: usize| (x[[2 * k, c]] - x[[2 * k + 1, c]]) / (2.0 * h);
        let det = d(0, 0) * d(1, 1) - d(0, 1) * d(1, 0);
        let log = -std::f64::consts::TAU.ln() - 0.5 * z.dot(&z) - det.abs().ln();
        assert!((out.log_prob[r] - log).abs() < 1e-7, "{} {log}", out.log_prob[r]);
    }
    let sampled = density.sample_with_log_prob(4, 2, 5, Dop853::new()).unwrap();
    assert_eq!(sampled.x, out.x);
}

#[test]
fn probes_are_unbiased_and_their_standard_error_is_honest() {
    let net = Mlp::velocity(4, &[24, 24]);
    let data = normal::<f64>((500, 4), 0).mapv(|x| x.sin() + 0.3 * x);
    let theta = trained(&net, &data);
    let x = data.slice(ndarray::s![..40, ..]).to_owned();
    let exact = Likelihood::new(&net, &theta).tol(1e-7).log_prob(&x, Tsit5::new()).unwrap();
    let probes = Divergence::Hutchinson { probes: 64, seed: 1 };
    let found = Likelihood::new(&net, &theta).tol(1e-6).divergence(probes).encode(&x, Tsit5::new()).unwrap();
    let scores: Vec<f64> =
        (0..40).map(|r| (found.log_prob[r] - exact[r]) / found.standard_error[r]).collect();
    let (mean, square) = scores.iter().fold((0.0, 0.0), |(m, s), z| (m + z / 40.0, s + z * z / 40.0));
    println!("Hutchinson, 64 probes: mean score {mean:.2}, mean square {square:.2}");
    assert!(mean.abs() < 0.6 && square > 0.4 && square < 2.0);
    // The same probes, the same bits.
    let again = Likelihood::new(&net, &theta).tol(1e-6).divergence(probes).encode(&x, Tsit5::new()).unwrap();
    assert_eq!(again.log_prob, found.log_prob);
}

#[test]
fn bits_per_dimension_of_the_uniform_density() {
    let log = Array1::<f64>::zeros(3);
    assert!((bits_per_dim(&log, 64, 1.0 / 17.0) - 17.0_f64.log2()).abs() < 1e-12);
}

#[test]
fn stochastic_sampling_keeps_the_marginals() {
    let (m, s) = (1.5, 0.7);
    for level in [0.0, 0.5, 1.5] {
        let mut x = normal::<f64>((40_000, 1), 3);
        let sde = stochastic(normal_pair_velocity(m, s), level).fresh(2);
        Flow::new(sde, EulerMaruyama::new()).steps(200, 1.0 / 200.0, &mut x).unwrap();
        let mean = x.mean().unwrap();
        let deviation = x.std(0.0);
        println!(
            "level {level}: mean {mean:.4} (theory {m}), standard deviation {deviation:.4} (theory {s})"
        );
        assert!((mean - m).abs() < 0.015 && (deviation - s).abs() < 0.015);
    }
    let mut x = normal::<f64>((4, 1), 3);
    let negative = Flow::new(stochastic(normal_pair_velocity(m, s), -1.0).fresh(2), EulerMaruyama::new())
        .step(0.1, &mut x);
    assert!(matches!(negative, Err(Error::Setting { what: "the noise level", .. })));
}

#[test]
fn bad_input_is_named() {
    let net = Mlp::velocity(2, &[8]);
    let theta = Network::<f64>::init(&net, 0);
    let mut density = Likelihood::new(&net, &theta);
    assert!(matches!(density.log_prob(&Array2::zeros((3, 5)), Tsit5::new()), Err(Error::Shape { .. })));
    assert!(matches!(density.log_prob(&Array2::zeros((0, 2)), Tsit5::new()), Err(Error::Empty { .. })));
    let bad = Array2::from_elem((3, 2), f64::NAN);
    assert!(matches!(density.log_prob(&bad, Tsit5::new()), Err(Error::NotFinite { .. })));
    assert!(matches!(
        density.log_prob(&Array2::zeros((3, 2)), Euler::new()),
        Err(Error::NoErrorEstimate { .. })
    ));
    assert!(Likelihood::new(&net, &theta).steps(100).log_prob(&Array2::zeros((3, 2)), Euler::new()).is_ok());
    let none = Divergence::Hutchinson { probes: 0, seed: 0 };
    let refused =
        Likelihood::new(&net, &theta).divergence(none).log_prob(&Array2::zeros((3, 2)), Tsit5::new());
    assert!(matches!(refused, Err(Error::Setting { .. })));
    let condition = Array2::zeros((2, 1));
    let refused =
        Likelihood::new(&net, &theta).condition(&condition).log_prob(&Array2::zeros((3, 2)), Tsit5::new());
    assert!(matches!(refused, Err(Error::Shape { .. })));
    let short = Array1::<f64>::zeros(3);
    assert!(matches!(
        Likelihood::new(&net, &short).log_prob(&Array2::zeros((3, 2)), Tsit5::new()),
        Err(Error::Shape { .. })
    ));
}
