//! Bad input: each a specific error that says what to do, never a panic, never a silent wrong answer.

use std::ops::ControlFlow;

use flowfield::integrate::{Bs3, Rk4, Tsit5};
use flowfield::{Error, Event, Failure, Flow, Solution, VectorField, field};
use ndarray::{Array1, Array2, array};

type Y = [f64; 1];

fn growth() -> impl VectorField<Y> {
    field(|_t, y: &Y, dy: &mut Y| dy[0] = y[0])
}

fn error<T>(r: Result<T, Box<Failure<Y>>>) -> Error {
    r.map(|_| ()).unwrap_err().error
}

#[test]
fn times_and_tolerances() {
    let solve = |t0: f64, t1: f64| Flow::new(growth(), Tsit5::new()).solve(t0, t1, [1.0]);
    assert!(matches!(error(solve(0.0, f64::NAN)), Error::Setting { what: "t1", .. }));
    assert!(matches!(error(solve(f64::INFINITY, 1.0)), Error::Setting { what: "t0", .. }));
    let tol =
        |r: f64, a: f64| error(Flow::new(growth(), Tsit5::new()).rtol(r).atol(a).solve(0.0, 1.0, [1.0]));
    assert!(matches!(tol(-1e-3, 1.0), Error::Setting { what: "rtol", .. }));
    assert!(matches!(tol(1e-3, -1.0), Error::Setting { what: "atol", .. }));
    assert!(matches!(tol(1e-17, 1.0), Error::ToleranceTooSmall { .. }));
    let each = Flow::new(growth(), Tsit5::new()).rtol([1e-3, 1e-3]).solve(0.0, 1.0, [1.0]);
    assert!(matches!(error(each), Error::Shape { what: "rtol", .. }));
    for h in [0.0, -1.0, f64::NAN] {
        let f = || Flow::new(growth(), Tsit5::new());
        assert!(matches!(
            error(f().max_step(h).solve(0.0, 1.0, [1.0])),
            Error::Setting { what: "max_step", .. }
        ));
        assert!(matches!(
            error(f().first_step(h).solve(0.0, 1.0, [1.0])),
            Error::Setting { what: "first_step", .. }
        ));
        assert!(matches!(
            error(f().fixed_step(h).solve(0.0, 1.0, [1.0])),
            Error::Setting { what: "fixed_step", .. }
        ));
    }
}

#[test]
fn an_empty_span_returns_the_start() {
    let sol = Flow::new(growth(), Tsit5::new()).dense().solve(2.0, 2.0, [3.0]).unwrap();
    assert_eq!((sol.t.as_slice(), sol.y.as_slice()), (&[2.0][..], &[[3.0]][..]));
    assert_eq!((sol.stats.evals, sol.at(2.0).unwrap()), (0, [3.0]));
    let at = Flow::new(growth(), Tsit5::new()).save_at(&[2.0]).solve(2.0, 2.0, [3.0]).unwrap();
    assert_eq!(at.y, [[3.0]]);
}

#[test]
fn states() {
    let f = || field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| dy.assign(y));
    let empty = Flow::new(f(), Tsit5::new()).solve(0.0, 1.0, array![]).unwrap_err().error;
    assert!(matches!(empty, Error::Empty { .. }));
    let nan = Flow::new(f(), Tsit5::new()).solve(0.0, 1.0, array![1.0, f64::NAN]).unwrap_err().error;
    assert!(matches!(nan, Error::NotFinite { row: 1, .. }));
    let mut y = array![f64::INFINITY];
    assert!(matches!(Flow::new(f(), Rk4::new()).steps(1, 0.1, &mut y), Err(Error::NotFinite { row: 0, .. })));
    let mut y = Array1::<f64>::zeros(0);
    assert!(matches!(Flow::new(f(), Rk4::new()).steps(1, 0.1, &mut y), Err(Error::Empty { .. })));
    let mut y = array![1.0];
    assert!(matches!(
        Flow::new(f(), Rk4::new()).steps(1, f64::NAN, &mut y),
        Err(Error::Setting { what: "h", .. })
    ));
}

