//! x
mod common;
use common::seconds;
use flowfield::dataset::{eight_gaussians, normal};
use flowfield::transport::*;
use ndarray::{Array1,Array2};
fn main() {
    for n in [256usize, 1000, 2000, 4000] {
        let x: Array2<f64> = normal((n, 2), 1);
        let y = eight_gaussians(n, 5.0, 0.1f64.powf(0.25), 2);
        let cost = PointCost::squared_euclidean(&x, &y).unwrap();
        let plan = Assignment::new().solve(&cost).unwrap();
        let (med, least) = seconds(3, 0.1, || Assignment::new().solve(&cost).unwrap());
        println!("assign {n}: {med:.5} {least:.5} cost {} {:?}", plan.cost, plan.certificate);
        for kind in ["uniform", "random"] {
            let w = |s| -> Array1<f64> { let w: Array1<f64> = normal::<f64>((n, 1), s).column(0).mapv(|z: f64| (z*1.7).sin().abs() + 0.1); let t = w.sum(); w / t };
            let (a, b) = if kind == "uniform" { (uniform(n), uniform(n)) } else { (w(3), w(4)) };
            let plan = NetworkSimplex::new().solve(&cost, &a, &b).unwrap();
            let (med, least) = seconds(3, 0.1, || NetworkSimplex::new().solve(&cost, &a, &b).unwrap());
            println!("{kind} {n}: {med:.5} {least:.5} cost {} {:?}", plan.cost, plan.certificate);
        }
    }
}
