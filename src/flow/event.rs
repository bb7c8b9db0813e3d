//! Events: moments at which a function of the state changes sign.

use std::fmt;

use crate::{Real, State};

/// Which sign changes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Direction {
    #[default]
    Both,
    Rising,
    Falling,
}

type Function<'a, S> = Box<dyn FnMut(<S as State>::Elem, &S) -> <S as State>::Elem + 'a>;
type Change<'a, S> = Box<dyn FnMut(<S as State>::Elem, &mut S) + 'a>;

/// A moment at which `g(t, y)` changes sign, found to round-off on the solution's interpolant.
///
/// * `rising` and `falling` are meant in the direction of integration.
/// * An exact zero at the start of a run (or right after a state change) is no event; the sign the
///   function takes on afterwards is the one it is watched from. So a run that restarts from an event's
///   state does not find that event again.
/// * An exact zero at the end of a step is an event there, once.
/// * Two crossings inside one step are seen if they fall into different sub-intervals of the step, of
///   which there are [`samples`](Event::samples). A touch without crossing is not an event, unless a
///   sample falls on it exactly.
/// * Events at the same time are handled in the order in which they were added to the flow.
///
/// ```
/// use flowfield::{Event, Flow, field, integrate::Tsit5};
/// // A ball is thrown; where does it land?
/// let fall = field(|_t, y: &[f64; 2], dy| { dy[0] = y[1]; dy[1] = -10.0; });
/// let ground = Event::when(|_t, y: &[f64; 2]| y[0]).falling().terminal();
/// let sol = Flow::new(fall, Tsit5::new()).event(ground).solve(0.0, 100.0, [0.0, 5.0])?;
/// assert!((sol.t_end() - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Event<'a, S: State> {
    pub(super) g: Function<'a, S>,
    pub(super) direction: Direction,
    pub(super) terminal: bool,
    pub(super) change: Option<Change<'a, S>>,
    pub(super) samples: usize,
}

impl<'a, S: State> Event<'a, S> {
    /// An event at each sign change of `g`.
    pub fn when<G: FnMut(S::Elem, &S) -> S::Elem + 'a>(g: G) -> Self {
        Event { g: Box::new(g), direction: Direction::Both, terminal: false, change: None, samples: 4 }
    }

    /// Only where `g` goes from negative to positive.
    #[must_use]
    pub fn rising(mut self) -> Self {
        self.direction = Direction::Rising;
        self
    }

    /// Only where `g` goes from positive to negative.
    #[must_use]
    pub fn falling(mut self) -> Self {
        self.direction = Direction::Falling;
        self
    }

    /// Ends the run at the first such event; the event's state is the run's last.
    #[must_use]
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Changes the state at the event (a bounce, a dose); the run restarts from the changed state.
    #[must_use]
    pub fn then<C: FnMut(S::Elem, &mut S) + 'a>(mut self, change: C) -> Self {
        self.change = Some(Box::new(change));
        self
    }

    /// Number of sub-intervals of each step in which a sign change is looked for (default 4, at least 1).
    #[must_use]
    pub fn samples(mut self, samples: usize) -> Self {
        self.samples = samples.max(1);
        self
    }

    /// Whether a change from sign `a` to sign `b` counts.
    pub(super) fn counts(&self, a: S::Elem, b: S::Elem) -> bool {
        let zero = S::Elem::of(0.0);
        let (rising, falling) = (a < zero && b >= zero, a > zero && b <= zero);
        match self.direction {
            Direction::Both => rising || falling,
            Direction::Rising => rising,
            Direction::Falling => falling,
        }
    }
}

impl<S: State> fmt::Debug for Event<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("direction", &self.direction)
            .field("terminal", &self.terminal)
            .field("changes_state", &self.change.is_some())
            .field("samples", &self.samples)
            .finish_non_exhaustive()
    }
}

/// An event that happened.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        bound = "S: serde::Serialize + serde::de::DeserializeOwned, S::Elem: serde::Serialize + serde::de::DeserializeOwned"
    )
)]
pub struct Occurrence<S: State> {
    /// Which event of the flow, in the order of [`Flow::event`](crate::Flow::event) calls.
    pub event: usize,
    /// When.
    pub t: S::Elem,
    /// The state then (before any change that the event makes).
    pub y: S,
}
