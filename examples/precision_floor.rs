//! What rounding does to a flow: a low-precision field sets a floor, a low-precision state makes small steps worse.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREEN, GREY, Layer, ORANGE, Panel, VERMILION, panels};
use flowfield::dataset::normal;
use flowfield::integrate::{Euler, Rk4};
use flowfield::precision::{Format, LowPrecision, Rounded, Rounding};
use flowfield::{Flow, Result, field};
use ndarray::{Array1, Array2};

const ABOUT: &str = "precision_floor: the error of a flow against its step size, by precision of state and field

Follows dy/dt = A y in 64 dimensions to t = 1 by Euler's method. An error behaves as C h + C1 u_field + C2 u_state / h: prints
it for six choices of precision and draws precision_floor.png (logarithms to base 10; the line of f32 is of slope one).";

/// Which precision, and how a state is rounded.
struct Choice {
    name: &'static str,
    state: Option<(Format, Rounding)>,
    field: Format,
}

fn choices(seed: u64) -> Vec<Choice> {
    let choice = |name, state, field| Choice { name, state, field };
    let state = |format, rounding| Some((format, rounding));
    vec![
        choice("f32", None, Format::Full),
        choice("bf16 field, f32 state", None, Format::Bf16),
        choice("bf16 state", state(Format::Bf16, Rounding::Nearest), Format::Full),
        choice("bf16 state, compensated", state(Format::Bf16, Rounding::Compensated), Format::Full),
        choice("bf16 state, stochastic", state(Format::Bf16, Rounding::Stochastic { seed }), Format::Full),
        choice("f16 state", state(Format::F16, Rounding::Nearest), Format::Full),
    ]
}

struct Problem {
    a: Array2<f32>,
    start: Array1<f32>,
    exact: Array1<f64>,
}

impl Problem {
    fn new(seed: u64) -> Result<Self> {
        let a = normal::<f32>((64, 64), seed + 1).mapv(|v| v / 8.0);
        let start = normal::<f32>((1, 64), seed + 2).row(0).to_owned();
        let (wide, mut exact) = (a.mapv(f64::from), start.mapv(f64::from));
        let flow = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| *dy = wide.dot(y));
        Flow::new(flow, Rk4::new()).steps(1000, 1e-3, &mut exact)?;
        Ok(Problem { a, start, exact })
    }

    /// Relative error at t = 1 with this many steps.
    fn error(&self, choice: &Choice, steps: usize) -> Result<f64> {
        let a = self.a.mapv(|v| choice.field.round(v));
        let flow = field(|_t, y: &Array1<f32>, dy: &mut Array1<f32>| *dy = a.dot(y));
        let flow = Rounded::new(flow, choice.field);
        let (mut y, h) = (self.start.clone(), 1.0 / steps as f32);
        match choice.state {
            None => Flow::new(flow, Euler::new()).steps(steps, h, &mut y)?,
            Some((format, rounding)) => {
                let method = LowPrecision::new(Euler::new(), format).rounding(rounding);
                Flow::new(flow, method).steps(steps, h, &mut y)?;
            }
        }
        let gap: f64 = y.iter().zip(&self.exact).map(|(&y, e)| (f64::from(y) - e).powi(2)).sum();
        Ok((gap / self.exact.dot(&self.exact)).sqrt())
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let most = if options.quick { 10 } else { 14 };
    let powers: Vec<i32> = (4..=most).step_by(2).collect();
    let problem = Problem::new(options.seed)?;
    print!("{:26}", "error at t = 1");
    powers.iter().for_each(|p| print!("  h = 2^-{p:<3}"));
    println!();
    let mut lines = Vec::new();
    for choice in choices(options.seed) {
        print!("{:26}", choice.name);
        let mut line = Vec::new();
        for &p in &powers {
            let error = problem.error(&choice, 1 << p)?;
            print!("  {error:9.2e}");
            line.push((-f64::from(p) * 2f64.log10(), error.log10()));
        }
        println!();
        lines.push(line);
    }
    let colours = [GREY, BLUE, VERMILION, GREEN, ORANGE];
    let layers = lines.iter().zip(colours).map(|(line, colour)| Layer::Line(line, colour)).collect();
    let panel = Panel {
        title: "f32 grey, bf16 field blue; bf16 state red, compensated green, stochastic orange",
        axes: ("log10 of the step size", "log10 of the relative error"),
        range: None,
        layers,
    };
    let file = options.file("precision_floor.png")?;
    panels(&file, (860, 560), &[panel])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
