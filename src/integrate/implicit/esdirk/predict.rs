//! First guesses of the stages' slopes.

/// Weights of known slopes that extrapolate to stage `i`, by the polynomial through three of them. A guess is only as good
/// as its nodes are near, and a noisy one where they are close together: of all triples of small weights, the nearest.
pub(super) fn nearest<const N: usize>(c: &[f64; N], i: usize) -> [f64; N] {
    let mut best = (f64::INFINITY, [0.0; N]);
    if i > 0 {
        best.1[i - 1] = 1.0;
    }
    if let Some(same) = (0..i).rev().find(|&j| c[j] == c[i]) {
        best.1 = [0.0; N];
        best.1[same] = 1.0;
        return best.1;
    }
    for p in 0..i {
        for q in 0..p {
            for r in 0..q {
                let nodes = [c[r], c[q], c[p]];
                let weights = lagrange(&nodes, c[i]);
                let distance: f64 = nodes.iter().map(|node| (c[i] - node).abs()).product();
                if size(&weights) <= LARGEST && distance < best.0 {
                    let mut row = [0.0; N];
                    (row[r], row[q], row[p]) = (weights[0], weights[1], weights[2]);
                    best = (distance, row);
                }
            }
        }
    }
    best.1
}

/// Weights of the slopes at the last step's start (`-ratio`), at this one's and, once there, at the second stage.
pub(super) fn with_history(ratio: f64, second: Option<f64>, at: f64) -> Option<[f64; 3]> {
    let weights = match second {
        None => {
            let [old, first] = lagrange(&[-ratio, 0.0], at);
            [old, first, 0.0]
        }
        Some(second) => lagrange(&[-ratio, 0.0, second], at),
    };
    (size(&weights) <= LARGEST).then_some(weights)
}

/// What a guess may multiply the errors of its slopes by.
const LARGEST: f64 = 10.0;

fn size(weights: &[f64]) -> f64 {
    let sum: f64 = weights.iter().map(|w| w.abs()).sum();
    if sum.is_nan() { f64::INFINITY } else { sum }
}

/// Weights of values at `nodes` for the value of their polynomial at `at`.
fn lagrange<const K: usize>(nodes: &[f64; K], at: f64) -> [f64; K] {
    std::array::from_fn(|k| {
        let others = nodes.iter().enumerate().filter(|(j, _)| *j != k);
        others.map(|(_, x)| (at - x) / (nodes[k] - x)).product()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_exact_for_slopes_that_are_quadratic_in_time() {
        let f = |t: f64| 1.0 - 2.0 * t + 3.0 * t * t;
        let c = [0.0, 0.5, 0.332, 0.62, 0.85, 1.0];
        for i in 3..6 {
            let guess: f64 = nearest(&c, i).iter().zip(&c).map(|(w, &c)| w * f(c)).sum();
            assert!((guess - f(c[i])).abs() < 1e-12, "stage {i}: {guess}");
        }
        let w = with_history(0.7, Some(0.5), 0.332).unwrap();
        assert!((w[0] * f(-0.7) + w[1] * f(0.0) + w[2] * f(0.5) - f(0.332)).abs() < 1e-12);
        let w = with_history(0.7, None, 0.5).unwrap();
        assert!((w[0] * -0.7 + w[2] - 0.5).abs() < 1e-12 && (w[0] + w[1] - 1.0).abs() < 1e-12);
        assert!(with_history(0.01, None, 0.5).is_none());
        assert_eq!(nearest(&[0.0, 0.4, 1.0, 1.0], 3), [0.0, 0.0, 1.0, 0.0]);
    }
}
