use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::moments::{Known, Levels};
use crate::planes::Cut;
use crate::{Error, MAX_DIM, MIN_DIM, Probe, Query, Sketch};

/// Turns rotated vectors into sketches and probes.
///
/// The quantizer is data-oblivious: nothing is trained on anyone, so nothing needs unlearning. It keeps one bit of a coordinate,
/// its sign; or two, also whether its magnitude is a large one. All are scanned by their signs. With magnitudes, what the scan lets pass
/// is estimated with half the error, so that far fewer templates must be compared exactly; they take as much memory again as signs do.
///
/// Some models' vectors share a large mean,
/// and signs around the origin then tell people apart poorly; for them the quantizer takes signs
/// around a *centre*, a constant of the model:
///
/// ⟨q, o⟩ = ⟨q − c, o − c⟩ + ⟨q, c⟩ + ⟨o, c⟩ − |c|²
///
/// of which only the first term is estimated. Exact scores know nothing of the centre.
pub struct Quantizer {
    dim: usize,
    bits: Bits,
    centre: Option<Centre>,
    /// Moments for the thresholds that were asked for last.
    known: Arc<Known>,
}

/// What a sketch has of each coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bits {
    /// Its sign.
    One,
    /// Its sign, and whether it is large.
    Two,
}

struct Centre {
    coordinates: Zeroizing<Vec<f32>>,
    /// |c|².
    squared: f64,
}

/// How far the squared length of a unit vector may be from 1: vectors come from half precision too.
const UNIT_TOLERANCE: f64 = 1e-3;

impl Quantizer {
    /// `dim` is the padded dimension, a power of two from 64 to 4096. `centre`, if any, is the model's
    /// centre after the same rotation and padding as all other vectors.
    ///
    /// # Errors
    /// [`Error::UnsupportedDimension`]; [`Error::Dimension`], [`Error::NotFinite`] or
    /// [`Error::Centre`] for a centre that does not fit.
    pub fn new(dim: usize, centre: Option<&[f32]>) -> Result<Self, Error> {
        if !dim.is_power_of_two() || !(MIN_DIM..=MAX_DIM).contains(&dim) {
            return Err(Error::UnsupportedDimension { dim });
        }
        let centre = centre.map(|centre| Centre::new(dim, centre)).transpose()?;
        Ok(Self { dim, bits: Bits::One, centre, known: Arc::new(Known::new(dim, &Levels::SIGNS)) })
    }

    /// A quantizer of two bits a coordinate, around no centre.
    ///
    /// # Errors
    /// [`Error::UnsupportedDimension`].
    pub fn of_two_bits(dim: usize) -> Result<Self, Error> {
        let known = Arc::new(Known::new(dim, &Levels::TWO_BITS));
        Ok(Self { bits: Bits::Two, known, ..Self::new(dim, None)? })
    }

    /// Number of coordinates.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Whether signs are taken around a centre.
    #[must_use]
    pub fn has_centre(&self) -> bool {
        self.centre.is_some()
    }

    /// Whether sketches have two bits a coordinate.
    #[must_use]
    pub fn has_magnitudes(&self) -> bool {
        self.bits == Bits::Two
    }

    /// The sketch of a template: a rotated, padded unit vector.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::NotUnit`].
    pub fn sketch(&self, template: &[f32]) -> Result<Sketch, Error> {
        check_unit(self.dim, template)?;
        let mut bits = Zeroizing::new(vec![0u8; self.dim / 8]);
        match &self.centre {
            None => pack_signs(template.iter().copied(), &mut bits),
            Some(centre) => pack_signs(centre.residual(template), &mut bits),
        }
        if self.bits == Bits::Two {
            let mut magnitudes = Zeroizing::new(vec![0u8; self.dim / 8]);
            let from = (Levels::TWO_BITS.from / (self.dim as f64).sqrt()) as f32;
            pack_signs(template.iter().map(|y| y.abs() - from), &mut magnitudes);
            return Ok(Sketch::of_two_bits(bits, magnitudes));
        }
        let offset = self.centre.as_ref().map(|c| inner(template, &c.coordinates) as f32);
        Ok(Sketch::new(bits, offset))
    }

    /// A probe: a rotated, padded unit vector, prepared for comparison with many sketches.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::NotUnit`].
    pub fn probe(&self, probe: &[f32]) -> Result<Probe, Error> {
        check_unit(self.dim, probe)?;
        Ok(match &self.centre {
            None => Probe::new(probe, self.bits, &self.known, None),
            Some(centre) => {
                let residual = Zeroizing::new(centre.residual(probe).collect::<Vec<f32>>());
                Probe::new(&residual, self.bits, &self.known, Some((inner(probe, &centre.coordinates), centre.squared)))
            }
        })
    }

