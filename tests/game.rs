//! GANs as flows: the field is both players' gradients, and a generator's update is the critic's particle flow.

use flowfield::dataset::{eight_gaussians, normal};
use flowfield::game::{Gan, GanLoss, Penalty, PenaltyPoints};
use flowfield::integrate::{Adam, Euler, Heun, Integrator, Rk4, Schedule};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Error, Flow, ParameterFlow, VectorField, field};
use ndarray::{Array1, Array2, Axis, concatenate, s};

fn players() -> (Mlp, Mlp) {
    (Mlp::new(3, &[7], 2).activation(Activation::Tanh), Mlp::new(2, &[6, 5], 1).activation(Activation::Silu))
}

fn penalties() -> Vec<Option<Penalty>> {
    vec![
        None,
        Some(Penalty::wgan_gp(10.0)),
        Some(Penalty::reflow()),
        Some(Penalty::wgan_div(2.0, 6.0)),
        Some(Penalty::zero_centred(PenaltyPoints::Real, 5.0)),
        Some(Penalty::zero_centred(PenaltyPoints::Fake, 5.0)),
    ]
}

#[test]
fn each_player_goes_down_its_own_loss() {
    let (generator, critic) = players();
    let data = eight_gaussians::<f64>(20, 1.5, 0.1, 0);
    for loss in GanLoss::ALL {
        for penalty in penalties() {
            let mut game = Gan::new(&generator, &critic, &data, 8).loss(loss);
            if let Some(p) = penalty {
                game = game.penalty(p);
            }
            let theta = game.init(3);
            game.redraw();
            let (mut field, mut scratch) = (theta.clone(), theta.clone());
            game.eval(0.0, &theta, &mut field);
            let split = generator.n_params();
            for i in [0, 5, split - 1, split, split + 9, split + 30, theta.len() - 2] {
                let player = usize::from(i >= split);
                // Fakes also depend on the generator, so R2 and interpolation points move with it: only its own loss counts.
                let mut at = |shift: f64| {
                    let mut moved = theta.clone();
                    moved[i] += shift;
                    game.eval(0.0, &moved, &mut scratch);
                    game.losses()[player]
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                let error = (field[i] + slope).abs();
                assert!(
                    error < 2e-6 * (1.0 + slope.abs()),
                    "{loss:?} {penalty:?} {i}: {} {}",
                    field[i],
                    -slope
                );
            }
        }
    }
}

/// Nodes and weights of the Gauss–Legendre rule on [0, 1], by Newton's method on the Legendre polynomial.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (mut p, mut before) = (x, 1.0);
                for k in 2..=n {
                    let k = k as f64;
                    (p, before) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k, p);
                }
                slope = n as f64 * (x * p - before) / (x * x - 1.0);
                x -= p / slope;
            }
            ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// Critic values and slopes at rows.
fn critic_at(critic: &Mlp, theta: &Array1<f64>, x: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let mut tape = critic.tape(x.nrows());
    let (mut d, mut slope) = (Array2::zeros((x.nrows(), 1)), x.clone());
    critic.forward(theta, x, &mut d, &mut tape).unwrap();
    critic.vjp(theta, &Array2::ones((x.nrows(), 1)), None, Some(&mut slope), &mut tape).unwrap();
    (d, slope)
}

