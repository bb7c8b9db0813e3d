//! Estimating the rates of a differential equation from noisy data, with standard errors.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, Layer, ORANGE, Panel, panels};
use flowfield::dataset::normal;
use flowfield::integrate::{Euler, Tsit5};
use flowfield::sensitivity::LeastSquares;
use flowfield::{Differentiable, Flow, Formula, Number, Result};
use ndarray::{Array1, array};

const ABOUT: &str = "fit_lotka_volterra: the rates of predators and prey from noisy counts, with standard errors

Gauss-Newton is Euler's method with step 1 on the field (JᵀJ)⁻¹ Jᵀ r, whose Jacobian J comes from forward sensitivities by dual
numbers. Prints each rate with its standard error and how far from the truth it is; then repeats the experiment with other noise
and compares the spread of the estimates with the standard errors. Writes fit_lotka_volterra.png.";

const NAMES: [&str; 4] = ["prey growth", "predation", "predator growth", "predator death"];
const TRUTH: [f64; 4] = [1.5, 1.0, 0.7, 3.0];
const GUESS: [f64; 4] = [1.2, 1.2, 1.0, 2.5];
const START: [f64; 2] = [4.0, 2.0];
const NOISE: f64 = 0.2;

struct LotkaVolterra;

impl Formula for LotkaVolterra {
    fn eval<T: Number>(&self, _t: T, y: &[T], rates: &[T], dy: &mut [T]) {
        dy[0] = rates[0] * y[0] - rates[1] * y[0] * y[1];
        dy[1] = rates[2] * y[0] * y[1] - rates[3] * y[1];
    }
}

fn solve(rates: &[f64], times: &[f64]) -> Result<Vec<[f64; 2]>> {
    let mut flow = Flow::new(Differentiable::new(LotkaVolterra).parameters(rates), Tsit5::new())
        .tol(1e-9)
        .save_at(times);
    Ok(flow.solve(0.0, times[times.len() - 1], START)?.y)
}

/// Estimates and their standard errors. The first counts first, then more: a wrong period would mislead all of them at once.
fn fit(times: &[f64], data: &[[f64; 2]]) -> Result<(Array1<f64>, Array1<f64>)> {
    let mut theta = array![GUESS[0], GUESS[1], GUESS[2], GUESS[3]];
    let mut errors = theta.clone();
    for (part, short, damped, whole) in [(8, 12, 3, 0), (16, 4, 3, 2), (times.len(), 0, 2, 4)] {
        let (times, data) = (&times[..part], &data[..part]);
        let field = Differentiable::new(LotkaVolterra).parameters(&GUESS);
        let problem = LeastSquares::new(field, Tsit5::new, 0.0, START, times, data);
        let mut flow = Flow::new(problem, Euler::new());
        flow.steps(short, 0.2, &mut theta)?;
        flow.steps(damped, 0.5, &mut theta)?;
        flow.steps(whole, 1.0, &mut theta)?;
        errors = flow.field_mut().standard_errors(&theta)?;
    }
    Ok((theta, errors))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let repeats = if options.quick { 20 } else { 200 };
    let times: Vec<f64> = (1..=40).map(|k| 0.25 * f64::from(k)).collect();
    let exact = solve(&TRUTH, &times)?;
    let noisy = |seed: u64| -> Vec<[f64; 2]> {
        let noise = normal::<f64>((times.len(), 2), seed);
        exact.iter().enumerate().map(|(k, y)| [0, 1].map(|c| y[c] + NOISE * noise[[k, c]])).collect()
    };
    let data = noisy(options.seed);
    let (theta, errors) = fit(&times, &data)?;

    // Gauss-Newton has no guarantee: a repeat whose steps lead out of the model's reach is counted, not hidden.
    let fits: Vec<_> = (0..repeats).filter_map(|r| fit(&times, &noisy(options.seed + 1 + r)).ok()).collect();
    let count = fits.len() as f64;
    let spread = |i: usize| {
        let mean = fits.iter().map(|f| f.0[i]).sum::<f64>() / count;
        (fits.iter().map(|f| (f.0[i] - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
    };
    println!("{} of {repeats} repeats converged", fits.len());
    println!(
        "{:>16} {:>8} {:>10} {:>10} {:>8} {:>20}",
        "rate", "truth", "estimate", "std error", "off by", "spread of repeats"
    );
    for i in 0..4 {
        println!(
            "{:>16} {:8.3} {:10.4} {:10.4} {:7.1}σ {:20.4}",
            NAMES[i],
            TRUTH[i],
            theta[i],
            errors[i],
            (theta[i] - TRUTH[i]) / errors[i],
            spread(i)
        );
    }

    let fine: Vec<f64> = (1..=800).map(|k| f64::from(k) / 80.0).collect();
    let fitted = solve(&theta.to_vec(), &fine)?;
    let line = |c: usize| -> Vec<(f64, f64)> { fine.iter().zip(&fitted).map(|(t, y)| (*t, y[c])).collect() };
    let dots = |c: usize| -> Vec<(f64, f64)> { times.iter().zip(&data).map(|(t, y)| (*t, y[c])).collect() };
    let (prey, hunters, prey_dots, hunter_dots) = (line(0), line(1), dots(0), dots(1));
    let file = options.file("fit_lotka_volterra.png")?;
    let panel = Panel {
        title: "prey (blue) and predators (orange): counts and fit",
        axes: ("time", "number"),
        range: None,
        layers: vec![
            Layer::Line(&prey, BLUE),
            Layer::Dots(&prey_dots, BLUE, 3),
            Layer::Line(&hunters, ORANGE),
            Layer::Dots(&hunter_dots, ORANGE, 3),
        ],
    };
    panels(&file, (900, 520), &[panel])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