    /// The estimated cosine of one pair, if a gallery would find it a candidate: the same decision, a coordinate at a time.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if either comes from another quantizer.
    pub fn candidate(&self, query: &Query, sketch: &Sketch) -> Result<Option<f32>, Error> {
        self.check_probe(query.probe())?;
        let radius = self.radius(sketch)?;
        let passed = match query.coarse() {
            Cut::Constant(least) => query.probe().agreeing(sketch.bits()) >= least,
            // Loses nothing that the estimate would let pass.
            Cut::Curve { .. } => true,
        };
        let sum = || query.probe().sum(sketch.bits(), sketch.magnitudes());
        Ok(if passed { query.estimate(radius, sum()) } else { None })
    }

    pub(crate) fn check_probe(&self, probe: &Probe) -> Result<(), Error> {
        let alike = probe.bits() == self.bits && probe.has_centre() == self.has_centre();
        let same = probe.dim() == self.dim && alike;
        if same { Ok(()) } else { Err(Error::Mismatch) }
    }

    /// |o − c| of a template, from its sketch; 1 without a centre.
    pub(crate) fn radius(&self, sketch: &Sketch) -> Result<f32, Error> {
        match (&self.centre, sketch.offset()) {
            _ if sketch.dim() != self.dim || sketch.magnitudes().is_some() != self.has_magnitudes() => {
                Err(Error::Mismatch)
            }
            (None, None) => Ok(1.0),
            (Some(centre), Some(offset)) => Ok(centre.radius(offset)),
            (None, Some(_)) | (Some(_), None) => Err(Error::Mismatch),
        }
    }

    /// The inverse of [`radius`](Self::radius), up to rounding.
    pub(crate) fn offset(&self, radius: f32) -> Option<f32> {
        let centre = self.centre.as_ref()?;
        Some(((1.0 + centre.squared - f64::from(radius).powi(2)) / 2.0) as f32)
    }
}

impl fmt::Debug for Quantizer {
    /// A rotated centre tells something of the tenant's key: only the shape is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quantizer")
            .field("dim", &self.dim)
            .field("bits", &self.bits)
            .field("has_centre", &self.has_centre())
            .finish_non_exhaustive()
    }
}

impl Centre {
    fn new(dim: usize, coordinates: &[f32]) -> Result<Self, Error> {
        let squared = check_finite(dim, coordinates)?;
        if squared > 1.0 + UNIT_TOLERANCE {
            return Err(Error::Centre { norm: squared.sqrt() as f32 });
        }
        Ok(Self { coordinates: Zeroizing::new(coordinates.to_vec()), squared })
    }

    fn residual<'a>(&'a self, vector: &'a [f32]) -> impl ExactSizeIterator<Item = f32> + 'a {
        vector.iter().zip(self.coordinates.iter()).map(|(v, c)| v - c)
    }

    /// |o − c|, from |o − c|² = 1 − 2⟨o, c⟩ + |c|². Kept off zero, where it is divided by: a template
    /// that close to the centre has no direction to estimate.
    fn radius(&self, offset: f32) -> f32 {
        const LEAST: f32 = 1e-6;
        let squared = 1.0 - 2.0 * f64::from(offset) + self.squared;
        (squared.max(0.0).sqrt() as f32).max(LEAST)
    }
}

