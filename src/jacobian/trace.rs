//! The zeros of a Jacobian, found by following which results depend on which numbers.

use std::cell::RefCell;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::{Formula, Number, Pattern};

/// The pattern of `∂f/∂y` by one evaluation, whatever the values: a formula has no branches that depend on them.
pub(super) fn trace<V: Formula>(formula: &V, n: usize, parameters: usize) -> Pattern {
    JOINS.with_borrow_mut(|joins| {
        joins.clear();
        // Names 1 to n are the components of y.
        joins.resize(n + 1, [0, 0]);
    });
    let y: Vec<Traced> = (1..=n as u32).map(Traced).collect();
    let mut dy = vec![Traced(0); n];
    formula.eval(Traced(0), &y, &vec![Traced(0); parameters], &mut dy);
    let mut columns = vec![Vec::new(); n];
    JOINS.with_borrow(|joins| {
        let (mut seen, mut open) = (vec![usize::MAX; joins.len()], Vec::new());
        for (i, dy) in dy.iter().enumerate() {
            open.push(dy.0);
            while let Some(name) = open.pop() {
                let name = name as usize;
                if name == 0 || std::mem::replace(&mut seen[name], i) == i {
                    continue;
                }
                if name <= n { columns[name - 1].push(i as u32) } else { open.extend(joins[name]) }
            }
        }
    });
    JOINS.take();
    Pattern::of_columns(&columns)
}

thread_local! {
    /// Which two names were joined to make a name.
    static JOINS: RefCell<Vec<[u32; 2]>> = const { RefCell::new(Vec::new()) };
}

/// The name of a set of components of `y`: those that a number depends on. 0 is the empty set.
#[derive(Debug, Clone, Copy)]
struct Traced(u32);

impl Traced {
    fn join(self, other: Self) -> Self {
        match (self.0, other.0) {
            (a, b) if a == b || b == 0 => self,
            (0, _) => other,
            (a, b) => JOINS.with_borrow_mut(|joins| {
                joins.push([a, b]);
                Traced(joins.len() as u32 - 1)
            }),
        }
    }
}

macro_rules! joined {
    ($($trait:ident $method:ident, $assign_trait:ident $assign:ident;)*) => { $(
        impl $trait for Traced {
            type Output = Self;
            fn $method(self, other: Self) -> Self { self.join(other) }
        }
        impl $assign_trait for Traced {
            fn $assign(&mut self, other: Self) { *self = self.join(other); }
        }
    )* };
}

joined! {
    Add add, AddAssign add_assign;
    Sub sub, SubAssign sub_assign;
    Mul mul, MulAssign mul_assign;
    Div div, DivAssign div_assign;
}

impl Neg for Traced {
    type Output = Self;
    fn neg(self) -> Self {
        self
    }
}

macro_rules! kept {
    ($($method:ident)*) => { $( fn $method(self) -> Self { self } )* };
}

impl Number for Traced {
    fn of(_: f64) -> Self {
        Traced(0)
    }
    kept!(sqrt abs exp ln sin cos tan asin acos atan sinh cosh tanh exp_m1 ln_1p cbrt);
    fn powi(self, n: i32) -> Self {
        if n == 0 { Traced(0) } else { self }
    }
    fn powf(self, p: Self) -> Self {
        self.join(p)
    }
    fn max(self, other: Self) -> Self {
        self.join(other)
    }
    fn min(self, other: Self) -> Self {
        self.join(other)
    }
    fn where_positive(self, a: Self, b: Self) -> Self {
        // The choice itself has no derivative.
        a.join(b)
    }
}
