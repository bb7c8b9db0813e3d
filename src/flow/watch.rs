//! Finding events on the interpolant of a step.

use num_traits::Float as _;

use super::event::{Event, Occurrence};
use crate::integrate::Polynomial;
use crate::{Error, Real, Result, State};

/// What the watch keeps between steps: the sign from which each event is watched.
#[derive(Debug)]
pub(super) struct Watch<S: State> {
    /// Last value of each event's function; zero while it has not yet left zero.
    last: Vec<S::Elem>,
    probe: S,
    found: Vec<Root<S::Elem>>,
}

#[derive(Debug, Clone, Copy)]
struct Root<F> {
    event: usize,
    theta: F,
}

/// How a step ended for the events.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome<F> {
    /// The whole step stands.
    Whole,
    /// The step is cut at this fraction: a terminal event, or one that changes the state.
    Cut { theta: F, terminal: bool },
}

/// Where in a step an event that has not left zero is first looked at.
const FIRST_LOOK: f64 = 1e-6;

impl<S: State> Watch<S> {
    /// Starts watching from a state.
    pub(super) fn start(events: &mut [Event<'_, S>], t: S::Elem, y: &S) -> Result<Self> {
        let mut last = Vec::with_capacity(events.len());
        for (i, event) in events.iter_mut().enumerate() {
            last.push(value(event, i, t, y)?);
        }
        Ok(Watch { last, probe: y.clone(), found: Vec::new() })
    }

    /// Looks for events in a step that ended in `y1`; occurrences up to the cut are appended to `log`.
    pub(super) fn search(
        &mut self,
        events: &mut [Event<'_, S>],
        step: &Polynomial<S::Elem>,
        y1: &S,
        log: &mut Vec<Occurrence<S>>,
    ) -> Result<Outcome<S::Elem>> {
        self.found.clear();
        for (i, event) in events.iter_mut().enumerate() {
            self.scan(event, i, step, y1)?;
        }
        if self.found.is_empty() {
            return Ok(Outcome::Whole);
        }
        // Stable: events at the same time stay in the order of their numbers.
        self.found.sort_by(|a, b| a.theta.partial_cmp(&b.theta).unwrap_or(std::cmp::Ordering::Equal));
        let stops = |e: usize| events[e].terminal || events[e].change.is_some();
        let cut = self.found.iter().find(|r| stops(r.event)).map(|r| r.theta);
        let until = cut.map_or(S::Elem::of(1.0), |c| c + round_off(step));
        let mut terminal = false;
        for root in self.found.iter().filter(|r| r.theta <= until) {
            let theta = if root.theta > cut.unwrap_or(root.theta) { until } else { root.theta };
            let theta = theta.min(S::Elem::of(1.0));
            step.value(theta, self.probe.as_mut_slice());
            log.push(Occurrence { event: root.event, t: step.t + theta * step.h, y: self.probe.clone() });
            terminal |= events[root.event].terminal;
        }
        Ok(cut.map_or(Outcome::Whole, |theta| Outcome::Cut { theta, terminal }))
    }

    /// All sign changes of one event in the step.
    fn scan(&mut self, event: &mut Event<'_, S>, i: usize, step: &Polynomial<S::Elem>, y1: &S) -> Result<()> {
        let zero = S::Elem::of(0.0);
        let mut from = zero;
        if self.last[i] == zero {
            from = S::Elem::of(FIRST_LOOK);
            self.last[i] = self.at(event, i, step, from)?;
        }
        for sample in 1..=event.samples {
            let to = S::Elem::of(sample as f64 / event.samples as f64);
            let g = if sample == event.samples {
                value(event, i, step.t + step.h, y1)?
            } else {
                self.at(event, i, step, to)?
            };
            if event.counts(self.last[i], g) {
                let theta = self.root(event, i, step, (from, self.last[i]), (to, g))?;
                self.found.push(Root { event: i, theta });
            }
            (from, self.last[i]) = (to, g);
        }
        Ok(())
    }

    /// The end of a bracket shrunk to round-off (the ITP method; Oliveira and Takahashi, ACM TOMS 47, 2021, with
    /// κ₁ = 0.2 / (b - a), κ₂ = 2, n₀ = 1): the right one, where the change of sign has happened, so that a run which goes
    /// on from there does not find it again. Where the event changes the state this needs no care, and the end with
    /// the smaller residual is taken: many events in a row then do not all come late.
    fn root(
        &mut self,
        event: &mut Event<'_, S>,
        i: usize,
        step: &Polynomial<S::Elem>,
        (mut a, mut ga): (S::Elem, S::Elem),
        (mut b, mut gb): (S::Elem, S::Elem),
    ) -> Result<S::Elem> {
        let of = S::Elem::of;
        let tight = round_off(step);
        let width = b - a;
        let mut budget = (width / tight).f64().log2().ceil() + 1.0;
        while b - a > tight && gb != of(0.0) {
            let middle = of(0.5) * (a + b);
            let secant = (gb * a - ga * b) / (gb - ga);
            let sigma = if middle > secant { of(1.0) } else { of(-1.0) };
            let delta = (of(0.2) / width * (b - a) * (b - a)).max(of(0.5) * tight);
            let truncated = if delta <= (middle - secant).abs() { secant + sigma * delta } else { middle };
            let radius = (of(0.5) * tight * of(budget.exp2()) - of(0.5) * (b - a)).max(of(0.0));
            let within = (truncated - middle).abs() <= radius;
            let mut x = if within { truncated } else { middle - sigma * radius };
            if !(x > a && x < b) {
                x = middle;
            }
            if !(x > a && x < b) {
                break;
            }
            let g = self.at(event, i, step, x)?;
            if (g < of(0.0)) == (ga < of(0.0)) && g != of(0.0) {
                (a, ga) = (x, g)
            } else {
                (b, gb) = (x, g)
            }
            budget -= 1.0;
        }
        let either = event.change.is_some() && !event.terminal;
        Ok(if either && ga.abs() < gb.abs() { a } else { b })
    }

    fn at(
        &mut self,
        event: &mut Event<'_, S>,
        i: usize,
        step: &Polynomial<S::Elem>,
        theta: S::Elem,
    ) -> Result<S::Elem> {
        step.value(theta, self.probe.as_mut_slice());
        value(event, i, step.t + theta * step.h, &self.probe)
    }

    /// Makes the changes of the events found at the cut, and watches from the changed state.
    pub(super) fn change(
        &mut self,
        events: &mut [Event<'_, S>],
        cut: S::Elem,
        step: &Polynomial<S::Elem>,
        t: S::Elem,
        y: &mut S,
    ) -> Result<()> {
        let until = cut + round_off(step);
        let fired = |found: &[Root<S::Elem>], i| {
            found.iter().any(|r| r.event == i && r.theta >= cut && r.theta <= until)
        };
        for (i, event) in events.iter_mut().enumerate() {
            if let (true, Some(change)) = (fired(&self.found, i), &mut event.change) {
                change(t, y);
            }
        }
        for (i, event) in events.iter_mut().enumerate() {
            // An event that has just happened is watched from the sign it takes on next: round-off
            // decides on which side of zero it stands now.
            let g = value(event, i, t, y)?;
            self.last[i] = if fired(&self.found, i) { S::Elem::of(0.0) } else { g };
        }
        Ok(())
    }
}

/// Smallest difference in θ that the time of a step can resolve.
fn round_off<F: Real>(step: &Polynomial<F>) -> F {
    let scale = (step.t.abs() + step.h.abs()) / step.h.abs();
    F::of(2.0) * F::EPS * scale.min(F::of(1e6) / F::EPS.sqrt())
}

fn value<S: State>(event: &mut Event<'_, S>, i: usize, t: S::Elem, y: &S) -> Result<S::Elem> {
    let g = (event.g)(t, y);
    if g.is_nan() { Err(Error::EventNotFinite { event: i, t: t.f64() }) } else { Ok(g) }
}
