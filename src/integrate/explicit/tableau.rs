//! A Runge–Kutta method is data: the Butcher tableau, its error weights and its interpolant.

/// An explicit Runge–Kutta method with `S` stages.
///
/// ```text
/// kᵢ = f(t + cᵢ h, y₀ + h Σⱼ₍ⱼ₍ᵢ aᵢⱼ kⱼ)      y₁ = y₀ + h Σᵢ bᵢ kᵢ      error ≈ h Σᵢ eᵢ kᵢ,  e = b − b̂
/// ```
///
/// Source of the notation: Hairer, Nørsett, Wanner, *Solving Ordinary Differential Equations I*, II.1 and II.4.
#[derive(Debug, Clone, Copy)]
pub struct Tableau<const S: usize> {
    /// The method's name, as its users call it.
    pub name: &'static str,
    /// Order of the solution that is carried on.
    pub order: u32,
    /// Order of the embedded solution behind the error estimate (of the lower one, if there are two); 0 without one.
    pub embedded_order: u32,
    /// Stage weights, strictly lower triangular; the last row equals `b` if `fsal`.
    pub a: [[f64; S]; S],
    /// Solution weights.
    pub b: [f64; S],
    /// Stage times.
    pub c: [f64; S],
    /// Error weights `b − b̂`, if the method has an embedded solution.
    pub e: Option<[f64; S]>,
    /// Weights of a second, third-order estimate, combined with the first as DOP853 does:
    /// `err = |h| e₅² / √(e₅² + e₃²/100)` (HNW II.10).
    pub e3: Option<[f64; S]>,
    /// First same as last: the last stage is `f(t + h, y₁)` and serves as the next step's first.
    pub fsal: bool,
    /// Values inside the step.
    pub interpolant: Interpolant,
}

impl<const S: usize> Tableau<S> {
    /// The stability function `R(z) = 1 + z Σ bᵢ gᵢ`, `gᵢ = 1 + z Σ aᵢⱼ gⱼ`, for real `z`.
    pub fn stability(&self, z: f64) -> f64 {
        let mut g = [1.0; S];
        for i in 0..S {
            let sum: f64 = (0..i).map(|j| self.a[i][j] * g[j]).sum();
            g[i] = 1.0 + z * sum;
        }
        1.0 + z * self.b.iter().zip(&g).map(|(b, g)| b * g).sum::<f64>()
    }

    /// The largest `x` so that `|R(−x)| ≤ 1` from 0 to there, to two digits.
    pub fn real_stability(&self) -> f64 {
        let stable = |x: f64| self.stability(-x).abs() <= 1.0 + 1e-9;
        (1..2000).map(|i| 0.01 * f64::from(i)).take_while(|&x| stable(x)).last().unwrap_or(0.0)
    }

    /// Order `q` of the error estimate, which behaves as `h^(q+1)`.
    pub const fn error_order(&self) -> u32 {
        // DOP853 combines a fifth- and a third-order estimate to one that behaves as h^8.
        if self.e3.is_some() { self.order - 1 } else { self.embedded_order }
    }
}

