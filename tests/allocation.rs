//! Nothing is allocated after the first step.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use flowfield::dataset::{moons, normal};
use flowfield::game::*;
use flowfield::integrate::*;
use flowfield::low_rank::LoraScale;
use flowfield::matching::{Bridge, Matching, Objective, Source, TimeLaw};
use flowfield::nn::{Lora, Mlp, Network, NormPlacement, Plan, Potential, Residual, one_hot};
use flowfield::{ClipNorm, Flow, VectorField, field};
use ndarray::Array1;

/// Counts this thread's allocations.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        let _ = BYTES.try_with(|c| c.set(c.get() + layout.size()));
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

fn oscillator() -> impl VectorField<Array1<f64>> {
    field(|_t, y: &Array1<f64>, dy| {
        for i in 0..y.len() / 2 {
            dy[2 * i] = y[2 * i + 1];
            dy[2 * i + 1] = -y[2 * i];
        }
    })
}

fn fixed_steps<I: Integrator<Array1<f64>>>(integrator: I) -> u64 {
    let mut y = Array1::ones(100);
    let mut flow = Flow::new(oscillator(), integrator);
    flow.step(0.01, &mut y).unwrap();
    allocations(|| flow.steps(50, 0.01, &mut y).unwrap())
}

fn alternating() -> Alternating<Adam<Array1<f64>>, f64> {
    Alternating::new([Player::new(0..40, Adam::default()).turns(2), Player::new(40..100, Adam::default())])
}

fn adaptive_steps<I: Integrator<Array1<f64>>>(integrator: I) -> u64 {
    let mut flow = Flow::new(oscillator(), integrator).tol(1e-4);
    let mut run = flow.stepper(0.0, 30.0, Array1::ones(100)).unwrap();
    let mut inside = Array1::zeros(100);
    let mut advance = |n: usize| {
        for _ in 0..n {
            assert!(run.advance().unwrap());
            let t = run.t();
            run.interpolate(t, &mut inside).unwrap();
        }
    };
    advance(1);
    allocations(|| advance(9))
}

#[test]
fn fixed_steps_do_not_allocate() {
    for (name, count) in [
        ("Euler", fixed_steps(Euler::new())),
        ("Rk4", fixed_steps(Rk4::new())),
        ("Tsit5", fixed_steps(Tsit5::new())),
        ("Momentum", fixed_steps(Momentum::new(0.9))),
        ("Adam", fixed_steps(Adam::default())),
        ("RMSProp", fixed_steps(RmsProp::default())),
        ("Optimistic", fixed_steps(Optimistic::default())),
        ("Clamped Adam", fixed_steps(Clamped::new(Adam::default(), 0..10, 0.5))),
        ("Alternating Adam", fixed_steps(alternating())),
        ("Ema of Adam", fixed_steps(Ema::new(Adam::default(), 0.99))),
    ] {
        assert_eq!(count, 0, "{name}");
    }
}

#[test]
fn adaptive_steps_and_values_inside_them_do_not_allocate() {
    for (name, count) in [
        ("Bs3", adaptive_steps(Bs3::new())),
        ("Dopri5", adaptive_steps(Dopri5::new())),
        ("Tsit5", adaptive_steps(Tsit5::new())),
        ("Dop853", adaptive_steps(Dop853::new())),
        ("Vern6", adaptive_steps(Vern6::new())),
        ("Vern7", adaptive_steps(Vern7::new())),
        ("Vern8", adaptive_steps(Vern8::new())),
        ("Vern9", adaptive_steps(Vern9::new())),
    ] {
        assert_eq!(count, 0, "{name}");
    }
}

