//! A probe as look-up tables.
//!
//! For each group of 4 coordinates a table holds 16 values, one for each sign pattern a template may
//! have there. The scan adds table entries; it never multiplies.
//!
//! The fast scan adds bytes into 16-bit sums. The bytes are made so that this costs no more precision
//! than it must and cannot go wrong:
//!
//! * each coordinate's magnitude |yᵢ| is rounded to kᵢ/a with one scale a for all, and a pattern's entry
//!   is the sum of the k whose sign it matches. Sums of entries are then exact: the only error is the
//!   rounding of the coordinates, at most Σ ||yᵢ| − kᵢ/a|, a number known for each probe;
//! * a is the largest scale at which no entry passes 255 and no sum passes 65,535, so nothing
//!   saturates or wraps, at 4096 dimensions either.
//!
//! The scan's integer threshold is lowered by that bound. What passes is estimated again over
//! un-quantised tables and held to the exact cut: hence the candidates are precisely the templates whose
//! un-quantised estimate reaches the cut, as if there had been no quantisation.

use std::f64::consts::FRAC_2_PI;
use std::fmt;

use zeroize::Zeroizing;

use crate::OperatingPoint;
use crate::pq4::{Cut, PATTERNS, SUB_DIM};

/// A probe prepared for comparison with many sketches; wiped on drop.
pub struct Probe {
    dim: usize,
    /// Entries 16m … 16m + 15 belong to coordinates 4m … 4m + 3; bit j of the index is set where the
    /// template's coordinate 4m + j is not negative.
    exact: Zeroizing<Vec<f32>>,
    quantised: Zeroizing<Vec<u8>>,
    /// Integer steps of the quantised tables to one unit of the vector's coordinates: a.
    scale: f64,
    /// Largest possible sum over the quantised tables: Σ kᵢ.
    largest: f64,
    /// Largest possible error of the quantised signed sum: Σ ||yᵢ| − kᵢ/a|.
    error: f64,
    /// |q − c|; |q| without a centre.
    radius: f64,
    /// ⟨q, c⟩ and |c|².
    centre: Option<(f64, f64)>,
}

impl Probe {
    /// `residual` is the rotated vector less the centre; `centre` is ⟨q, c⟩ and |c|².
    pub(crate) fn new(residual: &[f32], centre: Option<(f64, f64)>) -> Self {
        let magnitudes = Zeroizing::new(residual.iter().map(|y| f64::from(y.abs())).collect::<Vec<_>>());
        let scale = scale(&magnitudes);
        let steps: Zeroizing<Vec<u8>> = Zeroizing::new(magnitudes.iter().map(|y| (y * scale).round() as u8).collect());
        let error = magnitudes.iter().zip(&*steps).map(|(y, &k)| (y - f64::from(k) / scale).abs()).sum();

        let mut exact = Zeroizing::new(vec![0f32; residual.len() / SUB_DIM * PATTERNS]);
        let mut quantised = Zeroizing::new(vec![0u8; exact.len()]);
        let groups = residual.chunks_exact(SUB_DIM).zip(steps.chunks_exact(SUB_DIM));
        let tables = exact.chunks_exact_mut(PATTERNS).zip(quantised.chunks_exact_mut(PATTERNS));
        for ((values, steps), (exact, quantised)) in groups.zip(tables) {
            for pattern in 0..PATTERNS {
                for (j, (&value, &step)) in values.iter().zip(steps).enumerate() {
                    let positive = pattern >> j & 1 == 1;
                    exact[pattern] += if positive { value } else { -value };
                    if positive == (value >= 0.0) {
                        quantised[pattern] += step;
                    }
                }
            }
        }
        Self {
            dim: residual.len(),
            exact,
            quantised,
            scale,
            largest: steps.iter().map(|&k| f64::from(k)).sum(),
            error,
            radius: magnitudes.iter().map(|y| y * y).sum::<f64>().sqrt(),
            centre,
        }
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn has_centre(&self) -> bool {
        self.centre.is_some()
    }

    pub(crate) fn exact(&self) -> &[f32] {
        &self.exact
    }

    pub(crate) fn quantised(&self) -> &[u8] {
        &self.quantised
    }

    /// |q − c|; 1 without a centre, up to rounding.
    pub(crate) fn radius(&self) -> f64 {
        self.radius
    }

    /// ⟨q − c, s⟩ where s are a template's signs: the sum over the exact tables, in the order in which
    /// the scan adds, so that the two agree to the last bit.
    pub(crate) fn sum(&self, bits: &[u8]) -> f32 {
        let (mut even, mut odd) = (0f32, 0f32);
        for (tables, byte) in self.exact.chunks_exact(2 * PATTERNS).zip(bits) {
            even += tables[usize::from(byte & 15)];
            odd += tables[PATTERNS + usize::from(byte >> 4)];
        }
        even + odd
    }

    /// The estimated cosine to a template with |o − c| = `radius` and signs that add to `sum`.
    pub(crate) fn estimate(&self, radius: f32, sum: f32) -> f32 {
        let r = f64::from(radius);
        (self.known(r) + r * f64::from(sum) / self.unit_sum()) as f32
    }

    /// The estimate from which on such a template is a candidate.
    pub(crate) fn cut(&self, radius: f32, at: OperatingPoint) -> f32 {
        let r = f64::from(radius);
        (f64::from(at.threshold()) - self.margin(r, at)) as f32
    }

    /// How far the estimate of such a template may lie below the threshold.
    pub(crate) fn margin(&self, radius: f64, at: OperatingPoint) -> f64 {
        let product = self.radius * radius;
        // The residuals' cosine in a pair whose similarity is the threshold.
        let cosine = (f64::from(at.threshold()) - self.known(radius)) / product.max(f64::MIN_POSITIVE);
        product * at.margin(self.dim, cosine)
    }

    /// What of the similarity is known without the signs: ⟨q, c⟩ + ⟨o, c⟩ − |c|².
    fn known(&self, radius: f64) -> f64 {
        let Some((along, squared)) = self.centre else { return 0.0 };
        along + (1.0 - squared - radius * radius) / 2.0
    }

    /// Expected sum of the coordinates' magnitudes of a random unit vector: √(2d/π).
    fn unit_sum(&self) -> f64 {
        (FRAC_2_PI * self.dim as f64).sqrt()
    }

    /// Thresholds on the integer sum that no template at or above its [`cut`](Self::cut) fails.
    pub(crate) fn coarse(&self, at: OperatingPoint) -> Cut {
        // Integer sum n and signed sum S: n = (a S + Σk) / 2, with S off by at most `error`. The step
        // taken off at the end is worth far more than any rounding in between.
        let steps = |signed: f64| (self.scale * (signed - self.error) + self.largest) / 2.0 - 1.0;
        let Some((along, squared)) = self.centre else {
            let signed = f64::from(self.cut(1.0, at)) * self.unit_sum();
            return Cut::constant(steps(signed));
        };
        // Estimate ≥ cut ⇔ S / √(2d/π) ≥ (t − known(r) − margin) / r, where t − known(r) = A + r²/2.
        // Margins differ a little from template to template; the widest is taken for all.
        let a = f64::from(at.threshold()) - along - (1.0 - squared) / 2.0;
        let widest = self.radius * at.widest(self.dim);
        let slope = self.scale * self.unit_sum() / 2.0;
        Cut::curve(slope * a, slope / 2.0, steps(-widest * self.unit_sum()))
    }
}

impl fmt::Debug for Probe {
    /// The shape only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("dim", &self.dim).finish_non_exhaustive()
    }
}

