//! Velocity-field training: closed forms, the coupling of a reflow, reproducibility, and bad input.

mod common;

use common::normal_pair_velocity;
use flowfield::dataset::{eight_gaussians, moons, normal};
use flowfield::integrate::{Adam, Euler, Rk4, Tsit5};
use flowfield::matching::{Coupling, Matching, Reflow, TimeLaw, normalised_path_energy, straightness};
use flowfield::metric::energy_distance;
use flowfield::nn::{Mlp, Network, one_hot};
use flowfield::{Error, Flow, VectorField, field};
use ndarray::{Array1, Array2, array};

fn trained(net: &Mlp, data: &Array2<f64>, steps: usize) -> Array1<f64> {
    let mut theta = net.init(1);
    let matching = Matching::new(net, data, 128).seed(3);
    Flow::new(matching, Adam::default()).steps(steps, 3e-3, &mut theta).unwrap();
    theta
}

#[test]
fn straightness_of_the_exact_rectified_flow_between_two_normals() {
    // N(0, 1) -> N(m, 1) in one dimension, independent coupling: v* is known, its flow map is x + m, and
    // S = 2 - π/2, path energy m² + 2 - π/2.
    let m = 1.5;
    let z0 = normal::<f64>((20_000, 1), 0);
    let s = straightness(normal_pair_velocity(m, 1.0), &z0, 60).unwrap();
    let second_moment = z0.iter().map(|z| z * z).sum::<f64>() / 20_000.0;
    let bend = (2.0 - std::f64::consts::FRAC_PI_2) * second_moment;
    assert!((s.straightness - bend).abs() < 1e-6, "{} {bend}", s.straightness);
    let mean = z0.mean().unwrap();
    assert!(s.end.iter().zip(&z0).all(|(z1, z0)| (z1 - z0 - m).abs() < 1e-8));
    assert!((s.transport_cost - m * m).abs() < 1e-9);
    assert!(
        (s.path_energy - s.transport_cost - s.straightness).abs() < 1e-6,
        "the identity S = energy - cost"
    );
    let npe = normalised_path_energy(s.path_energy, m * m).unwrap();
    assert!((npe - 0.4292 / (m * m)).abs() < 0.01, "{npe} with mean {mean}");
    assert!(normalised_path_energy(1.0, 0.0).is_err());
}

#[test]
fn straightness_is_what_its_definition_says() {
    // The definition on a fine grid of its own, for a field that is neither straight nor a gradient.
    let swirl = || {
        field(|t: f64, x: &Array2<f64>, dx: &mut Array2<f64>| {
            for (x, mut dx) in x.rows().into_iter().zip(dx.rows_mut()) {
                dx[0] = -x[1] + t;
                dx[1] = 2.0 * x[0] * (1.0 - t);
            }
        })
    };
    let z0 = normal::<f64>((50, 2), 4);
    let measured = straightness(swirl(), &z0, 40).unwrap();
    let sol = Flow::new(swirl(), Tsit5::new()).tol(1e-11).dense().solve(0.0, 1.0, z0.clone()).unwrap();
    let displacement = sol.y_end() - &z0;
    let (mut sum, mut v, n) = (0.0, z0.clone(), 2000);
    for k in 0..n {
        let t = (f64::from(k) + 0.5) / f64::from(n);
        swirl().eval(t, &sol.at(t).unwrap(), &mut v);
        sum += (&displacement - &v).iter().map(|d| d * d).sum::<f64>() / 50.0 / f64::from(n);
    }
    assert!((measured.straightness / sum - 1.0).abs() < 1e-5, "{} {sum}", measured.straightness);
}

#[test]
fn the_field_is_minus_the_gradient_of_the_loss() {
    let data = moons::<f64>(64, 0.05, 0);
    let net = Mlp::velocity(2, &[8, 8]);
    let theta = net.init(2);
    for time in [TimeLaw::Uniform, TimeLaw::LogitNormal { mean: 0.0, std: 1.0 }, TimeLaw::Grid(1)] {
        let mut matching = Matching::new(&net, &data, 32).time(time);
        matching.redraw();
        let mut field = theta.clone();
        matching.eval(0.0, &theta, &mut field);
        let mut scratch = theta.clone();
        for i in [0, 5, 30, theta.len() - 1] {
            let mut loss = |shift: f64| {
                let mut moved = theta.clone();
                moved[i] += shift;
                matching.eval(0.0, &moved, &mut scratch);
                matching.loss()
            };
            let slope = (loss(1e-6) - loss(-1e-6)) / 2e-6;
            assert!(
                (field[i] + slope).abs() < 1e-7 * (1.0 + slope.abs()),
                "{time:?}, {i}: {} {slope}",
                field[i]
            );
        }
    }
}

