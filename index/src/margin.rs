//! How far an estimate may lie below the truth.
//!
//! Let o be a unit vector, s the signs of its coordinates after a random rotation, and q a unit vector
//! at cosine ρ to o. The estimate of ρ is ⟨q, s⟩ / √(2d/π). Split q along o and across it:
//!
//! * across: the part of s that is orthogonal to o has squared length d − ⟨o, s⟩² ≈ d (1 − 2/π), and a
//!   random direction sees 1/d of it: variance (π/2 − 1)(1 − ρ²) / d after scaling;
//! * along: ⟨o, s⟩ = Σ|oᵢ| has variance 1 − 3/π over random rotations: ((π − 3)/2) ρ² / d after
//!   scaling.
//!
//! Hence sd = 0.755/√d for unrelated pairs and less for related ones. The two parts are uncorrelated
//! but not independent: where Σ|oᵢ| is large, little of s is left across. That gives the estimate of a
//! related pair a longer lower tail, of third central moment
//!
//! −((2π − 25/4) ρ³ + 3 (π − 3) ρ (1 − ρ²)) / d²
//!
//! and the margin is the normal quantile with the first Cornish–Fisher term for it. (Without the term
//! 1.2e-3 are lost for 1e-3 at ρ = 0.8 in 128 dimensions.) The rotation makes all this hold for any
//! pair, whatever the data; the tests measure how well, down to 1e-4. Smaller miss probabilities
//! extrapolate.
//!
//! # Without a centre
//!
//! There a probe's own coordinates are known, and any weights wᵢ can be given to them. The sum that is compared is
//! S = Σ wᵢ xᵢ, with xᵢ the *level* of a template's coordinate, turned around where the probe's is negative. Of one bit that
//! is ±1, for a sign that agrees or does not; of two it is one of ±a and ±b. For the estimate wᵢ = |qᵢ|, for the scan, which looks at
//! signs alone, its step. With o = ρq + √(1−ρ²)u and u a random direction across q, the level jumps up by J where zᵢ, nearly normal,
//! passes
//!
//! uⱼ = (τⱼ − ρ|qᵢ|√d) / √((1−ρ²)(1−qᵢ²) d/(d−1))
//!
//! for each threshold τⱼ in between levels: 0, and of two bits ±τ. zᵢ is above with probability Q(u) exp(−φ(u)(u³−3u)/(4d Q(u))), Q the normal
//! tail, corrected in first order for the lighter tails that coordinates of a direction have; below 0 the same from the other side. That gives the moments of xᵢ; mᵢ = E xᵢ. But the zᵢ are
//! not independent: u is orthogonal to q, and its length is given. What S has along these two, in first order,
//! it cannot have. With gᵢ = E xᵢzᵢ = Σ Jφ(uⱼ) and hᵢ = E xᵢ(zᵢ²−1) = Σ J uⱼφ(uⱼ) that is c = Σ wᵢ|qᵢ|gᵢ of ⟨q, z⟩ and
//! e = Σ wᵢhᵢ/√(2d) of (|z|²−d)/√(2d); hence
//!
//! Var S = Σ wᵢ² Var xᵢ − c² − e²,
//!
//! and its third cumulant is that of Σ (wᵢxᵢ − c|qᵢ|zᵢ − e(zᵢ²−1)/√(2d)), term by term ([`Pair::sum`]). The margin is the normal
//! quantile with the same Cornish–Fisher term. For signs and wᵢ = |qᵢ| this agrees with the formulas above but for knowing the probe.
//!
//! A template is missed where the scan or the estimate falls short of its margin. Each has a part of the miss probability, so
//! both together stay below it; and as a sum that is low in the scan is low in the estimate, too, they lose somewhat less.

use std::f64::consts::{PI, SQRT_2};

use zeroize::Zeroizing;

use crate::Error;

/// Miss probability that a search has unless told otherwise: of mates that lie exactly at the
/// threshold, one in ten thousand is lost.
pub const DEFAULT_MISS: f64 = 1e-4;

