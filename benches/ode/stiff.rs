//! Stiff cases, with the Jacobians that the peers are given too.

use crate::common::{filters, seconds, wanted};
use flowfield::integrate::*;
use flowfield::{Flow, WithJacobian, field};

/// A stiff problem as the peers pose it: absolute tolerance = `RATIO` × relative tolerance.
trait Stiff<const N: usize> {
    const NAME: &'static str;
    const END: f64;
    const RATIO: f64;
    const START: [f64; N];
    /// Extrapolated linearly implicit Euler in 113-bit arithmetic.
    const REFERENCE: [f64; N];
    fn rhs(y: &[f64; N], d: &mut [f64; N]);
    fn jacobian(y: &[f64; N], jac: &mut [f64]);
}

struct VanDerPol;
impl Stiff<2> for VanDerPol {
    const NAME: &'static str = "vdp1000";
    const END: f64 = 2000.0;
    const RATIO: f64 = 1.0;
    const START: [f64; 2] = [2.0, 0.0];
    const REFERENCE: [f64; 2] = [1.706167732170465, -0.0008928097010248166];
    #[inline(always)]
    fn rhs(y: &[f64; 2], d: &mut [f64; 2]) {
        *d = [y[1], 1000.0 * (1.0 - y[0] * y[0]) * y[1] - y[0]];
    }
    #[inline(always)]
    fn jacobian(y: &[f64; 2], jac: &mut [f64]) {
        jac.copy_from_slice(&[0.0, 1.0, -2000.0 * y[0] * y[1] - 1.0, 1000.0 * (1.0 - y[0] * y[0])]);
    }
}

/// The same in another time, ε = 1e-6.
struct VanDerPolFast;
impl Stiff<2> for VanDerPolFast {
    const NAME: &'static str = "vdp1e6";
    const END: f64 = 2.0;
    const RATIO: f64 = 1e-2;
    const START: [f64; 2] = [2.0, 0.0];
    const REFERENCE: [f64; 2] = [1.706167732170465, -0.8928097010248166];
    #[inline(always)]
    fn rhs(y: &[f64; 2], d: &mut [f64; 2]) {
        *d = [y[1], 1e6 * ((1.0 - y[0] * y[0]) * y[1] - y[0])];
    }
    #[inline(always)]
    fn jacobian(y: &[f64; 2], jac: &mut [f64]) {
        jac.copy_from_slice(&[0.0, 1.0, -1e6 * (2.0 * y[0] * y[1] + 1.0), 1e6 * (1.0 - y[0] * y[0])]);
    }
}

macro_rules! robertson {
    ($name:ident, $case:literal, $end:expr, $ratio:expr, $reference:expr) => {
        struct $name;
        impl Stiff<3> for $name {
            const NAME: &'static str = $case;
            const END: f64 = $end;
            const RATIO: f64 = $ratio;
            const START: [f64; 3] = [1.0, 0.0, 0.0];
            const REFERENCE: [f64; 3] = $reference;
            #[inline(always)]
            fn rhs(y: &[f64; 3], d: &mut [f64; 3]) {
                let (a, b, c) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
                *d = [b - a, a - b - c, c];
            }
            #[inline(always)]
            fn jacobian(y: &[f64; 3], jac: &mut [f64]) {
                let (b1, b2, c1) = (1e4 * y[2], 1e4 * y[1], 6e7 * y[1]);
                jac.copy_from_slice(&[-0.04, b1, b2, 0.04, -b1 - c1, -b2, 0.0, c1, 0.0]);
            }
        }
    };
}
robertson!(
    Robertson40,
    "robertson40",
    40.0,
    1e-6,
    [0.715827068719405, 9.185534764557764e-06, 0.28416374574583037]
);
robertson!(
    Robertson1e5,
    "robertson1e5",
    1e5,
    1e-4,
    [1.7865921142247724e-2, 7.274751468497796e-8, 0.9821340061102344]
);
robertson!(
    Robertson1e11,
    "robertson1e11",
    1e11,
    1e-8,
    [2.083340149701294e-08, 8.333360770334784e-14, 0.9999999791665152]
);

struct Hires;
impl Stiff<8> for Hires {
    const NAME: &'static str = "hires";
    const END: f64 = 321.8122;
    const RATIO: f64 = 1e-4;
    const START: [f64; 8] = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057];
    const REFERENCE: [f64; 8] = [
        0.0007371312573325542, 0.00014424857263161596, 5.888729740967339e-05, 0.0011756513432831254,
        0.002386356198830949, 0.0062389682527415995, 0.002849998395185501, 0.0028500016048144993,
    ];
    #[inline(always)]
    fn rhs(y: &[f64; 8], d: &mut [f64; 8]) {
        let r = 280.0 * y[5] * y[7];
        d[0] = -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007;
        d[1] = 1.71 * y[0] - 8.75 * y[1];
        d[2] = -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4];
        d[3] = 8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3];
        d[4] = -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6];
        d[5] = -r + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6];
        d[6] = r - 1.81 * y[6];
        d[7] = -r + 1.81 * y[6];
    }
    #[inline(always)]
    fn jacobian(y: &[f64; 8], jac: &mut [f64]) {
        let (a, b) = (280.0 * y[7], 280.0 * y[5]);
        for (i, j, v) in [
            (0, 0, -1.71),
            (0, 1, 0.43),
            (0, 2, 8.32),
            (1, 0, 1.71),
            (1, 1, -8.75),
            (2, 2, -10.03),
            (2, 3, 0.43),
            (2, 4, 0.035),
            (3, 1, 8.32),
            (3, 2, 1.71),
            (3, 3, -1.12),
            (4, 4, -1.745),
            (4, 5, 0.43),
            (4, 6, 0.43),
            (5, 3, 0.69),
            (5, 4, 1.71),
            (5, 5, -a - 0.43),
            (5, 6, 0.69),
            (5, 7, -b),
            (6, 5, a),
            (6, 6, -1.81),
            (6, 7, b),
            (7, 5, -a),
            (7, 6, 1.81),
            (7, 7, -b),
        ] {
            jac[8 * i + j] = v;
        }
    }
}

