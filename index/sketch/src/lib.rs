//! What Lethe's index keeps of a template, and its one encoding.
//!
//! A crate of its own, without native code: what decodes bytes from a disk is fuzzed.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use std::fmt;

use zeroize::Zeroizing;

/// Fewest coordinates a sketch can have: with fewer, its estimates say next to nothing.
pub const MIN_DIM: usize = 64;

/// Most coordinates a sketch can have.
pub const MAX_DIM: usize = 4096;

/// Bytes that are not an encoded sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed sketch: {reason}")]
pub struct Malformed {
    /// Which rule of the format they break.
    pub reason: &'static str,
}

/// One or two bits a coordinate: the sign of each coordinate of a rotated template, less the centre if there
/// is one; and, of two bits, whether it is a large one.
///
/// A sketch is about a person: it is wiped on drop, cannot be cloned or printed, and its bytes are
/// to be sealed like the template's own.
pub struct Sketch {
    /// Coordinate i is bit i & 7 of byte i >> 3; set if it is not negative.
    bits: Zeroizing<Vec<u8>>,
    /// The same for magnitudes; set if it is large.
    magnitudes: Option<Zeroizing<Vec<u8>>>,
    /// ⟨o, c⟩ where o is the template and c the centre.
    offset: Option<f32>,
}

/// Version of the encoding, its first byte.
const VERSION: u8 = 1;

/// Version, flags, dimension.
const HEADER: usize = 4;

/// Flags: an offset follows the bits, or magnitudes do.
const HAS_OFFSET: u8 = 1;
const HAS_MAGNITUDES: u8 = 2;

impl Sketch {
    /// Of signs, one bit a coordinate, and ⟨o, c⟩ if there is a centre.
    #[must_use]
    pub fn new(bits: Zeroizing<Vec<u8>>, offset: Option<f32>) -> Self {
        Self { bits, magnitudes: None, offset }
    }

    /// Of signs and magnitudes, two bits a coordinate.
    ///
    /// # Panics
    /// Unless there are as many of both.
    #[must_use]
    pub fn of_two_bits(bits: Zeroizing<Vec<u8>>, magnitudes: Zeroizing<Vec<u8>>) -> Self {
        assert!(bits.len() == magnitudes.len(), "a magnitude for each sign");
        Self { bits, magnitudes: Some(magnitudes), offset: None }
    }

    /// Number of coordinates.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.bits.len() * 8
    }

    /// Whether the sketch was taken around a centre.
    #[must_use]
    pub fn has_offset(&self) -> bool {
        self.offset.is_some()
    }

    /// The fixed encoding, version 1; integers and the float are big-endian.
    ///
    /// | bytes | content |
    /// |---|---|
    /// | 1 | version = 1 |
    /// | 1 | flags: bit 0 = an offset follows the signs, bit 1 = magnitudes do; never both, and the others are 0 |
    /// | 2 | dimension d, a power of two from 64 to 4096 |
    /// | d/8 | signs: coordinate i is bit i & 7 of byte i >> 3, set if not negative |
    /// | d/8 | magnitudes: in the same order, set if large; only with flag 1 |
    /// | 4 | ⟨o, c⟩ as IEEE 754 binary32, −1 to 1 up to rounding; only with flag 0 |
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Reserved in full: a vector that grows leaves its old buffer behind unwiped.
        let magnitudes = self.magnitudes().unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER + self.bits.len() + magnitudes.len() + 4));
        let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
        let flags = flag(self.offset.is_some(), HAS_OFFSET) | flag(self.magnitudes.is_some(), HAS_MAGNITUDES);
        bytes.extend_from_slice(&[VERSION, flags]);
        // A dimension is at most 4096.
        bytes.extend_from_slice(&(self.dim() as u16).to_be_bytes());
        bytes.extend_from_slice(&self.bits);
        bytes.extend_from_slice(magnitudes);
        if let Some(offset) = self.offset {
            bytes.extend_from_slice(&offset.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Each sketch has one encoding only.
    ///
    /// # Errors
    /// [`Malformed`] says which rule the bytes break.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let malformed = |reason| Err(Malformed { reason });
        let Some((&[version, flags, high, low], body)) = bytes.split_first_chunk::<HEADER>() else {
            return malformed("it is shorter than its header");
        };
        if version != VERSION {
            return malformed("its version is unknown");
        }
        if flags & !(HAS_OFFSET | HAS_MAGNITUDES) != 0 {
            return malformed("it has an unknown flag");
        }
        let dim = usize::from(u16::from_be_bytes([high, low]));
        if !dim.is_power_of_two() || !(MIN_DIM..=MAX_DIM).contains(&dim) {
            return malformed("its dimension is no power of two from 64 to 4096");
        }
        let Some((bits, rest)) = body.split_at_checked(dim / 8) else {
            return malformed("it ends within its bits");
        };
        let (magnitudes, offset) = match (flags, rest) {
            (0, []) => (None, None),
            (HAS_OFFSET, &[a, b, c, d]) => (None, Some(f32::from_be_bytes([a, b, c, d]))),
            (HAS_MAGNITUDES, rest) if rest.len() == bits.len() => (Some(Zeroizing::new(rest.to_vec())), None),
            (0 | HAS_OFFSET | HAS_MAGNITUDES, _) => return malformed("its length does not fit its header"),
            _ => return malformed("it has both flags"),
        };
        if offset.is_some_and(|offset| !(-MAX_OFFSET..=MAX_OFFSET).contains(&offset)) {
            return malformed("its offset is not the inner product of two vectors of the unit ball");
        }
        Ok(Self { bits: Zeroizing::new(bits.to_vec()), magnitudes, offset })
    }

    /// Coordinate i is bit i & 7 of byte i >> 3; set if it is not negative.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The same for magnitudes, set if it is large; of two bits a coordinate.
    #[must_use]
    pub fn magnitudes(&self) -> Option<&[u8]> {
        self.magnitudes.as_ref().map(|magnitudes| magnitudes.as_slice())
    }

    /// ⟨o, c⟩ where o is the template and c the centre.
    #[must_use]
    pub fn offset(&self) -> Option<f32> {
        self.offset
    }
}

