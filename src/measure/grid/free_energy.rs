//! What a density loses.

use std::fmt;

use ndarray::{Array, Dimension};

use super::Grid;
use super::cells::Boundary;
use super::flux::Spreading;
use crate::{Error, Result};

/// A free energy of densities on a grid,
///
/// ```text
/// F(ρ) = D ∫ ρ log ρ + c ∫ ρ^m / (m - 1) + ∫ V ρ + ½ ∬ W(x - y) ρ(x) ρ(y),    ρ <= κ
/// ```
///
/// whose Wasserstein gradient flow is `∂ρ/∂t = DΔρ + cΔρ^m + div(ρ∇(V + W*ρ))`.
///
/// ```
/// use flowfield::measure::{FreeEnergy, Grid};
/// let grid = Grid::line(-4.0, 4.0, 200)?;
/// let energy = FreeEnergy::new(&grid).diffusion(1.0).potential(|x| 0.5 * x[0] * x[0]);
/// let gibbs = grid.density(|x| (-0.5 * x[0] * x[0]).exp());
/// let other = grid.density(|x| (-0.5 * (x[0] - 1.0) * (x[0] - 1.0)).exp());
/// assert!(energy.value(&gibbs) < energy.value(&other));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Clone)]
pub struct FreeEnergy<D: Dimension> {
    pub(crate) grid: Grid<D>,
    pub(crate) spreading: Spreading,
    pub(crate) potential: Vec<f64>,
    /// W at all differences of cells, and the side lengths of that table; empty without interaction.
    interaction: Vec<f64>,
    pub(crate) cap: f64,
}

impl<D: Dimension> fmt::Debug for FreeEnergy<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreeEnergy")
            .field("grid", &self.grid)
            .field("spreading", &self.spreading)
            .field("interacts", &!self.interaction.is_empty())
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
}

impl<D: Dimension> FreeEnergy<D> {
    /// Nothing: F = 0.
    pub fn new(grid: &Grid<D>) -> Self {
        FreeEnergy {
            grid: grid.clone(),
            spreading: Spreading { linear: 0.0, power: 0.0, exponent: 2.0 },
            potential: vec![0.0; grid.shape.size()],
            interaction: Vec::new(),
            cap: f64::INFINITY,
        }
    }

    /// Linear diffusion D: adds `D ∫ ρ log ρ`.
    #[must_use]
    pub fn diffusion(mut self, d: f64) -> Self {
        self.spreading.linear = d;
        self
    }

    /// Nonlinear diffusion: adds `c ∫ ρ^m / (m - 1)`; m > 1 is the porous medium, m < 1 fast diffusion.
    #[must_use]
    pub fn power(mut self, c: f64, m: f64) -> Self {
        (self.spreading.power, self.spreading.exponent) = (c, m);
        self
    }

    /// A potential: adds `∫ V ρ`.
    #[must_use]
    pub fn potential(mut self, v: impl Fn(&[f64]) -> f64) -> Self {
        self.potential = self.grid.sample(v).into_iter().collect();
        self
    }

    /// An even interaction: adds `½ ∬ W(x - y) ρ ρ`. `w` gets differences of cell centres (the nearest ones on a periodic
    /// grid); where it is singular at 0, return the average over a cell.
    #[must_use]
    pub fn interaction(mut self, w: impl Fn(&[f64]) -> f64) -> Self {
        let shape = self.grid.shape.slice().to_vec();
        let axes = shape.len();
        let (n, m) = (shape[0], shape.get(1).copied().unwrap_or(1));
        let offset = |axis: usize, k: usize, cells: usize| {
            let k = k as f64 - (cells as f64 - 1.0);
            let n = cells as f64;
            let k = if self.grid.boundary == Boundary::Periodic { k - n * (k / n).round() } else { k };
            k * self.grid.width.get(axis).copied().unwrap_or(0.0)
        };
        let each = |i: usize, j: usize| w(&[offset(0, i, n), offset(1, j, m)][..axes]);
        self.interaction = (0..2 * n - 1)
            .flat_map(|i| (0..2 * m - 1).map(move |j| (i, j)))
            .map(|(i, j)| each(i, j))
            .collect();
        self
    }

    /// Congestion: ρ <= κ. For minimising movements; the finite volumes do not know it.
    #[must_use]
    pub fn cap(mut self, kappa: f64) -> Self {
        self.cap = kappa;
        self
    }

    /// Whether there is an interaction.
    pub(crate) fn interacts(&self) -> bool {
        !self.interaction.is_empty()
    }

    /// Writes `V + W * ρ`.
    pub(crate) fn drive(&self, rho: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&self.potential);
        if self.interaction.is_empty() {
            return;
        }
        let shape = self.grid.shape.slice();
        let (n, m) = (shape[0], shape.get(1).copied().unwrap_or(1));
        let volume = self.grid.volume();
        for (k, out) in out.iter_mut().enumerate() {
            let (i, j) = (k / m, k % m);
            let mut sum = 0.0;
            for p in 0..n {
                // W(i - p, j - q) over q, backwards in the table.
                let row = &self.interaction[(i + n - 1 - p) * (2 * m - 1) + j..][..m];
                let rho = &rho[p * m..][..m];
                sum += row.iter().rev().zip(rho).map(|(w, r)| w * r).sum::<f64>();
            }
            *out += volume * sum;
        }
    }

    /// F(ρ).
    pub fn value(&self, rho: &Array<f64, D>) -> f64 {
        let rho: Vec<f64> = rho.iter().copied().collect();
        let mut drive = vec![0.0; rho.len()];
        self.drive(&rho, &mut drive);
        self.value_with(&rho, &drive)
    }

    /// F(ρ), given `V + W * ρ`.
    pub(crate) fn value_with(&self, rho: &[f64], drive: &[f64]) -> f64 {
        let cells = rho.iter().zip(drive.iter().zip(&self.potential));
        let sum: f64 = cells.map(|(&r, (&d, &v))| self.spreading.energy(r) + 0.5 * r * (d + v)).sum();
        self.grid.volume() * sum
    }

    pub(crate) fn check(&self) -> Result<()> {
        let Spreading { linear, power, exponent } = self.spreading;
        let need = "it must be 0 or positive, and finite";
        Error::setting(linear >= 0.0 && linear.is_finite(), "the diffusion", linear, need)?;
        Error::setting(power >= 0.0 && power.is_finite(), "the nonlinear diffusion", power, need)?;
        let good = exponent > 0.0 && exponent != 1.0 && exponent.is_finite();
        Error::setting(
            good,
            "the exponent m",
            exponent,
            "it must be positive and not 1 (that is linear diffusion)",
        )?;
        Error::setting(self.cap > 0.0, "the largest density", self.cap, "it must be positive")?;
        for (what, table) in [("the potential", &self.potential), ("the interaction", &self.interaction)] {
            if let Some(row) = table.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite { what, row, value: table[row] });
            }
        }
        Ok(())
    }
}
