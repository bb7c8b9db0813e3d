//! Stiff reference problems, from the IVP Test Set (Mazzia, Magherini, release 2.4) unless another origin is given. The values
//! at the ends were compared with runs of RADAU5 and CVODE at 1e-12 and 1e-11, and with those of Hairer and Wanner's own set
//! where it has them (van der Pol, HIRES, Oregonator: they agree to 12 digits).

use flowfield::{VectorField, WithJacobian, field};
use ndarray::Array1;

pub type Vector = Array1<f64>;
pub type Boxed = Box<dyn VectorField<Vector>>;

/// `y' = f(t, y)` from `start` at time 0, known at `end`.
pub struct Problem {
    pub name: &'static str,
    pub field: fn() -> Boxed,
    pub start: Vec<f64>,
    pub end: f64,
    pub reference: Vec<f64>,
    /// Absolute over relative tolerance; where one number does not do, one for each component.
    pub atol: Vec<f64>,
}

impl Problem {
    /// Largest error in units of the tolerances' ratio: |y − y*| / (atol/rtol + |y*|).
    pub fn error(&self, y: &Vector) -> f64 {
        let terms = y.iter().zip(&self.reference).zip(self.atol.iter().cycle());
        terms.map(|((y, e), a)| (y - e).abs() / (a + e.abs())).fold(0.0, f64::max)
    }
}

fn boxed(f: impl FnMut(f64, &Vector, &mut Vector) + 'static) -> Boxed {
    Box::new(field(f))
}

/// Chemistry of eight species in a leaf.
pub fn hires() -> Problem {
    Problem {
        name: "HIRES",
        field: || {
            boxed(|_t, y, d| {
                let r = 280.0 * y[5] * y[7];
                d[0] = -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007;
                d[1] = 1.71 * y[0] - 8.75 * y[1];
                d[2] = -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4];
                d[3] = 8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3];
                d[4] = -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6];
                d[5] = -r + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6];
                d[6] = r - 1.81 * y[6];
                d[7] = -r + 1.81 * y[6];
            })
        },
        start: vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057],
        end: 321.8122,
        reference: vec![
            0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4, 0.1175651343283149e-2,
            0.2386356198831331e-2, 0.6238968252742796e-2, 0.2849998395185769e-2, 0.2850001604814231e-2,
        ],
        atol: vec![1e-4],
    }
}

fn robertson_field() -> Boxed {
    boxed(|_t, y, d| {
        let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        d[0] = fast - slow;
        d[1] = slow - fast - faster;
        d[2] = faster;
    })
}

/// Robertson's reaction to 1e5; reference from runs at 1e-13 of two codes (agreeing to 12 digits).
pub fn robertson() -> Problem {
    Problem {
        name: "Robertson",
        field: robertson_field,
        start: vec![1.0, 0.0, 0.0],
        end: 1e5,
        reference: vec![1.7865921142247724e-2, 7.274751468497796e-8, 0.9821340061102344],
        atol: vec![1e-2, 1e-8, 1e-2],
    }
}

/// The same to 1e11.
pub fn robertson_long() -> Problem {
    Problem {
        name: "Robertson to 1e11",
        field: robertson_field,
        start: vec![1.0, 0.0, 0.0],
        end: 1e11,
        reference: vec![0.2083340149701255e-7, 0.8333360770334713e-13, 0.999999979166505],
        atol: vec![1e-8, 1e-13, 1e-2],
    }
}

/// Van der Pol's oscillator with ε = 1e-6.
pub fn van_der_pol() -> Problem {
    Problem {
        name: "van der Pol",
        field: || {
            boxed(|_t, y, d| {
                d[0] = y[1];
                d[1] = ((1.0 - y[0] * y[0]) * y[1] - y[0]) * 1e6;
            })
        },
        start: vec![2.0, 0.0],
        end: 2.0,
        reference: vec![1.706167732170469, -0.8928097010248125],
        atol: vec![1e-2],
    }
}

/// The Belousov–Zhabotinskii reaction.
pub fn oregonator() -> Problem {
    Problem {
        name: "Oregonator",
        field: || {
            boxed(|_t, y, d| {
                d[0] = 77.27 * (y[1] + y[0] * (1.0 - 8.375e-6 * y[0] - y[1]));
                d[1] = (y[2] - (1.0 + y[0]) * y[1]) / 77.27;
                d[2] = 0.161 * (y[0] - y[2]);
            })
        },
        start: vec![1.0, 2.0, 3.0],
        end: 360.0,
        reference: vec![0.1000814870318523e1, 0.1228178521549917e4, 0.1320554942846706e3],
        atol: vec![1e-2],
    }
}