impl fmt::Debug for Sketch {
    /// The shape only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sketch").field("dim", &self.dim()).finish_non_exhaustive()
    }
}

impl Drop for Sketch {
    fn drop(&mut self) {
        // The bits wipe themselves.
        zeroize::Zeroize::zeroize(&mut self.offset);
    }
}

/// 1 and what rounding may add.
const MAX_OFFSET: f32 = 1.01;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(dim: usize, offset: Option<f32>) -> Sketch {
        let bits = (0..dim / 8).map(|i| (i * 73 + 5) as u8).collect();
        Sketch::new(Zeroizing::new(bits), offset)
    }

    fn of_two_bits(dim: usize, magnitude: u8) -> Sketch {
        let signs = Zeroizing::new(sketch(dim, None).bits().to_vec());
        Sketch::of_two_bits(signs, Zeroizing::new(vec![magnitude; dim / 8]))
    }

    fn reason(bytes: &[u8]) -> &'static str {
        match Sketch::from_bytes(bytes) {
            Err(Malformed { reason }) => reason,
            Ok(_) => "accepted",
        }
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let mut expected = vec![1, 1, 0, 64];
        expected.extend([5, 78, 151, 224, 41, 114, 187, 4]);
        expected.extend([0x3f, 0x40, 0, 0]);
        assert_eq!(*sketch(64, Some(0.75)).to_bytes(), expected);
        assert_eq!(sketch(512, None).to_bytes().len(), 4 + 64);
        let mut expected = vec![1, 2, 0, 64];
        expected.extend([5, 78, 151, 224, 41, 114, 187, 4]);
        expected.extend([9; 8]);
        assert_eq!(*of_two_bits(64, 9).to_bytes(), expected);
        assert_eq!(sketch(4096, Some(0.0)).to_bytes()[..4], [1, 1, 16, 0]);
    }

    #[test]
    fn every_malformation_is_refused_by_its_own_rule() {
        let good = sketch(64, Some(0.5)).to_bytes().to_vec();
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        assert_eq!(reason(&good), "accepted");
        assert_eq!(reason(&good[..3]), "it is shorter than its header");
        assert_eq!(reason(&with(0, 0)), "its version is unknown");
        assert_eq!(reason(&with(0, 2)), "its version is unknown");
        assert_eq!(reason(&with(1, 4)), "it has an unknown flag");
        assert_eq!(reason(&with(1, 3)), "it has both flags");
        assert_eq!(reason(&with(1, 2)), "its length does not fit its header");
        let of_two_bits = of_two_bits(64, 9).to_bytes();
        assert_eq!(reason(&of_two_bits), "accepted");
        assert_eq!(reason(&of_two_bits[..19]), "its length does not fit its header");
        assert_eq!(reason(&[&of_two_bits[..], &[0]].concat()), "its length does not fit its header");
        assert_eq!(reason(&with(1, 0)), "its length does not fit its header");
        for dim in [0, 1, 32, 63, 65, 96] {
            assert_eq!(reason(&with(3, dim)), "its dimension is no power of two from 64 to 4096");
        }
        assert_eq!(reason(&with(2, 32)), "its dimension is no power of two from 64 to 4096");
        assert_eq!(reason(&with(3, 128)), "it ends within its bits");
        assert_eq!(reason(&good[..11]), "it ends within its bits");
        assert_eq!(reason(&good[..15]), "its length does not fit its header");
        assert_eq!(reason(&[&good[..], &[0]].concat()), "its length does not fit its header");
        for offset in [f32::NAN, f32::INFINITY, -1.5, 2.0] {
            let mut bytes = good.clone();
            bytes[12..].copy_from_slice(&offset.to_be_bytes());
            assert_eq!(reason(&bytes), "its offset is not the inner product of two vectors of the unit ball");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_has_that_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            if let Ok(sketch) = Sketch::from_bytes(&bytes) {
                prop_assert_eq!(&*sketch.to_bytes(), &bytes);
            }
        }

        #[test]
        fn it_survives_the_round_trip(
            exponent in 6u32..=12,
            seed in any::<u8>(),
            offset in prop::option::of(-1f32..=1.0),
            two_bits in any::<bool>(),
        ) {
            let bits = |seed: u8| Zeroizing::new((0..(1usize << exponent) / 8).map(|i| (i as u8).wrapping_mul(seed)).collect());
            let before = match two_bits {
                true => Sketch::of_two_bits(bits(seed), bits(seed.wrapping_add(7))),
                false => Sketch::new(bits(seed), offset),
            };
            let after = Sketch::from_bytes(&before.to_bytes()).unwrap();
            prop_assert_eq!(before.bits(), after.bits());
            prop_assert_eq!(before.magnitudes(), after.magnitudes());
            prop_assert_eq!(before.offset(), after.offset());
        }
    }
}
