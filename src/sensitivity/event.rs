//! Gradients through the event that ends a run.

use num_traits::Float as _;

use super::Parametric;
use super::pull::{add, dot};
use crate::{Error, Flow, Real, Result, State};

/// Where a run was ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing<F> {
    pub event: usize,
    pub t: F,
}

pub(super) fn changes_state() -> Error {
    Error::Unsupported {
        what: "an adjoint",
        with: "an event that changes the state and lets the run go on",
        instead: "end the run at the event (.terminal()), and take gradient_at_event piece by piece",
    }
}

pub(super) fn ends_early() -> Error {
    Error::Unsupported {
        what: "a gradient of losses at given times",
        with: "an event that ended the run before the last of them",
        instead: "take gradient_at_event, or times before the event",
    }
}

/// Turns the cotangent of the state at the event into that of the state at the time that was, held fixed:
/// `λ = L_y - (L_t + <L_y, f>) / (g_t + <g_y, f>) g_y`.
pub(super) fn saltation<V: Parametric<S>, I, S: State>(
    flow: &mut Flow<'_, V, I, S>,
    at: &Crossing<S::Elem>,
    y: &S,
    loss_in_time: S::Elem,
    cotangent: &mut S,
) -> Result<()> {
    let mut slope = y.clone();
    flow.parts().0.eval(at.t, y, &mut slope);
    let (normal, in_time) = derivatives(flow, at, y);
    let across = in_time + dot(&normal, &slope);
    let size = (dot(&normal, &normal) * dot(&slope, &slope)).sqrt() + in_time.abs();
    let least = S::Elem::of(100.0) * S::Elem::EPS.cbrt().powi(2) * size;
    if across.is_nan() || across.abs() <= least || is_flat(flow, at, y, &slope) {
        return Err(Error::GrazingEvent { event: at.event, t: at.t.f64(), speed: across.f64() });
    }
    let along = (loss_in_time + dot(cotangent, &slope)) / across;
    add(-along, &normal, cotangent);
    Ok(())
}

/// `g_y` and `g_t` by central differences.
fn derivatives<V: Parametric<S>, I, S: State>(
    flow: &mut Flow<'_, V, I, S>,
    at: &Crossing<S::Elem>,
    y: &S,
) -> (S, S::Elem) {
    let (mut normal, mut moved) = (y.clone(), y.clone());
    let root = S::Elem::EPS.cbrt();
    for i in 0..y.as_slice().len() {
        let value = y.as_slice()[i];
        let step = root * (S::Elem::of(1.0) + value.abs());
        let mut side = |by: S::Elem| {
            moved.as_mut_slice()[i] = value + by;
            (moved.as_slice()[i], flow.event_value(at.event, at.t, &moved))
        };
        let ((b, up), (a, down)) = (side(step), side(-step));
        moved.as_mut_slice()[i] = value;
        normal.as_mut_slice()[i] = (up - down) / (b - a);
    }
    let step = root * (S::Elem::of(1.0) + at.t.abs());
    let (b, a) = (at.t + step, at.t - step);
    let in_time = (flow.event_value(at.event, b, y) - flow.event_value(at.event, a, y)) / (b - a);
    (normal, in_time)
}

/// Whether the event's function has a multiple zero along the solution: a difference quotient over half the distance is then
/// another one.
fn is_flat<V: Parametric<S>, I, S: State>(
    flow: &mut Flow<'_, V, I, S>,
    at: &Crossing<S::Elem>,
    y: &S,
    slope: &S,
) -> bool {
    let largest = |x: &S| x.as_slice().iter().fold(S::Elem::of(0.0), |m, x| m.max(x.abs()));
    let far = S::Elem::EPS.cbrt() * (S::Elem::of(1.0) + largest(y)) / (S::Elem::of(1.0) + largest(slope));
    let mut moved = y.clone();
    let mut quotient = |by: S::Elem| {
        let mut side = |by: S::Elem| {
            moved.clone_from(y);
            add(by, slope, &mut moved);
            flow.event_value(at.event, at.t + by, &moved)
        };
        (side(by) - side(-by)) / (by + by)
    };
    let (whole, half) = (quotient(far), quotient(S::Elem::of(0.5) * far));
    (whole - half).abs() > S::Elem::of(0.5) * whole.abs().max(half.abs())
}
