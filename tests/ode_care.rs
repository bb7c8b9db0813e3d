//! Corners in which a solver can go wrong quietly.

use std::ops::ControlFlow;

use flowfield::integrate::*;
use flowfield::{Error, Event, Flow, VectorField, field};
use ndarray::{Array2, array};

fn growth<F: flowfield::Real>() -> impl VectorField<[F; 1]> {
    field(|_t, y: &[F; 1], dy: &mut [F; 1]| dy[0] = y[0])
}

#[test]
fn the_state_moves_by_as_much_as_the_rounded_time() {
    // In single precision 100,000 steps of 0.001 do not sum to 100: the state must follow the clock all the same.
    let f = field(|_t, y: &[f32; 1], dy: &mut [f32; 1]| dy[0] = 0.1 * y[0]);
    let sol = Flow::new(f, Rk4::new()).fixed_step(0.001).save_last().solve(0.0, 100.0, [1.0]).unwrap();
    let relative = sol.y_end()[0] / 10f32.exp() - 1.0;
    assert!(relative.abs() < 2e-3, "{relative}");
    // A step that the time cannot resolve is refused, not taken a million times.
    let e = Flow::new(f, Rk4::new()).fixed_step(0.01).solve(1e6, 1e6 + 10.0, [0.0]).unwrap_err();
    assert!(matches!(e.error, Error::StepUnderflow { .. }), "{}", e.error);
}

#[test]
fn a_change_before_the_first_step_is_seen() {
    let mut flow = Flow::new(growth(), Tsit5::new()).tol(1e-10);
    let mut run = flow.stepper(0.0, 1.0, [1.0]).unwrap();
    run.y_mut()[0] = 5.0;
    while run.advance().unwrap() {}
    assert!((run.y()[0] - 5.0 * 1f64.exp()).abs() < 1e-7);
}

#[test]
fn a_change_by_the_caller_is_no_event() {
    let still = field(|_t, _y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = 0.1);
    let mut flow = Flow::new(still, Tsit5::new()).event(Event::when(|_t, y: &[f64; 1]| y[0])).max_step(0.5);
    let mut run = flow.stepper(0.0, 2.0, [-1.0]).unwrap();
    run.advance().unwrap();
    run.y_mut()[0] = 1.0;
    while run.advance().unwrap() {}
    assert!(run.events().is_empty());
}

#[test]
fn a_field_that_assigns_a_transpose_is_read_by_its_indices() {
    let swap = || field(|_t, y: &Array2<f64>, dy: &mut Array2<f64>| *dy = y.t().to_owned());
    let start = array![[1.0, 2.0], [3.0, 4.0]];
    let exact = |t: f64| &start * t.cosh() + &start.t() * t.sinh();
    let close = |y: &Array2<f64>| (y - &exact(1.0)).iter().all(|d| d.abs() < 1e-6);
    assert!(close(Flow::new(swap(), Tsit5::new()).tol(1e-9).solve(0.0, 1.0, start.clone()).unwrap().y_end()));
    let mut y = start.clone();
    Flow::new(swap(), CarpenterKennedy2N::new()).steps(100, 0.01, &mut y).unwrap();
    assert!(close(&y), "{y}");
    let wrong = field(|_t, _y: &Array2<f64>, dy: &mut Array2<f64>| *dy = Array2::zeros((1, 3)));
    assert!(Flow::new(wrong, Tsit5::new()).solve(0.0, 1.0, start).is_err());
}

#[test]
fn a_component_at_zero_without_absolute_tolerance_starts_all_the_same() {
    let f = field(|_t, y: &[f64; 2], dy: &mut [f64; 2]| *dy = [y[1], -y[0]]);
    let sol =
        Flow::new(f, Tsit5::new()).rtol(1e-6).atol(0.0).max_steps(5000).solve(0.0, 1.0, [1.0, 0.0]).unwrap();
    assert!((sol.y_end()[0] - 1f64.cos()).abs() < 1e-4);
}

#[test]
fn a_stopped_run_keeps_the_step_it_was_stopped_after() {
    let stop = |p: &flowfield::Progress<'_, [f64; 1]>| {
        if p.step == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let failure = Flow::new(growth(), Tsit5::new()).dense().on_step(stop).solve(0.0, 9.0, [1.0]).unwrap_err();
    assert!(matches!(failure.error, Error::Stopped { .. }));
    assert_eq!(failure.partial.t.last(), Some(&failure.t));
    let middle = 0.5 * (failure.partial.t[2] + failure.partial.t[3]);
    assert!((failure.partial.at(middle).unwrap()[0] / middle.exp() - 1.0).abs() < 1e-4);
}

