//! Lorenz's attractor, and its Poincaré section found by an event.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, Layer, Panel, VERMILION, panels};
use flowfield::integrate::Tsit5;
use flowfield::{Event, Flow, field};

const ABOUT: &str = "ode_lorenz: Lorenz's attractor and its Poincaré section

Follows the Lorenz system with Tsit5 and records each upward crossing of the plane z = 27 by an event, whose
root is found to round-off on the step's interpolant. Prints the work and the first crossings; writes ode_lorenz.png.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let t1 = if options.quick { 50.0 } else { 1000.0 };
    let lorenz = field(|_t, y: &[f64; 3], dy| {
        dy[0] = 10.0 * (y[1] - y[0]);
        dy[1] = y[0] * (28.0 - y[2]) - y[1];
        dy[2] = y[0] * y[1] - 8.0 / 3.0 * y[2];
    });
    let section = Event::when(|_t, y: &[f64; 3]| y[2] - 27.0).rising();
    let sol =
        Flow::new(lorenz, Tsit5::new()).tol(1e-9).dense().event(section).solve(0.0, t1, [1.0, 1.0, 1.0])?;

    println!("t = {t1}: {}, {} crossings", sol.stats, sol.events.len());
    println!("{:>14} {:>14} {:>14} {:>10}", "t", "x", "y", "|z - 27|");
    for o in sol.events.iter().take(6) {
        println!("{:14.8} {:14.8} {:14.8} {:10.1e}", o.t, o.y[0], o.y[1], (o.y[2] - 27.0).abs());
    }

    let path =
        (0..8000).map(|i| sol.at(10.0 + 40.0 * f64::from(i) / 8000.0)).collect::<Result<Vec<_>, _>>()?;
    let path: Vec<_> = path.iter().map(|y| (y[0], y[2])).collect();
    let dots: Vec<_> = sol.events.iter().skip(10).map(|o| (o.y[0], o.y[1])).collect();
    let file = options.file("ode_lorenz.png")?;
    let attractor = Panel {
        title: "Lorenz attractor",
        axes: ("x", "z"),
        range: None,
        layers: vec![Layer::Line(&path, BLUE)],
    };
    let poincare = Panel {
        title: "Poincaré section z = 27, upwards",
        axes: ("x", "y"),
        range: None,
        layers: vec![Layer::Dots(&dots, VERMILION, 2)],
    };
    panels(&file, (640, 560), &[attractor, poincare])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
