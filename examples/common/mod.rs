//! What the examples share: the command line, progress bars and pictures.
#![allow(dead_code)]

pub mod mixture;
pub mod options;
pub mod picture;
pub mod progress;
pub mod stop;
