//! Particle flows, in the peers' JSON format: the same shapes, distributions and work, other draws.
//!
//! `cargo bench --bench particles [-- CASE ..]`; `RAYON_NUM_THREADS` sets the threads (default here: 1).

mod common;

use common::{filters, seconds, wanted};
use flowfield::dataset::{eight_gaussians, normal};
use flowfield::integrate::{Euler, EulerMaruyama};
use flowfield::measure::{
    Cloud, Descent, Energy, FeatureMmd, GaussianMixture, Mmd, Potential, ScoreField, SinkhornEnergy,
    SlicedEnergy, Svgd,
};
use flowfield::noise::Sde;
use flowfield::pairs::RadialKernel;
use flowfield::{Flow, VectorField};
use ndarray::Array2;

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Bench {
    filters: Vec<String>,
    threads: usize,
}

impl Bench {
    /// Times a call, if the case is wanted.
    fn time<T>(&self, case: &str, note: &str, mut call: impl FnMut() -> T) {
        if wanted(&self.filters, case) {
            let (median, least) = seconds(7, 0.2, &mut call);
            println!(
                "{{\"area\":\"particles\",\"case\":\"{case}\",\"peer\":\"flowfield\",\"metric\":\"seconds\",\
                 \"value\":{median:.5e},\"threads\":{},\"note\":\"min {least:.4e}, {note}\"}}",
                self.threads
            );
        }
    }
}

/// Eight equal Gaussians of radius 5, standard deviation 0.1^(1/4).
fn eight() -> flowfield::Result<GaussianMixture<f32>> {
    let centres = Array2::from_shape_fn((8, 2), |(k, axis)| {
        let angle = k as f64 * std::f64::consts::FRAC_PI_4;
        (5.0 * if axis == 0 { angle.cos() } else { angle.sin() }) as f32
    });
    GaussianMixture::new(centres, 0.1_f64.powf(0.25))
}

fn svgd(bench: &Bench) -> Outcome {
    let start = normal::<f32>((1000, 2), 0);
    let mut flow = Flow::new(Svgd::new(eight()?), Euler::new());
    let mut x = start.clone();
    let case = "svgd_n1000_d2";
    bench.time(case, "median of all pairs at every step", || {
        x.assign(&start);
        flow.step(0.1, &mut x)
    });
    let start = normal::<f32>((1000, 50), 1);
    let mean = normal::<f32>((1, 50), 2);
    let score = move |x: &Array2<f32>, s: &mut Array2<f32>| s.assign(&(&mean - x));
    let mut flow = Flow::new(Svgd::new(score), Euler::new());
    let mut x = start.clone();
    bench.time("svgd_n1000_d50", "median of all pairs at every step", || {
        x.assign(&start);
        flow.step(0.1, &mut x)
    });
    Ok(())
}

fn mmd(bench: &Bench) -> Outcome {
    let (start, y) = (normal::<f32>((2000, 2), 3), eight_gaussians::<f32>(2000, 5.0, 0.1_f64.powf(0.25), 4));
    let kernel = RadialKernel::Gaussian { width: 1.0 };
    let mut flow = Flow::new(Descent(Mmd::new(kernel, &y)?), Euler::new());
    let mut x = start.clone();
    bench.time("mmd_flow_n2000_d2", "exact sums", || {
        x.assign(&start);
        flow.step(0.1, &mut x)
    });
    // A potential and an MMD over a million particles, by 256 random features.
    if wanted(&bench.filters, "features_n1000000_d2") {
        let start = normal::<f32>((1_000_000, 2), 5);
        let bowl = Potential::new(|x: &[f32], g: &mut [f32]| {
            g.copy_from_slice(x);
            0.5 * x.iter().map(|x| x * x).sum::<f32>()
        });
        let mut flow = Flow::new(Descent((bowl, FeatureMmd::new(1.0, &y, 256, 0)?)), Euler::new());
        let mut x = start;
        bench.time("features_n1000000_d2", "potential and MMD by 256 random features", || {
            flow.step(1e-3, &mut x)
        });
    }
    Ok(())
}

fn ula(bench: &Bench) -> Outcome {
    let start = normal::<f32>((10_000, 2), 6);
    let drift = ScoreField::new(eight()?);
    let mut flow = Flow::new(Sde::additive(drift, &[2.0_f32.sqrt()]).fresh(0), EulerMaruyama::new());
    let mut x = start.clone();
    bench.time("ula_1000steps_n10000_d2", "Euler-Maruyama", || {
        x.assign(&start);
        flow.steps(1000, 0.01, &mut x)
    });
    Ok(())
}

fn gradients(bench: &Bench) -> Outcome {
    let (x, y) = (normal::<f64>((10_000, 10), 7), normal::<f64>((10_000, 10), 8) * 1.5 + 0.5);
    let mut sliced = SlicedEnergy::new(&y, 100, 0)?;
    let mut g = Array2::zeros(x.dim());
    bench.time("sliced_gradient_n10000_d10_p100", "f64, fixed directions", || {
        sliced.gradient(&Cloud::uniform(&x), &mut g)
    });
    for d in [2, 10] {
        let (x, y) = (normal::<f64>((1000, d), 9), normal::<f64>((1000, d), 10) * 1.5 + 0.5);
        let mean = (x.mapv(|v| v * v).sum() + y.mapv(|v| v * v).sum()) / 1000.0;
        let mut g = Array2::zeros(x.dim());
        for (tol, name) in [(1e-3, "_tol1e-3"), (1e-6, "")] {
            let case = format!("sinkhorn_energy_gradient_n1000_d{d}{name}");
            bench.time(&case, "f64, cold start", || {
                // A new energy each time: no warm start.
                let energy = SinkhornEnergy::new(0.05 * mean, &y).map(|e| e.tol(tol));
                energy.map(|mut e| e.gradient(&Cloud::uniform(&x), &mut g))
            });
        }
    }
    Ok(())
}

/// What a step costs beyond the field: nothing is timed that a user would not run.
fn field(bench: &Bench) -> Outcome {
    let x = normal::<f32>((10_000, 2), 6);
    let mut dx = x.clone();
    let mut score = ScoreField::new(eight()?);
    bench.time("score_of_eight_gaussians_n10000", "one evaluation", || score.eval(0.0, &x, &mut dx));
    Ok(())
}

fn main() -> Outcome {
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let bench = Bench { filters: filters(), threads };
    svgd(&bench)?;
    mmd(&bench)?;
    ula(&bench)?;
    field(&bench)?;
    gradients(&bench)
}