fn pack_signs(coordinates: impl Iterator<Item = f32>, bits: &mut [u8]) {
    for (i, coordinate) in coordinates.enumerate() {
        bits[i >> 3] |= u8::from(coordinate >= 0.0) << (i & 7);
    }
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn check_unit(dim: usize, vector: &[f32]) -> Result<(), Error> {
    let squared = check_finite(dim, vector)?;
    if (squared - 1.0).abs() > UNIT_TOLERANCE {
        return Err(Error::NotUnit { norm: squared.sqrt() as f32 });
    }
    Ok(())
}

/// The squared length of a vector that has the right shape.
fn check_finite(dim: usize, vector: &[f32]) -> Result<f64, Error> {
    if vector.len() != dim {
        return Err(Error::Dimension { expected: dim, found: vector.len() });
    }
    let squared = inner(vector, vector);
    // Finite coordinates of at most 4096 dimensions cannot overflow a double.
    if squared.is_finite() { Ok(squared) } else { Err(Error::NotFinite) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OperatingPoint;

    fn axis(dim: usize, i: usize) -> Vec<f32> {
        let mut v = vec![0.0; dim];
        v[i] = 1.0;
        v
    }

    #[test]
    fn only_supported_dimensions_and_centres_are_taken() {
        for dim in [0, 1, 32, 63, 100, 8192] {
            assert!(matches!(Quantizer::new(dim, None), Err(Error::UnsupportedDimension { .. })));
        }
        for dim in [64, 128, 256, 512, 1024, 2048, 4096] {
            assert_eq!(Quantizer::new(dim, None).unwrap().dim(), dim);
        }
        let refused = |centre: &[f32]| Quantizer::new(64, Some(centre)).map(|_| ()).unwrap_err();
        assert!(matches!(refused(&[0.0; 63]), Error::Dimension { expected: 64, found: 63 }));
        assert!(matches!(refused(&[f32::NAN; 64]), Error::NotFinite));
        assert!(matches!(refused(&[0.2; 64]), Error::Centre { .. }));
        assert!(Quantizer::new(64, Some(&[0.1; 64])).unwrap().has_centre());
    }

    #[test]
    fn only_unit_vectors_are_taken() {
        let quantizer = Quantizer::new(64, None).unwrap();
        let refused = |v: &[f32]| {
            let by_sketch = quantizer.sketch(v).map(|_| ()).unwrap_err();
            let by_probe = quantizer.probe(v).map(|_| ()).unwrap_err();
            assert_eq!(by_sketch.to_string(), by_probe.to_string());
            by_sketch
        };
        assert!(matches!(refused(&[0.125; 65]), Error::Dimension { .. }));
        assert!(matches!(refused(&[0.126; 64]), Error::NotUnit { .. }));
        assert!(matches!(refused(&[0.0; 64]), Error::NotUnit { .. }));
        assert!(matches!(refused(&[f32::INFINITY; 64]), Error::NotFinite));
        assert!(quantizer.sketch(&[0.125; 64]).is_ok());
    }

    #[test]
    fn bits_are_signs_in_order() {
        let quantizer = Quantizer::new(64, None).unwrap();
        let mut template = vec![-0.125f32; 64];
        for i in [0, 9, 63] {
            template[i] = 0.125;
        }
        let sketch = quantizer.sketch(&template).unwrap();
        assert_eq!(sketch.bits(), [1, 2, 0, 0, 0, 0, 0, 0x80]);
        assert!(!sketch.has_offset());

        // Around a centre, signs are those of the difference.
        let mut centre = vec![0.0; 64];
        centre[9] = 0.5;
        let around = Quantizer::new(64, Some(&centre)).unwrap().sketch(&template).unwrap();
        assert_eq!(around.bits(), [1, 0, 0, 0, 0, 0, 0, 0x80]);
        assert_eq!(around.offset(), Some(0.0625));
    }

    #[test]
    fn magnitudes_are_large_from_the_level_on() {
        let quantizer = Quantizer::of_two_bits(64).unwrap();
        // Three small ones for each large one; the mean coordinate is 1/8.
        let mut template = vec![0.05f32; 64];
        (0..64).step_by(4).for_each(|i| template[i] = -(0.25f32.powi(2) - 3.0 * 0.05f32.powi(2)).sqrt());
        let sketch = quantizer.sketch(&template).unwrap();
        assert_eq!(sketch.bits(), [0b1110_1110; 8]);
        assert_eq!(sketch.magnitudes(), Some(&[0b0001_0001; 8][..]));
        assert!(!sketch.has_offset());
    }

    #[test]
    fn a_template_at_the_centre_still_has_an_estimate() {
        let centre = axis(64, 3);
        let quantizer = Quantizer::new(64, Some(&centre)).unwrap();
        let all = OperatingPoint::new(-1.0, 1e-4).unwrap();
        let sketch = quantizer.sketch(&centre).unwrap();
        let estimate = |vector: &[f32]| {
            let query = Query::new(quantizer.probe(vector).unwrap(), all);
            quantizer.candidate(&query, &sketch).unwrap().unwrap()
        };
        assert!(estimate(&axis(64, 5)).abs() < 1e-5);
        assert!((estimate(&centre) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn quantizers_do_not_mix() {
        let plain = Quantizer::new(64, None).unwrap();
        let wide = Quantizer::new(128, None).unwrap();
        let centred = Quantizer::new(64, Some(&[0.0; 64])).unwrap();
        let at = OperatingPoint::new(0.4, 1e-4).unwrap();
        let query = |of: &Quantizer| Query::new(of.probe(&axis(of.dim(), 0)).unwrap(), at);
        let sketch = |of: &Quantizer| of.sketch(&axis(of.dim(), 0)).unwrap();
        assert!(plain.candidate(&query(&plain), &sketch(&plain)).is_ok());
        let of_two_bits = Quantizer::of_two_bits(64).unwrap();
        for other in [&wide, &centred, &of_two_bits] {
            for (query, sketch) in [(query(other), sketch(&plain)), (query(&plain), sketch(other))] {
                assert!(matches!(plain.candidate(&query, &sketch), Err(Error::Mismatch)));
                assert!(matches!(other.candidate(&query, &sketch), Err(Error::Mismatch)));
            }
        }
    }

    #[test]
    fn radius_and_offset_are_inverse() {
        let mut centre = vec![0.0; 64];
        centre[0] = 0.9;
        let quantizer = Quantizer::new(64, Some(&centre)).unwrap();
        for offset in [-0.9f32, 0.0, 0.5, 0.83, 0.9] {
            let sketch = Sketch::new(Zeroizing::new(vec![0; 8]), Some(offset));
            let radius = quantizer.radius(&sketch).unwrap();
            assert!((quantizer.offset(radius).unwrap() - offset).abs() < 1e-6);
        }
    }
}
