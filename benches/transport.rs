//! Optimal transport, in the peers' JSON format: the same shapes and distributions, other draws.
//!
//! `cargo bench --bench transport [-- CASE ..]`; `RAYON_NUM_THREADS` sets the threads (default here: 1).

mod common;

use common::{filters, seconds, wanted};
use flowfield::Real;
use flowfield::dataset::{eight_gaussians, normal};
use flowfield::pairs::{KernelSum, RadialKernel, SoftMin};
use flowfield::transport::{
    Assignment, Entropic, MatrixCost, NetworkSimplex, PointCost, Sinkhorn, SinkhornDivergence, Sliced,
    assignments, uniform, wasserstein_1d,
};
use ndarray::{Array1, Array2, Axis};

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Bench {
    filters: Vec<String>,
    threads: usize,
}

impl Bench {
    fn emit(&self, case: &str, metric: &str, value: f64, note: &str) {
        println!(
            "{{\"area\":\"ot\",\"case\":\"{case}\",\"peer\":\"flowfield\",\"metric\":\"{metric}\",\"value\":{value:.5e},\
             \"threads\":{},\"note\":\"{note}\"}}",
            self.threads
        );
    }

    /// Times a call, if the case is wanted.
    fn time<T>(&self, case: &str, mut call: impl FnMut() -> T, note: impl FnOnce(T) -> String) {
        if wanted(&self.filters, case) {
            let (median, least) = seconds(7, 0.1, &mut call);
            self.emit(case, "seconds", median, &format!("min {least:.4e}, {}", note(call())));
        }
    }
}

/// Standard normal sources, and targets on eight Gaussians (2-D) or of unequal widths, shifted (else).
fn clouds(n: usize, d: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let x = normal((n, d), seed);
    if d == 2 {
        return (x, eight_gaussians(n, 5.0, 0.1f64.powf(0.25), seed + 1));
    }
    let widths = normal::<f64>((1, d), 99).mapv(|z| (0.5 * z).exp());
    (x, normal::<f64>((n, d), seed + 1) * widths + 0.5)
}

/// Weights that differ by a factor of up to eleven.
fn weights(n: usize, seed: u64) -> Array1<f64> {
    // The angle of a normal pair is uniform.
    let z = normal::<f64>((n, 2), seed);
    let w: Array1<f64> =
        z.rows().into_iter().map(|z| z[0].atan2(z[1]).abs() / std::f64::consts::PI + 0.1).collect();
    &w / w.sum()
}

fn exact(bench: &Bench) -> Outcome {
    for n in [256, 1000, 2000, 4000] {
        let (x, y) = clouds(n, 2, 1);
        let cost = PointCost::squared_euclidean(&x, &y)?;
        for (kind, a, b) in [("uniform", uniform(n), uniform(n)), ("random", weights(n, 3), weights(n, 4))] {
            let solve = || NetworkSimplex::new().solve(&cost, &a, &b);
            let note = |plan: flowfield::Result<_>| match plan {
                Ok(flowfield::transport::Plan { cost, certificate: c, .. }) => {
                    format!("from points, cost {cost:.10}, gap {:.1e}, {} pivots", c.gap, c.work)
                }
                Err(e) => e.to_string(),
            };
            bench.time(&format!("exact_{kind}_n{n}"), solve, note);
        }
        let solve = || Assignment::new().solve(&cost);
        let note = |plan: flowfield::Result<flowfield::transport::Plan>| match plan {
            Ok(plan) => format!("from points, mean cost {:.10}, gap {:.1e}", plan.cost, plan.certificate.gap),
            Err(e) => e.to_string(),
        };
        bench.time(&format!("assignment_n{n}"), solve, note);
    }
    Ok(())
}

