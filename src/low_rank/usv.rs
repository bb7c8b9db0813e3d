//! A matrix of low rank as U S Vᵀ.

use ndarray::{Array2, ArrayRef2, s};

use super::factors::check_rank;
use crate::linalg::{qr, svd, transposed};
use crate::{Error, Real, Result};

/// W = U S Vᵀ with U (n × r) and V (m × r) orthonormal and S r × r, not necessarily diagonal.
///
/// ```
/// use flowfield::low_rank::LowRank;
/// let w = ndarray::array![[3.0, 0.0], [0.0, 1e-3], [0.0, 0.0]];
/// let rank_one = LowRank::from_svd(&w, 1)?;
/// assert!((rank_one.to_dense() - w).iter().all(|d: &f64| d.abs() < 1.1e-3));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LowRank<F> {
    /// U, n × r.
    pub u: Array2<F>,
    /// S, r × r.
    pub s: Array2<F>,
    /// V, m × r.
    pub v: Array2<F>,
}

/// Which singular values are dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truncation {
    /// The Euclidean norm of what is dropped is at most this fraction of the norm of all.
    pub relative: f64,
    /// .. or at most this.
    pub absolute: f64,
    /// No more than this many are kept, whatever the norms.
    pub max_rank: usize,
}

impl Truncation {
    pub(super) fn check(&self) -> Result<()> {
        for (what, tol) in
            [("the relative truncation", self.relative), ("the absolute truncation", self.absolute)]
        {
            Error::setting(tol >= 0.0 && tol.is_finite(), what, tol, "it must be 0 or positive, and finite")?;
        }
        Error::setting(self.max_rank > 0, "max_rank", 0.0, "it must be at least 1")
    }

    /// How many of the falling singular values stay, at least one.
    fn keep<F: Real>(&self, sigma: &[F]) -> usize {
        let square = |s: &F| s.f64() * s.f64();
        let limit = (self.relative * sigma.iter().map(square).sum::<f64>().sqrt()).max(self.absolute);
        let (mut tail, mut keep) = (0.0, sigma.len());
        while keep > 1 && (tail + square(&sigma[keep - 1])).sqrt() <= limit {
            tail += square(&sigma[keep - 1]);
            keep -= 1;
        }
        keep.min(self.max_rank)
    }
}

impl<F: Real> LowRank<F> {
    /// The best approximation of rank r to a matrix (Eckart–Young).
    ///
    /// # Errors
    /// A rank of 0 or above the smaller side of w; numbers that are not finite.
    pub fn from_svd(w: &ArrayRef2<F>, rank: usize) -> Result<Self> {
        check_rank(rank, w.nrows(), w.ncols())?;
        if let Some(((row, _), value)) = w.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NotFinite { what: "the matrix", row, value: value.f64() });
        }
        let (u, sigma, v) = svd(&w.to_owned());
        let cut = |m: Array2<F>| m.slice(s![.., ..rank]).to_owned();
        Ok(LowRank { u: cut(u), s: Array2::from_diag(&sigma.slice(s![..rank])), v: cut(v) })
    }

    /// W.
    pub fn to_dense(&self) -> Array2<F> {
        self.u.dot(&self.s).dot(&self.v.t())
    }

    /// r.
    pub fn rank(&self) -> usize {
        self.s.nrows()
    }

    /// K = U S.
    pub(super) fn left(&self) -> Array2<F> {
        self.u.dot(&self.s)
    }

    /// Lᵀ = S Vᵀ.
    pub(super) fn right(&self) -> Array2<F> {
        self.s.dot(&self.v.t())
    }

    /// The same matrix from K = U S and V.
    pub(super) fn from_left(k: &Array2<F>, v: Array2<F>) -> Self {
        let (u, s) = qr(k);
        LowRank { u, s, v }
    }

    /// The same matrix from U and Lᵀ = S Vᵀ.
    pub(super) fn from_right(u: Array2<F>, lt: &Array2<F>) -> Self {
        let (v, r) = qr(&transposed(lt));
        LowRank { u, s: transposed(&r), v }
    }

    /// Drops small singular values.
    pub(super) fn truncate(&self, by: &Truncation) -> Self {
        let (p, sigma, q) = svd(&self.s);
        let keep = by.keep(sigma.as_slice().unwrap_or_default());
        LowRank {
            u: self.u.dot(&p.slice(s![.., ..keep])),
            s: Array2::from_diag(&sigma.slice(s![..keep])),
            v: self.v.dot(&q.slice(s![.., ..keep])),
        }
    }
}