#[test]
fn the_rectified_flow_loss_of_a_gradient_is_a_wgan_objective_with_a_penalty() {
    // E ∫ ½|∇D(x_t) - (x1 - x0)|² dt = E[D(x0) - D(x1)] + ½ E∫|∇D(x_t)|² dt + ½ E|x1 - x0|²: exact pair by pair,
    // for any critic without time and any coupling.
    let critic = Mlp::new(2, &[16, 16], 1).activation(Activation::Tanh);
    let theta = critic.init(1);
    let (x0, x1) = (normal::<f64>((12, 2), 0), eight_gaussians::<f64>(12, 2.0, 0.2, 1));
    let chord = &x1 - &x0;
    let (mut left, mut slopes) = (Array1::<f64>::zeros(12), Array1::<f64>::zeros(12));
    for (t, w) in gauss_legendre(40) {
        let (_, g) = critic_at(&critic, &theta, &(&x0 + &(t * &chord)));
        left = left + 0.5 * w * (&g - &chord).mapv(|v| v * v).sum_axis(Axis(1));
        slopes = slopes + 0.5 * w * g.mapv(|v| v * v).sum_axis(Axis(1));
    }
    let (d0, d1) = (critic_at(&critic, &theta, &x0).0, critic_at(&critic, &theta, &x1).0);
    let right: Array1<f64> =
        (&d0 - &d1).column(0).to_owned() + &slopes + 0.5 * chord.mapv(|v| v * v).sum_axis(Axis(1));
    let worst = left.iter().zip(&right).map(|(l, r): (&f64, &f64)| (l - r).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-10, "{worst:e}");
}

#[test]
fn moving_samples_and_refitting_is_an_euler_step_of_the_generators_flow() {
    let (generator, critic) = players();
    let data = eight_gaussians::<f64>(40, 1.5, 0.1, 0);
    let mut game = Gan::new(&generator, &critic, &data, 16).loss(GanLoss::Wasserstein);
    let theta = game.init(5);
    game.redraw();
    let mut flow = theta.clone();
    game.eval(0.0, &theta, &mut flow);
    let pull = flow.slice(s![..generator.n_params()]).to_owned();

    // The same noise, as the game draws it: recovered from a generator that is the identity on its noise.
    let phi = game.generator_part(&theta);
    let z = normal::<f64>((16, 3), 9);
    let samples = |phi: &Array1<f64>| {
        let mut x = Array2::zeros((16, 2));
        generator.forward(phi, &z, &mut x, &mut generator.tape(16)).unwrap();
        x
    };
    let x = samples(&phi);
    let v = critic_at(&critic, &game.critic_part(&theta), &x).1;
    // Least squares towards x + eps v: its gradient at phi is -2 eps E[Jᵀ v], by finite differences.
    let eps = 1e-3;
    let target = &x + &(eps * &v);
    let misfit = |phi: &Array1<f64>| (samples(phi) - &target).mapv(|r| r * r).sum() / 16.0;
    let mut analytic = Array1::zeros(phi.len());
    let mut tape = generator.tape(16);
    generator.forward(&phi, &z, &mut x.clone(), &mut tape).unwrap();
    generator.vjp(&phi, &(&v / 16.0), Some(&mut analytic), None, &mut tape).unwrap();
    for i in 0..phi.len() {
        let at = |shift: f64| {
            let mut moved = phi.clone();
            moved[i] += shift;
            misfit(&moved)
        };
        let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((slope + 2.0 * eps * analytic[i]).abs() < 1e-9, "{i}: {slope} {}", analytic[i]);
    }
    assert_eq!(pull.len(), analytic.len());
    // A step h of that flow displaces the samples by h J Jᵀ v + O(h²).
    let displaced = |h: f64| samples(&(&phi + &(h * &analytic))) - &x;
    let mut linear = x.clone();
    generator.forward(&phi, &z, &mut linear, &mut tape).unwrap();
    generator.jvp(&phi, Some(&analytic), None, &mut linear, &mut tape).unwrap();
    let gap = |h: f64| (displaced(h) - &(h * &linear)).mapv(|r| r * r).sum().sqrt();
    let ratio = gap(1e-2) / gap(5e-3);
    assert!((ratio - 4.0).abs() < 0.1, "{ratio}");
}

/// Growth of |(phi, theta)| in one step of the bilinear game phi' = -theta, theta' = phi.
fn growth<I: Integrator<[f64; 2]>>(integrator: I, h: f64) -> f64 {
    let game = field(|_t, y: &[f64; 2], dy| *dy = [-y[1], y[0]]);
    let mut y = [1.0, 0.0];
    Flow::new(game, integrator).step(h, &mut y).unwrap();
    y[0].hypot(y[1])
}

