//! A run that is to be reversed: its steps, and what is kept of them.

use num_traits::Float as _;

use super::Parametric;
use super::checkpoints::Checkpoints;
use super::event::{self, Crossing};
use super::pull::{Reversible, Stages, Step, add};
use crate::{Flow, Real, Result, State};

/// What is known of a forward run.
#[derive(Debug)]
pub(super) struct Run<S: State> {
    pub steps: Vec<Taken<S::Elem>>,
    /// Steps before each of the loss' times, and the loss' cotangents there.
    marks: Vec<usize>,
    cotangents: Vec<S>,
    /// Kept states by their steps; the first `kept` of them are in use.
    pub states: Vec<(usize, S)>,
    pub kept: usize,
    pub most: usize,
    pub end: Option<S>,
    pub evals: u64,
    pub records: Records,
    checkpoints: Checkpoints,
    /// States that may be kept, where they are counted.
    pub slots: Option<usize>,
}

/// A step: its start, its size, and the slot of its first record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<F> {
    pub t: F,
    pub h: F,
    pub records: Option<usize>,
}

impl<F: Real> Taken<F> {
    pub(super) fn from<S: State<Elem = F>>(self, y0: &S) -> Step<'_, S> {
        Step { t: self.t, h: self.h, y0, records: self.records }
    }
}

impl<S: State> Default for Run<S> {
    fn default() -> Self {
        Run {
            steps: Vec::new(),
            marks: Vec::new(),
            cotangents: Vec::new(),
            states: Vec::new(),
            kept: 0,
            most: 0,
            end: None,
            evals: 0,
            records: Records::default(),
            checkpoints: Checkpoints::All,
            slots: None,
        }
    }
}

impl<S: State> Run<S> {
    /// Forgets the last run, but not its memory.
    pub(super) fn clear(&mut self, checkpoints: Checkpoints, y0: &S) -> Result<()> {
        self.steps.clear();
        self.marks.clear();
        (self.kept, self.most, self.evals) = (0, 0, 0);
        self.records = Records::default();
        self.checkpoints = checkpoints;
        self.slots = checkpoints.slots(std::mem::size_of_val(y0.as_slice()).max(1))?;
        Ok(())
    }

    /// Keeps the state that a step starts from.
    pub(super) fn keep(&mut self, step: usize, y: &S) {
        match self.states.get_mut(self.kept) {
            Some(slot) => {
                slot.0 = step;
                slot.1.clone_from(y);
            }
            None => self.states.push((step, y.clone())),
        }
        self.kept += 1;
        self.most = self.most.max(self.kept);
    }

    /// Whether the state that a step starts from is kept on the way forward.
    fn keeps(&self, step: usize) -> bool {
        match (self.checkpoints, self.slots) {
            (Checkpoints::Every(k), _) => step.is_multiple_of(k),
            (_, None) => true,
            (_, Some(_)) => step == 0,
        }
    }

    /// A loss at the end of the last step, by its cotangent.
    pub(super) fn look_at(&mut self, cotangent: S) {
        self.cotangents.truncate(self.marks.len());
        self.cotangents.push(cotangent);
        self.marks.push(self.steps.len());
    }

    /// Adds the cotangents of losses at the start of step `at`.
    pub(super) fn take_losses(&self, at: usize, bar: &mut S) {
        let here = self.marks.iter().zip(&self.cotangents).filter(|(m, _)| **m == at);
        here.for_each(|(_, c)| add(S::Elem::of(1.0), c, bar));
    }

