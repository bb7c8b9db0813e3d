//! A flow-matching training step, in the peers' JSON format: the minibatch's draws, forward, mean squared error,
//! backward and Adam, f32. Then sampling, and (asked for by name only) the time to a peer's quality.
//!
//! `cargo bench --bench train [-- CASE ..]` with cases `a`, `b`, `c`, `sample`, `quality`; `RAYON_NUM_THREADS` sets the threads (default here: 1).

mod common;

use common::{filters, seconds, wanted};
use std::path::PathBuf;
use std::time::Instant;

use flowfield::dataset::{eight_gaussians, moons, normal};
use flowfield::integrate::control::Pid;
use flowfield::integrate::{Adam, Bs3, Dopri5, Ema, Euler, Integrator, Rk4};
use flowfield::matching::{Coupling, Matching, Source};
use flowfield::metric::w2;
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Flow, Result, VectorField};
use ndarray::{Array1, Array2};

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

/// The network that is sampled: the one that the peers' program trained and stored, if there is one (`sample_net.f32` in
/// `$FLOWS_DATA`, else in `flows_data` of the folder for temporary files), so that all follow the same field.
fn sampled_net(case: &Case) -> Result<(Array1<f32>, &'static str)> {
    let folder = std::env::var_os("FLOWS_DATA").map(PathBuf::from);
    let file = folder.unwrap_or_else(|| std::env::temp_dir().join("flows_data")).join("sample_net.f32");
    let stored = std::fs::read(file).unwrap_or_default();
    if stored.len() == 4 * case.net.n_params() {
        return Ok((from_peers(&case.net, &stored), "the peers' network"));
    }
    let mut theta = case.net.init(0);
    let matching = Matching::new(&case.net, &case.data, case.batch);
    Flow::new(matching, Adam::default()).steps(4000, 1e-3, &mut theta)?;
    Ok((theta, "a network trained here"))
}

/// Little-endian numbers, for each layer the weights (outputs × inputs, by rows), then the biases.
fn from_peers(net: &Mlp, bytes: &[u8]) -> Array1<f32> {
    let number = |i: usize| f32::from_le_bytes(std::array::from_fn(|k| bytes[4 * i + k]));
    let mut theta = Array1::zeros(net.n_params());
    for part in net.layout() {
        for k in 0..part.shape.iter().product() {
            let from = match part.shape[..] {
                [inputs, outputs] => k % outputs * inputs + k / outputs,
                _ => k,
            };
            theta[part.offset + k] = number(part.offset + from);
        }
    }
    theta
}

/// 10,000 particles through net a): 100 Euler steps; the peers' method and controller at their tolerance; and the method
/// that comes as near with the fewest evaluations. Errors are against RK4 in double precision.
fn sample(case: &Case, threads: usize) -> Result<()> {
    let (theta, whose) = sampled_net(case)?;
    let noise: Array2<f32> = normal((10_000, 2), 1);
    let (double, mut exact) = (theta.mapv(f64::from), noise.mapv(f64::from));
    Flow::new(case.net.field(&double), Rk4::new()).steps(400, 1.0 / 400.0, &mut exact)?;
    let mut flow = Flow::new(case.net.field(&theta), Euler::new());
    let (median, least) = seconds(7, 0.3, || flow.steps(100, 0.01, &mut noise.clone()));
    let note = format!("min {least:.4e}, {whose}");
    emit("sample", "euler100_n10000", "seconds", median, threads, &note);
    let dopri5 = Flow::new(case.net.field(&theta), Dopri5::new()).controller(Pid::integral()).tol(1e-5);
    adaptive("dopri5_1e-5_n10000", dopri5, (&noise, &exact), threads)?;
    let bs3 = Flow::new(case.net.field(&theta), Bs3::new()).controller(Pid::integral()).tol(BS3_TOL);
    adaptive("adaptive_as_near_n10000", bs3, (&noise, &exact), threads)
}

/// At this tolerance Bs3 ends as near to the exact flow as the fifth-order methods at 1e-5: SELU's second derivative jumps,
/// so that a higher order does not pay.
const BS3_TOL: f32 = 1.5e-4;

fn adaptive<'a, V: VectorField<Array2<f32>>, I: Integrator<Array2<f32>>>(
    name: &str,
    flow: Flow<'a, V, I, Array2<f32>>,
    (noise, exact): (&Array2<f32>, &Array2<f64>),
    threads: usize,
) -> Result<()> {
    let mut flow = flow.save_last();
    let sol = flow.solve(0.0, 1.0, noise.clone())?;
    let square = |(a, b): (&f32, &f64)| (f64::from(*a) - b).powi(2);
    let rms = (sol.y_end().iter().zip(exact).map(square).sum::<f64>() / exact.len() as f64).sqrt();
    let (median, least) = seconds(7, 0.3, || flow.solve(0.0, 1.0, noise.clone()));
    let method = flow.integrator().name();
    let note = format!("min {least:.4e}, {method}, {} evaluations, rms error {rms:.2e}", sol.stats.evals);
    emit("sample", name, "seconds", median, threads, &note);
    Ok(())
}

/// Seconds of training until the W2 of the OT-CFM tutorial's flow (moons to eight gaussians, 2000 fresh points, mean of
/// three draws) is what TorchCFM's is after its 20,000 steps.
fn quality(case: &Case, threads: usize) -> Result<()> {
    let source = |n: usize, seed: u64| {
        let mut x = moons::<f32>(n, 0.0, seed);
        let shift = normal::<f32>((n, 1), seed).mapv(|z| 0.2 / (1.0 + (-1.702 * z).exp()));
        x += &shift;
        x * 3.0 - 1.0
    };
    let target = |n: usize, seed: u64| eight_gaussians::<f32>(n, 5.0, 0.1f64.powf(0.25), seed);
    let (from, to) = (source(50_000, 1), target(50_000, 2));
    let mut theta = case.net.init(0);
    let matching = Matching::new(&case.net, &to, 256).source(Source::Data(&from)).coupling(Coupling::Optimal);
    let mut flow = Flow::new(matching, Ema::new(Adam::default(), 0.999));
    let mut spent = 0.0;
    let tests: Vec<_> = (0..3).map(|k| (source(2000, 100 + k), target(2000, 200 + k))).collect();
    let mut floor = 0.0;
    for (k, (_, goal)) in tests.iter().enumerate() {
        floor += w2(&target(2000, 300 + k as u64), goal)? / 3.0;
    }
    for done in (1000..=20_000).step_by(1000) {
        let begin = Instant::now();
        flow.steps(1000, 2e-3, &mut theta)?;
        spent += begin.elapsed().as_secs_f64();
        let average = flow.integrator().average().unwrap_or(&theta).clone();
        let mut far = 0.0;
        for (start, goal) in &tests {
            let mut sampler = Flow::new(case.net.field(&average), Dopri5::new()).tol(1e-5).save_last();
            far += w2(sampler.solve(0.0, 1.0, start.clone())?.y_end(), goal)? / 3.0;
        }
        let note = format!("{done} steps, W2 {far:.3}, floor {floor:.3}");
        if far <= TORCH_CFM_W2 || done == 20_000 {
            emit("quality", "moons->8gaussians/otcfm", "seconds_to_peers_w2", spent, threads, &note);
            break;
        }
        eprintln!("{spent:.2} s: {note}");
    }
    Ok(())
}

const TORCH_CFM_W2: f64 = 0.482;

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
    if chosen.iter().any(|name| name == "quality") {
        quality(&cases()[0], threads)?;
    }
    Ok(())
}