#[test]
fn output_times_outside_the_span_or_out_of_order() {
    let at = |times: &[f64], t1: f64| Flow::new(growth(), Tsit5::new()).save_at(times).solve(0.0, t1, [1.0]);
    for bad in [&[0.5, 2.0][..], &[0.7, 0.2], &[-0.1], &[f64::NAN]] {
        assert!(matches!(error(at(bad, 1.0)), Error::OutputTime { .. }));
    }
    assert!(at(&[-0.2, -0.7], -1.0).is_ok());
    assert!(matches!(error(at(&[-0.7, -0.2], -1.0)), Error::OutputTime { index: 1, .. }));
}

#[test]
fn a_method_without_error_estimate_says_what_to_do() {
    let e = error(Flow::new(growth(), Rk4::new()).solve(0.0, 1.0, [1.0]));
    assert_eq!(e, Error::NoErrorEstimate { method: "Rk4" });
    assert!(e.to_string().contains(".steps(n, h, &mut y)"));
}

#[test]
fn asking_for_what_was_not_kept() {
    let sol = Flow::new(growth(), Tsit5::new()).solve(0.0, 1.0, [1.0]).unwrap();
    assert_eq!(sol.at(0.5).unwrap_err(), Error::NotDense);
    let sol = Flow::new(growth(), Tsit5::new()).dense().solve(0.0, 1.0, [1.0]).unwrap();
    assert!(matches!(sol.at(1.5), Err(Error::OutsideSpan { .. })));
    assert!(matches!(sol.at(f64::NAN), Err(Error::OutsideSpan { .. })));
}

#[test]
fn a_field_that_becomes_nan_stops_where_it_does_and_keeps_the_rest() {
    // sqrt(1 - t): real until t = 1.
    let f = field(|t: f64, _y: &Y, dy: &mut Y| dy[0] = (1.0 - t).sqrt());
    let failure = Flow::new(f, Tsit5::new()).tol(1e-8).dense().solve(0.0, 2.0, [0.0]).unwrap_err();
    assert!(matches!(failure.error, Error::FieldNotFinite { component: 0, .. }));
    assert!((failure.t - 1.0).abs() < 1e-6 && failure.h > 0.0);
    assert!((failure.y[0] - 2.0 / 3.0).abs() < 1e-6);
    let partial: &Solution<Y> = &failure.partial;
    assert!(partial.t.len() > 3 && partial.t_end() == failure.t);
    assert!((partial.at(0.5).unwrap()[0] - (1.0 - 0.5f64.powf(1.5)) / 1.5).abs() < 1e-6);
    let at_once = field(|_t, _y: &Y, dy: &mut Y| dy[0] = f64::NAN);
    assert!(matches!(
        error(Flow::new(at_once, Bs3::new()).solve(0.0, 1.0, [1.0])),
        Error::FieldNotFinite { t: 0.0, .. }
    ));
}

#[test]
fn a_nan_region_that_can_be_stepped_around_costs_rejections_only() {
    // The field is NaN for y < 0, which only a trial step that is too long reaches.
    let f = field(|_t, y: &Y, dy: &mut Y| dy[0] = -50.0 * y[0].sqrt() * y[0].sqrt());
    let sol = Flow::new(f, Tsit5::new()).first_step(1.0).solve(0.0, 0.2, [1.0]).unwrap();
    assert!(sol.stats.rejected > 0);
    assert!((sol.y_end()[0] - (-10f64).exp()).abs() < 1e-6);
}

#[test]
fn a_blow_up_underflows_with_time_and_component() {
    let f = field(|_t, y: &[f64; 2], dy: &mut [f64; 2]| *dy = [0.1, y[1] * y[1]]);
    let failure = Flow::new(f, Tsit5::new()).tol(1e-9).solve(0.0, 2.0, [0.0, 1.0]).unwrap_err();
    assert!(matches!(
        failure.error,
        Error::StepUnderflow { component: 1, .. } | Error::FieldNotFinite { component: 1, .. }
    ));
    assert_eq!(failure.worst, 1);
    assert!((failure.t - 1.0).abs() < 1e-6, "{}", failure.t);
}

#[test]
fn a_step_budget_ends_with_the_partial_solution() {
    let failure =
        Flow::new(growth(), Bs3::new()).tol(1e-10).max_steps(20).solve(0.0, 1.0, [1.0]).unwrap_err();
    assert!(matches!(failure.error, Error::TooManySteps { steps: 20, .. }));
    let n = failure.partial.t.len();
    assert!(n > 2 && (failure.partial.y[n - 1][0] - failure.t.exp()).abs() < 1e-8);
    assert!(failure.to_string().contains(".max_steps"));
}

