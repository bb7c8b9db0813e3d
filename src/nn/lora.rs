//! A network seen through low-rank increments of its weights.

use std::fmt;

use ndarray::{Array1, ArrayRef1, ArrayRef2};

use super::{Network, Parameter};
use crate::low_rank::LoraScale;
use crate::rng::Rng;
use crate::{Error, Real, Result};

/// The network `x ↦ g(theta₀ + s A B, x)` whose parameters are the factors A, B of every weight matrix: LoRA.
///
/// A chart of the parameter space: the base parameters theta₀ stay, the flow moves `r (n + m)` numbers for each n × m matrix, and
/// [`merge`](Self::merge) gives back parameters of the network itself. As B starts at zero, so does the increment. Biases are
/// not moved. Hu et al., *LoRA: low-rank adaptation of large language models*, 2021.
///
/// ```
/// use flowfield::{Flow, dataset::moons, integrate::Adam, low_rank::LoraScale, matching::Matching, nn::{Lora, Mlp, Network}};
/// let net = Mlp::velocity(2, &[32, 32]);
/// let base = net.init(0);                                        // .. trained on something else
/// let lora = Lora::new(&net, &base, 2, LoraScale::Standard { alpha: 4.0 });
/// let mut phi = lora.init(1);
/// let data = moons::<f32>(500, 0.05, 0);
/// Flow::new(Matching::new(&lora, &data, 64), Adam::default()).steps(100, 1e-2, &mut phi)?;
/// let theta = lora.merge(&phi)?;
/// assert!(phi.len() < base.len() / 3 && theta != base);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Lora<'a, F: Real, N: Network<F>> {
    net: &'a N,
    base: &'a ArrayRef1<F>,
    rank: usize,
    scale: LoraScale,
    ratio: f64,
    matrices: Vec<Matrix>,
}

/// A weight matrix: its place in theta, and that of its factors in phi.
#[derive(Debug, Clone, Copy)]
struct Matrix {
    weights: usize,
    factors: usize,
    n: usize,
    m: usize,
}

impl<'a, F: Real, N: Network<F>> Lora<'a, F, N> {
    /// Increments of this rank to the weights of `base`.
    pub fn new(net: &'a N, base: &'a ArrayRef1<F>, rank: usize, scale: LoraScale) -> Self {
        let mut factors = 0;
        let layout = net.layout();
        let matrices = layout.iter().filter_map(|part| match part {
            Parameter { offset, shape, .. } if shape.len() == 2 => {
                let (n, m) = (shape[0], shape[1]);
                let matrix = Matrix { weights: *offset, factors, n, m };
                factors += rank * (n + m);
                Some(matrix)
            }
            _ => None,
        });
        let matrices = matrices.collect();
        Lora { net, base, rank, scale, ratio: 1.0, matrices }
    }

