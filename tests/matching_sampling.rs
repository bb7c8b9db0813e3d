//! Sampling by any grid and in chunks, inversion, interpolation, and trainings that report, stop and recover.

use std::cell::Cell;
use std::ops::ControlFlow;

use flowfield::dataset::{Standard, moons, normal};
use flowfield::integrate::{Adam, Dopri5, Euler, Heun, Rk4, Schedule};
use flowfield::matching::{Assessment, Matching, NfeCurve, Progressive, Sampler, TimeGrid, slerp, train};
use flowfield::metric::energy_distance;
use flowfield::nn::{Mlp, Network, one_hot};
use flowfield::{Error, Flow};
use ndarray::{Array1, Array2, array};

fn trained(net: &Mlp, data: &Array2<f64>) -> Array1<f64> {
    let mut theta = net.init(1);
    let schedule = Schedule::cosine(800);
    Flow::new(Matching::new(net, data, 128), Adam::default())
        .controller(schedule)
        .steps(800, 4e-3, &mut theta)
        .unwrap();
    theta
}

#[test]
fn chunks_do_not_change_the_samples_and_report_progress() {
    let net = Mlp::velocity(2, &[20, 20]).condition(3);
    let theta: Array1<f32> = net.init(0);
    let z = normal((500, 2), 1);
    let labels: Vec<usize> = (0..500).map(|i| i % 3).collect();
    let condition = one_hot(&labels, 3).unwrap();
    let seen = Cell::new(0);
    let count = |done: usize, all: usize| {
        seen.set(seen.get() + 1);
        assert!(done <= all && all == 500);
        ControlFlow::Continue(())
    };
    let sampler = |chunk| Sampler::new(&net, &theta).condition(&condition).chunk(chunk).guidance(1.5);
    let whole = sampler(500).decode(&z, Rk4::new).unwrap();
    assert_eq!(sampler(64).on_chunk(&count).decode(&z, Rk4::new).unwrap(), whole);
    assert_eq!(seen.get(), 8);
    let stop = |_: usize, _: usize| ControlFlow::Break(());
    assert!(matches!(sampler(64).on_chunk(&stop).decode(&z, Rk4::new), Err(Error::Stopped { .. })));
    assert!(matches!(sampler(0).decode(&z, Rk4::new), Err(Error::Setting { .. })));
    let few = one_hot(&[0, 1], 3).unwrap();
    let short = Sampler::new(&net, &theta).condition(&few).decode(&z, Rk4::new);
    assert!(matches!(short, Err(Error::Shape { what: "the condition", .. })));
}

#[test]
fn grids_run_from_0_to_1_and_agree_when_fine() {
    for grid in [TimeGrid::Uniform(7), TimeGrid::Cosine(7), TimeGrid::Times(vec![0.0, 0.1, 0.5, 1.0])] {
        let times = grid.times().unwrap();
        assert!(times.windows(2).all(|p| p[0] < p[1]), "{grid:?}");
        assert!(times[0].abs() < 1e-12 && (times[times.len() - 1] - 1.0).abs() < 1e-12, "{grid:?}");
    }
    for bad in [vec![0.0, 0.5], vec![0.2, 1.0], vec![0.0, 0.5, 0.5, 1.0], vec![0.0, f64::NAN, 1.0]] {
        assert!(matches!(TimeGrid::Times(bad).times(), Err(Error::OutputTime { .. })));
    }
    assert!(matches!(TimeGrid::Uniform(0).times(), Err(Error::Setting { .. })));
    let net = Mlp::velocity(2, &[24, 24]);
    let theta = trained(&net, &moons(500, 0.05, 0));
    let z = normal((100, 2), 3);
    let by = |grid| Sampler::new(&net, &theta).grid(grid).decode(&z, Rk4::new).unwrap();
    let (even, cosine) = (by(TimeGrid::Uniform(100)), by(TimeGrid::Cosine(100)));
    assert!((&even - &cosine).iter().all(|d| d.abs() < 1e-4));
    // Encoding takes them back.
    let back = Sampler::new(&net, &theta).grid(TimeGrid::Cosine(100)).encode(&cosine, Rk4::new).unwrap();
    assert!((&back - &z).iter().all(|d| d.abs() < 1e-4));
}

