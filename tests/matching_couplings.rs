//! Couplings and sources: marginals kept, costs lowered, conditions respected; guidance; the floor of the loss.

use std::cell::RefCell;

use flowfield::dataset::{eight_gaussians, moons, normal};
use flowfield::integrate::{Adam, Rk4};
use flowfield::matching::{Coupling, Matching, Objective, Smoothed, Source, TimeLaw, straightness};
use flowfield::nn::{Mlp, Network, one_hot};
use flowfield::{Error, Flow, VectorField};
use ndarray::{Array1, Array2, array};

/// Mean cost `|x1 - x0|²` of a coupling's pairs, read off the loss of the zero network.
fn cost(coupling: Coupling<'_, f64>, data: &Array2<f64>, batch: usize) -> f64 {
    let net = Mlp::velocity(data.ncols(), &[]);
    let theta = Array1::zeros(net.n_params());
    let mut matching = Matching::new(&net, data, batch).coupling(coupling).time(TimeLaw::Grid(1));
    matching.check(&theta).unwrap();
    let mut d = theta.clone();
    let mut total = 0.0;
    for _ in 0..20 {
        matching.redraw();
        matching.eval(0.0, &theta, &mut d);
        total += matching.loss() * data.ncols() as f64 / 20.0;
    }
    total
}

#[test]
fn couplings_lower_the_transport_cost_in_their_order() {
    let data = eight_gaussians::<f64>(2000, 5.0, 0.5, 0);
    let independent = cost(Coupling::Independent, &data, 64);
    let optimal = cost(Coupling::Optimal, &data, 64);
    let cold = cost(Coupling::Sinkhorn { eps: 0.2 }, &data, 64);
    let warm = cost(Coupling::Sinkhorn { eps: 20.0 }, &data, 64);
    assert!((independent - 27.5).abs() < 2.0, "E|x1 - x0|² = 25 + 2/4 + 2: {independent}");
    assert!(optimal < 0.65 * independent && optimal > 10.0, "{optimal}");
    assert!(optimal < cold + 0.3 && cold < warm && warm < independent + 1.0, "{optimal} {cold} {warm}");
}

#[test]
fn an_exact_coupling_is_a_permutation_of_its_minibatch() {
    // A permutation leaves the sum of all x1 - x0 as it is.
    let data = moons::<f64>(300, 0.05, 0);
    let net = Mlp::velocity(2, &[]);
    let theta = Array1::zeros(net.n_params());
    let sum = |coupling| {
        let mut matching = Matching::new(&net, &data, 50).coupling(coupling).time(TimeLaw::Grid(1)).seed(4);
        let mut d = theta.clone();
        matching.redraw();
        matching.eval(0.0, &theta, &mut d);
        // The biases' gradient is the mean of the targets, 2 (x1 - x0) / d.
        (d[6], d[7])
    };
    let identity = |_: &Array2<f64>, _: &Array2<f64>, _: &mut [usize]| {};
    let (one, two, three) =
        (sum(Coupling::Independent), sum(Coupling::Optimal), sum(Coupling::User(&identity)));
    assert!((one.0 - two.0).abs() < 1e-12 && (one.1 - two.1).abs() < 1e-12, "{one:?} {two:?}");
    assert_eq!(one, three);
}

#[test]
fn pools_larger_than_the_batch_are_used_up_batch_by_batch() {
    let data = normal::<f64>((400, 2), 3);
    let net = Mlp::velocity(2, &[]);
    let theta = Array1::zeros(net.n_params());
    let seen = RefCell::new(Vec::new());
    let look = |x0: &Array2<f64>, x1: &Array2<f64>, _: &mut [usize]| {
        assert_eq!((x0.dim(), x1.dim()), ((120, 2), (120, 2)));
        seen.borrow_mut().push(x0[[0, 0]]);
    };
    let mut matching = Matching::new(&net, &data, 40).coupling(Coupling::User(&look)).coupling_batch(120);
    for _ in 0..7 {
        matching.redraw();
    }
    assert_eq!(seen.borrow().len(), 3, "7 steps of 40 rows from pools of 120");
    matching.check(&theta).unwrap();
    let odd = Matching::new(&net, &data, 40).coupling(Coupling::Optimal).coupling_batch(100);
    assert!(matches!(odd.check(&theta), Err(Error::Setting { what: "the coupling's batch", .. })));
    // The larger the pool, the closer the pairs.
    let cost = |pool| {
        let mut matching = Matching::new(&net, &data, 20)
            .coupling(Coupling::Optimal)
            .coupling_batch(pool)
            .time(TimeLaw::Grid(1));
        let mut d = theta.clone();
        let mut total = 0.0;
        for _ in 0..20 {
            matching.redraw();
            matching.eval(0.0, &theta, &mut d);
            total += matching.loss();
        }
        total
    };
    assert!(cost(200) < 0.8 * cost(20), "{} {}", cost(200), cost(20));
}

