//! The keyed transform: a rotation of embedding space that differs per tenant and can be renewed.
//!
//! Three rounds of random sign flips and a normalised fast Walsh–Hadamard transform (the structured
//! random rotation of Ailon & Chazelle, "The Fast Johnson–Lindenstrauss Transform", 2009, and Andoni et
//! al., "Practical and Optimal LSH for Angular Distance", NeurIPS 2015). Orthogonal, so norms and cosines
//! stay what they were, up to rounding.
//!
//! It makes sketches of two tenants incomparable and renewable (ISO/IEC 24745: unlinkability,
//! renewability). It is *not* what keeps embeddings confidential: a rotation falls to known pairs.

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::kdf::{self, Label};
use crate::secret::TransformSeed;

/// Rounds of flips and mixing: three make every output coordinate depend on all inputs with the
/// statistics of a random rotation.
pub const ROUNDS: usize = 3;

/// The largest dimension a transform is made for, after padding.
pub const MAX_DIMENSION: usize = 16384;

/// Sign of an IEEE 754 single.
const SIGN: u32 = 1 << 31;

/// The orthogonal transform of one tenant for vectors of one dimension.
pub struct KeyedTransform {
    dimension: usize,
    /// For each round, the bits to flip in each coordinate: [`SIGN`] or 0.
    flips: [Zeroizing<Vec<u32>>; ROUNDS],
}

impl KeyedTransform {
    /// The transform of this seed for vectors of `dimension` coordinates. Different dimensions have
    /// unrelated transforms.
    ///
    /// # Errors
    /// [`Error::Dimension`] if `dimension` is 0 or beyond [`MAX_DIMENSION`].
    pub fn new(seed: &TransformSeed, dimension: usize) -> Result<Self> {
        if dimension == 0 || dimension > MAX_DIMENSION {
            return Err(Error::Dimension { expected: MAX_DIMENSION, found: dimension });
        }
        let padded = dimension.next_power_of_two();
        // The dimension is at most MAX_DIMENSION.
        let named = (dimension as u32).to_be_bytes();
        let flips = std::array::from_fn(|round| {
            let mut bits = Zeroizing::new(vec![0; padded.div_ceil(8)]);
            kdf::expand(seed.expose(), Label::TRANSFORM_SIGNS, &[&named, &[round as u8]], &mut bits);
            let flip = |i: usize| if bits[i / 8] >> (i % 8) & 1 == 1 { SIGN } else { 0 };
            Zeroizing::new((0..padded).map(flip).collect())
        });
        Ok(Self { dimension, flips })
    }

    /// Coordinates a vector must have.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Coordinates a rotated vector has: the dimension, padded to a power of two.
    #[must_use]
    pub fn padded_dimension(&self) -> usize {
        self.dimension.next_power_of_two()
    }

    /// Rotates a vector; the result has [`KeyedTransform::padded_dimension`] coordinates and the same
    /// norm, and is the same on every machine. It is wiped when dropped.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn rotate(&self, vector: &[f32]) -> Result<Zeroizing<Vec<f32>>> {
        let mut out = Zeroizing::new(vec![0.0; self.padded_dimension()]);
        self.rotate_into(vector, &mut out)?;
        Ok(out)
    }

    /// As [`KeyedTransform::rotate`], into a buffer of the caller's.
    ///
    /// # Errors
    /// [`Error::Dimension`] if `vector` or `out` has the wrong length.
    pub fn rotate_into(&self, vector: &[f32], out: &mut [f32]) -> Result<()> {
        expect_dimension(self.dimension, vector.len())?;
        expect_dimension(self.padded_dimension(), out.len())?;
        let (head, padding) = out.split_at_mut(vector.len());
        head.copy_from_slice(vector);
        padding.fill(0.0);
        for flips in &self.flips {
            for (x, flip) in out.iter_mut().zip(flips.iter()) {
                *x = f32::from_bits(x.to_bits() ^ flip);
            }
            walsh_hadamard(out);
        }
        Ok(())
    }
}

impl std::fmt::Debug for KeyedTransform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedTransform").field("dimension", &self.dimension).finish_non_exhaustive()
    }
}

/// The normalised Walsh–Hadamard transform, in place; the length is a power of two. Sums are taken in
/// a fixed order, so that results do not depend on the machine.
fn walsh_hadamard(x: &mut [f32]) {
    let mut half = 1;
    while half < x.len() {
        for block in x.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (x.len() as f32).sqrt();
    for value in x {
        *value *= scale;
    }
}

fn expect_dimension(expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Dimension { expected, found }) }
}

#[cfg(test)]
mod tests;
