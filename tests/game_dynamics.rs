//! How integrators behave in games: growth of a step on the bilinear and the Dirac GAN, players in turn, spectra.

use flowfield::dataset::eight_gaussians;
use flowfield::game::{Gan, GanLoss, Regulariser, amplification, spectrum};
use flowfield::integrate::{
    Adam, Alternating, Euler, Extragradient, Heun, Integrator, Midpoint, Optimistic, Player, Rk4, RmsProp,
};
use flowfield::nn::Mlp;
use flowfield::{Error, Flow, Result, VectorField, field};
use ndarray::{Array1, array};
use num_complex::Complex64;

/// The bilinear game min over theta, max over phi of theta phi, as (phi, theta).
fn bilinear() -> impl VectorField<Array1<f64>> {
    field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
        dy[0] = y[1];
        dy[1] = -y[0];
    })
}

/// |(phi, theta)| after so many steps from (1, 0).
fn radius<I: Integrator<Array1<f64>>>(integrator: I, h: f64, steps: usize) -> f64 {
    let mut y = array![1.0, 0.0];
    Flow::new(bilinear(), integrator).steps(steps, h, &mut y).unwrap();
    y[0].hypot(y[1])
}

type Growth = fn(f64) -> f64;
type Amplifier = fn(Complex64) -> Result<f64>;

#[test]
fn the_joint_field_decides_who_spirals_in() {
    let simultaneous: Growth = |h| (1.0 + h * h).sqrt();
    let second_order: Growth = |h| (1.0 + h.powi(4) / 4.0).sqrt();
    let fourth_order: Growth = |h| (1.0 - h.powi(6) / 72.0 + h.powi(8) / 576.0).sqrt();
    let extragradient: Growth = |h| (1.0 - h * h + h.powi(4)).sqrt();
    let list: [(Amplifier, Growth); 5] = [
        (|z| amplification(Euler::new(), z), simultaneous),
        (|z| amplification(Heun::new(), z), second_order),
        (|z| amplification(Midpoint::new(), z), second_order),
        (|z| amplification(Rk4::new(), z), fourth_order),
        (|z| amplification(Extragradient::new(), z), extragradient),
    ];
    for h in [0.1f64, 0.5, 1.0] {
        for (step, growth) in list {
            let got = step(Complex64::new(0.0, h)).unwrap();
            assert!((got - growth(h)).abs() < 1e-12, "{h}: {got}");
        }
    }
    // What integrates one player at a time with the other frozen is Euler's method here, whatever its stages.
    assert!((radius(Euler::new(), 0.1, 100) - 1.64463).abs() < 1e-5);
    assert!((radius(Rk4::new(), 0.1, 100) - 0.999_999_3).abs() < 1e-7);
}

#[test]
fn players_in_turn_stay_bounded_and_optimists_come_home() {
    let turns = || Alternating::new([Player::new(0..1, Euler::new()), Player::new(1..2, Euler::new())]);
    // Determinant 1, trace 2 - h²: an ellipse for h < 2.
    for h in [0.1, 0.5, 1.5] {
        assert!(radius(turns(), h, 20_000) < 1.0 / (1.0 - h / 2.0_f64).sqrt() + 0.5, "{h}");
    }
    assert!(radius(turns(), 2.1, 2_000) > 1e6);
    // The roots of λ² - (1 + 2 i h) λ + i h: 0.995, 0.995 and 1.057 at 0.1, 0.57 and 0.6.
    assert!(radius(Optimistic::default(), 0.1, 2_000) < 1e-3);
    assert!(radius(Optimistic::default(), 0.57, 2_000) < 1e-3);
    assert!(radius(Optimistic::default(), 0.6, 2_000) > 1e6);
    assert!(radius(Extragradient::new(), 0.9, 2_000) < 1e-6);
}