    /// The run through all of the loss' times, the losses' sum and their cotangents.
    pub(super) fn losses<V, I, L>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        t0: S::Elem,
        times: &[S::Elem],
        y0: &S,
        loss: &mut L,
    ) -> Result<S::Elem>
    where
        V: Parametric<S>,
        I: Reversible<S>,
        L: FnMut(usize, S::Elem, &S, &mut S) -> S::Elem,
    {
        self.cotangents.truncate(times.len());
        self.cotangents.resize_with(times.len(), || y0.clone());
        let (mut t, mut value) = (t0, S::Elem::of(0.0));
        let mut y = y0.clone();
        y.standardise();
        for (k, &at) in times.iter().enumerate() {
            if at != t {
                if self.segment(flow, (t, at), &y)?.is_some() {
                    return Err(event::ends_early());
                }
                if let Some(end) = &self.end {
                    y.clone_from(end);
                }
                t = at;
            }
            let cotangent = &mut self.cotangents[k];
            if !cotangent.same_shape(&y) {
                cotangent.clone_from(&y);
            }
            cotangent.as_mut_slice().fill(S::Elem::of(0.0));
            value += loss(k, t, &y, cotangent);
            self.marks.push(self.steps.len());
        }
        self.end = Some(y);
        Ok(value)
    }

    /// One part of the run; its end goes to `self.end`. The event that ended it, if one did.
    pub(super) fn segment<V, I>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        span: (S::Elem, S::Elem),
        y: &S,
    ) -> Result<Option<Crossing<S::Elem>>>
    where
        V: Parametric<S>,
        I: Reversible<S>,
    {
        self.records.begin(flow.parts().0);
        let outcome = self.steps_of(flow, span, y);
        flow.parts().0.record_from(None);
        let longest = outcome?;
        if longest.step > S::Elem::of(0.0) {
            // The next part begins where this one has got to, not from scratch.
            flow.replace_first_step(Some(longest.step));
        }
        Ok(longest.crossing.filter(|c| flow.is_terminal(c.event) && (!longest.reached || c.t == span.1)))
    }

    fn steps_of<V, I>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        (from, to): (S::Elem, S::Elem),
        y: &S,
    ) -> Result<Part<S::Elem>>
    where
        V: Parametric<S>,
        I: Reversible<S>,
    {
        let mut run = flow.stepper(from, to, y.clone())?;
        let mut before = y.clone();
        let mut longest = S::Elem::of(0.0);
        loop {
            before.clone_from(run.y());
            let t = run.t();
            if !run.advance()? {
                break;
            }
            let step = self.steps.len();
            if self.keeps(step) {
                self.keep(step, &before);
            }
            let h = run.t() - t;
            longest = if h.abs() > longest { h.abs() } else { longest };
            let records = self.records.settle(run.field());
            self.steps.push(Taken { t, h, records });
        }
        self.evals += run.stats().evals;
        self.end = Some(run.y().clone());
        let crossing = run.events().last().map(|o| Crossing { event: o.event, t: run.t() });
        Ok(Part { step: longest, crossing, reached: run.t() == to })
    }

    /// The field at the end of the run.
    pub(super) fn slope_at_end<V: Parametric<S>>(&mut self, field: &mut V, slope: &mut S) {
        let (Some(end), Some(last)) = (&self.end, self.steps.last()) else { return };
        let slot = last.records.and_then(|first| self.records.last_of(first));
        if !slot.is_some_and(|slot| field.recorded(slot, slope)) {
            field.eval(last.t + last.h, end, slope);
            self.evals += 1;
        }
    }

    /// The field at its start.
    pub(super) fn slope_at_start<V: Parametric<S>>(
        &mut self,
        field: &mut V,
        (t0, y0): (S::Elem, &S),
        slope: &mut S,
    ) {
        let slot = self.steps.first().and_then(|s| s.records);
        if !slot.is_some_and(|slot| field.recorded(slot, slope)) {
            field.eval(t0, y0, slope);
            self.evals += 1;
        }
    }
}

/// How a part of a run went: its longest step, and its last event.
struct Part<F> {
    step: F,
    crossing: Option<Crossing<F>>,
    reached: bool,
}

/// The records of a run's stages: those of a step stand in slots one after another, the last of them being the first of the
/// next step where the method is first-same-as-last.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// None: nothing is recorded, or nothing more.
    stages: Option<Stages>,
    shared: Option<usize>,
    /// The first free slot, and slots there may be.
    next: usize,
    limit: usize,
    /// The coming step is the first of its part of the run.
    fresh: bool,
}

impl Records {
    /// Makes ready for a run, if the field can record and a step's records go into so many bytes.
    pub(super) fn open<S: State, V: Parametric<S>>(
        &mut self,
        field: &V,
        y: &S,
        stages: Stages,
        bytes: usize,
    ) {
        let Some(each) = field.record_bytes(y) else { return };
        *self = Records { limit: bytes / each.max(1), fresh: true, ..Records::default() };
        self.stages = Some(stages).filter(|s| s.count <= self.limit);
        self.shared = stages.shared.then_some(stages.count - 1);
    }

    /// Records from now on.
    fn begin<S: State, V: Parametric<S>>(&mut self, field: &mut V) {
        self.fresh = true;
        field.record_from(self.stages.map(|_| self.next));
    }

    /// Brings the records of the step just taken together, and gives the slot of the first.
    ///
    /// The first stage was evaluated first (or by the step before), then perhaps a trial for the step size and steps that were
    /// rejected, and last the other stages.
    fn settle<S: State, V: Parametric<S>>(&mut self, field: &mut V) -> Option<usize> {
        let Stages { count, shared } = self.stages?;
        let carried = usize::from(shared && !std::mem::take(&mut self.fresh));
        let (first, end) = (self.next - carried, field.next_record()?);
        if end < first + count {
            // Not the evaluations that were expected.
            self.stop(field);
            return None;
        }
        (1..count).for_each(|i| field.swap_records(first + i, end - count + i));
        self.next = first + count;
        field.record_from(Some(self.next));
        if self.next + count > self.limit {
            self.stop(field);
        }
        Some(first)
    }

    fn stop<S: State, V: Parametric<S>>(&mut self, field: &mut V) {
        self.stages = None;
        field.record_from(None);
    }

    /// The slot of the field at the end of the step whose first record this is.
    fn last_of(&self, first: usize) -> Option<usize> {
        self.shared.map(|last| first + last)
    }

    /// Records that are kept.
    pub(super) fn used(&self) -> usize {
        self.next
    }
}
