//! Checkpoints: resumed trainings go on bit by bit, and wrong files are told apart.

use std::path::PathBuf;

use flowfield::checkpoint::{load_average, load_weights, save_weights};
use flowfield::dataset::{moons, normal};
use flowfield::integrate::{
    Adam, AutoStep, EgStepSize, Ema, Euler, Integrator, Momentum, Optimistic, RmsProp, Schedule,
};
use flowfield::matching::{Coupling, Matching};
use flowfield::nn::{Activation, Mlp, Network, Potential};
use flowfield::{ClipNorm, Error, Flow};
use ndarray::{Array1, Array2};

fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("flowfield_checkpoint_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Steps, saves, and compares going on with resuming.
fn goes_on<I: Integrator<Array1<f32>>>(name: &str, make: impl Fn() -> I) {
    let data = moons::<f32>(300, 0.05, 0);
    let net = Mlp::velocity(2, &[12, 8]);
    let path = file(name);
    let flow = |seed| {
        // Pools of three batches: saved in the middle of one.
        let matching =
            Matching::new(&net, &data, 20).coupling(Coupling::Optimal).coupling_batch(60).seed(seed);
        Flow::new(ClipNorm::new(matching, 1.0), make()).controller(Schedule::cosine(60).warm_up(5))
    };
    let mut theta = net.init(0);
    let mut first = flow(7);
    first.steps(25, 1e-3, &mut theta).unwrap();
    first.save(&net, &theta, &path).unwrap();
    first.steps(20, 1e-3, &mut theta).unwrap();
    // The seed is restored, too.
    let mut second = flow(99);
    let mut again = second.resume(&net, &path).unwrap();
    second.steps(20, 1e-3, &mut again).unwrap();
    assert_eq!(theta, again, "{name}");
    // And what is saved then is the same file.
    let (one, two) = (file("one.safetensors"), file("two.safetensors"));
    first.save(&net, &theta, &one).unwrap();
    second.save(&net, &again, &two).unwrap();
    assert_eq!(std::fs::read(one).unwrap(), std::fs::read(two).unwrap(), "{name}");
}

#[test]
fn a_resumed_training_goes_on_bit_by_bit() {
    goes_on("adam", Adam::default);
    goes_on("adamw_ema", || Ema::new(Adam::with_decay(1e-2), 0.99));
    goes_on("momentum", || Momentum::new(0.9));
    goes_on("sgd", Euler::new);
    goes_on("rms_prop", RmsProp::default);
    goes_on("auto_step", || AutoStep::new(Adam::default()));
    goes_on("auto_step_ema", || Ema::new(AutoStep::new(Euler::new()), 0.9));
    goes_on("eg_step_size", EgStepSize::default);
}

#[test]
fn averages_and_weights_are_read_by_name() {
    let data = moons::<f64>(100, 0.05, 0);
    let net = Mlp::velocity(2, &[6]).activation(Activation::Tanh);
    let path = file("by_name.safetensors");
    let mut theta = net.init(0);
    let mut flow = Flow::new(Matching::new(&net, &data, 20), Ema::new(Adam::default(), 0.9));
    flow.steps(10, 1e-2, &mut theta).unwrap();
    flow.save(&net, &theta, &path).unwrap();
    assert_eq!(load_weights::<f64, _>(&net, &path).unwrap(), theta);
    assert_eq!(&load_average::<f64, _>(&net, &path).unwrap(), flow.integrator().average().unwrap());
    let bytes = std::fs::read(&path).unwrap();
    let header = String::from_utf8_lossy(&bytes[8..]);
    for name in [
        "\"layers.0.weight\"",
        "\"average.layers.1.bias\"",
        "\"first_moment.layers.0.bias\"",
        "field.draws = 10",
    ] {
        assert!(header.contains(name), "{name} in the header");
    }
    // A network made of another keeps its names.
    let v = Potential::new(Mlp::new(3, &[5], 1), 2);
    let theta: Array1<f64> = v.init(1);
    save_weights(&v, &theta, &path).unwrap();
    assert_eq!(load_weights::<f64, _>(v.scalar(), &path).unwrap(), theta);
}

/// The file as any reader of the published layout sees it: eight bytes of length, a header in JSON that names each
/// tensor's type, shape and place, the numbers row by row, little-endian, without gaps.
#[test]
fn files_have_the_published_layout() {
    let net = Mlp::velocity(2, &[3]);
    let theta: Array1<f32> = net.init(5);
    let path = file("layout.safetensors");
    save_weights(&net, &theta, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let header_len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (header, data) = (std::str::from_utf8(&bytes[8..8 + header_len]).unwrap(), &bytes[8 + header_len..]);
    assert!(header.starts_with("{\"__metadata__\":{\"flowfield\":"), "{header}");
    assert!((8 + header_len).is_multiple_of(8) && data.len() == 4 * theta.len());
    let mut covered = 0;
    for part in Network::<f32>::layout(&net) {
        let shape = part.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let opening = format!("\"{}\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[", part.name);
        let at = header.find(&opening).unwrap_or_else(|| panic!("{opening} in {header}")) + opening.len();
        let offsets: Vec<usize> =
            header[at..].split(']').next().unwrap().split(',').map(|n| n.parse().unwrap()).collect();
        let numbers: Vec<f32> = data[offsets[0]..offsets[1]]
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, theta.to_vec()[part.offset..][..numbers.len()], "{}", part.name);
        assert_eq!(numbers.len(), part.shape.iter().product::<usize>(), "{}", part.name);
        covered += numbers.len();
    }
    assert_eq!(covered, theta.len());
}

#[test]
fn wrong_files_are_told_apart() {
    let data = normal::<f32>((50, 2), 0);
    let net = Mlp::velocity(2, &[6]);
    let path = file("wrong.safetensors");
    let mut flow = Flow::new(Matching::new(&net, &data, 10), Adam::default());
    let mut theta = net.init(0);
    assert!(
        matches!(flow.save(&net, &theta, &path), Err(Error::Unsupported { .. })),
        "before the first step"
    );
    flow.steps(3, 1e-3, &mut theta).unwrap();
    flow.save(&net, &theta, &path).unwrap();
    let wider = Mlp::velocity(2, &[7]);
    let e = load_weights::<f32, _>(&wider, &path).unwrap_err();
    assert!(matches!(&e, Error::CheckpointMismatch { name, .. } if name == "layers.0.weight"), "{e}");
    assert!(e.to_string().contains("[3, 7]") && e.to_string().contains("[3, 6]"), "{e}");
    let e = load_weights::<f32, _>(&Mlp::velocity(2, &[6, 6]), &path).unwrap_err();
    assert!(matches!(e, Error::CheckpointMismatch { .. }), "{e}");
    let e = load_weights::<f64, _>(&net, &path).unwrap_err();
    assert!(e.to_string().contains("F64") && e.to_string().contains("F32"), "{e}");
    let e = load_average::<f32, _>(&net, &path).unwrap_err();
    assert!(e.to_string().contains("average.layers.0.weight is missing"), "{e}");
    let mut other = Flow::new(Matching::new(&net, &data, 10), Momentum::new(0.9));
    let e = other.resume(&net, &path).unwrap_err();
    assert!(matches!(&e, Error::CheckpointMismatch { name, .. } if name == "integrator"), "{e}");
    // Cut short, no safetensors at all, and not there.
    let bytes = std::fs::read(&path).unwrap();
    for damaged in [&bytes[..bytes.len() - 7], &bytes[..20], b"hello world, this is no checkpoint"] {
        std::fs::write(&path, damaged).unwrap();
        let e = flow.resume(&net, &path).unwrap_err();
        assert!(matches!(e, Error::Checkpoint { .. }), "{e}");
    }
    assert!(matches!(flow.resume(&net, file("nowhere")), Err(Error::Io { .. })));
    let mut other = Flow::new(Matching::new(&net, &data, 10), Optimistic::default());
    other.steps(2, 1e-3, &mut theta).unwrap();
    assert!(matches!(other.save(&net, &theta, &path), Err(Error::Unsupported { .. })));
    let short: Array1<f32> = Array1::zeros(3);
    assert!(matches!(save_weights(&net, &short, &path), Err(Error::Shape { .. })));
    let _: Array2<f32> = data;
}
