//! 10,000 Lorenz systems with ρ from 0 to 50: seconds for all, on one and two threads.

use flowfield::ensemble::{LaneField, Lockstep, Member, Members, ensemble};
use flowfield::integrate::Dop853;
use flowfield::{Flow, Number, field};

use crate::cases::scaled_error;
use crate::common::{filters, seconds, wanted};

const MEMBERS: usize = 10_000;
const END: f64 = 10.0;

struct Lorenz;

impl LaneField<3, 1> for Lorenz {
    #[inline(always)]
    fn eval<T: Number>(&self, _t: T, y: &[T; 3], [rho]: &[T; 1], dy: &mut [T; 3]) {
        dy[0] = T::of(10.0) * (y[1] - y[0]);
        dy[1] = y[0] * (*rho - y[2]) - y[1];
        dy[2] = y[0] * y[1] - T::of(8.0 / 3.0) * y[2];
    }
}

type Ends = Members<Member<[f64; 3]>>;

fn rho(i: usize) -> f64 {
    50.0 * i as f64 / (MEMBERS - 1) as f64
}

fn lockstep(tol: f64, method: &str) -> Option<Ends> {
    let (y0, p): (Vec<_>, Vec<_>) = (0..MEMBERS).map(|i| ([1.0, 0.0, 0.0], [rho(i)])).unzip();
    match method {
        "tsit5-lanes" => Lockstep::tsit5(Lorenz).tol(tol).solve(0.0, END, &y0, &p).ok(),
        "vern7-lanes" => Lockstep::vern7(Lorenz).tol(tol).solve(0.0, END, &y0, &p).ok(),
        _ => Lockstep::dop853(Lorenz).tol(tol).solve(0.0, END, &y0, &p).ok(),
    }
}

fn single(i: usize, tol: f64) -> Result<[f64; 3], Box<dyn std::error::Error>> {
    let rho = rho(i);
    let f = field(move |_t, y: &[f64; 3], dy| {
        *dy = [10.0 * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - (8.0 / 3.0) * y[2]];
    });
    Ok(*Flow::new(f, Dop853::new()).tol(tol).save_last().solve(0.0, END, [1.0, 0.0, 0.0])?.y_end())
}

/// One solve a member, over threads.
fn singles(tol: f64) -> Vec<[f64; 3]> {
    ensemble(MEMBERS, |i| single(i, tol).map_err(|e| e.to_string())).all().unwrap_or_default()
}

/// Scaled root mean square over every 101st member up to ρ = 25.3, against runs at 1e-13: chaos would swamp the others.
fn error(ends: &[[f64; 3]]) -> f64 {
    let picked = || (0..=50).map(|k| 101 * k);
    let exact = picked().flat_map(|i| single(i, 1e-13).unwrap_or([f64::NAN; 3])).collect::<Vec<_>>();
    let got: Vec<f64> = picked().filter_map(|i| ends.get(i)).flatten().copied().collect();
    if got.len() == exact.len() { scaled_error(&got, &exact) } else { f64::NAN }
}

pub fn run() {
    let chosen: Vec<&str> = ["dop853", "tsit5-lanes", "vern7-lanes", "dop853-lanes"]
        .into_iter()
        .filter(|m| wanted(&filters(), &format!("lorenz_ensemble {m}")))
        .collect();
    if chosen.is_empty() {
        return;
    }
    for threads in [1, 2] {
        let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(threads).build() else { continue };
        for (&method, tol) in chosen.iter().flat_map(|m| [1e-5, 1e-8].map(|tol| (m, tol))) {
            pool.install(|| line(method, tol, threads));
        }
    }
}

fn line(method: &str, tol: f64, threads: usize) {
    let solve = || match method {
        "dop853" => singles(tol),
        lanes => lockstep(tol, lanes).map(|m| m.successes().map(|(_, e)| e.y).collect()).unwrap_or_default(),
    };
    let (seconds, least) = seconds(5, 0.1, solve);
    println!(
        "{{\"area\":\"ode\",\"case\":\"lorenz_ensemble\",\"peer\":\"flowfield\",\"method\":\"{method}\",\"rtol\":{tol:e},\
         \"atol\":{tol:e},\"seconds\":{seconds:.4e},\"min\":{least:.4e},\"error\":{:.4e},\"rhs_calls\":null,\
         \"threads\":{threads},\"wall\":{seconds:.4e},\"runs\":5,\"n\":3,\"build\":\"generic\",\"status\":\"ok\"}}",
        error(&solve()),
    );
}