/// Minibatch couplings: many small problems at once, over the threads there are.
fn batch(bench: &Bench) -> Outcome {
    let mut costs = Vec::new();
    for seed in 0..64 {
        let (x, y) = clouds(256, 2, 2 * seed);
        costs.push(PointCost::squared_euclidean(&x, &y)?);
    }
    let said = |all: flowfield::Result<Vec<Vec<usize>>>| {
        all.map_or_else(|e| e.to_string(), |a| format!("{} problems", a.len()))
    };
    bench.time("assignments_64xn256", || assignments(&costs), said);
    Ok(())
}

/// L1 error of both marginals of the plan, in double precision.
fn marginal_error(s: &Entropic, cost: &MatrixCost, w: &Array1<f64>) -> flowfield::Result<f64> {
    let plan: Array2<f64> = s.plan(cost, w, w)?;
    let error = |axis| (plan.sum_axis(Axis(axis)) - w).mapv(f64::abs).sum();
    Ok(error(0) + error(1))
}

fn sinkhorn(bench: &Bench) -> Outcome {
    let n = 2000;
    let w = uniform::<f64>(n);
    for d in [2, 64] {
        let (x, y) = clouds(n, d, 1);
        let c = Array2::from_shape_fn((n, n), |(i, j)| {
            x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
        });
        let (cost, mean) = (MatrixCost::new(&c), c.mean().unwrap_or(1.0));
        for r in [0.1, 0.01, 0.001] {
            let solver = Sinkhorn::new(r * mean);
            let note = |s: flowfield::Result<Entropic>| match s.and_then(|s| s.ensure()) {
                Ok(s) => {
                    let error = marginal_error(&s, &cost, &w).unwrap_or(f64::NAN);
                    format!("from a matrix, marginal L1 {error:.1e}, {} passes", s.passes)
                }
                Err(e) => e.to_string(),
            };
            bench.time(&format!("sinkhorn_n{n}_d{d}_eps{r}"), || solver.solve(&cost, &w, &w), note);
        }
    }
    Ok(())
}

/// One solve at n = 20,000 from points, with the memory it took.
fn online(bench: &Bench) -> Outcome {
    let case = "sinkhorn_online_n20000_d2_eps0.01";
    if !wanted(&bench.filters, case) {
        return Ok(());
    }
    let (x, y) = clouds(20_000, 2, 1);
    let (cost, w) = (PointCost::squared_euclidean(&x, &y)?, uniform::<f64>(20_000));
    let start = std::time::Instant::now();
    let s = Sinkhorn::new(0.27).solve(&cost, &w, &w)?;
    let note =
        format!("residual {:.1e}, {} passes, peak memory of the process {}", s.residual, s.passes, peak());
    bench.emit(case, "seconds", start.elapsed().as_secs_f64(), &note);
    Ok(())
}

/// Peak resident memory, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.map_or("unknown".into(), |l| l.trim().to_string())
}

fn line(bench: &Bench) -> Outcome {
    let u = normal::<f64>((1_000_000, 1), 5).column(0).to_owned();
    // A sum of two exponentials is gamma of shape two.
    let z = normal::<f64>((1_000_000, 4), 6);
    let v: Array1<f64> = z.rows().into_iter().map(|z| 0.5 * z.dot(&z)).collect();
    let said = |w: flowfield::Result<f64>| w.map_or_else(|e| e.to_string(), |w| format!("value {w:.8}"));
    bench.time("w2_1d_n1e6", || wasserstein_1d(&u, &v, 2.0), said);
    bench.time("w1_1d_n1e6", || wasserstein_1d(&u, &v, 1.0), said);
    let (u4, v4) = (u.mapv(|x| x as f32), v.mapv(|x| x as f32));
    bench.time("w2_1d_n1e6_f32", || wasserstein_1d(&u4, &v4, 2.0), said);
    let (x, y) = clouds(10_000, 10, 6);
    let (sliced, single) = (Sliced::new(10, 100, 8)?, Sliced::new(10, 100, 8)?);
    bench.time("sliced_w2_n10000_d10_p100", || sliced.distance(&x, &y), said);
    let (x4, y4) = (x.mapv(|x| x as f32), y.mapv(|x| x as f32));
    bench.time("sliced_w2_n10000_d10_p100_f32", || single.distance(&x4, &y4), said);
    bench.time("sliced_w2_gradient_n10000_d10_p100", || sliced.gradient(&x, &y).map(|g| g.0), said);
    Ok(())
}

