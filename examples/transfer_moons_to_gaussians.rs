//! From data to data: a flow that carries two moons to eight Gaussians, by optimal and by independent pairs.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use common::stop::{on_ctrl_c, train_with_bar};
use flowfield::dataset::{eight_gaussians, moons};
use flowfield::integrate::{Adam, Euler, Schedule, Tsit5};
use flowfield::matching::{Coupling, Matching, Source, normalised_path_energy, straightness};
use flowfield::metric::{w2, w2_with_floor};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2, s};

const ABOUT: &str = "transfer_moons_to_gaussians: transport between two data sets

Trains a flow from two moons to eight Gaussians twice: with independent pairs of a moon point and a Gaussian point,
and with the cheapest pairs of each minibatch. Prints for each the W2 distance between transported and fresh points
beside that of two fresh sets, the same after a single Euler step, and the normalised path energy (0: optimal
transport). Writes transfer_moons_to_gaussians.png: where the points go.";

fn from(n: usize, seed: u64) -> Array2<f32> {
    moons::<f32>(n, 0.1, seed) * 3.0 - 1.0
}

fn to(n: usize, seed: u64) -> Array2<f32> {
    eight_gaussians(n, 5.0, 0.5, seed)
}

struct Outcome {
    name: &'static str,
    paths: Vec<Vec<(f64, f64)>>,
    ends: Vec<(f64, f64)>,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    on_ctrl_c();
    let (points, steps, test) = if options.quick { (2000, 300, 400) } else { (20_000, 6000, 2000) };
    let steps = options.epochs.map_or(steps, |e| (e * points).div_ceil(256));
    let (source, target) = (from(points, options.seed + 1), to(points, options.seed + 2));
    let net = Mlp::velocity(2, &[64; 3]).activation(Activation::Selu);
    println!("{:12} {:>9} {:>9} {:>9} {:>9}", "pairs", "W2", "floor", "one step", "NPE");
    let mut outcomes = Vec::new();
    for (name, coupling) in [("independent", Coupling::Independent), ("optimal", Coupling::Optimal)] {
        let mut theta = net.init(options.seed);
        let field = Matching::new(&net, &target, 256)
            .source(Source::Data(&source))
            .coupling(coupling)
            .seed(options.seed);
        let mut flow = Flow::new(field, Adam::default()).controller(Schedule::cosine(steps as u64));
        if !train_with_bar(name, &mut flow, steps, 2e-3, &mut theta)? {
            eprintln!("stopped: what follows is the flow as it was then");
        }
        outcomes.push(measure(name, &net, &theta, test, options.seed)?);
    }
    draw(&options, &outcomes)
}

fn measure(name: &'static str, net: &Mlp, theta: &Array1<f32>, n: usize, seed: u64) -> Result<Outcome> {
    let (start, goal) = (from(n, seed + 11), to(n, seed + 12));
    let sol =
        Flow::new(net.field(theta), Tsit5::new()).tol(1e-5).save_last().solve(0.0, 1.0, start.clone())?;
    let far = w2_with_floor(sol.y_end(), &goal, &to(n, seed + 13))?;
    let mut one = start.clone();
    Flow::new(net.field(theta), Euler::new()).steps(1, 1.0, &mut one)?;
    let energy = straightness(net.field(theta), &start, 50)?.path_energy;
    let npe = normalised_path_energy(energy, w2(&start, &goal)?.powi(2))?;
    println!("{name:12} {:>9.3} {:>9.3} {:>9.3} {npe:>9.3}", far.w2, far.floor, w2(&one, &goal)?);
    let times: Vec<f32> = (0..=30).map(|i| i as f32 / 30.0).collect();
    let few = start.slice(s![..200.min(n), ..]).to_owned();
    let drawn = Flow::new(net.field(theta), Tsit5::new()).tol(1e-4).save_at(&times).solve(0.0, 1.0, few)?;
    let point = |x: &Array2<f32>, i: usize| (f64::from(x[[i, 0]]), f64::from(x[[i, 1]]));
    let paths = (0..200.min(n)).map(|i| drawn.y.iter().map(|x| point(x, i)).collect()).collect();
    let ends = (0..n).map(|i| point(sol.y_end(), i)).collect();
    Ok(Outcome { name, paths, ends })
}

fn draw(options: &Options, outcomes: &[Outcome]) -> common::picture::Drawn {
    let file = options.file("transfer_moons_to_gaussians.png")?;
    let starts: Vec<Vec<_>> = outcomes.iter().map(|o| o.paths.iter().map(|p| p[0]).collect()).collect();
    let titles: Vec<_> = outcomes.iter().map(|o| format!("{} pairs", o.name)).collect();
    let all: Vec<Panel<'_>> = outcomes
        .iter()
        .zip(titles.iter().zip(&starts))
        .map(|(o, (title, start))| Panel {
            title,
            axes: ("x", "y"),
            range: Some([-7.5, 7.5, -7.5, 7.5]),
            layers: vec![
                Layer::Dots(&o.ends, VERMILION, 1),
                Layer::Lines(&o.paths, BLUE),
                Layer::Dots(start, GREY, 2),
            ],
        })
        .collect();
    panels(&file, (560, 560), &all)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
