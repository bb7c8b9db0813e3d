//! The field of a GAN: each player's gradient, with penalties and regularisers; training, reproducibility, bad input.

use flowfield::dataset::{eight_gaussians, normal};
use flowfield::game::{Estimator, Gan, GanLoss, Penalty, PenaltyPoints, Regulariser};
use flowfield::integrate::{Adam, Clamped, Ema, Euler, Rk4, Schedule};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Error, Flow, ParameterFlow, VectorField};
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

/// Compares a game's field with difference quotients of what `loss` says of each player, at some parameters.
fn assert_descends(
    game: &mut Gan<'_, Mlp, Mlp, f64>,
    theta: &Array1<f64>,
    what: &str,
    loss: impl Fn(&mut Gan<'_, Mlp, Mlp, f64>, &Array1<f64>, usize) -> f64,
) {
    let mut field = theta.clone();
    game.eval(0.0, theta, &mut field);
    let split = game.generator().end;
    for i in [0, 5, split - 1, split, split + 9, split + 30, theta.len() - 2] {
        let mut at = |shift: f64| {
            let mut moved = theta.clone();
            moved[i] += shift;
            loss(game, &moved, usize::from(i >= split))
        };
        let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        let error = (field[i] + slope).abs();
        assert!(error < 2e-6 * (1.0 + slope.abs()), "{what} {i}: {} {}", field[i], -slope);
    }
}

/// A player's loss.
fn own_loss(game: &mut Gan<'_, Mlp, Mlp, f64>, theta: &Array1<f64>, player: usize) -> f64 {
    game.eval(0.0, theta, &mut theta.clone());
    game.losses()[player]
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
            // Fakes depend on the generator, so R2 and interpolation points move with it: only its own loss counts.
            assert_descends(&mut game, &theta, &format!("{loss:?} {penalty:?}"), own_loss);
        }
    }
}

#[test]
fn two_penalties_and_the_line_estimator_are_gradients_too() {
    let (generator, critic) = players();
    let data = eight_gaussians::<f64>(20, 1.5, 0.1, 0);
    let new = || Gan::new(&generator, &critic, &data, 8).loss(GanLoss::Wasserstein);
    let r1 = Penalty::zero_centred(PenaltyPoints::Real, 0.7);
    let r2 = Penalty::zero_centred(PenaltyPoints::Fake, 0.3);
    let line = || new().estimator(Estimator::Line);
    for (what, mut game) in [
        ("R1 and R2", new().penalty(r1).and_penalty(r2)),
        ("line", line()),
        ("line, reflow", line().penalty(Penalty::reflow())),
        ("line, two", line().penalty(Penalty::wgan_gp(2.0)).and_penalty(Penalty::reflow())),
    ] {
        let theta = game.init(3);
        game.redraw();
        assert_descends(&mut game, &theta, what, own_loss);
    }
}

#[test]
fn ode_gan_adds_the_norm_of_the_generators_gradient_to_the_critics_loss() {
    let (generator, critic) = players();
    let data = eight_gaussians::<f64>(20, 1.5, 0.1, 0);
    for loss in GanLoss::ALL {
        let plain = || Gan::new(&generator, &critic, &data, 8).loss(loss).penalty(Penalty::wgan_gp(0.5));
        let lambda = 0.7;
        let mut game = plain().regulariser(Regulariser::OdeGan(lambda));
        let theta = game.init(3);
        game.redraw();
        let mut reference = plain();
        reference.redraw();
        let reference = std::cell::RefCell::new(reference);
        assert_descends(&mut game, &theta, &format!("{loss:?}"), |_, theta, player| {
            let mut game = reference.borrow_mut();
            let mut field = theta.clone();
            game.eval(0.0, theta, &mut field);
            let p = game.generator_part(&field);
            game.losses()[player] + if player == 1 { lambda * p.dot(&p) } else { 0.0 }
        });
    }
}

#[test]
fn consensus_adds_the_norm_of_the_whole_field_to_both_losses() {
    let (generator, critic) = players();
    let data = eight_gaussians::<f64>(20, 1.5, 0.1, 0);
    for loss in GanLoss::ALL {
        let gamma = 0.4;
        let mut game =
            Gan::new(&generator, &critic, &data, 8).loss(loss).regulariser(Regulariser::Consensus(gamma));
        let theta = game.init(3);
        game.redraw();
        let mut reference = Gan::new(&generator, &critic, &data, 8).loss(loss);
        reference.redraw();
        let reference = std::cell::RefCell::new(reference);
        assert_descends(&mut game, &theta, &format!("{loss:?}"), |_, theta, player| {
            let mut game = reference.borrow_mut();
            let mut field = theta.clone();
            game.eval(0.0, theta, &mut field);
            game.losses()[player] + 0.5 * gamma * field.dot(&field)
        });
    }
}

