use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Dormand–Prince 5(4), order 5, seven stages of which the last is the next step's first (six evaluations a step), embedded
/// order 4.
///
/// The most used pair of all: Hairer's `DOPRI5`, MATLAB's `ode45`, SciPy's `RK45`. For tolerances `1e-4` to `1e-7`;
/// [`Tsit5`](super::Tsit5) is its younger rival. Values inside a step are free and of order 4 (Shampine's interpolant, the
/// one of `DOPRI5`).
///
/// References: Dormand, Prince, J. Comput. Appl. Math. 6 (1980) 19–26; HNW II.5, Table 5.2; interpolant: L. F. Shampine,
/// Math. Comp. 46 (1986) 135–150 and HNW II.6. The fractions agree in SciPy's `RK45` and OrdinaryDiffEq.jl's `DP5`.
#[derive(Debug, Clone, Copy)]
pub struct Dopri5;

impl Method<7> for Dopri5 {
    const TABLEAU: Tableau<7> = Tableau {
        name: "Dopri5",
        order: 5,
        embedded_order: 4,
        a: lower([
            &[],
            &[1.0 / 5.0],
            &[3.0 / 40.0, 9.0 / 40.0],
            &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
            &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
            &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
            &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
        ]),
        b: [35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0, 0.0],
        c: [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0],
        e: Some([
            71.0 / 57600.0,
            0.0,
            -71.0 / 16695.0,
            71.0 / 1920.0,
            -17253.0 / 339200.0,
            22.0 / 525.0,
            -1.0 / 40.0,
        ]),
        e3: None,
        fsal: true,
        interpolant: Interpolant::Polynomial { order: 4, nested: &NESTED, extra: &[] },
    };
}

/// `bᵢ(θ)`, in the nested form of [`Interpolant::weight`].
const NESTED: [&[f64]; 7] = [
    &[35.0 / 384.0, 349.0 / 384.0, -157.0 / 192.0, -12715105075.0 / 11282082432.0],
    &[],
    &[500.0 / 1113.0, -500.0 / 1113.0, 1000.0 / 1113.0, 87487479700.0 / 32700410799.0],
    &[125.0 / 192.0, -125.0 / 192.0, 125.0 / 96.0, -10690763975.0 / 1880347072.0],
    &[-2187.0 / 6784.0, 2187.0 / 6784.0, -2187.0 / 3392.0, 701980252875.0 / 199316789632.0],
    &[11.0 / 84.0, -11.0 / 84.0, 11.0 / 42.0, -1453857185.0 / 822651844.0],
    &[0.0, 0.0, -1.0, 69997945.0 / 29380423.0],
];