#[test]
fn training_and_sampling_a_network_do_not_allocate() {
    let data = moons::<f32>(500, 0.05, 0);
    let net = Mlp::velocity(2, &[32, 32]);
    let mut theta = net.init(0);
    let matching = ClipNorm::new(Matching::new(&net, &data, 64), 1.0);
    let schedule = Schedule::cosine(100).warm_up(5);
    let mut training = Flow::new(matching, Ema::new(Adam::default(), 0.99)).controller(schedule);
    training.steps(2, 1e-3, &mut theta).unwrap();
    assert_eq!(allocations(|| training.steps(20, 1e-3, &mut theta).unwrap()), 0, "training");

    let mut x = normal::<f32>((300, 2), 0);
    let mut sampling = Flow::new(net.field(&theta), Heun::new());
    sampling.step(0.01, &mut x).unwrap();
    assert_eq!(allocations(|| sampling.steps(20, 0.01, &mut x).unwrap()), 0, "sampling");
}

#[test]
fn other_paths_sources_and_objectives_do_not_allocate() {
    let data = moons::<f32>(500, 0.05, 0);
    let labels: Vec<usize> = (0..500).map(|i| i % 2).collect();
    let classes = one_hot::<f32>(&labels, 2).unwrap();
    let net = Mlp::velocity(2, &[32, 32]).condition(2);
    let weight = |t: f64| 1.0 + t;
    let matching = || {
        let matching = Matching::new(&net, &data, 64).condition(&classes).condition_dropout(0.1);
        matching.source(Source::Data(&data)).path(Bridge { sigma: 0.5 })
    };
    let times = TimeLaw::LogitNormal { mean: 0.0, std: 1.0 };
    let huber = Objective::PseudoHuber { c: 0.1 };
    for matching in [matching().weight(&weight), matching().objective(huber).time(times)] {
        let mut theta = net.init(0);
        let mut training = Flow::new(matching, Adam::default());
        training.steps(2, 1e-3, &mut theta).unwrap();
        assert_eq!(allocations(|| training.steps(20, 1e-3, &mut theta).unwrap()), 0);
    }
    let scalar = Mlp::new(3, &[32, 32], 1);
    let v = Potential::new(scalar.clone(), 2);
    let mut theta = scalar.init(0);
    let mut training =
        Flow::new(Matching::new(&scalar, &data, 64).objective(Objective::Action), Adam::default());
    training.steps(2, 1e-3, &mut theta).unwrap();
    assert_eq!(allocations(|| training.steps(20, 1e-3, &mut theta).unwrap()), 0, "action matching");
    let mut training = Flow::new(Matching::new(&v, &data, 64), Adam::default());
    training.steps(2, 1e-3, &mut theta).unwrap();
    assert_eq!(allocations(|| training.steps(20, 1e-3, &mut theta).unwrap()), 0, "a potential");
    let theta: Array1<f32> = net.init(0);
    let (mut x, condition) = (normal::<f32>((300, 2), 0), one_hot::<f32>(&[1; 300], 2).unwrap());
    let mut sampling = Flow::new(net.field(&theta).condition(&condition).guidance(2.0), Heun::new());
    sampling.step(0.01, &mut x).unwrap();
    assert_eq!(allocations(|| sampling.steps(20, 0.01, &mut x).unwrap()), 0, "guidance");
}

#[test]
fn plans_deep_networks_and_low_rank_increments_do_not_allocate() {
    let data = moons::<f32>(500, 0.05, 0);
    let mlp = Mlp::velocity(2, &[32, 32]);
    let theta = Network::<f32>::init(&mlp, 0);
    let mut sampling = Flow::new(Plan::compile(&mlp, &theta, 300).unwrap(), Heun::new());
    let mut x = normal::<f32>((300, 2), 0);
    sampling.step(0.01, &mut x).unwrap();
    let again = allocations(|| {
        sampling.field_mut().repack(&theta).unwrap();
        sampling.steps(20, 0.01, &mut x).unwrap();
    });
    assert_eq!(again, 0, "a plan");

    let deep = Residual::velocity(2, 16, 12).norm(NormPlacement::Deep { alpha: 2.0 });
    for net in [deep.clone(), deep.recompute()] {
        let mut theta = Network::<f32>::init(&net, 0);
        let mut training = Flow::new(Matching::new(&net, &data, 130), Adam::default());
        training.steps(2, 1e-3, &mut theta).unwrap();
        assert_eq!(allocations(|| training.steps(10, 1e-3, &mut theta).unwrap()), 0, "{net:?}");
        let mut sampling = Flow::new(net.field(&theta), Heun::new());
        sampling.step(0.01, &mut x).unwrap();
        assert_eq!(allocations(|| sampling.steps(10, 0.01, &mut x).unwrap()), 0, "sampling {net:?}");
    }

    let lora = Lora::new(&mlp, &theta, 2, LoraScale::Plain);
    let mut phi = lora.init(1);
    let mut training = Flow::new(Matching::new(&lora, &data, 64), Adam::default());
    training.steps(2, 1e-3, &mut phi).unwrap();
    assert_eq!(allocations(|| training.steps(10, 1e-3, &mut phi).unwrap()), 0, "low rank");
}

