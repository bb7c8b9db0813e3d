use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Tsitouras 5(4), order 5, seven stages of which the last is the next step's first (six evaluations a step), embedded
/// order 4.
///
/// The default: take it unless something speaks against it. Derived with fewer simplifying assumptions than
/// [`Dopri5`](super::Dopri5), hence with a smaller error at the same cost. For tolerances `1e-3` to `1e-8`. Values inside a
/// step are free and of order 4.
///
/// Reference: Ch. Tsitouras, Comput. Math. Appl. 62 (2011) 770–775. Coefficients at the digits of OrdinaryDiffEq.jl's
/// `Tsit5`, the interpolant at the 17 digits of the paper.
#[derive(Debug, Clone, Copy)]
pub struct Tsit5;

impl Method<7> for Tsit5 {
    const TABLEAU: Tableau<7> = Tableau {
        name: "Tsit5",
        order: 5,
        embedded_order: 4,
        a: lower([
            &[],
            &[0.161],
            &[-0.008480655492356989, 0.335480655492357],
            &[2.8971530571054935, -6.359448489975075, 4.3622954328695815],
            &[5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
            &[
                5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401,
                -0.028269050394068383,
            ],
            &[
                0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
                2.324710524099774,
            ],
        ]),
        b: [
            0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
            2.324710524099774, 0.0,
        ],
        c: [0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0],
        e: Some([
            0.0017800110522257714,
            0.0008164344596567469,
            -0.007880878010261995,
            0.1447110071732629,
            -0.5823571654525552,
            0.45808210592918697,
            -1.0 / 66.0,
        ]),
        e3: None,
        fsal: true,
        interpolant: Interpolant::Polynomial { order: 4, nested: &NESTED, extra: &[] },
    };
}

/// `bᵢ(θ)`, in the nested form of [`Interpolant::weight`].
const NESTED: [&[f64]; 7] = [
    &[0.09646076681806523, 0.9035392331819347, -0.8070784663638696, -1.0530884977290216],
    &[0.01, -0.01, 0.02, 0.1017],
    &[0.4798896504144996, -0.4798896504144996, 0.9597793008289992, 2.490627285651253],
    &[1.379008574103742, -1.379008574103742, 2.758017148207484, -16.548102889244902],
    &[-3.290069515436081, 3.290069515436081, -6.580139030872162, 47.37952196281928],
    &[2.324710524099774, -2.324710524099774, 4.649421048199548, -34.87065786149661],
    &[0.0, 0.0, -1.0, 2.5],
];
