//! The loop that steps a bundle of lanes, compiled for each instruction set.

// Loops over lanes index several arrays at once, in the form that the vectoriser knows.
#![allow(clippy::needless_range_loop)]

use std::marker::PhantomData;

use super::controller::{LOG_FLOOR, Pi};
use super::lockstep::LaneField;
use super::members::Member;
use crate::integrate::explicit::tableau::{Method, row, unrolled};
use crate::integrate::{Tolerance, initial_step};
use crate::state::first_not_finite;
use crate::{Error, Lanes, Result, Stats};

/// Lanes in a bundle: two AVX-512 registers, so that one's latency hides behind the other (measured: 8 are four times
/// slower, since the compiler then unrolls instead of using vector registers; 32 are no faster).
const L: usize = 16;
type Pack = Lanes<f64, L>;

/// What all members have in common.
#[derive(Debug)]
pub(super) struct Task<'a, V> {
    pub(super) field: &'a V,
    pub(super) t0: f64,
    pub(super) t1: f64,
    pub(super) rtol: f64,
    pub(super) atol: f64,
    pub(super) max_steps: u32,
}

/// A bundle of lanes under way.
pub(super) struct Sweep<'a, V, M, const N: usize, const D: usize, const P: usize> {
    task: &'a Task<'a, V>,
    y0: &'a [[f64; D]],
    parameters: &'a [[f64; P]],
    next: usize,
    results: Vec<Option<Result<Member<[f64; D]>>>>,
    t: Pack,
    h: Pack,
    y: [Pack; D],
    p: [Pack; P],
    k: [[Pack; D]; N],
    y1: [Pack; D],
    memory: Pack,
    most: Pack,
    /// The member in each lane, if any, and its counts.
    member: [Option<usize>; L],
    accepted: Pack,
    rejected: Pack,

    method: PhantomData<fn() -> M>,
}

/// `Σ_{j < J} weights[j] k[j][i]`, lane by lane.
#[inline(always)]
fn weighted<const J: usize, const N: usize, const D: usize>(
    w: &[f64; N],
    k: &[[Pack; D]; N],
    i: usize,
    l: usize,
) -> f64 {
    let mut sum = 0.0;
    for j in 0..N {
        if j < J && w[j] != 0.0 {
            sum += w[j] * k[j][i].0[l];
        }
    }
    sum
}

