//! The methods: each a coupling and a path, trained by the same flow.

use std::time::Instant;

use flowfield::integrate::{Adam, Schedule, Tsit5};
use flowfield::matching::{Bridge, Coupling, Matching, Source};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2};

use crate::common::progress::bar;
use crate::sets::Sets;
use crate::settings::Protocol;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Independent coupling: rectified flow, I-CFM.
    Independent,
    /// Exact minibatch optimal transport: OT-CFM.
    Optimal,
    /// Minibatch entropic transport and Brownian bridges: SB-CFM.
    Bridge,
    /// The independent one, retrained on its own pairs: 2-rectified flow.
    Reflow,
}

/// Width of the Brownian bridges; the entropic coupling's temperature is twice its square.
const SIGMA: f64 = 1.0;

/// Rows that are coupled at a time: exact transport costs about n² and more.
const PAIRED: usize = 256;

pub struct Fit {
    pub net: Mlp,
    pub theta: Array1<f32>,
    pub seconds: f64,
}

impl Method {
    pub const ALL: [Method; 4] = [Method::Independent, Method::Optimal, Method::Bridge, Method::Reflow];

    pub fn name(self) -> &'static str {
        match self {
            Method::Independent => "cfm",
            Method::Optimal => "otcfm",
            Method::Bridge => "sbcfm",
            Method::Reflow => "reflow",
        }
    }

    pub fn named(name: &str) -> Option<Method> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }

    /// Trains; the independent flow is kept for a reflow that follows.
    pub fn train(
        self,
        sets: &Sets,
        protocol: &Protocol,
        seed: u64,
        teacher: &mut Option<(Array1<f32>, f64)>,
    ) -> Result<Fit> {
        let net = Mlp::velocity(2, &[64; 3]).activation(Activation::Selu);
        if self == Method::Reflow {
            if teacher.is_none() {
                Method::Independent.train(sets, protocol, seed, teacher)?;
            }
            let Some((first, before)) = teacher.clone() else { unreachable!("the teacher was just trained") };
            let begin = Instant::now();
            let theta = reflow(&net, &first, sets, protocol, seed)?;
            return Ok(Fit { net, theta, seconds: before + begin.elapsed().as_secs_f64() });
        }
        let begin = Instant::now();
        let mut theta = net.init(seed);
        let field = Matching::new(&net, &sets.target, protocol.batch).source(source(sets)).seed(seed);
        let field = match self {
            Method::Optimal => field.coupling(Coupling::Optimal),
            Method::Bridge => {
                field.coupling(Coupling::Sinkhorn { eps: 2.0 * SIGMA * SIGMA }).path(Bridge { sigma: SIGMA })
            }
            _ => field,
        };
        let field = field.coupling_batch(protocol.batch.min(PAIRED));
        run(self.name(), field, protocol.steps, &mut theta)?;
        let seconds = begin.elapsed().as_secs_f64();
        if self == Method::Independent {
            *teacher = Some((theta.clone(), seconds));
        }
        Ok(Fit { net, theta, seconds })
    }
}

fn source(sets: &Sets) -> Source<'_, f32> {
    if sets.from_noise { Source::Normal } else { Source::Data(&sets.source) }
}

/// AdamW, its rate brought to zero by a cosine.
fn run(name: &str, field: Matching<'_, Mlp, f32>, steps: usize, theta: &mut Array1<f32>) -> Result<()> {
    let mut flow = Flow::new(field, Adam::with_decay(1e-5)).controller(Schedule::cosine(steps as u64));
    let bar = bar(steps, name);
    for done in (0..steps).step_by(200) {
        let n = 200.min(steps - done);
        flow.steps(n, 2e-3, theta)?;
        bar.set_message(format!("loss {:.4}", flow.field_mut().mean_loss()));
        bar.inc(n as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Trains on pairs of the first flow: starts from the source, ends where it leads.
fn reflow(
    net: &Mlp,
    first: &Array1<f32>,
    sets: &Sets,
    protocol: &Protocol,
    seed: u64,
) -> Result<Array1<f32>> {
    let starts: Array2<f32> = match sets.from_noise {
        true => flowfield::dataset::normal((protocol.pairs, 2), seed + 7_000_000),
        false => sets.source.clone(),
    };
    let mut flow = Flow::new(net.field(first), Tsit5::new()).tol(1e-5).save_last();
    let ends = flow.solve(0.0, 1.0, starts.clone())?.y_end().clone();
    let field = Matching::new(net, &ends, protocol.batch).coupling(Coupling::Paired(&starts)).seed(seed + 1);
    let mut theta = first.clone();
    run("reflow", field, protocol.steps, &mut theta)?;
    Ok(theta)
}