#[test]
fn paths_are_straight_lines_between_their_ends() {
    // A linear field without hidden layer sees the inputs: with a paired coupling of one row, the loss of the zero
    // network is |x1 - x0|² / d, whatever t.
    let (x0, x1) = (array![[1.0, -2.0]], array![[4.0, 2.0]]);
    let net = Mlp::velocity(2, &[]);
    let mut theta = Array1::<f64>::zeros(net.n_params());
    let mut matching = Matching::new(&net, &x1, 1).coupling(Coupling::Paired(&x0));
    matching.redraw();
    let mut d = theta.clone();
    matching.eval(0.0, &theta, &mut d);
    assert!((matching.loss() - 12.5).abs() < 1e-12);
    // Trained, it carries x0 to x1 in one step.
    Flow::new(matching, Euler::new()).steps(3000, 0.02, &mut theta).unwrap();
    let mut x = x0.clone();
    Flow::new(net.field(&theta), Euler::new()).steps(1, 1.0, &mut x).unwrap();
    assert!((&x - &x1).iter().all(|d| d.abs() < 1e-6), "{x}");
}

#[test]
fn training_learns_the_distribution_and_inverts() {
    let data = moons::<f64>(1000, 0.05, 0);
    let net = Mlp::velocity(2, &[48, 48]);
    let theta = trained(&net, &data, 1500);
    let noise = normal((500, 2), 9);
    let mut flow = Flow::new(net.field(&theta), Tsit5::new()).tol(1e-7).save_last();
    let samples = flow.solve(0.0, 1.0, noise.clone()).unwrap().y_end().clone();
    let fresh = moons::<f64>(500, 0.05, 8);
    let (far, near) = (energy_distance(&noise, &fresh).unwrap(), energy_distance(&samples, &fresh).unwrap());
    assert!(near < 0.1 * far, "energy distance {near}, that of the noise {far}");
    // Encoding (t from 1 to 0) gives the noise back.
    let encoded = flow.solve(1.0, 0.0, samples).unwrap().y_end().clone();
    assert!((&encoded - &noise).iter().all(|d| d.abs() < 1e-4));
}

#[test]
fn reflow_straightens_and_distillation_makes_one_step_enough() {
    let data = eight_gaussians::<f64>(2000, 3.0, 0.3, 0);
    let net = Mlp::velocity(2, &[48, 48]);
    let mut theta = trained(&net, &data, 1500);
    let probe = normal((1000, 2), 77);
    let s1 = straightness(net.field(&theta), &probe, 40).unwrap().straightness;
    let one_step = |theta: &Array1<f64>| {
        let mut x = probe.clone();
        Flow::new(net.field(theta), Euler::new()).steps(1, 1.0, &mut x).unwrap();
        energy_distance(&x, &eight_gaussians(1000, 3.0, 0.3, 5)).unwrap()
    };
    let before = one_step(&theta);
    let reflow = Reflow::new(2000, 1500).batch(128).rate(2e-3).tol(1e-4);
    let rounds = reflow.run(&net, &mut theta, 2).unwrap();
    let (s2, s3) = (rounds[0].straightness, rounds[1].straightness);
    assert!(s2 < 0.25 * s1 && s3 < 1.2 * s2, "straightness {s1} {s2} {s3}");
    assert!(one_step(&theta) < 0.2 * before);
    let pairs = reflow.pairs(&net, &theta, 11).unwrap();
    let distil =
        Matching::new(&net, &pairs.data, 128).coupling(Coupling::Paired(&pairs.noise)).time(TimeLaw::Grid(1));
    Flow::new(distil, Adam::default()).steps(800, 5e-4, &mut theta).unwrap();
    assert!(one_step(&theta) < 0.1 * before);
}

#[test]
fn same_seed_same_bits_and_any_number_of_steps_a_call() {
    let data = moons::<f32>(300, 0.05, 0);
    let net = Mlp::velocity(2, &[16]);
    let run = |seed: u64, chunks: &[usize]| {
        let mut theta = net.init(0);
        let mut flow = Flow::new(Matching::new(&net, &data, 64).seed(seed), Adam::default());
        chunks.iter().for_each(|&n| flow.steps(n, 1e-3, &mut theta).unwrap());
        theta
    };
    assert_eq!(run(1, &[40]), run(1, &[40]));
    assert_eq!(run(1, &[40]), run(1, &[1, 9, 30]));
    assert_ne!(run(1, &[40]), run(2, &[40]));
}

