//! The one loop that runs every list of kicks and drifts.

use std::fmt;
use std::marker::PhantomData;

use crate::halves::{check_halves, halves, halves_mut};
use crate::integrate::{Integrator, Polynomial};
use crate::state::check_layout;
use crate::{Half, Real, Result, State, VectorField};

/// A splitting method as data: kick `kicks[0]`, drift `drifts[0]`, kick `kicks[1]`, and so on, each times `h`.
///
/// A zero stands for "nothing to do here" and costs nothing. Each list sums to 1.
#[derive(Debug, Clone, Copy)]
pub struct Splitting {
    /// The method's name, as its users call it.
    pub name: &'static str,
    /// Order of convergence.
    pub order: u32,
    /// How far momenta move.
    pub kicks: &'static [f64],
    /// How far positions move; as many numbers as `kicks`.
    pub drifts: &'static [f64],
}

impl Splitting {
    /// Whether the step of `-h` undoes that of `h`: the sequence of kicks and drifts reads the same from both ends.
    pub fn is_symmetric(&self) -> bool {
        let moves: Vec<(bool, f64)> = (self.kicks.iter().zip(self.drifts))
            .flat_map(|(&b, &a)| [(true, b), (false, a)])
            .filter(|m| m.1 != 0.0)
            .collect();
        moves.iter().zip(moves.iter().rev()).all(|(x, y)| x.0 == y.0 && (x.1 - y.1).abs() < 1e-15)
    }
}

/// A splitting method as a type; implement it for an empty type to bring your own.
pub trait SplittingMethod: 'static {
    /// The numbers.
    const SPLITTING: Splitting;
}

/// The symplectic method `M` on states `(q, p)` of type `S`; fixed steps only. See [the module](super).
///
/// ```
/// use flowfield::{Flow, field, integrate::StormerVerlet};
/// let oscillator = field(|_t, y: &[f64; 2], dy| *dy = [y[1], -y[0]]);
/// let mut y = [1.0, 0.0];
/// Flow::new(oscillator, StormerVerlet::new()).steps(100_000, 0.1, &mut y)?;
/// assert!((y[0] * y[0] + y[1] * y[1] - 1.0).abs() < 0.003);     // no drift after 1592 periods
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Symplectic<M, S> {
    /// The last evaluated slopes, a half each, and for which half they hold at the start of the coming step.
    slope: Option<S>,
    ready: Ready,
    /// The same at the end of the step just taken.
    end: Ready,
    /// Whole slopes at both ends of a step, for values inside it.
    hermite: Option<[S; 2]>,
    method: PhantomData<fn() -> M>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ready {
    positions: bool,
    momenta: bool,
}

impl<M: SplittingMethod, S: State> Symplectic<M, S> {
    const M: Splitting = M::SPLITTING;

    /// The method, before it has seen a state.
    pub fn new() -> Self {
        let none = Ready::default();
        Symplectic { slope: None, ready: none, end: none, hermite: None, method: PhantomData }
    }
}

impl<M: SplittingMethod, S: State> Default for Symplectic<M, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: SplittingMethod, S: State> fmt::Debug for Symplectic<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::M.name).finish_non_exhaustive()
    }
}

impl<M: SplittingMethod, S: State> Integrator<S> for Symplectic<M, S> {
    fn name(&self) -> &'static str {
        Self::M.name
    }

    fn order(&self) -> Option<u32> {
        Some(Self::M.order)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        check_halves(y0)?;
        if !self.slope.as_ref().is_some_and(|s| s.same_shape(y0)) {
            self.slope = Some(y0.clone());
            self.hermite = None;
        }
        (self.ready, self.end) = (Ready::default(), Ready::default());
        Ok(())
    }

    #[inline(always)]
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
        let Some(slope) = &mut self.slope else { return Ok(()) };
        let mut ready = std::mem::take(&mut self.ready);
        y1.as_mut_slice().copy_from_slice(y0.as_slice());
        // Time is a further position for the force and a further momentum for the velocity, so that a field that
        // depends on time keeps the order.
        let (mut drifted, mut kicked) = (0.0, 0.0);
        for (&b, &a) in Self::M.kicks.iter().zip(Self::M.drifts) {
            if b != 0.0 {
                if !ready.momenta {
                    field.eval_half(Half::Momenta, t + S::Elem::of(drifted) * h, y1, slope);
                }
                advance(halves_mut(y1).1, h * S::Elem::of(b), halves(slope).1);
                kicked += b;
                ready = Ready { positions: false, momenta: true };
            }
            if a != 0.0 {
                if !ready.positions {
                    field.eval_half(Half::Positions, t + S::Elem::of(kicked) * h, y1, slope);
                }
                advance(halves_mut(y1).0, h * S::Elem::of(a), halves(slope).0);
                drifted += a;
                ready = Ready { positions: true, momenta: false };
            }
        }
        self.end = ready;
        Ok(())
    }

    #[inline(always)]
    fn accept(&mut self, smooth: bool) {
        self.ready = if smooth { self.end } else { Ready::default() };
        self.end = Ready::default();
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
        let [f0, f1] = self.hermite.get_or_insert_with(|| [y0.clone(), y0.clone()]);
        field.eval(t, y0, f0);
        field.eval(t + h, y1, f1);
        out.hermite(t, h, (y0.as_slice(), f0.as_slice()), (y1.as_slice(), f1.as_slice()));
        Ok(())
    }
}

#[inline(always)]
fn advance<F: Real>(y: &mut [F], step: F, slope: &[F]) {
    y.iter_mut().zip(slope).for_each(|(y, &s)| *y += step * s);
}
