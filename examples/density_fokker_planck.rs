//! A density in a double well, down to the Gibbs density.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, ORANGE, Panel, VERMILION, panels};
use flowfield::Flow;
use flowfield::integrate::Rodas4;
use flowfield::measure::{DensityFlow, FreeEnergy, Grid};

const ABOUT: &str = "density_fokker_planck: a double well, down to the Gibbs density

Moves a density by the Fokker-Planck equation in the potential (x^2 - 1)^2 + x/4: finite volumes with
Scharfetter-Gummel fluxes, an implicit adaptive method in time. The certificate says what the free energy lost and
where it went. Prints the account; writes density_fokker_planck.png.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let cells = if options.quick { 200 } else { 800 };
    let grid = Grid::line(-2.5, 2.5, cells)?;
    let diffusion = 0.3;
    let well = |x: &[f64]| (x[0] * x[0] - 1.0).powi(2) + 0.25 * x[0];
    let energy = FreeEnergy::new(&grid).diffusion(diffusion).potential(well);
    let gibbs = grid.density(|x| (-well(x) / diffusion).exp());
    let rest = energy.value(&gibbs);

    let mut rho = grid.density(|x| (-20.0 * (x[0] - 1.4).powi(2)).exp());
    let mut pictures = vec![("0", rho.clone())];
    let (mut curve, mut t) = (Vec::new(), 0.0);
    println!(
        "{:>6} {:>14} {:>12} {:>12} {:>12} {:>12}",
        "t", "F - F(Gibbs)", "gap", "mass drift", "least", "steps"
    );
    for (until, name) in [(0.05, "0.05"), (0.3, "0.3"), (10.0, "10"), (100.0, "100")] {
        let mut flow = Flow::new(DensityFlow::new(energy.clone()), Rodas4::new()).tol(1e-7);
        let (next, account) = flow.solve_certified(t, until, rho)?;
        println!(
            "{until:6} {:14.3e} {:12.1e} {:12.1e} {:12.1e} {:12}",
            account.energy_end() - rest,
            account.identity_gap,
            account.mass_drift.unwrap_or(0.0),
            account.least_density.unwrap_or(0.0),
            account.steps
        );
        curve
            .extend(account.energy.iter().map(|&(t, e)| ((t + 0.01).log10(), (e - rest).max(1e-12).log10())));
        (rho, t) = (next, until);
        pictures.push((name, rho.clone()));
    }
    println!("L1 distance to the Gibbs density: {:.2e}", grid.l1(&rho, &gibbs));

    let line = |rho: &ndarray::Array1<f64>| -> Vec<(f64, f64)> {
        rho.iter().enumerate().map(|(k, &r)| (grid.centre(k)[0], r)).collect()
    };
    let lines: Vec<Vec<(f64, f64)>> = pictures.iter().map(|p| line(&p.1)).collect();
    let target = line(&gibbs);
    let colours = [GREY, ORANGE, ORANGE, VERMILION, BLUE];
    let mut layers: Vec<Layer<'_>> = lines.iter().zip(colours).map(|(l, c)| Layer::Line(l, c)).collect();
    let dots: Vec<(f64, f64)> = target.iter().step_by(cells / 50).copied().collect();
    layers.push(Layer::Dots(&dots, BLUE, 3));
    let top = pictures.iter().flat_map(|p| &p.1).fold(0.0_f64, |m, &r| m.max(r));
    let density = Panel {
        title: "density at t = 0, 0.05, 0.3, 10, 100 (dots: Gibbs)",
        axes: ("x", "density"),
        range: Some([-2.5, 2.5, -0.02 * top, 1.05 * top]),
        layers,
    };
    let energy = Panel {
        title: "free energy above its minimum",
        axes: ("log10 (t + 0.01)", "log10 (F - F(Gibbs))"),
        range: None,
        layers: vec![Layer::Line(&curve, BLUE)],
    };
    let file = options.file("density_fokker_planck.png")?;
    panels(&file, (640, 520), &[density, energy])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
