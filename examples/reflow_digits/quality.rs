//! How good samples are, in numbers that a person can interpret.

use flowfield::Result;
use flowfield::metric::energy_distance;
use ndarray::{Array2, ArrayView1, s};

use crate::digits::Digits;

/// The yardstick: real digits held against real digits.
pub struct Yardstick<'a> {
    digits: &'a Digits,
    /// Energy distance between training and held-out digits.
    real: f64,
    /// Share of held-out digits that the classifier gets right.
    pub accuracy: f64,
}

/// Quality of a set of samples.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// Energy distance to held-out digits, in units of that of real training digits.
    pub distance: f64,
    /// Share of samples that look like the class that was asked for.
    pub share: f64,
}

impl<'a> Yardstick<'a> {
    /// `samples` is how many samples will be measured: the real digits are as many.
    pub fn new(digits: &'a Digits, samples: usize) -> Result<Self> {
        let n = samples.min(digits.train.nrows());
        let real = energy_distance(&digits.train.slice(s![..n, ..]).to_owned(), &digits.held_out)?;
        let accuracy = share_right(digits, &digits.held_out, &digits.held_out_labels);
        Ok(Yardstick { digits, real, accuracy })
    }

    pub fn measure(&self, samples: &Array2<f32>, labels: &[usize]) -> Result<Quality> {
        let distance = energy_distance(samples, &self.digits.held_out)? / self.real;
        Ok(Quality { distance, share: share_right(self.digits, samples, labels) })
    }
}

fn share_right(digits: &Digits, images: &Array2<f32>, labels: &[usize]) -> f64 {
    let right =
        images.rows().into_iter().zip(labels).filter(|(x, label)| nearest_class(digits, *x) == **label);
    right.count() as f64 / labels.len() as f64
}

/// The class of the nearest training digit.
fn nearest_class(digits: &Digits, x: ArrayView1<'_, f32>) -> usize {
    let distance = |row: ArrayView1<'_, f32>| row.iter().zip(x).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let all = digits.train.rows().into_iter().map(distance);
    let nearest = all.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
    nearest.map_or(0, |(i, _)| digits.train_labels[i])
}