fn divergence(bench: &Bench) -> Outcome {
    let (n, w) = (1000, uniform::<f64>(1000));
    for d in [2, 10] {
        let (x, y) = clouds(n, d, 1);
        let c = x
            .rows()
            .into_iter()
            .flat_map(|a| y.rows().into_iter().map(move |b| (&a - &b).mapv(|v| v * v).sum()));
        let eps = 0.05 * c.sum::<f64>() / (n * n) as f64;
        for tol in [1e-3, 1e-6] {
            let case =
                format!("sinkhorn_divergence_grad_n1000_d{d}{}", if tol < 1e-4 { "" } else { "_tol1e-3" });
            let solve = || SinkhornDivergence::new(eps).tol(tol).between(&x, &w, &y, &w);
            let said = |s: flowfield::Result<flowfield::transport::Divergence<f64>>| match s {
                Ok(s) => format!("from points, value {:.8}, residual {:.1e}", s.value, s.residual),
                Err(e) => e.to_string(),
            };
            bench.time(&case, solve, said);
        }
    }
    Ok(())
}

/// The pair reduction alone: pairs per second.
fn pairs(bench: &Bench) -> Outcome {
    for d in [1, 2, 3, 16, 64] {
        pairs_of::<f32>(bench, 8192, d, "f32")?;
        pairs_of::<f64>(bench, 4096, d, "f64")?;
    }
    Ok(())
}

fn pairs_of<F: Real>(bench: &Bench, n: usize, d: usize, bits: &str) -> Outcome {
    let width = (d as f64).sqrt();
    let kernels = [
        ("gaussian", RadialKernel::Gaussian { width }),
        ("imq", RadialKernel::InverseMultiquadric { width }),
        ("laplace", RadialKernel::Laplace { width }),
        ("energy", RadialKernel::Energy),
    ];
    let (x, y) = (normal::<F>((n, d), 1), normal::<F>((n, d), 2));
    let run = |name: &str, call: &mut dyn FnMut()| {
        let case = format!("pairs_{name}_{bits}_n{n}_d{d}");
        if wanted(&bench.filters, &case) {
            let (median, least) = seconds(5, 0.05, call);
            let pairs = (n * n) as f64;
            bench.emit(&case, "pairs_per_second", pairs / median, &format!("best {:.3e}", pairs / least));
        }
    };
    let soft = SoftMin::new(&y, &Array1::zeros(n), d as f64)?;
    run("log_sum_exp", &mut || drop(soft.log_sum_exp(&x)));
    run("softmin_mean", &mut || drop(soft.mean(&x)));
    for (name, kernel) in kernels {
        let mut engine = KernelSum::new(kernel)?;
        let (mut sums, mut gradients) = (Array2::zeros((n, 1)), Array2::zeros((n, d)));
        engine.targets(&y)?.payload(&Array2::ones((n, 1)))?;
        run(&format!("{name}_sum"), &mut || drop(engine.sums(&x, &mut sums)));
        run(&format!("{name}_gradient"), &mut || drop(engine.gradients(&x, &mut gradients)));
        let mut sums = Array2::zeros((n, d));
        engine.payload(&y)?;
        run(&format!("{name}_stein"), &mut || drop(engine.both(&x, &mut sums, &mut gradients)));
    }
    Ok(())
}

fn main() -> Outcome {
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let bench = Bench { filters: filters(), threads };
    online(&bench)?;
    exact(&bench)?;
    batch(&bench)?;
    sinkhorn(&bench)?;
    line(&bench)?;
    divergence(&bench)?;
    pairs(&bench)
}
