//! Any options of a solve give an answer or an error, never a panic.
#![no_main]

use flowfield::integrate::{Auto, Bdf, RadauIIA5, Rodas5P, Tsit5, Vern9};
use flowfield::{Event, Flow, field};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|options: ([f64; 8], u8, u8, Vec<f64>)| {
    let ([t0, t1, rtol, atol, first, most, a, b], method, flags, times) = options;
    macro_rules! run {
        ($method:expr) => {{
            let f = field(move |_t, y: &[f64; 2], dy| *dy = [a * y[1], b * y[0] * y[0]]);
            let mut flow = Flow::new(f, $method).rtol(rtol).atol(atol).max_steps(200);
            if flags & 1 != 0 {
                flow = flow.first_step(first);
            }
            if flags & 2 != 0 {
                flow = flow.max_step(most);
            }
            if flags & 4 != 0 {
                flow = flow.save_at(&times);
            }
            if flags & 8 != 0 {
                flow = flow.dense();
            }
            if flags & 16 != 0 {
                flow = flow.event(Event::when(|_t, y: &[f64; 2]| y[0] - 0.5).terminal());
            }
            if let Ok(sol) = flow.solve(t0, t1, [1.0, b]) {
                let _ = sol.at(0.5 * (t0 + t1));
            }
        }};
    }
    match method % 6 {
        0 => run!(Tsit5::new()),
        1 => run!(Vern9::new()),
        2 => run!(Rodas5P::new()),
        3 => run!(Bdf::new()),
        4 => run!(RadauIIA5::new()),
        _ => run!(Auto::new()),
    }
});
