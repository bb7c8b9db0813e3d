//! Step sizes that adapt themselves.

use flowfield::dataset::normal;
use flowfield::integrate::{Adam, AutoStep, EgStepSize, Euler, Geometry, Hypergradient, Integrator, Mirror};
use flowfield::{Error, Flow, VectorField, field};
use ndarray::Array1;

/// ½ Σ λᵢ yᵢ², λ from 1/κ to 1: minus its gradient, and its value.
struct Bowl {
    curvature: Vec<f64>,
    loss: f64,
    evals: usize,
}

impl Bowl {
    fn new(condition: f64) -> Self {
        let curvature = (0..20).map(|i| condition.powf(i as f64 / 19.0 - 1.0)).collect();
        Bowl { curvature, loss: 0.0, evals: 0 }
    }

    fn value(&self, y: &Array1<f64>) -> f64 {
        y.iter().zip(&self.curvature).map(|(y, c)| 0.5 * c * y * y).sum()
    }
}

impl VectorField<Array1<f64>> for Bowl {
    fn eval(&mut self, _t: f64, y: &Array1<f64>, dy: &mut Array1<f64>) {
        (self.loss, self.evals) = (self.value(y), self.evals + 1);
        dy.iter_mut().zip(y).zip(&self.curvature).for_each(|((dy, y), c)| *dy = -c * y);
    }
    fn loss(&self) -> Option<f64> {
        Some(self.loss)
    }
}

fn start(seed: u64) -> Array1<f64> {
    normal::<f64>((1, 20), seed).row(0).to_owned()
}

/// The loss after so many steps of a first size; infinite if the run diverged.
fn after<I: Integrator<Array1<f64>>>(
    method: I,
    condition: f64,
    seed: u64,
    steps: usize,
    h: f64,
) -> (f64, usize) {
    let mut y = start(seed);
    let mut flow = Flow::new(Bowl::new(condition), method);
    let outcome = flow.steps(steps, h, &mut y);
    let loss = if outcome.is_ok() { Bowl::new(condition).value(&y) } else { f64::INFINITY };
    (loss, flow.field().evals)
}

#[test]
fn rejection_recovers_from_thirteen_decades_of_first_steps() {
    for condition in [32.0, 1000.0] {
        for seed in 0..4 {
            // Gradient descent with the exact step 1/L, by as many evaluations.
            let (tuned, _) = after(Euler::new(), condition, seed, 500, 1.0);
            let mut worst: f64 = 0.0;
            for decade in -6..=6 {
                let (loss, evals) =
                    after(AutoStep::new(Euler::new()), condition, seed, 499, 10f64.powi(decade));
                assert_eq!(evals, 500);
                worst = worst.max(loss);
            }
            assert!(worst <= tuned, "condition {condition}, seed {seed}: {worst:e} against {tuned:e}");
        }
    }
}

#[test]
fn the_authors_defaults_mend_a_factor_of_ten_and_not_a_thousand() {
    let momentum = 0.9;
    let run = |eta: f64| after(EgStepSize::default(), 32.0, 0, 2000, eta * (1.0 - momentum)).0;
    for eta in [1e-3, 1e-2, 0.1, 1.0, 10.0] {
        assert!(run(eta) < 1e-15, "{eta}: {:e}", run(eta));
    }
    assert!(run(100.0) > 1e3 && run(1000.0) > 1e3, "{:e}, {:e}", run(100.0), run(1000.0));
}

#[test]
fn fixed_steps_and_hypergradients_do_not_recover_from_steps_that_are_too_large() {
    for eta in [10.0, 100.0, 1000.0] {
        let fixed = after(Euler::new(), 32.0, 0, 2000, eta).0;
        let adapted = after(Hypergradient::new(1e-3), 32.0, 0, 2000, eta).0;
        let lost = |loss: f64| loss.is_nan() || loss >= 1e10;
        assert!(lost(fixed) && lost(adapted), "{eta}: {fixed:e}, {adapted:e}");
    }
}

#[test]
fn fast_scales_between_wide_bounds_recover_over_six_decades_by_way_of_a_peak() {
    for decade in -3..=3 {
        let mut method = EgStepSize::default();
        (method.scale_rate, method.gain_rate, method.momentum) = (0.2, 0.0, 0.0);
        method.scale_bounds = (1e-6, 1e6);
        let (loss, _) = after(method.clone(), 32.0, 0, 2000, 10f64.powi(decade));
        assert!(loss < 1e-3, "1e{decade}: {loss:e}");
        if decade == 3 {
            let worst = (1..10).map(|k| after(method.clone(), 32.0, 0, k, 1e3).0).fold(0.0, f64::max);
            assert!(worst > 1e6, "{worst:e}");
        }
    }
}

