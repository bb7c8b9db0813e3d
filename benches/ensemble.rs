//! 10,000 Lorenz systems: by threads over single solves, and in SIMD lanes. `cargo bench --bench ensemble`

use std::time::Instant;

use flowfield::ensemble::{LaneField, Lockstep, ensemble};
use flowfield::integrate::Dop853;
use flowfield::{Flow, Number, field};

struct Lorenz;

impl LaneField<3, 1> for Lorenz {
    #[inline(always)]
    fn eval<T: Number>(&self, _t: T, y: &[T; 3], [rho]: &[T; 1], dy: &mut [T; 3]) {
        dy[0] = T::of(10.0) * (y[1] - y[0]);
        dy[1] = y[0] * (*rho - y[2]) - y[1];
        dy[2] = y[0] * y[1] - T::of(8.0 / 3.0) * y[2];
    }
}

/// Least time of a few runs, in seconds.
fn least(repeats: usize, mut run: impl FnMut()) -> f64 {
    (0..repeats)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn main() {
    let n = 10_000;
    let rho: Vec<[f64; 1]> = (0..n).map(|i| [50.0 * i as f64 / (n - 1) as f64]).collect();
    let y0 = vec![[1.0, 0.0, 0.0]; n];
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let report = |name: &str, seconds: f64| println!("{threads} threads, {name}: {seconds:.4} s");
            let single = || {
                let members = ensemble(n, |i| {
                    let rho = rho[i][0];
                    let lorenz = field(move |_t, y: &[f64; 3], dy| {
                        dy[0] = 10.0 * (y[1] - y[0]);
                        dy[1] = y[0] * (rho - y[2]) - y[1];
                        dy[2] = y[0] * y[1] - 8.0 / 3.0 * y[2];
                    });
                    Flow::new(lorenz, Dop853::new()).tol(1e-8).save_last().solve(0.0, 10.0, y0[i])
                });
                assert_eq!(members.failures().count(), 0);
            };
            report("single solves, Dop853", least(5, single));
            macro_rules! lanes {
                ($name:literal, $solver:expr) => {
                    report(
                        $name,
                        least(15, || {
                            let ends = $solver.tol(1e-8).solve(0.0, 10.0, &y0, &rho).unwrap();
                            assert_eq!(ends.failures().count(), 0);
                        }),
                    );
                };
            }
            lanes!("lanes, Tsit5", Lockstep::tsit5(Lorenz));
            lanes!("lanes, Vern7", Lockstep::vern7(Lorenz));
            lanes!("lanes, Dop853", Lockstep::dop853(Lorenz));
            lanes!("portable lanes, Dop853", Lockstep::dop853(Lorenz).portable());
        });
    }
}
