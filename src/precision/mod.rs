//! Which numbers a flow is computed in: a [`Format`] for the field, one for the state, and the scale of a loss.
//!
//! With a field rounded to unit round-off u_f and a state rounded to u_s, an integrator of order p with step h ends with an error
//! `C h^p + C₁ u_f + C₂ u_s / h`: a low-precision field sets a floor, a low-precision state makes small steps worse. Hence the usual
//! recipe: parameters and sums in `f32`, products in bf16 or f16 ([`Mlp::compute`](crate::nn::Mlp::compute)), and for f16 a [`LossScaler`].
//!
//! May import: `scalar`, `state`, `field`, `error`, `rng`, `integrate`; its network wrapper `nn`.

mod format;
mod loss_scale;
mod low_precision;
mod rounded;

pub use format::Format;
pub use loss_scale::{Guarded, LossScale, LossScaler, ScaledLoss};
pub use low_precision::{LowPrecision, Rounding};
pub use rounded::Rounded;
