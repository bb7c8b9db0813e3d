//! What a noise is drawn from.

use super::Brownian;
use crate::rng::Rng;
use crate::{Error, Real, Result};

/// Keeps these draws apart from those of anything else that is given the same seed.
const FRESH: u64 = 0x1d8e_4e27_c47d_124f;
const COINS: u64 = 0xeb44_acca_b455_d165;

/// The random numbers behind a noise: one Brownian path, or fresh draws at every step.
#[derive(Debug, Clone, Default)]
pub enum Source {
    /// Not yet chosen.
    #[default]
    Unseeded,
    /// A [`Brownian`] path: a function of seed and time. For adaptive steps, for comparing step sizes, for adjoints.
    Path(Box<Brownian>, Vec<f64>),
    /// Draws that belong to the number of the step. Much cheaper for large states; fixed steps only.
    Fresh {
        /// The seed.
        seed: u64,
        /// The step, counted by [`redraw`](crate::VectorField::redraw).
        step: u64,
    },
}

impl Source {
    /// A path of this many motions, whose unit of time is `unit`.
    pub fn path(seed: u64, motions: usize, unit: f64) -> Self {
        Source::Path(Box::new(Brownian::new(seed, motions).unit(unit)), vec![0.0; 2 * motions])
    }

    /// Counts a step.
    pub fn redraw(&mut self) {
        if let Source::Fresh { step, .. } = self {
            *step += 1;
        }
    }

    /// Whether the increments are those of one path.
    pub fn is_path(&self) -> bool {
        matches!(self, Source::Path(..))
    }

    /// See [`Noise::increments`](super::Noise::increments).
    ///
    /// # Errors
    /// No seed; a time beyond the path.
    pub fn increments<F: Real>(&mut self, t: F, h: F, dw: &mut [F], area: Option<&mut [F]>) -> Result<()> {
        match self {
            Source::Unseeded => Err(Error::MissingSeed),
            Source::Path(path, scratch) => {
                if scratch.len() != 2 * dw.len() {
                    // A state of another size.
                    Error::shape("the Brownian motions", &[dw.len()], &[path.motions()])?;
                }
                let (w, a) = scratch.split_at_mut(dw.len());
                path.increments(t.f64(), h.f64(), w, area.is_some().then_some(&mut *a))?;
                dw.iter_mut().zip(w).for_each(|(to, from)| *to = F::of(*from));
                if let Some(area) = area {
                    area.iter_mut().zip(a).for_each(|(to, from)| *to = F::of(*from));
                }
                Ok(())
            }
            Source::Fresh { seed, step } => {
                let mut rng = Rng::new(*seed ^ FRESH, *step);
                let root = F::of(h.f64().abs().sqrt());
                dw.iter_mut().for_each(|w| *w = root * rng.normal::<F>());
                if let Some(area) = area {
                    let deviation = root * F::of((1.0_f64 / 12.0).sqrt());
                    for (a, &w) in area.iter_mut().zip(&*dw) {
                        *a = h * (F::of(0.5) * w + deviation * rng.normal::<F>());
                    }
                }
                Ok(())
            }
        }
    }

    /// See [`Noise::coins`](super::Noise::coins).
    ///
    /// # Errors
    /// No seed.
    pub fn coins<F: Real>(&self, t: F, out: &mut [f64]) -> Result<()> {
        let mut rng = match self {
            Source::Unseeded => return Err(Error::MissingSeed),
            Source::Path(path, _) => Rng::new(path.seed() ^ COINS, t.f64().to_bits()),
            Source::Fresh { seed, step } => Rng::new(*seed ^ COINS, *step),
        };
        out.iter_mut().for_each(|u| *u = rng.uniform());
        Ok(())
    }
}