#[test]
fn conditions_are_not_mixed_by_an_optimal_coupling() {
    // Ignoring the classes would pair each class with the noise nearest to it, and the source would know the class.
    let labels: Vec<usize> = (0..600).map(|i| i % 3).collect();
    let data = Array2::from_shape_fn((600, 1), |(i, _)| 4.0 * labels[i] as f64);
    let classes = one_hot::<f64>(&labels, 3).unwrap();
    let net = Mlp::velocity(1, &[]).condition(3);
    let bias = |weight| {
        let theta = Array1::zeros(net.n_params());
        let mut matching = Matching::new(&net, &data, 90)
            .condition(&classes)
            .coupling(Coupling::Optimal)
            .time(TimeLaw::Grid(1));
        if let Some(w) = weight {
            matching = matching.condition_weight(w);
        }
        let mut d = theta.clone();
        let mut product = 0.0;
        for _ in 0..30 {
            matching.redraw();
            matching.eval(0.0, &theta, &mut d);
            // Gradient of the weight on x: mean of 2 (x1 - x0) x0 = 2 (E x0 x1 - 1): zero correlation if unmixed.
            product += d[0] / 2.0 / 30.0;
        }
        product + 1.0
    };
    assert!(bias(Some(0.0)) > 2.0, "ignoring the classes correlates source and data: {}", bias(Some(0.0)));
    assert!(bias(None).abs() < 0.3, "classes apart: {}", bias(None));
    assert!(bias(Some(f64::INFINITY)).abs() < 0.3);
    assert_eq!(bias(None), bias(Some(f64::INFINITY)), "one-hot rows are kept apart by default");
}