/// Which templates a search is about, and how sure it wants to be of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    threshold: f32,
    miss: f64,
    /// Upper quantile of the standard normal distribution that belongs to `miss`.
    z: f64,
    /// Without a centre: those of the scan's part of it, and of the rest.
    z_scan: f64,
    z_estimate: f64,
}

/// The scan's part of the miss probability. What the scan lets pass is estimated in less than a microsecond, and what the estimate
/// lets pass is unsealed in ten: the estimate should have the narrower margin.
const OF_SCAN: f64 = 0.25;

impl OperatingPoint {
    /// `threshold` is a cosine; `miss` is the probability of losing a template whose exact similarity
    /// equals the threshold. Templates above it are lost far less often.
    ///
    /// # Errors
    /// [`Error::OperatingPoint`] unless −1 ≤ threshold ≤ 1 and 0 < miss ≤ 0.5.
    pub fn new(threshold: f32, miss: f64) -> Result<Self, Error> {
        if !(-1.0..=1.0).contains(&threshold) {
            return Err(Error::OperatingPoint { what: "the threshold", range: "-1 to 1" });
        }
        if !(miss > 0.0 && miss <= 0.5) {
            return Err(Error::OperatingPoint { what: "the miss probability", range: "above 0, at most 0.5" });
        }
        let (z_scan, z_estimate) = (upper_quantile(OF_SCAN * miss), upper_quantile((1.0 - OF_SCAN) * miss));
        Ok(Self { threshold, miss, z: upper_quantile(miss), z_scan, z_estimate })
    }

    /// The threshold, a cosine.
    #[must_use]
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// The probability of losing a template that lies exactly at the threshold.
    #[must_use]
    pub fn miss(&self) -> f64 {
        self.miss
    }

    /// Margin for unit vectors in `dim` dimensions at the given cosine.
    pub(crate) fn margin(&self, dim: usize, cosine: f64) -> f64 {
        let d = dim as f64;
        let rho = cosine.clamp(-1.0, 1.0);
        let variance = variance(rho);
        // A pair at a negative cosine has the longer tail above.
        let skew = third_moment(rho).max(0.0) / variance;
        self.z * (variance / d).sqrt() + skewing(self.z) * skew / d
    }

    /// No margin of unit vectors in `dim` dimensions is wider, whatever their cosine.
    pub(crate) fn widest(&self, dim: usize) -> f64 {
        /// Least upper bound of `third_moment / variance`, rounded up.
        const SKEW: f64 = 0.6;
        let d = dim as f64;
        self.z * (variance(0.0) / d).sqrt() + skewing(self.z) * SKEW / d
    }

    /// Without a centre: the least signed sum of steps at which the scan lets a template pass, and the least sum of a unit
    /// probe's coordinates, of these magnitudes, times the template's levels, at which a template is a candidate.
    pub(crate) fn least(&self, magnitudes: &[f64], steps: &[f64], dim: usize, levels: &Levels) -> (f64, f64) {
        let rho = f64::from(self.threshold).min(HIGHEST);
        let signs = Pair::of(magnitudes, dim, rho, &Levels::SIGNS);
        let scan = signs.least(steps, self.z_scan);
        if levels.is_of_signs() {
            return (scan, signs.least(magnitudes, self.z_estimate));
        }
        // No sum of signs is above a template's that is the probe itself; of levels there are some. And it is not the lowest of them that is
        // the probe's opposite: who asks for nearly everybody has everybody.
        let largest = magnitudes.iter().sum::<f64>() * levels.large;
        if rho < LOWEST {
            return (scan, -largest * (1.0 + ROUNDING));
        }
        let least = Pair::of(magnitudes, dim, rho, levels).least(magnitudes, self.z_estimate);
        (scan, least.min(levels.own_sum(magnitudes, dim) - ROUNDING * largest))
    }
}

/// Above this cosine a sum is of so few jumps that it is far from normal: cuts are those of this one, which let more pass.
const HIGHEST: f64 = 0.98;

