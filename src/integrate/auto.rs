//! A method that finds out whether a problem is stiff.

use std::fmt;

use num_traits::Float as _;

use super::stabilised::Radius;
use super::{Integrator, Polynomial, Rodas5P, Tolerance, Tsit5, Verdict, Work};
use crate::{Error, Real, Result, State, VectorField};

/// An explicit method as long as accuracy sets its steps, an implicit one where stability would: a safe default.
///
/// The explicit method's last two stages are at the same time and say, at no cost, how fast the fastest mode is: once that
/// holds the steps down ten times in a row, the implicit method takes over. Where they say nothing, because the fastest mode is
/// hidden in a small component, a power iteration does, after 64 steps and whenever their number has doubled. The implicit
/// method gives back when its steps would be stable for the explicit one, by a power iteration every tenth step. [`Auto::new`] is [`Tsit5`] with [`Rodas5P`]; [`Auto::of`] takes any
/// pair, [`Vern7`](super::Vern7) with [`Bdf`](super::Bdf) for instance.
///
/// Reference: Shampine, *Stiffness and nonstiff differential equation solvers*, in: Numerische Behandlung von
/// Differentialgleichungen (1975) 287–301; HNW II, IV.2.
///
/// ```
/// use flowfield::{Flow, field, integrate::Auto};
/// let van_der_pol = field(|_t, y: &[f64; 2], dy| *dy = [y[1], ((1.0 - y[0] * y[0]) * y[1] - y[0]) * 1e6]);
/// let sol = Flow::new(van_der_pol, Auto::new()).tol(1e-7).solve(0.0, 2.0, [2.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.706167732170469).abs() < 1e-4 && sol.stats.accepted < 3000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Auto<S: State, A = Tsit5<S>, B = Rodas5P<S>> {
    explicit: A,
    implicit: B,
    radius: Radius<S>,
    slope: Option<S>,
    /// The largest |hλ| at which the explicit method is stable; infinite if it does not know.
    bound: f64,
    stiff: bool,
    /// Steps in a row that speak for the other method, or since the radius was last looked at.
    count: u32,
    h: S::Elem,
    switches: u32,
    /// Steps that the explicit method has taken since it took over, and their number at which to look ahead.
    taken: u32,
    look_at: u32,
}

/// Stiff steps in a row before the implicit method takes over, and its steps between looks at the radius.
const PATIENCE: u32 = 10;
/// The part of the stability bound that counts as reaching it; at a single look, when the step may just be short.
const NEAR: f64 = 0.9;
const NEARLY: f64 = 0.6;
/// Explicit steps before the first look ahead.
const FIRST_LOOK: u32 = 64;

impl<S: State> Auto<S> {
    /// [`Tsit5`] and [`Rodas5P`].
    pub fn new() -> Self {
        Auto::of(Tsit5::new(), Rodas5P::new())
    }
}

impl<S: State> Default for Auto<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State, A: Integrator<S>, B: Integrator<S>> Auto<S, A, B> {
    /// An explicit method that estimates stiffness (Tsit5, Dopri5, Vern6 to Vern9) and an implicit one.
    pub fn of(explicit: A, implicit: B) -> Self {
        Auto {
            explicit,
            implicit,
            radius: Radius::new(),
            slope: None,
            bound: f64::INFINITY,
            stiff: false,
            count: 0,
            h: S::Elem::of(0.0),
            switches: 0,
            taken: 0,
            look_at: FIRST_LOOK,
        }
    }

    /// How often the method has changed since the run began.
    pub fn switches(&self) -> u32 {
        self.switches
    }

    fn switch(&mut self, stiff: bool) {
        (self.stiff, self.count, self.taken) = (stiff, 0, 0);
        self.switches += 1;
        if stiff { self.implicit.accept(false) } else { self.explicit.accept(false) }
    }

