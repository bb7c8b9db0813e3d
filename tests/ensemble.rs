//! Laws of ensembles: the same answers as single solves, for any lane, block and number of threads; failures by index.

use flowfield::ensemble::{LaneField, Lockstep, Member, Members, Rows, ensemble};
use flowfield::integrate::explicit::tableaux;
use flowfield::integrate::{Dop853, Tsit5, Vern7};
use flowfield::{Error, Flow, Number, Solution, field};
use ndarray::{Array2, ShapeBuilder};

struct Lorenz;

impl LaneField<3, 1> for Lorenz {
    #[inline(always)]
    fn eval<T: Number>(&self, _t: T, y: &[T; 3], [rho]: &[T; 1], dy: &mut [T; 3]) {
        dy[0] = T::of(10.0) * (y[1] - y[0]);
        dy[1] = y[0] * (*rho - y[2]) - y[1];
        dy[2] = y[0] * y[1] - T::of(8.0 / 3.0) * y[2];
    }
}

type Y = [f64; 3];

fn rhos(n: usize) -> Vec<[f64; 1]> {
    (0..n).map(|i| [20.0 * i as f64 / n.max(2) as f64]).collect()
}

fn on_threads<T: Send>(n: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(f)
}

fn bits(members: &Members<Member<Y>>) -> Vec<[u64; 3]> {
    members.successes().map(|(_, m)| m.y.map(f64::to_bits)).collect()
}

fn single(rho: f64, tol: f64) -> Solution<Y> {
    let f = field(move |_t, y: &Y, dy| {
        *dy = [10.0 * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - 8.0 / 3.0 * y[2]];
    });
    Flow::new(f, Dop853::new()).tol(tol).save_last().solve(0.0, 2.0, [1.0, 0.0, 0.0]).unwrap()
}

