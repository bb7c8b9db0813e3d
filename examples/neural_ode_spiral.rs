//! A neural ODE: a network trained through the solve of its own differential equation.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use common::progress::bar;
use flowfield::integrate::{Adam, Schedule, Tsit5};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::sensitivity::{Fit, NeuralField};
use flowfield::{Flow, Solution, VectorField, field};
use ndarray::{Array1, Array2, array};

const ABOUT: &str = "neural_ode_spiral: a network trained through the solve of its own differential equation

The truth is the spiral dy/dt = A y³ (Chen et al. 2018). A network of 64 hidden units sees noisy pieces of one trajectory and
is trained as a field dy/dt = net(y): the gradient of each piece's distance to the data is taken through the solve by
the discrete adjoint, and Adam steps the parameters. Prints the loss and the distance of the learnt trajectory from the true
one over the whole time; writes neural_ode_spiral.png.";

const SPAN: f64 = 20.0;
const PIECE: usize = 16;

type Row = Array2<f64>;

/// The true field, on rows.
fn spiral() -> impl VectorField<Row> {
    field(|_t, y: &Row, dy: &mut Row| {
        for (y, mut dy) in y.rows().into_iter().zip(dy.rows_mut()) {
            let (u, v) = (y[0].powi(3), y[1].powi(3));
            dy[0] = -0.1 * u + 2.0 * v;
            dy[1] = -2.0 * u - 0.1 * v;
        }
    })
}

fn trajectory(
    field: impl VectorField<Row>,
    times: &[f64],
) -> Result<Solution<Row>, Box<dyn std::error::Error>> {
    let mut flow = Flow::new(field, Tsit5::new()).tol(1e-7).save_at(times);
    Ok(flow.solve(0.0, SPAN, array![[2.0, 0.0]])?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (samples, rounds) = if options.quick { (120, 150) } else { (400, 3000) };
    let times: Vec<f64> = (0..samples).map(|k| SPAN * k as f64 / (samples - 1) as f64).collect();
    let truth = trajectory(spiral(), &times)?;
    let noise = flowfield::dataset::normal::<f64>((samples, 2), options.seed);
    let seen: Vec<[f64; 2]> =
        (0..samples).map(|k| [0, 1].map(|c| truth.y[k][[0, c]] + 0.01 * noise[[k, c]])).collect();

    // Pieces of the trajectory as rows of one batch: the field does not depend on time.
    let starts: Vec<usize> = (0..samples - PIECE).step_by(4).collect();
    let rows = |shift: usize| Array2::from_shape_fn((starts.len(), 2), |(r, c)| seen[starts[r] + shift][c]);
    let data: Vec<Row> = (1..=PIECE).map(rows).collect();

    let net = Mlp::new(2, &[64], 2).activation(Activation::Tanh);
    let mut theta: Array1<f64> = net.init(options.seed);
    let fine: Vec<f64> = (0..=4000).map(|k| SPAN * f64::from(k) / 4000.0).collect();
    let untrained_path = trajectory(NeuralField::new(&net, &theta), &fine)?;
    let untrained = trajectory(NeuralField::new(&net, &theta), &times)?;
    let model = Flow::new(NeuralField::new(&net, &theta), Tsit5::new()).tol(1e-5);
    let fit = Fit::new(model, 0.0, rows(0), &times[1..=PIECE], &data);
    let mut training = Flow::new(fit, Adam::default()).controller(Schedule::cosine(rounds as u64));
    let progress = bar(rounds, "training");
    println!("{:>6} {:>12}", "step", "loss");
    for k in 0..10 {
        training.steps(rounds / 10, 0.01, &mut theta)?;
        progress.inc(rounds as u64 / 10);
        println!("{:6} {:12.3e}", (k + 1) * rounds / 10, training.field().loss());
    }
    progress.finish_and_clear();

    let learnt = trajectory(NeuralField::new(&net, &theta), &times)?;
    let smooth = trajectory(NeuralField::new(&net, &theta), &fine)?;
    let distance = |a: &Solution<Row>| {
        let squares = a.y.iter().zip(&truth.y).map(|(a, b)| (a - b).mapv(|d| d * d).sum());
        (squares.sum::<f64>() / samples as f64).sqrt()
    };
    println!(
        "distance from the true trajectory over t = 0 .. {SPAN} (root mean square): {:.3} untrained, {:.4} learnt",
        distance(&untrained),
        distance(&learnt)
    );

    let path = |s: &Solution<Row>, c: Option<usize>| -> Vec<(f64, f64)> {
        s.t.iter().zip(&s.y).map(|(t, y)| c.map_or((y[[0, 0]], y[[0, 1]]), |c| (*t, y[[0, c]]))).collect()
    };
    let dots: Vec<_> = seen.iter().map(|y| (y[0], y[1])).collect();
    // The untrained one soon leaves the picture.
    let inside = |p: &(f64, f64)| p.0.abs() < 2.3 && p.1.abs() < 2.3;
    let before: Vec<_> = path(&untrained_path, None).into_iter().take_while(inside).collect();
    let (after, learnt_x) = (path(&smooth, None), path(&smooth, Some(0)));
    let true_x = path(&trajectory(spiral(), &fine)?, Some(0));
    let file = options.file("neural_ode_spiral.png")?;
    let plane = Panel {
        title: "data (grey), learnt (blue), untrained (red)",
        axes: ("y0", "y1"),
        range: Some([-2.3, 2.3, -2.3, 2.3]),
        layers: vec![Layer::Dots(&dots, GREY, 2), Layer::Line(&before, VERMILION), Layer::Line(&after, BLUE)],
    };
    let time = Panel {
        title: "y0 over time: true (grey), learnt (blue)",
        axes: ("t", "y0"),
        range: None,
        layers: vec![Layer::Line(&true_x, GREY), Layer::Line(&learnt_x, BLUE)],
    };
    panels(&file, (620, 560), &[plane, time])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
