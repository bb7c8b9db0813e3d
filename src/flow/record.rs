//! What a run keeps: chosen states, events, and the steps' interpolants.

use super::solution::Piece;
use super::stepper::Stepper;
use crate::integrate::Integrator;
use crate::{Error, Real, Result, Solution, State, VectorField};

/// Which states are saved.
#[derive(Debug, Clone)]
pub(super) enum Save<F> {
    Last,
    EveryStep,
    At(Vec<F>),
}

impl<F: Real> Save<F> {
    /// Output times must lie in the span, in the direction of integration.
    pub(super) fn check(&self, t0: F, t1: F) -> Result<()> {
        let Save::At(times) = self else { return Ok(()) };
        let forward = t1 >= t0;
        let mut before = t0;
        for (index, &t) in times.iter().enumerate() {
            let good = if forward { t >= before && t <= t1 } else { t <= before && t >= t1 };
            if !good {
                return Err(Error::OutputTime { index, t: t.f64(), t0: t0.f64(), t1: t1.f64() });
            }
            before = t;
        }
        Ok(())
    }
}

/// The states and interpolants kept so far.
pub(super) struct Record<S: State> {
    t: Vec<S::Elem>,
    y: Vec<S>,
    dense: Option<Vec<Piece<S::Elem>>>,
    /// Next output time.
    next: usize,
}

impl<S: State> Record<S> {
    pub(super) fn new<V, I>(run: &Stepper<'_, '_, V, I, S>) -> Self {
        let dense = run.flow.dense.then(Vec::new);
        let mut record = Record { t: Vec::new(), y: Vec::new(), dense, next: 0 };
        match &run.flow.save {
            Save::EveryStep => record.push(run.t, run.y.clone()),
            Save::Last => {}
            Save::At(times) => {
                let first = times.iter().take_while(|&&t| t == run.t).count();
                (0..first).for_each(|_| record.push(run.t, run.y.clone()));
                record.next = first;
            }
        }
        record
    }

    fn push(&mut self, t: S::Elem, y: S) {
        self.t.push(t);
        self.y.push(y);
    }

    /// Takes what is wanted of the step just made.
    #[inline]
    pub(super) fn step<V, I>(&mut self, run: &mut Stepper<'_, '_, V, I, S>) -> Result<()>
    where
        V: VectorField<S>,
        I: Integrator<S>,
    {
        match &run.flow.save {
            Save::Last => {}
            Save::EveryStep => {
                if let (true, Some(event)) = (run.changed, run.log.last()) {
                    let before = event.y.clone();
                    self.push(run.t, before);
                }
                self.push(run.t, run.y.clone());
            }
            Save::At(_) => self.output(run)?,
        }
        if let Some(pieces) = &mut self.dense {
            let poly = run.polynomial()?.clone();
            pieces.push(Piece { poly, end: run.t });
        }
        Ok(())
    }

    fn output<V, I>(&mut self, run: &mut Stepper<'_, '_, V, I, S>) -> Result<()>
    where
        V: VectorField<S>,
        I: Integrator<S>,
    {
        while let Save::At(times) = &run.flow.save {
            let Some(&t) = times.get(self.next) else { return Ok(()) };
            let reached = if run.t1 >= run.t0 { t <= run.t } else { t >= run.t };
            if !reached {
                return Ok(());
            }
            let mut y = run.y.clone();
            if t != run.t || run.changed {
                run.interpolate(t, &mut y)?;
            }
            self.push(t, y);
            self.next += 1;
        }
        Ok(())
    }

    pub(super) fn finish<V, I>(mut self, run: Stepper<'_, '_, V, I, S>) -> Solution<S>
    where
        V: VectorField<S>,
        I: Integrator<S>,
    {
        let stats = run.stats();
        if let Save::Last = run.flow.save {
            self.push(run.t, run.y.clone());
        }
        Solution {
            t: self.t,
            y: self.y,
            events: run.log,
            stats,
            dense: self.dense,
            span: (run.t0, run.t),
            last: run.y,
        }
    }
}