/// Below this cosine every template is a candidate by its levels.
const LOWEST: f64 = -0.5;

/// Of what a sum could be: more than adding it up in single precision can be off by. A template that is the probe itself has all
/// of it.
const ROUNDING: f64 = 3e-5;

/// Weight of the skewness in the Cornish–Fisher expansion at a quantile. Below one standard deviation it would narrow the margin:
/// better left.
fn skewing(z: f64) -> f64 {
    (z * z - 1.0).max(0.0) / 6.0
}

/// What a template's coordinate counts for: ± one of two levels, by its magnitude.
pub(crate) struct Levels {
    pub(crate) small: f64,
    pub(crate) large: f64,
    /// From this magnitude on, times √d, a coordinate is a large one.
    pub(crate) from: f64,
}

impl Levels {
    /// Of one bit a coordinate: its sign.
    pub(crate) const SIGNS: Self = Self { small: 1.0, large: 1.0, from: 0.0 };

    /// Of two bits: what loses least of a normal distribution in four levels. Max, "Quantizing for Minimum Distortion", IRE
    /// Transactions on Information Theory 6 (1960), table 1.
    pub(crate) const TWO_BITS: Self = Self { small: 0.4528, large: 1.510, from: 0.9816 };

    fn is_of_signs(&self) -> bool {
        self.small == self.large
    }

    /// What a sum Σ |qᵢ|xᵢ grows by with the cosine, for a unit vector in `dim` dimensions: √d times E xz of a normal z.
    pub(crate) fn slope(&self, dim: usize) -> f64 {
        let at_zero = 2.0 * self.small * density(0.0);
        (at_zero + 2.0 * (self.large - self.small) * density(self.from)) * (dim as f64).sqrt()
    }

    /// The level of a magnitude.
    fn of(&self, magnitude: f64) -> f64 {
        if magnitude < self.from { self.small } else { self.large }
    }

    /// The sum that a template has that is the unit probe itself: the least of what rounding may make of it.
    fn own_sum(&self, magnitudes: &[f64], dim: usize) -> f64 {
        // A coordinate at the edge may come to either side.
        const EDGE: f64 = 1e-5;
        let level = |q: f64| self.of(q * (dim as f64).sqrt() * (1.0 - EDGE));
        magnitudes.iter().map(|&q| q * level(q)).sum()
    }

    /// Where the level changes, from the lowest on, and by how much.
    fn jumps(&self) -> impl Iterator<Item = (f64, f64)> {
        let outer = self.large - self.small;
        let all = [(-self.from, outer), (0.0, 2.0 * self.small), (self.from, outer)];
        all.into_iter().filter(|(_, jump)| *jump > 0.0)
    }
}

/// Magnitudes that moments are computed for, the others' follow from; and how far apart they may lie, in deviations of a template's
/// coordinate.
const GRID: usize = 64;
const STEP: f64 = 0.15;

/// How the coordinates of a template at a given cosine to a unit probe compare with the probe's.
struct Pair {
    dim: usize,
    each: Zeroizing<Vec<Coordinate>>,
}

/// Of a coordinate: the probe's magnitude q, and moments of x and z as above.
#[derive(Clone, Copy, Default)]
struct Coordinate {
    q: f64,
    /// m = E x, and the second and third moments of y = x − m.
    mean: f64,
    variance: f64,
    third: f64,
    /// E xz and E x(z²−1).
    g: f64,
    h: f64,
    /// E y²z and E y²(z²−1).
    square_z: f64,
    square_radial: f64,
    /// E yz(z²−1) and E y(z²−1)².
    z_radial: f64,
    radial_radial: f64,
}

impl zeroize::DefaultIsZeroes for Coordinate {}

/// Moments of the sum Σ wᵢ xᵢ with some weights.
struct Sum {
    mean: f64,
    variance: f64,
    /// Third central moment.
    third: f64,
}

