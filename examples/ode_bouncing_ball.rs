//! A bouncing ball: events that change the state.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, Layer, Panel, VERMILION, panels};
use flowfield::integrate::Tsit5;
use flowfield::{Event, Flow, field};

const ABOUT: &str = "ode_bouncing_ball: events that change the state, with restart

A ball falls and bounces with 85 % of its speed until it no longer rises above 1 cm. The bounces have a closed form;
prints the largest difference to it. Writes ode_bouncing_ball.png.";

const G: f64 = 9.81;
const BOUNCE: f64 = 0.85;
const HEIGHT: f64 = 2.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let fall = field(|_t, y: &[f64; 2], dy| {
        dy[0] = y[1];
        dy[1] = -G;
    });
    let ground = Event::when(|_t, y: &[f64; 2]| y[0]).falling().then(|_t, y| y[1] *= -BOUNCE);
    // Flight k lasts 2 first BOUNCE^k and rises to HEIGHT BOUNCE^2k: stop at the top of the first below 1 cm.
    let first = (2.0 * HEIGHT / G).sqrt();
    let flights = (0..).take_while(|&k| HEIGHT * BOUNCE.powi(2 * k) > 0.01).count() as i32;
    let landings = |n: i32| first + (1..n).map(|k| 2.0 * first * BOUNCE.powi(k)).sum::<f64>();
    let end = landings(flights) + first * BOUNCE.powi(flights);
    let sol =
        Flow::new(fall, Tsit5::new()).tol(1e-10).dense().event(ground).solve(0.0, end, [HEIGHT, 0.0])?;

    let bounces: Vec<f64> = sol.events.iter().map(|o| o.t).collect();
    let error = |(k, t): (usize, &f64)| (t - landings(k as i32 + 1)).abs();
    let worst = bounces.iter().enumerate().map(error).fold(0.0, f64::max);
    println!(
        "{} bounces (closed form: {flights}) until t = {:.6} s; {}",
        bounces.len(),
        sol.t_end(),
        sol.stats
    );
    println!("largest error of a bounce's time against the closed form: {worst:.1e} s");

    let n = 4000;
    let times = (0..=n).map(|i| sol.t_end() * f64::from(i) / f64::from(n));
    let height = times.map(|t| Ok((t, sol.at(t)?[0]))).collect::<Result<Vec<_>, flowfield::Error>>()?;
    let dots: Vec<_> = bounces.iter().map(|&t| (t, 0.0)).collect();
    let file = options.file("ode_bouncing_ball.png")?;
    let panel = Panel {
        title: "A bouncing ball",
        axes: ("time in s", "height in m"),
        range: None,
        layers: vec![Layer::Line(&height, BLUE), Layer::Dots(&dots, VERMILION, 4)],
    };
    panels(&file, (900, 460), &[panel])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