    /// LoRA+: B learns this many times as fast as A (with Adam; with plain gradient descent, the square of it).
    /// Hayou, Ghosh, Yu, *LoRA+*, ICML 2024, recommend 16.
    ///
    /// Done by writing B as `ratio · B̃`.
    #[must_use]
    pub fn plus(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// theta₀ + s A B: parameters of the network itself.
    ///
    /// # Errors
    /// A phi of another length.
    pub fn merge(&self, phi: &ArrayRef1<F>) -> Result<Array1<F>> {
        Network::check(self)?;
        let mut theta = self.base.to_owned();
        self.merge_into(self.slice(phi)?, theta.as_slice_mut().unwrap_or_default());
        Ok(theta)
    }

    /// s times the ratio of B to the numbers in phi.
    fn factor(&self) -> F {
        F::of(self.scale.factor(self.rank) * self.ratio)
    }

    fn slice<'b>(&self, phi: &'b ArrayRef1<F>) -> Result<&'b [F]> {
        Error::shape("phi", &[Network::n_params(self)], phi.shape())?;
        phi.as_slice().ok_or_else(|| Error::Layout { shape: phi.shape().to_vec() })
    }

    /// A and B of a matrix.
    fn factors<'b>(&self, of: &Matrix, phi: &'b [F]) -> (&'b [F], &'b [F]) {
        phi[of.factors..][..self.rank * (of.n + of.m)].split_at(self.rank * of.n)
    }

    fn merge_into(&self, phi: &[F], theta: &mut [F]) {
        if let Some(base) = self.base.as_slice() {
            theta.copy_from_slice(base);
        }
        for matrix in &self.matrices {
            let (a, b) = self.factors(matrix, phi);
            add_product(self.factor(), (a, b), (self.rank, matrix.m), &mut theta[matrix.weights..]);
        }
    }

    /// s (dA B + A dB), the tangent of theta.
    fn push(&self, phi: &[F], dphi: &[F], dtheta: &mut [F]) {
        dtheta.fill(F::zero());
        for matrix in &self.matrices {
            let ((a, b), (da, db)) = (self.factors(matrix, phi), self.factors(matrix, dphi));
            let out = &mut dtheta[matrix.weights..];
            add_product(self.factor(), (da, b), (self.rank, matrix.m), out);
            add_product(self.factor(), (a, db), (self.rank, matrix.m), out);
        }
    }

    /// Adds s G Bᵀ and s Aᵀ G to the cotangent of phi.
    fn pull(&self, phi: &[F], theta_bar: &[F], phi_bar: &mut [F]) {
        let (r, s) = (self.rank, self.factor());
        for &Matrix { weights, factors, n, m } in &self.matrices {
            let g = &theta_bar[weights..][..n * m];
            let (a, b) = phi[factors..][..r * (n + m)].split_at(r * n);
            let (ga, gb) = phi_bar[factors..][..r * (n + m)].split_at_mut(r * n);
            for ((g, a), ga) in g.chunks_exact(m).zip(a.chunks_exact(r)).zip(ga.chunks_exact_mut(r)) {
                let rows = b.chunks_exact(m).zip(gb.chunks_exact_mut(m));
                for ((b, gb), (&a, ga)) in rows.zip(a.iter().zip(ga)) {
                    *ga += s * g.iter().zip(b).map(|(&g, &b)| g * b).sum::<F>();
                    gb.iter_mut().zip(g).for_each(|(gb, &g)| *gb += s * a * g);
                }
            }
        }
    }
}

/// w += scale · A B with A of `rank` columns and B of `m`, all row-major.
fn add_product<F: Real>(scale: F, (a, b): (&[F], &[F]), (rank, m): (usize, usize), w: &mut [F]) {
    for (a, w) in a.chunks_exact(rank).zip(w.chunks_exact_mut(m)) {
        for (&a, b) in a.iter().zip(b.chunks_exact(m)) {
            let by = scale * a;
            w.iter_mut().zip(b).for_each(|(w, &b)| *w += by * b);
        }
    }
}

/// Workspace of a [`Lora`] network.
#[derive(Debug)]
pub struct LoraTape<F, T> {
    inner: T,
    /// theta₀ + s A B at the recorded phi.
    theta: Array1<F>,
    /// A tangent or cotangent of theta.
    other: Array1<F>,
    phi: Array1<F>,
}

