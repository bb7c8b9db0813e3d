//! A progress bar on standard error.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `n` steps with a message, speed and remaining time; hidden where there is no terminal.
pub fn bar(n: usize, name: &str) -> ProgressBar {
    let bar = ProgressBar::new(n as u64);
    let template = "{prefix:24} {bar:32} {pos:>6}/{len} {per_sec:>12} {eta:>5}  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_string());
    bar
}
