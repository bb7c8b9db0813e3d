//! Every tableau of the catalogue against the algebraic order conditions: a wrong digit dies here, before any equation is
//! solved.
//!
//! A method with weights `b` has order `p` if `Σᵢ bᵢ Φᵢ(τ) = 1/γ(τ)` for every rooted tree `τ` with at most `p` vertices
//! (Butcher 1963; HNW II.2, Theorem 2.13), and an interpolant has it if `Σᵢ bᵢ(θ) Φᵢ(τ) = θ^|τ|/γ(τ)` for every `θ`.

use flowfield::integrate::explicit::low_storage::LowStorageMethod;
use flowfield::integrate::explicit::tableau::{Interpolant, Method, Tableau};
use flowfield::integrate::explicit::tableaux::{
    Bs3, CarpenterKennedy, Dop853, Dopri5, Euler, Extragradient, Heun, Midpoint, Ralston, Rk4, Rk38, SspRk33,
    SspRk43, Tsit5, Vern6, Vern7, Vern8, Vern9,
};

use flowfield::integrate::implicit::esdirk::{EsdirkMethod, EsdirkTableau, Estimate, methods};

/// A tableau without its number of stages in the type, the interpolant's stages appended to `a` and `c`.
struct View {
    name: &'static str,
    order: usize,
    /// Embedded weights and their order.
    embedded: Vec<(Vec<f64>, usize)>,
    a: Vec<Vec<f64>>,
    b: Vec<f64>,
    c: Vec<f64>,
    fsal: bool,
    /// Order and `bᵢ(θ)`.
    dense: Option<(usize, Vec<Vec<f64>>)>,
}

fn view<const S: usize>(t: &Tableau<S>) -> View {
    let mut a: Vec<Vec<f64>> = t.a.iter().map(|row| row.to_vec()).collect();
    let mut c = t.c.to_vec();
    let mut embedded = Vec::new();
    // DOP853 states the order of the lower of its two estimates; the other one is of order 5.
    let e_order = if t.e3.is_some() { 5 } else { t.embedded_order as usize };
    for (e, order) in [(t.e, e_order), (t.e3, t.embedded_order as usize)] {
        if let Some(e) = e {
            embedded.push(((0..S).map(|i| t.b[i] - e[i]).collect(), order));
        }
    }
    let dense = match t.interpolant {
        Interpolant::Hermite => None,
        Interpolant::Polynomial { order, nested, extra } => {
            assert_eq!(nested.len(), S + extra.len(), "{}: a polynomial per stage", t.name);
            for stage in extra {
                assert!(stage.a.len() <= a.len(), "{}: an extra stage uses earlier ones only", t.name);
                a.push(stage.a.to_vec());
                c.push(stage.c);
            }
            Some((order as usize, nested.iter().map(|w| w.to_vec()).collect()))
        }
    };
    View { name: t.name, order: t.order as usize, embedded, a, b: t.b.to_vec(), c, fsal: t.fsal, dense }
}

fn catalogue() -> Vec<View> {
    vec![
        view(&Euler::TABLEAU),
        view(&Extragradient::TABLEAU),
        view(&Midpoint::TABLEAU),
        view(&Heun::TABLEAU),
        view(&Ralston::TABLEAU),
        view(&Rk4::TABLEAU),
        view(&Rk38::TABLEAU),
        view(&SspRk33::TABLEAU),
        view(&SspRk43::TABLEAU),
        view(&CarpenterKennedy::TABLEAU),
        view(&Bs3::TABLEAU),
        view(&Dopri5::TABLEAU),
        view(&Tsit5::TABLEAU),
        view(&Vern6::TABLEAU),
        view(&Vern7::TABLEAU),
        view(&Vern8::TABLEAU),
        view(&Vern9::TABLEAU),
        view(&Dop853::TABLEAU),
    ]
}

/// A rooted tree: the subtrees at its root, as indices into the list it stands in.
struct Tree {
    order: usize,
    gamma: f64,
    children: Vec<usize>,
}

