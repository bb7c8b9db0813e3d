//! Splittings for underdamped Langevin dynamics.

use std::fmt;
use std::marker::PhantomData;

use num_traits::Float as _;

use super::method::{linear, noise_of};
use crate::halves::{check_halves, halves, halves_mut};
use crate::integrate::{Integrator, Polynomial};
use crate::state::check_layout;
use crate::{Error, Half, Real, Result, State, VectorField};

/// One piece of a splitting, for this part of the step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Piece {
    /// `v += part · h · a(q)`.
    Kick(f64),
    /// `q += part · h · v`.
    Drift(f64),
    /// Friction and noise, exactly: `v ← c v + √(T (1 - c²)) ξ`, `c = exp(-part · γ h)`.
    Thermostat(f64),
}

/// A splitting as data.
pub trait Splitting: 'static {
    /// The method's name.
    const NAME: &'static str;
    /// Its pieces in order; at most two thermostats.
    const PIECES: &'static [Piece];
}

/// BAOAB: the positions of a harmonic oscillator have exactly the variance `T/ω²` whatever the step, those of others an
/// error of order 2 that is fourth order for large friction. One acceleration a step.
///
/// Reference: Leimkuhler, Matthews, *Rational construction of stochastic numerical methods for molecular sampling*,
/// Appl. Math. Res. Express 2013, 34–56.
#[derive(Debug, Clone, Copy)]
pub struct Baoab;

impl Splitting for Baoab {
    const NAME: &'static str = "Baoab";
    const PIECES: &'static [Piece] =
        &[Piece::Kick(0.5), Piece::Drift(0.5), Piece::Thermostat(1.0), Piece::Drift(0.5), Piece::Kick(0.5)];
}

/// OBABO: the velocities of a step's ends have exactly the variance that velocity Verlet leaves; the positions of an
/// oscillator the variance `T/ω² / (1 - h²ω²/4)`. One acceleration a step.
///
/// Reference: Bussi, Parrinello, *Accurate sampling using Langevin dynamics*, Phys. Rev. E 75 (2007) 056707.
#[derive(Debug, Clone, Copy)]
pub struct Obabo;

impl Splitting for Obabo {
    const NAME: &'static str = "Obabo";
    const PIECES: &'static [Piece] = &[
        Piece::Thermostat(0.5),
        Piece::Kick(0.5),
        Piece::Drift(1.0),
        Piece::Kick(0.5),
        Piece::Thermostat(0.5),
    ];
}

/// The integrator of a [`Splitting`], for fields with friction and a temperature ([`Langevin`](crate::noise::Langevin)).
pub struct LangevinSplitting<M, S: State> {
    work: Option<Work<S>>,
    /// The acceleration at the end of the last step holds at the start of the coming one.
    ready: bool,
    method: PhantomData<fn() -> M>,
}

struct Work<S: State> {
    slope: S,
    /// Standard normals times `√h`: as many as there are velocities, for each thermostat.
    noise: Vec<S::Elem>,
    area: Vec<S::Elem>,
}

impl<M: Splitting, S: State> LangevinSplitting<M, S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        LangevinSplitting { work: None, ready: false, method: PhantomData }
    }
}

impl<M: Splitting, S: State> Default for LangevinSplitting<M, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Splitting, S: State> fmt::Debug for LangevinSplitting<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(M::NAME).finish_non_exhaustive()
    }
}

impl<M: Splitting, S: State> Integrator<S> for LangevinSplitting<M, S> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn order(&self) -> Option<u32> {
        Some(2)
    }

    fn takes_noise(&self) -> bool {
        true
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        check_halves(y0)?;
        let half = vec![S::Elem::of(0.0); y0.as_slice().len() / 2];
        self.work = Some(Work { slope: y0.clone(), noise: half.clone(), area: half });
        self.ready = false;
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
        let noise = noise_of(field, M::NAME)?;
        let Some((friction, temperature)) = noise.friction() else {
            let instead = "build the field as noise::Langevin, or take another stochastic method";
            return Err(Error::Unsupported { what: M::NAME, with: "a field without friction", instead });
        };
        let two = M::PIECES.iter().filter(|p| matches!(p, Piece::Thermostat(_))).count() > 1;
        noise.increments(t, h, &mut w.noise, two.then_some(&mut w.area))?;
        if two {
            // ΔW and its space-time integral as two independent normals of variance |h|.
            let scale = S::Elem::of(12.0_f64.sqrt());
            let half = S::Elem::of(0.5);
            w.area.iter_mut().zip(&w.noise).for_each(|(a, &dw)| *a = scale * (*a / h - half * dw));
        }
        y1.as_mut_slice().copy_from_slice(y0.as_slice());
        let mut ready = std::mem::take(&mut self.ready);
        let (mut drifted, mut thermostats) = (0.0, 0);
        let of = S::Elem::of;
        for &piece in M::PIECES {
            match piece {
                Piece::Kick(part) => {
                    if !ready {
                        field.eval_half(Half::Momenta, t + of(drifted) * h, y1, &mut w.slope);
                        ready = true;
                    }
                    add(of(part) * h, halves(&w.slope).1, halves_mut(y1).1);
                }
                Piece::Drift(part) => {
                    let (q, v) = halves_mut(y1);
                    add(of(part) * h, v, q);
                    drifted += part;
                    ready = false;
                }
                Piece::Thermostat(part) => {
                    let normal = if thermostats == 0 { &w.noise } else { &w.area };
                    let c = (-part * friction * h.f64().abs()).exp();
                    let scale = of((temperature * (1.0 - c * c)).sqrt()) / h.abs().sqrt();
                    let pairs = halves_mut(y1).1.iter_mut().zip(normal);
                    pairs.for_each(|(v, &z)| *v = of(c) * *v + scale * z);
                    thermostats += 1;
                }
            }
        }
        self.ready = ready;
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

#[inline]
fn add<F: Real>(scale: F, x: &[F], out: &mut [F]) {
    out.iter_mut().zip(x).for_each(|(o, &x)| *o += scale * x);
}
