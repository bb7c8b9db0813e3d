//! Eigenvalues of a small upper Hessenberg matrix.

use num_complex::Complex64;

/// QR steps for one eigenvalue; a handful is usual.
const STEPS: usize = 60;

/// Eigenvalues of the upper Hessenberg matrix `h` (rows of equal length), by QR steps with Wilkinson's shift in complex arithmetic;
/// `None` if they do not converge. Golub and Van Loan, *Matrix Computations*, 4th edition, section 7.5.
pub(crate) fn hessenberg_eigenvalues(h: &[Vec<f64>]) -> Option<Vec<Complex64>> {
    let mut h: Vec<Vec<Complex64>> =
        h.iter().map(|row| row.iter().map(|&v| Complex64::new(v, 0.0)).collect()).collect();
    let mut end = h.len();
    let mut steps = 0;
    while end > 1 {
        let start = block_start(&mut h, end);
        if start + 1 == end {
            (end, steps) = (end - 1, 0);
            continue;
        }
        if steps == STEPS {
            return None;
        }
        // Every tenth step with another shift: Wilkinson's may run in circles.
        let shift = if steps % 10 == 9 {
            h[end - 1][end - 1] + h[end - 1][end - 2].norm()
        } else {
            wilkinson(&h, end)
        };
        qr_step(&mut h, start, end, shift);
        steps += 1;
    }
    Some((0..h.len()).map(|i| h[i][i]).collect())
}

/// Start of the last block that does not fall apart, with what is negligible below the diagonal made zero.
fn block_start(h: &mut [Vec<Complex64>], end: usize) -> usize {
    let mut start = end - 1;
    while start > 0 {
        let size = h[start][start].norm() + h[start - 1][start - 1].norm();
        let below = h[start][start - 1].norm();
        if below <= f64::EPSILON * size || below < f64::MIN_POSITIVE {
            h[start][start - 1] = Complex64::ZERO;
            break;
        }
        start -= 1;
    }
    start
}

/// The eigenvalue of the last 2 × 2 block that is nearer to its last entry.
fn wilkinson(h: &[Vec<Complex64>], end: usize) -> Complex64 {
    let (a, b) = (h[end - 2][end - 2], h[end - 2][end - 1]);
    let (c, d) = (h[end - 1][end - 2], h[end - 1][end - 1]);
    let half = 0.5 * (a - d);
    let root = (half * half + b * c).sqrt();
    let far = if (half + root).norm() > (half - root).norm() { half + root } else { half - root };
    // The two distances from d have the product -b c.
    if far == Complex64::ZERO { d } else { d - b * c / far }
}

/// One shifted QR step on the block: H - μ = Q R, H ← R Q + μ, by rotations of neighbouring rows and columns.
fn qr_step(h: &mut [Vec<Complex64>], start: usize, end: usize, shift: Complex64) {
    (start..end).for_each(|i| h[i][i] -= shift);
    let mut rotations = Vec::with_capacity(end - start);
    for k in start..end - 1 {
        let (x, y) = (h[k][k], h[k + 1][k]);
        let norm = x.norm().hypot(y.norm());
        let (c, s) = if norm == 0.0 { (Complex64::ONE, Complex64::ZERO) } else { (x / norm, y / norm) };
        let (above, below) = h.split_at_mut(k + 1);
        for (u, v) in above[k][k..end].iter_mut().zip(&mut below[0][k..end]) {
            (*u, *v) = (c.conj() * *u + s.conj() * *v, c * *v - s * *u);
        }
        rotations.push((c, s));
    }
    for (k, (c, s)) in (start..).zip(rotations) {
        for row in &mut h[start..(k + 2).min(end)] {
            let (u, v) = (row[k], row[k + 1]);
            row[k] = u * c + v * s;
            row[k + 1] = v * c.conj() - u * s.conj();
        }
    }
    (start..end).for_each(|i| h[i][i] += shift);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut values: Vec<Complex64>) -> Vec<Complex64> {
        values.sort_by(|a, b| a.re.total_cmp(&b.re).then(a.im.total_cmp(&b.im)));
        values
    }

    #[test]
    fn a_companion_matrix_has_the_roots_of_its_polynomial() {
        // (x - 1)(x - 2)(x² + 4)(x + 3) = x⁵ - 3x³ + 6x² - 28x + 24.
        let last = [0.0, 3.0, -6.0, 28.0, -24.0];
        let h: Vec<Vec<f64>> = (0..5)
            .map(|i| (0..5).map(|j| if i == 0 { last[j] } else { f64::from(u8::from(i == j + 1)) }).collect())
            .collect();
        let got = sorted(hessenberg_eigenvalues(&h).unwrap());
        let want = [(-3.0, 0.0), (0.0, -2.0), (0.0, 2.0), (1.0, 0.0), (2.0, 0.0)];
        for (got, want) in got.iter().zip(want) {
            assert!((got - Complex64::new(want.0, want.1)).norm() < 1e-12, "{got} {want:?}");
        }
    }

    #[test]
    fn rotations_and_triangles() {
        let turn = [vec![0.0, -1.0], vec![1.0, 0.0]];
        assert!(hessenberg_eigenvalues(&turn).unwrap().iter().all(|l| (l.im.abs() - 1.0).abs() < 1e-15));
        let triangle = [vec![2.0, 5.0, 1.0], vec![0.0, -1.0, 3.0], vec![0.0, 0.0, 4.0]];
        let got = sorted(hessenberg_eigenvalues(&triangle).unwrap());
        assert!(got.iter().zip([-1.0, 2.0, 4.0]).all(|(g, w)| (g.re - w).abs() < 1e-14));
        assert!(hessenberg_eigenvalues(&[vec![7.0]]).unwrap() == [Complex64::new(7.0, 0.0)]);
        assert!(hessenberg_eigenvalues(&[]).unwrap().is_empty());
    }

    #[test]
    fn the_trace_and_the_trace_of_the_square_are_kept() {
        let n = 12;
        let entry =
            |i: usize, j: usize| if i <= j + 1 { ((i * 7 + j * 13) as f64 * 0.37).sin() } else { 0.0 };
        let h: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect();
        let l = hessenberg_eigenvalues(&h).unwrap();
        let trace: f64 = (0..n).map(|i| h[i][i]).sum();
        let square: f64 =
            (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| h[i][j] * h[j][i]).sum();
        assert!((l.iter().sum::<Complex64>() - trace).norm() < 1e-11);
        assert!((l.iter().map(|l| l * l).sum::<Complex64>() - square).norm() < 1e-10);
    }
}
