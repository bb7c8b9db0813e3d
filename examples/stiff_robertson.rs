//! Robertson's reaction over fifteen decades of time, as a differential and as a differential-algebraic system.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, Layer, ORANGE, Panel, VERMILION, panels};
use flowfield::integrate::{Bdf, Integrator, RadauIIA5, Rodas5P};
use flowfield::{Flow, Solution, WithMass, field};

const ABOUT: &str = "stiff_robertson: Robertson's reaction to t = 1e11

Rates from 0.04 to 3e7: the classical stiff problem. Solves it with Rodas5P, RadauIIA5 and Bdf, once as three differential
equations and once with the conservation of mass as an algebraic one (M dy/dt = f with a singular M); prints the work and how
well the sum y1 + y2 + y3 = 1 is kept. Writes stiff_robertson.png: the species and the step sizes over the logarithm of time.";

type Species = [f64; 3];

fn solve<I: Integrator<Species>>(
    method: I,
    t1: f64,
    algebraic: bool,
) -> Result<Solution<Species>, Box<dyn std::error::Error>> {
    let reaction = field(move |_t, y: &Species, d: &mut Species| {
        let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        let last = if algebraic { y[0] + y[1] + y[2] - 1.0 } else { faster };
        *d = [fast - slow, slow - fast - faster, last];
    });
    let start = [1.0, 0.0, 0.0];
    let atol = [1e-10, 1e-14, 1e-10];
    Ok(if algebraic {
        let dae = WithMass::new(reaction, [1.0, 1.0, 0.0]);
        Flow::new(dae, method).rtol(1e-7).atol(atol).solve(0.0, t1, start)?
    } else {
        Flow::new(reaction, method).rtol(1e-7).atol(atol).solve(0.0, t1, start)?
    })
}

fn report(name: &str, sol: &Solution<Species>) {
    let off = sol.y.iter().map(|y| (y.iter().sum::<f64>() - 1.0).abs()).fold(0.0, f64::max);
    println!("{name:>14}: y1 = {:.9e}, |sum - 1| <= {off:.0e}, {}", sol.y_end()[0], sol.stats);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let t1 = if options.quick { 1e5 } else { 1e11 };
    let radau = solve(RadauIIA5::new(), t1, false)?;
    println!("t = {t1:e}");
    for (kind, algebraic) in [("ODE", false), ("DAE", true)] {
        report(&format!("Rodas5P {kind}"), &solve(Rodas5P::new(), t1, algebraic)?);
        report(&format!("RadauIIA5 {kind}"), &solve(RadauIIA5::new(), t1, algebraic)?);
        report(&format!("Bdf {kind}"), &solve(Bdf::new(), t1, algebraic)?);
    }

    let points = |value: &dyn Fn(&Species) -> f64| -> Vec<(f64, f64)> {
        radau.t.iter().zip(&radau.y).skip(1).map(|(t, y)| (t.log10(), value(y))).collect()
    };
    let species = [points(&|y| y[0]), points(&|y| 1e4 * y[1]), points(&|y| y[2])];
    let steps: Vec<(f64, f64)> = radau.t.windows(2).map(|t| (t[1].log10(), (t[1] - t[0]).log10())).collect();
    let colours = [BLUE, VERMILION, ORANGE];
    let concentrations = Panel {
        title: "y1 (blue), 10^4 y2 (red), y3 (orange)",
        axes: ("log10 t", "concentration"),
        range: None,
        layers: species.iter().zip(colours).map(|(s, c)| Layer::Line(s, c)).collect(),
    };
    let sizes = Panel {
        title: "steps of RadauIIA5",
        axes: ("log10 t", "log10 h"),
        range: None,
        layers: vec![Layer::Dots(&steps, BLUE, 2)],
    };
    let file = options.file("stiff_robertson.png")?;
    panels(&file, (640, 480), &[concentrations, sizes])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