impl Coordinate {
    /// Of the probe's magnitude `q`, in a pair at cosine `rho`.
    fn of(q: f64, d: f64, rho: f64, levels: &Levels) -> Self {
        let spread = ((1.0 - rho * rho) * (1.0 - q * q).max(1e-12) * d / (d - 1.0)).sqrt();
        let (mut x, mut x2, mut x3) = (-levels.large, levels.large.powi(2), -levels.large.powi(3));
        let mut of = Self { q, ..Self::default() };
        let mut level = -levels.large;
        for (threshold, jump) in levels.jumps() {
            // The level is this one and the next where z lies below and above.
            let u = (threshold - rho * q * d.sqrt()) / spread;
            let phi = density(u);
            let (above, next) = (tail(u, phi, d), level + jump);
            x += jump * above;
            x2 += (next * next - level * level) * above;
            x3 += (next.powi(3) - level.powi(3)) * above;
            of.g += jump * phi;
            of.h += jump * u * phi;
            of.square_z += (next * next - level * level) * phi;
            of.square_radial += (next * next - level * level) * u * phi;
            of.z_radial += jump * (u * u + 1.0) * phi;
            of.radial_radial += jump * (u.powi(3) + u) * phi;
            level = next;
        }
        of.mean = x;
        of.variance = (x2 - x * x).max(0.0);
        of.third = x3 - 3.0 * x * x2 + 2.0 * x.powi(3);
        of.square_z -= 2.0 * x * of.g;
        of.square_radial -= 2.0 * x * of.h;
        of
    }

    /// Of the magnitude `q`, a part of the way from the second to the third of four that are as far apart: the cubic through them
    /// (Catmull–Rom's).
    fn between(four: &[Self], part: f64, q: f64) -> Self {
        let (t, t2, t3) = (part, part * part, part * part * part);
        let weights = [
            (-t3 + 2.0 * t2 - t) / 2.0,
            (3.0 * t3 - 5.0 * t2 + 2.0) / 2.0,
            (-3.0 * t3 + 4.0 * t2 + t) / 2.0,
            (t3 - t2) / 2.0,
        ];
        let of = |moment: fn(&Self) -> f64| four.iter().zip(weights).map(|(of, weight)| weight * moment(of)).sum();
        Self {
            q,
            mean: of(|of| of.mean),
            variance: of(|of| of.variance),
            third: of(|of| of.third),
            g: of(|of| of.g),
            h: of(|of| of.h),
            square_z: of(|of| of.square_z),
            square_radial: of(|of| of.square_radial),
            z_radial: of(|of| of.z_radial),
            radial_radial: of(|of| of.radial_radial),
        }
    }
}

impl Pair {
    fn of(magnitudes: &[f64], dim: usize, cosine: f64, levels: &Levels) -> Self {
        let rho = cosine.clamp(-1.0 + 1e-9, 1.0 - 1e-9);
        let of = |q: f64| Coordinate::of(q, dim as f64, rho, levels);
        // Reserved in full: a vector that grows leaves its old buffer behind unwiped.
        let mut each = Zeroizing::new(Vec::with_capacity(magnitudes.len()));
        let largest = magnitudes.iter().copied().fold(0.0, f64::max);
        let step = largest / GRID as f64;
        if magnitudes.len() < 2 * GRID || step * (dim as f64).sqrt() > STEP * (1.0 - rho * rho).sqrt() {
            each.extend(magnitudes.iter().map(|&q| of(q)));
        } else {
            // Of a few magnitudes, and from these of all: moments are smooth in the magnitude.
            let grid: Zeroizing<Vec<_>> =
                Zeroizing::new((0..GRID + 3).map(|at| of((at as f64 - 1.0) * step)).collect());
            each.extend(magnitudes.iter().map(|&q| {
                let at = ((q / step) as usize).min(GRID - 1);
                Coordinate::between(&grid[at..at + 4], q / step - at as f64, q)
            }));
        }
        Self { dim, each }
    }