/// All rooted trees with at most `order` vertices, smaller ones first.
fn trees(order: usize) -> Vec<Tree> {
    let mut list = vec![Tree { order: 1, gamma: 1.0, children: Vec::new() }];
    for q in 2..=order {
        let mut forests = Vec::new();
        grow(&list, q - 1, list.len(), &mut Vec::new(), &mut forests);
        for children in forests {
            let gamma = children.iter().fold(q as f64, |g, &t| g * list[t].gamma);
            list.push(Tree { order: q, gamma, children });
        }
    }
    list
}

/// All multisets of the first `below` trees of `list` that have `vertices` vertices in all, appended to `root`.
fn grow(list: &[Tree], vertices: usize, below: usize, root: &mut Vec<usize>, out: &mut Vec<Vec<usize>>) {
    if vertices == 0 {
        out.push(root.clone());
    }
    for t in 0..below {
        if list[t].order <= vertices {
            root.push(t);
            grow(list, vertices - list[t].order, t + 1, root, out);
            root.pop();
        }
    }
}

/// `Φᵢ(τ)` for every tree and stage, and its size: the same with the last sums taken over absolute values.
struct Weights {
    phi: Vec<Vec<f64>>,
    size: Vec<Vec<f64>>,
}

fn elementary_weights(a: &[Vec<f64>], trees: &[Tree]) -> Weights {
    let product = |u: &[f64], f: fn(f64) -> f64| -> Vec<f64> {
        a.iter().map(|row| row.iter().zip(u).map(|(a, u)| f(a * u)).sum()).collect()
    };
    let (mut phi, mut size) = (Vec::<Vec<f64>>::new(), Vec::<Vec<f64>>::new());
    let (mut sums, mut sizes) = (Vec::<Vec<f64>>::new(), Vec::<Vec<f64>>::new());
    for tree in trees {
        let (mut u, mut s) = (vec![1.0; a.len()], vec![1.0; a.len()]);
        for &child in &tree.children {
            for i in 0..a.len() {
                u[i] *= sums[child][i];
                s[i] *= sizes[child][i];
            }
        }
        sums.push(product(&u, |x| x));
        sizes.push(product(&u, f64::abs));
        phi.push(u);
        size.push(s);
    }
    Weights { phi, size }
}

/// The largest relative defect `|Σ bᵢ Φᵢ − θ^q/γ| / max(1, Σ |bᵢ| sizeᵢ)` over the trees of order `q`.
fn defect(b: &[f64], theta: f64, q: usize, trees: &[Tree], w: &Weights) -> f64 {
    let of_tree = |(t, tree): (usize, &Tree)| {
        let sum: f64 = b.iter().zip(&w.phi[t]).map(|(b, u)| b * u).sum();
        let size: f64 = b.iter().zip(&w.size[t]).map(|(b, s)| (b * s).abs()).sum();
        (sum - theta.powi(q as i32) / tree.gamma).abs() / size.max(1.0)
    };
    trees.iter().enumerate().filter(|(_, tree)| tree.order == q).map(of_tree).fold(0.0, f64::max)
}

/// `(bᵢ(θ))ᵢ` and their derivatives.
fn at(nested: &[Vec<f64>], theta: f64) -> (Vec<f64>, Vec<f64>) {
    let values = |f: fn(&[f64], f64) -> f64| nested.iter().map(|row| f(row, theta)).collect();
    (values(Interpolant::weight), values(Interpolant::slope))
}

/// What rounding the coefficients of `bᵢ(θ)` to `f64` may do to its values and slopes.
fn rounding(nested: &[Vec<f64>]) -> f64 {
    let size = |w: &Vec<f64>| w.iter().fold(10.0, |s: f64, r| s.max(r.abs()));
    2.0 * f64::EPSILON * nested.iter().map(size).fold(0.0, f64::max)
}

