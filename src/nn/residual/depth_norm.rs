//! Constants that let a network be deep.

/// The optimiser that a network is initialised for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Optimiser {
    /// Gradient descent, with or without momentum.
    Sgd,
    /// Adam.
    Adam,
    /// LAMB.
    Lamb,
}

/// The constants of DeepNorm: `n(α h + f(h))`, with the branches' initial weights scaled by β.
///
/// Wang, Ma, Dong, Huang, Zhang, Wei, *DeepNet: scaling transformers to 1,000 layers*, 2022, figure 2. A layer of theirs has two
/// sublayers (attention and feed-forward); a [`Residual`](super::Residual) network of S blocks counts as S/2 layers.
///
/// ```
/// use flowfield::nn::DeepNorm;
/// let d = DeepNorm::encoder_only(6);
/// assert!((d.alpha - 1.861).abs() < 1e-3 && (d.beta - 0.380).abs() < 1e-3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeepNorm {
    /// Factor of the stream.
    pub alpha: f64,
    /// Gain of the branches' weights.
    pub beta: f64,
}

impl DeepNorm {
    /// α = (2 N)^¼, β = (8 N)^-¼.
    pub fn encoder_only(layers: usize) -> Self {
        let n = layers as f64;
        DeepNorm { alpha: (2.0 * n).powf(0.25), beta: (8.0 * n).powf(-0.25) }
    }

    /// The same as [`encoder_only`](Self::encoder_only).
    pub fn decoder_only(layers: usize) -> Self {
        Self::encoder_only(layers)
    }

    /// For an encoder of N and a decoder of M layers: α = 0.81 (N⁴ M)^(1/16), β = 0.87 (N⁴ M)^(-1/16), and
    /// α = (3 M)^¼, β = (12 M)^-¼.
    pub fn encoder_decoder(encoder: usize, decoder: usize) -> (Self, Self) {
        let (n, m) = (encoder as f64, decoder as f64);
        let mixed = (n.powi(4) * m).powf(1.0 / 16.0);
        let first = DeepNorm { alpha: 0.81 * mixed, beta: 0.87 / mixed };
        (first, DeepNorm { alpha: (3.0 * m).powf(0.25), beta: (12.0 * m).powf(-0.25) })
    }

    /// From the size of an update by the optimiser, for N layers of two sublayers: (2N)^¼ and its inverse for gradient descent,
    /// (2N)^½ and its inverse for Adam, 1 and (2N)^-½ for LAMB. (For gradient descent the squared gradient is twice DeepNorm's.)
    pub fn for_optimiser(layers: usize, optimiser: Optimiser) -> Self {
        let n = 2.0 * layers as f64;
        let (alpha, beta) = match optimiser {
            Optimiser::Sgd => (0.25, -0.25),
            Optimiser::Adam => (0.5, -0.5),
            Optimiser::Lamb => (0.0, -0.5),
        };
        DeepNorm { alpha: n.powf(alpha), beta: n.powf(beta) }
    }
}

/// Admin's ω, the factor of the stream in `n(ω h + f(h))`, in closed form for a change of the output that grows as the logarithm
/// of the number of sublayers: √((n + 1)/ln(n + 1) - 1). Liu et al., *Understanding the difficulty of training transformers*, EMNLP 2020.
pub fn admin_omega(sublayers: usize) -> f64 {
    let n = sublayers as f64 + 1.0;
    (n / n.ln() - 1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_paper() {
        let table = [
            (6, 1.861, 0.380),
            (12, 2.213, 0.320),
            (24, 2.632, 0.269),
            (100, 3.761, 0.188),
            (200, 4.472, 0.158),
            (1000, 6.687, 0.106),
        ];
        for (n, alpha, beta) in table {
            let d = DeepNorm::encoder_only(n);
            assert!((d.alpha - alpha).abs() < 6e-4 && (d.beta - beta).abs() < 6e-4, "{n}");
            assert!((d.beta / d.alpha - (4.0 * n as f64).powf(-0.5)).abs() < 1e-12);
        }
        let (encoder, decoder) = DeepNorm::encoder_decoder(6, 6);
        assert!((encoder.alpha - 0.81 * 6f64.powf(5.0 / 16.0)).abs() < 1e-12);
        assert!((decoder.beta - 72f64.powf(-0.25)).abs() < 1e-12);
    }
}
