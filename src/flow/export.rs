//! Solutions as arrays and files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use ndarray::{Array1, Array2};

#[cfg(feature = "npy")]
use crate::Real as _;
use crate::{Error, Result, Solution, State};

impl<S: State> Solution<S> {
    /// The times of the saved states.
    pub fn times(&self) -> Array1<S::Elem> {
        Array1::from_vec(self.t.clone())
    }

    /// The saved states, a row each: saved × components (in row-major order of the state).
    ///
    /// ```
    /// use flowfield::{Flow, field, integrate::Tsit5};
    /// let decay = field(|_t, y: &[f64; 2], dy| *dy = [-y[0], -2.0 * y[1]]);
    /// let sol = Flow::new(decay, Tsit5::new()).save_at(&[0.0, 0.5, 1.0]).solve(0.0, 1.0, [1.0, 1.0])?;
    /// let states = sol.states();
    /// assert_eq!(states.dim(), (3, 2));
    /// assert!((states[[2, 1]] - (-2.0_f64).exp()).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn states(&self) -> Array2<S::Elem> {
        let width = self.last.as_slice().len();
        Array2::from_shape_fn((self.y.len(), width), |(i, j)| self.y[i].as_slice()[j])
    }

    /// Times and states side by side: saved × (1 + components).
    pub fn table(&self) -> Array2<S::Elem> {
        let width = self.last.as_slice().len();
        let cell = |i: usize, j: usize| if j == 0 { self.t[i] } else { self.y[i].as_slice()[j - 1] };
        Array2::from_shape_fn((self.y.len(), 1 + width), |(i, j)| cell(i, j))
    }

    /// Writes [`table`](Self::table) as comma-separated values, with a header `t,y0,y1,..`; numbers in the shortest
    /// form that reads back to the same bits.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.csv(path).map_err(|e| Error::io(path, &e))
    }

    fn csv(&self, path: &Path) -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        write!(out, "t")?;
        (0..self.last.as_slice().len()).try_for_each(|i| write!(out, ",y{i}"))?;
        for (t, y) in self.t.iter().zip(&self.y) {
            write!(out, "\n{t:?}")?;
            y.as_slice().iter().try_for_each(|v| write!(out, ",{v:?}"))?;
        }
        writeln!(out)?;
        out.flush()
    }

    /// Writes [`table`](Self::table) as a NumPy array (`.npy`), in the state's number type.
    ///
    /// # Errors
    /// [`Error::Io`].
    #[cfg(feature = "npy")]
    pub fn write_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let table = self.table();
        let written = if S::Elem::EPS.f64() < 1e-10 {
            ndarray_npy::write_npy(path, &table.mapv(|v| v.f64()))
        } else {
            ndarray_npy::write_npy(path, &table.mapv(|v| v.f64() as f32))
        };
        written.map_err(|e| Error::io(path, &e))
    }
}
