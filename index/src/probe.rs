//! A probe as steps and as look-up tables.
//!
//! The scan adds small integers, a step for each coordinate whose sign agrees. What passes it is *estimated*: for each group of
//! 4 coordinates a table holds 16 values, one for each sign pattern a template may have there, and the estimate is a sum of
//! table entries: of one for each group for signs alone, of three with magnitudes. A candidate is what reaches the cut of the scan and that of the estimate.
//!
//! Without a centre the scan is a coarser estimate with a wider margin, which has a part of the miss probability for itself
//! ([`OperatingPoint`]). Its steps are 0 to 3: small coordinates have none, as they say little of a template, and reading their
//! signs costs as much as reading those of large ones. Any steps would do, as the margin follows from what they are: these
//! add up to a deviation a ninth larger than that of the coordinates themselves, from 55 signs of 100, and cost four tenths of
//! the additions that steps of five bits would.
//!
//! Around a centre templates have a margin each, and the scan must not cost any of it. There each coordinate's magnitude |yᵢ| is
//! rounded to kᵢ/a with one scale a for all, such that no k passes 31. The only error is then the rounding of the coordinates,
//! at most Σ ||yᵢ| − kᵢ/a|, a number known for each probe, and the scan's threshold is lowered by that: it loses nothing that the
//! estimate would let pass.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::OperatingPoint;
use crate::margin::Margins;
use crate::moments::{Known, Levels};
use crate::planes::{Cut, SETS, STEP_BITS, Steps};
use crate::quantizer::Bits;

/// Coordinates of a table.
const SUB_DIM: usize = 4;

/// Sign patterns of so many coordinates.
const PATTERNS: usize = 1 << SUB_DIM;

/// The largest step.
const MOST: u8 = (1 << STEP_BITS) - 1;

/// Without a centre: the coordinates that have a step, what one step is worth, both as multiples of the mean coordinate, 1/√d, and
/// the largest step.
const LEAST: f64 = 0.6;
const UNIT: f64 = 0.75;
const MOST_COARSE: f64 = 3.0;

/// A probe prepared for comparison with many sketches; wiped on drop, but for a few sums over all coordinates.
pub struct Probe {
    dim: usize,
    bits: Bits,
    known: Arc<Known>,
    /// Entries 16m … 16m + 15 belong to coordinates 4m … 4m + 3; bit j of the index is set where the
    /// template's coordinate 4m + j is not negative.
    exact: Zeroizing<Vec<f32>>,
    /// Magnitudes of the coordinates of a unit vector; without a centre also their steps.
    magnitudes: Zeroizing<Vec<f64>>,
    steps: Zeroizing<Vec<f64>>,
    /// Numbers of the coordinates whose steps have a bit, for each bit those of positive coordinates and those of negative
    /// ones, and where each of these sets ends.
    planes: Zeroizing<Vec<u16>>,
    ends: [usize; SETS],
    /// Sum of the steps of negative coordinates.
    none: u32,
    /// Largest possible sum of steps: Σ kᵢ.
    largest: f64,
    /// Steps to one unit of the vector's coordinates, a, and the largest possible error of the signed sum of steps,
    /// Σ ||yᵢ| − kᵢ/a|; with a centre.
    rounding: Option<(f64, f64)>,
    /// |q − c|; |q| without a centre.
    radius: f64,
    /// ⟨q, c⟩ and |c|².
    centre: Option<(f64, f64)>,
}

