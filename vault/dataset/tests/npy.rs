//! `.npy` files: round trips, agreement with an independent writer and reader, and every refusal by name.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::io::Cursor;

use half::f16;
use lethe_dataset::npy::{
    self, Element, MatrixReader, MatrixWriter, read_labels, read_labels_from, read_matrix, write_labels,
};
use lethe_dataset::{Error, NpyFault};
use npyz::WriterBuilder;
use proptest::prelude::*;
use tempfile::tempdir;

/// A file as numpy writes it: version 1.0, padded to 64 bytes.
fn file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    raw(&[1, 0], &text, data)
}

fn raw(version: &[u8; 2], text: &str, data: &[u8]) -> Vec<u8> {
    let mut text = text.to_owned();
    while !(text.len() + 11).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend_from_slice(version);
    match version {
        [1, 0] => bytes.extend_from_slice(&(text.len() as u16).to_le_bytes()),
        _ => bytes.extend_from_slice(&(text.len() as u32).to_le_bytes()),
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn matrix_of(bytes: &[u8]) -> Result<Vec<Vec<f32>>, Error> {
    MatrixReader::from_reader("probe.npy", bytes)?.collect()
}

#[track_caller]
fn matrix_fault(bytes: &[u8]) -> NpyFault {
    match matrix_of(bytes) {
        Err(error @ Error::Npy { .. }) => {
            let text = error.to_string();
            assert!(text.starts_with("probe.npy: "), "the error names the file: {text}");
            assert_eq!(text, format!("probe.npy: {}", error.reason()));
            let Error::Npy { fault, .. } = error else { unreachable!() };
            fault
        }
        other => panic!("expected a fault of the file, got {other:?}"),
    }
}

const SIX_FLOATS: [u8; 24] = [0; 24];

#[test]
fn another_format_is_not_npy() {
    assert_eq!(matrix_fault(b""), NpyFault::NotNpy);
    assert_eq!(matrix_fault(b"\x93NUM"), NpyFault::NotNpy);
    assert_eq!(matrix_fault(b"PAR1\x15\x04\x15\x00\x15\x00 parquet"), NpyFault::NotNpy);
}

#[test]
fn an_unknown_version_is_named() {
    let mut bytes = file("<f4", "False", "(2, 3)", &SIX_FLOATS);
    bytes[6] = 4;
    assert_eq!(matrix_fault(&bytes), NpyFault::UnsupportedVersion(4, 0));
    bytes[6..8].copy_from_slice(&[1, 7]);
    assert_eq!(matrix_fault(&bytes), NpyFault::UnsupportedVersion(1, 7));
}

#[test]
fn versions_2_and_3_are_read() {
    for version in [[2, 0], [3, 0]] {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        assert_eq!(matrix_of(&raw(&version, text, &SIX_FLOATS)).unwrap(), vec![vec![0.0; 3]; 2]);
    }
}

#[test]
fn a_header_that_ends_early_is_malformed() {
    let bytes = file("<f4", "False", "(2, 3)", &[]);
    for length in 6..bytes.len() {
        assert!(matches!(matrix_fault(&bytes[..length]), NpyFault::MalformedHeader(_)), "cut at {length}");
    }
}

#[test]
fn a_huge_header_is_not_allocated() {
    let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(matrix_fault(&bytes), NpyFault::HeaderTooLong(u64::from(u32::MAX)));
}

#[test]
fn a_header_of_nested_brackets_is_not_parsed() {
    let text = "(".repeat(900);
    assert!(matches!(matrix_fault(&raw(&[1, 0], &text, &[])), NpyFault::MalformedHeader(_)));
}

#[test]
fn a_header_that_is_no_dictionary_is_malformed() {
    for text in
        ["", "[1, 2]", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}", "\u{0}\u{1}"]
    {
        assert!(matches!(matrix_fault(&raw(&[1, 0], text, &[])), NpyFault::MalformedHeader(_)), "{text}");
    }
}

#[test]
fn other_element_types_are_named() {
    for descr in ["<f8", "<i4", "|u1", "<c8", "|S16"] {
        let fault = matrix_fault(&file(descr, "False", "(2, 3)", &SIX_FLOATS));
        assert_eq!(fault, NpyFault::WrongElement { found: descr.into(), expected: "float16 or float32" });
    }
    let structured = "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2, 3), }";
    assert!(matches!(matrix_fault(&raw(&[1, 0], structured, &[])), NpyFault::WrongElement { .. }));
}

#[test]
fn fortran_order_is_refused() {
    assert_eq!(matrix_fault(&file("<f4", "True", "(2, 3)", &SIX_FLOATS)), NpyFault::FortranOrder);
    // One row has one order only.
    assert_eq!(matrix_of(&file("<f4", "True", "(1, 6)", &SIX_FLOATS)).unwrap(), vec![vec![0.0; 6]]);
}

#[test]
fn other_numbers_of_dimensions_are_refused() {
    for (shape, found) in [("(6,)", vec![6]), ("()", vec![]), ("(1, 2, 3)", vec![1, 2, 3])] {
        assert_eq!(
            matrix_fault(&file("<f4", "False", shape, &SIX_FLOATS)),
            NpyFault::WrongShape { found, expected: 2 }
        );
    }
}

#[test]
fn impossible_rows_are_refused() {
    assert_eq!(matrix_fault(&file("<f4", "False", "(6, 0)", &[])), NpyFault::BadDimension(0));
    assert_eq!(matrix_fault(&file("<f4", "False", "(1, 65537)", &[])), NpyFault::BadDimension(65_537));
    let overflow = "(18446744073709551615, 18446744073709551615)";
    assert!(matches!(matrix_fault(&file("<f4", "False", overflow, &[])), NpyFault::MalformedHeader(_)));
}

#[test]
fn a_truncated_stream_is_found_where_it_ends() {
    let bytes = file("<f4", "False", "(2, 3)", &SIX_FLOATS[..17]);
    assert_eq!(matrix_fault(&bytes), NpyFault::Truncated { expected: 24, found: 17 });
    let mut reader = MatrixReader::from_reader("probe.npy", bytes.as_slice()).unwrap();
    assert!(reader.next().unwrap().is_ok(), "the whole first row is good");
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none(), "a damaged file is reported once");
}

#[test]
fn a_truncated_or_longer_file_is_refused_when_opened() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.npy");
    for (data, fault) in
        [(&SIX_FLOATS[..23], NpyFault::Truncated { expected: 24, found: 23 }), (&[0; 25], NpyFault::TrailingBytes)]
    {
        fs::write(&path, file("<f4", "False", "(2, 3)", data)).unwrap();
        let error = MatrixReader::open(&path).unwrap_err();
        assert!(error.to_string().contains("a.npy: "), "{error}");
        assert!(matches!(error, Error::Npy { fault: found, .. } if found == fault));
    }
}

