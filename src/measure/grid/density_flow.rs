//! The continuity equation by finite volumes.

use std::sync::Arc;

use ndarray::{Array, Dimension};

use super::cells::{Boundary, Lines};
use super::flux::{flux, rates};
use super::{FreeEnergy, Grid};
use crate::gradient::Dissipative;
use crate::{Pattern, Result, State, Structure, VectorField};

/// The Wasserstein gradient flow of a [`FreeEnergy`] as a field on densities: `∂ρ/∂t = div(ρ ∇F'(ρ))` by finite volumes.
///
/// Fluxes are Scharfetter and Gummel's (for linear diffusion those of Chang and Cooper), generalised to nonlinear diffusion:
/// second order where there is diffusion, upwind where there is none; mass is conserved to round-off, the discrete Gibbs
/// density `e^{-V/D}` is an exact equilibrium, and off-diagonal rates are never negative, so that a density stays positive
/// under implicit Euler with any step and under Euler and the SSP methods below [`stable_step`](Self::stable_step).
/// Chang and Cooper, J. Comput. Phys. 6 (1970); Scharfetter and Gummel, IEEE Trans. Electron Devices 16 (1969);
/// Bessemoulin-Chatard, Numer. Math. 121 (2012).
///
/// ```
/// use flowfield::{Flow, integrate::Rkc2, measure::{DensityFlow, FreeEnergy, Grid}};
/// let grid = Grid::line(-6.0, 6.0, 120)?;
/// let energy = FreeEnergy::new(&grid).diffusion(1.0).potential(|x| 0.5 * x[0] * x[0]);
/// let rho = grid.density(|x| (-2.0 * (x[0] - 2.0) * (x[0] - 2.0)).exp());
/// let flow = DensityFlow::new(energy);
/// let (rho, certificate) = Flow::new(flow, Rkc2::new()).tol(1e-5).solve_certified(0.0, 0.5, rho)?;
/// assert!((grid.mean(&rho, |x| x[0]) - 2.0 * (-0.5_f64).exp()).abs() < 2e-3);
/// assert!(certificate.is_monotone() && certificate.mass_drift < Some(1e-12));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DensityFlow<D: Dimension> {
    energy: FreeEnergy<D>,
    drive: Vec<f64>,
}

impl<D: Dimension> DensityFlow<D> {
    /// Of this free energy.
    pub fn new(energy: FreeEnergy<D>) -> Self {
        let drive = energy.potential.clone();
        DensityFlow { energy, drive }
    }

    /// The grid.
    pub fn grid(&self) -> &Grid<D> {
        &self.energy.grid
    }

    /// The free energy.
    pub fn free_energy(&self) -> &FreeEnergy<D> {
        &self.energy
    }

    /// The largest step below which Euler's method keeps every cell of this density positive: the inverse of the largest
    /// rate at which a cell empties.
    pub fn stable_step(&mut self, rho: &Array<f64, D>) -> f64 {
        let values: Vec<f64> = rho.iter().copied().collect();
        self.energy.drive(&values, &mut self.drive);
        let mut leaving = vec![0.0; values.len()];
        let (energy, drive) = (&self.energy, &self.drive);
        faces(&energy.grid, |from, to, h| {
            let d = energy.spreading.between(values[from], values[to]);
            let (out, back) = rates(d, drive[to] - drive[from]);
            leaving[from] += out / (h * h);
            leaving[to] += back / (h * h);
        });
        1.0 / leaving.iter().fold(0.0_f64, |m, &l| m.max(l)).max(f64::MIN_POSITIVE)
    }

    /// Adds the divergence of the fluxes; `drive` is up to date.
    fn divergence(&self, rho: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        faces(&self.energy.grid, |from, to, h| {
            let d = self.energy.spreading.between(rho[from], rho[to]);
            let j = flux(d, self.drive[to] - self.drive[from], rho[from], rho[to], h) / h;
            out[from] -= j;
            out[to] += j;
        });
    }
}

/// Calls `f(cell, next cell, width)` for every inner face, axis by axis.
#[inline(always)]
pub(crate) fn faces<D: Dimension>(grid: &Grid<D>, mut f: impl FnMut(usize, usize, f64)) {
    let joined = grid.boundary == Boundary::Periodic;
    for (axis, &h) in grid.axes().zip(&grid.width) {
        let Lines { cells, stride, lines, between } = axis;
        for line in 0..lines {
            let first = line * between;
            for i in 1..cells {
                f(first + (i - 1) * stride, first + i * stride, h);
            }
            if joined {
                f(first + (cells - 1) * stride, first, h);
            }
        }
    }
}

impl<D: Dimension> VectorField<Array<f64, D>> for DensityFlow<D> {
    fn eval(&mut self, _t: f64, rho: &Array<f64, D>, drho: &mut Array<f64, D>) {
        let values = State::as_slice(rho);
        if self.energy.interacts() {
            self.energy.drive(values, &mut self.drive);
        }
        self.divergence(values, State::as_mut_slice(drho));
    }

    /// Neighbours only, unless there is an interaction: tridiagonal on a line, sparse otherwise.
    fn structure(&mut self, _t: f64, rho: &Array<f64, D>) -> Structure {
        let grid = &self.energy.grid;
        if self.energy.interacts() {
            return Structure::Dense;
        }
        if rho.ndim() == 1 && grid.boundary == Boundary::NoFlux {
            return Structure::Banded { lower: 1, upper: 1 };
        }
        let mut places: Vec<(usize, usize)> = (0..rho.len()).map(|k| (k, k)).collect();
        faces(grid, |from, to, _| places.extend([(from, to), (to, from)]));
        Pattern::new(rho.len(), &places).map_or(Structure::Dense, |p| Structure::Sparse(Arc::new(p)))
    }

    fn check(&self, rho: &Array<f64, D>) -> Result<()> {
        self.energy.check()?;
        self.energy.grid.check(rho)
    }
}

impl<D: Dimension> Dissipative<Array<f64, D>> for DensityFlow<D> {
    fn energy(&mut self, t: f64, rho: &Array<f64, D>) -> (f64, f64) {
        let mut rate = rho.clone();
        self.eval(t, rho, &mut rate);
        let rho = State::as_slice(rho);
        // A cell without mass has no chemical potential; nor does it lose anything.
        let cells = rho.iter().zip(State::as_slice(&rate)).zip(&self.drive);
        let lost: f64 = cells
            .filter(|((r, _), _)| **r > 0.0)
            .map(|((&r, &rate), drive)| -(self.energy.spreading.slope(r) + drive) * rate)
            .sum();
        (self.energy.value_with(rho, &self.drive), lost * self.energy.grid.volume())
    }

    fn total_mass(&self, rho: &Array<f64, D>) -> Option<f64> {
        Some(self.energy.grid.mass(rho))
    }

    fn least(&self, rho: &Array<f64, D>) -> Option<f64> {
        Some(rho.iter().copied().fold(f64::INFINITY, f64::min))
    }
}
