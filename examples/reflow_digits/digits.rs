//! The data: real digits, split into training and held-out rows.

use flowfield::dataset::normal;
use flowfield::nn::one_hot;
use ndarray::{Array2, Axis};

pub const CLASSES: usize = 10;
pub const PIXELS: usize = 64;
/// One row in four is held out.
const HELD_OUT: usize = 4;

const TEXT: &str = include_str!("../data/digits.txt");

/// Images as rows of 64 levels, scaled from 0..16 to [-1, 1].
pub struct Digits {
    pub train: Array2<f32>,
    pub train_labels: Vec<usize>,
    pub train_classes: Array2<f32>,
    pub held_out: Array2<f32>,
    pub held_out_labels: Vec<usize>,
}

impl Digits {
    /// Reads the bundled file and splits it at random.
    pub fn load(seed: u64) -> Result<Digits, Box<dyn std::error::Error>> {
        let (mut levels, mut labels) = (Vec::new(), Vec::new());
        for line in TEXT.lines() {
            let (label, image) = line.split_once(' ').ok_or("a line must be: class, space, 64 levels")?;
            labels.push(label.parse::<usize>()?);
            for c in image.chars() {
                levels.push(c.to_digit(17).ok_or("a level must be one of 0-9 and a-g")? as f32 / 8.0 - 1.0);
            }
        }
        let images = Array2::from_shape_vec((labels.len(), PIXELS), levels)?;
        let order = shuffled(labels.len(), seed);
        let (held, train) = order.split_at(labels.len() / HELD_OUT);
        let pick = |rows: &[usize]| -> Vec<usize> { rows.iter().map(|&i| labels[i]).collect() };
        Ok(Digits {
            train: images.select(Axis(0), train),
            train_classes: one_hot(&pick(train), CLASSES)?,
            train_labels: pick(train),
            held_out: images.select(Axis(0), held),
            held_out_labels: pick(held),
        })
    }
}

/// A random order of 0..n: that of n random numbers.
fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let key = normal::<f64>((n, 1), seed);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| key[[a, 0]].total_cmp(&key[[b, 0]]));
    order
}