#[test]
fn alternation_is_what_it_says() {
    // Three turns of the first player, then one of the second at half the step.
    let turns = Alternating::new([
        Player::new(0..1, Euler::new()).turns(3),
        Player::new(1..3, Euler::new()).rate(0.5),
    ]);
    assert_eq!(turns.round(), 4);
    let game = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
        *dy = array![y[1] + 1.0, -y[0], 2.0 * y[0]];
    });
    let mut y = array![0.0, 1.0, 0.0];
    let mut flow = Flow::new(game, turns);
    flow.steps(3, 0.1, &mut y).unwrap();
    assert!((y[0] - 0.6).abs() < 1e-15 && y[1] == 1.0 && y[2] == 0.0);
    flow.steps(1, 0.1, &mut y).unwrap();
    assert!((y[1] - 0.97).abs() < 1e-15 && (y[2] - 0.06).abs() < 1e-15 && (y[0] - 0.6).abs() < 1e-15);
    flow.steps(1, 0.1, &mut y).unwrap();
    assert!((y[0] - 0.797).abs() < 1e-15);
    assert_eq!(flow.stats().evals, 5);
}

#[test]
fn each_player_has_a_memory_of_its_own() {
    // Two players that do not see each other: in turn or alone, the same steps.
    let bowls = || {
        field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
            dy.iter_mut().zip(y).enumerate().for_each(|(k, (d, y))| *d = -(1.0 + k as f64) * y);
        })
    };
    let start = array![1.0, 2.0, 3.0];
    let mut turns = start.clone();
    let players = [Player::new(0..1, Adam::default()), Player::new(1..3, Adam::default()).turns(2)];
    Flow::new(bowls(), Alternating::new(players)).steps(30, 0.1, &mut turns).unwrap();
    let (mut ten, mut twenty) = (start.clone(), start);
    Flow::new(bowls(), Adam::default()).steps(10, 0.1, &mut ten).unwrap();
    Flow::new(bowls(), Adam::default()).steps(20, 0.1, &mut twenty).unwrap();
    assert_eq!(turns, array![ten[0], twenty[1], twenty[2]]);
}

#[test]
fn players_that_make_no_sense_are_refused() {
    let euler = || Player::new(0..1, Euler::new());
    let refuse = |players: Vec<Player<Euler<Array1<f64>>>>| {
        Flow::new(bilinear(), Alternating::new(players)).steps(1, 0.1, &mut array![1.0, 0.0]).unwrap_err()
    };
    assert!(matches!(refuse(vec![]), Error::Empty { .. }));
    assert!(matches!(refuse(vec![euler().turns(0)]), Error::Empty { .. }));
    for bad in [
        vec![Player::new(1..3, Euler::new())],
        vec![Player::new(1..1, Euler::new())],
        vec![euler(), euler()],
        vec![euler().rate(-1.0)],
    ] {
        assert!(matches!(refuse(bad), Error::Setting { .. }));
    }
}

#[test]
fn rms_prop_is_its_formula() {
    let bowl = field(|_t, y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = -2.0 * y[0]);
    let mut y = [1.0];
    Flow::new(bowl, RmsProp::default().beta(0.9).eps(1e-3)).steps(2, 0.1, &mut y).unwrap();
    let first = 1.0 - 0.1 * 2.0 / (0.4_f64.sqrt() + 1e-3);
    let v = 0.9 * 0.4 + 0.1 * 4.0 * first * first;
    let second = first - 0.1 * 2.0 * first / (v.sqrt() + 1e-3);
    assert!((y[0] - second).abs() < 1e-15);
}

/// The Dirac GAN: data at 0, one sample at theta, critic phi x; with a penalty `lambda phi²` on its slope.
fn dirac(loss: GanLoss, lambda: f64) -> impl VectorField<Array1<f64>> {
    field(move |_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
        let (phi, theta) = (y[0], y[1]);
        let d = phi * theta;
        dy[0] = loss.on_fake(d)[1] * theta - 2.0 * lambda * phi;
        dy[1] = loss.for_generator(d)[1] * phi;
    })
}

