//! Fixed workloads whose instructions are counted: a regression check that a busy machine does not disturb.
//!
//! `benches/instructions.sh` runs each under callgrind and prints the counts.

#[path = "ode/cases.rs"]
#[allow(dead_code)]
mod cases;

use cases::{Case, Lorenz, Pleiades};
use flowfield::dataset::moons;
use flowfield::integrate::{Adam, Rodas5P, Tsit5, Vern7};
use flowfield::matching::Matching;
use flowfield::nn::{Mlp, Network};
use flowfield::{Flow, Stats, field};

type Workload = (&'static str, fn() -> Outcome);
type Outcome = Result<Stats, Box<dyn std::error::Error>>;

fn lorenz() -> Outcome {
    let f = field(|t, y: &[f64; 3], dy: &mut [f64; 3]| Lorenz::rhs(t, y, dy));
    Ok(Flow::new(f, Tsit5::new()).tol(1e-6).save_last().solve(0.0, 1000.0, Lorenz::START)?.stats)
}

fn pleiades() -> Outcome {
    let f = field(|t, y: &[f64; 28], dy: &mut [f64; 28]| Pleiades::rhs(t, y, dy));
    Ok(Flow::new(f, Vern7::new()).tol(1e-10).save_last().solve(0.0, 3.0, Pleiades::START)?.stats)
}

fn robertson() -> Outcome {
    let f = field(|_t, y: &[f64; 3], dy: &mut [f64; 3]| {
        let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        *dy = [fast - slow, slow - fast - faster, faster];
    });
    let mut flow = Flow::new(f, Rodas5P::new()).rtol(1e-9).atol(1e-13).save_last();
    Ok(flow.solve(0.0, 1e5, [1.0, 0.0, 0.0])?.stats)
}

fn train() -> Outcome {
    let data = moons::<f32>(2000, 0.05, 0);
    let net = Mlp::velocity(2, &[64, 64, 64]);
    let mut theta = net.init(0);
    let mut flow = Flow::new(Matching::new(&net, &data, 256), Adam::default());
    flow.steps(50, 1e-3, &mut theta)?;
    Ok(flow.stats())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let all: [Workload; 4] =
        [("lorenz", lorenz), ("pleiades", pleiades), ("robertson", robertson), ("train", train)];
    let chosen = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    for (name, run) in all.into_iter().filter(|(name, _)| chosen.as_deref().is_none_or(|c| c == *name)) {
        println!("{name}: {}", run()?);
    }
    Ok(())
}
