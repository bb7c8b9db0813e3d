//! Events: none lost, none twice, in order, to round-off.

use std::cell::RefCell;

use flowfield::integrate::{Dopri5, Rk4, Tsit5};
use flowfield::{Error, Event, Flow, VectorField, field};

type Y = [f64; 2];

/// y = (sin t, cos t).
fn circle() -> impl VectorField<Y> + Copy {
    field(|_t, y: &Y, dy: &mut Y| (dy[0], dy[1]) = (y[1], -y[0]))
}

const START: Y = [0.0, 1.0];
const PI: f64 = std::f64::consts::PI;

fn times(sol: &flowfield::Solution<Y>, event: usize) -> Vec<f64> {
    sol.events.iter().filter(|o| o.event == event).map(|o| o.t).collect()
}

#[test]
fn crossings_are_found_with_their_direction() {
    let sol = Flow::new(circle(), Tsit5::new())
        .tol(1e-12)
        .event(Event::when(|_t, y: &Y| y[0]))
        .event(Event::when(|_t, y: &Y| y[0]).rising())
        .event(Event::when(|_t, y: &Y| y[0]).falling())
        .solve(0.0, 20.0, START)
        .unwrap();
    // y₀(0) = 0 is no event; then zeros at kπ, falling for odd k.
    let all = times(&sol, 0);
    assert_eq!(all.len(), 6);
    for (k, t) in all.iter().enumerate() {
        assert!((t - (k as f64 + 1.0) * PI).abs() < 1e-10, "{t}");
    }
    assert_eq!((times(&sol, 1).len(), times(&sol, 2).len()), (3, 3));
    assert!((times(&sol, 2)[0] - PI).abs() < 1e-10);
}

#[test]
fn the_root_is_exact_to_round_off_on_the_interpolant() {
    let mut flow =
        Flow::new(circle(), Dopri5::new()).dense().event(Event::when(|_t, y: &Y| y[1] - 0.3).terminal());
    let sol = flow.solve(0.0, 20.0, START).unwrap();
    let root = sol.t_end();
    assert!((sol.at(root).unwrap()[1] - 0.3).abs() < 1e-15);
    assert_eq!(sol.events[0].y, *sol.y_end());
    // Going on from there does not find the event again, but the next one, a turn later.
    let next = flow.solve(root, 20.0, *sol.y_end()).unwrap();
    let want = 2.0 * PI - 0.3f64.acos();
    assert!((next.t_end() - want).abs() < 1e-5, "{} {want}", next.t_end());
}

#[test]
fn a_run_in_pieces_finds_the_same_events_as_a_run_in_one() {
    let run = |breaks: &[f64]| {
        let (mut t, mut y, mut found) = (0.0, START, Vec::new());
        for &end in breaks {
            let event = Event::when(|_t, y: &Y| y[0] - 0.5);
            let sol = Flow::new(circle(), Tsit5::new()).tol(1e-11).event(event).solve(t, end, y).unwrap();
            (t, y) = (sol.t_end(), *sol.y_end());
            found.extend(sol.events.iter().map(|o| o.t));
        }
        found
    };
    let whole = run(&[30.0]);
    assert_eq!(whole.len(), 10);
    for pieces in [vec![PI / 6.0, 5.0 * PI / 6.0, 30.0], (1..=300).map(|i| f64::from(i) * 0.1).collect()] {
        let found = run(&pieces);
        assert_eq!(found.len(), whole.len());
        assert!(found.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-8));
    }
}

#[test]
fn two_crossings_in_one_step_are_both_found() {
    // One step of size 3 over a dip of the function below zero that lasts 0.9.
    let drift = field(|_t, _y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = 1.0);
    let dip = Event::when(|_t, y: &[f64; 1]| (y[0] - 1.5).abs() - 0.45).samples(8);
    let sol = Flow::new(drift, Rk4::new()).fixed_step(3.0).event(dip).solve(0.0, 3.0, [0.0]).unwrap();
    assert_eq!(sol.stats.accepted, 1);
    let found: Vec<f64> = sol.events.iter().map(|o| o.t).collect();
    assert!((found[0] - 1.05).abs() < 1e-12 && (found[1] - 1.95).abs() < 1e-12, "{found:?}");
}