#[test]
fn a_part_of_the_field_is_that_part() {
    let (generator, critic) = players();
    let data = eight_gaussians::<f64>(20, 1.5, 0.1, 0);
    for loss in GanLoss::ALL {
        let penalised =
            Gan::new(&generator, &critic, &data, 8).loss(loss).penalty(Penalty::wgan_gp(1.0)).rates(0.5, 2.0);
        let regularised =
            Gan::new(&generator, &critic, &data, 8).loss(loss).regulariser(Regulariser::Consensus(0.1));
        for mut game in [penalised, regularised] {
            let theta = game.init(1);
            game.redraw();
            let mut whole = theta.clone();
            game.eval(0.0, &theta, &mut whole);
            for part in [game.generator(), game.critic()] {
                let mut half = Array1::from_elem(theta.len(), 7.0);
                game.eval_part(part.clone(), 0.0, &theta, &mut half);
                let gap = &half.slice(s![part.clone()]) - &whole.slice(s![part]);
                assert!(gap.iter().all(|g| g.abs() < 1e-15), "{loss:?}");
            }
        }
    }
}

#[test]
fn penalties_agree_with_pytorchs_double_backward() {
    // Value, seven parts of the gradient and its l1 norm; made by tests/data/gradient_penalty.py.
    let fixture = [
        (
            Activation::Tanh,
            "wgan_gp(10)",
            [
                3.26505514932e+00, -1.34818099599e+00, 1.41435522804e+00, -3.26560990404e-01,
                6.22890774352e-01, -5.15990800162e-01, 8.64585965598e-01, 3.05924851009e+01,
            ],
        ),
        (
            Activation::Tanh,
            "zero_centred(0.5)",
            [
                1.07625102893e-01, 8.08822234524e-02, -8.66716294637e-02, 3.86198479330e-02,
                -4.51336624691e-02, 2.59726972072e-02, -4.29219527228e-02, 1.68694342390e+00,
            ],
        ),
        (
            Activation::Tanh,
            "wgan_div(2, 6)",
            [
                3.04190962557e-02, 8.05613258641e-02, -8.80508694947e-02, 4.54860635211e-02,
                -4.66682113006e-02, 2.10766234930e-02, -3.36499469498e-02, 1.57947788332e+00,
            ],
        ),
        (
            Activation::Silu,
            "wgan_gp(10)",
            [
                6.13007509061e+00, -1.96860092410e+00, 1.37516955416e+00, -7.29978899687e-01,
                4.95154557339e-01, -2.92472066147e-01, 2.95902612597e-01, 3.25606679676e+01,
            ],
        ),
        (
            Activation::Silu,
            "zero_centred(0.5)",
            [
                2.37742784111e-02, 2.87255350117e-02, -1.81867182866e-02, 1.00519058203e-02,
                -6.10985121211e-03, 3.63330110285e-03, -3.62791650524e-03, 4.54619694053e-01,
            ],
        ),
        (
            Activation::Silu,
            "wgan_div(2, 6)",
            [
                2.33222527454e-04, 9.47452446421e-04, -4.42917538399e-04, 2.78320123975e-04,
                -1.05234161717e-04, 6.90786972040e-05, -6.62555921130e-05, 1.32496798787e-02,
            ],
        ),
        (
            Activation::Relu,
            "wgan_gp(10)",
            [
                6.59019880632e+00, -2.15434487221e+00, 1.27249450685e+00, 0.00000000000e+00,
                1.59571278646e+00, 0.00000000000e+00, 0.00000000000e+00, 2.35813475267e+01,
            ],
        ),
        (
            Activation::Relu,
            "zero_centred(0.5)",
            [
                1.84245672813e-02, 2.60486363188e-02, -1.22866055931e-02, 0.00000000000e+00,
                -1.53973690233e-02, 0.00000000000e+00, 0.00000000000e+00, 2.80417452441e-01,
            ],
        ),
        (
            Activation::Relu,
            "wgan_div(2, 6)",
            [
                1.40107695741e-04, 5.93329607571e-04, -1.04624829252e-04, 0.00000000000e+00,
                -1.30807963179e-04, 0.00000000000e+00, 0.00000000000e+00, 6.07894865722e-03,
            ],
        ),
    ];
    for (activation, name, want) in fixture {
        let penalty = match name {
            "wgan_gp(10)" => Penalty::wgan_gp(10.0),
            "zero_centred(0.5)" => Penalty::reflow(),
            _ => Penalty::wgan_div(2.0, 6.0),
        };
        let critic = Mlp::new(2, &[4, 3], 1).activation(activation);
        let theta = Array1::from_shape_fn(critic.n_params(), |k| 0.6 * (1.7 * k as f64 + 0.4).sin());
        let x = Array2::from_shape_fn((5, 2), |(i, j)| {
            let i = i as f64;
            if j == 0 { i.cos() } else { (2.0 * i + 1.0).sin() }
        });
        let part = |_: usize, v: &[f64], bar: &mut [f64]| {
            let rows = v.chunks_exact(2).zip(bar.chunks_exact_mut(2));
            let values = rows.map(|(v, bar)| {
                let n = v[0].hypot(v[1]);
                let (value, slope) = penalty.value_and_slope(n);
                bar.iter_mut().zip(v).for_each(|(bar, v)| *bar = slope * v / n / 5.0);
                value / 5.0
            });
            values.sum::<f64>()
        };
        let mut g = Array1::zeros(theta.len());
        let value = critic.slope_gradient(&theta, &x, part, &mut g, &mut critic.tape(5)).unwrap();
        let norm = g.iter().map(|g: &f64| g.abs()).sum();
        let got = [value, g[0], g[7], g[9], g[14], g[25], g[28], norm];
        let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs() / (1e-3 + b.abs())).fold(0.0, f64::max);
        assert!(worst < 1e-9, "{activation:?} {name}: {worst:e}");
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
fn the_number_of_threads_does_not_matter() {
    let data = normal::<f32>((600, 2), 1);
    let (generator, critic) = (Mlp::new(2, &[128, 128], 2), Mlp::new(2, &[128, 128], 1));
    let run = || {
        let game = Gan::new(&generator, &critic, &data, 600).penalty(Penalty::wgan_gp(1.0));
        let mut theta = game.init(0);
        Flow::new(game, Adam::default()).steps(3, 1e-3, &mut theta).unwrap();
        theta
    };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let [one, two, five] = [1, 2, 5].map(|threads| pool(threads).install(run));
    assert!(one == two && one == five);
}

#[test]
fn clipped_critics_and_averaged_generators() {
    let data = normal::<f32>((200, 2), 1);
    let (generator, critic) = (Mlp::new(2, &[8], 2), Mlp::new(2, &[8], 1));
    let game = Gan::new(&generator, &critic, &data, 32).loss(GanLoss::Wasserstein);
    let (mut theta, part) = (game.init(0), game.critic());
    let clipped = Clamped::new(Adam::default(), part.clone(), 0.05);
    let mut flow = Flow::new(game, Ema::new(clipped, 0.9));
    flow.steps(40, 1e-2, &mut theta).unwrap();
    let most = theta.slice(s![part]).iter().fold(0.0_f32, |m, w| m.max(w.abs()));
    assert!(most <= 0.05 && theta.iter().any(|w| w.abs() > 0.05));
    let average = flow.integrator().average().unwrap();
    assert_eq!(flow.field().generator_part(average).len(), generator.n_params());
    assert_ne!(average, theta);
}

#[test]
fn a_game_that_diverges_says_so_and_keeps_the_last_good_parameters() {
    let data = normal::<f32>((100, 2), 1);
    let (generator, critic) = (Mlp::new(2, &[8], 2), Mlp::new(2, &[8], 1));
    let game = Gan::new(&generator, &critic, &data, 16).loss(GanLoss::Wasserstein);
    let mut theta = game.init(0);
    let outcome = Flow::new(game, Euler::new()).steps(10_000, 30.0, &mut theta);
    let Err(Error::Diverged { step, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(step > 0 && theta.iter().all(|w| w.is_finite()));
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
    let unsupported = |game: Gan<'_, Mlp, Mlp, f64>| {
        let mut theta = game.init(0);
        let before = theta.clone();
        let error = Flow::new(game, Euler::new()).steps(1, 0.1, &mut theta).unwrap_err();
        assert_eq!(theta, before);
        error
    };
    let new = || Gan::new(&generator, &critic, &data, 5).loss(GanLoss::Wasserstein);
    let r1 = Penalty::zero_centred(PenaltyPoints::Real, 1.0);
    for game in [
        new().loss(GanLoss::Hinge).estimator(Estimator::Line),
        new().estimator(Estimator::Line).penalty(r1),
        new().penalty(r1).regulariser(Regulariser::Consensus(1.0)),
    ] {
        assert!(matches!(unsupported(game), Error::Unsupported { .. }));
    }
    for game in [
        new().regulariser(Regulariser::OdeGan(-1.0)),
        new().regulariser(Regulariser::Consensus(f64::NAN)),
        new().penalty(r1).and_penalty(Penalty::wgan_div(1.0, 0.5)),
        new().rates(1.0, f64::INFINITY),
    ] {
        assert!(matches!(unsupported(game), Error::Setting { .. }));
    }
    let deep = Mlp::new(3, &[4], 1);
    assert!(matches!(refuse(&generator, &deep, &data, 5), Error::Shape { what: "the critic's input", .. }));
    let nan = concatenate![Axis(0), data, ndarray::array![[f64::NAN, 0.0]]];
    assert!(matches!(refuse(&generator, &critic, &nan, 5), Error::NotFinite { row: 10, .. }));
}
