//! Solutions as files: what is written reads back to the same bits.

use flowfield::integrate::Tsit5;
use flowfield::{Error, Flow, Solution, field};
use ndarray::{Array2, array};

fn solution() -> Solution<Array2<f64>> {
    let f = field(|_t, y: &Array2<f64>, dy: &mut Array2<f64>| dy.assign(&-y));
    Flow::new(f, Tsit5::new())
        .save_at(&[0.0, 0.3, 1.0])
        .solve(0.0, 1.0, array![[1.0, 2.0], [-3.0, 1e-300]])
        .unwrap()
}

#[test]
fn a_table_holds_times_and_components() {
    let sol = solution();
    assert_eq!(sol.times().to_vec(), [0.0, 0.3, 1.0]);
    let (states, table) = (sol.states(), sol.table());
    assert_eq!((states.dim(), table.dim()), ((3, 4), (3, 5)));
    assert_eq!(table.column(0).to_vec(), sol.t);
    assert_eq!((states[[2, 1]], table[[2, 2]]), (sol.y[2][[0, 1]], sol.y[2][[0, 1]]));
}

#[test]
fn csv_reads_back_to_the_same_bits() {
    let file = std::env::temp_dir().join(format!("flowfield-{}.csv", std::process::id()));
    let sol = solution();
    sol.write_csv(&file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("t,y0,y1,y2,y3"));
    let numbers: Vec<f64> = lines.flat_map(|l| l.split(',').map(|v| v.parse::<f64>().unwrap())).collect();
    assert_eq!(numbers, sol.table().into_iter().collect::<Vec<_>>());
}

#[cfg(feature = "npy")]
#[test]
fn npy_reads_back_to_the_same_bits() {
    let file = std::env::temp_dir().join(format!("flowfield-{}.npy", std::process::id()));
    let sol = solution();
    sol.write_npy(&file).unwrap();
    let back: Array2<f64> = ndarray_npy::read_npy(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(back, sol.table());
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let e = solution().write_csv("no-such-folder/x.csv").unwrap_err();
    assert!(matches!(&e, Error::Io { path, .. } if path.contains("no-such-folder")), "{e}");
}
