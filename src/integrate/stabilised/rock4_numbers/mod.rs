//! Numbers of ROCK4: for each degree of the recurrence, its coefficients and those of the last four stages.
//!
//! Of the 50 degrees that the author gives, those that lie at most a quarter apart.

pub(super) mod high;
pub(super) mod low;

/// One member of the family.
pub(super) struct Degree {
    /// Stages of the recurrence.
    pub(super) m: usize,
    /// `a₂₁, a₃₁, a₃₂, a₄₁, a₄₂, a₄₃` of the last four stages.
    pub(super) a: [f64; 6],
    /// Their weights.
    pub(super) b: [f64; 4],
    /// Weights of the embedded solution, that of `f(t + h, y₁)` last.
    pub(super) e: [f64; 5],
    /// `μ₁`, then `μⱼ, κⱼ` for `j = 2, .., m`.
    pub(super) recurrence: &'static [f64],
}

/// All members, by growing number of stages.
pub(super) fn degrees() -> impl Iterator<Item = &'static Degree> {
    low::DEGREES.iter().chain(&high::DEGREES)
}