#[test]
fn threads_do_not_change_the_bits() {
    let data = normal::<f32>((600, 32), 1);
    let net = Mlp::velocity(32, &[192, 192]);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut theta = net.init(0);
            Flow::new(Matching::new(&net, &data, 512), Adam::default()).steps(5, 1e-3, &mut theta).unwrap();
            let mut x = normal((3000, 32), 5);
            Flow::new(net.field(&theta), Rk4::new()).steps(2, 0.5, &mut x).unwrap();
            (theta, x)
        })
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn conditions_reach_the_network() {
    // Class 0 at -2, class 1 at +2.
    let labels: Vec<usize> = (0..400).map(|i| i % 2).collect();
    let noise = normal::<f64>((400, 1), 3);
    let data = Array2::from_shape_fn((400, 1), |(i, _)| 4.0 * labels[i] as f64 - 2.0 + 0.1 * noise[[i, 0]]);
    let condition = one_hot(&labels, 2).unwrap();
    let net = Mlp::velocity(1, &[24, 24]).condition(2);
    let mut theta = net.init(0);
    let matching = Matching::new(&net, &data, 128).condition(&condition);
    Flow::new(matching, Adam::default()).steps(800, 5e-3, &mut theta).unwrap();
    let mut x = normal((400, 1), 5);
    Flow::new(net.field(&theta).condition(&condition), Rk4::new()).steps(10, 0.1, &mut x).unwrap();
    let right = x.iter().zip(&labels).filter(|(x, l)| (**x > 0.0) == (**l == 1)).count();
    assert!(right > 395, "{right} of 400 on the right side");
    let reflow = Reflow::new(100, 5).batch(50).condition(&condition);
    assert_eq!(reflow.pairs(&net, &theta, 0).unwrap().condition.unwrap().dim(), (100, 2));
    assert_eq!(reflow.run(&net, &mut theta, 1).unwrap().len(), 1);
}

fn refusal(matching: Matching<'_, Mlp, f64>, theta: usize) -> Error {
    Flow::new(matching, Adam::default()).steps(1, 1e-3, &mut Array1::zeros(theta)).unwrap_err()
}

#[test]
fn bad_input_is_refused_with_the_numbers() {
    let good = normal::<f64>((10, 2), 0);
    let net = Mlp::velocity(2, &[4]);
    let n = net.n_params();
    assert!(matches!(refusal(Matching::new(&net, &Array2::zeros((0, 2)), 1), n), Error::Empty { .. }));
    assert!(matches!(
        refusal(Matching::new(&net, &good, 11), n),
        Error::BatchTooLarge { batch: 11, rows: 10 }
    ));
    assert!(matches!(
        refusal(Matching::new(&net, &good, 0), n),
        Error::Setting { what: "the batch size", .. }
    ));
    let mut bad = good.clone();
    bad[[7, 1]] = f64::NAN;
    assert!(matches!(refusal(Matching::new(&net, &bad, 5), n), Error::NotFinite { row: 7, .. }));
    assert!(matches!(refusal(Matching::new(&net, &normal((10, 3), 0), 5), n), Error::Shape { .. }));
    assert!(matches!(refusal(Matching::new(&net, &good, 5), n + 1), Error::Shape { what: "theta", .. }));
    let zero = Mlp::velocity(2, &[4, 0]);
    assert!(matches!(
        refusal(Matching::new(&zero, &good, 5), zero.n_params()),
        Error::ZeroWidth { layer: 2 }
    ));
    let short = normal((9, 2), 0);
    let paired = Matching::new(&net, &good, 5).coupling(Coupling::Paired(&short));
    assert!(matches!(refusal(paired, n), Error::Shape { what: "the paired source", .. }));
    let conditioned = Matching::new(&net, &good, 5).condition(&good);
    assert!(matches!(refusal(conditioned, n), Error::Shape { what: "a row [x | t | condition]", .. }));
    let law = TimeLaw::LogitNormal { mean: 0.0, std: -1.0 };
    assert!(matches!(refusal(Matching::new(&net, &good, 5).time(law), n), Error::Setting { .. }));
    assert!(matches!(
        refusal(Matching::new(&net, &good, 5).time(TimeLaw::Grid(0)), n),
        Error::Setting { .. }
    ));
    let theta: Array1<f64> = net.init(0);
    assert!(matches!(Reflow::new(0, 1).pairs(&net, &theta, 0), Err(Error::Empty { .. })));
    assert!(matches!(straightness(net.field(&theta), &good, 3), Err(Error::Setting { .. })));
    let mut x = normal::<f64>((4, 3), 0);
    let theta = net.init(0);
    assert!(matches!(
        Flow::new(net.field(&theta), Rk4::new()).steps(1, 0.1, &mut x),
        Err(Error::Shape { .. })
    ));
}

#[test]
fn a_training_that_diverges_says_so_and_keeps_the_last_good_parameters() {
    let data = normal::<f64>((50, 2), 0);
    let net = Mlp::velocity(2, &[8]);
    let mut theta = net.init(0);
    let e = Flow::new(Matching::new(&net, &data, 10), Euler::new()).steps(2000, 1e6, &mut theta).unwrap_err();
    assert!(matches!(e, Error::Diverged { .. }));
    assert!(theta.iter().all(|v| v.is_finite()));
}
