//! Chemotaxis below and above the critical mass.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREEN, GREY, Layer, ORANGE, Panel, VERMILION, panels};
use flowfield::Flow;
use flowfield::dataset::normal;
use flowfield::exact::keller_segel::second_moment_slope;
use flowfield::integrate::Rk4;
use flowfield::measure::{BlobEntropy, Descent, Interaction};
use ndarray::Array2;

const ABOUT: &str = "keller_segel: chemotaxis below and above the critical mass

Particles of total mass 1 diffuse and attract each other by W = (chi / 2 pi) log |x|; beyond chi = 8 pi they collapse. Compares
the growth of the second moment with the law 4 (1 - chi / 8 pi); writes keller_segel.png.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (n, steps, h) = if options.quick { (100, 20, 0.005) } else { (500, 50, 0.002) };
    let start = normal::<f64>((n, 2), options.seed);
    let second = |x: &Array2<f64>| x.iter().map(|x| x * x).sum::<f64>() / x.nrows() as f64;
    let pi = std::f64::consts::PI;
    println!("{:>8} {:>14} {:>14}", "chi/pi", "slope", "law");
    let (mut curves, mut ends) = (Vec::new(), Vec::new());
    for chi in [0.0, 6.0, 8.0, 10.0] {
        let energy = (Interaction::keller_segel(chi * pi).softened(0.05), BlobEntropy::new(0.3, 1.0)?);
        let mut flow = Flow::new(Descent(energy), Rk4::new());
        let mut x = start.clone();
        let mut curve = vec![(0.0, second(&x))];
        for _ in 0..steps {
            flow.step(h, &mut x)?;
            curve.push((flow.t(), second(&x)));
        }
        let t = steps as f64 * h;
        let slope = (curve[steps].1 - curve[0].1) / t;
        println!("{chi:8} {slope:14.3} {:14.3}", second_moment_slope(1.0, chi * pi));
        curves.push(curve);
        ends.push(x);
    }

    let colours = [GREY, GREEN, ORANGE, VERMILION];
    let lines = curves.iter().zip(colours).map(|(c, colour)| Layer::Line(c, colour)).collect();
    let moments = Panel {
        title: "second moment: chi = 0, 6, 8, 10 pi",
        axes: ("t", "mean |x|²"),
        range: None,
        layers: lines,
    };
    let points =
        |x: &Array2<f64>| -> Vec<(f64, f64)> { x.rows().into_iter().map(|r| (r[0], r[1])).collect() };
    let (below, above) = (points(&ends[1]), points(&ends[3]));
    let cloud = |title, points, colour| Panel {
        title,
        axes: ("x", "y"),
        range: Some([-3.5, 3.5, -3.5, 3.5]),
        layers: vec![Layer::Dots(points, colour, 2)],
    };
    let file = options.file("keller_segel.png")?;
    panels(
        &file,
        (480, 440),
        &[moments, cloud("below: 6 pi", &below, BLUE), cloud("above: 10 pi", &above, VERMILION)],
    )?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
