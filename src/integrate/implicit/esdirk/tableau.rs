//! Diagonally implicit Runge–Kutta methods as data.

/// A singly diagonally implicit Runge–Kutta method whose first stage is explicit:
///
/// ```text
/// Y₁ = y₀,   Yᵢ = y₀ + h Σⱼ₍ⱼ₍ᵢ aᵢⱼ kⱼ + h γ kᵢ,   kᵢ = f(t + cᵢ h, Yᵢ)      y₁ = y₀ + h Σ bᵢ kᵢ
/// ```
///
/// Of an additive pair, `f = f_stiff + f_rest`, the rest has its own weights below the diagonal, at the same times and with
/// the same `b`: `Yᵢ = y₀ + h Σⱼ (aᵢⱼ f_stiff(Yⱼ) + âᵢⱼ f_rest(Yⱼ)) + h γ f_stiff(Yᵢ)`.
#[derive(Debug, Clone, Copy)]
pub struct EsdirkTableau<const S: usize> {
    /// The method's name.
    pub name: &'static str,
    /// Order of the solution that is carried on.
    pub order: u32,
    /// γ, the diagonal of all stages but the first.
    pub gamma: f64,
    /// aᵢⱼ below the diagonal.
    pub a: [[f64; S]; S],
    /// âᵢⱼ of the part that is not stiff, for additive pairs.
    pub explicit: Option<[[f64; S]; S]>,
    /// Solution weights.
    pub b: [f64; S],
    /// Where the error estimate comes from.
    pub estimate: Estimate<S>,
    /// Weights `qᵢ` of `h Σ qᵢ kᵢ θ²(1 − θ)²`, which added to the cubic Hermite polynomial makes values inside the step of
    /// order 4.
    pub quartic: Option<[f64; S]>,
}

/// The error estimate of a method.
#[derive(Debug, Clone, Copy)]
pub enum Estimate<const S: usize> {
    /// `h Σ eᵢ kᵢ`, the difference to an embedded solution, which behaves as `h^(order + 1)`.
    Embedded {
        /// That order.
        order: u32,
        /// Error weights.
        e: [f64; S],
    },
    /// `c h³ y‴` from the slopes at the last step's start, at this one's and at the last stage, for methods of order 2.
    ThirdDerivative {
        /// The factor.
        c: f64,
    },
}

/// A diagonally implicit method as a type.
pub trait EsdirkMethod<const S: usize>: 'static {
    /// The numbers.
    const TABLEAU: EsdirkTableau<S>;
}

impl<const S: usize> EsdirkTableau<S> {
    /// cᵢ, the sum of a row.
    pub const fn time(&self, i: usize) -> f64 {
        if i == 0 {
            return 0.0;
        }
        let (mut sum, mut j) = (self.gamma, 0);
        while j < i {
            sum += self.a[i][j];
            j += 1;
        }
        sum
    }

    /// Order of the error estimate, which behaves as `h^(order + 1)`.
    pub const fn error_order(&self) -> u32 {
        match self.estimate {
            Estimate::Embedded { order, .. } => order,
            Estimate::ThirdDerivative { .. } => 2,
        }
    }

    /// Whether the last stage is the new state (stiffly accurate).
    pub const fn closes(&self) -> bool {
        let mut j = 0;
        while j + 1 < S {
            if self.b[j] != self.a[S - 1][j] {
                return false;
            }
            j += 1;
        }
        self.b[S - 1] == self.gamma
    }

    /// The stability function `R(z) = 1 + z Σ bᵢ gᵢ`, `gᵢ = (1 + z Σⱼ₍ⱼ₍ᵢ aᵢⱼ gⱼ) / (1 − γ z)`, for complex `z` as (re, im).
    pub fn stability(&self, z: (f64, f64)) -> (f64, f64) {
        let times = |a: (f64, f64), b: (f64, f64)| (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0);
        let (re, im) = (1.0 - self.gamma * z.0, -self.gamma * z.1);
        let size = re * re + im * im;
        let inverse = (re / size, -im / size);
        let mut g = [(1.0, 0.0); S];
        let sum = |weights: &[f64; S], g: &[(f64, f64)]| {
            let terms = weights.iter().zip(g);
            let sum = terms.fold((0.0, 0.0), |s, (w, g)| (s.0 + w * g.0, s.1 + w * g.1));
            let product = times(z, sum);
            (1.0 + product.0, product.1)
        };
        for i in 1..S {
            g[i] = times(inverse, sum(&self.a[i], &g[..i]));
        }
        sum(&self.b, &g)
    }

    /// `bᵢ(θ)` in the nested form of [`Interpolant`](crate::integrate::explicit::tableau::Interpolant), for a field that is
    /// not split and a method whose last stage is the new state.
    pub fn nested(&self, i: usize) -> [f64; 4] {
        let (first, last) = (f64::from(i == 0), f64::from(i + 1 == S));
        let quartic = self.quartic.map_or(0.0, |q| q[i]);
        [self.b[i], first - self.b[i], 2.0 * self.b[i] - first - last, quartic]
    }
}
