//! Gradients through the event that ends a run: against differences, an exact time of landing, and what is refused.

mod common;

use flowfield::integrate::*;
use flowfield::sensitivity::{ContinuousAdjoint, DiscreteAdjoint};
use flowfield::{Differentiable, Error, Event, Flow, Formula, Number};

/// Central differences of fourth order.
fn difference(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

fn near(got: &[f64], want: &[f64], limit: f64) {
    let scale = want.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst = common::distance(got, want) / scale;
    println!("relative difference {worst:.1e}");
    assert!(got.len() == want.len() && worst < limit, "{worst:e}\n{got:?}\n{want:?}");
}

/// A ball thrown upwards under gravity θ₀ with drag θ₁ v.
struct Thrown;
impl Formula for Thrown {
    fn eval<T: Number>(&self, _t: T, y: &[T], theta: &[T], dy: &mut [T]) {
        dy[0] = y[1];
        dy[1] = -theta[0] - theta[1] * y[1];
    }
}

fn landing(theta: [f64; 2], start: [f64; 2]) -> (f64, [f64; 2]) {
    let ground = Event::when(|t: f64, y: &[f64; 2]| y[0] + 0.05 * t).falling().terminal();
    let mut flow =
        Flow::new(Differentiable::new(Thrown).parameters(&theta), Vern9::new()).tol(1e-13).event(ground);
    let sol = flow.solve(0.0, 10.0, start).unwrap();
    (sol.t_end(), *sol.y_end())
}

#[test]
fn gradients_through_a_terminal_event() {
    let (theta, start) = ([9.81, 0.3], [1.0, 5.0]);
    // The loss depends on the time, the speed and the position of landing.
    let value = |(t, y): (f64, [f64; 2])| t * t + y[1].sin() + 2.0 * y[0];
    let want: Vec<f64> = (0..4)
        .map(|i| {
            difference(|h| {
                let (mut p, mut y) = (theta, start);
                if i < 2 {
                    y[i] += h
                } else {
                    p[i - 2] += h
                }
                value(landing(p, y))
            })
        })
        .collect();
    let flow = || {
        let ground = Event::when(|t: f64, y: &[f64; 2]| y[0] + 0.05 * t).falling().terminal();
        Flow::new(Differentiable::new(Thrown).parameters(&theta), Tsit5::new()).tol(1e-11).event(ground)
    };
    let loss = |t: f64, y: &[f64; 2], ybar: &mut [f64; 2]| {
        *ybar = [2.0, y[1].cos()];
        (value((t, *y)), 2.0 * t)
    };
    let g = DiscreteAdjoint::new().gradient_at_event(&mut flow(), (0.0, 10.0), &start, loss).unwrap();
    let got: Vec<f64> = g.y0.iter().chain(&g.theta).copied().collect();
    near(&got, &want, 1e-8);
    // Without drag the time of landing is known: t = (v + √(v² + 2 g q)) / g with g(t, y) = y₀.
    let plain = Event::when(|_t: f64, y: &[f64; 2]| y[0]).falling().terminal();
    let mut flow2 =
        Flow::new(Differentiable::new(Thrown).parameters(&[9.81, 0.0]), Tsit5::new()).tol(1e-11).event(plain);
    let g = DiscreteAdjoint::new()
        .gradient_at_event(&mut flow2, (0.0, 10.0), &start, |t, _y, _ybar| (t, 1.0))
        .unwrap();
    let root = (25.0 + 2.0 * 9.81_f64).sqrt();
    near(&[g.y0[0], g.y0[1]], &[1.0 / root, (1.0 + 5.0 / root) / 9.81], 1e-9);

    let refused = DiscreteAdjoint::new().gradient_at_event(&mut flow(), (0.0, 0.1), &start, loss);
    assert!(matches!(refused, Err(Error::EventNotReached { t1 }) if t1 == 0.1));
    let mut none = Flow::new(Differentiable::new(Thrown).parameters(&theta), Tsit5::new());
    let refused = DiscreteAdjoint::new().gradient_at_event(&mut none, (0.0, 1.0), &start, loss);
    assert!(matches!(refused, Err(Error::EventNotReached { .. })));
    let bounce = Event::when(|_t: f64, y: &[f64; 2]| y[0]).falling().then(|_t, y| y[1] *= -0.9);
    let mut bouncing = Flow::new(Differentiable::new(Thrown).parameters(&theta), Tsit5::new()).event(bounce);
    let final_loss = |_k: usize, _t: f64, y: &[f64; 2], _b: &mut [f64; 2]| y[0];
    let refused = DiscreteAdjoint::new().gradient(&mut bouncing, 0.0, &[3.0], &start, final_loss);
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
    let refused = DiscreteAdjoint::new().gradient(&mut flow(), 0.0, &[3.0], &start, final_loss);
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}

#[test]
fn an_event_that_is_touched_has_no_gradient() {
    // A height of y₀ + v t - g t²/2 touches v²/(2g) + y₀ at t = v/g: there the time of the event has no derivative.
    let (gravity, start) = (9.81, [1.0, 5.0]);
    let top = start[0] + start[1] * start[1] / (2.0 * gravity);
    let at = |below: f64| {
        let ceiling = Event::when(move |_t: f64, y: &[f64; 2]| y[0] - (top - below)).terminal();
        let field = Differentiable::new(Thrown).parameters(&[gravity, 0.0]);
        let mut flow = Flow::new(field, Tsit5::new()).tol(1e-12).event(ceiling);
        let span = (0.0, start[1] / gravity);
        DiscreteAdjoint::new().gradient_at_event(&mut flow, span, &start, |t, _y, _ybar| (t, 1.0))
    };
    // Just below, it is crossed at a speed of √(2 g below), and dt/dv = t/speed grows without bound.
    for below in [1e-2, 1e-4, 1e-6] {
        let speed = (2.0 * gravity * below).sqrt();
        let t = (start[1] - speed) / gravity;
        let got = at(below).unwrap().y0[1];
        assert!((got / (-t / speed) - 1.0).abs() < 1e-3, "{below:e}: {got} for {}", -t / speed);
    }
    let grazing = at(1e-20);
    let named = matches!(grazing, Err(Error::GrazingEvent { event: 0, .. } | Error::EventNotReached { .. }));
    assert!(named, "{grazing:?}");
    // An event function with a multiple zero is touched wherever it is met.
    let touch = Event::when(|_t: f64, y: &[f64; 2]| (y[0] - 0.5).powi(3)).terminal();
    let field = Differentiable::new(Thrown).parameters(&[gravity, 0.0]);
    let mut flow = Flow::new(field, Tsit5::new()).tol(1e-12).event(touch);
    let refused =
        DiscreteAdjoint::new().gradient_at_event(&mut flow, (0.0, 2.0), &start, |t, _y, _ybar| (t, 1.0));
    let Err(error @ Error::GrazingEvent { .. }) = refused else { panic!("{refused:?}") };
    println!("{error}");
    assert!(error.to_string().len() > 60);
}

#[test]
fn a_continuous_adjoint_names_events_it_cannot_cross() {
    let mut flow = {
        let ground = Event::when(|_t: f64, y: &[f64; 2]| y[0]).falling().terminal();
        Flow::new(Differentiable::new(Thrown).parameters(&[9.81, 0.0]), Tsit5::new()).event(ground)
    };
    let loss = |_k: usize, _t: f64, y: &[f64; 2], _b: &mut [f64; 2]| y[0];
    let refused =
        ContinuousAdjoint::new(1e-8, 1e-8).gradient(&mut flow, Tsit5::new(), 0.0, &[3.0], &[1.0, 5.0], loss);
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}
