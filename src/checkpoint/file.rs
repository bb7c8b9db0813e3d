//! The file: named tensors and lines of text, written whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::nn::Parameter;
use crate::{Error, Real, Result};

/// The key of our lines in the file's metadata.
const KEY: &str = "flowfield";

/// Named tensors and values.
#[derive(Debug, Default)]
pub(super) struct Content {
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
    pub values: BTreeMap<String, String>,
}

fn dtype<F: Real>() -> Dtype {
    if F::EPS.f64() < 1e-10 { Dtype::F64 } else { Dtype::F32 }
}

impl Content {
    /// Adds a parameter vector, a tensor for each of its parts.
    pub fn put<F: Real>(&mut self, prefix: &str, layout: &[Parameter], theta: &[F]) {
        for part in layout {
            let len = part.shape.iter().product::<usize>();
            let numbers = &theta[part.offset..part.offset + len];
            let bytes = match dtype::<F>() {
                Dtype::F64 => numbers.iter().flat_map(|v| v.f64().to_le_bytes()).collect(),
                _ => numbers.iter().flat_map(|v| (v.f64() as f32).to_le_bytes()).collect(),
            };
            self.tensors.insert(format!("{prefix}{}", part.name), (dtype::<F>(), part.shape.clone(), bytes));
        }
    }

    /// Reads a parameter vector back.
    pub fn get<F: Real>(
        &self,
        path: &Path,
        prefix: &str,
        layout: &[Parameter],
        theta: &mut [F],
    ) -> Result<()> {
        for part in layout {
            let name = format!("{prefix}{}", part.name);
            let expected = format!("a tensor of shape {:?} of {:?}", part.shape, dtype::<F>());
            let mismatch = |found: String| Error::CheckpointMismatch {
                path: path.display().to_string(),
                name: name.clone(),
                expected: expected.clone(),
                found,
            };
            let (kind, shape, bytes) = self.tensors.get(&name).ok_or_else(|| mismatch("missing".into()))?;
            if *kind != dtype::<F>() || *shape != part.shape {
                return Err(mismatch(format!("a tensor of shape {shape:?} of {kind:?}")));
            }
            for (to, v) in theta[part.offset..].iter_mut().zip(numbers::<F>(bytes)) {
                *to = v;
            }
        }
        Ok(())
    }

    /// A value, parsed.
    pub fn value<T: std::str::FromStr>(&self, path: &Path, name: &str) -> Result<T> {
        let found = self.values.get(name);
        found.and_then(|v| v.parse().ok()).ok_or_else(|| Error::CheckpointMismatch {
            path: path.display().to_string(),
            name: name.into(),
            expected: "a number".into(),
            found: found.cloned().unwrap_or_else(|| "missing".into()),
        })
    }

    /// Writes to a file beside `path` and puts it in place, so that an interrupted run leaves the old one.
    pub fn write(&self, path: &Path) -> Result<()> {
        let lines: Vec<String> = self.values.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        let metadata = [(KEY.to_string(), lines.join("\n"))].into_iter().collect();
        let broken = |e: safetensors::SafeTensorError| Error::io(path, &e);
        let views: Vec<(&String, TensorView<'_>)> = self
            .tensors
            .iter()
            .map(|(name, (kind, shape, bytes))| Ok((name, TensorView::new(*kind, shape.clone(), bytes)?)))
            .collect::<std::result::Result<_, _>>()
            .map_err(broken)?;
        let bytes = serialize(views, Some(metadata)).map_err(broken)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        std::fs::write(&beside, bytes)
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(|e| Error::io(path, &e))
    }

    pub fn read(path: &Path) -> Result<Content> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
        let bad = |reason: String| Error::Checkpoint { path: path.display().to_string(), reason };
        let file = SafeTensors::deserialize(&bytes).map_err(|e| bad(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
        let lines = header.metadata().as_ref().and_then(|m| m.get(KEY)).cloned().unwrap_or_default();
        let values = lines.lines().filter_map(|l| l.split_once(" = ")).map(|(k, v)| (k.into(), v.into()));
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())));
        Ok(Content { tensors: tensors.collect(), values: values.collect() })
    }
}

fn numbers<F: Real>(bytes: &[u8]) -> impl Iterator<Item = F> {
    let wide = dtype::<F>() == Dtype::F64;
    bytes.chunks_exact(if wide { 8 } else { 4 }).map(move |b| {
        if let Ok(b) = <[u8; 8]>::try_from(b) {
            return F::of(f64::from_le_bytes(b));
        }
        <[u8; 4]>::try_from(b).map_or(F::nan(), |b| F::of(f64::from(f32::from_le_bytes(b))))
    })
}
