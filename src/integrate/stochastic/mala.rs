//! The Metropolis-adjusted Langevin algorithm.

use super::method::{drifted, linear, noise_of};
use crate::integrate::{Integrator, Polynomial};
use crate::state::check_layout;
use crate::{Error, Real, Result, State, VectorField};

/// MALA: an Euler–Maruyama step of overdamped Langevin dynamics, taken or left by Metropolis' rule, so that the density
/// `exp(-U/T)` is kept exactly. Each row of the state is a chain of its own.
///
/// ```text
/// x' = x + h f(x) + σ ΔW,  f = -∇U,  σ² = 2T;   taken with probability min(1, exp(-(U(x') - U(x))/T - (b² - a²)/(2 h σ²))),
/// a = x' - x - h f(x),   b = x - x' - h f(x')
/// ```
///
/// For fields with energies: [`Overdamped`](crate::noise::Overdamped). References: Roberts, Tweedie, *Exponential convergence
/// of Langevin distributions and their discrete approximations*, Bernoulli 2 (1996) 341–363; the best acceptance rate is
/// near 0.574 in high dimension (Roberts, Rosenthal, J. R. Stat. Soc. B 60, 1998).
#[derive(Debug)]
pub struct Mala<S: State> {
    work: Option<Work<S>>,
    ready: bool,
    proposed: u64,
    taken: u64,
}

#[derive(Debug)]
struct Work<S: State> {
    /// f at the state and at the proposal.
    f0: S,
    f1: S,
    proposal: S,
    g: Vec<S::Elem>,
    dw: Vec<S::Elem>,
    energy0: Vec<f64>,
    energy1: Vec<f64>,
    coins: Vec<f64>,
}

impl<S: State> Default for Mala<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> Mala<S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Mala { work: None, ready: false, proposed: 0, taken: 0 }
    }

    /// The part of proposals that were taken since the start (NaN before the first).
    pub fn acceptance(&self) -> f64 {
        self.taken as f64 / self.proposed as f64
    }
}

impl<S: State> Integrator<S> for Mala<S> {
    fn name(&self) -> &'static str {
        "Mala"
    }

    fn order(&self) -> Option<u32> {
        Some(1)
    }

    fn takes_noise(&self) -> bool {
        true
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        let (n, chains) = (y0.as_slice().len(), y0.samples());
        let (zero, each) = (vec![S::Elem::of(0.0); n], vec![0.0; chains]);
        self.work = Some(Work {
            f0: y0.clone(),
            f1: y0.clone(),
            proposal: y0.clone(),
            g: zero.clone(),
            dw: zero,
            energy0: each.clone(),
            energy1: each.clone(),
            coins: each,
        });
        (self.ready, self.proposed, self.taken) = (false, 0, 0);
        Ok(())
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.work.is_none() {
            self.init(y0)?;
        }
        let Some(w) = &mut self.work else { return Ok(()) };
        if !self.ready {
            field.eval(t, y0, &mut w.f0);
        }
        let noise = noise_of(field, "Mala")?;
        if !self.ready && !noise.energies(y0, &mut w.energy0) {
            let instead = "build the field as noise::Overdamped, or take EulerMaruyama";
            return Err(Error::Unsupported { what: "Mala", with: "a field without energies", instead });
        }
        noise.increments(t, h, &mut w.dw, None)?;
        noise.coins(t, &mut w.coins)?;
        noise.diffusion(t, y0, &mut w.g);
        drifted(y0, h, &w.f0, &mut w.proposal);
        let moves = w.g.iter().zip(&w.dw);
        w.proposal.as_mut_slice().iter_mut().zip(moves).for_each(|(x, (&g, &dw))| *x += g * dw);
        noise.energies(&w.proposal, &mut w.energy1);
        field.eval(t + h, &w.proposal, &mut w.f1);
        self.taken += w.decide(h, y0, y1);
        self.proposed += w.coins.len() as u64;
        self.ready = true;
        Ok(())
    }

    fn accept(&mut self, smooth: bool) {
        self.ready &= smooth;
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        _field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        linear(t, h, y0, y1, out);
        Ok(())
    }
}

impl<S: State> Work<S> {
    /// Takes or leaves each chain's proposal; slopes and energies of what is kept stay for the next step.
    fn decide(&mut self, h: S::Elem, y0: &S, y1: &mut S) -> u64 {
        let width = y0.as_slice().len() / self.coins.len();
        let mut taken = 0;
        for r in 0..self.coins.len() {
            let row = r * width..(r + 1) * width;
            let (x, z) = (&y0.as_slice()[row.clone()], &self.proposal.as_slice()[row.clone()]);
            let (f0, f1) = (&self.f0.as_slice()[row.clone()], &self.f1.as_slice()[row.clone()]);
            let mut log = self.energy0[r] - self.energy1[r];
            for i in 0..width {
                let (a, b) = ((z[i] - x[i] - h * f0[i]).f64(), (x[i] - z[i] - h * f1[i]).f64());
                let g = self.g[row.start + i].f64();
                log -= (b * b - a * a) / (2.0 * h.f64() * g * g);
            }
            // NaN (a proposal where the energy is not finite) is left.
            let take = self.coins[r].ln() < log;
            y1.as_mut_slice()[row.clone()].copy_from_slice(if take { z } else { x });
            if take {
                taken += 1;
                self.energy0[r] = self.energy1[r];
                self.f0.as_mut_slice()[row.clone()].copy_from_slice(f1);
            }
        }
        taken
    }
}
