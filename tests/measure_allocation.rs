//! Nothing is allocated after the first step: particles down energies, SVGD, densities on grids.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use flowfield::dataset::normal;
use flowfield::integrate::{Euler, Heun, Rkc2, Tsit5};
use flowfield::measure::{
    BlobEntropy, DensityFlow, Descent, FreeEnergy, Grid, Interaction, Mmd, Potential, ScoreField, Svgd,
};
use flowfield::pairs::RadialKernel;
use flowfield::{Flow, State, VectorField};
use ndarray::Array2;

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

/// Allocations that a call of 20 steps makes beyond those of a call of 5, by each of a few methods.
fn allocations<S: State<Elem = f64>, V: VectorField<S>>(make: impl Fn() -> V, start: &S, h: f64) -> [u64; 4] {
    macro_rules! steps {
        ($($method:expr),*) => { [$({
            let mut flow = Flow::new(make(), $method);
            let mut y = start.clone();
            let mut count = |steps: usize| {
                let before = COUNT.get();
                flow.steps(steps, h, &mut y).unwrap();
                COUNT.get() - before
            };
            count(2);
            // What a call itself makes is the check of the state on entry.
            let entry = count(5);
            count(20) - entry
        }),*] };
    }
    steps!(Euler::new(), Heun::new(), Tsit5::new(), Rkc2::new())
}

fn bowl(x: &[f64], g: &mut [f64]) -> f64 {
    g.copy_from_slice(x);
    0.5 * x.iter().map(|x| x * x).sum::<f64>()
}

#[test]
fn particles_allocate_nothing() {
    let before = COUNT.get();
    let (x, y) = (normal::<f64>((60, 2), 0), normal::<f64>((50, 2), 1));
    assert!(COUNT.get() > before, "the counter counts");
    let down = |x: &Array2<f64>, s: &mut Array2<f64>| {
        s.assign(x);
        s.mapv_inplace(|v| -v);
    };
    let h = 1e-3;
    let none = [0; 4];
    assert_eq!(allocations(|| Descent(Potential::new(bowl)), &x, h), none, "potential");
    for kernel in [
        RadialKernel::Gaussian { width: 0.8 },
        RadialKernel::InverseMultiquadric { width: 1.0 },
        RadialKernel::Laplace { width: 1.0 },
        RadialKernel::Energy,
    ] {
        assert_eq!(allocations(|| Descent(Mmd::new(kernel, &y).unwrap()), &x, h), none, "{kernel:?}");
    }
    assert_eq!(allocations(|| Descent(BlobEntropy::new(0.6, 0.7).unwrap()), &x, h), none, "blob entropy");
    let crowd = || Descent((Potential::new(bowl), Interaction::attraction_repulsion(3.0, 1.0)));
    assert_eq!(allocations(crowd, &x, h), none, "interaction");
    assert_eq!(allocations(|| ScoreField::new(down), &x, h), none, "score");
}

#[test]
fn densities_allocate_nothing() {
    let none = [0; 4];
    let line = Grid::line(-3.0, 3.0, 40).unwrap();
    let rho = line.density(|x| (-x[0] * x[0]).exp());
    let well = || FreeEnergy::new(&line).diffusion(0.5).potential(|x| 0.5 * x[0] * x[0]);
    assert_eq!(allocations(|| DensityFlow::new(well()), &rho, 1e-3), none, "Fokker-Planck");
    let porous = || DensityFlow::new(FreeEnergy::new(&line).power(1.0, 2.0));
    assert_eq!(allocations(porous, &rho, 1e-3), none, "porous medium");
    let crowd = || DensityFlow::new(well().interaction(|x| 0.5 * x[0] * x[0]));
    assert_eq!(allocations(crowd, &rho, 1e-3), none, "interaction");
    let plane = Grid::plane((-3.0, 3.0, 20), (-3.0, 3.0, 16)).unwrap().periodic();
    let rho = plane.density(|x| (-x[0] * x[0] - x[1] * x[1]).exp());
    let heat = || DensityFlow::new(FreeEnergy::new(&plane).diffusion(0.5));
    assert_eq!(allocations(heat, &rho, 1e-3), none, "heat in the plane");
}
