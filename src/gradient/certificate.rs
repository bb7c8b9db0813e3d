//! What a gradient-flow run says about itself.

/// The account of a gradient-flow run: what it lost, where that went, and what it should have kept.
///
/// In continuous time `E(0) - E(T) = ∫ dissipation dt` exactly; how far a run is from that is its [`identity_gap`](Self::identity_gap).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Certificate {
    /// (time, energy) at the start and after every step.
    pub energy: Vec<(f64, f64)>,
    /// `∫ dissipation dt`; for minimising movements the sum of `distance² / (2τ)`.
    pub dissipated: f64,
    /// `|E(T) - E(0) + dissipated| / |E(T) - E(0)|`; absolute where the energy did not change.
    pub identity_gap: f64,
    /// Largest relative change of the mass, for states that have one.
    pub mass_drift: Option<f64>,
    /// The least density or weight met, for states that have one.
    pub least_density: Option<f64>,
    /// Steps taken.
    pub steps: u64,
    /// Evaluations of the field, or inner iterations of a minimising movement.
    pub iterations: u64,
    /// How it went.
    pub status: Status,
}

/// How a gradient-flow run went.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Status {
    /// The energy never rose by more than round-off.
    Monotone,
    /// The energy rose: the step is too large, or what moves is not a gradient flow.
    Rose {
        /// Time at the end of the worst step.
        t: f64,
        /// By how much.
        by: f64,
    },
}

impl Certificate {
    /// The last energy.
    pub fn energy_end(&self) -> f64 {
        self.energy.last().map_or(f64::NAN, |e| e.1)
    }

    /// Whether the energy never rose by more than round-off.
    pub fn is_monotone(&self) -> bool {
        self.status == Status::Monotone
    }
}

/// A certificate in the making.
#[derive(Debug)]
pub(crate) struct Ledger {
    energy: Vec<(f64, f64)>,
    dissipated: f64,
    mass: Option<f64>,
    drift: Option<f64>,
    least: Option<f64>,
}

impl Ledger {
    /// Starts with this energy, mass and least density.
    pub(crate) fn open(t: f64, energy: f64, mass: Option<f64>, least: Option<f64>) -> Self {
        Ledger { energy: vec![(t, energy)], dissipated: 0.0, mass, drift: mass.map(|_| 0.0), least }
    }

    /// Enters a step that ended here and dissipated that much.
    pub(crate) fn enter(
        &mut self,
        (t, energy): (f64, f64),
        lost: f64,
        mass: Option<f64>,
        least: Option<f64>,
    ) {
        self.energy.push((t, energy));
        self.dissipated += lost;
        if let (Some(m0), Some(m), Some(drift)) = (self.mass, mass, &mut self.drift) {
            *drift = drift.max((m - m0).abs() / m0.abs().max(f64::MIN_POSITIVE));
        }
        if let (Some(least), Some(l)) = (&mut self.least, least) {
            *least = least.min(l);
        }
    }

    /// The certificate; `round_off`: a rise relative to the largest energy that means nothing.
    pub(crate) fn close(self, iterations: u64, round_off: f64) -> Certificate {
        let size = self.energy.iter().fold(0.0_f64, |m, e| m.max(e.1.abs()));
        let rises = self.energy.windows(2).map(|w| (w[1].0, w[1].1 - w[0].1));
        let (t, by) = rises.fold((0.0, 0.0), |worst, r| if r.1 > worst.1 { r } else { worst });
        let rose = by > round_off * size;
        let change = self.energy.last().map_or(0.0, |e| e.1) - self.energy[0].1;
        let gap = (change + self.dissipated).abs();
        Certificate {
            steps: self.energy.len() as u64 - 1,
            dissipated: self.dissipated,
            identity_gap: if change == 0.0 { gap } else { gap / change.abs() },
            mass_drift: self.drift,
            least_density: self.least,
            iterations,
            status: if rose { Status::Rose { t, by } } else { Status::Monotone },
            energy: self.energy,
        }
    }
}
