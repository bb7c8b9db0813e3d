//! What a lower precision buys: the training step of case (c) in f32 and in bf16, and fused updates against memory.
//!
//! `cargo bench --bench precision`; `RAYON_NUM_THREADS` sets the threads (default here: 1).

mod common;

use common::seconds;
use flowfield::dataset::normal;
use flowfield::integrate::{Adam, Integrator, Momentum};
use flowfield::matching::Matching;
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::precision::Format;
use flowfield::{Flow, Result, field};
use ndarray::{Array1, Array2};

fn emit(case: &str, metric: &str, value: f64, threads: usize, note: &str) {
    println!(
        "{{\"area\":\"precision\",\"case\":\"{case}\",\"peer\":\"flowfield\",\"metric\":\"{metric}\",\"value\":{value:.5e},\
         \"threads\":{threads},\"note\":\"{note}\"}}"
    );
}

/// A training step of the 64-D 4 × 512 network with 1024 rows.
fn train(data: &Array2<f32>, format: Format) -> Result<f64> {
    let net = Mlp::velocity(64, &[512; 4]).activation(Activation::Silu).compute(format);
    let mut theta = net.init(0);
    let mut flow = Flow::new(Matching::new(&net, data, 1024), Adam::default());
    flow.steps(3, 1e-3, &mut theta)?;
    let mut outcome = Ok(());
    let (_, least) = seconds(7, 0.5, || {
        let step = flow.step(1e-3, &mut theta);
        outcome = outcome.clone().and(step);
    });
    outcome.map(|()| least)
}

/// Bytes a second of an update of `n` numbers that moves `streams` numbers each.
fn update<I: Integrator<Array1<f32>>>(method: I, n: usize, streams: usize) -> Result<f64> {
    let mut theta = Array1::<f32>::ones(n);
    // A slope that is there already.
    let still = field(|_t, _y: &Array1<f32>, _dy: &mut Array1<f32>| {});
    let mut flow = Flow::new(still, method);
    flow.steps(2, 1e-3, &mut theta)?;
    let (_, least) = seconds(7, 0.2, || flow.step(1e-3, &mut theta));
    Ok((4 * n * streams) as f64 / least)
}

/// Bytes a second of y += a x.
fn bandwidth(n: usize) -> f64 {
    let x = vec![1.0_f32; n];
    let mut y = vec![0.5_f32; n];
    let (_, least) = seconds(7, 0.2, || y.iter_mut().zip(&x).for_each(|(y, &x)| *y += 1e-3 * x));
    (4 * n * 3) as f64 / least
}

fn main() -> Result<()> {
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|t| t.parse().ok()).unwrap_or(1);
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    let data: Array2<f32> = normal((20_000, 64), 0);
    let (full, half) = (train(&data, Format::Full)?, train(&data, Format::Bf16)?);
    emit("c_64d_4x512_b1024", "seconds_per_step_f32", full, threads, "least");
    emit("c_64d_4x512_b1024", "seconds_per_step_bf16", half, threads, "least, master parameters in f32");
    emit("c_64d_4x512_b1024", "f32_over_bf16", full / half, threads, "");
    let n = 1 << 24;
    let memory = bandwidth(n);
    emit("update_16M", "bytes_per_second_axpy", memory, 1, "");
    // Read y, f and the moments, write y and the moments; and the check that y is finite reads it once more.
    let momentum = update(Momentum::new(0.9), n, 6)?;
    let adam = update(Adam::default(), n, 8)?;
    emit("update_16M", "memory_over_momentum", memory / momentum, 1, "1: as fast as memory");
    emit("update_16M", "memory_over_adam", memory / adam, 1, "1: as fast as memory");
    Ok(())
}
