//! Stopping safely on Ctrl-C, and trainings with a bar.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use flowfield::integrate::Integrator;
use flowfield::matching::{MeanLoss, train};
use flowfield::{Error, Flow, Real, Result, VectorField};
use ndarray::Array1;

use super::progress::bar;

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C asks running trainings to stop at their next report; a second one ends the program.
pub fn on_ctrl_c() {
    // Fails only if there is a handler already: then that one decides.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Trains with a bar (loss, speed, remaining time). False if Ctrl-C stopped it: `theta` is then that of the last step.
pub fn train_with_bar<F, V, I>(
    name: &str,
    flow: &mut Flow<'_, V, I, Array1<F>>,
    steps: usize,
    h: F,
    theta: &mut Array1<F>,
) -> Result<bool>
where
    F: Real,
    V: VectorField<Array1<F>> + MeanLoss,
    I: Integrator<Array1<F>>,
{
    let bar = bar(steps, name);
    let outcome = train(flow, steps, h, theta, steps.div_ceil(100), |report| {
        bar.set_message(format!("loss {:.4}", report.loss));
        bar.set_position(report.step as u64);
        if STOP.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Stopped { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}