/// What holds, holds to this, relative to the size of the terms that cancel.
const EXACT: f64 = 1e-14;
/// What does not hold, fails by more than this.
const BROKEN: f64 = 1e-7;
const THETAS: [f64; 6] = [0.0, 0.1, 0.3, 0.5, 0.8, 1.0];

#[test]
fn there_are_as_many_trees_as_cayley_counted() {
    let trees = trees(10);
    let count = |q| trees.iter().filter(|t| t.order == q).count();
    assert_eq!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(count), [1, 1, 2, 4, 9, 20, 48, 115, 286, 719]);
}

#[test]
fn stages_are_explicit_and_times_are_row_sums() {
    for m in catalogue() {
        assert_eq!(m.c[0], 0.0, "{}", m.name);
        for (i, row) in m.a.iter().enumerate() {
            assert!(row.iter().skip(i).all(|&a| a == 0.0), "{}: stage {i} is implicit", m.name);
            let size: f64 = row.iter().map(|a| a.abs()).sum();
            let gap = (row.iter().sum::<f64>() - m.c[i]).abs();
            assert!(
                gap <= EXACT * size.max(1.0),
                "{}: stage {i}: row sum and time differ by {gap:e}",
                m.name
            );
        }
        let s = m.b.len();
        assert_eq!(m.fsal, m.a[s - 1] == m.b && m.c[s - 1] == 1.0, "{}: first same as last", m.name);
    }
}

#[test]
fn every_method_has_its_order_and_no_more() {
    let trees = trees(10);
    for m in catalogue() {
        let w = elementary_weights(&m.a, &trees);
        let solutions = std::iter::once((&m.b, m.order)).chain(m.embedded.iter().map(|(b, p)| (b, *p)));
        for (b, order) in solutions {
            for q in 1..=order {
                let d = defect(b, 1.0, q, &trees, &w);
                assert!(d < EXACT, "{}: order {order} claimed, defect {d:e} at order {q}", m.name);
            }
            let d = defect(b, 1.0, order + 1, &trees, &w);
            assert!(d > BROKEN, "{}: order {order} claimed, but the next one holds to {d:e}", m.name);
        }
    }
}

#[test]
fn every_interpolant_has_its_order_and_no_more() {
    let trees = trees(10);
    for m in catalogue() {
        let Some((order, nested)) = &m.dense else { continue };
        let w = elementary_weights(&m.a, &trees);
        let worst =
            |q| THETAS.iter().map(|&th| defect(&at(nested, th).0, th, q, &trees, &w)).fold(0.0, f64::max);
        for q in 1..=*order {
            let d = worst(q);
            assert!(d < rounding(nested), "{}: order {order} inside, defect {d:e} at order {q}", m.name);
        }
        let d = worst(order + 1);
        assert!(d > BROKEN, "{}: order {order} inside, but the next one holds to {d:e}", m.name);
    }
}

#[test]
fn interpolants_meet_the_step_and_its_slopes_at_both_ends() {
    for m in catalogue() {
        let Some((_, nested)) = &m.dense else { continue };
        let s = m.b.len();
        // The stage that is f(t + h, y₁): the last one, or the first of the interpolant's own.
        let last = if m.fsal { s - 1 } else { s };
        let same = m.a[last].iter().zip(&m.b).all(|(a, b)| a == b);
        assert!(same && m.c[last] == 1.0, "{}: stage {last} is not the slope at the end", m.name);

        let (_, slope) = at(nested, 0.0);
        let (end, end_slope) = at(nested, 1.0);
        for i in 0..nested.len() {
            assert_eq!(slope[i], if i == 0 { 1.0 } else { 0.0 }, "{}: initial slope, stage {i}", m.name);
            let gap = (end[i] - m.b.get(i).unwrap_or(&0.0)).abs();
            assert!(gap < rounding(nested), "{}: end value, stage {i}: {gap:e}", m.name);
            let gap = (end_slope[i] - if i == last { 1.0 } else { 0.0 }).abs();
            assert!(gap < rounding(nested), "{}: end slope, stage {i}: {gap:e}", m.name);
        }
    }
}

