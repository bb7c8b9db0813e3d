//! What is written by serde is what is read.

use flowfield::game::{GanLoss, Penalty};
use flowfield::gradient::GradientFlow;
use flowfield::integrate::{Euler, Tsit5};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Event, Flow, Solution, field};
use ndarray::{Array1, array};

fn round<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn a_solution_reads_back_with_its_events_and_what_is_inside_its_steps() {
    let oscillator = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
        dy[0] = y[1];
        dy[1] = -y[0];
    });
    let zero = Event::when(|_t, y: &Array1<f64>| y[0]);
    let sol = Flow::new(oscillator, Tsit5::new())
        .dense()
        .event(zero)
        .save_at(&[1.0, 2.0])
        .solve(0.0, 10.0, array![1.0, 0.0])
        .unwrap();
    let back: Solution<Array1<f64>> = round(&sol);
    assert_eq!((&back.t, &back.y, &back.events, back.stats), (&sol.t, &sol.y, &sol.events, sol.stats));
    assert_eq!(back.at(3.3).unwrap(), sol.at(3.3).unwrap());
    assert_eq!(back.y_end(), sol.y_end());
}

#[test]
fn settings_and_certificates_read_back() {
    let net = Mlp::velocity(2, &[8, 4]).activation(Activation::Selu);
    let back: Mlp = round(&net);
    assert_eq!(Network::<f32>::init(&back, 3), Network::<f32>::init(&net, 3));
    assert_eq!(round(&GanLoss::Hinge), GanLoss::Hinge);
    assert_eq!(round(&Penalty::wgan_gp(0.1)), Penalty::wgan_gp(0.1));
    let bowl = GradientFlow::new(|x: &[f64], g: &mut [f64]| {
        g[0] = x[0];
        0.5 * x[0] * x[0]
    });
    let certificate = Flow::new(bowl, Euler::new()).steps_certified(5, 0.1, &mut [1.0]).unwrap();
    assert_eq!(round(&certificate), certificate);
}
