//! The mixtures of narrow Gaussians that GANs are tried on, and how well samples cover them.

use std::f64::consts::FRAC_PI_4;

use flowfield::Result;
use flowfield::dataset::{eight_gaussians, grid_gaussians};
use flowfield::metric::modes;
use flowfield::transport::{PointCost, exact, uniform};
use ndarray::{Array2, s};

/// Centres, standard deviation and samples of a mixture.
pub struct Mixture {
    pub centres: Array2<f32>,
    pub std: f64,
    /// What W2 is measured in: the spacing of a grid, the radius of a ring.
    unit: f64,
    pub data: Array2<f32>,
    /// Other samples, to measure with.
    fresh: [Array2<f32>; 2],
}

/// How many samples W2 is measured with.
const PAIRS: usize = 2000;

impl Mixture {
    /// 25 on a grid of spacing 1, standard deviation 1/40.
    pub fn grid() -> Mixture {
        let draw = |n, seed| grid_gaussians(n, 5, 1.0, 0.025, seed);
        let centre = |i: usize, axis: usize| (if axis == 0 { i % 5 } else { i / 5 }) as f32 - 2.0;
        let centres = Array2::from_shape_fn((25, 2), |(i, axis)| centre(i, axis));
        Mixture {
            centres,
            std: 0.025,
            unit: 1.0,
            data: draw(100_000, 900),
            fresh: [draw(PAIRS, 901), draw(PAIRS, 902)],
        }
    }

    /// 8 on a ring, standard deviation a hundredth of the radius.
    pub fn ring(radius: f64) -> Mixture {
        let draw = |n, seed| eight_gaussians(n, radius, 0.01 * radius, seed);
        let centres = Array2::from_shape_fn((8, 2), |(k, axis)| {
            let (sin, cos) = (k as f64 * FRAC_PI_4).sin_cos();
            (radius * if axis == 0 { cos } else { sin }) as f32
        });
        let fresh = [draw(PAIRS, 901), draw(PAIRS, 902)];
        Mixture { centres, std: 0.01 * radius, unit: radius, data: draw(100_000, 900), fresh }
    }

    pub fn measure(&self, x: &Array2<f32>) -> Result<Quality> {
        let found = modes(x, &self.centres, self.std)?;
        Ok(Quality {
            captured: found.captured(0.2, x.nrows()),
            any: found.captured(0.0, x.nrows()),
            of: self.centres.nrows(),
            high_quality: found.high_quality,
            w2: w2(&x.slice(s![..PAIRS.min(x.nrows()), ..]).to_owned(), &self.fresh[0])? / self.unit,
        })
    }

    /// Mean distance of samples to the nearest centre.
    pub fn distance(&self, x: &Array2<f32>) -> f64 {
        let nearest = |x: ndarray::ArrayView1<'_, f32>| {
            let all = self.centres.rows().into_iter().map(|c| (x[0] - c[0]).hypot(x[1] - c[1]));
            f64::from(all.fold(f32::INFINITY, f32::min))
        };
        x.rows().into_iter().map(nearest).sum::<f64>() / x.nrows() as f64
    }

    /// W2 between two samples of the mixture itself: what a perfect generator would be measured at.
    pub fn floor(&self) -> Result<f64> {
        Ok(w2(&self.fresh[1], &self.fresh[0])? / self.unit)
    }
}

fn w2(x: &Array2<f32>, y: &Array2<f32>) -> Result<f64> {
    let cost = PointCost::squared_euclidean(x, y)?;
    Ok(exact(&cost, &uniform::<f64>(x.nrows()), &uniform(y.nrows()))?.cost.max(0.0).sqrt())
}

/// How well samples cover a mixture.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// Modes with at least a fifth of their fair share, and with at least one sample.
    pub captured: usize,
    pub any: usize,
    pub of: usize,
    /// Share of samples within three standard deviations of a centre.
    pub high_quality: f64,
    pub w2: f64,
}

impl Quality {
    pub const HEADER: &str = "    modes |  any | high quality |     W2";

    pub fn row(&self) -> String {
        let of = self.of;
        format!(
            "{:>6}/{of} | {:>4} | {:>10.1} % | {:>6.3}",
            self.captured,
            self.any,
            100.0 * self.high_quality,
            self.w2
        )
    }

    pub fn json(&self) -> String {
        format!(
            "\"modes\":{},\"modes_any\":{},\"hq_ratio\":{:.4},\"w2\":{:.4}",
            self.captured, self.any, self.high_quality, self.w2
        )
    }
}

/// Rows as points of a picture.
pub fn points(x: &Array2<f32>) -> Vec<(f64, f64)> {
    x.rows().into_iter().map(|r| (f64::from(r[0]), f64::from(r[1]))).collect()
}
