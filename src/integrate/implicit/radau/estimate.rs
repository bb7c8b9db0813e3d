//! The error of a step.

use num_traits::Float as _;

use super::tableau::E;
use super::workspace::{Workspace, each};
use crate::integrate::Tolerance;
use crate::{Real, State, VectorField};

impl<S: State> Workspace<S> {
    /// The norm of the filtered error estimate `(M γ/h − J)⁻¹ (f₀ + M Σ eᵢ zᵢ / h)`.
    #[inline(always)]
    pub(super) fn estimate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
    ) -> f64 {
        let n = y0.as_slice().len();
        let inverse_h = h.recip();
        let e = E.map(|e| S::Elem::of(e) * inverse_h);
        // The stages' part stays in w's place of the residuals: f[1]; the error goes to f[0].
        let z = each(&mut self.z, n);
        let part = &mut self.f[1].as_mut_slice()[..n];
        for i in 0..n {
            part[i] = e[0] * z[0][i] + e[1] * z[1][i] + e[2] * z[2][i];
        }
        if self.system.mass().is_some() {
            let (a, b) = self.f.split_at_mut(1);
            self.system.times_mass(&b[0], &mut a[0]);
            b[0].clone_from(&a[0]);
        }
        let err = self.filter(field, true);
        if err < 1.0 || !(self.control.first || self.control.rejected) {
            return err.max(1e-10);
        }
        // Once more from a point that stiff components have left: they are over-estimated at first.
        let (error, argument) = (&self.f[0], &mut self.scratch[0]);
        let sums = y0.as_slice().iter().zip(error.as_slice());
        argument.as_mut_slice().iter_mut().zip(sums).for_each(|(a, (&y, &e))| *a = y + e);
        field.eval(t, &self.scratch[0], &mut self.f[0]);
        self.filter(field, false).max(1e-10)
    }

    /// Solves for the error with the stages' part and a slope: that of the start, or what `f[0]` holds.
    #[inline(always)]
    fn filter<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, start: bool) -> f64 {
        let [error, part, _] = &mut self.f;
        if start {
            error.clone_from(&self.slope);
        }
        error.as_mut_slice().iter_mut().zip(part.as_slice()).for_each(|(e, &p)| *e += p);
        self.system.solve(field, error);
        Tolerance::weighted(self.f[0].as_slice(), self.weights.as_slice()).f64()
    }
}