#[test]
fn simultaneous_events_keep_the_order_of_the_flow() {
    let order = RefCell::new(Vec::new());
    let note = |i: usize| {
        let order = &order;
        move |_t: f64, _y: &mut Y| order.borrow_mut().push(i)
    };
    let sol = Flow::new(circle(), Tsit5::new())
        .tol(1e-10)
        .event(Event::when(|_t, y: &Y| 3.0 * y[0] - 1.5).rising().then(note(0)))
        .event(Event::when(|_t, y: &Y| y[0] - 0.5).rising().then(note(1)))
        .event(Event::when(|_t, y: &Y| y[0] - 0.5).rising().then(note(2)))
        .solve(0.0, 6.0, START)
        .unwrap();
    assert_eq!(*order.borrow(), [0, 1, 2]);
    assert_eq!(sol.events.len(), 3);
}

fn ball(bounces: usize, backward: bool) -> flowfield::Solution<Y> {
    let fall = field(|_t, y: &Y, dy: &mut Y| (dy[0], dy[1]) = (y[1], -10.0));
    let bounce = Event::when(|_t, y: &Y| y[0]).falling().then(|_t, y: &mut Y| y[1] *= -0.9);
    // Time of `bounces` flights from (0, 5): 1 + 0.9 + 0.81 + ..
    let end = (1.0 - 0.9f64.powi(bounces as i32)) / 0.1 - 1e-3 * 0.9f64.powi(bounces as i32 - 1);
    let mut flow = Flow::new(fall, Tsit5::new()).tol(1e-12).event(bounce);
    if backward {
        flow.solve(0.0, -end, [0.0, -5.0]).unwrap()
    } else {
        flow.solve(0.0, end, [0.0, 5.0]).unwrap()
    }
}

#[test]
fn a_bouncing_ball_bounces_when_it_should() {
    let sol = ball(40, false);
    let mut t = 0.0;
    for (k, bounce) in sol.events.iter().enumerate() {
        t += 0.9f64.powi(k as i32);
        assert!((bounce.t - t).abs() < 1e-10, "bounce {k} at {} instead of {t}", bounce.t);
        assert!(bounce.y[0].abs() < 1e-12);
    }
    assert_eq!(sol.events.len(), 39);
    // The state is saved before and after each bounce.
    let at = sol.t.iter().position(|&t| t == sol.events[0].t).unwrap();
    assert!((sol.y[at][1] + 5.0).abs() < 1e-10 && (sol.y[at + 1][1] - 4.5).abs() < 1e-10);
    assert_eq!(sol.t[at], sol.t[at + 1]);
}

#[test]
fn events_work_backward_in_time() {
    let sol = ball(10, true);
    assert_eq!(sol.events.len(), 9);
    assert!((sol.events[1].t + 1.9).abs() < 1e-11);
}

#[test]
fn terminal_before_and_after_a_state_change() {
    let sol = Flow::new(circle(), Tsit5::new())
        .tol(1e-10)
        .event(Event::when(|t, _y: &Y| t - 1.0).then(|_t, y: &mut Y| *y = [0.0, 1.0]))
        .event(Event::when(|_t, y: &Y| y[0] - 0.9).terminal())
        .solve(0.0, 10.0, START)
        .unwrap();
    // sin 1 = 0.84: set back at t = 1, then 0.9 is reached asin 0.9 later.
    assert!((sol.t_end() - 1.0 - 0.9f64.asin()).abs() < 1e-9);
    assert_eq!(sol.events.len(), 2);
}

