//! A network's parameters alone.

use std::path::Path;

use ndarray::{Array1, ArrayRef1};

use super::file::Content;
use crate::nn::Network;
use crate::{Error, Real, Result};

/// Writes parameters under the network's own names.
///
/// # Errors
/// [`Error::Shape`], [`Error::Layout`], [`Error::Io`].
///
/// ```
/// use flowfield::checkpoint::{load_weights, save_weights};
/// use flowfield::nn::{Mlp, Network};
/// let net = Mlp::velocity(2, &[8]);
/// let theta = Network::<f32>::init(&net, 0);
/// let file = std::env::temp_dir().join("flowfield_doc_weights.safetensors");
/// save_weights(&net, &theta, &file)?;
/// assert_eq!(load_weights::<f32, _>(&net, &file)?, theta);
/// assert!(load_weights::<f32, _>(&Mlp::velocity(2, &[9]), &file).is_err());
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn save_weights<F: Real, N: Network<F>>(
    net: &N,
    theta: &ArrayRef1<F>,
    path: impl AsRef<Path>,
) -> Result<()> {
    Error::shape("theta", &[net.n_params()], theta.shape())?;
    let Some(numbers) = theta.as_slice() else {
        return Err(Error::Layout { shape: theta.shape().to_vec() });
    };
    let mut content = Content::default();
    content.put("", &net.layout(), numbers);
    content.values.insert("network".into(), net.describe());
    content.write(path.as_ref())
}

/// Reads the parameters from such a file, or from the checkpoint of a training.
///
/// # Errors
/// [`Error::Io`]; [`Error::Checkpoint`] for a file that is damaged or no safetensors file;
/// [`Error::CheckpointMismatch`] for that of another network or number type.
pub fn load_weights<F: Real, N: Network<F>>(net: &N, path: impl AsRef<Path>) -> Result<Array1<F>> {
    load(net, path.as_ref(), "")
}

/// Reads the running average of the parameters from the checkpoint of a training with an
/// [`Ema`](crate::integrate::Ema).
///
/// # Errors
/// Those of [`load_weights`].
pub fn load_average<F: Real, N: Network<F>>(net: &N, path: impl AsRef<Path>) -> Result<Array1<F>> {
    load(net, path.as_ref(), "average.")
}

fn load<F: Real, N: Network<F>>(net: &N, path: &Path, prefix: &str) -> Result<Array1<F>> {
    let content = Content::read(path)?;
    let mut theta = vec![F::zero(); net.n_params()];
    content.get(path, prefix, &net.layout(), &mut theta)?;
    Ok(Array1::from_vec(theta))
}
