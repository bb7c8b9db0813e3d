//! Newton's method on the semi-dual: where Sinkhorn's iteration converges too slowly.
//!
//! With `f` the best for `g`, the dual is a concave function of `g` alone, with gradient `b - q` (`q` the column
//! marginals of the plan P) and Hessian `-(diag(q) - Pᵀ diag(1/a) P) / ε`. A Newton step is solved by conjugate
//! gradients with the diagonal as preconditioner; each of their steps is one pass over the kernel, and where
//! Sinkhorn's iteration contracts by λ a step, they contract by about `1 - 2 √(1 - λ)`.

use super::problem::Problem;
use super::store::Store;
use crate::Real;
use crate::transport::Cost;

/// Potentials may move so many ε before the kernel is built anew around them.
const DRIFT: f64 = 4.0;
/// Passes that one Newton step may take.
const STEPS: usize = 400;

/// Scalings `v` of the columns with everything that follows from them.
#[derive(Debug, Clone)]
struct Point {
    v: Vec<f64>,
    u: Vec<f64>,
    /// Column marginals.
    q: Vec<f64>,
    /// The dual, in units of ε.
    dual: f64,
    /// L1 error of the column marginals.
    error: f64,
}

/// Iterates until the error is at most `tol` or the passes are used up; returns the error reached.
pub(super) fn converge<T: Real, C: Cost + ?Sized>(p: &mut Problem<'_, C>, tol: f64, most: usize) -> f64 {
    let mut last = f64::INFINITY;
    loop {
        let store = Store::<T>::build(p);
        p.passes += 1;
        let mut run = Run { p, store };
        let mut at = run.point(vec![1.0; run.p.b.len()]);
        let mut rate = 0.0;
        while at.error > tol && run.p.passes < most && at.drift() < DRIFT {
            // Sinkhorn's own iteration where few more of them are enough.
            let needed = (tol / at.error).ln() / f64::ln(rate);
            let before = at.error;
            if !(needed <= 12.0 || rate == 0.0) {
                at = run.newton(at);
            }
            at = run.sinkhorn(&at);
            rate = (at.error / before).clamp(1e-3, 0.999);
        }
        at.absorb(run.p);
        if at.error <= tol || run.p.passes >= most || (at.drift() < 1e-12 && at.error >= last) {
            return at.error;
        }
        last = at.error;
    }
}

impl Point {
    fn drift(&self) -> f64 {
        self.u.iter().chain(&self.v).map(|s| s.ln().abs()).fold(0.0, f64::max)
    }

    /// Moves the scalings into the potentials.
    fn absorb<C: ?Sized>(&self, p: &mut Problem<'_, C>) {
        let eps = p.eps;
        p.f.iter_mut().zip(&self.u).for_each(|(f, u)| *f += eps * u.ln());
        p.g.iter_mut().zip(&self.v).for_each(|(g, v)| *g += eps * v.ln());
    }
}

struct Run<'r, 'p, C: ?Sized, T> {
    p: &'r mut Problem<'p, C>,
    store: Store<T>,
}

impl<T: Real, C: Cost + ?Sized> Run<'_, '_, C, T> {
    /// The rows' scalings that go with `v`, and what follows.
    fn point(&mut self, v: Vec<f64>) -> Point {
        self.p.passes += 1;
        let (a, b) = (self.p.a, self.p.b);
        let x: Vec<f64> = b.iter().zip(&v).map(|(b, v)| b * v).collect();
        // A row that the kernel does not reach keeps its scaling; the next kernel will hold it.
        let inverse = |s: f64| if s > 1e-300 { 1.0 / s } else { 1.0 };
        let (u, sums) = self.store.there_and_back(self.p, &x, |i, s| a[i] * inverse(s));
        // Weights may be zero, so that u is not what comes back divided by a.
        let u: Vec<f64> = u.iter().zip(a).map(|(w, a)| if *a > 0.0 { w / a } else { 1.0 }).collect();
        let q: Vec<f64> = x.iter().zip(&sums).map(|(x, s)| x * s).collect();
        let error = b.iter().zip(&q).map(|(b, q)| (b - q).abs()).sum();
        let log = |w: &[f64], s: &[f64]| w.iter().zip(s).map(|(w, s)| w * s.ln()).sum::<f64>();
        let dual = log(a, &u) + log(b, &v);
        Point { v, u, q, dual, error }
    }

