//! Step sizes that adapt themselves.

use flowfield::dataset::normal;
use flowfield::integrate::{Adam, AutoStep, EgStepSize, Euler, Hypergradient, Integrator};
use flowfield::{Error, Flow, VectorField};
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
    assert!(run(1000.0) > 1e3);
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
