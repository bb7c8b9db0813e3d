//! A training in the middle: parameters, what the integrator and the field remember, and the clock.

use std::path::Path;

use ndarray::Array1;

use super::file::Content;
use crate::integrate::Integrator;
use crate::memory::Remembered;
use crate::nn::Network;
use crate::{Error, Flow, Real, Result, VectorField};

/// Version of the layout of our lines.
const FORMAT: u32 = 1;

impl<F: Real, V: VectorField<Array1<F>>, I: Integrator<Array1<F>>> Flow<'_, V, I, Array1<F>> {
    /// Writes a training to a file: the parameters, moments and averages under the network's names, and the counts of
    /// steps and draws. A flow built alike, with the same data, goes on from it bit by bit after
    /// [`resume`](Self::resume). The file is replaced in one piece.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before the first step and for an integrator whose memory cannot be kept,
    /// [`Error::Shape`], [`Error::Io`].
    ///
    /// ```
    /// use flowfield::{Flow, dataset::moons, integrate::{Adam, Ema}, matching::Matching, nn::{Mlp, Network}};
    /// let data = moons::<f32>(500, 0.05, 0);
    /// let net = Mlp::velocity(2, &[16]);
    /// let file = std::env::temp_dir().join("flowfield_doc_training.safetensors");
    /// let training = || Flow::new(Matching::new(&net, &data, 64), Ema::new(Adam::default(), 0.99));
    /// let (mut theta, mut first) = (net.init(0), training());
    /// first.steps(20, 1e-3, &mut theta)?;
    /// first.save(&net, &theta, &file)?;
    /// first.steps(20, 1e-3, &mut theta)?;
    /// let mut second = training();                                   // later, in another process
    /// let mut again = second.resume(&net, &file)?;
    /// second.steps(20, 1e-3, &mut again)?;
    /// assert_eq!(again, theta);
    /// # Ok::<(), flowfield::Error>(())
    /// ```
    pub fn save<N: Network<F>>(&mut self, net: &N, theta: &Array1<F>, path: impl AsRef<Path>) -> Result<()> {
        Error::shape("theta", &[net.n_params()], theta.shape())?;
        let layout = net.layout();
        let mut content = Content::default();
        content.put("", &layout, &theta.to_vec());
        let (t, steps) = self.clock();
        let about = [
            ("format", FORMAT.to_string()),
            ("network", net.describe()),
            ("integrator", self.integrator().name().into()),
            ("steps", steps.to_string()),
            ("t", t.to_bits().to_string()),
        ];
        content.values.extend(about.map(|(k, v)| (k.to_string(), v)));
        let (field, integrator) = self.parts_mut();
        let method = integrator.name();
        let remembered = integrator.memory().ok_or(Error::Unsupported {
            what: "a checkpoint",
            with: method,
            instead: "take at least one step first; the optimisers (Adam, Momentum, RmsProp, AutoStep, Ema ..) can be kept",
        })?;
        let field = field.memory().into_iter().map(|(name, value)| (format!("field.{name}"), value));
        for (name, value) in remembered.into_iter().map(|(n, v)| (n.to_string(), v)).chain(field) {
            match value {
                Remembered::State(s) => content.put(&format!("{name}."), &layout, &s.to_vec()),
                Remembered::Count(n) => drop(content.values.insert(name, n.to_string())),
                Remembered::Number(v) => drop(content.values.insert(name, v.to_bits().to_string())),
            }
        }
        content.write(path.as_ref())
    }

    /// Takes a training up where [`save`](Self::save) left it: returns the parameters, and gives this flow's integrator,
    /// field and clock what they remembered. The flow must be built like the one that was saved.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Checkpoint`] for a damaged file; [`Error::CheckpointMismatch`] for that of another
    /// network, integrator or number type.
    pub fn resume<N: Network<F>>(&mut self, net: &N, path: impl AsRef<Path>) -> Result<Array1<F>> {
        let path = path.as_ref();
        let content = Content::read(path)?;
        self.check_kind(&content, path)?;
        let layout = net.layout();
        let read = |prefix: &str| -> Result<Array1<F>> {
            let mut numbers = vec![F::zero(); net.n_params()];
            content.get(path, prefix, &layout, &mut numbers)?;
            Ok(Array1::from_vec(numbers))
        };
        let theta = read("")?;
        let (t, steps) = (f64::from_bits(content.value(path, "t")?), content.value(path, "steps")?);
        self.revive(t, steps, &theta)?;
        let (field, integrator) = self.parts_mut();
        let remembered = integrator.memory().unwrap_or_default();
        let field = field.memory().into_iter().map(|(name, value)| (format!("field.{name}"), value));
        for (name, value) in remembered.into_iter().map(|(n, v)| (n.to_string(), v)).chain(field) {
            match value {
                Remembered::State(s) => *s = read(&format!("{name}."))?,
                Remembered::Count(n) => *n = content.value(path, &name)?,
                Remembered::Number(v) => *v = f64::from_bits(content.value(path, &name)?),
            }
        }
        Ok(theta)
    }

    fn check_kind(&self, content: &Content, path: &Path) -> Result<()> {
        let want = [("format", FORMAT.to_string()), ("integrator", self.integrator().name().into())];
        for (name, expected) in want {
            let found = content.values.get(name).cloned().unwrap_or_else(|| "missing".into());
            if found != expected {
                let (path, name) = (path.display().to_string(), name.to_string());
                return Err(Error::CheckpointMismatch { path, name, expected, found });
            }
        }
        Ok(())
    }
}
