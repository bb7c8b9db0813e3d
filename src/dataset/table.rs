//! Tables in and out: CSV, and NumPy's `.npy` and `.npz`.

use std::fmt::Write as _;
use std::path::Path;

use ndarray::Array2;

use crate::{Error, Real, Result};

/// Reads a table (rows × columns) from a `.csv`, `.npy` or `.npz` file, the kind by the name's ending.
///
/// A CSV file has numbers separated by commas or semicolons; a first line that is not numbers is skipped. NumPy files hold `f32`
/// or `f64` (`float32`, `float64`) with two axes, or one, read as a column; of an `.npz` the first array in the order of names.
///
/// # Errors
/// [`Error::Io`]; [`Error::Table`] for a line that is not like the others; [`Error::Empty`] for no rows; [`Error::Unsupported`] for another ending.
///
/// ```
/// use flowfield::dataset::{moons, read_table, write_table};
/// let (x, file) = (moons::<f32>(20, 0.05, 0), std::env::temp_dir().join("flowfield_doc_moons.csv"));
/// write_table(&file, &x)?;
/// assert_eq!(read_table::<f32>(&file)?, x);                     // the same bits
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn read_table<F: Real>(path: impl AsRef<Path>) -> Result<Array2<F>> {
    let path = path.as_ref();
    match ending(path) {
        "csv" => parse(path, &std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?),
        #[cfg(feature = "npy")]
        "npy" => numpy::read(path),
        #[cfg(feature = "npy")]
        "npz" => numpy::read_first(path),
        _ => Err(other_ending()),
    }
}

/// Writes a table to a `.csv` or `.npy` file, or as the array `x` of an `.npz` file.
///
/// # Errors
/// [`Error::Io`], and [`Error::Unsupported`] for another ending.
pub fn write_table<F: Real>(path: impl AsRef<Path>, x: &Array2<F>) -> Result<()> {
    let path = path.as_ref();
    match ending(path) {
        "csv" => std::fs::write(path, csv(x)).map_err(|e| Error::io(path, &e)),
        #[cfg(feature = "npy")]
        "npy" => numpy::write(path, x),
        #[cfg(feature = "npy")]
        "npz" => numpy::write_named(path, x),
        _ => Err(other_ending()),
    }
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}

fn other_ending() -> Error {
    Error::Unsupported {
        what: "this file's ending",
        with: "tables",
        instead: "name it .csv, or with the feature npy .npy or .npz",
    }
}

fn csv<F: Real>(x: &Array2<F>) -> String {
    let mut text = String::new();
    for row in x.rows() {
        for (k, v) in row.iter().enumerate() {
            // The shortest form that reads back to the same bits; writing to a string cannot fail.
            let _ = write!(text, "{}{v:?}", if k > 0 { "," } else { "" });
        }
        text.push('\n');
    }
    text
}

fn parse<F: Real>(path: &Path, text: &str) -> Result<Array2<F>> {
    let wrong = |line: usize, reason: String| Error::Table { path: path.display().to_string(), line, reason };
    let (mut numbers, mut rows, mut columns) = (Vec::new(), 0, 0);
    for (index, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let fields = line.split([',', ';']).map(str::trim);
        let parsed: std::result::Result<Vec<f64>, String> = fields
            .map(|f| f.trim_matches('"').parse().map_err(|_| format!("{f:?} is not a number")))
            .collect();
        match parsed {
            Ok(row) if rows == 0 || row.len() == columns => {
                (rows, columns) = (rows + 1, row.len());
                numbers.extend(row.into_iter().map(F::of));
            }
            Ok(row) => {
                return Err(wrong(index + 1, format!("{} columns after lines of {columns}", row.len())));
            }
            // A header.
            Err(_) if rows == 0 && index == 0 => {}
            Err(reason) => return Err(wrong(index + 1, reason)),
        }
    }
    if rows == 0 {
        return Err(Error::Empty { what: "the table" });
    }
    Array2::from_shape_vec((rows, columns), numbers).map_err(|e| wrong(rows, e.to_string()))
}

#[cfg(feature = "npy")]
mod numpy {
    use std::fs::File;
    use std::path::Path;

    use ndarray::{Array2, ArrayD, Axis, Ix1, Ix2};
    use ndarray_npy::{NpzReader, NpzWriter, ReadableElement, read_npy, write_npy};

    use crate::{Error, Real, Result};

    fn wide<F: Real>() -> bool {
        F::EPS.f64() < 1e-10
    }

