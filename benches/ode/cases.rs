//! The cases that the peers run too, with their reference end values.

/// An initial value problem y' = f(t, y), y(0) = START, wanted at END.
pub trait Case<const N: usize> {
    const NAME: &'static str;
    const END: f64;
    const START: [f64; N];
    /// Extrapolated midpoint rule in 113-bit arithmetic at rtol 1e-22.
    const REFERENCE: [f64; N];
    fn rhs(t: f64, y: &[f64; N], dy: &mut [f64; N]);
}

/// Root mean square of (y - reference) / (1 + |reference|).
pub fn scaled_error(y: &[f64], reference: &[f64]) -> f64 {
    let squares = y.iter().zip(reference).map(|(y, r)| ((y - r) / (1.0 + r.abs())).powi(2));
    (squares.sum::<f64>() / y.len() as f64).sqrt()
}

/// Lorenz 1963: σ = 10, ρ = 28, β = 8/3.
pub struct Lorenz;
impl Case<3> for Lorenz {
    const NAME: &'static str = "lorenz";
    const END: f64 = 10.0;
    const START: [f64; 3] = [1.0, 0.0, 0.0];
    const REFERENCE: [f64; 3] = [-5.857685382424091, -5.831082486426098, 23.93213298702757];
    #[inline(always)]
    fn rhs(_t: f64, y: &[f64; 3], dy: &mut [f64; 3]) {
        dy[0] = 10.0 * (y[1] - y[0]);
        dy[1] = y[0] * (28.0 - y[2]) - y[1];
        dy[2] = y[0] * y[1] - (8.0 / 3.0) * y[2];
    }
}

/// Arenstorf's orbit of the restricted three-body problem, one period (HNW II.0).
pub struct Arenstorf;
impl Case<4> for Arenstorf {
    const NAME: &'static str = "arenstorf";
    const END: f64 = 17.065216560157964;
    const START: [f64; 4] = [0.994, 0.0, 0.0, -2.0015851063790825];
    const REFERENCE: [f64; 4] =
        [0.9939999999999088, -3.030943145412539e-13, -4.928536780920175e-11, -2.00158510639327];
    #[inline(always)]
    fn rhs(_t: f64, y: &[f64; 4], dy: &mut [f64; 4]) {
        const MU: f64 = 0.012277471;
        const NU: f64 = 1.0 - MU;
        let (a, b, s) = (y[0] + MU, y[0] - NU, y[1] * y[1]);
        let (r, q) = (a * a + s, b * b + s);
        let (r, q) = (r * r.sqrt(), q * q.sqrt());
        dy[0] = y[2];
        dy[1] = y[3];
        dy[2] = y[0] + 2.0 * y[3] - NU * a / r - MU * b / q;
        dy[3] = y[1] - 2.0 * y[2] - NU * y[1] / r - MU * y[1] / q;
    }
}

/// Seven stars in a plane: x(7), y(7), x'(7), y'(7) (HNW II.10).
pub struct Pleiades;
impl Case<28> for Pleiades {
    const NAME: &'static str = "pleiades";
    const END: f64 = 3.0;
    const START: [f64; 28] = [
        3.0, 3.0, -1.0, -3.0, 2.0, -2.0, 2.0, 3.0, -3.0, 2.0, 0.0, 0.0, -4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        1.75, -1.5, 0.0, 0.0, 0.0, -1.25, 1.0, 0.0, 0.0,
    ];
    const REFERENCE: [f64; 28] = [
        0.37061391439705127, 3.237284092057233, -3.2225590324183235, 0.6597091455775308, 0.342558170715658,
        1.5621721014006311, -0.7003092922212495, -3.943437585517392, -3.27138097397255, 5.225081843456544,
        -2.5906124349774693, 1.1982136933922747, -0.24296823449358235, 1.0914492404289797,
        3.4170038063143147, 1.3545845016255011, -2.5900655978107756, 2.025053734714241, -1.155815100160449,
        -0.8072988170223022, 0.5952396354208719, -3.7412449612340084, 0.3773459685750629, 0.9386858869551079,
        0.36679222272005696, -0.3474046353808494, 2.344915448180937, -1.947020434263292,
    ];
    #[inline(always)]
    fn rhs(_t: f64, y: &[f64; 28], dy: &mut [f64; 28]) {
        // The accelerations once more, written as the peers' field is: with one array the compiler unrolls both loops.
        for i in 0..14 {
            dy[i] = y[14 + i];
            dy[14 + i] = 0.0;
        }
        for i in 0..7 {
            for j in 0..i {
                let (dx, dz) = (y[j] - y[i], y[7 + j] - y[7 + i]);
                let r2 = dx * dx + dz * dz;
                let w = 1.0 / (r2 * r2.sqrt());
                let (mi, mj) = ((i + 1) as f64 * w, (j + 1) as f64 * w);
                dy[14 + i] += mj * dx;
                dy[14 + j] -= mi * dx;
                dy[21 + i] += mj * dz;
                dy[21 + j] -= mi * dz;
            }
        }
    }
}

/// Accelerations of the seven stars at positions x(7), y(7): the same operations in the same order, a star's own sum in
/// registers.
#[inline(always)]
pub fn attraction(q: &[f64], a: &mut [f64]) {
    let (q, a) = (&q[..14], &mut a[..14]);
    for i in 0..7 {
        let (mut ax, mut az) = (0.0, 0.0);
        for j in 0..i {
            let (dx, dz) = (q[j] - q[i], q[7 + j] - q[7 + i]);
            let r2 = dx * dx + dz * dz;
            let w = 1.0 / (r2 * r2.sqrt());
            let (mi, mj) = ((i + 1) as f64 * w, (j + 1) as f64 * w);
            ax += mj * dx;
            a[j] -= mi * dx;
            az += mj * dz;
            a[7 + j] -= mi * dz;
        }
        (a[i], a[7 + i]) = (ax, az);
    }
}
