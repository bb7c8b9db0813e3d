//! Nothing is allocated after the first steps, whatever the method.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use flowfield::ensemble::Rows;
use flowfield::integrate::*;
use flowfield::noise::{Langevin, Overdamped, Sde};
use flowfield::{Flow, MatrixFree, Split, Structured, VectorField, second_order};
use ndarray::{Array1, Array2};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// Oscillators in an array: positions, then velocities.
fn springs() -> impl VectorField<Array1<f64>> {
    second_order(|_t: f64, q, _v, a: &mut [f64]| {
        a.iter_mut().zip(q).enumerate().for_each(|(i, (a, q))| *a = -(1.0 + i as f64) * q);
    })
}

fn start() -> Array1<f64> {
    Array1::from_shape_fn(20, |i| 1.0 / (1.0 + i as f64))
}

/// Allocations of 200 adaptive steps after the first 50, values inside the steps included.
fn adaptive<I: Integrator<Array1<f64>>>(method: I) -> u64 {
    let mut flow = Flow::new(springs(), method).tol(1e-9).max_step(0.05);
    let mut run = flow.stepper(0.0, 1e3, start()).unwrap();
    let mut y = start();
    let mut steps = |n: usize| {
        for _ in 0..n {
            let before = run.t();
            run.advance().unwrap();
            run.interpolate(0.5 * (before + run.t()), &mut y).unwrap();
        }
    };
    steps(50);
    count(|| steps(200))
}

/// Allocations of 200 fixed steps after the first.
fn fixed<I: Integrator<Array1<f64>>>(method: I) -> u64 {
    let mut flow = Flow::new(springs(), method);
    let mut y = start();
    flow.step(1e-3, &mut y).unwrap();
    count(|| flow.steps(200, 1e-3, &mut y).unwrap())
}

macro_rules! none {
    ($how:ident: $($method:ident)*) => { $( assert_eq!($how($method::new()), 0, stringify!($method)); )* };
}

#[test]
fn adaptive_steps_and_values_inside_them_allocate_nothing() {
    assert!(count(|| drop(start())) > 0, "the counter counts");
    none!(adaptive: Bs3 Dopri5 Tsit5 Vern6 Vern7 Vern8 Vern9 Dop853 Dprkn6 Dprkn8 Dprkn12 Rkc2 Rock4 Adams Bdf RadauIIA5 Rodas5P Auto);
    none!(adaptive: ExponentialEuler Exprb32);
    none!(adaptive: TrBdf2 KenCarp4 Kvaerno5 CrankNicolson ImplicitMidpoint);
}

#[test]
fn fixed_steps_allocate_nothing() {
    none!(fixed: Euler Heun Rk4 CarpenterKennedy CarpenterKennedy2N Tsit5 Dop853 Rkc2 Rock4 Adams Dprkn6 Dprkn12);
    none!(fixed: ImplicitEuler ImplicitMidpoint CrankNicolson KenCarp3 KenCarp5);
    none!(fixed: SymplecticEuler StormerVerlet PositionVerlet Ruth3 McLachlanAtela4 McLachlanAtela5);
    none!(fixed: Yoshida4 Yoshida6 Yoshida8 KahanLi6 SuzukiUmeno8 KahanLi8);
}

#[test]
fn implicit_steps_allocate_nothing_whatever_the_structure_of_the_jacobian() {
    fn steps<V: VectorField<Array1<f64>>, I: Integrator<Array1<f64>>>(field: V, method: I) -> u64 {
        let mut flow = Flow::new(field, method).tol(1e-7).max_step(0.05);
        let mut run = flow.stepper(0.0, 1e3, start()).unwrap();
        let mut steps = |n: usize| (0..n).for_each(|_| assert!(run.advance().unwrap()));
        steps(50);
        count(|| steps(200))
    }
    assert_eq!(steps(springs(), Rodas4::new()), 0, "dense");
    assert_eq!(steps(Structured::banded(springs(), 10, 10), Rodas4::new()), 0, "banded");
    assert_eq!(steps(Structured::detected(springs()), Rodas4::new()), 0, "sparse");
    assert_eq!(steps(Structured::detected(springs()), Bdf::new()), 0, "sparse, BDF");
    assert_eq!(steps(MatrixFree::new(springs()), Bdf::new()), 0, "no matrix");
    assert_eq!(steps(Structured::banded(springs(), 10, 10), KenCarp4::new()), 0, "banded, KenCarp4");
    assert_eq!(steps(Split::new(springs(), springs()), KenCarp4::new()), 0, "split");
}

#[test]
fn rows_that_drop_out_of_a_batch_allocate_nothing() {
    // Row i turns i times as fast and takes more steps the faster it is: rows arrive one after another.
    let counts = std::cell::RefCell::new(Vec::with_capacity(1 << 16));
    let field = |_t: &[f64], y: &Array2<f64>, dy: &mut Array2<f64>| {
        counts.borrow_mut().push((COUNT.get(), y.nrows()));
        for (y, mut dy) in y.rows().into_iter().zip(dy.rows_mut()) {
            (dy[0], dy[1], dy[2]) = (y[2] * y[1], -y[2] * y[0], 0.0);
        }
    };
    let y0 = Array2::from_shape_fn((16, 3), |(i, j)| [1.0, 0.0, 1.0 + i as f64][j]);
    let ends = Rows::tsit5(field).tol(1e-8).solve(0.0, 3.0, &y0).unwrap();
    assert_eq!(ends.successes().count(), 16);
    let counts = counts.into_inner();
    let (third, last) = (counts[2], counts[counts.len() - 1]);
    assert!(third.1 == 16 && last.1 < 4, "{third:?} {last:?}");
    assert_eq!(third.0, last.0);
}

/// Allocations of 200 fixed steps of a noisy field after the first, on a Brownian path.
fn noisy<I: Integrator<Array1<f64>>>(field: impl VectorField<Array1<f64>>, method: I) -> u64 {
    let mut flow = Flow::new(field, method);
    let mut y = start();
    flow.step(1e-3, &mut y).unwrap();
    count(|| flow.steps(200, 1e-3, &mut y).unwrap())
}

#[test]
fn stochastic_steps_allocate_nothing() {
    let sde = || Sde::additive(springs(), &[0.1]).seed(1);
    macro_rules! none {
        ($($method:ident)*) => { $( assert_eq!(noisy(sde(), $method::new()), 0, stringify!($method)); )* };
    }
    none!(EulerMaruyama Milstein StratonovichHeun Sra1 Sriw1 PlatenWeak2);
    let well =
        || Langevin::new(|_t: f64, q: &[f64], a: &mut [f64]| a.iter_mut().zip(q).for_each(|(a, q)| *a = -q));
    assert_eq!(noisy(well().seed(1), Baoab::new()), 0);
    assert_eq!(noisy(well().fresh(1), Obabo::new()), 0);
    let walk = Overdamped::new(|x: &[f64]| x[0] * x[0], |x: &[f64], g: &mut [f64]| g.copy_from_slice(x));
    assert_eq!(noisy(walk.seed(1), Mala::new()), 0);
}
