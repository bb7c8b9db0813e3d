//! Descent, momentum, proximal point and the flow on the same level sets.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREEN, GREY, Layer, ORANGE, Panel, VERMILION, panels};
use flowfield::gradient::{DampedFlow, GradientFlow};
use flowfield::integrate::{Euler, Integrator, Momentum, Proximal, Tsit5};
use flowfield::{Flow, VectorField};

const ABOUT: &str = "gradient_descent_is_euler: four methods on the same level sets

Gradient descent is Euler's method on x' = -grad f, the proximal point method is implicit Euler, momentum a damped
second-order flow, and an adaptive method follows the flow itself. Prints how far each ends from the minimum; writes gradient_descent_is_euler.png.";

/// A narrow valley that bends, with its minimum at (1, 1).
fn valley(x: &[f64], g: &mut [f64]) -> f64 {
    let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
    g[0] = -2.0 * a - 40.0 * x[0] * b;
    g[1] = 20.0 * b;
    a * a + 10.0 * b * b
}

type Path = Vec<(f64, f64)>;

fn walk<V: VectorField<[f64; 2]>, I: Integrator<[f64; 2]>>(
    field: V,
    method: I,
    n: usize,
    h: f64,
) -> flowfield::Result<Path> {
    let mut x = [-1.2, 1.6];
    let mut path = vec![(x[0], x[1])];
    let mut flow = Flow::new(field, method);
    for _ in 0..n {
        flow.step(h, &mut x)?;
        path.push((x[0], x[1]));
    }
    Ok(path)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let long = if options.quick { 1 } else { 4 };
    let descent = walk(GradientFlow::new(valley), Euler::new(), 200 * long, 0.008)?;
    let momentum = walk(GradientFlow::new(valley), Momentum::new(0.9), 50 * long, 0.004)?;
    let proximal = walk(GradientFlow::new(valley), Proximal::new(), 10 * long, 0.5)?;
    let times: Vec<f64> = (0..=400).map(|i| f64::from(i) * 0.004 * long as f64).collect();
    let end = times[400];
    let flow = |sol: Vec<[f64; 2]>| -> Path { sol.iter().map(|x| (x[0], x[1])).collect() };
    let exact = Flow::new(GradientFlow::new(valley), Tsit5::new()).tol(1e-8).save_at(&times).solve(
        0.0,
        end,
        [-1.2, 1.6],
    )?;
    let exact = flow(exact.y);
    let damped = Flow::new(DampedFlow::heavy_ball(valley, 1.5), Tsit5::new())
        .tol(1e-8)
        .save_at(&times)
        .solve(0.0, end, [-1.2, 1.6, 0.0, 0.0])?;
    let damped: Path = damped.y.iter().map(|x| (x[0], x[1])).collect();

    println!("{:34} {:>8} {:>12}", "", "steps", "f at the end");
    for (name, path) in [
        ("Euler: gradient descent", &descent),
        ("momentum", &momentum),
        ("implicit Euler: proximal point", &proximal),
        ("the flow", &exact),
        ("the damped flow", &damped),
    ] {
        let (x, y) = path[path.len() - 1];
        println!("{name:34} {:8} {:12.3e}", path.len() - 1, valley(&[x, y], &mut [0.0; 2]));
    }

    let levels: Vec<Path> = [0.1_f64, 0.4, 1.0, 2.0, 4.0, 8.0]
        .map(|f| {
            // a = √f cos, b = √(f/10) sin.
            let at = |i: i32| {
                let angle = std::f64::consts::TAU * f64::from(i) / 300.0;
                let x = 1.0 - f.sqrt() * angle.cos();
                (x, x * x + (f / 10.0).sqrt() * angle.sin())
            };
            (0..=300).map(at).collect()
        })
        .to_vec();
    let range = Some([-1.8, 1.8, -0.8, 2.6]);
    let first = Panel {
        title: "the flow (blue), descent (orange), proximal point (green)",
        axes: ("x", "y"),
        range,
        layers: vec![
            Layer::Lines(&levels, GREY),
            Layer::Line(&exact, BLUE),
            Layer::Dots(&descent, ORANGE, 2),
            Layer::Dots(&proximal, GREEN, 4),
        ],
    };
    let second = Panel {
        title: "the damped flow (blue), momentum (red)",
        axes: ("x", "y"),
        range,
        layers: vec![
            Layer::Lines(&levels, GREY),
            Layer::Line(&damped, BLUE),
            Layer::Dots(&momentum, VERMILION, 2),
        ],
    };
    let file = options.file("gradient_descent_is_euler.png")?;
    panels(&file, (640, 600), &[first, second])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
