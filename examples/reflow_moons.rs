//! Two moons from Gaussian noise, and how reflow straightens the way there.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use common::progress::bar;
use flowfield::dataset::{moons, normal};
use flowfield::integrate::{Adam, Euler, Heun, Schedule, Tsit5};
use flowfield::matching::{Matching, NfeCurve, Reflow, straightness};
use flowfield::metric::energy_distance;
use flowfield::nn::{Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2, s};

const ABOUT: &str = "reflow_moons: rectified flow on two moons, and how reflow straightens it

Trains the 1-rectified flow, then two rounds of reflow. Prints for each its straightness (0: every path a straight
line at constant speed) and the energy distance of one-step and adaptive samples to fresh data, beside that of two
fresh data sets; and how the distance falls with the number of evaluations of the network, before reflow and after.
Writes reflow_moons.png: the paths of the three flows.";

/// Standardised so that noise and data have the same scale.
fn data(n: usize, seed: u64) -> Array2<f32> {
    let mut x = moons(n, 0.05, seed);
    x.mapv_inplace(|v: f32| 2.0 * v);
    x.rows_mut().into_iter().for_each(|mut r| {
        r[0] -= 1.0;
        r[1] -= 0.5;
    });
    x
}

struct Measured {
    name: String,
    straightness: f64,
    one_step: f64,
    adaptive: f64,
    paths: Vec<Vec<(f64, f64)>>,
    ends: Vec<(f64, f64)>,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (points, steps) = if options.quick { (2000, 400) } else { (20_000, 6000) };
    let steps = options.epochs.map_or(steps, |e| (e * points).div_ceil(256));
    let train = data(points, options.seed);
    let net = Mlp::velocity(2, &[64, 64, 64]);
    let mut theta = net.init(options.seed);

    let matching = Matching::new(&net, &train, 256).seed(options.seed);
    let mut training = Flow::new(matching, Adam::default()).controller(Schedule::cosine(steps as u64));
    let bar = bar(steps, "1-rectified flow");
    for done in (0..steps).step_by(100) {
        let n = 100.min(steps - done);
        training.steps(n, 2e-3, &mut theta)?;
        bar.set_message(format!("loss {:.4}", training.field_mut().mean_loss()));
        bar.inc(n as u64);
    }
    bar.finish();

    let mut rows = vec![measure("1-rectified".into(), &net, &theta, options.seed)?];
    let before = theta.clone();
    for round in 2..=3u64 {
        let reflow = Reflow::new(points, steps).rate(1e-3).tol(1e-4).seed(options.seed + round);
        reflow.run(&net, &mut theta, 1)?;
        rows.push(measure(format!("{round}-rectified"), &net, &theta, options.seed)?);
    }

    let floor = energy_distance(&data(2000, options.seed + 51), &data(2000, options.seed + 52))?;
    println!("{:12} {:>12} {:>14} {:>14}", "flow", "straightness", "one step", "adaptive");
    for r in &rows {
        println!("{:12} {:>12.4} {:>14.5} {:>14.5}", r.name, r.straightness, r.one_step, r.adaptive);
    }
    println!("{:12} {:>12} {:>14.5} {:>14.5}", "fresh data", "", floor, floor);
    println!("\n{:>11} {:>16} {:>16}", "evaluations", "1-rectified", "3-rectified");
    let curves = [&before, &theta].map(|theta| curve(&net, theta, options.seed));
    let [first, last] = curves;
    for ((method, evals, a), (_, _, b)) in first?.into_iter().zip(last?) {
        println!("{evals:>4} {method:>6} {a:>16.5} {b:>16.5}");
    }
    draw(&options, &rows)
}

/// (method, evaluations, energy distance to fresh data).
fn curve(net: &Mlp, theta: &Array1<f32>, seed: u64) -> Result<Vec<(String, u64, f64)>> {
    let (noise, fresh) = (normal::<f32>((2000, 2), seed + 50), data(2000, seed + 51));
    let mut curve = NfeCurve::new(|x| energy_distance(x, &fresh));
    for steps in [1, 2, 4, 8, 16, 32] {
        curve.fixed("Euler", net, theta, &noise, steps, Euler::new())?;
        curve.fixed("Heun", net, theta, &noise, steps, Heun::new())?;
    }
    Ok(curve.points().iter().map(|p| (p.method.clone(), p.evals, p.quality)).collect())
}

fn measure(name: String, net: &Mlp, theta: &Array1<f32>, seed: u64) -> Result<Measured> {
    let noise: Array2<f32> = normal((2000, 2), seed + 50);
    let fresh = data(2000, seed + 51);
    let mut one = noise.clone();
    Flow::new(net.field(theta), Euler::new()).steps(1, 1.0, &mut one)?;
    let sol =
        Flow::new(net.field(theta), Tsit5::new()).tol(1e-5).save_last().solve(0.0, 1.0, noise.clone())?;
    let few = noise.slice(s![..150, ..]).to_owned();
    let times: Vec<f32> = (0..=40).map(|i| i as f32 / 40.0).collect();
    let drawn = Flow::new(net.field(theta), Tsit5::new()).tol(1e-5).save_at(&times).solve(0.0, 1.0, few)?;
    let point = |x: &Array2<f32>, i: usize| (f64::from(x[[i, 0]]), f64::from(x[[i, 1]]));
    Ok(Measured {
        name,
        straightness: straightness(net.field(theta), &noise, 40)?.straightness,
        one_step: energy_distance(&one, &fresh)?,
        adaptive: energy_distance(sol.y_end(), &fresh)?,
        paths: (0..150).map(|i| drawn.y.iter().map(|x| point(x, i)).collect()).collect(),
        ends: (0..2000).map(|i| point(sol.y_end(), i)).collect(),
    })
}

fn draw(options: &Options, rows: &[Measured]) -> common::picture::Drawn {
    let file = options.file("reflow_moons.png")?;
    let starts: Vec<Vec<_>> = rows.iter().map(|r| r.paths.iter().map(|p| p[0]).collect()).collect();
    let titles: Vec<_> =
        rows.iter().map(|r| format!("{}: straightness {:.3}", r.name, r.straightness)).collect();
    let all: Vec<Panel<'_>> = rows
        .iter()
        .zip(titles.iter().zip(&starts))
        .map(|(r, (title, start))| Panel {
            title,
            axes: ("x", "y"),
            range: Some([-3.6, 3.6, -3.2, 3.2]),
            layers: vec![
                Layer::Dots(&r.ends, VERMILION, 1),
                Layer::Lines(&r.paths, BLUE),
                Layer::Dots(start, GREY, 2),
            ],
        })
        .collect();
    panels(&file, (520, 520), &all)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