    /// Whether stability holds the explicit method's steps down; looked at whenever their number has doubled.
    #[cold]
    fn look_ahead<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
    ) -> Result<()> {
        self.look_at *= 2;
        if self.radius_at(field, t, y0)? * h.abs().f64() > NEARLY * self.bound {
            self.switch(true);
        }
        Ok(())
    }

    fn radius_at<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, t: S::Elem, y0: &S) -> Result<f64> {
        let Some(slope) = &mut self.slope else { return Ok(0.0) };
        field.eval(t, y0, slope);
        self.radius.restart(y0);
        Ok(self.radius.update(field, t, (y0, slope))?.f64())
    }

    /// Whether the implicit method's steps would be stable for the explicit one; looked at every tenth step.
    fn look_back<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
    ) -> Result<()> {
        self.count += 1;
        if self.count < PATIENCE || field.mass().is_some() {
            return Ok(());
        }
        self.count = 0;
        if self.radius_at(field, t, y0)? * h.abs().f64() < NEAR * self.bound {
            (self.look_at, self.taken) = (FIRST_LOOK, 0);
            self.switch(false);
        }
        Ok(())
    }
}

impl<S: State, A: fmt::Debug, B: fmt::Debug> fmt::Debug for Auto<S, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auto")
            .field("explicit", &self.explicit)
            .field("implicit", &self.implicit)
            .field("stiff", &self.stiff)
            .finish_non_exhaustive()
    }
}

/// Hands a call on to the method at work.
macro_rules! hand_on {
    ($self:ident.$($call:tt)*) => {
        if $self.stiff { $self.implicit.$($call)* } else { $self.explicit.$($call)* }
    };
}

impl<S: State, A: Integrator<S>, B: Integrator<S>> Integrator<S> for Auto<S, A, B> {
    fn name(&self) -> &'static str {
        "Auto"
    }

    fn order(&self) -> Option<u32> {
        self.explicit.order().min(self.implicit.order())
    }

    fn error_order(&self) -> Option<u32> {
        hand_on!(self.error_order())
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        self.explicit.init(y0)?;
        self.implicit.init(y0)?;
        if !self.slope.as_ref().is_some_and(|s| s.same_shape(y0)) {
            self.slope = Some(y0.clone());
        }
        self.radius.restart(y0);
        self.bound = self.explicit.stability_bound().unwrap_or(f64::INFINITY);
        (self.stiff, self.count, self.switches) = (false, 0, 0);
        (self.taken, self.look_at) = (0, FIRST_LOOK);
        Ok(())
    }

    fn aim(&mut self, tol: &Tolerance<S::Elem>) {
        self.explicit.aim(tol);
        self.implicit.aim(tol);
    }

    fn prime(&mut self, slope: &S) {
        hand_on!(self.prime(slope));
    }

    fn takes_mass(&self) -> bool {
        self.implicit.takes_mass()
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.slope.is_none() {
            self.init(y0)?;
        }
        if self.stiff {
            self.look_back(field, (t, h), y0)?;
        } else if field.mass().is_some() {
            self.switch(true);
        } else if self.taken >= self.look_at {
            self.look_ahead(field, (t, h), y0)?;
        }
        self.h = h;
        hand_on!(self.step(field, t, h, y0, y1))
    }

    fn accept(&mut self, smooth: bool) {
        let near =
            !self.stiff && self.explicit.stiffness(self.h).is_some_and(|z| z.f64() > NEAR * self.bound);
        hand_on!(self.accept(smooth));
        if !self.stiff {
            self.taken += 1;
            self.count = if near { self.count + 1 } else { self.count.saturating_sub(1) };
            if self.count >= PATIENCE {
                self.switch(true);
            }
        }
    }

    fn error_norm(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        hand_on!(self.error_norm(tol, h, y0, y1))
    }

    fn judge(
        &mut self,
        tol: &Tolerance<S::Elem>,
        h: S::Elem,
        err: S::Elem,
        ends: (&S, &S),
    ) -> Option<Verdict<S::Elem>> {
        hand_on!(self.judge(tol, h, err, ends))
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> usize {
        hand_on!(self.worst_component(tol, h, y0, y1))
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        hand_on!(self.dense(field, t, h, y0, y1, out))
    }

    fn explain(&self, t: S::Elem, h: S::Elem, steps: Option<u64>) -> Option<Error> {
        hand_on!(self.explain(t, h, steps))
    }

    fn work(&self) -> Work {
        self.implicit.work()
    }
}