#[test]
fn lanes_give_what_single_solves_give() {
    let n = 300;
    let p = rhos(n);
    let y0 = vec![[1.0, 0.0, 0.0]; n];
    let tight: Vec<Y> = p.iter().map(|p| *single(p[0], 1e-13).y_end()).collect();
    let check = |name: &str, members: Members<Member<Y>>| {
        assert_eq!(members.len(), n);
        for (i, m) in members.successes() {
            let error = m.y.iter().zip(&tight[i]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-6, "{name}, member {i}: {error:e}");
        }
        assert_eq!(members.failures().count(), 0);
    };
    check("Tsit5", Lockstep::tsit5(Lorenz).tol(1e-9).solve(0.0, 2.0, &y0, &p).unwrap());
    check("Vern7", Lockstep::vern7(Lorenz).tol(1e-9).solve(0.0, 2.0, &y0, &p).unwrap());
    let lanes = Lockstep::dop853(Lorenz).tol(1e-9).solve(0.0, 2.0, &y0, &p).unwrap();
    // The same steps, give or take a rounding at the brink of acceptance.
    for (i, m) in lanes.successes() {
        let one = single(p[i][0], 1e-9);
        assert!(m.stats.accepted.abs_diff(one.stats.accepted) <= 1, "{} {}", m.stats, one.stats);
        let gap = m.y.iter().zip(one.y_end()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(gap < 1e-7, "member {i}: {gap:e}");
    }
    check("Dop853", lanes);
}

#[test]
fn neither_lane_nor_block_nor_threads_nor_instructions_matter() {
    let n = 1000;
    let (p, y0) = (rhos(n), vec![[1.0, 0.0, 0.0]; n]);
    let solver = Lockstep::dop853(Lorenz).tol(1e-8);
    let portable = Lockstep::dop853(Lorenz).tol(1e-8).portable();
    let want = bits(&on_threads(1, || solver.solve(0.0, 2.0, &y0, &p).unwrap()));
    assert_eq!(want.len(), n);
    assert!(want == bits(&on_threads(2, || solver.solve(0.0, 2.0, &y0, &p).unwrap())));
    assert!(want == bits(&on_threads(3, || solver.solve(0.0, 2.0, &y0, &p).unwrap())));
    assert!(want == bits(&portable.solve(0.0, 2.0, &y0, &p).unwrap()), "portable instructions");
    for start in [1, 7, 900] {
        let some = solver.solve(0.0, 2.0, &y0[start..start + 50], &p[start..start + 50]).unwrap();
        assert!(want[start..start + 50] == bits(&some), "members from {start} on");
    }
    for i in [0, 500, 999] {
        let one = solver.solve(0.0, 2.0, &y0[i..=i], &p[i..=i]).unwrap();
        assert_eq!(want[i], bits(&one)[0]);
    }
}

#[test]
fn sizes_none_and_one_and_empty_spans() {
    let solver = Lockstep::tsit5(Lorenz);
    assert!(solver.solve(0.0, 1.0, &[], &[]).unwrap().is_empty());
    assert_eq!(solver.solve(0.0, 1.0, &[[1.0, 0.0, 0.0]], &[[28.0]]).unwrap().len(), 1);
    let still = solver.solve(1.0, 1.0, &[[1.0, 2.0, 3.0]; 20], &[[28.0]; 20]).unwrap();
    assert!(still.successes().all(|(_, m)| m.y == [1.0, 2.0, 3.0] && m.stats.evals == 0));
    assert!(ensemble(0, |_| -> Result<(), Error> { Ok(()) }).is_empty());
    assert_eq!(ensemble(1, |i| -> Result<usize, Error> { Ok(i) }).all().unwrap(), [0]);
}

#[test]
fn backwards_in_time() {
    let solver = Lockstep::vern7(Lorenz).tol(1e-11);
    let (y0, p) = (vec![[1.0, 2.0, 3.0]; 40], vec![[10.0]; 40]);
    let there = solver.solve(0.0, 0.5, &y0, &p).unwrap();
    let ends: Vec<Y> = there.successes().map(|(_, m)| m.y).collect();
    for (_, back) in solver.solve(0.5, 0.0, &ends, &p).unwrap().successes() {
        back.y.iter().zip(y0[0]).for_each(|(a, b)| assert!((a - b).abs() < 1e-7));
    }
}

/// y' = rate y², from 1: blows up at 1 / rate.
struct BlowUp;

impl LaneField<1, 1> for BlowUp {
    #[inline(always)]
    fn eval<T: Number>(&self, _t: T, y: &[T; 1], [rate]: &[T; 1], dy: &mut [T; 1]) {
        dy[0] = *rate * y[0] * y[0];
    }
}

#[test]
fn a_member_that_fails_is_named_and_the_others_are_kept() {
    let n = 100;
    let mut y0 = vec![[1.0]; n];
    let mut p = vec![[0.5]; n];
    p[17] = [2.0];
    p[18] = [f64::NAN];
    y0[60] = [f64::INFINITY];
    let ends = Lockstep::tsit5(BlowUp).tol(1e-8).solve(0.0, 1.0, &y0, &p).unwrap();
    let failed: Vec<usize> = ends.failures().map(|(i, _)| i).collect();
    assert_eq!(failed, [17, 18, 60]);
    let error = |i: usize| ends[i].as_ref().unwrap_err();
    assert!(
        matches!(error(17), Error::StepUnderflow { t, .. } | Error::FieldNotFinite { t, .. } if (t - 0.5).abs() < 1e-6)
    );
    assert!(matches!(error(18), Error::FieldNotFinite { t: 0.0, component: 0, .. }));
    assert!(matches!(error(60), Error::NotFinite { row: 0, .. }));
    assert!(ends.successes().all(|(_, m)| (m.y[0] - 2.0).abs() < 1e-6));
    assert_eq!(ends.clone().all().unwrap_err().0, 17);
    let few = Lockstep::tsit5(BlowUp).tol(1e-8).max_steps(5).solve(0.0, 1.0, &y0[..3], &p[..3]).unwrap();
    assert!(few.failures().all(|(_, e)| matches!(e, Error::TooManySteps { steps: 5, .. })));
    assert_eq!(few.failures().count(), 3);
    let single = |i: usize| {
        let f = field(move |_t, y: &[f64; 1], dy| dy[0] = if i == 3 { 2.0 } else { 0.5 } * y[0] * y[0]);
        Flow::new(f, Tsit5::new()).save_last().solve(0.0, 1.0, [1.0])
    };
    let members = ensemble(10, single);
    assert_eq!(members.failures().map(|(i, _)| i).collect::<Vec<_>>(), [3]);
    assert_eq!(members.successes().count(), 9);
}

#[test]
fn any_solve_on_any_number_of_threads() {
    let solve = |i: usize| {
        let f = field(move |_t, y: &[f64; 2], dy| *dy = [y[1], -(i as f64) * y[0]]);
        Flow::new(f, Vern7::new()).tol(1e-10).save_last().solve(0.0, 3.0, [1.0, 0.0])
    };
    let ends = |threads| {
        let members = on_threads(threads, || ensemble(64, solve));
        members.successes().map(|(_, s)| s.y_end().map(f64::to_bits)).collect::<Vec<_>>()
    };
    assert_eq!(ends(1), ends(2));
    assert_eq!(ends(1), ends(5));
}

#[test]
fn bad_settings_are_errors() {
    let (y0, p) = ([[1.0]; 3], [[0.1]; 3]);
    let solver = || Lockstep::tsit5(BlowUp);
    assert!(matches!(solver().solve(0.0, 1.0, &y0, &p[..2]), Err(Error::Shape { .. })));
    assert!(matches!(solver().tol(-1.0).solve(0.0, 1.0, &y0, &p), Err(Error::Setting { what: "rtol", .. })));
    assert!(matches!(solver().rtol(1e-17).solve(0.0, 1.0, &y0, &p), Err(Error::ToleranceTooSmall { .. })));
    assert!(matches!(solver().solve(0.0, f64::NAN, &y0, &p), Err(Error::Setting { what: "t1", .. })));
    let rk4 = Lockstep::with_method(BlowUp, flowfield::integrate::explicit::tableaux::Rk4);
    assert!(matches!(rk4.solve(0.0, 1.0, &y0, &p), Err(Error::NoErrorEstimate { method: "Rk4" })));
}

/// Lorenz systems in the rows, with a parameter for each row of the initial array.
fn lorenz_rows(p: &[[f64; 1]]) -> impl FnMut(&[usize], &[f64], &Array2<f64>, &mut Array2<f64>) + '_ {
    move |index, _t, y, dy| {
        for ((&i, y), mut dy) in index.iter().zip(y.rows()).zip(dy.rows_mut()) {
            dy[0] = 10.0 * (y[1] - y[0]);
            dy[1] = y[0] * (p[i][0] - y[2]) - y[1];
            dy[2] = y[0] * y[1] - 8.0 / 3.0 * y[2];
        }
    }
}

