//! Times of the network's kernels: `cargo bench --bench nn` (`RAYON_NUM_THREADS=1` for one thread;
//! `cargo bench --bench nn -- "(a)"` for the lines with (a) in their name).
//!
//! Prints, for three velocity networks, the time of one `loss_gradient` (forward, squared error and
//! backward, weights packed anew) and its rate; then a forward pass, and a bare product.

use std::hint::black_box;
use std::time::Instant;

use flowfield::Result;
use flowfield::nn::{Activation, Mlp, Network, TimeFeatures};
use ndarray::{Array1, Array2};

fn main() -> Result<()> {
    println!("{:<42} {:>10} {:>10} {:>9}", "", "min ms", "median ms", "GFLOP/s");
    let a = Mlp::velocity(2, &[64, 64, 64]).activation(Activation::Selu);
    gradient("(a) 3 -> 3 x 64 -> 2, SELU, 256 rows", &a, 256)?;
    gradient("(b) 65 -> 4 x 256 -> 64, SiLU, 256 rows", &Mlp::velocity(64, &[256; 4]), 256)?;
    gradient("(c) 65 -> 4 x 512 -> 64, SiLU, 1024 rows", &Mlp::velocity(64, &[512; 4]), 1024)?;
    let timed = a.clone().time(TimeFeatures::Sinusoidal { pairs: 16, max_freq: 100.0 });
    gradient("(a) with 16 pairs of time features", &timed, 256)?;
    forward("forward of (a), 10 000 rows", &a, 10_000)?;
    forward("512 x 512 x 512 product, weights packed anew", &Mlp::new(512, &[], 512), 512)?;
    divergence("(d) 65 -> 2 x 256 -> 64", &Mlp::velocity(64, &[256; 2]), 256)?;
    divergence("(e) 65 -> 3 x 256 -> 64", &Mlp::velocity(64, &[256; 3]), 256)?;
    divergence("(a)", &a, 256)
}

/// The divergence at recorded rows, in closed form and as the sum of a tangent for each column; the rates count the products
/// of hidden layers alone.
fn divergence(name: &str, net: &Mlp, rows: usize) -> Result<()> {
    let theta: Array1<f32> = net.init(0);
    let x = rows_like(rows, net.inputs());
    let mut y = Array2::zeros((rows, net.outputs()));
    let (mut tape, mut div) = (net.tape(rows), vec![0.0; rows]);
    net.forward(&theta, &x, &mut y, &mut tape)?;
    let widths: Vec<usize> = net.layout().iter().filter(|p| p.shape.len() == 1).map(|p| p.shape[0]).collect();
    let hidden: usize = widths.windows(2).rev().skip(1).map(|w| 2 * rows * w[0] * w[1]).sum();
    let once = if widths.len() == 3 { 1 } else { net.outputs() };
    report(&format!("divergence of {name}"), once * hidden, || {
        net.divergence(&theta, &mut div, &mut tape).map(|_| div[0])
    })?;
    let mut direction = Array2::zeros(x.dim());
    report(&format!("{name}, by tangents"), net.outputs() * hidden, || {
        let mut sum = 0.0;
        for k in 0..net.outputs() {
            direction.column_mut(k).fill(1.0);
            net.jvp(&theta, None, Some(&direction), &mut y, &mut tape)?;
            direction.column_mut(k).fill(0.0);
            sum += y[[0, k]];
        }
        Ok(sum)
    })
}

/// Multiply-adds of a row, and those of the first layer alone.
fn multiply_adds(net: &Mlp) -> (usize, usize) {
    let layers: Vec<usize> =
        net.layout().iter().filter(|p| p.shape.len() == 2).map(|p| p.shape.iter().product()).collect();
    (layers.iter().sum(), layers[0])
}

fn gradient(name: &str, net: &Mlp, rows: usize) -> Result<()> {
    let theta: Array1<f32> = net.init(0);
    let mut gradient = theta.clone();
    let x = rows_like(rows, net.inputs());
    let target = rows_like(rows, net.outputs());
    let (target, width) = (target.as_slice().unwrap_or_default(), net.outputs());
    let scale = 1.0 / target.len() as f32;
    let loss = |first: usize, y: &[f32], ybar: &mut [f32]| {
        let mut sum = 0.0;
        for ((g, &y), &target) in ybar.iter_mut().zip(y).zip(&target[first * width..]) {
            *g = 2.0 * scale * (y - target);
            sum += (y - target) * (y - target);
        }
        scale * sum
    };
    let mut tape = net.tape(rows);
    let (all, first) = multiply_adds(net);
    report(name, 2 * rows * (3 * all - first), || {
        net.loss_gradient(&theta, &x, loss, &mut gradient, &mut tape).map(black_box)
    })
}

fn forward(name: &str, net: &Mlp, rows: usize) -> Result<()> {
    let theta: Array1<f32> = net.init(0);
    let x = rows_like(rows, net.inputs());
    let mut y = Array2::zeros((rows, net.outputs()));
    let mut tape = net.lean_tape(rows);
    report(name, 2 * rows * multiply_adds(net).0, || net.forward(&theta, &x, &mut y, &mut tape).map(|()| 0.0))
}

fn rows_like(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 31 + j * 17) as f32).sin())
}

/// Times 41 repeats, each of as many calls as take about five milliseconds; an argument selects by name.
fn report(name: &str, flops: usize, mut call: impl FnMut() -> Result<f32>) -> Result<()> {
    if std::env::args().skip(1).any(|only| !only.starts_with("--") && !name.contains(&only)) {
        return Ok(());
    }
    let start = Instant::now();
    call()?;
    let calls = (0.005 / start.elapsed().as_secs_f64()).clamp(1.0, 1000.0) as u32;
    let mut times = Vec::new();
    for _ in 0..41 {
        let start = Instant::now();
        for _ in 0..calls {
            call()?;
        }
        times.push(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    times.sort_by(f64::total_cmp);
    let (least, median) = (times[0], times[times.len() / 2]);
    println!("{name:<42} {:>10.4} {:>10.4} {:>9.1}", least * 1e3, median * 1e3, flops as f64 / least * 1e-9);
    Ok(())
}