#[test]
fn interpolation_goes_over_the_sphere_of_noise() {
    let (a, b): (Array1<f64>, Array1<f64>) = (array![3.0, 0.0], array![0.0, 3.0]);
    let way = slerp(&a, &b, 5);
    assert!(way.rows().into_iter().all(|r| (r.dot(&r) - 9.0).abs() < 1e-12));
    assert!((way[[2, 0]] - way[[2, 1]]).abs() < 1e-12);
    let same = slerp(&a, &(&a * 2.0), 3);
    assert!((same[[1, 0]] - 4.5).abs() < 1e-12, "parallel ends: {same}");
    let net = Mlp::velocity(2, &[24, 24]);
    let data = moons(500, 0.05, 0);
    let theta = trained(&net, &data);
    let (x, y) = (data.row(0).to_owned(), data.row(1).to_owned());
    let way = Sampler::new(&net, &theta).grid(TimeGrid::Uniform(50)).interpolate(&x, &y, 6).unwrap();
    assert!((&way.row(0) - &x).iter().all(|d| d.abs() < 1e-4), "the ends come back");
    assert!((&way.row(5) - &y).iter().all(|d| d.abs() < 1e-4));
}

#[test]
fn a_training_reports_and_stops_when_told() {
    let data = moons::<f64>(200, 0.05, 0);
    let net = Mlp::velocity(2, &[8]);
    let mut theta = net.init(0);
    let mut flow = Flow::new(Matching::new(&net, &data, 32), Adam::default());
    let mut seen = Vec::new();
    train(&mut flow, 100, 1e-3, &mut theta, 30, |r| {
        seen.push((r.step, r.loss));
        assert!(r.steps == 100 && r.speed > 0.0);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [30, 60, 90, 100]);
    assert!(seen.iter().all(|s| s.1.is_finite()));
    // The same bits as without reports.
    let mut plain = net.init(0);
    Flow::new(Matching::new(&net, &data, 32), Adam::default()).steps(100, 1e-3, &mut plain).unwrap();
    assert_eq!(plain, theta);
    let stop = train(&mut flow, 100, 1e-3, &mut theta, 10, |r| match r.step {
        20 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(stop, Err(Error::Stopped { steps: 20, .. })));
    assert!(train(&mut flow, 1, 1e-3, &mut theta, 0, |_| ControlFlow::Continue(())).is_err());
}

#[test]
fn a_training_that_diverges_falls_back_to_the_last_report() {
    let data = normal::<f64>((50, 2), 0);
    let net = Mlp::velocity(2, &[8]);
    let mut theta = net.init(0);
    let mut flow = Flow::new(Matching::new(&net, &data, 10), Euler::new());
    let mut last = theta.clone();
    let mut reports = 0;
    let e = train(&mut flow, 100_000, 10.0, &mut theta, 3, |r| {
        reports += 1;
        assert!(r.loss.is_finite());
        ControlFlow::Continue(())
    })
    .unwrap_err();
    assert!(matches!(e, Error::Diverged { .. }), "{e}");
    assert!(theta.iter().all(|v| v.is_finite()));
    // Going as far as the last report and no further gives the same parameters.
    Flow::new(Matching::new(&net, &data, 10), Euler::new()).steps(3 * reports, 10.0, &mut last).unwrap();
    assert_eq!(last, theta);
}

#[test]
fn constant_columns_train_after_standardisation() {
    let mut data = moons::<f64>(200, 0.05, 0) * 50.0 + 1000.0;
    data.column_mut(1).fill(0.1);
    let standard = Standard::of(&data).unwrap();
    assert_eq!(standard.constant(), [1]);
    let inner = standard.apply(&data).unwrap();
    let net = Mlp::velocity(2, &[24]);
    let theta = trained(&net, &inner);
    let x = Sampler::new(&net, &theta).decode(&normal((200, 2), 5), Rk4::new).unwrap();
    let x = standard.undo(&x).unwrap();
    assert!(x.iter().all(|v| v.is_finite()));
    assert!(x.column(1).iter().all(|v| (v - 0.1).abs() < 0.5));
    assert!((x.column(0).mean().unwrap() - data.column(0).mean().unwrap()).abs() < 20.0);
    assert!(matches!(Standard::of(&Array2::<f64>::zeros((0, 2))), Err(Error::Empty { .. })));
    let holey = array![[1.0, 2.0], [f64::NAN, 3.0]];
    assert!(matches!(Standard::of(&holey), Err(Error::NotFinite { row: 1, .. })));
    assert!(matches!(standard.apply(&array![[1.0]]), Err(Error::Shape { .. })));
}

#[test]
fn progressive_distillation_keeps_few_steps_close_to_many() {
    let data = moons::<f64>(500, 0.05, 0);
    let net = Mlp::velocity(2, &[32, 32]);
    let teacher = trained(&net, &data);
    let z = normal((300, 2), 3);
    let euler = |theta: &Array1<f64>, n: usize| {
        Sampler::new(&net, theta).grid(TimeGrid::Uniform(n)).decode(&z, Euler::new).unwrap()
    };
    let far = |x: &Array2<f64>, y: &Array2<f64>| (x - y).mapv(|d| d * d).sum() / 300.0;
    let goal = euler(&teacher, 16);
    let mut student = teacher.clone();
    let rounds = Progressive::new(1000, 800).rate(3e-3).run(&net, &mut student, 16, 2).unwrap();
    assert_eq!(rounds.iter().map(|r| r.steps).collect::<Vec<_>>(), [8, 4, 2]);
    let (before, after) = (far(&euler(&teacher, 2), &goal), far(&euler(&student, 2), &goal));
    assert!(after < 0.25 * before, "two steps: {before} before, {after} after");
    let odd = Progressive::new(10, 1).run(&net, &mut student, 12, 5);
    assert!(matches!(odd, Err(Error::Setting { .. })));
    assert!(matches!(Progressive::new(0, 1).run(&net, &mut student, 4, 2), Err(Error::Empty { .. })));
}

#[test]
fn fine_tuning_starts_from_a_checkpoint() {
    let net = Mlp::velocity(2, &[24, 24]);
    let theta = trained(&net, &moons(500, 0.05, 0));
    let file = std::env::temp_dir().join(format!("flowfield_fine_tune_{}.safetensors", std::process::id()));
    flowfield::checkpoint::save_weights(&net, &theta, &file).unwrap();
    // The same moons, moved: few steps are enough from there, too few from nothing.
    let moved = moons::<f64>(500, 0.05, 1) + 0.5;
    let tune = |mut theta: Array1<f64>| {
        let mut flow = Flow::new(Matching::new(&net, &moved, 128).seed(4), Adam::default());
        flow.steps(150, 2e-3, &mut theta).unwrap();
        flow.field().assess(&theta, 2000).unwrap()
    };
    let loaded: Array1<f64> = flowfield::checkpoint::load_weights(&net, &file).unwrap();
    let (tuned, fresh) = (tune(loaded), tune(net.init(3)));
    // Most of either loss is its floor: what counts is what is above.
    let above = |a: Assessment| a.loss - a.floor;
    assert!(above(tuned) < 0.6 * above(fresh), "{tuned:?} {fresh:?}");
    let _ = std::fs::remove_file(file);
}

#[test]
fn an_nfe_curve_counts_evaluations_and_falls_to_the_exact_flow() {
    let (net, data) = (Mlp::velocity(2, &[24, 24]), moons(500, 0.05, 0));
    let theta = trained(&net, &data);
    let noise = normal((400, 2), 3);
    let exact = Sampler::new(&net, &theta).grid(TimeGrid::Uniform(400)).decode(&noise, Rk4::new).unwrap();
    // The mean distance of each sample from where the exact flow takes it.
    let far = |x: &Array2<f64>| {
        let gap = (x - &exact).mapv(|d| d * d).sum();
        Ok((gap / 400.0).sqrt())
    };
    let mut curve = NfeCurve::new(far);
    let counts = [1, 2, 4, 8, 16, 32];
    for n in counts {
        curve.fixed("Euler", &net, &theta, &noise, n, Euler::new()).unwrap();
        curve.fixed("Heun", &net, &theta, &noise, n, Heun::new()).unwrap();
    }
    let adaptive = curve.adaptive("Dopri5", &net, &theta, &noise, 1e-6, Dopri5::new()).unwrap();
    assert!(adaptive.quality < 1e-4 && adaptive.evals > 30, "{adaptive:?}");
    let by = |name: &str| -> Vec<(u64, f64)> {
        curve.points().iter().filter(|p| p.method == name).map(|p| (p.evals, p.quality)).collect()
    };
    assert_eq!(by("Euler").iter().map(|p| p.0).collect::<Vec<_>>(), counts.map(|n| n as u64));
    assert_eq!(by("Heun").iter().map(|p| p.0).collect::<Vec<_>>(), counts.map(|n| 2 * n as u64));
    // Orders one and two: half the error, a quarter of it.
    for (name, factor) in [("Euler", 0.6), ("Heun", 0.4)] {
        let points = by(name);
        assert!(points.windows(2).all(|p| p[1].1 < p[0].1), "{name}: {points:?}");
        assert!(points[5].1 < factor * points[4].1, "{name}: {points:?}");
    }
    assert!(curve.fixed("none", &net, &theta, &noise, 0, Euler::new()).is_err());
    let mut spoilt = NfeCurve::new(|x: &Array2<f64>| energy_distance(x, &array![[0.0]]));
    assert!(matches!(spoilt.fixed("Euler", &net, &theta, &noise, 2, Euler::new()), Err(Error::Shape { .. })));
}