#[test]
fn an_observer_can_stop_a_run() {
    let stop = |p: &flowfield::Progress<'_, Y>| {
        if p.y[0] > 1.5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let failure = Flow::new(growth(), Tsit5::new()).on_step(stop).solve(0.0, 9.0, [1.0]).unwrap_err();
    assert!(matches!(failure.error, Error::Stopped { .. }) && failure.y[0] > 1.5 && failure.t < 2.0);
    let mut y = [1.0];
    let e = Flow::new(growth(), Rk4::new()).on_step(stop).steps(100, 0.1, &mut y).unwrap_err();
    assert!(matches!(e, Error::Stopped { steps: 5, .. }));
}

#[test]
fn fixed_steps_that_diverge_keep_the_last_finite_state() {
    let f = field(|_t, y: &Y, dy: &mut Y| dy[0] = y[0] * y[0]);
    let mut y = [1e10];
    let mut flow = Flow::new(f, Rk4::new());
    let e = flow.steps(1000, 1.0, &mut y).unwrap_err();
    assert!(matches!(e, Error::Diverged { component: 0, .. }));
    assert!(y[0].is_finite());
}

#[test]
fn events_do_not_go_with_fixed_steps_in_place() {
    let event = Event::when(|_t, y: &Y| y[0] - 2.0);
    let e = Flow::new(growth(), Rk4::new()).event(event).steps(3, 0.1, &mut [1.0]).unwrap_err();
    assert!(matches!(e, Error::Unsupported { .. }));
}

#[test]
fn failures_convert_into_errors_and_into_boxed_errors() {
    fn plain() -> flowfield::Result<()> {
        Flow::new(growth(), Rk4::new()).solve(0.0, 1.0, [1.0])?;
        Ok(())
    }
    fn boxed() -> Result<(), Box<dyn std::error::Error>> {
        Flow::new(growth(), Rk4::new()).solve(0.0, 1.0, [1.0])?;
        Ok(())
    }
    assert!(matches!(plain(), Err(Error::NoErrorEstimate { .. })));
    assert!(boxed().unwrap_err().to_string().contains("Tsit5"));
}

#[test]
fn a_state_of_another_shape_between_calls_is_prepared_for() {
    let f = field(|_t, y: &Array2<f64>, dy: &mut Array2<f64>| dy.assign(y));
    let mut flow = Flow::new(f, Rk4::new());
    let mut a = Array2::<f64>::ones((2, 2));
    let mut b = Array2::<f64>::ones((3, 1));
    flow.steps(10, 0.1, &mut a).unwrap();
    flow.steps(10, 0.1, &mut b).unwrap();
    assert!((a[[1, 1]] - b[[2, 0]]).abs() < 1e-15);
}

#[test]
fn a_run_goes_on_rightly_after_an_error() {
    // A field that fails once in the middle; the caller asks again, and the solution is the undisturbed one.
    let broken = std::cell::Cell::new(false);
    let f = field(|_t, y: &Y, dy: &mut Y| dy[0] = if broken.get() { f64::NAN } else { -y[0] });
    let mut flow = Flow::new(f, Tsit5::new()).tol(1e-10);
    let mut run = flow.stepper(0.0, 2.0, [1.0]).unwrap();
    (0..5).for_each(|_| assert!(run.advance().unwrap()));
    broken.set(true);
    assert!(matches!(run.advance(), Err(Error::FieldNotFinite { .. })));
    assert!(matches!(run.advance(), Err(Error::FieldNotFinite { .. })));
    broken.set(false);
    while run.advance().unwrap() {}
    assert!((run.y()[0] - (-2.0f64).exp()).abs() < 1e-9);
    // The same in fixed steps, from the very first one, with the state changed in between.
    let mut flow = Flow::new(f, Tsit5::new());
    let mut y = [1.0];
    broken.set(true);
    assert!(matches!(flow.steps(1, 0.1, &mut y), Err(Error::Diverged { .. })));
    broken.set(false);
    y[0] = 3.0;
    flow.steps(10, 0.1, &mut y).unwrap();
    assert!((y[0] - 3.0 * (-1.0f64).exp()).abs() < 1e-7);
}
