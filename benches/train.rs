//! A flow-matching training step, in the peers' JSON format: the minibatch's draws, forward, mean squared error,
//! backward and Adam, f32.
//!
//! `cargo bench --bench train [-- CASE ..]`; `RAYON_NUM_THREADS` sets the threads (default here: 1).

mod common;

use common::{filters, seconds, wanted};
use flowfield::dataset::{eight_gaussians, normal};
use flowfield::integrate::{Adam, Euler, Tsit5};
use flowfield::matching::Matching;
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::Array2;

struct Case {
    name: &'static str,
    net: Mlp,
    data: Array2<f32>,
    batch: usize,
    widths: Vec<usize>,
}

fn cases() -> Vec<Case> {
    let case = |name, data: Array2<f32>, width: usize, depth, activation, batch| {
        let d = data.ncols();
        let hidden = vec![width; depth];
        let widths = [&[d + 1], hidden.as_slice(), &[d]].concat();
        Case { name, net: Mlp::velocity(d, &hidden).activation(activation), data, batch, widths }
    };
    let gaussians = eight_gaussians(50_000, 5.0, 0.1f64.powf(0.25), 0);
    vec![
        case("a_2d_3x64_b256", gaussians, 64, 3, Activation::Selu, 256),
        case("b_digits64_4x256_b256", normal((1797, 64), 0), 256, 4, Activation::Silu, 256),
        case("c_64d_4x512_b1024", normal((20_000, 64), 0), 512, 4, Activation::Silu, 1024),
    ]
}

/// 2 B (3 Σ in·out - in₀·out₀): no input gradient for the first layer.
fn flops(case: &Case) -> f64 {
    let products: Vec<f64> = case.widths.windows(2).map(|w| (w[0] * w[1]) as f64).collect();
    2.0 * case.batch as f64 * (3.0 * products.iter().sum::<f64>() - products[0])
}

fn train(case: &Case, threads: usize) -> Result<()> {
    let mut theta = case.net.init(0);
    let mut flow = Flow::new(Matching::new(&case.net, &case.data, case.batch), Adam::default());
    let mut outcome = flow.steps(10, 1e-3, &mut theta);
    let (median, least) = seconds(9, 0.3, || {
        let step = flow.step(1e-3, &mut theta);
        outcome = outcome.clone().and(step);
    });
    outcome?;
    emit("train", case.name, "seconds_per_step", median, threads, &format!("min {least:.4e}"));
    emit("train", case.name, "gflops", flops(case) / median / 1e9, threads, "at the median");
    Ok(())
}

/// 10,000 particles through a trained net a): 100 Euler steps, and the adaptive solver at 1e-5.
fn sample(case: &Case, threads: usize) -> Result<()> {
    let mut theta = case.net.init(0);
    Flow::new(Matching::new(&case.net, &case.data, case.batch), Adam::default())
        .steps(4000, 1e-3, &mut theta)?;
    let noise: Array2<f32> = normal((10_000, 2), 1);
    let mut flow = Flow::new(case.net.field(&theta), Euler::new());
    let (median, least) = seconds(7, 0.3, || flow.steps(100, 0.01, &mut noise.clone()));
    emit("sample", "euler100_n10000", "seconds", median, threads, &format!("min {least:.4e}"));
    let mut flow = Flow::new(case.net.field(&theta), Tsit5::new()).tol(1e-5).save_last();
    let evals = flow.solve(0.0, 1.0, noise.clone())?.stats.evals;
    let (median, least) = seconds(7, 0.3, || flow.solve(0.0, 1.0, noise.clone()));
    let note = format!("min {least:.4e}, Tsit5, {evals} evaluations");
    emit("sample", "dopri5_1e-5_n10000", "seconds", median, threads, &note);
    Ok(())
}

fn emit(area: &str, case: &str, metric: &str, value: f64, threads: usize, note: &str) {
    println!(
        "{{\"area\":\"{area}\",\"case\":\"{case}\",\"peer\":\"flowfield\",\"metric\":\"{metric}\",\"value\":{value:.5e},\
         \"threads\":{threads},\"note\":\"{note}\"}}"
    );
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let chosen = filters();
    for case in cases() {
        if wanted(&chosen, case.name) {
            train(&case, threads)?;
        }
    }
    if wanted(&chosen, "sample") {
        sample(&cases()[0], threads)?;
    }
    Ok(())
}
