//! The laws, as the peers draw them, and their split into training and test points.

use std::f64::consts::PI;

use flowfield::dataset::{eight_gaussians, normal, s_curve};
use ndarray::{Array2, Axis, s};

use crate::settings::Protocol;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    Normal,
    EightGaussians,
    Moons,
    SCurve,
}

impl Law {
    pub fn named(name: &str) -> Option<Law> {
        [Law::Normal, Law::EightGaussians, Law::Moons, Law::SCurve].into_iter().find(|l| l.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Law::Normal => "normal",
            Law::EightGaussians => "8gaussians",
            Law::Moons => "moons",
            Law::SCurve => "scurve",
        }
    }
}

/// Points to train on, to test with, and others of the same size for the floor.
pub struct Sets {
    pub source: Array2<f32>,
    pub target: Array2<f32>,
    pub tests: Vec<Test>,
    /// The source is standard normal: training draws it afresh.
    pub from_noise: bool,
}

pub struct Test {
    pub source: Array2<f32>,
    pub target: Array2<f32>,
    pub other: Array2<f32>,
}

impl Sets {
    pub fn new(source: Law, target: Law, protocol: &Protocol, seed: u64) -> Sets {
        let wide = source == Law::Moons && !protocol.tutorial;
        let draw = |law: Law, n: usize, seed: u64| match protocol.tutorial {
            true => tutorial(law, n, seed),
            false => paper(law, n, wide, seed),
        };
        let (n, test) = (protocol.train, protocol.test);
        // One set is drawn and split, as the paper does: train | test | another test. The tutorial draws afresh.
        let all = |law, k: u64| shuffled(&draw(law, n + 2 * test, 1000 * seed + k), 1000 * seed + k + 500);
        let (x, y) = (all(source, 1), all(target, 2));
        let part = |all: &Array2<f32>, from: usize| all.slice(s![from..from + test, ..]).to_owned();
        let split = Test { source: part(&x, n), target: part(&y, n), other: part(&y, n + test) };
        let fresh = (0..protocol.draws as u64).map(|k| Test {
            source: draw(source, test, 1000 * seed + 10 * k + 3),
            target: draw(target, test, 1000 * seed + 10 * k + 4),
            other: draw(target, test, 1000 * seed + 10 * k + 5),
        });
        Sets {
            source: x.slice(s![..n, ..]).to_owned(),
            target: y.slice(s![..n, ..]).to_owned(),
            tests: if protocol.tutorial { fresh.collect() } else { vec![split] },
            from_noise: source == Law::Normal,
        }
    }
}

/// The laws of the paper's experiments; `wide` is the larger scale of its moons -> 8 gaussians.
fn paper(law: Law, n: usize, wide: bool, seed: u64) -> Array2<f32> {
    match law {
        Law::Normal => normal((n, 2), seed),
        Law::EightGaussians if wide => eight_gaussians(n, 12.0, 1.5, seed),
        Law::EightGaussians => balanced_gaussians(n, 5.0, 1.0, seed),
        Law::Moons if wide => {
            let x = half_circles(n) + normal::<f64>((n, 2), seed) * 0.1;
            let (mean, std) = (x.mean().unwrap_or(0.0), x.std(0.0));
            x.mapv(|v| (7.0 * (v - mean) / std) as f32)
        }
        Law::Moons => {
            let mut x = (half_circles(n) + normal::<f64>((n, 2), seed) * 0.05) * 2.0;
            x.column_mut(0).mapv_inplace(|v| v - 1.0);
            x.mapv(|v| v as f32)
        }
        Law::SCurve => s_curve::<f32>(n, 0.05, seed) * 1.5,
    }
}

/// The laws of TorchCFM's tutorial: the eight gaussians' width is 0.1^(1/4), and the moons' noise is one uniform
/// number added to both coordinates.
fn tutorial(law: Law, n: usize, seed: u64) -> Array2<f32> {
    match law {
        Law::EightGaussians => eight_gaussians(n, 5.0, 0.1f64.powf(0.25), seed),
        Law::Moons => {
            let shift = normal::<f64>((n, 1), seed).mapv(|z| 0.2 * normal_cdf(z));
            let x = (half_circles(n) + shift) * 3.0 - 1.0;
            x.mapv(|v| v as f32)
        }
        _ => paper(law, n, false, seed),
    }
}

/// As many points of each mode.
fn balanced_gaussians(n: usize, radius: f64, std: f64, seed: u64) -> Array2<f32> {
    let z = normal::<f64>((n, 2), seed);
    Array2::from_shape_fn((n, 2), |(i, k)| {
        let angle = (i % 8) as f64 * PI / 4.0;
        (radius * if k == 0 { angle.cos() } else { angle.sin() } + std * z[[i, k]]) as f32
    })
}

/// Evenly spaced angles on both half circles.
fn half_circles(n: usize) -> Array2<f64> {
    let outer = n / 2;
    Array2::from_shape_fn((n, 2), |(i, k)| {
        let (at, of) = if i < outer { (i, outer) } else { (i - outer, n - outer) };
        let (sin, cos) = (PI * at as f64 / (of.max(2) - 1) as f64).sin_cos();
        match (i < outer, k) {
            (true, 0) => cos,
            (true, _) => sin,
            (false, 0) => 1.0 - cos,
            (false, _) => 0.5 - sin,
        }
    })
}

/// A uniform number from a normal one, by the logistic approximation's fixed point: exact enough for noise.
fn normal_cdf(z: f64) -> f64 {
    1.0 / (1.0 + (-(1.5976 * z + 0.070_565_992 * z.powi(3))).exp())
}

fn shuffled(x: &Array2<f32>, seed: u64) -> Array2<f32> {
    let keys = normal::<f64>((x.nrows(), 1), seed);
    let mut order: Vec<usize> = (0..x.nrows()).collect();
    order.sort_by(|&i, &j| keys[[i, 0]].total_cmp(&keys[[j, 0]]));
    x.select(Axis(0), &order)
}