struct Oregonator;
impl Stiff<3> for Oregonator {
    const NAME: &'static str = "oregonator";
    const END: f64 = 360.0;
    const RATIO: f64 = 1e-6;
    const START: [f64; 3] = [1.0, 2.0, 3.0];
    const REFERENCE: [f64; 3] = [1.0008148703185227, 1228.1785215498874, 132.05549428465045];
    #[inline(always)]
    fn rhs(y: &[f64; 3], d: &mut [f64; 3]) {
        d[0] = 77.27 * (y[1] + y[0] * (1.0 - 8.375e-6 * y[0] - y[1]));
        d[1] = (y[2] - (1.0 + y[0]) * y[1]) / 77.27;
        d[2] = 0.161 * (y[0] - y[2]);
    }
    #[inline(always)]
    fn jacobian(y: &[f64; 3], jac: &mut [f64]) {
        let first = [77.27 * (1.0 - 2.0 * 8.375e-6 * y[0] - y[1]), 77.27 * (1.0 - y[0]), 0.0];
        jac[..3].copy_from_slice(&first);
        jac[3..].copy_from_slice(&[-y[1] / 77.27, -(1.0 + y[0]) / 77.27, 1.0 / 77.27, 0.161, 0.0, -0.161]);
    }
}

macro_rules! methods {
    ($($method:ident)*) => { $(
        cases!($method: VanDerPol 2, VanDerPolFast 2, Robertson40 3, Robertson1e5 3, Robertson1e11 3, Hires 8, Oregonator 3);
    )* };
}
macro_rules! cases {
    ($method:ident: $($case:ident $n:literal),*) => { $(
        sweep::<$case, $n, _>(stringify!($method), $method::new);
    )* };
}

/// Every case, by every method.
pub fn run() {
    methods!(Bdf RadauIIA5 Rodas5P Auto);
}

/// From rtol 1e-3 to 1e-11: beyond the peers', since errors are compared and not tolerances.
fn sweep<C: Stiff<N>, const N: usize, I: Integrator<[f64; N]>>(method: &str, make: fn() -> I) {
    if wanted(&filters(), &format!("{} {method}", C::NAME)) {
        (3..=11).for_each(|k| line::<C, N, I>(method, make, 10f64.powi(-k)));
    }
}

fn line<C: Stiff<N>, const N: usize, I: Integrator<[f64; N]>>(method: &str, make: fn() -> I, rtol: f64) {
    let atol = rtol * C::RATIO;
    let solve = || {
        let f = field(|_t, y: &[f64; N], d: &mut [f64; N]| C::rhs(y, d));
        let f = WithJacobian::new(f, |_t: f64, y: &[f64; N], jac: &mut [f64]| C::jacobian(y, jac));
        Flow::new(f, make()).rtol(rtol).atol(atol).save_last().solve(0.0, C::END, C::START)
    };
    let (seconds, least) = seconds(5, 0.02, solve);
    match solve() {
        Ok(sol) => println!(
            "{{\"area\":\"ode\",\"case\":\"{}\",\"peer\":\"flowfield\",\"method\":\"{}\",\"rtol\":{rtol:e},\"atol\":{atol:e},\
             \"seconds\":{seconds:.4e},\"min\":{least:.4e},\"error\":{:.4e},\"rhs_calls\":{},\"steps\":{},\"rejected\":{},\
             \"jacobians\":{},\"factorisations\":{},\
             \"threads\":1,\"wall\":{seconds:.4e},\"runs\":5,\"n\":{N},\"build\":\"generic\",\"status\":\"ok\"}}",
            C::NAME,
            method.to_lowercase(),
            error(sol.y_end(), &C::REFERENCE, C::RATIO),
            sol.stats.evals,
            sol.stats.accepted,
            sol.stats.rejected,
            sol.stats.jacobians,
            sol.stats.factorisations,
        ),
        Err(e) => eprintln!("{} {method} {rtol:e}: {e}", C::NAME),
    }
}

/// Root mean square of (y - reference) / (ratio + |reference|).
fn error(y: &[f64], reference: &[f64], ratio: f64) -> f64 {
    let squares = y.iter().zip(reference).map(|(y, r)| ((y - r) / (ratio + r.abs())).powi(2));
    (squares.sum::<f64>() / y.len() as f64).sqrt()
}