/// The largest scale at which every table entry fits a byte and every sum fits the accumulator, counting
/// that rounding may add half a step to each coordinate.
fn scale(magnitudes: &[f64]) -> f64 {
    let rounding = SUB_DIM as f64 / 2.0;
    let groups = magnitudes.chunks_exact(SUB_DIM).map(|group| group.iter().sum::<f64>());
    let (largest, total) = groups.fold((0.0, 0.0), |(max, sum), g| (f64::max(max, g), sum + g));
    if largest == 0.0 {
        return 1.0;
    }
    let by_entry = (f64::from(u8::MAX) - rounding) / largest;
    let by_sum = (f64::from(u16::MAX) - magnitudes.len() as f64 / 2.0) / total;
    by_entry.min(by_sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quantizer;

    /// Vectors that try the byte range: even, concentrated, decaying, alternating in sign.
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

    #[test]
    fn no_entry_and_no_sum_overflows_and_the_error_is_bounded_as_said() {
        for dim in [64, 128, 512, 1024, 2048, 4096] {
            let quantizer = Quantizer::new(dim, None).unwrap();
            for vector in extremes(dim) {
                let probe = quantizer.probe(&vector).unwrap();
                // The largest entry of each table is its Σk: had one wrapped, the total would differ.
                let tables = probe.quantised.chunks_exact(PATTERNS);
                let largest: u32 = tables.map(|t| u32::from(t.iter().copied().max().unwrap())).sum();
                assert_eq!(f64::from(largest), probe.largest);
                assert!(largest <= u32::from(u16::MAX));
                // The scale is not wastefully small either.
                let full = probe.quantised.iter().any(|&entry| entry >= 250);
                assert!(full || largest > 60_000, "{dim}: {largest}");

                for shift in 0..16 {
                    let bits: Vec<u8> = (0..dim / 8).map(|i| (i * 37 + shift * 101) as u8).collect();
                    let integer: u32 = bits
                        .iter()
                        .zip(probe.quantised.chunks_exact(2 * PATTERNS))
                        .map(|(b, t)| u32::from(t[usize::from(b & 15)]) + u32::from(t[PATTERNS + usize::from(b >> 4)]))
                        .sum();
                    let signed = (2.0 * f64::from(integer) - probe.largest) / probe.scale;
                    let truth: f64 = (0..dim)
                        .map(|i| {
                            let y = f64::from(vector[i]);
                            if bits[i >> 3] >> (i & 7) & 1 == 1 { y } else { -y }
                        })
                        .sum();
                    assert!((signed - truth).abs() <= probe.error + 1e-9);
                    assert!((f64::from(probe.sum(&bits)) - truth).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn quantisation_costs_little_against_the_noise() {
        // With coordinates of a random vector the bound is far below one standard deviation of the
        // estimate up to 1024 dimensions, and below it at 4096, where the sums must fit 16 bits.
        for (dim, limit) in [(64, 0.15), (128, 0.2), (512, 0.4), (1024, 0.6), (4096, 1.5)] {
            let raw: Vec<f32> = (1..=dim)
                .map(|i| {
                    // A low-discrepancy sequence through a rough normal quantile.
                    let u = (i as f32 * 0.618_034).fract().clamp(1e-3, 0.999);
                    (u / (1.0 - u)).ln()
                })
                .collect();
            let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
            let vector: Vec<f32> = raw.iter().map(|x| x / norm).collect();
            let probe = Quantizer::new(dim, None).unwrap().probe(&vector).unwrap();
            let deviations = probe.error / probe.unit_sum() / (0.755 / (dim as f64).sqrt());
            assert!(deviations < limit, "{dim}: {deviations}");
        }
    }
}