    /// The least sum with these weights at a quantile.
    fn least(&self, weights: &[f64], z: f64) -> f64 {
        let rounding = ROUNDING * weights.iter().sum::<f64>();
        let Sum { mean, variance, third } = self.sum(weights);
        // A longer tail above is no reason for a narrower margin. In a pair that is nearly as alike as can be, few signs can
        // disagree, each of them seldom: it is this term that leaves room for them.
        let skew = if variance > 0.0 { third.min(0.0) / variance } else { 0.0 };
        mean - z * variance.max(0.0).sqrt() + skewing(z) * skew - rounding
    }

    fn sum(&self, weights: &[f64]) -> Sum {
        let d = self.dim as f64;
        let (mut mean, mut spread, mut c, mut e) = (0.0, 0.0, 0.0, 0.0);
        let each = || self.each.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        for (of, &w) in each() {
            mean += w * of.mean;
            spread += w * w * of.variance;
            c += w * of.q * of.g;
            e += w * of.h / (2.0 * d).sqrt();
        }
        // Of (z²−1) in each coordinate.
        let radial = e / (2.0 * d).sqrt();
        // The direction across the probe, and the length, have a part in coordinates without a weight, too.
        let mut third = -6.0 * radial * c * c - 8.0 * d * radial.powi(3);
        for (of, &w) in each() {
            let (along, y) = (c * of.q, of);
            third += w.powi(3) * y.third - 3.0 * w * w * (along * y.square_z + radial * y.square_radial);
            third +=
                3.0 * w * (along * along * y.h + 2.0 * along * radial * y.z_radial + radial * radial * y.radial_radial);
        }
        Sum { mean, variance: spread - c * c - e * e, third }
    }
}

/// The standard normal density.
fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

/// The probability that a coordinate of a random direction in `d` dimensions, scaled to variance 1, lies above `u`; `phi` is the
/// normal density there.
fn tail(u: f64, phi: f64, d: f64) -> f64 {
    let far = u.abs();
    let of_normal = libm::erfc(far / SQRT_2) / 2.0;
    // Beyond, nothing is left of the tail to be corrected.
    let lighter = if of_normal > 0.0 { (-phi * (far.powi(3) - 3.0 * far) / (4.0 * d * of_normal)).exp() } else { 1.0 };
    let beyond = (of_normal * lighter).min(1.0);
    if u < 0.0 { 1.0 - beyond } else { beyond }
}

/// Variance of the estimate for a pair at cosine `rho`, times d.
fn variance(rho: f64) -> f64 {
    (PI / 2.0 - 1.0) * (1.0 - rho * rho) + (PI - 3.0) / 2.0 * rho * rho
}

/// Third central moment of the estimate, times −d².
fn third_moment(rho: f64) -> f64 {
    (2.0 * PI - 6.25) * rho.powi(3) + 3.0 * (PI - 3.0) * rho * (1.0 - rho * rho)
}

/// The z with P(Z > z) = `tail` for a standard normal Z.
///
/// Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics
/// 37 (1988), PPND16: about 16 digits.
fn upper_quantile(tail: f64) -> f64 {
    let q = 0.5 - tail;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRE);
    }
    let r = (-tail.min(1.0 - tail).ln()).sqrt();
    let z = if r <= 5.0 { ratio(r - 1.6, &TAIL) } else { ratio(r - 5.0, &FAR_TAIL) };
    z.copysign(q)
}

/// Coefficients of numerator and denominator, lowest power first.
type Rational = [[f64; 8]; 2];

fn ratio(x: f64, [numerator, denominator]: &Rational) -> f64 {
    let horner = |of: &[f64; 8]| of.iter().rev().fold(0.0, |sum, c| sum * x + c);
    horner(numerator) / horner(denominator)
}

const CENTRE: Rational = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
];

const TAIL: Rational = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        0.000_774_545_014_278_341_4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        0.000_547_593_808_499_534_5,
        1.050_750_071_644_416_9e-9,
    ],
];

