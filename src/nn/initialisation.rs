//! Initial weights.

use super::Activation;
use crate::Real;
use crate::rng::Rng;

/// The distribution that initial weights are drawn from; biases start at zero.
///
/// With n inputs and m outputs of a layer:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Init {
    /// By the activation: LeCun for SELU, Xavier for tanh, softplus and identity, He otherwise.
    #[default]
    Auto,
    /// Uniform on ±√(6 / (n + m)) (Glorot and Bengio 2010).
    Xavier,
    /// Normal with variance 2 / n (He et al. 2015).
    He,
    /// Normal with variance 1 / n (LeCun et al. 1998).
    Lecun,
}

impl Init {
    /// What `Auto` means for a layer followed by `activation`.
    fn resolve(self, activation: Activation) -> Init {
        match (self, activation) {
            (Init::Auto, Activation::Selu) => Init::Lecun,
            (Init::Auto, Activation::Tanh | Activation::Softplus | Activation::Identity) => Init::Xavier,
            (Init::Auto, _) => Init::He,
            (chosen, _) => chosen,
        }
    }

    /// Draws an `inputs × outputs` matrix followed by `activation`.
    pub(crate) fn fill<F: Real>(
        self,
        activation: Activation,
        inputs: usize,
        outputs: usize,
        rng: &mut Rng,
        w: &mut [F],
    ) {
        let (n, m) = (inputs as f64, outputs as f64);
        match self.resolve(activation) {
            Init::Xavier => {
                let bound = F::of((6.0 / (n + m)).sqrt());
                w.iter_mut().for_each(|w| *w = bound * (F::of(2.0) * rng.uniform::<F>() - F::one()));
            }
            Init::Lecun => normal(w, (1.0 / n).sqrt(), rng),
            Init::He | Init::Auto => normal(w, (2.0 / n).sqrt(), rng),
        }
    }
}

fn normal<F: Real>(w: &mut [F], deviation: f64, rng: &mut Rng) {
    rng.fill_normal(w);
    w.iter_mut().for_each(|w| *w *= F::of(deviation));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_are_those_of_the_papers() {
        let (n, m) = (200, 100);
        for (init, variance) in
            [(Init::Xavier, 2.0 / 300.0), (Init::He, 2.0 / 200.0), (Init::Lecun, 1.0 / 200.0)]
        {
            let mut w = vec![0.0_f64; n * m];
            init.fill(Activation::Silu, n, m, &mut Rng::new(1, 0), &mut w);
            let found = w.iter().map(|w| w * w).sum::<f64>() / w.len() as f64;
            assert!((found / variance - 1.0).abs() < 0.05, "{init:?}: {found} against {variance}");
        }
        assert_eq!(Init::Auto.resolve(Activation::Selu), Init::Lecun);
        assert_eq!(Init::Auto.resolve(Activation::Gelu), Init::He);
        assert_eq!(Init::He.resolve(Activation::Selu), Init::He);
    }
}
