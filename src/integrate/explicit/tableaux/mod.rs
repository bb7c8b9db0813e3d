//! The catalogue of explicit methods, one file each: a doc comment with the reference, and numbers.
