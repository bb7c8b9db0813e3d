//! Initial value problems, one JSON line a case, method and tolerance, to be joined with the peers' lines.
//!
//! `cargo bench --bench ode [-- NAME ..]` where a NAME is part of a case's or a method's name. One thread.

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod ensemble;
mod stiff;

use cases::{Arenstorf, Case, Lorenz, Pleiades};
use common::{filters, seconds, wanted};
use flowfield::integrate::*;
use flowfield::{Flow, VectorField, field, second_order};

/// A method by name and how to make it; each call of a `fn` item is a type of its own, so a macro.
macro_rules! methods {
    ($case:ty, $n:literal: $($method:ident),*) => {{ $(
        sweep::<$case, $n, _>(stringify!($method), $method::new);
    )* }};
}

fn main() {
    methods!(Lorenz, 3: Tsit5, Dopri5, Bs3, Dop853, Vern6, Vern7, Vern8, Vern9, Adams);
    methods!(Arenstorf, 4: Tsit5, Dopri5, Dop853, Vern6, Vern7, Vern8, Vern9, Adams);
    methods!(Pleiades, 28: Tsit5, Dopri5, Dop853, Vern6, Vern7, Vern8, Vern9, Adams);
    // The stars' accelerations do not depend on their velocities.
    let stars = || second_order(|_t: f64, q: &[f64], _v: &[f64], a: &mut [f64]| cases::attraction(q, a));
    tolerances::<Pleiades, 28, _, _>("Dprkn6", stars, Dprkn6::new);
    tolerances::<Pleiades, 28, _, _>("Dprkn8", stars, Dprkn8::new);
    tolerances::<Pleiades, 28, _, _>("Dprkn12", stars, Dprkn12::new);
    stiff::run();
    ensemble::run();
}

/// One method on one case as a system of first order.
fn sweep<C: Case<N>, const N: usize, I: Integrator<[f64; N]>>(method: &str, make: fn() -> I) {
    tolerances::<C, N, _, _>(method, || field(|t, y: &[f64; N], dy: &mut [f64; N]| C::rhs(t, y, dy)), make);
}

/// From rtol 1e-3 to 1e-12.
fn tolerances<C: Case<N>, const N: usize, V, I>(method: &str, fields: impl Fn() -> V, make: fn() -> I)
where
    V: VectorField<[f64; N]>,
    I: Integrator<[f64; N]>,
{
    if wanted(&filters(), &format!("{} {method}", C::NAME)) {
        (3..=12).for_each(|k| line::<C, N, V, I>(method, &fields, make, 10f64.powi(-k)));
    }
}

fn line<C: Case<N>, const N: usize, V, I>(method: &str, fields: &impl Fn() -> V, make: fn() -> I, rtol: f64)
where
    V: VectorField<[f64; N]>,
    I: Integrator<[f64; N]>,
{
    let solve = || Flow::new(fields(), make()).tol(rtol).save_last().solve(0.0, C::END, C::START);
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
