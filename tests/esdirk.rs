//! Diagonally implicit methods: stability functions, orders, additive pairs.

mod common;

use common::{Pair, coupled, coupled_exact, distance, slope};
use flowfield::integrate::implicit::esdirk::{EsdirkMethod, EsdirkTableau, methods};
use flowfield::integrate::*;
use flowfield::{Flow, Split, VectorField, field};

fn tableau<const S: usize>(t: &EsdirkTableau<S>) -> (&'static str, impl Fn((f64, f64)) -> f64) {
    let t = *t;
    let size = move |z: (f64, f64)| {
        let (re, im) = t.stability(z);
        re.hypot(im)
    };
    (t.name, size)
}

#[test]
fn the_left_half_plane_is_stable_and_stiff_modes_are_damped_out() {
    fn check<const S: usize>(t: &EsdirkTableau<S>, at_infinity: f64) {
        let (name, size) = tableau(t);
        // The maximum principle: on the imaginary axis, and no pole to its left.
        for i in -400..=400 {
            let y = 10f64.powf(f64::from(i) * 0.02);
            let r = size((0.0, y));
            assert!(r <= 1.0 + 1e-11, "{name}: |R({y} i)| = {r}");
        }
        let far = size((-1e9, 0.0));
        assert!((far - at_infinity).abs() < 1e-6, "{name}: R(∞) = {far}");
        // The exponential to the order of the method.
        let z = 0.05;
        let gap = (size((z, 0.0)) - z.exp()).abs();
        assert!(gap < z.powi(t.order as i32 + 1), "{name}: {gap}");
    }
    check(&methods::ImplicitEuler::TABLEAU, 0.0);
    check(&methods::ImplicitMidpoint::TABLEAU, 1.0);
    check(&methods::CrankNicolson::TABLEAU, 1.0);
    check(&methods::TrBdf2::TABLEAU, 0.0);
    check(&methods::KenCarp3::TABLEAU, 0.0);
    check(&methods::KenCarp4::TABLEAU, 0.0);
    check(&methods::KenCarp5::TABLEAU, 0.0);
    check(&methods::Kvaerno5::TABLEAU, 0.0);
}

/// The same field in two parts.
fn coupled_split() -> impl VectorField<Pair> {
    let stiff = field(|t: f64, y: &Pair, d: &mut Pair| {
        d[0] = -2.0 * t * y[0] * y[0];
        d[1] = t.cos() * y[1] + (3.0 * t).sin() * y[0];
    });
    let rest = field(|t: f64, y: &Pair, d: &mut Pair| {
        d[0] = (y[1] - t.sin().exp()) * y[0];
        d[1] = -(3.0 * t).sin() / (1.0 + t * t);
    });
    Split::new(stiff, rest)
}

/// Orders of the ends of fixed steps, and of the values inside them.
fn orders<V: VectorField<Pair>, I: Integrator<Pair>>(
    field: fn() -> V,
    make: fn() -> I,
    steps: [usize; 3],
) -> (f64, f64) {
    let errors = steps.map(|n| {
        let h = 2.0 / n as f64;
        let mut flow = Flow::new(field(), make()).tol(1e-13).fixed_step(h).dense();
        let sol = flow.solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
        let inside = (0..n).map(|i| (i as f64 + 0.5) * h);
        let inside = inside.map(|t| distance(&sol.at(t).unwrap(), &coupled_exact(t))).fold(0.0, f64::max);
        (h, distance(sol.y_end(), &coupled_exact(2.0)), inside)
    });
    (slope(&errors.map(|e| (e.0, e.1))), slope(&errors.map(|e| (e.0, e.2))))
}

#[test]
fn fixed_steps_and_values_inside_them_converge_with_their_order() {
    macro_rules! each {
        ($($field:ident $method:ident $order:literal $inside:literal $steps:expr),* $(,)?) => { $(
            let (p, q) = orders($field, $method::new, $steps);
            let name = concat!(stringify!($method), " on ", stringify!($field));
            assert!((p - $order).abs() < 0.3, "{name}: order {p}");
            assert!(q > $inside - 0.35, "{name}: order {q} inside");
        )* };
    }
    each!(
        coupled ImplicitEuler 1.0 1.0 [100, 200, 400],
        coupled ImplicitMidpoint 2.0 2.0 [50, 100, 200],
        coupled CrankNicolson 2.0 2.0 [50, 100, 200],
        coupled TrBdf2 2.0 2.0 [50, 100, 200],
        coupled KenCarp3 3.0 3.0 [40, 80, 160],
        coupled KenCarp4 4.0 4.0 [20, 40, 80],
        coupled KenCarp5 5.0 4.0 [16, 32, 64],
        coupled Kvaerno5 5.0 4.0 [16, 32, 64],
        coupled_split KenCarp3 3.0 3.0 [40, 80, 160],
        coupled_split KenCarp4 4.0 3.5 [40, 80, 160],
        coupled_split KenCarp5 5.0 3.5 [40, 80, 160],
        coupled_split Kvaerno5 5.0 4.0 [16, 32, 64],
    );
}
