//! Nothing is allocated after the tape is made.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use flowfield::VectorField;
use flowfield::nn::{Activation, Film, Mlp, Network, TimeFeatures};
use ndarray::{Array1, Array2};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's obligations are those of `System::alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `System::alloc` with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of every operation on a batch, after the tape is made.
fn allocations<N: Network<f32>>(net: &N, rows: usize) -> usize {
    let theta: Array1<f32> = net.init(0);
    let (x, dx) = (Array2::ones((rows, net.inputs())), Array2::ones((rows, net.inputs())));
    let (mut y, ybar, mut xbar) =
        (Array2::zeros((rows, net.outputs())), Array2::ones((rows, net.outputs())), x.clone());
    let mut theta_bar = theta.clone();
    let mut tape = net.tape(rows);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..3 {
        let loss = |_: usize, y: &[f32], ybar: &mut [f32]| {
            ybar.copy_from_slice(y);
            0.0
        };
        net.loss_gradient(&theta, &x, loss, &mut theta_bar, &mut tape).unwrap();
        net.forward(&theta, &x, &mut y, &mut tape).unwrap();
        net.vjp(&theta, &ybar, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
        net.jvp(&theta, Some(&theta), Some(&dx), &mut y, &mut tape).unwrap();
        net.vjp_of_jvp(&theta, &ybar, &dx, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
    }
    let mut field = net.field(&theta);
    let state = y.clone();
    let inside = ALLOCATIONS.load(Ordering::Relaxed) - before;
    field.eval(0.5, &state, &mut y);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    field.eval(0.7, &state, &mut y);
    // The copy of y is the test's own.
    inside - 1 + ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn main() {
    let features = TimeFeatures::Sinusoidal { pairs: 4, max_freq: 50.0 };
    let small = Mlp::velocity(2, &[64, 64]).activation(Activation::Selu).time(features);
    assert_eq!(allocations(&small, 256), 0);
    assert_eq!(allocations(&small, 1000), 0);
    assert_eq!(allocations(&Film::velocity(2, 32, 2).time(features), 100), 0);
    // Large enough for several lanes: from inside a thread pool, as rayon's own queue of jobs from
    // outside allocates a block now and then; and not the first time, when its threads set themselves up.
    let large = Mlp::velocity(30, &[128, 128]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| allocations(&large, 1024));
    assert_eq!(pool.install(|| allocations(&large, 1024)), 0);
}
