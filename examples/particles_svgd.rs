//! Stein variational gradient descent on a banana.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use flowfield::Flow;
use flowfield::dataset::normal;
use flowfield::integrate::Adam;
use flowfield::measure::Svgd;
use ndarray::Array2;

const ABOUT: &str = "particles_svgd: Stein variational gradient descent on a banana

Moves particles to the density of (x, y) with x ~ N(0, 1), y | x ~ N(x^2 - 1, 1/4) by its score alone.
Prints moments against the exact ones; writes particles_svgd.png.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (n, steps) = if options.quick { (100, 300) } else { (500, 3000) };
    let banana = |x: &Array2<f64>, s: &mut Array2<f64>| {
        for (x, mut s) in x.rows().into_iter().zip(s.rows_mut()) {
            let bend = 4.0 * (x[1] - x[0] * x[0] + 1.0);
            s[0] = -x[0] + 2.0 * x[0] * bend;
            s[1] = -bend;
        }
    };
    let start = normal::<f64>((n, 2), options.seed) * 0.5 + 2.0;
    let mut x = start.clone();
    Flow::new(Svgd::new(banana), Adam::default()).steps(steps, 0.03, &mut x)?;

    let mean =
        |f: &dyn Fn(f64, f64) -> f64| x.rows().into_iter().map(|r| f(r[0], r[1])).sum::<f64>() / n as f64;
    println!("{:>10} {:>10} {:>10}", "", "particles", "exact");
    for (name, value, exact) in [
        ("E x", mean(&|x, _| x), 0.0),
        ("E y", mean(&|_, y| y), 0.0),
        ("E x²", mean(&|x, _| x * x), 1.0),
        ("E y²", mean(&|_, y| y * y), 2.25),
        ("E x²y", mean(&|x, y| x * x * y), 2.0),
    ] {
        println!("{name:>10} {value:10.4} {exact:10.4}");
    }

    let points =
        |x: &Array2<f64>| -> Vec<(f64, f64)> { x.rows().into_iter().map(|r| (r[0], r[1])).collect() };
    let (from, to) = (points(&start), points(&x));
    // Lines of constant density.
    let rings: Vec<Vec<(f64, f64)>> = [0.5_f64, 1.0, 2.0]
        .map(|r| {
            let at = |i: i32| {
                let a = std::f64::consts::TAU * f64::from(i) / 200.0;
                let x = r * a.cos();
                (x, x * x - 1.0 + 0.5 * r * a.sin())
            };
            (0..=200).map(at).collect()
        })
        .to_vec();
    let panel = Panel {
        title: "SVGD: start (grey), end (blue), level sets",
        axes: ("x", "y"),
        range: Some([-4.0, 4.0, -3.0, 6.0]),
        layers: vec![Layer::Dots(&from, GREY, 2), Layer::Dots(&to, BLUE, 2), Layer::Lines(&rings, VERMILION)],
    };
    let file = options.file("particles_svgd.png")?;
    panels(&file, (640, 640), &[panel])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