#[test]
fn exponentiated_gradient_on_a_linear_loss_is_the_softmax_of_what_has_been_lost() {
    let (n, eta, steps) = (50, 0.1, 1000);
    let costs = normal::<f64>((1, n), 3).row(0).to_owned();
    let down = || field(|_t, _x: &Array1<f64>, f: &mut Array1<f64>| f.assign(&(-&costs)));
    let mut x = Array1::from_elem(n, 1.0 / n as f64);
    Flow::new(down(), Mirror::new(Geometry::Simplex)).steps(steps, eta, &mut x).unwrap();
    let least = costs.iter().copied().fold(f64::MAX, f64::min);
    let weights = costs.mapv(|c| (-eta * steps as f64 * (c - least)).exp());
    let softmax = &weights / weights.sum();
    assert!((&x - &softmax).iter().all(|d| d.abs() < 1e-14) && (x.sum() - 1.0).abs() < 1e-15);
    // Not normalised: ln x is linear in the number of steps.
    let mut x = Array1::from_elem(n, 0.5);
    Flow::new(down(), Mirror::new(Geometry::Entropy)).steps(100, eta, &mut x).unwrap();
    let gap = x.iter().zip(&costs).map(|(x, c)| (x.ln() - (0.5f64.ln() - 100.0 * eta * c)).abs());
    assert!(gap.fold(0.0, f64::max) < 1e-11);
    // And the regret against the best coordinate stays below √(T ln n / 2) for losses in [0, 1].
    let rounds = 2000;
    let losses = normal::<f64>((rounds, n), 4).mapv(|v| 0.5 + 0.5 * v.sin());
    let rate = (8.0 * (n as f64).ln() / rounds as f64).sqrt();
    let mut x = Array1::from_elem(n, 1.0 / n as f64);
    let (mut paid, mut round) = (0.0, 0);
    let adversary = field(|_t, x: &Array1<f64>, f: &mut Array1<f64>| {
        paid += x.dot(&losses.row(round));
        f.assign(&losses.row(round).mapv(|l| -l));
        round += 1;
    });
    Flow::new(adversary, Mirror::new(Geometry::Simplex)).steps(rounds, rate, &mut x).unwrap();
    let best = losses.columns().into_iter().map(|c| c.sum()).fold(f64::MAX, f64::min);
    let bound = (rounds as f64 * (n as f64).ln() / 2.0).sqrt();
    assert!(paid - best < bound, "{} above {bound}", paid - best);
}

#[test]
fn hypergradients_speed_a_slow_start_up() {
    let fixed = after(Euler::new(), 32.0, 0, 2000, 1e-3).0;
    let adapted = after(Hypergradient::new(1e-3), 32.0, 0, 2000, 1e-3).0;
    assert!(fixed > 0.1 && adapted < 1e-5, "{fixed:e}, {adapted:e}");
}

#[test]
fn a_step_taken_back_leaves_the_state_and_the_loss_never_rises() {
    let mut flow = Flow::new(Bowl::new(32.0), AutoStep::new(Adam::default()));
    let mut y = start(1);
    let mut loss = flow.field().value(&y);
    for _ in 0..300 {
        let before = y.clone();
        let rejected = flow.integrator().rejected();
        flow.step(1e3, &mut y).unwrap();
        let now = flow.field().value(&y);
        assert!(now <= loss);
        assert_eq!(flow.integrator().rejected() > rejected, y == before);
        loss = now;
    }
    assert!(flow.integrator().rejected() > 5 && loss < 1e-2);
}

#[test]
fn bad_settings_and_fields_without_a_loss_are_refused() {
    let bowl = || Bowl::new(32.0);
    let mut y = start(0);
    for rate in [0.0, -1.0, f64::NAN, 2.0] {
        let refused = Flow::new(bowl(), AutoStep::new(Euler::new()).rate(rate)).steps(1, 1.0, &mut y);
        assert!(matches!(refused, Err(Error::Setting { .. })));
    }
    let refused = Flow::new(bowl(), Hypergradient::new(-1.0)).steps(1, 1.0, &mut y);
    assert!(matches!(refused, Err(Error::Setting { .. })));
    let mut eg = EgStepSize::default();
    eg.scale_bounds = (1.0, 0.1);
    assert!(matches!(Flow::new(bowl(), eg).steps(1, 1.0, &mut y), Err(Error::Setting { .. })));
    let silent = |_t: f64, y: &Array1<f64>, dy: &mut Array1<f64>| dy.assign(y);
    let refused = Flow::new(silent, AutoStep::new(Euler::new())).steps(1, 1.0, &mut y);
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}