    /// One axis is a column.
    fn shaped<T: Clone>(path: &Path, x: ArrayD<T>) -> Result<Array2<T>> {
        let axes = x.ndim();
        let found = match axes {
            1 => x.into_dimensionality::<Ix1>().map(|x| x.insert_axis(Axis(1))),
            _ => x.into_dimensionality::<Ix2>(),
        };
        let reason = || format!("an array of {axes} axes is no table");
        found.map_err(|_| Error::Table { path: path.display().to_string(), line: 1, reason: reason() })
    }

    pub fn read<F: Real>(path: &Path) -> Result<Array2<F>> {
        if let Ok(x) = read_npy::<_, ArrayD<f64>>(path) {
            return Ok(shaped(path, x)?.mapv(F::of));
        }
        let x: ArrayD<f32> = read_npy(path).map_err(|e| Error::io(path, &e))?;
        Ok(shaped(path, x)?.mapv(|v| F::of(f64::from(v))))
    }

    pub fn read_first<F: Real>(path: &Path) -> Result<Array2<F>> {
        if let Ok(x) = first::<f64>(path) {
            return Ok(shaped(path, x)?.mapv(F::of));
        }
        Ok(shaped(path, first::<f32>(path)?)?.mapv(|v| F::of(f64::from(v))))
    }

    fn first<T: ReadableElement>(path: &Path) -> Result<ArrayD<T>> {
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let mut reader = NpzReader::new(file).map_err(|e| Error::io(path, &e))?;
        let mut names = reader.names().map_err(|e| Error::io(path, &e))?;
        names.sort();
        let name = names.first().ok_or(Error::Empty { what: "the .npz file" })?;
        reader.by_name(name).map_err(|e| Error::io(path, &e))
    }

    pub fn write<F: Real>(path: &Path, x: &Array2<F>) -> Result<()> {
        let written = match wide::<F>() {
            true => write_npy(path, &x.mapv(|v| v.f64())),
            false => write_npy(path, &x.mapv(|v| v.f64() as f32)),
        };
        written.map_err(|e| Error::io(path, &e))
    }

    pub fn write_named<F: Real>(path: &Path, x: &Array2<F>) -> Result<()> {
        let file = File::create(path).map_err(|e| Error::io(path, &e))?;
        let mut writer = NpzWriter::new(file);
        let added = match wide::<F>() {
            true => writer.add_array("x", &x.mapv(|v| v.f64())),
            false => writer.add_array("x", &x.mapv(|v| v.f64() as f32)),
        };
        added.map_err(|e| Error::io(path, &e))?;
        writer.finish().map(drop).map_err(|e| Error::io(path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_what_is_wrong_with_them() {
        let read = |text: &str| parse::<f64>(Path::new("t.csv"), text);
        assert_eq!(read("a,b\n1,2\n3; 4.5\n\n").unwrap(), ndarray::array![[1.0, 2.0], [3.0, 4.5]]);
        assert!(matches!(read("1,2\n3\n"), Err(Error::Table { line: 2, .. })));
        assert!(matches!(read("1,2\n\n3,x\n"), Err(Error::Table { line: 3, .. })));
        // NaN is a number here: whoever uses the rows names the row.
        assert!(read("1,NaN\n").unwrap()[[0, 1]].is_nan());
        assert!(
            matches!(read(""), Err(Error::Empty { .. })) && matches!(read("a,b\n"), Err(Error::Empty { .. }))
        );
        assert!(matches!(read_table::<f64>("x.txt"), Err(Error::Unsupported { .. })));
        assert!(matches!(read_table::<f64>("/nowhere/x.csv"), Err(Error::Io { .. })));
    }

    #[test]
    #[cfg(feature = "npy")]
    fn every_kind_reads_back_to_the_same_bits() {
        let x = crate::dataset::normal::<f32>((7, 3), 1);
        let y = crate::dataset::normal::<f64>((5, 2), 2);
        for kind in ["csv", "npy", "npz"] {
            let file = std::env::temp_dir().join(format!("flowfield_table_{}.{kind}", std::process::id()));
            write_table(&file, &x).unwrap();
            assert_eq!(read_table::<f32>(&file).unwrap(), x, "{kind}");
            write_table(&file, &y).unwrap();
            assert_eq!(read_table::<f64>(&file).unwrap(), y, "{kind}");
            std::fs::write(&file, b"\x00broken").unwrap();
            assert!(read_table::<f64>(&file).is_err(), "{kind}");
            let _ = std::fs::remove_file(file);
        }
    }
}
