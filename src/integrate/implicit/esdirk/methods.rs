//! The diagonally implicit methods: their numbers.

use super::tableau::{EsdirkMethod, EsdirkTableau, Estimate};
use crate::integrate::explicit::tableau::lower;

/// Implicit (backward) Euler, order 1, L-stable. Its estimate is half the change of the slope over the step.
#[derive(Debug, Clone, Copy)]
pub struct ImplicitEuler;

impl EsdirkMethod<2> for ImplicitEuler {
    const TABLEAU: EsdirkTableau<2> = EsdirkTableau {
        name: "ImplicitEuler",
        order: 1,
        gamma: 1.0,
        a: lower([&[], &[]]),
        explicit: None,
        b: [0.0, 1.0],
        estimate: Estimate::Embedded { order: 1, e: [-0.5, 0.5] },
        quartic: None,
    };
}

/// The implicit midpoint rule, order 2, A-stable, symplectic: the Gauss method of one stage.
///
/// Its error is `h³ (f′f′f/12 − f″(f, f)/24)`; estimated as `h³ y‴/12`, which has both terms at that size.
#[derive(Debug, Clone, Copy)]
pub struct ImplicitMidpoint;

impl EsdirkMethod<2> for ImplicitMidpoint {
    const TABLEAU: EsdirkTableau<2> = EsdirkTableau {
        name: "ImplicitMidpoint",
        order: 2,
        gamma: 0.5,
        a: lower([&[], &[]]),
        explicit: None,
        b: [0.0, 1.0],
        estimate: Estimate::ThirdDerivative { c: 1.0 / 12.0 },
        quartic: None,
    };
}

/// The trapezoidal rule, order 2, A-stable; its error is `h³ y‴/12`.
///
/// Reference: Crank, Nicolson, Proc. Cambridge Phil. Soc. 43 (1947) 50–67.
#[derive(Debug, Clone, Copy)]
pub struct CrankNicolson;

impl EsdirkMethod<2> for CrankNicolson {
    const TABLEAU: EsdirkTableau<2> = EsdirkTableau {
        name: "CrankNicolson",
        order: 2,
        gamma: 0.5,
        a: lower([&[], &[0.5]]),
        explicit: None,
        b: [0.5, 0.5],
        estimate: Estimate::ThirdDerivative { c: 1.0 / 12.0 },
        quartic: None,
    };
}

/// TR-BDF2, order 2 with an embedded solution of order 3, three stages: a trapezoidal step to `2 − √2`, then a backward
/// differentiation.
///
/// Reference: Hosea, Shampine, *Analysis and implementation of TR-BDF2*, Appl. Numer. Math. 20 (1996) 21–37.
#[derive(Debug, Clone, Copy)]
pub struct TrBdf2;

impl EsdirkMethod<3> for TrBdf2 {
    const TABLEAU: EsdirkTableau<3> = EsdirkTableau {
        name: "TrBdf2",
        order: 2,
        gamma: 0.2928932188134525,
        a: lower([&[], &[0.2928932188134525], &[0.3535533905932738, 0.3535533905932738]]),
        explicit: None,
        b: [0.3535533905932738, 0.3535533905932738, 0.2928932188134525],
        estimate: Estimate::Embedded {
            order: 2,
            e: [0.13807118745769836, -0.3333333333333333, 0.19526214587563498],
        },
        quartic: None,
    };
}

/// KenCarp3, the pair `ARK3(2)4L[2]SA`: order 3 with embedded order 2, four stages.
///
/// Reference: Kennedy, Carpenter, *Additive Runge–Kutta schemes for convection–diffusion–reaction equations*, Appl. Numer. Math. 44
/// (2003) 139–181.
#[derive(Debug, Clone, Copy)]
pub struct KenCarp3;

impl EsdirkMethod<4> for KenCarp3 {
    const TABLEAU: EsdirkTableau<4> = EsdirkTableau {
        name: "KenCarp3",
        order: 3,
        gamma: 0.435866521508459,
        a: lower([
            &[],
            &[0.435866521508459],
            &[0.2576482460664272, -0.09351476757488625],
            &[0.18764102434672383, -0.595297473576955, 0.9717899277217721],
        ]),
        explicit: Some(lower([
            &[],
            &[0.871733043016918],
            &[0.5275890119763004, 0.0724109880236996],
            &[0.3990960076760701, -0.4375576546135194, 1.0384616469374492],
        ])),
        b: [0.18764102434672383, -0.595297473576955, 0.9717899277217721, 0.435866521508459],
        estimate: Estimate::Embedded {
            order: 2,
            e: [-0.027099261876665316, -0.11013520969201586, 0.10306492520138458, 0.0341695463672966],
        },
        quartic: None,
    };
}

/// KenCarp4, the pair `ARK4(3)6L[2]SA`: order 4 with embedded order 3, six stages.
///
/// Reference: Kennedy, Carpenter, Appl. Numer. Math. 44 (2003) 139–181. The quartic is the smallest that has order 4.
#[derive(Debug, Clone, Copy)]
pub struct KenCarp4;

