//! Particles down four distances to the same sample.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, panels};
use flowfield::dataset::{moons, normal};
use flowfield::gradient::Certificate;
use flowfield::integrate::Euler;
use flowfield::measure::{Descent, Energy, Injected, Mmd, SinkhornEnergy, SlicedEnergy};
use flowfield::metric::energy_distance;
use flowfield::pairs::RadialKernel;
use flowfield::{Flow, Result};
use ndarray::Array2;

const ABOUT: &str = "particles_mmd: particles down four distances to the same sample

From one Gaussian to two moons by the flows of MMD with a Gaussian kernel (with injected noise), of the energy distance, of
the sliced Wasserstein distance and of the Sinkhorn divergence. Prints the energy distance that each leaves; writes particles_mmd.png.";

fn down<E: Energy<f64>>(energy: E, steps: usize, h: f64, x: &mut Array2<f64>) -> Result<Certificate> {
    Flow::new(Descent(energy), Euler::new()).steps_certified(steps, h, x)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (n, long) = if options.quick { (100, 1) } else { (400, 8) };
    let y = moons::<f64>(n, 0.05, options.seed);
    let start = normal::<f64>((n, 2), options.seed + 1) * 0.3 - 1.0;
    let mut clouds = vec![start.clone(); 4];
    let gauss = Mmd::new(RadialKernel::Gaussian { width: 0.5 }, &y)?;
    Flow::new(Injected::new(gauss, 1.0, 0.4, options.seed), Euler::new()).steps(
        100 * long,
        0.5,
        &mut clouds[0],
    )?;
    let runs = [
        down(Mmd::new(RadialKernel::Energy, &y)?, 40 * long, 0.1, &mut clouds[1])?,
        down(SlicedEnergy::new(&y, 64, options.seed)?, 10 * long, 0.5, &mut clouds[2])?,
        down(SinkhornEnergy::new(0.05, &y)?.tol(1e-4), 5 * long, 0.5, &mut clouds[3])?,
    ];
    let names = ["MMD, Gaussian, noise injected", "MMD, energy kernel", "sliced W2", "Sinkhorn divergence"];
    println!("{:32} {:>16} {:>16}", "flow", "energy distance", "energy left");
    for (k, name) in names.iter().enumerate() {
        let left = if k == 0 { "-".into() } else { format!("{:.3e}", runs[k - 1].energy_end()) };
        println!("{name:32} {:16.3e} {left:>16}", energy_distance(&clouds[k], &y)?);
    }

    let points =
        |x: &Array2<f64>| -> Vec<(f64, f64)> { x.rows().into_iter().map(|r| (r[0], r[1])).collect() };
    let (target, ends): (_, Vec<_>) = (points(&y), clouds.iter().map(points).collect());
    let panel = |k: usize| Panel {
        title: names[k],
        axes: ("x", "y"),
        range: Some([-1.6, 2.5, -1.3, 1.6]),
        layers: vec![Layer::Dots(&target, GREY, 2), Layer::Dots(&ends[k], BLUE, 2)],
    };
    let file = options.file("particles_mmd.png")?;
    panels(&file, (440, 380), &[panel(0), panel(1), panel(2), panel(3)])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
