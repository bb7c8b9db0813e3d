//! What networks and velocity fields refuse, and what the field over rows is.

use flowfield::nn::{Activation, Mlp, Network, one_hot};
use flowfield::{Error, VectorField};
use ndarray::{Array1, Array2, ShapeBuilder as _, concatenate};

#[test]
fn wrong_shapes_are_errors_with_both_shapes() {
    let net = Mlp::new(3, &[4], 2);
    let theta: Array1<f64> = net.init(0);
    let mut tape = net.tape(5);
    let mut y = Array2::zeros((5, 2));
    let error = net.forward(&theta, &Array2::zeros((5, 4)), &mut y, &mut tape);
    assert_eq!(error, Err(Error::Shape { what: "x", expected: vec![5, 3], found: vec![5, 4] }));
    let error = net.forward(&Array1::zeros(3), &Array2::zeros((5, 3)), &mut y, &mut tape);
    assert_eq!(error, Err(Error::Shape { what: "theta", expected: vec![26], found: vec![3] }));
    let error = net.forward(&theta, &Array2::zeros((4, 3)), &mut y, &mut tape);
    assert_eq!(error, Err(Error::Shape { what: "y", expected: vec![4, 2], found: vec![5, 2] }));
    // Nothing is recorded yet.
    let error = net.vjp(&theta, &y, None, None, &mut tape);
    assert_eq!(error, Err(Error::Shape { what: "ybar", expected: vec![0, 2], found: vec![5, 2] }));
}

#[test]
fn other_misuse_is_an_error_too() {
    let net = Mlp::new(3, &[4], 2);
    let theta: Array1<f64> = net.init(0);
    let x = Array2::zeros((6, 3));
    let mut y = Array2::zeros((6, 2));
    let too_many = net.forward(&theta, &x, &mut y, &mut net.tape(5));
    assert!(matches!(too_many, Err(Error::Setting { what: "rows", .. })));
    let columns = Array2::zeros((6, 3).f());
    let fortran = net.forward(&theta, &columns, &mut y, &mut net.tape(6));
    assert!(matches!(fortran, Err(Error::Setting { what: "x", .. })));
    let other = Mlp::new(3, &[5], 2).tape(6);
    assert!(net.forward(&theta, &x, &mut y, &mut { other }).is_err());
}

#[test]
fn empty_batches_and_empty_layers() {
    let net = Mlp::new(3, &[4], 2);
    let theta: Array1<f32> = net.init(0);
    let mut tape = net.tape(0);
    assert_eq!(net.forward(&theta, &Array2::zeros((0, 3)), &mut Array2::zeros((0, 2)), &mut tape), Ok(()));
    let mut gradient = Array1::ones(net.n_params());
    let loss = |_: usize, _: &[f32], _: &mut [f32]| 1.0;
    assert_eq!(net.loss_gradient(&theta, &Array2::zeros((0, 3)), loss, &mut gradient, &mut tape), Ok(0.0));
    assert!(gradient.iter().all(|&g| g == 0.0));
    for (net, layer) in [(Mlp::new(0, &[4], 2), 0), (Mlp::new(3, &[0], 2), 1), (Mlp::new(3, &[], 0), 1)] {
        let theta: Array1<f32> = net.init(0);
        let x = Array2::zeros((2, net.inputs()));
        let mut y = Array2::zeros((2, net.outputs()));
        assert_eq!(net.forward(&theta, &x, &mut y, &mut net.tape(2)), Err(Error::ZeroWidth { layer }));
    }
}

#[test]
fn a_field_is_the_network_on_x_t_condition() -> Result<(), Error> {
    let net = Mlp::velocity(2, &[8]).condition(3).activation(Activation::Tanh);
    let theta: Array1<f64> = net.init(1);
    let x = Array2::from_shape_fn((4, 2), |(i, j)| i as f64 - 0.7 * j as f64);
    let classes = one_hot(&[2, 0, 1, 1], 3)?;
    let t = Array2::from_elem((4, 1), 0.25);
    let input = concatenate![ndarray::Axis(1), x, t, classes].as_standard_layout().to_owned();
    let mut want = Array2::zeros((4, 2));
    net.forward(&theta, &input, &mut want, &mut net.tape(4))?;
    let mut field = net.field(&theta).condition(&classes);
    field.check(&x)?;
    let mut dx = Array2::zeros((4, 2));
    field.eval(0.25, &x, &mut dx);
    assert_eq!(dx, want);
    // Without its condition, and with other rows than the condition has.
    assert!(matches!(net.field(&theta).check(&x), Err(Error::Shape { what: "[x | t | condition]", .. })));
    assert!(matches!(field.check(&Array2::zeros((3, 2))), Err(Error::Shape { what: "condition", .. })));
    net.field(&theta).eval(0.25, &x, &mut dx);
    assert!(dx.iter().all(|v| v.is_nan()));
    assert!(matches!(one_hot::<f32>(&[3], 3), Err(Error::Setting { what: "label", .. })));
    Ok(())
}
