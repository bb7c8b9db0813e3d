//! Initial value problems, one JSON line a case, method and tolerance, to be joined with the peers' lines.
//!
//! `cargo bench --bench ode [-- NAME ..]` where a NAME is part of a case's or a method's name. One thread.

mod cases;
#[path = "../common/mod.rs"]
mod common;

use cases::{Arenstorf, Case, Lorenz, Pleiades};
use common::{filters, seconds, wanted};
use flowfield::integrate::*;
use flowfield::{Flow, field};

/// A method by name and how to make it; each call of a `fn` item is a type of its own, so a macro.
macro_rules! methods {
    ($case:ty, $n:literal: $($method:ident),*) => {{ $(
        sweep::<$case, $n, _>(stringify!($method), $method::new);
    )* }};
}

fn main() {
    methods!(Lorenz, 3: Tsit5, Dopri5, Bs3, Dop853, Vern6, Vern7, Vern8, Vern9);
    methods!(Arenstorf, 4: Tsit5, Dopri5, Dop853, Vern6, Vern7, Vern8, Vern9);
    methods!(Pleiades, 28: Tsit5, Dopri5, Dop853, Vern6, Vern7, Vern8, Vern9);
}

/// One method on one case from rtol 1e-3 to 1e-12.
fn sweep<C: Case<N>, const N: usize, I: Integrator<[f64; N]>>(method: &str, make: fn() -> I) {
    if !wanted(&filters(), &format!("{} {method}", C::NAME)) {
        return;
    }
    for k in 3..=12 {
        let rtol = 10f64.powi(-k);
        line::<C, N, I>(method, make, rtol);
    }
}

fn line<C: Case<N>, const N: usize, I: Integrator<[f64; N]>>(method: &str, make: fn() -> I, rtol: f64) {
    let solve = || {
        let f = field(|t, y: &[f64; N], dy: &mut [f64; N]| C::rhs(t, y, dy));
        Flow::new(f, make()).tol(rtol).save_last().solve(0.0, C::END, C::START)
    };
    let (seconds, least) = seconds(5, 0.02, solve);
    match solve() {
        Ok(sol) => println!(
            "{{\"area\":\"ode\",\"case\":\"{}\",\"peer\":\"flowfield\",\"method\":\"{}\",\"rtol\":{rtol:e},\"atol\":{rtol:e},\
             \"seconds\":{seconds:.4e},\"min\":{least:.4e},\"error\":{:.4e},\"rhs_calls\":{},\"steps\":{},\"rejected\":{},\
             \"threads\":1,\"wall\":{seconds:.4e},\"runs\":5,\"n\":{N},\"build\":\"generic\",\"status\":\"ok\"}}",
            C::NAME,
            method.to_lowercase(),
            cases::scaled_error(sol.y_end(), &C::REFERENCE),
            sol.stats.evals,
            sol.stats.accepted,
            sol.stats.rejected,
        ),
        Err(e) => eprintln!("{} {method} {rtol:e}: {e}", C::NAME),
    }
}
