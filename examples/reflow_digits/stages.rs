//! The three stages: 1-rectified flow, 2-rectified flow, one-step distillation. Each is a flow in parameter space.

use flowfield::integrate::{Adam, Ema, Schedule};
use flowfield::matching::{Coupling, Matching, Reflow, TimeLaw};
use flowfield::nn::{Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::Array1;

use crate::common::options::Options;
use crate::common::progress::bar;
use crate::digits::{CLASSES, Digits, PIXELS};

pub const BATCH: usize = 256;
const RATE: f32 = 1e-3;

/// How much to spend.
pub struct Budget {
    pub widths: Vec<usize>,
    pub steps: usize,
    pub pairs: usize,
    pub samples: usize,
}

impl Budget {
    pub fn new(options: &Options, rows: usize) -> Budget {
        let epochs = options.epochs.unwrap_or(if options.quick { 300 } else { 1500 });
        let steps = (epochs * rows).div_ceil(BATCH).max(8);
        if options.quick {
            Budget { widths: vec![128; 3], steps, pairs: 2000, samples: 500 }
        } else {
            Budget { widths: vec![256; 4], steps, pairs: 20_000, samples: 1000 }
        }
    }
}

/// The network and its parameters after each stage.
pub struct Stages {
    pub net: Mlp,
    pub models: Vec<(&'static str, Array1<f32>)>,
}

impl Stages {
    /// Trains all three.
    pub fn run(digits: &Digits, budget: &Budget, seed: u64) -> Result<Stages> {
        let net = Mlp::velocity(PIXELS, &budget.widths).condition(CLASSES);
        let mut theta = net.init(seed);

        let first = Matching::new(&net, &digits.train, BATCH).condition(&digits.train_classes).seed(seed);
        train("1-rectified flow", first, budget.steps, RATE, &mut theta)?;
        let one = theta.clone();

        let reflow = Reflow::new(budget.pairs, 0).condition(&digits.train_classes).tol(1e-3);
        let pairs = reflow.pairs(&net, &theta, seed + 1)?;
        let classes = pairs.condition.as_ref().unwrap_or(&digits.train_classes);
        let paired = |time: TimeLaw<'static>| {
            let coupling = Coupling::Paired(&pairs.noise);
            Matching::new(&net, &pairs.data, BATCH)
                .condition(classes)
                .coupling(coupling)
                .time(time)
                .seed(seed + 2)
        };
        train("2-rectified flow", paired(TimeLaw::Uniform), budget.steps, RATE, &mut theta)?;
        let two = theta.clone();

        train("one-step distillation", paired(TimeLaw::Grid(1)), budget.steps / 2, 0.5 * RATE, &mut theta)?;
        Ok(Stages { net, models: vec![("1-rectified", one), ("2-rectified", two), ("distilled", theta)] })
    }
}

/// Adam with a cosine schedule; leaves the running average of the parameters in `theta`.
fn train(
    name: &str,
    field: Matching<'_, Mlp, f32>,
    steps: usize,
    rate: f32,
    theta: &mut Array1<f32>,
) -> Result<()> {
    let schedule = Schedule::cosine(steps as u64).warm_up(steps as u64 / 50);
    let mut flow = Flow::new(field, Ema::new(Adam::default(), 0.999)).controller(schedule);
    let bar = bar(steps, name);
    let chunk = steps.div_ceil(100);
    for done in (0..steps).step_by(chunk) {
        let n = chunk.min(steps - done);
        flow.steps(n, rate, theta)?;
        bar.set_message(format!("loss {:.4}", flow.field_mut().mean_loss()));
        bar.inc(n as u64);
    }
    bar.finish();
    if let Some(average) = flow.integrator().average() {
        theta.assign(average);
    }
    Ok(())
}
