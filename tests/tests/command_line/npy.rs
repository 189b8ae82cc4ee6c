//! Files of embeddings, made here: crafted faces, and matrices that the dataset's own writer does not write.

use std::fs;
use std::path::Path;

/// Components of the model of these tests.
pub(crate) const DIMENSION: usize = 64;

/// A face whose cosine with `face(n)` of the same number is `cosine`, and 0 with those of other numbers.
pub(crate) fn like(number: usize, cosine: f32) -> Vec<f32> {
    let mut face = vec![0.0; DIMENSION];
    // Two components for each person, so that persons are at right angles.
    let (own, beside) = (2 * number % DIMENSION, (2 * number + 1) % DIMENSION);
    face[own] = cosine;
    face[beside] = (1.0 - cosine * cosine).sqrt();
    face
}

/// A person's face.
pub(crate) fn face(number: usize) -> Vec<f32> {
    like(number, 1.0)
}

/// As many different faces as wanted: signs of a number's bits. No two are alike, though some are near.
pub(crate) fn crowd(number: usize) -> Vec<f32> {
    let bits = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..DIMENSION).map(|at| if bits >> at & 1 == 1 { 0.75 } else { -0.25 }).collect()
}

/// Writes a matrix of any element: `<f4`, `<f2`, `<f8`; the bytes of one row each.
pub(crate) fn write(path: &Path, element: &str, columns: usize, rows: &[Vec<u8>]) {
    let shape = format!("({}, {columns})", rows.len());
    fs::write(path, [header(element, &shape), rows.concat()].concat()).unwrap();
}

/// Writes a column of int64.
pub(crate) fn write_labels(path: &Path, labels: &[i64]) {
    let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    fs::write(path, [header("<i8", &format!("({},)", labels.len())), bytes].concat()).unwrap();
}

/// NEP 1, version 1.0.
fn header(element: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = 128 - 10;
    let padded = format!("{text:<width$}\n", width = length - 1);
    [b"\x93NUMPY\x01\x00", &(length as u16).to_le_bytes()[..], padded.as_bytes()].concat()
}

pub(crate) fn f32s(face: &[f32]) -> Vec<u8> {
    face.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub(crate) fn f16s(face: &[f32]) -> Vec<u8> {
    face.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()
}

pub(crate) fn f64s(face: &[f32]) -> Vec<u8> {
    face.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect()
}

/// As JSON, as `--embedding` takes it.
pub(crate) fn json(face: &[f32]) -> Vec<u8> {
    serde_json::to_vec(face).unwrap()
}
