//! The porous medium equation by minimising movements.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREEN, GREY, Layer, Panel, VERMILION, panels};
use flowfield::Flow;
use flowfield::exact::Barenblatt;
use flowfield::integrate::{Proximal, Rock4};
use flowfield::measure::{DensityFlow, EntropicJko, FreeEnergy, Grid, QuantileFlow};
use ndarray::Array1;

const ABOUT: &str = "jko_porous_medium: the porous medium equation by minimising movements

Follows Barenblatt's solution of d rho/dt = (rho^2)'' from t = 0.1 to t = 1 in three ways: exact Wasserstein proximal
steps of quantiles, entropic ones on a grid, and finite volumes. Prints errors against the closed form; writes jko_porous_medium.png.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (cells, steps) = if options.quick { (60, 30) } else { (200, 200) };
    let barenblatt = Barenblatt::new(1, 2.0, 1.0)?;
    let (t0, t1) = (0.1, 1.0);
    let tau = (t1 - t0) / steps as f64;

    let mut edges = quantiles(&barenblatt, t0, cells);
    let mut flow = Flow::new(QuantileFlow::new(cells, 1.0).power(1.0, 2.0), Proximal::new());
    let account = flow.steps_certified(steps, tau, &mut edges)?;
    let exact = quantiles(&barenblatt, t1, cells);
    let w2 = ((&edges - &exact).mapv(|d| d * d).sum() / cells as f64).sqrt();
    println!(
        "quantiles: W2 error {w2:.2e}, {} Newton iterations in {} steps, energy {}",
        flow.field().iterations(),
        account.steps,
        if account.is_monotone() { "never rose" } else { "rose" }
    );

    let grid = Grid::line(-3.0, 3.0, 2 * cells)?;
    let energy = FreeEnergy::new(&grid).power(1.0, 2.0);
    let start = grid.density(|x| barenblatt.density(t0, x[0].abs()));
    let goal = grid.sample(|x| barenblatt.density(t1, x[0].abs()));
    let mut entropic = start.clone();
    let eps = 16.0 * grid.width()[0].powi(2);
    let mut flow = Flow::new(EntropicJko::new(energy.clone(), eps).tol(1e-7), Proximal::new());
    flow.steps_certified(steps / 10, 10.0 * tau, &mut entropic)?;
    println!("entropic:  L1 error {:.2e}, {} passes", grid.l1(&entropic, &goal), flow.field().passes());
    let (volumes, account) =
        Flow::new(DensityFlow::new(energy), Rock4::new()).tol(1e-6).solve_certified(t0, t1, start)?;
    println!(
        "volumes:   L1 error {:.2e}, {} steps, mass drift {:.1e}",
        grid.l1(&volumes, &goal),
        account.steps,
        account.mass_drift.unwrap_or(0.0)
    );

    let curve = |t: f64| -> Vec<(f64, f64)> {
        (0..=600).map(|i| f64::from(i) / 100.0 - 3.0).map(|x| (x, barenblatt.density(t, x.abs()))).collect()
    };
    let on_grid = |rho: &Array1<f64>| -> Vec<(f64, f64)> {
        rho.iter().enumerate().map(|(k, &r)| (grid.centre(k)[0], r)).collect()
    };
    let density = flow_density(&edges);
    let (first, last, smooth) = (curve(t0), curve(t1), on_grid(&entropic));
    let profile = Panel {
        title: "Barenblatt's profile at t = 0.1 and 1",
        axes: ("x", "density"),
        range: None,
        layers: vec![
            Layer::Line(&first, GREY),
            Layer::Line(&last, BLUE),
            Layer::Line(&smooth, GREEN),
            Layer::Dots(&density, VERMILION, 3),
        ],
    };
    let fall: Vec<(f64, f64)> = account.energy.clone();
    let law: Vec<(f64, f64)> =
        (0..200).map(|i| t0 + (t1 - t0) * f64::from(i) / 199.0).map(|t| (t, barenblatt.energy(t))).collect();
    let energy = Panel {
        title: "energy: closed form, and finite volumes (dots)",
        axes: ("t", "F"),
        range: None,
        layers: vec![Layer::Line(&law, BLUE), Layer::Dots(&fall, VERMILION, 3)],
    };
    let file = options.file("jko_porous_medium.png")?;
    panels(&file, (640, 520), &[profile, energy])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

/// Edges between cells of equal mass.
fn quantiles(b: &Barenblatt, t: f64, cells: usize) -> Array1<f64> {
    let (n, r) = (100_000, b.radius(t));
    let h = 2.0 * r / n as f64;
    let mut sum = vec![0.0; n + 1];
    (0..n).for_each(|k| sum[k + 1] = sum[k] + h * b.density(t, (-r + (k as f64 + 0.5) * h).abs()));
    let edge = |i: usize| sum.partition_point(|&c| c < i as f64 / cells as f64 * sum[n]).min(n);
    (0..=cells).map(|i| -r + edge(i) as f64 * h).collect()
}

/// (middle, density) of every cell.
fn flow_density(edges: &Array1<f64>) -> Vec<(f64, f64)> {
    let cells = edges.len() as f64 - 1.0;
    edges.windows(2).into_iter().map(|w| (0.5 * (w[0] + w[1]), 1.0 / (cells * (w[1] - w[0])))).collect()
}
