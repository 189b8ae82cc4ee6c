use zeroize::Zeroizing;

/// Bytes of the header: the data behind it is aligned.
const HEADER: usize = 128;

/// A vector as a NumPy file of version 1.0: one dimension, little-endian 32-bit floats.
pub(super) fn vector(components: &[f32]) -> Zeroizing<Vec<u8>> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", components.len());
    // Magic, version and length are 10 bytes; the header ends with a line.
    let dictionary = HEADER - 10;
    header.extend(std::iter::repeat_n(' ', dictionary.saturating_sub(header.len() + 1)));
    header.push('\n');
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER + 4 * components.len()));
    bytes.extend_from_slice(b"\x93NUMPY\x01\x00");
    bytes.extend_from_slice(&(dictionary as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    components.iter().for_each(|component| bytes.extend_from_slice(&component.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_a_numpy_file() {
        let bytes = vector(&[1.5, -2.0]);
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let header = std::str::from_utf8(&bytes[10..128]).unwrap();
        assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"), "{header}");
        assert!(header.ends_with(" \n"));
        assert_eq!(&bytes[128..], [1.5_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat());
    }
}
