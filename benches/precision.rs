//! What a lower precision buys: the training step of case (c) in f32 and in bf16, fused updates against memory, and what a
//! plan saves.
//!
//! `cargo bench --bench precision`; `RAYON_NUM_THREADS` sets the threads (default here: 1).

mod common;

use common::seconds;
use flowfield::dataset::normal;
use flowfield::integrate::{Adam, Integrator, Momentum};
use flowfield::matching::Matching;
use flowfield::nn::{Activation, Mlp, Network, Plan};
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

/// Bytes a second of an update of `n` numbers that has to move `streams` numbers for each.
fn update<I: Integrator<Array1<f32>>>(method: I, n: usize, streams: usize) -> Result<f64> {
    const STEPS: usize = 10;
    let mut theta = Array1::<f32>::ones(n);
    // A slope that is there already.
    let still = field(|_t, _y: &Array1<f32>, _dy: &mut Array1<f32>| {});
    let mut flow = Flow::new(still, method);
    flow.steps(2, 1e-3, &mut theta)?;
    let mut outcome = Ok(());
    let (_, least) = seconds(7, 0.3, || outcome = outcome.clone().and(flow.steps(STEPS, 1e-3, &mut theta)));
    outcome.map(|()| (4 * n * streams * STEPS) as f64 / least)
}

/// Bytes a second of y += a x.
fn bandwidth(n: usize) -> f64 {
    let x = vec![1.0_f32; n];
    let mut y = vec![0.5_f32; n];
    let (_, least) = seconds(7, 0.2, || y.iter_mut().zip(&x).for_each(|(y, &x)| *y += 1e-3 * x));
    (4 * n * 3) as f64 / least
}

/// Bytes a second of loops that move what momentum and Adam move and compute next to nothing: v += f, z = y + v; and with
/// another v. What is reached by any update that leaves the old state alone.
fn plain(n: usize, moments: usize) -> f64 {
    let slab = |k: usize| vec![0.5_f32; n + k * 1424];
    let (y, f, mut z) = (slab(0), slab(1), slab(4));
    let (mut v, mut w) = (slab(2), slab(3));
    let mut sweep = || {
        let state = z[4 * 1424..].iter_mut().zip(&y).zip(&f[1424..]);
        let both = v[2 * 1424..].iter_mut().zip(&mut w[3 * 1424..]);
        if moments == 1 {
            for (((z, y), f), (v, _)) in state.zip(both) {
                *v += f;
                *z = y + *v;
            }
        } else {
            for (((z, y), f), (v, w)) in state.zip(both) {
                *v += f;
                *w += f;
                *z = y + *v;
            }
        }
    };
    let (_, least) = seconds(7, 0.2, &mut sweep);
    (4 * n * (3 + 2 * moments)) as f64 / least
}

/// Seconds of an evaluation by a plan and by the network, which first looks whether its parameters are those it packed.
fn plans(rows: usize) -> Result<[f64; 2]> {
    let net = Mlp::velocity(64, &[512; 4]).activation(Activation::Silu);
    let theta: Array1<f32> = net.init(0);
    let x: Array2<f32> = normal((rows, 65), 1);
    let mut y = Array2::zeros((rows, 64));
    let (mut plan, mut tape) = (Plan::compile(&net, &theta, rows)?, net.lean_tape(rows));
    let (_, compiled) = seconds(7, 0.1, || plan.forward(&x, &mut y));
    let (_, plain) = seconds(7, 0.1, || net.forward(&theta, &x, &mut y, &mut tape));
    Ok([compiled, plain])
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
    // Read y, f and the moments, write y and the moments: what has to be moved.
    for (name, moments, reached) in
        [("momentum", 1, update(Momentum::new(0.9), n, 5)?), ("adam", 2, update(Adam::default(), n, 7)?)]
    {
        let metric = |what: &str| format!("{what}_{name}");
        emit("update_16M", &metric("bytes_per_second"), reached, 1, "needed, by the time");
        emit(
            "update_16M",
            &metric("bytes_per_second_of_a_plain_loop_like"),
            plain(n, moments),
            1,
            "the ceiling",
        );
        emit("update_16M", &metric("memory_over"), memory / reached, 1, "1: as fast as y += a x");
    }
    for rows in [1, 16, 256] {
        let [compiled, plain] = plans(rows)?;
        let case = format!("plan_64d_4x512_b{rows}");
        emit(&case, "seconds", compiled, 1, "least");
        emit(&case, "network_over_plan", plain / compiled, 1, "");
    }
    Ok(())
}