impl Probe {
    /// `residual` is the rotated vector less the centre; `centre` is ⟨q, c⟩ and |c|².
    pub(crate) fn new(residual: &[f32], bits: Bits, known: &Arc<Known>, centre: Option<(f64, f64)>) -> Self {
        let magnitudes = Zeroizing::new(residual.iter().map(|y| f64::from(y.abs())).collect::<Vec<_>>());
        let radius = magnitudes.iter().map(|y| y * y).sum::<f64>().sqrt();
        let (steps, rounding) = match centre {
            None => (coarse_steps(&magnitudes, radius), None),
            Some(_) => {
                let scale = scale(&magnitudes);
                let steps: Zeroizing<Vec<u8>> =
                    Zeroizing::new(magnitudes.iter().map(|y| (y * scale).round() as u8).collect());
                let error = magnitudes.iter().zip(&*steps).map(|(y, &k)| (y - f64::from(k) / scale).abs()).sum();
                (steps, Some((scale, error)))
            }
        };
        let of_unit = Zeroizing::new(magnitudes.iter().map(|y| y / radius.max(f64::MIN_POSITIVE)).collect::<Vec<_>>());
        let weights = Zeroizing::new(match centre {
            None => steps.iter().map(|&k| f64::from(k)).collect::<Vec<_>>(),
            Some(_) => Vec::new(),
        });

        let mut exact = Zeroizing::new(vec![0f32; residual.len() / SUB_DIM * PATTERNS]);
        for (values, exact) in residual.chunks_exact(SUB_DIM).zip(exact.chunks_exact_mut(PATTERNS)) {
            for (pattern, entry) in exact.iter_mut().enumerate() {
                for (j, &value) in values.iter().enumerate() {
                    *entry += if pattern >> j & 1 == 1 { value } else { -value };
                }
            }
        }
        let negative = Zeroizing::new(residual.iter().map(|&y| y < 0.0).collect::<Vec<_>>());
        let (planes, ends, none) = sets(&steps, &negative);
        Self {
            dim: residual.len(),
            bits,
            known: Arc::clone(known),
            exact,
            magnitudes: of_unit,
            steps: weights,
            planes,
            ends,
            none,
            largest: steps.iter().map(|&k| f64::from(k)).sum(),
            rounding,
            radius,
            centre,
        }
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// What it can be compared with.
    pub(crate) fn bits(&self) -> Bits {
        self.bits
    }

    fn levels(&self) -> &'static Levels {
        self.known.levels()
    }

    pub(crate) fn has_centre(&self) -> bool {
        self.centre.is_some()
    }

    pub(crate) fn steps(&self) -> Steps<'_> {
        Steps { planes: &self.planes, ends: &self.ends, none: self.none }
    }

    /// The sum of the steps of coordinates whose sign agrees with a template's.
    pub(crate) fn agreeing(&self, bits: &[u8]) -> u32 {
        let Steps { planes, ends, none } = self.steps();
        let (mut sum, mut start) = (none, 0);
        for (set, &end) in ends.iter().enumerate() {
            let is_set = |plane: &&u16| bits[usize::from(**plane) / 8] >> (**plane % 8) & 1 == 1;
            let count = planes[start..end].iter().filter(is_set).count() as u32;
            // A sign that is set agrees with a positive coordinate.
            if set % 2 == 0 {
                sum += count << (set / 2)
            } else {
                sum -= count << (set / 2)
            }
            start = end;
        }
        sum
    }

    /// ⟨q − c, x⟩ where x are a template's signs, each times its magnitude's level if it has one: sums over the exact tables.
    pub(crate) fn sum(&self, signs: &[u8], magnitudes: Option<&[u8]>) -> f32 {
        let Some(magnitudes) = magnitudes else { return self.of_tables(signs.iter().copied()) };
        // A table adds what is set and takes away the rest: between two patterns the rest goes out.
        let large = self.of_tables(signs.iter().zip(magnitudes).map(|(sign, large)| large & sign))
            - self.of_tables(signs.iter().zip(magnitudes).map(|(sign, large)| large & !sign));
        let Levels { small: level, large: other, .. } = *self.levels();
        level as f32 * self.of_tables(signs.iter().copied()) + ((other - level) / 2.0) as f32 * large
    }

    /// The sum of what is set in a pattern less the sum of what is not.
    fn of_tables(&self, pattern: impl Iterator<Item = u8>) -> f32 {
        let (mut even, mut odd) = (0f32, 0f32);
        for (tables, byte) in self.exact.chunks_exact(2 * PATTERNS).zip(pattern) {
            even += tables[usize::from(byte & 15)];
            odd += tables[PATTERNS + usize::from(byte >> 4)];
        }
        even + odd
    }

    /// The estimated cosine to a template with |o − c| = `radius` and this sum.
    pub(crate) fn estimate(&self, radius: f32, sum: f32) -> f32 {
        let r = f64::from(radius);
        (self.known(r) + r * f64::from(sum) / self.unit_sum()) as f32
    }

    /// Around a centre: the estimate from which on such a template is a candidate.
    pub(crate) fn cut(&self, radius: f32, at: OperatingPoint, margins: &Margins) -> f32 {
        (f64::from(at.threshold()) - self.margin(f64::from(radius), at, margins)) as f32
    }

    fn margin(&self, radius: f64, at: OperatingPoint, margins: &Margins) -> f64 {
        let product = self.radius * radius;
        // The residuals' cosine in a pair whose similarity is the threshold.
        let cosine = (f64::from(at.threshold()) - self.known(radius)) / product.max(f64::MIN_POSITIVE);
        product * margins.at(cosine)
    }

    /// What of the similarity is known without the signs: ⟨q, c⟩ + ⟨o, c⟩ − |c|².
    fn known(&self, radius: f64) -> f64 {
        let Some((along, squared)) = self.centre else { return 0.0 };
        along + (1.0 - squared - radius * radius) / 2.0
    }

    /// What the sum grows by with the cosine. Of signs √(2d/π), the expected sum of the coordinates' magnitudes of a random unit vector.
    fn unit_sum(&self) -> f64 {
        self.levels().slope(self.dim)
    }

    /// The scan's cut, and how far below the threshold an estimate may lie: around a centre, that of a template as far from it
    /// as the probe, and what all others' follow from.
    pub(crate) fn cuts(&self, at: OperatingPoint) -> (Cut, f64, Option<Margins>) {
        let (Some((along, squared)), Some((scale, error))) = (self.centre, self.rounding) else {
            let (scan, estimate) = at.least(&self.magnitudes, &self.steps, &self.known);
            // Of steps that agree n, of all Σk, and signed S = 2n − Σk. A whole n stands for half a step to either side of it:
            // that half is taken off. No sum is above the largest, so what asks for more keeps none.
            let least = ((scan - 1.0 + self.largest) / 2.0).ceil().clamp(0.0, self.largest + 1.0);
            // Opposites are estimated too high; a margin is none that takes away.
            let margin = (f64::from(at.threshold()) - self.radius * estimate / self.unit_sum()).max(0.0);
            return (Cut::Constant(least as u32), margin, None);
        };
        // No template at or above its cut fails. Integer sum n and signed sum S: n = (a S + Σk) / 2, with S off by at most
        // `error`. The step taken off at the end is worth more than any rounding in between.
        let steps = |signed: f64| (scale * (signed - error) + self.largest) / 2.0 - 1.0;
        // Estimate ≥ cut ⇔ S / √(2d/π) ≥ (t − known(r) − margin) / r, where t − known(r) = A + r²/2.
        // Margins differ a little from template to template; the widest is taken for all.
        let a = f64::from(at.threshold()) - along - (1.0 - squared) / 2.0;
        let margins = at.margins(&self.magnitudes, &self.known);
        let widest = self.radius * margins.widest();
        let slope = scale * self.unit_sum() / 2.0;
        let plus = steps(-widest * self.unit_sum()) as f32;
        let curve = Cut::Curve { over: (slope * a) as f32, times: (slope / 2.0) as f32, plus };
        (curve, self.margin(self.radius, at, &margins), Some(margins))
    }
}