#[test]
fn recomputing_keeps_the_root_of_the_depth() {
    // A block and row keep `width + inner` numbers; recomputed, √N blocks do, and the stream with its tangent at √N of them.
    let (width, inner, depth, rows) = (32, 48, 400, 64);
    let net = Residual::new(32, width, depth, 32).inner(inner);
    let bytes = |net: &Residual| {
        let before = BYTES.get();
        let tape = Network::<f32>::tape(net, rows);
        let after = BYTES.get();
        drop(tape);
        (after - before) as f64
    };
    let saved = bytes(&net) - bytes(&net.clone().recompute());
    let (all, kept) = (depth * (width + inner), 20 * (width + inner) + 2 * 20 * width);
    let want = (4 * rows * (all - kept)) as f64;
    // Buffers start on cache lines, and each has its length noted.
    assert!((saved / want - 1.0).abs() < 0.015, "{saved} against {want}");
}

#[test]
fn games_do_not_allocate() {
    let data = moons::<f32>(500, 0.05, 0);
    let (generator, critic) = (Mlp::new(2, &[32, 32], 2), Mlp::new(2, &[32, 32], 1));
    let game = || Gan::new(&generator, &critic, &data, 64);
    let penalised = || game().penalty(Penalty::wgan_gp(1.0));
    let turns =
        [Player::new(game().critic(), Adam::default()), Player::new(game().generator(), Adam::default())];
    let steps = |game: Gan<'_, Mlp, Mlp, f32>| {
        let mut theta = game.init(0);
        let mut flow = Flow::new(game, Ema::new(Adam::default(), 0.99));
        flow.step(1e-3, &mut theta).unwrap();
        allocations(|| flow.steps(10, 1e-3, &mut theta).unwrap())
    };
    assert_eq!(steps(penalised()), 0, "penalty");
    assert_eq!(steps(penalised().loss(GanLoss::Wasserstein).estimator(Estimator::Line)), 0, "line");
    assert_eq!(steps(penalised().regulariser(Regulariser::OdeGan(0.1))), 0, "ODE-GAN");
    assert_eq!(steps(game().regulariser(Regulariser::Consensus(0.1))), 0, "consensus");
    let mut theta = game().init(0);
    let mut flow = Flow::new(penalised(), Alternating::new(turns));
    flow.steps(2, 1e-3, &mut theta).unwrap();
    assert_eq!(allocations(|| flow.steps(10, 1e-3, &mut theta).unwrap()), 0, "in turn");

    let psi = Network::<f32>::init(&critic, 1);
    let mut phi = Network::<f32>::init(&generator, 2);
    let along = || DiscriminatorFlow::new(&critic, &psi);
    let mut flow = Flow::new(PullBack::new(&generator, along(), 64), Euler::new());
    flow.step(1e-3, &mut phi).unwrap();
    assert_eq!(allocations(|| flow.steps(10, 1e-3, &mut phi).unwrap()), 0, "pulled back");
    let mut z = normal::<f32>((100, 2), 0);
    let mut flow = Flow::new(LatentFlow::new(&generator, &phi, along()), Euler::new());
    flow.step(1e-3, &mut z).unwrap();
    assert_eq!(allocations(|| flow.steps(10, 1e-3, &mut z).unwrap()), 0, "latents");
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0u8; 10]))), 1);
}