#[test]
fn rows_take_the_steps_of_single_solves() {
    let n = 40;
    let p = rhos(n);
    let y0 = Array2::from_shape_fn((n, 3), |(_, j)| [1.0, 0.0, 0.0][j]);
    let all = Rows::indexed(lorenz_rows(&p), tableaux::Dop853).tol(1e-9).solve(0.0, 2.0, &y0).unwrap();
    assert_eq!(all.successes().count(), n);
    for (i, row) in all.successes() {
        let one = single(p[i][0], 1e-9);
        assert!(row.stats.accepted.abs_diff(one.stats.accepted) <= 1);
        row.y.iter().zip(one.y_end()).for_each(|(a, b)| assert!((a - b).abs() < 1e-7));
    }
    // A row alone gives the same bits.
    for i in [0, 13, 39] {
        let alone = y0.slice(ndarray::s![i..=i, ..]).to_owned();
        let member =
            Rows::indexed(lorenz_rows(&p[i..=i]), tableaux::Dop853).tol(1e-9).solve(0.0, 2.0, &alone);
        assert_eq!(member.unwrap()[0], all[i]);
    }
}

#[test]
fn rows_that_have_arrived_are_no_longer_evaluated() {
    let mut asked = 0;
    let field = |t: &[f64], y: &Array2<f64>, dy: &mut Array2<f64>| {
        asked += t.len();
        // Row by row faster: the first component is the rate.
        y.rows()
            .into_iter()
            .zip(dy.rows_mut())
            .for_each(|(y, mut d)| (d[0], d[1]) = (0.0, y[0] * (y[0] * y[1]).cos()));
    };
    let y0 = Array2::from_shape_fn((16, 2), |(i, j)| if j == 0 { 2f64.powi(i as i32 / 2) } else { 0.0 });
    let ends = Rows::tsit5(field).tol(1e-6).solve(0.0, 1.0, &y0).unwrap();
    let evals: Vec<u64> = ends.successes().map(|(_, m)| m.stats.evals).collect();
    assert!(evals[15] > 5 * evals[0]);
    assert_eq!(asked as u64, evals.iter().sum::<u64>());
}