impl EsdirkMethod<6> for KenCarp4 {
    const TABLEAU: EsdirkTableau<6> = EsdirkTableau {
        name: "KenCarp4",
        order: 4,
        gamma: 0.25,
        a: lower([
            &[],
            &[0.25],
            &[0.137776, -0.055776],
            &[0.14463686602698217, -0.22393190761334475, 0.4492950415863626],
            &[0.09825878328356477, -0.5915442428196704, 0.8101210538282996, 0.283164405707806],
            &[0.15791629516167136, 0.0, 0.18675894052400077, 0.6805652953093346, -0.27524053099500667],
        ]),
        explicit: Some(lower([
            &[],
            &[0.5],
            &[0.221776, 0.110224],
            &[-0.04884659515311858, -0.177720652326401, 0.8465672474795196],
            &[-0.15541685842491548, -0.3567050098221991, 1.0587258798684427, 0.30339598837867193],
            &[
                0.20142435067267633, 0.008742057842904185, 0.15993995707168115, 0.4038290605220775,
                0.22606457389066084,
            ],
        ])),
        b: [0.15791629516167136, 0.0, 0.18675894052400077, 0.6805652953093346, -0.27524053099500667, 0.25],
        estimate: Estimate::Embedded {
            order: 3,
            e: [
                0.0032044943984591762, 0.0, -0.0024462511366794577, -0.02148007591958727,
                0.043946868068572426, -0.02322503541076487,
            ],
        },
        quartic: Some([
            -1.070983785382943, 2.564423996142794, 2.614578105069344, -5.070306132471421,
            -0.20700037690423956, 1.1692881935464654,
        ]),
    };
}

/// KenCarp5, the pair `ARK5(4)8L[2]SA`: order 5 with embedded order 4, eight stages.
///
/// Reference: Kennedy, Carpenter, Appl. Numer. Math. 44 (2003) 139–181. The quartic is the smallest that has order 4.
#[derive(Debug, Clone, Copy)]
pub struct KenCarp5;

impl EsdirkMethod<8> for KenCarp5 {
    const TABLEAU: EsdirkTableau<8> = EsdirkTableau {
        name: "KenCarp5",
        order: 5,
        gamma: 0.205,
        a: lower([
            &[],
            &[0.205],
            &[0.1025, -0.047570415551619845],
            &[0.07389944079200692, 0.0, -0.08074895409950329],
            &[0.299218118308015, 0.0, 2.4638206661140414, -2.0480387844220567],
            &[0.14689238442881303, 0.0, 0.11740332879881549, -0.221701968002454, -0.007593745225174481],
            &[
                0.17845729560319554, 0.0, 1.0197467452199207, -0.22154535039396367, -0.03612491620526532,
                -0.5455337742238872,
            ],
            &[
                -0.09554858675139874, 0.0, 0.0, 2.3386928037652464, -0.14043175608247527, -2.070587707956559,
                0.7628752470251866,
            ],
        ]),
        explicit: Some(lower([
            &[],
            &[0.41],
            &[0.17753520777580992, 0.08239437667257023],
            &[0.12262307902976895, 0.0, 0.07552740766273468],
            &[2.2901776494938124, 0.0, 11.244925765143737, -12.615103414637549],
            &[0.4029445178347679, 0.0, 1.3540123800181454, -1.4857008988406062, -0.031255999012307065],
            &[1.4641384430844078, 0.0, 7.230468679858015, -7.844607122942423, -0.125, -0.125],
            &[
                -1.6748080049977643, 0.0, -6.389438645559299, 14.692200676518024, 0.0946662343256827,
                -7.21115732765286, 1.4885370673662177,
            ],
        ])),
        b: [
            -0.09554858675139874, 0.0, 0.0, 2.3386928037652464, -0.14043175608247527, -2.070587707956559,
            0.7628752470251866, 0.205,
        ],
        estimate: Estimate::Embedded {
            order: 4,
            e: [
                0.004028378053609986, 0.0, 0.0, -0.06847007623452846, 0.019716427003038314,
                0.07364888848796769, -0.01669037539981169, -0.012233241910275841,
            ],
        },
        quartic: Some([
            -1.4489964029156006, 0.0, 1.2903982808870955, -1.5296284226062213, -0.8183191996136739,
            3.7155253381411057, -2.5944777596441067, 1.385498165751401,
        ]),
    };
}

/// Kværnø's method of order 5 with embedded order 4, seven stages; both solutions are stiffly accurate.
///
/// Reference: Kværnø, *Singly diagonally implicit Runge–Kutta methods with an explicit first stage*, BIT 44 (2004) 489–502. The
/// quartic is the smallest that has order 4.
#[derive(Debug, Clone, Copy)]
pub struct Kvaerno5;

impl EsdirkMethod<7> for Kvaerno5 {
    const TABLEAU: EsdirkTableau<7> = EsdirkTableau {
        name: "Kvaerno5",
        order: 5,
        gamma: 0.26,
        a: lower([
            &[],
            &[0.26],
            &[0.13, 0.8403332099679081],
            &[0.22371961478320507, 0.476755323197997, -0.06470895363112615],
            &[0.16648564323248322, 0.1045001884159172, 0.03631482272098715, -0.13090704451073998],
            &[0.13855640231268224, 0.0, -0.04245337201752043, 0.02446657898003142, 0.6194303907248068],
            &[
                0.13659751177640292, 0.0, -0.054969087965383766, -0.04118626728321047, 0.629933048990164,
                0.06962479448202728,
            ],
        ]),
        explicit: None,
        b: [
            0.13659751177640292, 0.0, -0.054969087965383766, -0.04118626728321047, 0.629933048990164,
            0.06962479448202728, 0.26,
        ],
        estimate: Estimate::Embedded {
            order: 4,
            e: [
                -0.001958890536279335, 0.0, -0.012515715947863337, -0.06565284626324189, 0.01050265826535727,
                -0.1903752055179727, 0.26,
            ],
        },
        quartic: Some([
            -0.4818301241248917, 0.0, 1.007631582957804, -0.5430269117926093, 1.3671296674288609,
            -0.8138999040157645, -0.5360043104533992,
        ]),
    };
}