const FAR_TAIL: Rational = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        0.000_786_869_131_145_613_2,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let known = [
            (0.5, 0.0),
            (0.1, 1.281_551_565_544_600_4),
            (0.05, 1.644_853_626_951_472_7),
            (1e-2, 2.326_347_874_040_841),
            (1e-3, 3.090_232_306_167_813_5),
            (1e-4, 3.719_016_485_455_68),
            (1e-6, 4.753_424_308_822_899),
            (1e-9, 5.997_807_015_007_686),
            (1e-20, 9.262_340_089_798_409),
        ];
        for (tail, z) in known {
            assert!((upper_quantile(tail) - z).abs() < 1e-9, "{tail}: {}", upper_quantile(tail));
            if tail > 1e-9 {
                assert!((upper_quantile(1.0 - tail) + z).abs() < 1e-7, "{tail}");
            }
        }
    }

    #[test]
    fn the_deviation_is_the_one_measured_on_faces() {
        let deviation = |rho| (variance(rho) / 512.0).sqrt();
        assert!((deviation(0.0) - 0.033).abs() < 0.0005);
        assert!((deviation(0.38) - 0.031).abs() < 0.0005);
        assert!(deviation(1.0) < deviation(0.9));
    }

    #[test]
    fn no_margin_is_wider_than_the_widest() {
        for miss in [0.5, 0.2, 1e-1, 1e-4, 1e-9] {
            let at = OperatingPoint::new(0.4, miss).unwrap();
            for dim in [64, 512, 4096] {
                let margins: Vec<f64> = (-1100..=1100).map(|i| at.margin(dim, f64::from(i) / 1000.0)).collect();
                let max = margins.iter().copied().fold(0.0, f64::max);
                assert!(max <= at.widest(dim), "{miss} {dim}: {max}");
                assert!(at.widest(dim) <= max * 1.1, "{miss} {dim}: {max}");
            }
        }
    }

    /// What is computed for a few magnitudes and interpolated is what would be computed for each.
    #[test]
    fn moments_between_are_as_those_computed() {
        for (levels, dim) in [(Levels::SIGNS, 512), (Levels::TWO_BITS, 512), (Levels::TWO_BITS, 4096)] {
            let quantile = |i: usize| upper_quantile((i as f64 + 0.5) / (2.0 * dim as f64)) / (dim as f64).sqrt();
            let magnitudes: Vec<f64> = (0..dim).map(quantile).collect();
            for rho in [-0.3, 0.1, 0.44, 0.8, 0.95] {
                let quick = Pair::of(&magnitudes, dim, rho, &levels).sum(&magnitudes);
                let each = magnitudes.iter().map(|&q| Coordinate::of(q, dim as f64, rho, &levels)).collect();
                let exact = Pair { dim, each: Zeroizing::new(each) }.sum(&magnitudes);
                let deviation = exact.variance.sqrt();
                assert!((quick.mean - exact.mean).abs() < 1e-3 * deviation, "{dim} {rho}");
                assert!((quick.variance / exact.variance - 1.0).abs() < 1e-3, "{dim} {rho}");
                assert!((quick.third - exact.third).abs() < 2e-3 * deviation.powi(3), "{dim} {rho}");
            }
        }
    }

    /// Of no probe is a template lost that is the probe itself, or more alike than was asked for.
    #[test]
    fn what_is_more_alike_is_not_lost_for_its_levels() {
        let equal = |dim: usize, rest: f64| {
            let mut magnitudes = vec![rest / (dim as f64).sqrt(); dim];
            magnitudes[0] = (1.0 - magnitudes[1..].iter().map(|q| q * q).sum::<f64>()).sqrt();
            magnitudes
        };
        for dim in [64usize, 512] {
            for magnitudes in [equal(dim, 0.98), equal(dim, 0.9816), equal(dim, 0.9), equal(dim, 0.3)] {
                let own: f64 =
                    magnitudes.iter().map(|q| q * Levels::TWO_BITS.of(q * (dim as f64).sqrt() * (1.0 - 1e-7))).sum();
                for threshold in [-1.0, 0.0, 0.44, 0.7, 0.9, 0.99, 1.0] {
                    for miss in [0.1, 1e-4, 1e-9] {
                        let at = OperatingPoint::new(threshold, miss).unwrap();
                        let (_, least) = at.least(&magnitudes, &magnitudes, dim, &Levels::TWO_BITS);
                        assert!(least <= own, "{dim} {threshold} {miss}: {least} {own}");
                    }
                }
            }
        }
    }

    #[test]
    fn two_bits_have_half_the_deviation_of_one() {
        // At high cosines the template's own direction is more of it, which levels tell less well.
        for (rho, most) in [(0.0, 0.52), (0.44, 0.56), (0.8, 0.9)] {
            let dim = 512;
            let raw: Vec<f64> = (0..dim).map(|i| upper_quantile((i as f64 + 0.5) / (2.0 * dim as f64))).collect();
            let norm = raw.iter().map(|y| y * y).sum::<f64>().sqrt();
            let magnitudes: Vec<f64> = raw.iter().map(|y| y / norm).collect();
            let deviation = |levels: &Levels| {
                let Sum { mean, variance, .. } = Pair::of(&magnitudes, dim, rho, levels).sum(&magnitudes);
                assert!((mean / levels.slope(dim) - rho).abs() < 0.03, "{rho}: {}", mean / levels.slope(dim));
                variance.sqrt() / levels.slope(dim)
            };
            let (one, two) = (deviation(&Levels::SIGNS), deviation(&Levels::TWO_BITS));
            // Lloyd–Max levels lose 0.1175 of the variance, signs 1 − 2/π.
            assert!((one * 22.627 - 0.755 * (1.0 - rho * rho).sqrt()).abs() < 0.08, "{rho}: {one}");
            assert!((0.4..most).contains(&(two / one)), "{rho}: {one} {two}");
        }
    }

    /// At high thresholds hardly any sign disagrees, and which one does is all that varies: if a sign does oftener than a
    /// template may be missed, the cut lets it.
    #[test]
    fn a_rare_sign_is_allowed_for() {
        for dim in [64usize, 128, 512, 4096] {
            // Magnitudes as a random direction has them: quantiles of the normal distribution.
            let quantile = |i: usize| upper_quantile((i as f64 + 0.5) / (2.0 * dim as f64));
            let raw: Vec<f64> = (0..dim).map(quantile).filter(|y| *y >= 0.4).collect();
            let kept: Vec<f64> = raw.iter().map(|y| y / (dim as f64).sqrt()).collect();
            let all: f64 = kept.iter().sum();
            for step in 1..200 {
                let rho = 1.0 - 0.3 / 1.06f64.powi(step);
                for miss in [1e-1, 1e-4, 1e-6, 1e-9, 1e-12] {
                    let at = OperatingPoint::new(rho as f32, miss).unwrap();
                    let (_, least) = at.least(&kept, &kept, dim, &Levels::SIGNS);
                    // The largest coordinate whose sign alone disagrees so often, taken as normal.
                    let rho = f64::from(at.threshold());
                    let t = |q: f64| rho * q * ((dim as f64 - 1.0) / ((1.0 - rho * rho) * (1.0 - q * q))).sqrt();
                    let often = |q: &&f64| libm::erfc(t(**q) / SQRT_2) / 2.0 > 30.0 * miss;
                    if let Some(q) = kept.iter().filter(often).max_by(|a, b| a.total_cmp(b)) {
                        assert!(all - 2.0 * q >= least, "{dim} {rho} {miss}: {} {least}", all - 2.0 * q);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for threshold in [-1.01, 1.01, f32::NAN, f32::INFINITY] {
            assert!(OperatingPoint::new(threshold, 1e-4).is_err(), "{threshold}");
        }
        for miss in [0.0, -0.1, 0.51, f64::NAN] {
            assert!(OperatingPoint::new(0.4, miss).is_err(), "{miss}");
        }
        let at = OperatingPoint::new(0.4, 0.5).unwrap();
        assert_eq!((at.threshold(), at.miss(), at.margin(512, 0.4)), (0.4, 0.5, 0.0));
    }
}
