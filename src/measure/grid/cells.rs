//! A grid of cells on an interval or a rectangle.

use ndarray::{Array, Dimension, Ix1, Ix2};

use crate::{Error, Result};

/// What happens at the ends of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Boundary {
    /// Nothing leaves: the flux through the boundary is zero.
    #[default]
    NoFlux,
    /// The ends are joined.
    Periodic,
}

/// Equal cells on an interval (`D = Ix1`) or a rectangle (`D = Ix2`); densities are arrays of one number a cell.
///
/// ```
/// use flowfield::measure::Grid;
/// let grid = Grid::line(-6.0, 6.0, 300)?;
/// let rho = grid.density(|x| (-0.5 * x[0] * x[0]).exp());              // normalised to mass 1
/// assert!((grid.mass(&rho) - 1.0).abs() < 1e-14);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid<D: Dimension> {
    pub(crate) low: Vec<f64>,
    pub(crate) width: Vec<f64>,
    pub(crate) shape: D,
    pub(crate) boundary: Boundary,
}

impl Grid<Ix1> {
    /// `cells` cells on [low, high].
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than two cells or an interval without length.
    pub fn line(low: f64, high: f64, cells: usize) -> Result<Self> {
        let width = vec![width(low, high, cells)?];
        Ok(Grid { low: vec![low], width, shape: ndarray::Dim(cells), boundary: Boundary::NoFlux })
    }
}

impl Grid<Ix2> {
    /// Cells on a rectangle: (low, high, cells) along the first axis of a density, then along the second.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than two cells or an interval without length, along either axis.
    pub fn plane(first: (f64, f64, usize), second: (f64, f64, usize)) -> Result<Self> {
        let width = vec![width(first.0, first.1, first.2)?, width(second.0, second.1, second.2)?];
        let shape = ndarray::Dim((first.2, second.2));
        Ok(Grid { low: vec![first.0, second.0], width, shape, boundary: Boundary::NoFlux })
    }
}

fn width(low: f64, high: f64, cells: usize) -> Result<f64> {
    Error::setting(
        cells >= 2,
        "the number of cells",
        cells as f64,
        "a grid needs at least 2 along each axis",
    )?;
    let good = high > low && (high - low).is_finite();
    Error::setting(good, "the length of the grid", high - low, "it must be positive and finite")?;
    Ok((high - low) / cells as f64)
}

impl<D: Dimension> Grid<D> {
    /// With the ends joined.
    #[must_use]
    pub fn periodic(mut self) -> Self {
        self.boundary = Boundary::Periodic;
        self
    }

    /// Length or area of a cell.
    pub fn volume(&self) -> f64 {
        self.width.iter().product()
    }

    /// Widths of a cell along each axis.
    pub fn width(&self) -> &[f64] {
        &self.width
    }

    /// The centre of cell `k` in row-major order: its coordinates, the second being 0 on a line.
    pub fn centre(&self, k: usize) -> [f64; 2] {
        let shape = self.shape.slice();
        let at = |axis: usize, i: usize| self.low[axis] + (i as f64 + 0.5) * self.width[axis];
        if shape.len() == 1 { [at(0, k), 0.0] } else { [at(0, k / shape[1]), at(1, k % shape[1])] }
    }

    /// A function at the cells' centres.
    pub fn sample(&self, f: impl Fn(&[f64]) -> f64) -> Array<f64, D> {
        let axes = self.shape.ndim();
        let mut k = 0;
        Array::from_shape_simple_fn(self.shape.clone(), || {
            k += 1;
            f(&self.centre(k - 1)[..axes])
        })
    }

    /// A function at the cells' centres, normalised to mass 1.
    pub fn density(&self, f: impl Fn(&[f64]) -> f64) -> Array<f64, D> {
        let rho = self.sample(f);
        let mass = self.mass(&rho);
        rho / mass
    }

    /// The mass of a density.
    pub fn mass(&self, rho: &Array<f64, D>) -> f64 {
        rho.sum() * self.volume()
    }

    /// The integral of a function against a density.
    pub fn mean(&self, rho: &Array<f64, D>, f: impl Fn(&[f64]) -> f64) -> f64 {
        let axes = self.shape.ndim();
        rho.iter().enumerate().map(|(k, r)| r * f(&self.centre(k)[..axes])).sum::<f64>() * self.volume()
    }

    /// `∫ |ρ - σ|`.
    pub fn l1(&self, rho: &Array<f64, D>, other: &Array<f64, D>) -> f64 {
        rho.iter().zip(other).map(|(a, b)| (a - b).abs()).sum::<f64>() * self.volume()
    }

    /// Refuses densities of another shape, with negative or non-finite values, or without mass.
    pub(crate) fn check(&self, rho: &Array<f64, D>) -> Result<()> {
        Error::shape("the density", self.shape.slice(), rho.shape())?;
        if let Some((row, &value)) = rho.iter().enumerate().find(|(_, r)| !(**r >= 0.0 && r.is_finite())) {
            return Err(Error::Weight { what: "the cells of the density", row, value });
        }
        let mass = self.mass(rho);
        Error::setting(mass > 0.0, "the mass", mass, "it must be positive")
    }

    /// (cells, lines) along an axis: how many cells a line has, how far apart they lie in memory, and where lines start.
    pub(crate) fn axes(&self) -> impl Iterator<Item = Lines> + use<D> {
        let line = |cells, stride, lines, between| Some(Lines { cells, stride, lines, between });
        let axes = match *self.shape.slice() {
            [n] => [line(n, 1, 1, n), None],
            [n, m] => [line(n, m, m, 1), line(m, 1, n, m)],
            _ => [None, None],
        };
        axes.into_iter().flatten()
    }
}

/// The lines of cells along one axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines {
    pub(crate) cells: usize,
    /// Distance in memory from a cell to the next of its line.
    pub(crate) stride: usize,
    pub(crate) lines: usize,
    /// Distance in memory between the first cells of lines.
    pub(crate) between: usize,
}
