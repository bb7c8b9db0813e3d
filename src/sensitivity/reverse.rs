//! The sweep back over a run's steps.

use super::Parametric;
use super::checkpoints::advance;
use super::pull::{PullWork, Reversible};
use super::run::Run;
use crate::field::Counted;
use crate::{Result, State};

/// What the sweep needs.
pub(super) struct Sweep<'a, S: State, V, I> {
    pub run: &'a mut Run<S>,
    pub work: &'a mut PullWork<S>,
    /// Room for two states between kept ones.
    pub spare: &'a mut Vec<S>,
    pub field: &'a mut V,
    pub integrator: &'a mut I,
    pub theta_bar: &'a mut [S::Elem],
    /// Steps taken again.
    pub repeated: u64,
}

impl<S: State, V: Parametric<S>, I: Reversible<S>> Sweep<'_, S, V, I> {
    /// Pulls back `n` steps.
    pub(super) fn all(&mut self, n: usize, bar: &mut S) -> Result<()> {
        if self.spare.len() != 2 || !self.spare[0].same_shape(bar) {
            *self.spare = vec![bar.clone(), bar.clone()];
        }
        for step in (0..n).rev() {
            self.one(step, bar)?;
            self.run.take_losses(step, bar);
        }
        Ok(())
    }

    /// Pulls back one step, keeping the states that the checkpoints say on the way there.
    fn one(&mut self, step: usize, bar: &mut S) -> Result<()> {
        loop {
            let (from, kept) = (self.run.states[self.run.kept - 1].0, self.run.kept);
            if from == step {
                break;
            }
            let to = match self.run.slots {
                // All that lie between are wanted, one after another.
                None => from + 1,
                Some(s) if s > kept => from + advance(step + 1 - from, s - kept + 1),
                Some(_) => step,
            };
            self.again(from, to)?;
            if self.run.slots.is_none_or(|s| s > kept) {
                self.run.keep(to, &self.spare[0]);
            } else {
                // No room: from the last kept state straight to this step.
                let taken = self.run.steps[step].from(&self.spare[0]);
                I::pull(self.work, self.field, taken, bar, self.theta_bar);
                return Ok(());
            }
        }
        let taken = self.run.steps[step].from(&self.run.states[self.run.kept - 1].1);
        I::pull(self.work, self.field, taken, bar, self.theta_bar);
        self.run.kept -= 1;
        Ok(())
    }

    /// Takes steps `from .. to` again, from the last kept state to the first spare one.
    fn again(&mut self, from: usize, to: usize) -> Result<()> {
        let [y, next] = &mut self.spare[..] else { return Ok(()) };
        y.clone_from(&self.run.states[self.run.kept - 1].1);
        for taken in &self.run.steps[from..to] {
            self.integrator.accept(false);
            let field = &mut Counted { field: &mut *self.field, evals: &mut self.run.evals };
            self.integrator.step(field, taken.t, taken.h, y, next)?;
            std::mem::swap(y, next);
            self.repeated += 1;
        }
        Ok(())
    }
}
