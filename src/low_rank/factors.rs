//! A matrix plus a product of two thin ones.

use ndarray::{Array2, ArrayRef2};

use crate::linalg::{Lu, transposed};
use crate::{Error, Real, Result};

/// How the product of the factors is scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoraScale {
    /// s = 1.
    Plain,
    /// s = α / r (Hu et al., *LoRA*, 2021, section 4.1).
    Standard {
        /// α.
        alpha: f64,
    },
    /// s = α / √r (Kalajdzievski, *A rank stabilization scaling factor for fine-tuning with LoRA*, 2023).
    RankStabilized {
        /// α.
        alpha: f64,
    },
}

impl LoraScale {
    /// s for rank r.
    pub fn factor(self, rank: usize) -> f64 {
        match self {
            LoraScale::Plain => 1.0,
            LoraScale::Standard { alpha } => alpha / rank as f64,
            LoraScale::RankStabilized { alpha } => alpha / (rank as f64).sqrt(),
        }
    }

    pub(crate) fn check(self) -> Result<()> {
        let (LoraScale::Standard { alpha } | LoraScale::RankStabilized { alpha }) = self else {
            return Ok(());
        };
        Error::setting(alpha > 0.0 && alpha.is_finite(), "alpha", alpha, "it must be positive and finite")
    }
}

/// The factors of W = W₀ + s A B, with A n × r and B r × m.
///
/// As A and B flow down the gradient G = ∂L/∂W, `A' = -s G Bᵀ`, `B' = -s Aᵀ G`, they keep `AᵀA - B Bᵀ`, and W moves along
/// `-s² (G BᵀB + A Aᵀ G)`: a preconditioned gradient. Hu et al., *LoRA: low-rank adaptation of large language models*, 2021.
///
/// ```
/// use flowfield::low_rank::{LoraScale, LowRankFactors};
/// use ndarray::Array2;
/// let factors = LowRankFactors::new(Array2::<f64>::ones((4, 2)), Array2::zeros((2, 3)), LoraScale::Standard { alpha: 4.0 })?;
/// let g = Array2::ones((4, 3));
/// let (ga, gb) = factors.project_gradient(&g)?;
/// assert!(ga.iter().all(|&x| x == 0.0) && gb.iter().all(|&x| x == 8.0));   // s = 2, four rows of ones
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LowRankFactors<F> {
    /// A, n × r.
    pub a: Array2<F>,
    /// B, r × m.
    pub b: Array2<F>,
    scale: F,
}

impl<F: Real> LowRankFactors<F> {
    /// From A (n × r) and B (r × m).
    ///
    /// # Errors
    /// Ranks that differ, are 0 or above min(n, m); an α that is not positive.
    pub fn new(a: Array2<F>, b: Array2<F>, scale: LoraScale) -> Result<Self> {
        let rank = a.ncols();
        Error::shape("B", &[rank, b.ncols()], b.shape())?;
        check_rank(rank, a.nrows(), b.ncols())?;
        scale.check()?;
        Ok(LowRankFactors { a, b, scale: F::of(scale.factor(rank)) })
    }

    /// s A B.
    pub fn product(&self) -> Array2<F> {
        self.a.dot(&self.b) * self.scale
    }

    /// s.
    pub fn scale(&self) -> F {
        self.scale
    }

    /// ∂L/∂A = s G Bᵀ and ∂L/∂B = s Aᵀ G, for G = ∂L/∂W (n × m).
    ///
    /// # Errors
    /// A G of another shape.
    pub fn project_gradient(&self, g: &ArrayRef2<F>) -> Result<(Array2<F>, Array2<F>)> {
        Error::shape("G", &[self.a.nrows(), self.b.ncols()], g.shape())?;
        Ok((g.dot(&self.b.t()) * self.scale, self.a.t().dot(g) * self.scale))
    }

    /// The same for a layer Y = X W, from X (rows × n) and ∂L/∂Y (rows × m): O(rows · r (n + m)), G is never formed.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn grad_from_batch(&self, x: &ArrayRef2<F>, ybar: &ArrayRef2<F>) -> Result<(Array2<F>, Array2<F>)> {
        Error::shape("X", &[x.nrows(), self.a.nrows()], x.shape())?;
        Error::shape("dL/dY", &[x.nrows(), self.b.ncols()], ybar.shape())?;
        let ga = x.t().dot(&ybar.dot(&self.b.t()));
        let gb = x.dot(&self.a).t().dot(ybar);
        Ok((ga * self.scale, gb * self.scale))
    }

    /// AᵀA - B Bᵀ, which the gradient flow of A and B keeps.
    pub fn invariant(&self) -> Array2<F> {
        self.a.t().dot(&self.a) - self.b.dot(&self.b.t())
    }

    /// Gradients preconditioned by the other factor, `(gA (B Bᵀ + reg)⁻¹, (AᵀA + reg)⁻¹ gB)`: then W⁺ does not change when (A, B)
    /// is written as (A R, R⁻¹ B). Zhang, Pilanci, *Riemannian preconditioned LoRA*, ICML 2024.
    ///
    /// # Errors
    /// A singular r × r matrix (take reg > 0); a negative reg.
    pub fn precondition(
        &self,
        (ga, gb): (&Array2<F>, &Array2<F>),
        reg: f64,
    ) -> Result<(Array2<F>, Array2<F>)> {
        Error::setting(reg >= 0.0, "reg", reg, "it must be 0 or positive")?;
        let shift = Array2::eye(self.a.ncols()) * F::of(reg);
        let (bb, aa) = (self.b.dot(&self.b.t()) + &shift, self.a.t().dot(&self.a) + shift);
        Ok((transposed(&solve(&bb, &transposed(ga), reg)?), solve(&aa, gb, reg)?))
    }
}

/// X of A X = B.
fn solve<F: Real>(a: &Array2<F>, b: &Array2<F>, reg: f64) -> Result<Array2<F>> {
    let n = a.nrows();
    let mut lu = Lu::default();
    lu.resize(n);
    lu.matrix().iter_mut().zip(a).for_each(|(to, &from)| *to = from);
    let solvable = lu.factor(n);
    Error::setting(solvable, "reg", reg, "the factors have not full rank: it must be positive")?;
    let mut x = transposed(b);
    for mut column in x.rows_mut() {
        if let Some(column) = column.as_slice_mut() {
            lu.solve(n, column);
        }
    }
    Ok(transposed(&x))
}

/// Refuses ranks that an n × m matrix cannot have.
pub(crate) fn check_rank(rank: usize, n: usize, m: usize) -> Result<()> {
    let need = "it must be at least 1 and at most the smaller side of the matrix";
    Error::setting(rank > 0 && rank <= n.min(m), "the rank", rank as f64, need)
}