impl<'a, V, M, const N: usize, const D: usize, const P: usize> Sweep<'a, V, M, N, D, P>
where
    V: LaneField<D, P>,
    M: Method<N>,
{
    /// Solves members from `y0` with parameters `p`.
    pub(super) fn solve(
        task: &'a Task<'a, V>,
        y0: &'a [[f64; D]],
        p: &'a [[f64; P]],
        portable: bool,
    ) -> Vec<Result<Member<[f64; D]>>> {
        let zero = Lanes([0.0; L]);
        let mut sweep: Self = Sweep {
            task,
            y0,
            parameters: p,
            next: 0,
            results: (0..y0.len()).map(|_| None).collect(),
            t: zero,
            h: zero,
            y: [zero; D],
            p: [zero; P],
            k: [[zero; D]; N],
            y1: [zero; D],
            memory: zero,
            most: zero,
            member: [None; L],
            accepted: zero,
            rejected: zero,

            method: PhantomData,
        };
        sweep.run(portable);
        // Every member has been in a lane and has left it with a result.
        sweep.results.into_iter().flatten().collect()
    }

    fn run(&mut self, portable: bool) {
        (0..L).for_each(|lane| self.refill(lane));
        #[cfg(target_arch = "x86_64")]
        if !portable {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                // SAFETY: the features that the function is compiled for were detected above.
                return unsafe { self.run_avx512() };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the feature that the function is compiled for was detected above.
                return unsafe { self.run_avx2() };
            }
        }
        let _ = portable;
        self.run_here();
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    fn run_avx512(&mut self) {
        self.run_here();
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(&mut self) {
        self.run_here();
    }

    #[inline(always)]
    fn run_here(&mut self) {
        let pi = Pi::new(M::TABLEAU.error_order());
        while self.member.iter().any(Option::is_some) {
            let err = self.step(pi);
            if self.anything_to_look_at(&err) {
                (0..L).for_each(|lane| self.look_at(lane, err.0[lane]));
            }
        }
    }

    /// One step of every lane; gives the error norms.
    #[inline(always)]
    fn step(&mut self, pi: Pi) -> Pack {
        let t1 = self.task.t1;
        let (mut h, mut end) = (self.h, self.t);
        for l in 0..L {
            let left = t1 - self.t.0[l];
            let last = left.abs() <= h.0[l].abs() * 1.01;
            end.0[l] = if last { t1 } else { self.t.0[l] + h.0[l] };
            // As a single solve: state and rounded clock move by the same amount.
            h.0[l] = if last { left } else { end.0[l] - self.t.0[l] };
        }
        self.stages(&h);
        let err = self.error(&h);
        self.control(pi, &h, &err);
        self.keep_accepted(&err, &end);
        err
    }

    /// New step sizes. A loop of its own, as each below: short enough for the compiler to make vector instructions of it.
    #[inline(always)]
    fn control(&mut self, pi: Pi, h: &Pack, err: &Pack) {
        let (memory, most, new_h) = (&mut self.memory.0, &mut self.most.0, &mut self.h.0);
        for l in 0..L {
            new_h[l] = h.0[l] * pi.factor(err.0[l], &mut memory[l], &mut most[l]);
        }
    }

    #[inline(always)]
    fn keep_accepted(&mut self, err: &Pack, end: &Pack) {
        for l in 0..L {
            let accept = err.0[l] <= 1.0;
            self.t.0[l] = if accept { end.0[l] } else { self.t.0[l] };
            self.accepted.0[l] += if accept { 1.0 } else { 0.0 };
            self.rejected.0[l] += if accept { 0.0 } else { 1.0 };
        }
        for i in 0..D {
            for l in 0..L {
                let accept = err.0[l] <= 1.0;
                self.y[i].0[l] = if accept { self.y1[i].0[l] } else { self.y[i].0[l] };
                if M::TABLEAU.fsal {
                    self.k[0][i].0[l] = if accept { self.k[N - 1][i].0[l] } else { self.k[0][i].0[l] };
                }
            }
        }
    }

    /// Whether a lane has arrived, cannot go on, or has used up its steps.
    #[inline(always)]
    fn anything_to_look_at(&self, err: &Pack) -> bool {
        let (t1, max_steps) = (self.task.t1, f64::from(self.task.max_steps));
        let mut flags = [0.0_f64; L];
        for l in 0..L {
            let t = self.t.0[l];
            let least = 4.0 * f64::EPSILON * t.abs() + f64::MIN_POSITIVE;
            let arrived = if t == t1 { 1.0 } else { 0.0 };
            // A step that was accepted may be short: the next one will not be.
            let stuck = if self.h.0[l].abs() <= least { 1.0 } else { 0.0 };
            let stuck = if err.0[l] <= 1.0 { 0.0 } else { stuck };
            // A step too short for the clock.
            let stuck = if self.h.0[l] == 0.0 { 1.0 } else { stuck };
            let spent = if self.accepted.0[l] + self.rejected.0[l] >= max_steps { 1.0 } else { 0.0 };
            flags[l] = arrived + stuck + spent;
        }
        flags.iter().sum::<f64>() > 0.0
    }

    #[inline(always)]
    fn stages(&mut self, h: &Pack) {
        if !M::TABLEAU.fsal {
            self.task.field.eval(self.t, &self.y, &self.p, &mut self.k[0]);
        }
        unrolled!(N, I => {
            let weights = &const { row(&M::TABLEAU.a, I) };
            for i in 0..D {
                for l in 0..L {
                    self.y1[i].0[l] = self.y[i].0[l] + h.0[l] * weighted::<I, N, D>(weights, &self.k, i, l);
                }
            }
            let t = self.t + *h * Lanes([const { if I < N { M::TABLEAU.c[I] } else { 0.0 } }; L]);
            self.task.field.eval(t, &self.y1, &self.p, &mut self.k[I]);
        });
        if !M::TABLEAU.fsal {
            let weights = &const { M::TABLEAU.b };
            for i in 0..D {
                for l in 0..L {
                    self.y1[i].0[l] = self.y[i].0[l] + h.0[l] * weighted::<N, N, D>(weights, &self.k, i, l);
                }
            }
        }
    }

    /// The error norm of every lane, by the rules of single solves.
    #[inline(always)]
    fn error(&self, h: &Pack) -> Pack {
        let (e, e3) = const { (error_weights(M::TABLEAU.e), error_weights(M::TABLEAU.e3)) };
        let two = const { M::TABLEAU.e3.is_some() };
        let (rtol, atol) = (self.task.rtol, self.task.atol + f64::MIN_POSITIVE);
        let (mut first, mut third) = ([0.0; L], [0.0; L]);
        for i in 0..D {
            for l in 0..L {
                let (a, b) = (self.y[i].0[l].abs(), self.y1[i].0[l].abs());
                // Written so that a NaN in y1 reaches the weight.
                let larger = if a > b { a } else { b };
                let inverse = 1.0 / (atol + rtol * larger);
                let scaled = weighted::<N, N, D>(&e, &self.k, i, l) * inverse;
                first[l] += scaled * scaled;
                if two {
                    let scaled = weighted::<N, N, D>(&e3, &self.k, i, l) * inverse;
                    third[l] += scaled * scaled;
                }
            }
        }
        Lanes(std::array::from_fn(|l| {
            if !two {
                return h.0[l].abs() * (first[l] * (1.0 / D as f64)).sqrt();
            }
            let bottom = (first[l] + 0.01 * third[l]) * D as f64;
            let bottom = if bottom == 0.0 { 1.0 } else { bottom };
            h.0[l].abs() * first[l] / bottom.sqrt()
        }))
    }
}

/// The weights of an estimate; zero without one.
const fn error_weights<const N: usize>(e: Option<[f64; N]>) -> [f64; N] {
    match e {
        Some(e) => e,
        None => [0.0; N],
    }
}

/// What happens to single lanes, between steps.
impl<V, M, const N: usize, const D: usize, const P: usize> Sweep<'_, V, M, N, D, P>
where
    V: LaneField<D, P>,
    M: Method<N>,
{
    /// Takes out a member that has arrived or failed, and puts the next one in.
    #[inline(never)]
    fn look_at(&mut self, lane: usize, err: f64) {
        let Some(member) = self.member[lane] else { return };
        let (t, h) = (self.t.0[lane], self.h.0[lane]);
        let steps = (self.accepted.0[lane] + self.rejected.0[lane]) as u64;
        let least = 4.0 * f64::EPSILON * t.abs() + f64::MIN_POSITIVE;
        let result = if t == self.task.t1 {
            Ok(Member { y: self.y.map(|y| y.0[lane]), stats: self.stats(lane) })
        } else if h == 0.0 || (h.abs() <= least && (err.is_nan() || err > 1.0)) {
            Err(self.underflow(lane))
        } else if steps >= u64::from(self.task.max_steps) {
            let component = self.worst(lane);
            Err(Error::TooManySteps { steps, t, t1: self.task.t1, h, component })
        } else {
            return;
        };
        self.results[member] = Some(result);
        self.refill(lane);
    }

    fn stats(&self, lane: usize) -> Stats {
        let t = &M::TABLEAU;
        let (accepted, rejected) = (self.accepted.0[lane] as u64, self.rejected.0[lane] as u64);
        let stages = N as u64 - u64::from(t.fsal);
        Stats { evals: (accepted + rejected) * stages + 2, accepted, rejected, ..Stats::default() }
    }

    #[cold]
    fn underflow(&self, lane: usize) -> Error {
        let (t, h) = (self.t.0[lane], self.h.0[lane]);
        let last = self.y1.map(|y| y.0[lane]);
        let slopes = self.k.iter().find_map(|k| first_not_finite(&k.each_ref().map(|k| k.0[lane])));
        match first_not_finite(&last).or(slopes) {
            Some(component) => Error::FieldNotFinite { t, h, component },
            None => Error::StepUnderflow { t, h, component: self.worst(lane) },
        }
    }

    /// The component with the largest scaled error in the last step tried.
    fn worst(&self, lane: usize) -> usize {
        let e = error_weights(M::TABLEAU.e);
        let scaled = |i: usize| {
            let y = self.y[i].0[lane].abs().max(self.y1[i].0[lane].abs());
            (weighted::<N, N, D>(&e, &self.k, i, lane) / (self.task.atol + self.task.rtol * y)).abs()
        };
        (0..D).max_by(|&i, &j| scaled(i).total_cmp(&scaled(j))).unwrap_or(0)
    }

    /// Puts the next waiting member that can start into a lane; leaves it idle if there is none.
    #[inline(never)]
    fn refill(&mut self, lane: usize) {
        self.member[lane] = None;
        while self.next < self.y0.len() {
            let member = self.next;
            self.next += 1;
            match self.start(member, lane) {
                Ok(()) => {
                    self.member[lane] = Some(member);
                    return;
                }
                Err(result) => self.results[member] = Some(result),
            }
        }
        // An idle lane takes steps that are never accepted and never looked at.
        (self.t.0[lane], self.h.0[lane]) = (f64::NAN, f64::NAN);
        self.y.iter_mut().for_each(|y| y.0[lane] = 0.0);
    }

    /// Brings a member into a lane, with the first step of a single solve; or its result, if it needs no step.
    fn start(&mut self, member: usize, lane: usize) -> Result<(), Result<Member<[f64; D]>>> {
        let (y, p) = (self.y0[member], self.parameters[member]);
        let Task { field, t0, t1, rtol, atol, .. } = *self.task;
        if let Some(row) = first_not_finite(&y) {
            return Err(Err(Error::NotFinite { what: "the initial state", row, value: y[row] }));
        }
        if t0 == t1 {
            return Err(Ok(Member { y, stats: Stats::default() }));
        }
        let mut single = |t: f64, y: &[f64; D], dy: &mut [f64; D]| field.eval(t, y, &p, dy);
        let mut slope = y;
        single(t0, &y, &mut slope);
        if let Some(component) = first_not_finite(&slope) {
            return Err(Err(Error::FieldNotFinite { t: t0, h: 0.0, component }));
        }
        let tol = Tolerance { rtol: rtol.into(), atol: atol.into() };
        let h = initial_step(
            &mut single,
            (t0, &y, &slope),
            ((t1 - t0).signum(), (t1 - t0).abs()),
            M::TABLEAU.error_order(),
            &tol,
            (&mut [0.0; D], &mut [0.0; D]),
        );
        (self.t.0[lane], self.h.0[lane]) = (t0, h);
        for i in 0..D {
            (self.y[i].0[lane], self.k[0][i].0[lane]) = (y[i], slope[i]);
        }
        self.p.iter_mut().zip(p).for_each(|(pack, p)| pack.0[lane] = p);
        (self.memory.0[lane], self.most.0[lane]) = (LOG_FLOOR, 10.0);
        (self.accepted.0[lane], self.rejected.0[lane]) = (0.0, 0.0);
        Ok(())
    }
}