impl<F: Real, N: Network<F>> Network<F> for Lora<'_, F, N> {
    type Tape = LoraTape<F, N::Tape>;

    fn inputs(&self) -> usize {
        self.net.inputs()
    }

    fn outputs(&self) -> usize {
        self.net.outputs()
    }

    fn n_params(&self) -> usize {
        self.matrices.iter().map(|w| self.rank * (w.n + w.m)).sum()
    }

    /// A rank of 0 or above the smaller side of a matrix, a scale that is not positive, a base of another length are errors.
    fn check(&self) -> Result<()> {
        self.net.check()?;
        self.scale.check()?;
        Error::shape("the base parameters", &[self.net.n_params()], self.base.shape())?;
        let good = self.ratio > 0.0 && self.ratio.is_finite();
        Error::setting(good, "LoRA+'s ratio", self.ratio, "it must be positive and finite")?;
        let most = self.matrices.iter().map(|w| w.n.min(w.m)).max().unwrap_or(0);
        let need = "it must be at least 1 and at most the smaller side of the largest weight matrix";
        Error::setting(self.rank > 0 && self.rank <= most, "the rank", self.rank as f64, need)
    }

    fn layout(&self) -> Vec<Parameter> {
        let named = self.net.layout().into_iter().filter(|part| part.shape.len() == 2).zip(&self.matrices);
        let parts = named.flat_map(|(part, w)| {
            let a = Parameter {
                name: format!("{}.a", part.name),
                offset: w.factors,
                shape: vec![w.n, self.rank],
            };
            let offset = w.factors + w.n * self.rank;
            [a, Parameter { name: format!("{}.b", part.name), offset, shape: vec![self.rank, w.m] }]
        });
        parts.collect()
    }

    /// A normal with variance 1/n, B zero.
    fn init(&self, seed: u64) -> Array1<F> {
        let mut phi = Array1::zeros(self.n_params());
        for (index, w) in self.matrices.iter().enumerate() {
            let a = &mut phi.as_slice_mut().unwrap_or_default()[w.factors..][..w.n * self.rank];
            Rng::new(seed, index as u64).fill_normal(a);
            let deviation = F::of((1.0 / w.n as f64).sqrt());
            a.iter_mut().for_each(|a| *a *= deviation);
        }
        phi
    }

    fn tape(&self, rows: usize) -> Self::Tape {
        self.around(self.net.tape(rows))
    }

    fn lean_tape(&self, rows: usize) -> Self::Tape {
        self.around(self.net.lean_tape(rows))
    }

    fn forward(
        &self,
        phi: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.record(phi, tape)?;
        self.net.forward(&tape.theta, x, y, &mut tape.inner)
    }

    /// Merges, once.
    fn pack(&self, phi: &ArrayRef1<F>, tape: &mut Self::Tape) -> Result<()> {
        self.record(phi, tape)?;
        self.net.pack(&tape.theta, &mut tape.inner)
    }

    fn forward_packed(
        &self,
        _phi: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.net.forward_packed(&tape.theta, x, y, &mut tape.inner)
    }

    fn vjp(
        &self,
        _phi: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        phi_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        let LoraTape { inner, theta, other, .. } = tape;
        other.fill(F::zero());
        let wanted = phi_bar.is_some().then_some(&mut **other);
        self.net.vjp(theta, ybar, wanted, xbar, inner)?;
        self.absorb(phi_bar, tape)
    }

    fn jvp(
        &self,
        _phi: &ArrayRef1<F>,
        dphi: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        let LoraTape { inner, theta, other, phi } = tape;
        if let (Some(dphi), Some(phi)) = (dphi, phi.as_slice()) {
            self.push(phi, self.slice(dphi)?, other.as_slice_mut().unwrap_or_default());
        }
        self.net.jvp(theta, dphi.is_some().then_some(&**other), dx, dy, inner)
    }

    fn vjp_of_jvp(
        &self,
        _phi: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        dx: &ArrayRef2<F>,
        phi_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        let LoraTape { inner, theta, other, .. } = tape;
        other.fill(F::zero());
        let wanted = phi_bar.is_some().then_some(&mut **other);
        self.net.vjp_of_jvp(theta, ybar, dx, wanted, xbar, inner)?;
        self.absorb(phi_bar, tape)
    }

    fn loss_gradient<L>(
        &self,
        phi: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        phi_bar: &mut ArrayRef1<F>,
        tape: &mut Self::Tape,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        self.record(phi, tape)?;
        let total = self.net.loss_gradient(&tape.theta, x, loss, &mut tape.other, &mut tape.inner)?;
        phi_bar.fill(F::zero());
        self.absorb(Some(phi_bar), tape)?;
        Ok(total)
    }
}

impl<F: Real, N: Network<F>> Lora<'_, F, N> {
    fn around(&self, inner: N::Tape) -> LoraTape<F, N::Tape> {
        let theta = Array1::zeros(self.net.n_params());
        LoraTape { inner, other: theta.clone(), theta, phi: Array1::zeros(self.n_params()) }
    }

    /// Merges phi on the tape.
    fn record(&self, phi: &ArrayRef1<F>, tape: &mut LoraTape<F, N::Tape>) -> Result<()> {
        let numbers = self.slice(phi)?;
        Error::shape("the base parameters", &[self.net.n_params()], self.base.shape())?;
        tape.phi.assign(phi);
        self.merge_into(numbers, tape.theta.as_slice_mut().unwrap_or_default());
        Ok(())
    }

    /// Adds what the cotangent of theta means for phi.
    fn absorb(&self, phi_bar: Option<&mut ArrayRef1<F>>, tape: &LoraTape<F, N::Tape>) -> Result<()> {
        let Some(phi_bar) = phi_bar else { return Ok(()) };
        Error::shape("the gradient", &[self.n_params()], phi_bar.shape())?;
        if let (Some(phi), Some(g), Some(out)) =
            (tape.phi.as_slice(), tape.other.as_slice(), phi_bar.as_slice_mut())
        {
            self.pull(phi, g, out);
        }
        Ok(())
    }
}

impl<F: Real, N: Network<F>> fmt::Debug for Lora<'_, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lora")
            .field("rank", &self.rank)
            .field("scale", &self.scale)
            .field("matrices", &self.matrices.len())
            .finish_non_exhaustive()
    }
}