    fn sinkhorn(&mut self, at: &Point) -> Point {
        // Beyond the clamp the stored kernel no longer tells the truth; a column without weight stays.
        let scale = |((v, b), q): ((&f64, &f64), &f64)| match *q > 1e-300 {
            true => v * (b / q).clamp(1e-4, 1e4),
            false => *v,
        };
        let v = at.v.iter().zip(self.p.b).zip(&at.q).map(scale).collect();
        self.point(v)
    }

    /// One Newton step, halved until the dual grows as it should.
    fn newton(&mut self, at: Point) -> Point {
        let (step, slope) = self.direction(&at);
        let largest = step.iter().map(|s| s.abs()).fold(0.0, f64::max);
        let mut length = if largest > DRIFT { DRIFT / largest } else { 1.0 };
        while length > 1e-3 {
            let v = at.v.iter().zip(&step).map(|(v, s)| v * (length * s).exp()).collect();
            let new = self.point(v);
            // Near the optimum the dual no longer moves in its last digit, but the error does.
            if new.dual >= at.dual + 1e-4 * length * slope || new.error < 0.5 * at.error {
                return new;
            }
            length *= 0.5;
        }
        at
    }

    /// Solves `(diag(q) - Pᵀ diag(1/a) P) s = b - q`; returns s and its slope `⟨b - q, s⟩`.
    fn direction(&mut self, at: &Point) -> (Vec<f64>, f64) {
        let m = at.q.len();
        let gradient: Vec<f64> = self.p.b.iter().zip(&at.q).map(|(b, q)| b - q).collect();
        let inverse: Vec<f64> = at.q.iter().map(|q| if *q > 1e-300 { 1.0 / q } else { 0.0 }).collect();
        let (mut s, mut r) = (vec![0.0; m], gradient.clone());
        let mut z: Vec<f64> = r.iter().zip(&inverse).map(|(r, i)| r * i).collect();
        let mut d = z.clone();
        let mut rz = dot(&r, &z);
        let enough = rz * (0.3 * at.error.sqrt()).clamp(1e-3, 0.1).powi(2);
        for _ in 0..STEPS {
            let h = self.hessian(at, &d);
            let curvature = dot(&d, &h);
            if !(rz > enough && curvature > 0.0) {
                break;
            }
            let alpha = rz / curvature;
            for j in 0..m {
                s[j] += alpha * d[j];
                r[j] -= alpha * h[j];
                z[j] = r[j] * inverse[j];
            }
            // A far way: the quadratic model says nothing there, so its minimum is not worth finding.
            if s.iter().fold(0.0_f64, |t, s| t.max(s.abs())) > 2.0 * DRIFT {
                break;
            }
            let new = dot(&r, &z);
            let beta = new / rz;
            rz = new;
            d.iter_mut().zip(&z).for_each(|(d, z)| *d = z + beta * *d);
        }
        let slope = dot(&gradient, &s);
        (s, slope)
    }

    fn hessian(&mut self, at: &Point, d: &[f64]) -> Vec<f64> {
        self.p.passes += 1;
        let (a, b) = (self.p.a, self.p.b);
        let x: Vec<f64> = (0..d.len()).map(|j| b[j] * at.v[j] * d[j]).collect();
        let (_, back) = self.store.there_and_back(self.p, &x, |i, s| a[i] * at.u[i] * at.u[i] * s);
        (0..d.len()).map(|j| at.q[j] * d[j] - b[j] * at.v[j] * back[j]).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
