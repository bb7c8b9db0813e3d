//! Residual depth as time: how far each block moves, and what that does to the gradient.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREEN, GREY, Layer, Panel, VERMILION, panels};
use flowfield::dataset::normal;
use flowfield::integrate::{Euler, Integrator, Midpoint, Rk4};
use flowfield::nn::{Activation, DeepNorm, DepthStep, Network, NormPlacement, Residual};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2};
use plotters::style::RGBColor;

const ABOUT: &str = "depth_is_time: a residual network is a time-stepped field

Prints, for a network with smooth weights, the error of three integrators in depth (orders 1, 2, 4: the residual network is the first);
then, for 1000 blocks at their start, relative increments, effective depth and gradients by where the norm stands. Draws
depth_is_time.png: relative increment and gradient norm along the depth (grey no norm, blue pre, red post, green DeepNorm).";

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    orders(options.seed)?;
    let blocks = if options.quick { 100 } else { 1000 };
    let all = placements(blocks);
    println!(
        "\n{blocks} blocks     |dx|/|x| first .. last   effective depth   gradient first : last   change by a step of 1e-3"
    );
    let (mut increments, mut gradients) = (Vec::new(), Vec::new());
    for (name, net) in &all {
        let (theta, x) = (Network::<f64>::init(net, options.seed), normal::<f64>((8, 32), options.seed + 1));
        let report = net.depth_report(&theta, &x)?;
        let gradient = gradient(net, &theta, &x, &normal((8, 32), options.seed + 2))?;
        let norms = net.block_norms(&gradient)?;
        let change = net.update_magnitude(&theta, &(&gradient * -1e-3), &x)?;
        println!(
            "{name:10} {:14.4} .. {:8.4} {:17.1} {:14.2e} : {:8.2e} {change:26.4}",
            report.increment[0],
            report.increment[blocks - 1],
            report.effective_depth(),
            norms[0],
            norms[blocks - 1],
        );
        increments.push(logarithms(&report.increment));
        gradients.push(logarithms(&norms));
    }
    let colours = [GREY, BLUE, VERMILION, GREEN];
    let file = options.file("depth_is_time.png")?;
    let first = Panel {
        title: "Increment of each block: none grey, pre blue, post red, DeepNorm green",
        axes: ("log10 of the block", "log10 |dx|/|x|"),
        range: None,
        layers: layers(&increments, &colours),
    };
    let second = Panel {
        title: "Gradient of each block, in the same colours",
        axes: ("log10 of the block", "log10 |g|"),
        range: Some([0.0, (blocks as f64).log10(), -10.0, 3.0]),
        layers: layers(&gradients, &colours),
    };
    panels(&file, (640, 520), &[first, second])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

fn layers<'a>(lines: &'a [Vec<(f64, f64)>], colours: &[RGBColor]) -> Vec<Layer<'a>> {
    lines.iter().zip(colours).map(|(line, &colour)| Layer::Line(line, colour)).collect()
}

/// Where the norm stands, in networks of equal shape.
fn placements(blocks: usize) -> Vec<(&'static str, Residual)> {
    let net = |placement| Residual::new(32, 32, blocks, 32).activation(Activation::Relu).norm(placement);
    // A block is one sublayer, so two of them are a layer of the paper.
    let deep = DeepNorm::encoder_only(blocks / 2);
    vec![
        ("none", net(NormPlacement::None).step(DepthStep::InverseSqrtDepth)),
        ("pre", net(NormPlacement::Pre)),
        ("post", net(NormPlacement::Post)),
        ("DeepNorm", net(NormPlacement::Deep { alpha: deep.alpha }).gain(deep.beta)),
    ]
}

/// The gradient of half the mean squared distance to the targets.
fn gradient(
    net: &Residual,
    theta: &Array1<f64>,
    x: &Array2<f64>,
    target: &Array2<f64>,
) -> Result<Array1<f64>> {
    let mut gradient = Array1::zeros(theta.len());
    let loss = |first: usize, y: &[f64], ybar: &mut [f64]| {
        let target = target.rows().into_iter().skip(first).flat_map(|row| row.to_vec());
        ybar.iter_mut().zip(y.iter().zip(target)).for_each(|(b, (y, t))| *b = (y - t) / 8.0);
        0.0
    };
    net.loss_gradient(theta, x, loss, &mut gradient, &mut net.tape(x.nrows()))?;
    Ok(gradient)
}

fn logarithms(values: &[f64]) -> Vec<(f64, f64)> {
    values.iter().enumerate().map(|(l, v)| ((l as f64 + 1.0).log10(), v.max(1e-300).log10())).collect()
}

/// Errors of three integrators along smooth depth.
fn orders(seed: u64) -> Result<()> {
    let net = Residual::new(16, 16, 8, 16).activation(Activation::Tanh).step(DepthStep::InverseDepth);
    let mut theta = Array1::<f64>::zeros(net.n_params());
    let waves: Array2<f64> = normal((3, net.block_range(0).len()), seed);
    for l in 0..8 {
        let t = l as f64 / 8.0;
        let block = (&waves.row(0) + &(&waves.row(1) * t.cos()) + &(&waves.row(2) * t)) * 0.2;
        theta.slice_mut(ndarray::s![net.block_range(l)]).assign(&block);
    }
    println!("error at the end of smooth depth, by blocks (Euler: a residual network)");
    println!("{:>10} {:>12} {:>12} {:>12}", "steps", "Euler", "Midpoint", "Rk4");
    let reference = along(&net, &theta, Rk4::new(), 2048, seed)?;
    for n in [8, 16, 32, 64] {
        let error = |end: Array2<f64>| (end - &reference).iter().map(|d| d * d).sum::<f64>().sqrt();
        let euler = error(along(&net, &theta, Euler::new(), n, seed)?);
        let midpoint = error(along(&net, &theta, Midpoint::new(), n, seed)?);
        let rk4 = error(along(&net, &theta, Rk4::new(), n, seed)?);
        println!("{n:>10} {euler:>12.3e} {midpoint:>12.3e} {rk4:>12.3e}");
    }
    Ok(())
}

fn along<I: Integrator<Array2<f64>>>(
    net: &Residual,
    theta: &Array1<f64>,
    method: I,
    n: usize,
    seed: u64,
) -> Result<Array2<f64>> {
    let mut h = normal::<f64>((4, 16), seed + 9);
    Flow::new(net.depth_field(theta).interpolated(), method).steps(n, 1.0 / n as f64, &mut h)?;
    Ok(h)
}
