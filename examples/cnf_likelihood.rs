//! The density of a flow: a picture of it in two dimensions, and bits per dimension of held-out digits.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{ImageRow, image_grid};
use common::progress::bar;
use flowfield::dataset::{moons, normal};
use flowfield::integrate::{Adam, Ema, Schedule, Tsit5};
use flowfield::matching::{Divergence, Likelihood, Matching, bits_per_dim};
use flowfield::nn::{Mlp, Network, TimeFeatures};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2, Axis, concatenate};

const ABOUT: &str = "cnf_likelihood: the density of a flow-matched network by the change of variables

A velocity network trained by flow matching on two moons has a density, log p(x) = log N(z) - ∫ div v dt; draws it, and checks that
it sums to 1. Then the same for digits: 8 x 8 pixels of 17 levels, dequantised to (level + u)/17; a network is trained
on four fifths of them and the held-out rest is scored in bits per dimension, by the exact divergence and by Hutchinson's
estimate. (Uniform density: 4.087; a full Gaussian 2.955 and ten of them 2.631 on a split of this kind.) Writes
cnf_likelihood.png.";

const DIGITS: &str = include_str!("data/digits.txt");
const PIXELS: usize = 64;
const SIDE: usize = 120;

type Trained<F> = (Mlp, Array1<F>);

/// Flow matching with a cosine schedule; the average of the trajectory in parameter space.
fn train(net: Mlp, data: &Array2<f32>, steps: usize, seed: u64, name: &'static str) -> Result<Trained<f32>> {
    let mut theta = net.init(seed);
    let method = Ema::new(Adam::default(), 0.999);
    let field = Matching::new(&net, data, 256.min(data.nrows())).seed(seed);
    let mut flow = Flow::new(field, method).controller(Schedule::cosine(steps as u64));
    let progress = bar(steps, name);
    for _ in 0..20 {
        flow.steps(steps / 20, 2e-3, &mut theta)?;
        progress.inc(steps as u64 / 20);
        progress.set_message(format!("loss {:.3}", flow.field_mut().mean_loss()));
    }
    progress.finish_and_clear();
    let average = flow.integrator().average().cloned().unwrap_or(theta);
    drop(flow);
    Ok((net, average))
}

/// The density on a grid, and its sum.
fn moons_density((net, theta): &Trained<f32>) -> Result<(Vec<f64>, f64)> {
    let (x0, y0, width) = (-1.8, -2.05, 4.6);
    let h = width / SIDE as f64;
    let grid = Array2::from_shape_fn((SIDE * SIDE, 2), |(k, c)| {
        // Rows of an image go down.
        let (i, j) = (k % SIDE, SIDE - 1 - k / SIDE);
        (if c == 0 { x0 + (i as f64 + 0.5) * h } else { y0 + (j as f64 + 0.5) * h }) as f32
    });
    let log = Likelihood::new(net, theta).tol(1e-4).log_prob(&grid, Tsit5::new())?;
    let density: Vec<f64> = log.iter().map(|l| f64::from(*l).exp()).collect();
    let total = density.iter().sum::<f64>() * h * h;
    Ok((density, total))
}

/// Rows of levels 0 .. 16.
fn digits() -> std::result::Result<Array2<f32>, Box<dyn std::error::Error>> {
    let mut levels = Vec::new();
    for line in DIGITS.lines() {
        let (_, image) = line.split_once(' ').ok_or("a line must be: class, space, 64 levels")?;
        for c in image.chars() {
            levels.push(c.to_digit(17).ok_or("a level must be one of 0-9 and a-g")? as f32);
        }
    }
    Ok(Array2::from_shape_vec((levels.len() / PIXELS, PIXELS), levels)?)
}

/// `(level + u) / 17`, `u` uniform.
fn dequantised(levels: &Array2<f32>, seed: u64) -> Array2<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    levels.mapv(|level| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let u = ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32;
        (level + u) / 17.0
    })
}

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let key = normal::<f64>((n, 1), seed);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| key[[a, 0]].total_cmp(&key[[b, 0]]));
    order
}

