//! What a run gives back.

use std::fmt;

use super::event::Occurrence;
use crate::integrate::Polynomial;
use crate::{Error, Real, Result, State, Stats};

/// A solution: the states that were asked for, the events that happened, and the work it took.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        bound = "S: serde::Serialize + serde::de::DeserializeOwned, S::Elem: serde::Serialize + serde::de::DeserializeOwned"
    )
)]
pub struct Solution<S: State> {
    /// Times of the saved states.
    pub t: Vec<S::Elem>,
    /// The saved states, one for each time. An event that changes the state saves it before and after.
    pub y: Vec<S>,
    /// Events, in the order in which they happened.
    pub events: Vec<Occurrence<S>>,
    /// Work counts.
    pub stats: Stats,
    pub(super) dense: Option<Vec<Piece<S::Elem>>>,
    pub(super) span: (S::Elem, S::Elem),
    pub(super) last: S,
}

/// A step's polynomial and the time up to which it counts (an event may have cut the step).
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Piece<F> {
    pub(super) poly: Polynomial<F>,
    pub(super) end: F,
}

impl<S: State> Solution<S> {
    /// The time at which the run ended: `t1`, or the time of a terminal event.
    pub fn t_end(&self) -> S::Elem {
        self.span.1
    }

    /// The state at which the run ended.
    pub fn y_end(&self) -> &S {
        &self.last
    }

    /// The state at any time of the run; needs [`Flow::dense`](crate::Flow::dense). At a time at which an
    /// event changed the state: the state before.
    ///
    /// # Errors
    /// [`Error::NotDense`], or [`Error::OutsideSpan`].
    pub fn at(&self, t: S::Elem) -> Result<S> {
        self.read(t, |piece, theta, out| piece.poly.value(theta, out))
    }

    /// The derivative of the interpolant with respect to time; otherwise as [`at`](Self::at).
    ///
    /// # Errors
    /// As [`at`](Self::at); and after a run over an empty span, which has no slope.
    pub fn slope(&self, t: S::Elem) -> Result<S> {
        let (t0, t1) = self.span;
        if t0 == t1 && self.dense.is_some() {
            return Err(Error::OutsideSpan { t: t.f64(), t0: t0.f64(), t1: t1.f64() });
        }
        self.read(t, |piece, theta, out| piece.poly.slope(theta, out))
    }

    /// Writes the state at `t` to `y`, at the nearer end for a time outside the span.
    pub(crate) fn read_into(&self, t: S::Elem, y: &mut S) -> Result<()> {
        let pieces = self.dense.as_ref().ok_or(Error::NotDense)?;
        let forward = self.span.1 >= self.span.0;
        let i = pieces.partition_point(|p| if forward { p.end < t } else { p.end > t });
        let piece = pieces.get(i).or(pieces.last()).ok_or(Error::NotDense)?;
        let (zero, one) = (S::Elem::of(0.0), S::Elem::of(1.0));
        let theta = (t - piece.poly.t) / piece.poly.h;
        let theta = if theta < zero {
            zero
        } else if theta > one {
            one
        } else {
            theta
        };
        piece.poly.value(theta, y.as_mut_slice());
        Ok(())
    }

    fn read(&self, t: S::Elem, f: impl Fn(&Piece<S::Elem>, S::Elem, &mut [S::Elem])) -> Result<S> {
        let pieces = self.dense.as_ref().ok_or(Error::NotDense)?;
        let (t0, t1) = self.span;
        let forward = t1 >= t0;
        let inside = if forward { t >= t0 && t <= t1 } else { t <= t0 && t >= t1 };
        if !inside {
            return Err(Error::OutsideSpan { t: t.f64(), t0: t0.f64(), t1: t1.f64() });
        }
        let i = pieces.partition_point(|p| if forward { p.end < t } else { p.end > t });
        let mut y = self.last.clone();
        match pieces.get(i) {
            Some(piece) => f(piece, (t - piece.poly.t) / piece.poly.h, y.as_mut_slice()),
            // A run over an empty span has no steps: one state.
            None if t0 == t1 => {}
            None => return Err(Error::NotDense),
        }
        Ok(y)
    }
}

/// A run that could not be finished: why, where, and everything that was computed until then.
///
/// Converts into [`Error`] with `?` where only the reason is wanted.
#[non_exhaustive]
pub struct Failure<S: State> {
    /// Why.
    pub error: Error,
    /// Time of the last good state.
    pub t: S::Elem,
    /// The step size that failed.
    pub h: S::Elem,
    /// The last good state.
    pub y: S,
    /// The component with the largest scaled error (or the first that is not finite).
    pub worst: usize,
    /// What was computed; its saved states, events and dense output end at `t`.
    pub partial: Solution<S>,
}

impl<S: State> fmt::Debug for Failure<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("error", &self.error)
            .field("t", &self.t)
            .field("h", &self.h)
            .field("y", &self.y.as_slice())
            .field("worst", &self.worst)
            .field("saved", &self.partial.t.len())
            .field("stats", &self.partial.stats)
            .finish()
    }
}

impl<S: State> fmt::Display for Failure<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{} states saved, {}]", self.error, self.partial.t.len(), self.partial.stats)
    }
}

impl<S: State> std::error::Error for Failure<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl<S: State> From<Box<Failure<S>>> for Error {
    fn from(failure: Box<Failure<S>>) -> Self {
        failure.error
    }
}