#[test]
fn spectra_of_dirac_gans() {
    let at_rest = array![0.0, 0.0];
    // Of two conjugates either comes first.
    let near = |got: Complex64, want: Complex64| (Complex64::new(got.re, got.im.abs()) - want).norm() < 1e-6;
    let i = Complex64::I;
    for lambda in [0.0, 0.3, 0.5, 0.9] {
        // μ² + 2 λ μ + 1 = 0.
        let got = spectrum(&mut dirac(GanLoss::Wasserstein, lambda), &at_rest, 2, 0).unwrap();
        let want = -lambda + i * (1.0 - lambda * lambda).sqrt();
        assert!(near(got[0], want) && near(got[1], want), "{lambda}: {got:?}");
    }
    for loss in [GanLoss::NonSaturating, GanLoss::Saturating] {
        // theta″ = -theta/4 near 0: a period of 4π.
        let got = spectrum(&mut dirac(loss, 0.0), &at_rest, 2, 0).unwrap();
        assert!(near(got[0], 0.5 * i), "{got:?}");
    }
    // With the flow penalty Euler is stable for steps below 1, and RK4 beyond 2.
    let mu = spectrum(&mut dirac(GanLoss::Wasserstein, 0.5), &at_rest, 2, 0).unwrap()[0];
    assert!(amplification(Euler::new(), 0.99 * mu).unwrap() < 1.0);
    assert!(amplification(Euler::new(), 1.01 * mu).unwrap() > 1.0);
    assert!(amplification(Rk4::new(), 2.5 * mu).unwrap() < 1.0);
    // The decay of the flow itself: e^{-s/2}.
    let mut y = array![1.0, 0.0];
    Flow::new(dirac(GanLoss::Wasserstein, 0.5), Rk4::new()).steps(400, 0.1, &mut y).unwrap();
    assert!(y[0].hypot(y[1]) < 2.0 * (-20.0_f64).exp());
}

#[test]
fn consensus_moves_the_spectrum_to_the_left() {
    // Between linear players the Wasserstein game is bilinear: μ = ± i σ, and -γ σ² ± i σ with the consensus regulariser.
    let data = eight_gaussians::<f64>(100, 1.5, 0.1, 0);
    let (generator, critic) = (Mlp::new(2, &[], 2), Mlp::new(2, &[], 1));
    let game = || Gan::new(&generator, &critic, &data, 50).loss(GanLoss::Wasserstein);
    let largest = |mut game: Gan<'_, Mlp, Mlp, f64>| {
        let theta = game.init(4);
        game.redraw();
        let mu = spectrum(&mut game, &theta, theta.len(), 0).unwrap()[0];
        Complex64::new(mu.re, mu.im.abs())
    };
    let plain = largest(game());
    assert!(plain.re.abs() < 1e-6 && plain.im > 0.9, "{plain}");
    let gamma = 0.3;
    let consensus = largest(game().regulariser(Regulariser::Consensus(gamma)));
    let want = Complex64::new(-gamma * plain.im * plain.im, plain.im);
    assert!((consensus - want).norm() < 1e-6, "{consensus} {want}");
    // Euler's step spirals out of the one and into the other.
    assert!(amplification(Euler::new(), 0.2 * plain).unwrap() > 1.0);
    assert!(amplification(Euler::new(), 0.2 * consensus).unwrap() < 1.0);
}

#[test]
fn arnoldi_finds_the_rim_of_a_large_spectrum() {
    // Rotations of angular velocity 1..50 with damping 0.1 k: eigenvalues -0.1 k ± i k.
    let mut rotations = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
        for k in 0..50 {
            let w = 1.0 + k as f64;
            dy[2 * k] = -0.1 * w * y[2 * k] - w * y[2 * k + 1];
            dy[2 * k + 1] = w * y[2 * k] - 0.1 * w * y[2 * k + 1];
        }
    });
    let got = spectrum(&mut rotations, &Array1::zeros(100), 40, 3).unwrap();
    let want = Complex64::new(-5.0, 50.0);
    assert!((got[0] - want).norm() < 0.05 && (got[1] - want.conj()).norm() < 0.05, "{:?}", &got[..4]);
    assert_eq!(got, spectrum(&mut rotations, &Array1::zeros(100), 40, 3).unwrap());
    let all = spectrum(&mut rotations, &Array1::zeros(100), 500, 3).unwrap();
    assert!(all.len() == 100 && (all[99].norm() - 1.01_f64.sqrt()).abs() < 1e-6, "{}", all[99]);
    let mut hole = field(|_t, _y: &Array1<f64>, dy: &mut Array1<f64>| dy.fill(f64::NAN));
    assert!(matches!(spectrum(&mut hole, &array![1.0], 1, 0), Err(Error::FieldNotFinite { .. })));
}
