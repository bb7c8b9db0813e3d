//! A text of any bytes is read as a table or refused, never a panic.
#![no_main]

use flowfield::dataset::read_table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("flowfield_fuzz_{}.csv", std::process::id()));
    if std::fs::write(&path, bytes).is_ok() {
        let _ = read_table::<f64>(&path);
    }
});