#[test]
fn the_joint_field_decides_who_spirals_in() {
    for h in [0.1f64, 0.5, 1.0] {
        let euler = (1.0 + h * h).sqrt();
        let heun = (1.0 + h.powi(4) / 4.0).sqrt();
        let rk4 = (1.0 - h.powi(6) / 72.0 + h.powi(8) / 576.0).sqrt();
        assert!((growth(Euler::new(), h) - euler).abs() < 1e-12);
        assert!((growth(Heun::new(), h) - heun).abs() < 1e-12);
        assert!((growth(Rk4::new(), h) - rk4).abs() < 1e-12 && rk4 < 1.0);
    }
}

#[test]
fn a_wasserstein_game_with_the_flow_penalty_learns_where_the_data_is() {
    let data = normal::<f32>((2000, 2), 1).mapv(|v| 0.5 * v + 2.0);
    let (generator, critic) = (Mlp::new(2, &[32], 2), Mlp::new(2, &[32, 32], 1));
    let game = Gan::new(&generator, &critic, &data, 128)
        .loss(GanLoss::Wasserstein)
        .penalty(Penalty::reflow())
        .rates(1.0, 2.0);
    let mut theta = game.init(0);
    let mut flow = Flow::new(game, Adam::default().betas(0.5, 0.9)).controller(Schedule::cosine(2000));
    flow.steps(2000, 2e-3, &mut theta).unwrap();
    let phi = flow.field().generator_part(&theta);
    let mut x = Array2::<f32>::zeros((1000, 2));
    generator.forward(&phi, &normal((1000, 2), 7), &mut x, &mut generator.tape(1000)).unwrap();
    let mean = x.mean_axis(Axis(0)).unwrap();
    assert!(mean.iter().all(|m| (m - 2.0).abs() < 0.25), "{mean}");
    let spread = x.std_axis(Axis(0), 0.0);
    assert!(spread.iter().all(|s| (0.25..0.9).contains(s)), "{spread}");
}

#[test]
fn same_seed_same_bits() {
    let data = normal::<f32>((100, 2), 1);
    let (generator, critic) = (Mlp::new(2, &[8], 2), Mlp::new(2, &[8], 1));
    let run = |seed| {
        let game = Gan::new(&generator, &critic, &data, 16).penalty(Penalty::wgan_gp(1.0)).seed(seed);
        let mut theta = game.init(0);
        Flow::new(game, Rk4::new()).steps(10, 0.05, &mut theta).unwrap();
        theta
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn bad_input_is_refused() {
    let data = normal::<f64>((10, 2), 0);
    let (generator, critic) = (Mlp::new(2, &[4], 2), Mlp::new(2, &[4], 1));
    let refuse = |generator: &Mlp, critic: &Mlp, data: &Array2<f64>, batch| {
        let game = Gan::new(generator, critic, data, batch);
        let mut theta = game.init(0);
        Flow::new(game, Euler::new()).steps(1, 0.1, &mut theta).unwrap_err()
    };
    let wide = Mlp::new(2, &[4], 2);
    assert!(matches!(refuse(&generator, &wide, &data, 5), Error::Shape { what: "the critic's output", .. }));
    let three = Mlp::new(2, &[4], 3);
    assert!(matches!(refuse(&three, &critic, &data, 5), Error::Shape { what: "the generator's output", .. }));
    assert!(matches!(refuse(&generator, &critic, &data, 11), Error::BatchTooLarge { .. }));
    assert!(matches!(refuse(&generator, &critic, &data, 0), Error::Setting { .. }));
    let game = Gan::new(&generator, &critic, &data, 5).penalty(Penalty::wgan_gp(-1.0));
    let mut theta = game.init(0);
    assert!(matches!(Flow::new(game, Euler::new()).steps(1, 0.1, &mut theta), Err(Error::Setting { .. })));
    let nan = concatenate![Axis(0), data, ndarray::array![[f64::NAN, 0.0]]];
    assert!(matches!(refuse(&generator, &critic, &nan, 5), Error::NotFinite { row: 10, .. }));
}
