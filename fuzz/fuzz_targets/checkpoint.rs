//! A file of any bytes is read or refused, never a panic.
#![no_main]

use flowfield::checkpoint::load_weights;
use flowfield::nn::Mlp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("flowfield_fuzz_{}.safetensors", std::process::id()));
    if std::fs::write(&path, bytes).is_ok() {
        let _ = load_weights::<f32, _>(&Mlp::velocity(2, &[4]), &path);
    }
});