#[test]
fn slopes_inside_a_step_are_exact_for_polynomials_in_time() {
    for m in catalogue() {
        let Some((order, nested)) = &m.dense else { continue };
        for theta in THETAS {
            let (_, slope) = at(nested, theta);
            for k in 0..*order as i32 {
                let sum: f64 = slope.iter().zip(&m.c).map(|(s, c)| s * c.powi(k)).sum();
                let gap = (sum - theta.powi(k)).abs();
                assert!(
                    gap < 10.0 * rounding(nested),
                    "{}: slope of t^{} at {theta}: {gap:e}",
                    m.name,
                    k + 1
                );
            }
        }
    }
}

#[test]
fn two_arrays_give_the_step_of_the_tableau() {
    let f = |t: f64, y: f64| (t + y).cos() - 0.3 * y * y;
    let (t, h, y0) = (0.2, 0.4, 1.1);

    let low = CarpenterKennedy::LOW_STORAGE;
    let (mut y, mut w) = (y0, 0.0);
    for i in 0..5 {
        w = low.a[i] * w + h * f(t + low.c[i] * h, y);
        y += low.b[i] * w;
    }

    let full = CarpenterKennedy::TABLEAU;
    let mut k = [0.0; 5];
    for i in 0..5 {
        let sum: f64 = (0..i).map(|j| full.a[i][j] * k[j]).sum();
        k[i] = f(t + full.c[i] * h, y0 + h * sum);
    }
    let y1 = y0 + h * (0..5).map(|i| full.b[i] * k[i]).sum::<f64>();
    assert!((y - y1).abs() < 1e-15, "{y} and {y1}");
}

/// A diagonally implicit method: its matrices (two of an additive pair), solution and embedded weights, interpolant.
struct Implicit {
    name: &'static str,
    order: usize,
    matrices: Vec<Vec<Vec<f64>>>,
    b: Vec<f64>,
    embedded: Option<(Vec<f64>, usize)>,
    dense: Option<Vec<Vec<f64>>>,
}

fn implicit<const S: usize>(t: &EsdirkTableau<S>) -> Implicit {
    let mut a: Vec<Vec<f64>> = t.a.iter().map(|row| row.to_vec()).collect();
    (1..S).for_each(|i| a[i][i] = t.gamma);
    let explicit = t.explicit.map(|a| a.iter().map(|row| row.to_vec()).collect());
    let embedded = match t.estimate {
        Estimate::Embedded { order, e } => Some(((0..S).map(|i| t.b[i] - e[i]).collect(), order as usize)),
        Estimate::ThirdDerivative { .. } => None,
    };
    let dense = t.quartic.map(|_| (0..S).map(|i| t.nested(i).to_vec()).collect());
    let matrices = std::iter::once(a).chain(explicit).collect();
    Implicit { name: t.name, order: t.order as usize, matrices, b: t.b.to_vec(), embedded, dense }
}

fn implicit_catalogue() -> Vec<Implicit> {
    vec![
        implicit(&methods::ImplicitEuler::TABLEAU),
        implicit(&methods::ImplicitMidpoint::TABLEAU),
        implicit(&methods::CrankNicolson::TABLEAU),
        implicit(&methods::TrBdf2::TABLEAU),
        implicit(&methods::KenCarp3::TABLEAU),
        implicit(&methods::KenCarp4::TABLEAU),
        implicit(&methods::KenCarp5::TABLEAU),
        implicit(&methods::Kvaerno5::TABLEAU),
    ]
}

