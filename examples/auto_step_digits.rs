//! Training without a learning rate: one run per first step size, eight decades apart.

#[path = "common/mod.rs"]
mod common;
#[path = "reflow_digits/digits.rs"]
#[allow(dead_code)]
mod digits;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use common::progress::bar;
use digits::{CLASSES, Digits, PIXELS};
use flowfield::integrate::{Adam, AutoStep, EgStepSize, Integrator};
use flowfield::matching::Matching;
use flowfield::nn::{Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::Array1;

const ABOUT: &str = "auto_step_digits: a velocity network of digits trained from any first step size

One run for each first step size from 1e-6 to 1e2, by Adam with that learning rate, by Adam whose step size adapts itself with
rejection (AutoStep), and by the exponentiated-gradient rule with the authors' defaults. All get the same number of evaluations. Prints the
mean losses of the last tenth of each run; draws auto_step_digits.png (grey Adam, blue AutoStep, red exponentiated gradient).";

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let evals = if options.quick { 200 } else { 3000 };
    let digits = Digits::load(options.seed)?;
    let net = Mlp::velocity(PIXELS, &[128, 128, 128]).condition(CLASSES);
    let bar = bar(27, "runs");
    println!(
        "{:>10} {:>12} {:>12} {:>12} {:>14}",
        "first step", "Adam", "AutoStep", "EgStepSize", "AutoStep's end"
    );
    let mut lines = [Vec::new(), Vec::new(), Vec::new()];
    for decade in -6..=2 {
        let h = 10f32.powi(decade);
        let run = Run { digits: &digits, net: &net, h, seed: options.seed };
        let (adam, _) = run.train(Adam::default(), evals);
        bar.inc(1);
        // Two evaluations a step: the losses before and after it are of the same batch.
        let (auto, scale) = run.train(AutoStep::new(Adam::default()), evals / 2);
        bar.inc(1);
        let (eg, _) = run.train(EgStepSize::default(), evals);
        bar.inc(1);
        let end = scale.map_or(String::new(), |s| format!("{:.1e}", s * f64::from(h)));
        println!("{h:>10.0e} {:>12} {:>12} {:>12} {end:>14}", show(adam), show(auto), show(eg));
        for (line, loss) in lines.iter_mut().zip([adam, auto, eg]) {
            line.push((f64::from(decade), loss.min(10.0).log10()));
        }
    }
    bar.finish();
    let colours = [GREY, BLUE, VERMILION];
    let layers = lines.iter().zip(colours).map(|(line, colour)| Layer::Line(line, colour)).collect();
    let panel = Panel {
        title: "Final loss: Adam grey, AutoStep blue, EgStepSize red",
        axes: ("log10 of the first step size", "log10 of the loss (10 where it diverged)"),
        range: None,
        layers,
    };
    let file = options.file("auto_step_digits.png")?;
    panels(&file, (760, 520), &[panel])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

fn show(loss: f64) -> String {
    match loss {
        l if !l.is_finite() => "diverged".into(),
        l if l > 1e3 => format!("{l:.1e}"),
        l => format!("{l:.4}"),
    }
}

/// One training run.
struct Run<'a> {
    digits: &'a Digits,
    net: &'a Mlp,
    h: f32,
    seed: u64,
}

/// The scale an adaptive method ended with.
trait Scale {
    fn scale(&self) -> Option<f64>;
}

impl<S: flowfield::State> Scale for Adam<S> {
    fn scale(&self) -> Option<f64> {
        None
    }
}

impl<S: flowfield::State> Scale for EgStepSize<S> {
    fn scale(&self) -> Option<f64> {
        None
    }
}

impl<I, S: flowfield::State> Scale for AutoStep<I, S> {
    fn scale(&self) -> Option<f64> {
        Some(AutoStep::scale(self))
    }
}

impl Run<'_> {
    /// The mean loss over the last tenth of the steps, infinite if the run diverged; and the last scale of the step size.
    fn train<I: Integrator<Array1<f32>> + Scale>(&self, method: I, steps: usize) -> (f64, Option<f64>) {
        let matching = Matching::new(self.net, &self.digits.train, 128)
            .condition(&self.digits.train_classes)
            .seed(self.seed);
        let mut theta = self.net.init(self.seed);
        let mut training = Flow::new(matching, method);
        let last = steps / 10;
        let mut run = |n| -> Result<f64> {
            training.steps(n, self.h, &mut theta)?;
            Ok(training.field_mut().mean_loss())
        };
        let loss = run(steps - last).and_then(|_| run(last)).unwrap_or(f64::INFINITY);
        (loss, training.integrator().scale())
    }
}
