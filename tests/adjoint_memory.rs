//! What the discrete adjoint keeps: its stated memory, measured; nothing allocated in the sweep back after the first; and records
//! of evaluations that change no bit.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use flowfield::integrate::*;
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::sensitivity::{Checkpoints, DiscreteAdjoint, Gradient, NeuralField, Reversible, WithVjp};
use flowfield::{Error, Flow};
use ndarray::{Array1, Array2};

/// Counts this thread's allocations, and the bytes in use.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn book(bytes: i64) {
    let _ = BYTES.try_with(|b| {
        b.set(b.get() + bytes);
        let _ = PEAK.try_with(|p| p.set(p.get().max(b.get())));
    });
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        book(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        book(-(layout.size() as i64));
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Many = Array1<f64>;

const N: usize = 10_000;

/// Many copies of `dy/dt = -p y³`.
#[allow(clippy::type_complexity)]
fn decay() -> WithVjp<
    impl FnMut(f64, &Many, &[f64], &mut Many),
    impl FnMut(f64, &Many, &[f64], &Many, &mut Many, &mut [f64]),
    Many,
> {
    WithVjp::new(
        |_t: f64, y: &Many, p: &[f64], dy: &mut Many| dy.zip_mut_with(y, |d, y| *d = -p[0] * y * y * y),
        |_t, y: &Many, p: &[f64], l: &Many, ybar: &mut Many, bar: &mut [f64]| {
            ybar.assign(l);
            ybar.zip_mut_with(y, |b, y| *b *= -3.0 * p[0] * y * y);
            bar[0] -= l.iter().zip(y).map(|(l, y)| l * y * y * y).sum::<f64>();
        },
        &[0.3],
    )
}

fn sum(_k: usize, _t: f64, y: &Many, ybar: &mut Many) -> f64 {
    ybar.fill(1.0);
    y.sum()
}

/// Peak of the bytes in use during a first gradient over so many steps, and the states that it says to have kept.
fn peak(checkpoints: Checkpoints, steps: usize) -> (i64, u64) {
    let y0 = Many::from_shape_fn(N, |i| 1.0 + 0.5 * (i as f64).sin());
    let mut flow = Flow::new(decay(), Rk4::new()).fixed_step(1.0 / steps as f64);
    let before = BYTES.get();
    PEAK.set(before);
    let mut adjoint = DiscreteAdjoint::new().checkpoints(checkpoints);
    let g = adjoint.gradient(&mut flow, 0.0, &[1.0], &y0, sum).unwrap();
    (PEAK.get() - before, g.stats.stored)
}

#[test]
fn memory_is_what_the_checkpoints_say() {
    let (state, steps) = ((N * size_of::<f64>()) as i64, 64);
    // What does not depend on the checkpoints: stages of the method and of its reverse, ends, cotangents, the result.
    let (least, one) = peak(Checkpoints::Binomial(1), steps);
    assert_eq!(one, 1);
    println!("one state kept: a peak of {:.2} states", least as f64 / state as f64);
    assert!(least < 32 * state);
    let limits = [
        (Checkpoints::All, steps as u64),
        (Checkpoints::Every(8), 8 + 7),
        (Checkpoints::Every(16), 4 + 15),
        (Checkpoints::Binomial(3), 3),
        (Checkpoints::Binomial(10), 10),
        (Checkpoints::Bytes(5 * state as usize + 1), 5),
    ];
    for (checkpoints, limit) in limits {
        let (bytes, stored) = peak(checkpoints, steps);
        let kept = (bytes - least) as f64 / state as f64 + 1.0;
        println!("{checkpoints:?}: {stored} states stated, {kept:.2} measured, at most {limit}");
        assert!(stored <= limit && (kept - stored as f64).abs() < 0.5, "{checkpoints:?}: {kept} {stored}");
    }
}

/// Allocations of a second gradient.
fn allocations<I: Reversible<Many>>(method: I, checkpoints: Checkpoints, steps: usize) -> u64 {
    let y0 = Many::from_elem(40, 1.2);
    let mut flow = Flow::new(decay(), method).fixed_step(1.0 / steps as f64);
    let mut adjoint = DiscreteAdjoint::new().checkpoints(checkpoints);
    adjoint.gradient(&mut flow, 0.0, &[1.0], &y0, sum).unwrap();
    let before = COUNT.get();
    adjoint.gradient(&mut flow, 0.0, &[1.0], &y0, sum).unwrap();
    COUNT.get() - before
}

#[test]
fn nothing_is_allocated_in_the_sweep_back_after_the_first() {
    for checkpoints in [Checkpoints::All, Checkpoints::Every(5), Checkpoints::Binomial(3)] {
        let few = allocations(Tsit5::new(), checkpoints, 10);
        let many = allocations(Tsit5::new(), checkpoints, 200);
        println!("{checkpoints:?}: {few} allocations in all for 10 steps, {many} for 200");
        assert_eq!(few, many, "{checkpoints:?}");
        assert!(few < 20);
    }
}

fn square(_k: usize, _t: f64, y: &Array2<f64>, ybar: &mut Array2<f64>) -> f64 {
    ybar.assign(y);
    0.5 * (y * y).sum()
}

/// The gradient of a neural ODE with so many bytes of records.
fn recorded<I: Reversible<Array2<f64>>>(
    method: I,
    fixed: Option<f64>,
    activation: Activation,
    bytes: usize,
) -> Gradient<Array2<f64>> {
    let net = Mlp::velocity(2, &[20, 12]).activation(activation);
    let theta: Array1<f64> = net.init(1).mapv(|w: f64| 3.0 * w);
    let y0 = Array2::from_shape_fn((150, 2), |(i, j)| (0.3 * i as f64 + j as f64).sin());
    let mut flow = Flow::new(NeuralField::new(&net, &theta), method).tol(1e-5);
    if let Some(h) = fixed {
        flow = flow.fixed_step(h);
    } else {
        // Far too long: rejected, so that there are records which nothing comes of.
        flow = flow.first_step(1.5);
    }
    let mut adjoint = DiscreteAdjoint::new().records(bytes);
    adjoint.gradient(&mut flow, 0.0, &[0.9, 0.9, 2.0], &y0, square).unwrap();
    adjoint.gradient(&mut flow, 0.0, &[0.9, 0.9, 2.0], &y0, square).unwrap()
}

fn records_change_no_bit<I: Reversible<Array2<f64>>>(make: fn() -> I, fixed: Option<f64>, stages: u64) {
    for activation in [Activation::Tanh, Activation::Silu] {
        let without = recorded(make(), fixed, activation, 0);
        assert_eq!(without.stats.recorded, 0);
        // All of them, and as many as go into four megabytes.
        for bytes in [1 << 30, 4 << 20] {
            let with = recorded(make(), fixed, activation, bytes);
            assert_eq!((with.loss, &with.y0, &with.theta), (without.loss, &without.y0, &without.theta));
            assert_eq!((with.t0, with.t1), (without.t0, without.t1));
            assert_eq!(with.stats.pulls, without.stats.pulls);
            assert!(with.stats.recorded > 0 && with.stats.evals < without.stats.evals);
            if bytes == 1 << 30 {
                // The stages and the ends are not evaluated again.
                let again = without.stats.steps * stages;
                assert!(with.stats.evals <= without.stats.evals - again, "{again}");
            }
        }
    }
}

#[test]
fn records_of_the_stages_change_no_bit_of_the_gradient() {
    records_change_no_bit(Dopri5::new, None, 6);
    records_change_no_bit(Tsit5::new, None, 6);
    records_change_no_bit(Bs3::new, None, 3);
    records_change_no_bit(Vern7::new, None, 9);
    records_change_no_bit(Rk4::new, Some(0.05), 4);
}

#[test]
fn too_little_memory_is_named() {
    let y0 = Many::ones(10);
    let with = |c: Checkpoints| {
        let mut flow = Flow::new(decay(), Tsit5::new());
        DiscreteAdjoint::new().checkpoints(c).gradient(&mut flow, 0.0, &[1.0], &y0, sum)
    };
    assert!(matches!(with(Checkpoints::Bytes(79)), Err(Error::MemoryTooSmall { bytes: 79, least: 80 })));
    assert!(with(Checkpoints::Bytes(80)).is_ok());
}
