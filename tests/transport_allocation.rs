//! Solvers of transport that are used again, allocation by allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use flowfield::dataset::normal;
use flowfield::pairs::{KernelSum, RadialKernel};
use flowfield::transport::{Assignment, MatrixCost, PointCost};
use ndarray::Array2;

/// Counts this thread's allocations.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn an_assignment_solver_allocates_once() {
    for n in [1, 30, 256, 400] {
        let (x, y) = (normal::<f64>((n, 3), 0), normal::<f64>((n, 3), 1));
        let first = PointCost::squared_euclidean(&x, &y).unwrap();
        let next = PointCost::squared_euclidean(&(&x * 1.1), &y).unwrap();
        let stored = MatrixCost::new(&normal::<f64>((n, n), 2));
        let mut solver = Assignment::new();
        solver.permutation(&first).unwrap();
        // Room for the longest search and the most bids is found within a few problems.
        solver.permutation(&stored).unwrap();
        let count = allocations(|| {
            solver.permutation(&first).unwrap();
            solver.permutation(&next).unwrap();
        });
        assert_eq!(count, 0, "n = {n}");
    }
}

#[test]
fn kernel_sums_allocate_once() {
    let (x, y) = (normal::<f64>((100, 2), 0), normal::<f64>((90, 2), 1));
    let mut engine = KernelSum::new(RadialKernel::Gaussian { width: 1.0 }).unwrap();
    let (mut sums, mut gradients) = (Array2::zeros((100, 2)), Array2::zeros((100, 2)));
    let mut run = |y: &Array2<f64>| {
        engine.targets(y).unwrap().payload(y).unwrap().both(&x, &mut sums, &mut gradients).unwrap();
    };
    run(&y);
    assert_eq!(allocations(|| run(&y)), 0);
}