/// Pyrolysis with rates from 1e-11 to 1e9, to 1e13. With its Jacobian, which keeps y₂ = y₃ + y₄ to round-off: values of 1e-22
/// hang on the difference. Reference: Hairer and Wanner's, computed in multiple precision; the test set's digits
/// (0.88677e-22, 0.88548e-22) are not equal, as they must be, and good to three places only.
pub fn e5() -> Problem {
    Problem {
        name: "E5",
        field: || {
            let reactions = field(|_t, y: &Vector, d: &mut Vector| {
                let (a, b, c) = (7.89e-10 * y[0], 1.1e7 * y[0] * y[2], 1.13e9 * y[1] * y[2]);
                let e = 1.13e3 * y[3];
                d[0] = -a - b;
                d[1] = a - c;
                d[3] = b - e;
                d[2] = d[1] - d[3];
            });
            let jacobian = |_t: f64, y: &Vector, jac: &mut [f64]| {
                let (a, b) = (7.89e-10, 1.1e7);
                let (c1, c2) = (1.13e9 * y[2], 1.13e9 * y[1]);
                let first = [-a - b * y[2], 0.0, -b * y[0], 0.0];
                let (second, last) = ([a, -c1, -c2, 0.0], [b * y[2], 0.0, b * y[0], -1.13e3]);
                for j in 0..4 {
                    jac[j] = first[j];
                    jac[4 + j] = second[j];
                    jac[8 + j] = second[j] - last[j];
                    jac[12 + j] = last[j];
                }
            };
            Box::new(WithJacobian::new(reactions, jacobian))
        },
        start: vec![1.76e-3, 0.0, 0.0, 0.0],
        end: 1e13,
        reference: vec![0.0, 8.861233497626378e-23, 8.861233497626378e-23, 0.0],
        atol: vec![1e-20, 1e-24, 1e-24, 1e-20],
    }
}

/// Air pollution: 25 reactions of 20 species.
pub fn pollu() -> Problem {
    Problem {
        name: "POLLU",
        field: || boxed(pollution),
        start: {
            let mut y = vec![0.0; 20];
            for (i, v) in [(1, 0.2), (3, 0.04), (6, 0.1), (7, 0.3), (8, 0.01), (16, 0.007)] {
                y[i] = v;
            }
            y
        },
        end: 60.0,
        reference: vec![
            0.5646255480022769e-1, 0.1342484130422339, 0.4139734331099427e-8, 0.5523140207484359e-2,
            0.2018977262302196e-6, 0.1464541863493966e-6, 0.7784249118997964e-1, 0.3245075353396018,
            0.7494013383880406e-2, 0.1622293157301561e-7, 0.1135863833257075e-7, 0.2230505975721359e-2,
            0.000208716288279863, 0.1396921016840158e-4, 0.8964884856898295e-2, 0.4352846369330103e-17,
            0.6899219696263405e-2, 0.1007803037365946e-3, 0.1772146513969984e-5, 0.5682943292316392e-4,
        ],
        atol: vec![1e-4],
    }
}

fn pollution(_t: f64, y: &Vector, d: &mut Vector) {
    let r = [
        0.35 * y[0],
        26.6 * y[1] * y[3],
        12_300.0 * y[4] * y[1],
        8.6e-4 * y[6],
        8.2e-4 * y[6],
        15_000.0 * y[6] * y[5],
        1.3e-4 * y[8],
        24_000.0 * y[8] * y[5],
        16_500.0 * y[10] * y[1],
        9000.0 * y[10] * y[0],
        0.022 * y[12],
        12_000.0 * y[9] * y[1],
        1.88 * y[13],
        16_300.0 * y[0] * y[5],
        4.8e6 * y[2],
        3.5e-4 * y[3],
        0.0175 * y[3],
        1e8 * y[15],
        4.44e11 * y[15],
        1240.0 * y[16] * y[5],
        2.1 * y[18],
        5.78 * y[18],
        0.0474 * y[0] * y[3],
        1780.0 * y[18] * y[0],
        3.12 * y[19],
    ];
    d[0] = -r[0] - r[9] - r[13] - r[22] - r[23] + r[1] + r[2] + r[8] + r[10] + r[11] + r[21] + r[24];
    d[1] = -r[1] - r[2] - r[8] - r[11] + r[0] + r[20];
    d[2] = -r[14] + r[0] + r[16] + r[18] + r[21];
    d[3] = -r[1] - r[15] - r[16] - r[22] + r[14];
    d[4] = -r[2] + 2.0 * r[3] + r[5] + r[6] + r[12] + r[19];
    d[5] = -r[5] - r[7] - r[13] - r[19] + r[2] + 2.0 * r[17];
    d[6] = -r[3] - r[4] - r[5] + r[12];
    d[7] = r[3] + r[4] + r[5] + r[6];
    d[8] = -r[6] - r[7];
    d[9] = -r[11] + r[6] + r[8];
    d[10] = -r[8] - r[9] + r[7] + r[10];
    d[11] = r[8];
    d[12] = -r[10] + r[9];
    d[13] = -r[12] + r[11];
    d[14] = r[13];
    d[15] = -r[17] - r[18] + r[15];
    d[16] = -r[19];
    d[17] = r[19];
    d[18] = -r[20] - r[21] - r[23] + r[22] + r[24];
    d[19] = -r[24] + r[23];
}

pub fn all() -> Vec<Problem> {
    vec![hires(), robertson(), robertson_long(), van_der_pol(), oregonator(), e5(), pollu()]
}