/// `Φᵢ(τ)` for every colouring of the vertices above the root by one of the matrices (Hairer 1981: P-series).
fn coloured(tree: usize, trees: &[Tree], matrices: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
    let stages = matrices[0].len();
    let mut all = vec![vec![1.0; stages]];
    for &child in &trees[tree].children {
        let branches: Vec<Vec<f64>> = coloured(child, trees, matrices)
            .iter()
            .flat_map(|u| matrices.iter().map(move |a| (a, u)))
            .map(|(a, u)| a.iter().map(|row| row.iter().zip(u).map(|(a, u)| a * u).sum()).collect())
            .collect();
        all = all
            .iter()
            .flat_map(|u| branches.iter().map(move |v| (u, v)))
            .map(|(u, v)| u.iter().zip(v).map(|(u, v)| u * v).collect())
            .collect();
    }
    all
}

/// The largest defect `|Σ bᵢ Φᵢ − θ^q/γ|` over all coloured trees of order `q`.
fn coloured_defect(b: &[f64], theta: f64, q: usize, trees: &[Tree], matrices: &[Vec<Vec<f64>>]) -> f64 {
    let of_tree = |(t, tree): (usize, &Tree)| {
        let gap = |phi: &Vec<f64>| {
            let sum: f64 = b.iter().zip(phi).map(|(b, u)| b * u).sum();
            (sum - theta.powi(q as i32) / tree.gamma).abs()
        };
        coloured(t, trees, matrices).iter().map(gap).fold(0.0, f64::max)
    };
    trees.iter().enumerate().filter(|(_, tree)| tree.order == q).map(of_tree).fold(0.0, f64::max)
}

/// Sums of terms up to a hundred.
const ROUNDED: f64 = 1e-13;

#[test]
fn diagonally_implicit_methods_and_additive_pairs_have_their_order_and_no_more() {
    let trees = trees(6);
    for m in implicit_catalogue() {
        for q in 1..=m.order {
            let d = coloured_defect(&m.b, 1.0, q, &trees, &m.matrices);
            assert!(d < ROUNDED, "{}: order {} claimed, defect {d:e} at {q}", m.name, m.order);
        }
        assert!(coloured_defect(&m.b, 1.0, m.order + 1, &trees, &m.matrices) > BROKEN, "{}", m.name);
        // The rows of an additive pair stand for the same times.
        for (i, row) in m.matrices[0].iter().enumerate() {
            let sums: Vec<f64> = m.matrices.iter().map(|a| a[i].iter().sum()).collect();
            assert!(
                sums.iter().all(|s| (s - row.iter().sum::<f64>()).abs() < ROUNDED),
                "{}: {sums:?}",
                m.name
            );
        }
        // TR-BDF2's embedded solution is of higher order than the method; half a change of slope estimates the error of
        // implicit Euler itself.
        let Some((b, order)) = &m.embedded else { continue };
        let order = order + usize::from(["TrBdf2", "ImplicitEuler"].contains(&m.name));
        for q in 1..=order {
            let d = coloured_defect(b, 1.0, q, &trees, &m.matrices);
            assert!(d < ROUNDED, "{}: embedded order {order}, defect {d:e} at {q}", m.name);
        }
        assert!(coloured_defect(b, 1.0, order + 1, &trees, &m.matrices) > BROKEN, "{}: embedded", m.name);
    }
}

#[test]
fn quartics_inside_diagonally_implicit_steps_have_order_four() {
    let trees = trees(5);
    for m in implicit_catalogue() {
        let Some(nested) = &m.dense else { continue };
        for theta in THETAS {
            let (b, slope) = at(nested, theta);
            for q in 1..=4 {
                let d = coloured_defect(&b, theta, q, &trees, &m.matrices[..1]);
                assert!(d < ROUNDED, "{}: {d:e} at order {q}", m.name);
            }
            let sum: f64 = slope.iter().sum();
            assert!((sum - 1.0).abs() < ROUNDED, "{}: slopes sum to {sum}", m.name);
        }
        assert!(coloured_defect(&at(nested, 0.5).0, 0.5, 5, &trees, &m.matrices[..1]) > BROKEN, "{}", m.name);
    }
}