/// Bits per dimension of held-out digits: exact, by probes, and by a diagonal Gaussian.
fn score_digits(options: &Options) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (steps, held, copies) = if options.quick { (300, 40, 1) } else { (12_000, usize::MAX, 16) };
    let levels = digits()?;
    let order = shuffled(levels.nrows(), options.seed);
    let (test, train_rows) = order.split_at(levels.nrows() / 5);
    let test = dequantised(&levels.select(Axis(0), &test[..test.len().min(held)]), options.seed + 99);
    let train_levels = levels.select(Axis(0), train_rows);
    let parts: Vec<Array2<f32>> = (0..copies).map(|k| dequantised(&train_levels, options.seed + k)).collect();
    let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
    let data = concatenate(Axis(0), &views)?;

    // Each pixel to mean 0 and variance 1: the density changes by the product of the scales.
    let mean = data.mean_axis(Axis(0)).ok_or("no data")?;
    let scale = data.std_axis(Axis(0), 0.0);
    let standard = |x: &Array2<f32>| (x - &mean) / &scale;
    let log_scale: f64 = scale.iter().map(|s| f64::from(*s).ln()).sum();
    let bits = |log: &Array1<f32>| bits_per_dim(&log.mapv(|l| f64::from(l) - log_scale), PIXELS, 1.0 / 17.0);

    let net =
        Mlp::velocity(PIXELS, &[256, 256, 256]).time(TimeFeatures::Sinusoidal { pairs: 8, max_freq: 50.0 });
    let (net, theta) = train(net, &standard(&data), steps, options.seed, "digits")?;
    let x = standard(&test);
    let gauss = x.map_axis(Axis(1), |r| -0.5 * r.dot(&r) - 0.5 * PIXELS as f32 * std::f32::consts::TAU.ln());
    println!("{} digits held out, bits per dimension:", x.nrows());
    println!("  uniform                        {:.3}", 17f64.log2());
    println!("  Gaussian, pixel by pixel       {:.3}", bits(&gauss));
    let exact = Likelihood::new(&net, &theta).tol(1e-4).encode(&x, Tsit5::new())?;
    println!("  flow, exact divergence         {:.3}   ({} evaluations)", bits(&exact.log_prob), exact.evals);
    let probes = Divergence::Hutchinson { probes: 4, seed: options.seed };
    let estimate = Likelihood::new(&net, &theta).tol(1e-4).divergence(probes).encode(&x, Tsit5::new())?;
    println!(
        "  flow, Hutchinson, 4 probes     {:.3}   ({} evaluations)",
        bits(&estimate.log_prob),
        estimate.evals
    );
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let steps = if options.quick { 400 } else { 12_000 };
    let data = moons::<f32>(20_000, 0.07, options.seed);
    let net = Mlp::velocity(2, &[64, 64, 64]);
    let trained = train(net, &data, steps, options.seed, "two moons")?;
    let (density, total) = moons_density(&trained)?;
    println!("two moons: the density on a grid sums to {total:.4}");
    let test = moons::<f32>(2_000, 0.07, options.seed + 1);
    let log = Likelihood::new(&trained.0, &trained.1).tol(1e-4).log_prob(&test, Tsit5::new())?;
    println!("two moons: {:.3} nats a sample, held out", -log.mean().unwrap_or(f32::NAN));

    let top = density.iter().fold(0.0_f64, |m, &d| m.max(d));
    let image =
        |f: &dyn Fn(f64) -> f64| density.iter().map(|&d| (2.0 * f(d) - 1.0) as f32).collect::<Vec<f32>>();
    let linear = image(&|d| d / top);
    let log = image(&|d| 1.0 + (d / top).max(1e-5).log10() / 5.0);
    let file = options.file("cnf_likelihood.png")?;
    let row = ImageRow { name: "two moons".to_string(), images: vec![linear, log] };
    image_grid(&file, SIDE, 4, &["density".to_string(), "its logarithm, five decades".to_string()], &[row])?;
    eprintln!("wrote {}", file.display());
    score_digits(&options)
}
