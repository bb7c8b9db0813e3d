//! Low-storage methods: a step in two arrays, whatever the number of stages.

use std::fmt;
use std::marker::PhantomData;

use super::tableau::{Interpolant, Tableau};
use crate::integrate::{Integrator, Polynomial};
use crate::state::check_layout;
use crate::{Real, Result, State, VectorField};

/// An explicit Runge–Kutta method in Williamson's 2N form: `y` and one register `w` are all it stores.
///
/// ```text
/// w = 0;  for i in 0..S:   w ← aᵢ w + h f(t + cᵢ h, y),   y ← y + bᵢ w
/// ```
///
/// References: J. H. Williamson, J. Comput. Phys. 35 (1980) 48–56; Carpenter, Kennedy, NASA TM 109112 (1994).
#[derive(Debug, Clone, Copy)]
pub struct LowStorage<const S: usize> {
    /// The method's name.
    pub name: &'static str,
    /// Order of the solution.
    pub order: u32,
    /// What is left of the register from the stage before; `a[0]` is 0.
    pub a: [f64; S],
    /// How much of the register enters the solution.
    pub b: [f64; S],
    /// Stage times.
    pub c: [f64; S],
}

impl<const S: usize> LowStorage<S> {
    /// The same method as an ordinary tableau, with cubic Hermite values inside a step.
    pub const fn tableau(&self) -> Tableau<S> {
        let mut a = [[0.0; S]; S];
        let mut y = [0.0; S];
        let mut w = [0.0; S];
        let mut i = 0;
        while i < S {
            a[i] = y;
            let mut j = 0;
            while j < i {
                w[j] *= self.a[i];
                j += 1;
            }
            w[i] = 1.0;
            let mut j = 0;
            while j <= i {
                y[j] += self.b[i] * w[j];
                j += 1;
            }
            i += 1;
        }
        Tableau {
            name: self.name,
            order: self.order,
            embedded_order: 0,
            a,
            b: y,
            c: self.c,
            e: None,
            e3: None,
            fsal: false,
            interpolant: Interpolant::Hermite,
        }
    }
}

/// A method in 2N form as a type; implement it for an empty type to bring your own.
pub trait LowStorageMethod<const N: usize>: 'static {
    /// The numbers.
    const LOW_STORAGE: LowStorage<N>;
}

/// The low-storage method `M` with `N` stages on states of type `S`: fixed steps with one register beside the slope.
///
/// The same numbers as [`ExplicitRk`](super::ExplicitRk) with the method's tableau, but 3 states of memory instead of
/// `N + 1`, which is what counts for large states.
///
/// ```
/// use flowfield::{Flow, field, integrate::CarpenterKennedy2N};
/// let oscillator = field(|_t, y: &[f64; 2], dy| *dy = [y[1], -y[0]]);
/// let mut y = [1.0, 0.0];
/// Flow::new(oscillator, CarpenterKennedy2N::new()).steps(100, 0.01, &mut y)?;
/// assert!((y[0] - 1f64.cos()).abs() < 1e-10);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct LowStorageRk<M, S, const N: usize> {
    /// The register and the slope.
    memory: Option<[S; 2]>,
    /// Slopes at both ends, for values inside a step.
    hermite: Option<[S; 2]>,
    method: PhantomData<fn() -> M>,
}

impl<M: LowStorageMethod<N>, S: State, const N: usize> LowStorageRk<M, S, N> {
    const M: LowStorage<N> = M::LOW_STORAGE;

    /// The method, before it has seen a state.
    pub fn new() -> Self {
        LowStorageRk { memory: None, hermite: None, method: PhantomData }
    }
}

impl<M: LowStorageMethod<N>, S: State, const N: usize> Default for LowStorageRk<M, S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: LowStorageMethod<N>, S: State, const N: usize> fmt::Debug for LowStorageRk<M, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::M.name).field("stages", &N).finish_non_exhaustive()
    }
}

impl<M: LowStorageMethod<N>, S: State, const N: usize> Integrator<S> for LowStorageRk<M, S, N> {
    fn name(&self) -> &'static str {
        Self::M.name
    }

    fn order(&self) -> Option<u32> {
        Some(Self::M.order)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        if !self.memory.as_ref().is_some_and(|m| m[0].same_shape(y0)) {
            self.memory = Some([y0.clone(), y0.clone()]);
            self.hermite = None;
        }
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
        if self.memory.is_none() {
            self.init(y0)?;
        }
        let Some([w, slope]) = &mut self.memory else { return Ok(()) };
        y1.as_mut_slice().copy_from_slice(y0.as_slice());
        for i in 0..N {
            field.eval(t + S::Elem::of(Self::M.c[i]) * h, y1, slope);
            let (a, b) = (S::Elem::of(Self::M.a[i]), S::Elem::of(Self::M.b[i]));
            let register = w.as_mut_slice().iter_mut().zip(slope.as_slice());
            for (y, (w, &f)) in y1.as_mut_slice().iter_mut().zip(register) {
                // The register's contents are left over from the step before at first.
                *w = if i == 0 { h * f } else { a * *w + h * f };
                *y += b * *w;
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use crate::integrate::{CarpenterKennedy, CarpenterKennedy2N};
    use crate::{Flow, field};

    #[test]
    fn two_arrays_do_what_the_tableau_does() {
        let f = field(|t: f64, y: &[f64; 3], dy: &mut [f64; 3]| {
            *dy =
                [10.0 * (y[1] - y[0]), y[0] * (28.0 - y[2]) - y[1] + t.sin(), y[0] * y[1] - 8.0 / 3.0 * y[2]];
        });
        let (mut a, mut b) = ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]);
        Flow::new(f, CarpenterKennedy::new()).steps(100, 0.01, &mut a).unwrap();
        Flow::new(f, CarpenterKennedy2N::new()).steps(100, 0.01, &mut b).unwrap();
        a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
    }
}