#[test]
fn bytes_after_the_last_row_are_refused() {
    assert_eq!(matrix_fault(&file("<f4", "False", "(2, 3)", &[0; 25])), NpyFault::TrailingBytes);
}

#[test]
fn a_missing_file_is_named() {
    let error = MatrixReader::open("/nonexistent/faces.npy").unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(error.to_string().starts_with("/nonexistent/faces.npy: "), "{error}");
}

#[test]
fn an_abandoned_writer_leaves_a_file_that_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("partial.npy");
    let mut writer = MatrixWriter::create(&path, 4).unwrap();
    writer.push(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    drop(writer);
    let error = MatrixReader::open(&path).unwrap_err();
    assert!(matches!(error, Error::Npy { fault: NpyFault::TrailingBytes, .. }), "{error}");
}

#[test]
fn a_row_of_another_length_is_refused_both_ways() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.npy");
    assert!(MatrixWriter::create(&path, 0).is_err());
    let mut writer = MatrixWriter::create(&path, 4).unwrap();
    assert!(writer.push(&[1.0]).is_err());
    writer.push(&[1.0; 4]).unwrap();
    assert_eq!(writer.finish().unwrap(), 1);
    assert!(MatrixReader::open(&path).unwrap().read_row(&mut [0.0; 5]).is_err());
}

#[test]
fn big_endian_and_half_precision_are_converted() {
    let mut data = Vec::new();
    [1.5_f32, -2.0].iter().for_each(|x| data.extend_from_slice(&x.to_be_bytes()));
    assert_eq!(matrix_of(&file(">f4", "False", "(1, 2)", &data)).unwrap(), vec![vec![1.5, -2.0]]);
    for (descr, order) in [("<f2", f16::to_le_bytes as fn(f16) -> [u8; 2]), (">f2", f16::to_be_bytes)] {
        let data: Vec<u8> = [0.5, 65504.0].iter().flat_map(|&x| order(f16::from_f32(x))).collect();
        let bytes = file(descr, "False", "(1, 2)", &data);
        let reader = MatrixReader::from_reader("half", bytes.as_slice()).unwrap();
        assert_eq!(reader.element(), Element::Float16);
        assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), vec![vec![0.5, 65504.0]]);
    }
}