#[test]
fn saved_times_respect_the_cut_and_the_change() {
    let times = [0.5, 1.0, 1.5, 4.0];
    let sol = Flow::new(circle(), Tsit5::new())
        .tol(1e-10)
        .save_at(&times)
        .dense()
        .event(Event::when(|t, _y: &Y| t - 1.2).then(|_t, y: &mut Y| *y = [0.0, 2.0]))
        .event(Event::when(|_t, y: &Y| y[0]).falling().terminal())
        .solve(0.0, 10.0, START)
        .unwrap();
    assert_eq!(sol.t, [0.5, 1.0, 1.5, 4.0]);
    assert!((sol.y[2][0] - 2.0 * 0.3f64.sin()).abs() < 1e-8);
    assert!((sol.t_end() - 1.2 - PI).abs() < 1e-8);
    assert!((sol.at(1.1).unwrap()[0] - 1.1f64.sin()).abs() < 1e-6);
    assert!((sol.at(1.3).unwrap()[0] - 2.0 * 0.1f64.sin()).abs() < 1e-6);
}

#[test]
fn events_that_never_happen_and_events_that_are_nan() {
    let sol =
        Flow::new(circle(), Tsit5::new()).event(Event::when(|_t, y: &Y| y[0] + 2.0)).solve(0.0, 9.0, START);
    assert!(sol.unwrap().events.is_empty());
    let nan = Event::when(|t: f64, _y: &Y| (0.5 - t).sqrt());
    let failure = Flow::new(circle(), Tsit5::new()).event(nan).solve(0.0, 9.0, START).unwrap_err();
    assert!(matches!(failure.error, Error::EventNotFinite { event: 0, .. }));
}

#[test]
fn a_hundred_thousand_events_do_not_drift() {
    // A switching field: the velocity's sign flips each time |y| reaches 1, so events fall on odd times.
    let direction = std::cell::Cell::new(1.0);
    let f = field(|_t, _y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = direction.get());
    let flip = |_t: f64, y: &mut [f64; 1]| {
        direction.set(-direction.get());
        y[0] = y[0].signum();
    };
    let sol = Flow::new(f, Tsit5::new())
        .save_last()
        .event(Event::when(|_t, y: &[f64; 1]| y[0] - 1.0).rising().then(flip))
        .event(Event::when(|_t, y: &[f64; 1]| y[0] + 1.0).falling().then(flip))
        .solve(0.0, 200_000.0, [0.0])
        .unwrap();
    assert_eq!(sol.events.len(), 100_000);
    let last = sol.events.last().unwrap().t;
    assert!((last - 199_999.0).abs() < 1e-6, "{last}");
}

#[test]
fn an_event_before_the_field_turns_nan_is_found() {
    // A tank drains as y' = -sqrt(y), which is NaN for the negative levels that a trial step may reach.
    let drain = field(|_t, y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = -y[0].sqrt());
    let nearly_empty = Event::when(|_t, y: &[f64; 1]| y[0] - 1e-4).falling().terminal();
    let sol = Flow::new(drain, Tsit5::new()).tol(1e-10).event(nearly_empty).solve(0.0, 10.0, [1.0]).unwrap();
    // sqrt(y) = 1 - t / 2.
    assert!((sol.t_end() - 2.0 * (1.0 - 1e-2)).abs() < 1e-7, "{}", sol.t_end());
}

#[test]
fn an_event_found_on_a_step_that_was_first_rejected_is_found_once() {
    let sol = Flow::new(circle(), Tsit5::new())
        .tol(1e-12)
        .first_step(3.0)
        .event(Event::when(|_t, y: &Y| y[1]))
        .solve(0.0, 3.0, START)
        .unwrap();
    assert!(sol.stats.rejected > 0);
    assert_eq!(sol.events.len(), 1);
    assert!((sol.events[0].t - PI / 2.0).abs() < 1e-10);
}