#[test]
fn a_row_that_fails_is_named_and_the_others_are_kept() {
    let growth = |_t: &[f64], y: &Array2<f64>, dy: &mut Array2<f64>| dy.zip_mut_with(y, |d, &y| *d = y * y);
    let y0 = ndarray::array![[0.5], [2.0], [f64::NAN], [0.25], [f64::MAX]];
    let ends = Rows::tsit5(growth).tol(1e-8).solve(0.0, 1.0, &y0).unwrap();
    assert_eq!(ends.failures().map(|(i, _)| i).collect::<Vec<_>>(), [1, 2, 4]);
    assert!((ends[0].as_ref().unwrap().y[0] - 1.0).abs() < 1e-6);
    assert!((ends[3].as_ref().unwrap().y[0] - 1.0 / 3.0).abs() < 1e-6);
    assert!(matches!(ends[2], Err(Error::NotFinite { row: 0, .. })));
    assert!(matches!(ends[4], Err(Error::FieldNotFinite { component: 0, .. })));
    assert!(Rows::tsit5(growth).solve(0.0, 1.0, &Array2::zeros((0, 2))).unwrap().is_empty());
    assert!(matches!(Rows::tsit5(growth).solve(0.0, 1.0, &Array2::zeros((2, 0))), Err(Error::Empty { .. })));
    let few =
        Rows::dop853(growth).max_steps(1).tol(1e-12).solve(0.0, 1.0, &ndarray::array![[0.5_f64]]).unwrap();
    assert!(matches!(few[0], Err(Error::TooManySteps { steps: 1, .. })));
    let columns = Array2::from_elem((2, 3).f(), 0.5_f32);
    let f32s = |_t: &[f32], y: &Array2<f32>, dy: &mut Array2<f32>| dy.zip_mut_with(y, |d, &y| *d = -y);
    let ends = Rows::tsit5(f32s).tol(1e-5).solve(0.0, 1.0, &columns).unwrap();
    assert!(ends.successes().all(|(_, m)| (m.y[2] - 0.5 * (-1f32).exp()).abs() < 1e-5));
}

/// y' = -rate y.
struct Relax;

impl LaneField<1, 1> for Relax {
    #[inline(always)]
    fn eval<T: Number>(&self, _t: T, y: &[T; 1], [rate]: &[T; 1], dy: &mut [T; 1]) {
        dy[0] = -*rate * y[0];
    }
}

#[test]
fn a_lane_with_short_accepted_steps_is_left_alone_when_another_arrives() {
    // At t = 1e6 the first steps of member 5 are shorter than what a rejected step may shrink to; the others arrive at once.
    let (t0, t1) = (1e6, 1e6 + 1e-7);
    let solver = Lockstep::tsit5(Relax).tol(1e-2);
    let (y0, mut p) = (vec![[1.0]; 64], vec![[0.0]; 64]);
    p[5] = [3e9];
    let alone = solver.solve(t0, t1, &y0[5..6], &p[5..6]).unwrap().all().unwrap();
    let together = solver.solve(t0, t1, &y0, &p).unwrap().all().unwrap();
    assert!(alone[0].stats.accepted > 20);
    assert_eq!(alone[0].y[0].to_bits(), together[5].y[0].to_bits());
    assert_eq!(alone[0].stats, together[5].stats);
}

#[test]
fn steps_too_short_for_the_clock_end_with_an_error() {
    let members = Lockstep::tsit5(Relax).tol(1e-9).solve(1e12, 1e12 + 1.0, &[[1.0]], &[[1e9]]).unwrap();
    let error = members.failures().next().unwrap().1;
    assert!(matches!(error, Error::StepUnderflow { component: 0, .. }), "{error}");
}