/// Runs a body for stage numbers 1.. below `$n`, each a constant, so that every stage is straight-line code.
macro_rules! unrolled {
    ($n:ident, $stage:ident => $body:expr) => {
        unrolled!($n, $stage => $body; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    ($n:ident, $stage:ident => $body:expr; $($i:literal)*) => { $( if $i < $n { const $stage: usize = $i; $body } )* };
}
pub(crate) use unrolled;

/// A row of weights for stage `i`; empty beyond the method's stages (such stages are never run).
pub(crate) const fn row<const N: usize>(a: &[[f64; N]; N], i: usize) -> [f64; N] {
    if i < N { a[i] } else { [0.0; N] }
}

/// How a method gives values inside its steps.
#[derive(Debug, Clone, Copy)]
pub enum Interpolant {
    /// Cubic Hermite from values and slopes at both ends (order 3).
    Hermite,
    /// `y(t + θh) = y₀ + h Σᵢ bᵢ(θ) kᵢ`, where [`Interpolant::weight`] of `nested[i]` is `bᵢ(θ)`.
    Polynomial {
        /// Order of the interpolated values (global error h^order).
        order: u32,
        /// A row per stage, first the method's `S`, then the extra ones; missing numbers at a row's end are zero.
        nested: &'static [&'static [f64]],
        /// Stages evaluated only when values inside a step are wanted.
        extra: &'static [ExtraStage],
    },
}

impl Interpolant {
    /// `bᵢ(θ)` from a stage's row of nested coefficients, with `θ̄ = 1 − θ`:
    ///
    /// ```text
    /// b(θ) = θ (w₀ + θ̄ (w₁ + θ (w₂ + θ̄ (w₃ + …))))
    /// ```
    ///
    /// Dense output has stood in this form since `DOPRI5` and `DOP853`. It costs what Horner's rule costs; but powers of
    /// `θ` have large coefficients that cancel, and lose three more digits in methods of high order. Both ends are exact:
    /// `b(1) = w₀`, `b′(0) = w₀ + w₁`.
    ///
    /// ```
    /// use flowfield::integrate::explicit::tableau::Interpolant;
    ///
    /// let row = [1.0, 1.0]; // θ (1 + θ̄) = 2θ − θ²
    /// assert_eq!(Interpolant::weight(&row, 0.5), 0.75);
    /// assert_eq!(Interpolant::slope(&row, 0.5), 1.0);
    /// ```
    pub fn weight(row: &[f64], theta: f64) -> f64 {
        row.iter().enumerate().rev().fold(0.0, |b, (k, w)| (b + w) * factor(k, theta).0)
    }

    /// `bᵢ′(θ)`, for the slope `y′(t + θh) = Σᵢ bᵢ′(θ) kᵢ`.
    pub fn slope(row: &[f64], theta: f64) -> f64 {
        let step = |(b, slope): (f64, f64), (k, w): (usize, &f64)| {
            let (factor, sign) = factor(k, theta);
            ((b + w) * factor, slope * factor + (b + w) * sign)
        };
        row.iter().enumerate().rev().fold((0.0, 0.0), step).1
    }
}

/// `θ` or `1 − θ`, whichever multiplies the `k`-th bracket, and its derivative.
fn factor(k: usize, theta: f64) -> (f64, f64) {
    if k.is_multiple_of(2) { (theta, 1.0) } else { (1.0 - theta, -1.0) }
}

/// A stage that only the interpolant needs; it may use all stages before it (the method's, then extra ones).
#[derive(Debug, Clone, Copy)]
pub struct ExtraStage {
    /// Time within the step.
    pub c: f64,
    /// Weights of the stages before it; missing numbers at the end are zero.
    pub a: &'static [f64],
}

/// A method as a type, so that the compiler knows its numbers and unrolls its stages.
///
/// Implement it for an empty type to bring your own method; see [`ExplicitRk`](super::ExplicitRk).
pub trait Method<const S: usize>: 'static {
    /// The numbers.
    const TABLEAU: Tableau<S>;
}

/// Stage weights from their lower triangle: row `i` holds at most `i` numbers, missing ones are zero.
///
/// ```
/// use flowfield::integrate::explicit::tableau::lower;
///
/// const A: [[f64; 3]; 3] = lower([&[], &[0.5], &[-1.0, 2.0]]);
/// assert_eq!(A, [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [-1.0, 2.0, 0.0]]);
/// ```
///
/// A row that is too long does not compile.
///
/// ```compile_fail
/// # use flowfield::integrate::explicit::tableau::lower;
/// const A: [[f64; 2]; 2] = lower([&[0.5], &[0.5]]);
/// ```
pub const fn lower<const S: usize>(rows: [&[f64]; S]) -> [[f64; S]; S] {
    let mut a = [[0.0; S]; S];
    let mut i = 0;
    while i < S {
        assert!(rows[i].len() <= i, "an explicit stage uses earlier stages only");
        let mut j = 0;
        while j < rows[i].len() {
            a[i][j] = rows[i][j];
            j += 1;
        }
        i += 1;
    }
    a
}