#[test]
fn data_to_data_transfer_learns_a_translation() {
    let from = moons::<f64>(500, 0.05, 0);
    let to = &moons::<f64>(500, 0.05, 1) + &array![3.0, -1.0];
    let net = Mlp::velocity(2, &[32, 32]);
    let mut theta = net.init(0);
    let matching = Matching::new(&net, &to, 100).source(Source::Data(&from)).coupling(Coupling::Optimal);
    Flow::new(matching, Adam::default()).steps(800, 3e-3, &mut theta).unwrap();
    let mut x = moons::<f64>(300, 0.05, 5);
    let start = x.clone();
    Flow::new(net.field(&theta), Rk4::new()).steps(20, 0.05, &mut x).unwrap();
    let worst = (&x - &start - &array![3.0, -1.0]).mapv(f64::abs).mean().unwrap();
    assert!(worst < 0.15, "{worst}");
    // A sampler is a source as well, and the seed decides.
    let fill = |seed: u64, x: &mut Array2<f64>| {
        let drawn = moons(x.nrows(), 0.05, seed);
        x.assign(&drawn);
    };
    let run = |seed| {
        let mut theta = net.init(0);
        let matching = Matching::new(&net, &to, 100).source(Source::Sampler(&fill)).seed(seed);
        Flow::new(matching, Adam::default()).steps(10, 3e-3, &mut theta).unwrap();
        theta
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn guidance_mixes_two_velocities_and_dropout_trains_both() {
    let labels: Vec<usize> = (0..500).map(|i| i % 2).collect();
    let noise = normal::<f64>((500, 1), 3);
    let data = Array2::from_shape_fn((500, 1), |(i, _)| 4.0 * labels[i] as f64 - 2.0 + 0.3 * noise[[i, 0]]);
    let classes = one_hot(&labels, 2).unwrap();
    let net = Mlp::velocity(1, &[32, 32]).condition(2);
    let mut theta = net.init(0);
    let matching = Matching::new(&net, &data, 128).condition(&classes).condition_dropout(0.2);
    Flow::new(matching, Adam::default()).steps(1500, 4e-3, &mut theta).unwrap();
    let x = normal::<f64>((500, 1), 5);
    let nothing = Array2::zeros((500, 2));
    let velocity = |condition: &Array2<f64>, w: Option<f64>| {
        let mut v = net.field(&theta).condition(condition);
        if let Some(w) = w {
            v = v.guidance(w);
        }
        let mut dx = x.clone();
        v.check(&x).unwrap();
        v.eval(0.4, &x, &mut dx);
        dx
    };
    let (with, without) = (velocity(&classes, None), velocity(&nothing, None));
    assert_eq!(velocity(&classes, Some(0.0)), without);
    let three = velocity(&classes, Some(3.0));
    assert!((&three - &(&without + &((&with - &without) * 3.0))).iter().all(|d| d.abs() < 1e-12));
    // Unconditional samples are of both kinds, conditional ones of theirs.
    let sample = |condition: &Array2<f64>| {
        let mut x = x.clone();
        Flow::new(net.field(&theta).condition(condition), Rk4::new()).steps(20, 0.05, &mut x).unwrap();
        x
    };
    let positive = sample(&nothing).iter().filter(|x| **x > 0.0).count();
    assert!((175..325).contains(&positive), "{positive}");
    let right = sample(&classes).iter().zip(&labels).filter(|(x, l)| (**x > 0.0) == (**l == 1)).count();
    assert!(right > 490, "{right}");
    assert!(net.field(&theta).guidance(2.0).check(&x).is_err(), "guidance needs a condition");
    let bad = Matching::new(&net, &data, 10).condition(&classes).condition_dropout(1.5);
    assert!(matches!(bad.check(&theta), Err(Error::Setting { .. })));
}

#[test]
fn the_loss_comes_down_to_its_floor() {
    // T5: N(0, 1) to N(0, 1), independent: the floor is π/2. A network that is stuck is told apart.
    let data = normal::<f64>((5000, 1), 0);
    let net = Mlp::velocity(1, &[24]);
    let mut theta = net.init(0);
    let mut training = Flow::new(Matching::new(&net, &data, 200), Adam::default());
    training.steps(1500, 5e-3, &mut theta).unwrap();
    let done = training.field().assess(&theta, 4000).unwrap();
    let half_pi = std::f64::consts::FRAC_PI_2;
    assert!((done.floor - half_pi).abs() < 0.12, "{done:?}");
    assert!((done.loss / done.floor - 1.0).abs() < 0.06, "{done:?}");
    // Without an input at all: the mean velocity, loss E u² = 2.
    let stuck = training.field().assess(&Array1::zeros(theta.len()), 4000).unwrap();
    assert!(stuck.loss > 1.9 && (stuck.floor - half_pi).abs() < 0.15, "{stuck:?}");
    assert!(training.field().assess(&theta, 1).is_err());
    // Paired paths of a permutation never cross in one dimension sorted: the floor vanishes.
    let x0 = data.mapv(|x| 2.0 * x + 1.0);
    let paired = Matching::new(&net, &data, 200).coupling(Coupling::Paired(&x0));
    assert!(paired.assess(&theta, 2000).unwrap().floor < 1e-2);
}

#[test]
fn objectives_and_weights_have_the_gradients_of_their_losses() {
    let data = moons::<f64>(64, 0.05, 0);
    let net = Mlp::velocity(2, &[8, 8]);
    let theta: Array1<f64> = net.init(2);
    let weight = |t: f64| 1.0 + t * t;
    for objective in [Objective::Squares, Objective::PseudoHuber { c: 0.3 }] {
        for weighted in [false, true] {
            let mut matching =
                Matching::new(&net, &data, 32).objective(objective).path(Smoothed { sigma: 0.1 });
            if weighted {
                matching = matching.weight(&weight);
            }
            matching.check(&theta).unwrap();
            matching.redraw();
            let (mut d, mut scratch) = (theta.clone(), theta.clone());
            matching.eval(0.0, &theta, &mut d);
            for i in [0, 7, theta.len() - 1] {
                let mut loss = |h: f64| {
                    let mut moved = theta.clone();
                    moved[i] += h;
                    matching.eval(0.0, &moved, &mut scratch);
                    matching.loss()
                };
                let slope = (loss(1e-6) - loss(-1e-6)) / 2e-6;
                assert!((d[i] + slope).abs() < 1e-7 * (1.0 + slope.abs()), "{objective:?} {weighted} {i}");
            }
        }
    }
    let bad = Matching::new(&net, &data, 32).objective(Objective::PseudoHuber { c: 0.0 });
    assert!(matches!(bad.check(&theta), Err(Error::Setting { .. })));
}

#[test]
fn action_matching_learns_a_flow_from_marginals() {
    let data = &normal::<f64>((2000, 1), 0) * 0.5 + 2.0;
    let s = Mlp::new(2, &[32, 32], 1);
    let mut theta: Array1<f64> = s.init(0);
    let matching = Matching::new(&s, &data, 256).objective(Objective::Action);
    Flow::new(matching, Adam::default()).steps(1500, 3e-3, &mut theta).unwrap();
    let v = flowfield::nn::Potential::new(s, 1);
    let mut x = normal((1000, 1), 4);
    Flow::new(v.field(&theta), Rk4::new()).steps(20, 0.05, &mut x).unwrap();
    let (mean, std) = (x.mean().unwrap(), x.std(0.0));
    assert!((mean - 2.0).abs() < 0.15 && (std - 0.5).abs() < 0.15, "{mean} {std}");
    let wrong = Matching::new(&v, &data, 256).objective(Objective::Action).time(TimeLaw::UShaped { a: 1.0 });
    assert!(matches!(wrong.check(&theta), Err(Error::Unsupported { .. })));
}

#[test]
fn an_optimal_coupling_straightens() {
    let data = eight_gaussians::<f64>(2000, 3.0, 0.3, 0);
    let net = Mlp::velocity(2, &[48, 48]);
    let bend = |coupling| {
        let mut theta = net.init(1);
        let matching = Matching::new(&net, &data, 128).coupling(coupling).seed(3);
        Flow::new(matching, Adam::default()).steps(1200, 3e-3, &mut theta).unwrap();
        straightness(net.field(&theta), &normal((1000, 2), 7), 40).unwrap().straightness
    };
    let (independent, optimal) = (bend(Coupling::Independent), bend(Coupling::Optimal));
    assert!(optimal < 0.25 * independent, "{independent} {optimal}");
}

#[test]
fn odd_data_is_refused_or_carried() {
    let net = Mlp::velocity(2, &[8]);
    let theta: Array1<f64> = net.init(0);
    // One row, batch 1.
    let one = array![[1.0, 2.0]];
    let mut moving = theta.clone();
    Flow::new(Matching::new(&net, &one, 1), Adam::default()).steps(20, 1e-3, &mut moving).unwrap();
    // A constant column.
    let mut constant = normal::<f64>((50, 2), 0);
    constant.column_mut(1).fill(3.0);
    for coupling in [Coupling::Independent, Coupling::Optimal, Coupling::Sinkhorn { eps: 1.0 }] {
        let mut moving = theta.clone();
        let matching = Matching::new(&net, &constant, 10).coupling(coupling);
        Flow::new(matching, Adam::default()).steps(20, 1e-3, &mut moving).unwrap();
        assert!(moving.iter().all(|v| v.is_finite()));
    }
    let wide = normal::<f64>((50, 3), 0);
    let source = Matching::new(&net, &constant, 10).source(Source::Data(&wide));
    assert!(matches!(source.check(&theta), Err(Error::Shape { what: "the source", .. })));
    let empty = Array2::zeros((0, 2));
    let source = Matching::new(&net, &constant, 10).source(Source::Data(&empty));
    assert!(matches!(source.check(&theta), Err(Error::Empty { what: "the source" })));
    let mut holey = constant.clone();
    holey[[17, 0]] = f64::NAN;
    let source = Matching::new(&net, &constant, 10).source(Source::Data(&holey));
    assert!(matches!(source.check(&theta), Err(Error::NotFinite { what: "the source", row: 17, .. })));
    let outside = |_: &Array2<f64>, _: &Array2<f64>, partner: &mut [usize]| partner[0] = 99;
    let user = Matching::new(&net, &constant, 10).coupling(Coupling::User(&outside));
    assert!(matches!(user.check(&theta), Err(Error::Setting { what: "a partner", .. })));
    let cold = Matching::new(&net, &constant, 10).coupling(Coupling::Sinkhorn { eps: 0.0 });
    assert!(matches!(cold.check(&theta), Err(Error::Setting { .. })));
    let law = Matching::new(&net, &constant, 10).time(TimeLaw::Quantile(&|u| 2.0 * u));
    assert!(matches!(law.check(&theta), Err(Error::Setting { .. })));
}