#[test]
fn labels_of_both_widths_and_orders_are_read() {
    let narrow: Vec<u8> = [7_i32, -1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let wide: Vec<u8> = [7_i64, -1].iter().flat_map(|x| x.to_be_bytes()).collect();
    assert_eq!(read_labels_from("l", file("<i4", "False", "(2,)", &narrow).as_slice()).unwrap(), [7, -1]);
    assert_eq!(read_labels_from("l", file(">i8", "False", "(2,)", &wide).as_slice()).unwrap(), [7, -1]);
}

#[test]
fn damaged_labels_are_refused() {
    let fault = |bytes: Vec<u8>| {
        let Err(Error::Npy { fault, .. }) = read_labels_from("l", bytes.as_slice()) else {
            panic!("expected a fault of the file");
        };
        fault
    };
    assert_eq!(fault(file("<i4", "False", "(2,)", &[0; 7])), NpyFault::Truncated { expected: 8, found: 7 });
    assert_eq!(fault(file("<i4", "False", "(2,)", &[0; 9])), NpyFault::TrailingBytes);
    let claims_much = file("<i8", "False", "(1000000000000000000,)", &[0; 8]);
    assert!(matches!(fault(claims_much), NpyFault::Truncated { found: 8, .. } | NpyFault::MalformedHeader(_)));
    assert!(matches!(fault(file("<f4", "False", "(2,)", &[0; 8])), NpyFault::WrongElement { .. }));
    assert!(matches!(fault(file("<i4", "False", "(2, 1)", &[0; 8])), NpyFault::WrongShape { .. }));
}

#[test]
fn batches_cover_the_file() {
    let data: Vec<u8> = (0..10_u8).flat_map(|x| f32::from(x).to_le_bytes()).collect();
    let bytes = file("<f4", "False", "(5, 2)", &data);
    let mut reader = MatrixReader::from_reader("five", Cursor::new(bytes)).unwrap();
    assert_eq!((reader.rows(), reader.dimension()), (5, 2));
    let (mut batch, mut all, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let count = reader.read_rows(2, &mut batch).unwrap();
        if count == 0 {
            break;
        }
        assert_eq!(batch.len(), count * 2);
        all.extend_from_slice(&batch);
        sizes.push(count);
    }
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(all, (0..10_u8).map(f32::from).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn matrices_round_trip(rows in prop::collection::vec(prop::collection::vec(any::<f32>(), 5), 0..40)) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("m.npy");
        let mut writer = MatrixWriter::create(&path, 5).unwrap();
        for row in &rows {
            writer.push(row).unwrap();
        }
        prop_assert_eq!(writer.finish().unwrap(), rows.len() as u64);
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();

        let ours = read_matrix(&path).unwrap();
        prop_assert_eq!((ours.rows, ours.dimension), (rows.len(), 5));
        prop_assert_eq!(bits(&ours.values), bits(&rows.concat()));

        let theirs = npyz::NpyFile::new(fs::File::open(&path).unwrap()).unwrap();
        prop_assert_eq!(theirs.shape(), &[rows.len() as u64, 5]);
        prop_assert_eq!(bits(&theirs.into_vec::<f32>().unwrap()), bits(&rows.concat()));
    }

    #[test]
    fn files_of_another_writer_are_read(values in prop::collection::vec(any::<u16>(), 12)) {
        let values: Vec<f16> = values.into_iter().map(f16::from_bits).collect();
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&[4, 3]).writer(&mut bytes).begin_nd().unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        let read = matrix_of(&bytes).unwrap().concat();
        for (value, read) in values.iter().zip(read) {
            prop_assert!(value.to_f32() == read || value.is_nan() && read.is_nan());
        }
    }

    #[test]
    fn labels_round_trip(labels in prop::collection::vec(any::<i32>(), 0..100)) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("l.npy");
        write_labels(&path, &labels).unwrap();
        let wide: Vec<i64> = labels.iter().map(|&x| i64::from(x)).collect();
        prop_assert_eq!(read_labels(&path).unwrap(), wide);
        let theirs = npyz::NpyFile::new(fs::File::open(&path).unwrap()).unwrap();
        prop_assert_eq!(theirs.into_vec::<i32>().unwrap(), labels);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = matrix_of(&bytes);
        let mut framed = b"\x93NUMPY\x01\x00".to_vec();
        framed.extend_from_slice(&bytes);
        let _ = matrix_of(&framed);
        let _ = read_labels_from("l", framed.as_slice());
    }

    #[test]
    fn no_damaged_header_makes_a_reader_panic(at in 0_usize..128, to in any::<u8>(), shape in "\\PC{0,30}") {
        let mut bytes = file("<f4", "False", "(2, 3)", &SIX_FLOATS);
        bytes[at] = to;
        if let Ok(rows) = matrix_of(&bytes) {
            prop_assert!(rows.iter().map(Vec::len).sum::<usize>() * 2 <= 24);
        }
        let _ = matrix_of(&file("<f4", "False", &shape, &SIX_FLOATS));
    }
}

#[test]
fn only_as_much_as_a_row_is_ever_held() {
    // 10 million rows are claimed, none are there: opening costs nothing, reading fails at the first row.
    let bytes = file("<f4", "False", "(10000000, 512)", &[]);
    let mut reader = MatrixReader::from_reader("huge.npy", bytes.as_slice()).unwrap();
    assert_eq!(reader.rows(), 10_000_000);
    let error = reader.read_row(&mut vec![0.0; 512]).unwrap_err();
    assert!(matches!(error, Error::Npy { fault: NpyFault::Truncated { found: 0, .. }, .. }));
    assert_eq!(npy::MAX_DIMENSION, 65_536);
}