impl fmt::Debug for Probe {
    /// The shape only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("dim", &self.dim).finish_non_exhaustive()
    }
}

/// The scan's steps without a centre, for magnitudes of a vector of this length.
fn coarse_steps(magnitudes: &[f64], radius: f64) -> Zeroizing<Vec<u8>> {
    let mean = radius / (magnitudes.len() as f64).sqrt();
    let step = |y: &f64| if *y < LEAST * mean { 0.0 } else { (y / (UNIT * mean)).round().clamp(1.0, MOST_COARSE) };
    Zeroizing::new(magnitudes.iter().map(|y| step(y) as u8).collect())
}

/// The scale at which the largest coordinate has the largest step.
fn scale(magnitudes: &[f64]) -> f64 {
    let largest = magnitudes.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 { 1.0 } else { f64::from(MOST) / largest }
}

/// Sorts coordinates into sets by the bits of their steps and by their signs; also where each set ends, and the sum of the
/// negative ones' steps. Shared with the kernel's test.
pub(crate) fn sets(steps: &[u8], negative: &[bool]) -> (Zeroizing<Vec<u16>>, [usize; SETS], u32) {
    // Reserved in full: a vector that grows leaves its old buffer behind unwiped.
    let mut planes = Zeroizing::new(Vec::with_capacity(steps.len() * STEP_BITS));
    let ends = std::array::from_fn(|set| {
        let (bit, of_negative) = (set / 2, set % 2 == 1);
        let all = steps.iter().zip(negative).zip(0..);
        let its = all.filter(|((step, negative), _)| **step >> bit & 1 == 1 && **negative == of_negative);
        planes.extend(its.map(|(_, plane)| plane));
        planes.len()
    });
    let none = steps.iter().zip(negative).filter(|(_, negative)| **negative).map(|(step, _)| u32::from(*step)).sum();
    (planes, ends, none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quantizer;

    /// Vectors that try the range of steps: even, concentrated, decaying, alternating in sign.
    fn extremes(dim: usize) -> Vec<Vec<f32>> {
        let shapes: [&dyn Fn(usize) -> f32; 4] =
            [&|_| 1.0, &|i| if i == 0 { 1.0 } else { 0.0 }, &|i| 0.5f32.powi(i as i32 / 8), &|i| {
                if i % 3 == 0 { -1.0 } else { 0.25 }
            }];
        shapes
            .iter()
            .map(|shape| {
                let raw: Vec<f32> = (0..dim).map(shape).collect();
                let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
                raw.iter().map(|x| x / norm).collect()
            })
            .collect()
    }

    /// Steps of each coordinate, back from the sets.
    fn steps_of(probe: &Probe, vector: &[f32]) -> Vec<u32> {
        let mut steps = vec![0u32; vector.len()];
        for (set, &end) in probe.ends.iter().enumerate() {
            let start = if set == 0 { 0 } else { probe.ends[set - 1] };
            for &plane in &probe.planes[start..end] {
                assert_eq!(vector[usize::from(plane)] < 0.0, set % 2 == 1);
                steps[usize::from(plane)] += 1 << (set / 2);
            }
        }
        assert_eq!(f64::from(steps.iter().sum::<u32>()), probe.largest);
        steps
    }

    #[test]
    fn no_step_overflows_and_the_error_is_bounded_as_said() {
        for dim in [64, 128, 512, 1024, 2048, 4096] {
            // Around a centre that takes nothing away, and around none.
            for quantizer in [Quantizer::new(dim, Some(&vec![0.0; dim])), Quantizer::new(dim, None)] {
                let quantizer = quantizer.unwrap();
                for vector in extremes(dim) {
                    let probe = quantizer.probe(&vector).unwrap();
                    let steps = steps_of(&probe, &vector);
                    let most = *steps.iter().max().unwrap();
                    if quantizer.has_centre() {
                        // The scale is not wastefully small either.
                        assert_eq!(most, u32::from(MOST));
                    } else {
                        let step = |y: f32| f64::from(y.abs()) * (dim as f64).sqrt() / UNIT;
                        let as_said = |(&k, &y): (&u32, &f32)| {
                            (k == 0) == (step(y) * UNIT < LEAST)
                                && (k == 0 || (f64::from(k) - step(y).clamp(1.0, 3.0)).abs() <= 0.5)
                        };
                        assert!(steps.iter().zip(&vector).all(as_said), "{dim}");
                    }
                    for shift in 0..16 {
                        let bits: Vec<u8> = (0..dim / 8).map(|i| (i * 37 + shift * 101) as u8).collect();
                        let sign = |i: usize| bits[i >> 3] >> (i & 7) & 1 == 1;
                        let agrees = |i: &usize| sign(*i) == (vector[*i] >= 0.0);
                        let integer: u32 = (0..dim).filter(agrees).map(|i| steps[i]).sum();
                        assert_eq!(probe.agreeing(&bits), integer);
                        let signed = |i: usize| if sign(i) { f64::from(vector[i]) } else { -f64::from(vector[i]) };
                        let truth: f64 = (0..dim).map(signed).sum();
                        assert!((f64::from(probe.sum(&bits, None)) - truth).abs() < 1e-4);
                        if let Some((scale, error)) = probe.rounding {
                            let signed = (2.0 * f64::from(integer) - probe.largest) / scale;
                            assert!((signed - truth).abs() <= error + 1e-9);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn quantisation_costs_little_against_the_noise() {
        // With coordinates of a random vector the bound is about 0.03 as a cosine, whatever the dimension: what a scan lets
        // pass for it is estimated once more, and costs that much time.
        for (dim, limit) in [(64, 0.4), (128, 0.6), (512, 1.2), (1024, 1.7), (4096, 3.4)] {
            let raw: Vec<f32> = (1..=dim)
                .map(|i| {
                    // A low-discrepancy sequence through a rough normal quantile.
                    let u = (i as f32 * 0.618_034).fract().clamp(1e-3, 0.999);
                    (u / (1.0 - u)).ln()
                })
                .collect();
            let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
            let vector: Vec<f32> = raw.iter().map(|x| x / norm).collect();
            let probe = Quantizer::new(dim, Some(&vec![0.0; dim])).unwrap().probe(&vector).unwrap();
            let (_, error) = probe.rounding.unwrap();
            let deviations = error / probe.unit_sum() / (0.755 / (dim as f64).sqrt());
            assert!(deviations < limit, "{dim}: {deviations}");
        }
    }
}