#[test]
fn smooth_controllers_do_not_let_a_large_error_pass() {
    // Quiet for a long time, then a pulse: the filters' memory must not carry them over it.
    let pulse =
        || field(|t: f64, _y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = (-((t - 50.0) / 0.5).powi(2)).exp());
    for controller in [control::Pid::h211(), control::Pid::h312(), control::Pid::pi42()] {
        let mut flow = Flow::new(pulse(), Tsit5::new()).tol(1e-8).max_step(2.0).controller(controller);
        let end = flow.solve(0.0, 100.0, [0.0]).unwrap().y_end()[0];
        assert!((end - 0.5 * std::f64::consts::PI.sqrt()).abs() < 1e-5, "{end}");
    }
}

#[test]
fn one_flow_serves_steps_and_solves_of_different_sizes() {
    let f = field(|_t, y: &ndarray::Array1<f64>, dy: &mut ndarray::Array1<f64>| dy.assign(y));
    let mut flow = Flow::new(f, Tsit5::new());
    let mut y = ndarray::Array1::ones(5);
    flow.steps(5, 0.1, &mut y).unwrap();
    flow.solve(0.0, 1.0, ndarray::Array1::ones(3)).unwrap();
    flow.steps(5, 0.1, &mut y).unwrap();
    assert!((y[4] - 1f64.exp()).abs() < 1e-6);
}

#[test]
fn tolerance_lists_are_checked_for_fixed_steps_too() {
    let f = field(|_t, y: &[f64; 3], dy: &mut [f64; 3]| *dy = y.map(|v| -v));
    let e = Flow::new(f, Rodas5P::new())
        .atol(vec![1e-6; 2])
        .fixed_step(0.1)
        .solve(0.0, 1.0, [1.0; 3])
        .unwrap_err();
    assert!(matches!(e.error, Error::Shape { what: "atol", .. }));
}

#[test]
fn an_optimiser_recovers_after_a_divergence() {
    let broken = std::cell::Cell::new(true);
    let bowl =
        field(|_t, y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = if broken.get() { f64::NAN } else { -y[0] });
    let mut flow = Flow::new(bowl, Ema::new(Adam::default(), 0.9));
    let mut y = [1.0];
    assert!(matches!(flow.steps(3, 0.01, &mut y), Err(Error::Diverged { .. })));
    broken.set(false);
    flow.steps(500, 0.01, &mut y).unwrap();
    assert!(y[0].abs() < 0.1 && flow.integrator().average().unwrap()[0].is_finite());
}

#[test]
fn the_first_step_is_looked_for_within_the_span_and_within_max_step() {
    // Nothing is known beyond t1, or beyond the longest step: a wide probe would read it.
    let seen = std::cell::Cell::new(0.0_f64);
    let f = || {
        field(|t: f64, _y: &[f64; 1], dy: &mut [f64; 1]| {
            seen.set(seen.get().max(t));
            dy[0] = 1e-8;
        })
    };
    Flow::new(f(), Tsit5::new()).solve(0.0, 1e-3, [1e3]).unwrap();
    assert!(seen.get() <= 1e-3, "{}", seen.get());
    seen.set(0.0);
    let mut flow = Flow::new(f(), Tsit5::new()).max_step(0.01);
    flow.stepper(0.0, 10.0, [1e3]).unwrap();
    assert!(seen.get() <= 0.01, "{}", seen.get());
}

#[test]
fn no_step_is_longer_than_max_step() {
    let mut flow = Flow::new(growth(), Tsit5::new()).max_step(0.1);
    let mut run = flow.stepper(0.0, 0.1005, [1.0]).unwrap();
    let mut before = 0.0;
    while run.advance().unwrap() {
        assert!(run.t() - before <= 0.1, "{}", run.t() - before);
        before = run.t();
    }
    assert_eq!(before, 0.1005);
}

#[test]
fn an_empty_span_has_a_state_and_no_slope() {
    let sol = Flow::new(growth(), Tsit5::new()).dense().solve(1.0, 1.0, [3.0]).unwrap();
    assert_eq!(sol.at(1.0).unwrap(), [3.0]);
    assert!(matches!(sol.slope(1.0), Err(Error::OutsideSpan { .. })));
}
