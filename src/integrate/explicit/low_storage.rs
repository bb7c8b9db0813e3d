//! Low-storage methods: a step in two arrays, whatever the number of stages.

use super::tableau::{Interpolant, Tableau};

/// An explicit Runge–Kutta method in Williamson's 2N form: `y` and one register `w` are all it stores.
///
/// ```text
/// w = 0;  for i in 0..S:   w ← aᵢ w + h f(t + cᵢ h, y),   y ← y + bᵢ w
/// ```
///
/// References: J. H. Williamson, J. Comput. Phys. 35 (1980) 48–56; Carpenter, Kennedy, NASA TM 109112 (1994).
#[derive(Debug, Clone, Copy)]
pub struct LowStorage<const S: usize> {
    /// The method's name.
    pub name: &'static str,
    /// Order of the solution.
    pub order: u32,
    /// What is left of the register from the stage before; `a[0]` is 0.
    pub a: [f64; S],
    /// How much of the register enters the solution.
    pub b: [f64; S],
    /// Stage times.
    pub c: [f64; S],
}

impl<const S: usize> LowStorage<S> {
    /// The same method as an ordinary tableau, with cubic Hermite values inside a step.
    pub const fn tableau(&self) -> Tableau<S> {
        let mut a = [[0.0; S]; S];
        let mut y = [0.0; S];
        let mut w = [0.0; S];
        let mut i = 0;
        while i < S {
            a[i] = y;
            let mut j = 0;
            while j < i {
                w[j] *= self.a[i];
                j += 1;
            }
            w[i] = 1.0;
            let mut j = 0;
            while j <= i {
                y[j] += self.b[i] * w[j];
                j += 1;
            }
            i += 1;
        }
        Tableau {
            name: self.name,
            order: self.order,
            embedded_order: 0,
            a,
            b: y,
            c: self.c,
            e: None,
            e3: None,
            fsal: false,
            interpolant: Interpolant::Hermite,
        }
    }
}
