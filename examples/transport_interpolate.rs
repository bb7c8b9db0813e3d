//! Two moons become eight islands: displacement interpolation along the exact plan, and the entropic map on new points.

mod common;

use common::options::Options;
use common::picture::{BLUE, Layer, Panel, VERMILION, panels};
use flowfield::dataset::{eight_gaussians, moons};
use flowfield::transport::{PointCost, Sinkhorn, displace, entropic_map, exact, uniform};
use ndarray::{Array2, s};

const ABOUT: &str = "Moves one cloud of points to another along the optimal plan of |x - y|² (blue): the exact plan by the
network simplex, with its certificate. A few points that the plan never saw are moved by the entropic map (red).
Writes transport_interpolate.png.";

const TIMES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let o = Options::read(ABOUT);
    let n = if o.quick { 300 } else { 2000 };
    let crescents = |n, seed| moons::<f64>(n, 0.06, seed) * 2.0 - 1.0;
    let (x, y, w) = (crescents(n, o.seed), eight_gaussians(n, 3.5, 0.25, o.seed + 1), uniform::<f64>(n));
    let cost = PointCost::squared_euclidean(&x, &y)?;

    let plan = exact(&cost, &w, &w)?;
    println!("exact     W2 = {:.5}, relative duality gap {:.1e}", plan.cost.sqrt(), plan.certificate.gap);
    let eps = 0.01 * plan.cost;
    let smooth = Sinkhorn::new(eps).solve(&cost, &w, &w)?.ensure()?;
    println!("entropic  value {:.5} at ε = {eps:.4}, {} passes", smooth.value, smooth.passes);

    let fresh = crescents(40, o.seed + 2);
    let image = entropic_map(&fresh, &y, &w, &smooth.g, eps)?;
    let mut frames = Vec::new();
    for t in TIMES {
        let (cloud, _) = displace(&plan, &x, &y, t)?;
        frames.push((format!("t = {t}"), pairs(&cloud), pairs(&(&fresh * (1.0 - t) + &image * t))));
    }
    let all: Vec<Panel<'_>> = frames.iter().map(|(title, cloud, new)| panel(title, cloud, new)).collect();
    let file = o.file("transport_interpolate.png")?;
    panels(&file, (360, 380), &all)?;
    println!("drew {}", file.display());
    Ok(())
}

fn panel<'a>(title: &'a str, cloud: &'a [(f64, f64)], new: &'a [(f64, f64)]) -> Panel<'a> {
    let layers = vec![Layer::Dots(cloud, BLUE, 1), Layer::Dots(new, VERMILION, 3)];
    Panel { title, axes: ("x", "y"), range: Some([-5.0, 5.0, -5.0, 5.0]), layers }
}

fn pairs(x: &Array2<f64>) -> Vec<(f64, f64)> {
    x.slice(s![.., ..2]).rows().into_iter().map(|x| (x[0], x[1])).collect()
}
