//! LU factorisation of sparse matrices.
//!
//! The pattern is analysed once: an order of elimination that fills little, the fronts (dense matrices) in which columns are
//! eliminated, and how they hand on to each other. Every factorisation then runs through dense arithmetic alone. Pivots are
//! sought within a front; where that does not do, because a diagonal entry is zero or nearly, the rows are put in another
//! order first. Reference: Duff, Reid, *The multifrontal solution of unsymmetric sets of linear equations*, SIAM J. Sci.
//! Stat. Comput. 5 (1984) 633–641; Liu, *The multifrontal method for sparse matrix solution*, SIAM Review 34 (1992) 82–109.

mod lu;
mod matching;
mod order;
mod symbolic;

pub(crate) use lu::SparseLu;
