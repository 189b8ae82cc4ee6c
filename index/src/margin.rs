//! How far an estimate may lie below the truth.
//!
//! A probe's own coordinates are known, and any weights wᵢ can be given to them. The sum that is compared is
//! S = Σ wᵢ xᵢ, with xᵢ the *level* of a template's coordinate after a random rotation, turned around where the probe's is negative. Of
//! one bit that is ±1, for a sign that agrees or does not; of two it is one of ±a and ±b. For the estimate wᵢ = |qᵢ|, for the scan,
//! which looks at signs alone, its step. With the template o = ρq + √(1−ρ²)u, q the probe and u a random direction across it, the level
//! jumps up by J where zᵢ, nearly normal, passes
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
//! and its third cumulant is that of Σ (wᵢxᵢ − c|qᵢ|zᵢ − e(zᵢ²−1)/√(2d)), term by term ([`Moments::sum`]). The margin is the normal
//! quantile with the first Cornish–Fisher term for it: without it more than is said are lost of pairs that are much alike, as their sums have
//! a longer tail below. The rotation makes all this hold for pairs of any data that it spreads over the coordinates; the tests
//! measure how well, down to 1e-4. Smaller miss probabilities extrapolate.
//!
//! # Around a centre
//!
//! There signs are those of what is left of both less the centre, and at which cosine these two are, where the similarity is the
//! threshold, depends on the template's distance from the centre. So a probe has a margin for each such cosine: it is computed at some, and
//! interpolated ([`Margins`]). What is left is no random direction across the probe, though: templates lie around the centre, and which way
//! the centre lies from the probe is not looked at. On the average over rotations that makes no difference, but it does for one probe under
//! one rotation, the more so the more alike the two are. So an eighth of the miss probability is asked for: of 100 probes in simulations none then
//! missed oftener than it may, up to a residuals' cosine of 0.92.
//!
//! # Without a centre
//!
//! A template is missed where the scan or the estimate falls short of its margin. Each has a part of the miss probability, so
//! both together stay below it; and as a sum that is low in the scan is low in the estimate, too, they lose somewhat less.

use std::f64::consts::PI;

use crate::Error;
use crate::moments::{Known, Moments, Sum, around};

/// Miss probability that a search has unless told otherwise: of mates that lie exactly at the
/// threshold, one in ten thousand is lost.
pub const DEFAULT_MISS: f64 = 1e-4;

/// Which templates a search is about, and how sure it wants to be of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    threshold: f32,
    miss: f64,
    /// Upper quantile of the standard normal distribution that belongs to what is asked of `miss` around a centre.
    z_centred: f64,
    /// Without a centre: those of the scan's part of it, and of the rest.
    z_scan: f64,
    z_estimate: f64,
}

/// The scan's part of the miss probability. What the scan lets pass is estimated in less than a microsecond, and what the estimate
/// lets pass is unsealed in ten: the estimate should have the narrower margin.
const OF_SCAN: f64 = 0.25;

/// The part of the miss probability that is asked for around a centre.
const OF_CENTRED: f64 = 1.0 / 8.0;

impl OperatingPoint {
    /// `threshold` is a cosine; `miss` is the probability of losing a template whose exact similarity
    /// equals the threshold. Templates above it are lost less often.
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
        Ok(Self { threshold, miss, z_centred: upper_quantile(OF_CENTRED * miss), z_scan, z_estimate })
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

    /// Around a centre: the margins of a probe of which this is left, as magnitudes of a unit vector.
    pub(crate) fn margins(&self, magnitudes: &[f64], known: &Known) -> Margins {
        let slope = known.levels().slope(known.dim());
        let around = around(known.dim());
        let margin = |(rho, moments): (f64, &Moments)| {
            // A margin is none that takes away.
            (rho - least(moments, magnitudes, magnitudes, self.z_centred, f64::INFINITY) / slope).max(0.0)
        };
        Margins(cosines().zip(around.iter()).map(margin).collect())
    }

    /// Without a centre: the least signed sum of steps at which the scan lets a template pass, and the least sum of a unit
    /// probe's coordinates, of these magnitudes, times the template's levels, at which a template is a candidate.
    pub(crate) fn least(&self, magnitudes: &[f64], steps: &[f64], known: &Known) -> (f64, f64) {
        let rho = f64::from(self.threshold).min(HIGHEST);
        let moments = known.at(rho);
        let scan = least(&moments.signs, magnitudes, steps, self.z_scan, f64::INFINITY);
        let Some(of_levels) = &moments.levels else {
            return (scan, least(&moments.signs, magnitudes, magnitudes, self.z_estimate, f64::INFINITY));
        };
        // No sum of signs is above a template's that is the probe itself; of levels there are some, and what is nearly the probe lies
        // to both sides of it. And it is not the lowest of them that is the probe's opposite: who asks for nearly everybody has
        // everybody.
        let levels = known.levels();
        let largest = magnitudes.iter().sum::<f64>() * levels.large;
        if rho < LOWEST {
            return (scan, -largest * (1.0 + ROUNDING));
        }
        let own = levels.own_sum(magnitudes, known.dim());
        (scan, least(of_levels, magnitudes, magnitudes, self.z_estimate, own))
    }
}

/// Margins of one probe around a centre.
pub(crate) struct Margins(Vec<f64>);

impl Margins {
    /// Where the residuals of a pair at the threshold have this cosine.
    pub(crate) fn at(&self, cosine: f64) -> f64 {
        let Self(margins) = self;
        // Beyond ±1 there is no such pair.
        let place = cosine.clamp(-1.0, HIGHEST).acos() - HIGHEST.acos();
        let place = place * ((margins.len() - 1) as f64 / (PI - HIGHEST.acos()));
        let below = (place as usize).min(margins.len() - 2);
        let part = place - below as f64;
        // Above the highest cosine the cut is of that one.
        (cosine - HIGHEST).clamp(0.0, 1.0 - HIGHEST) + margins[below] * (1.0 - part) + margins[below + 1] * part
    }

    /// None is wider.
    pub(crate) fn widest(&self) -> f64 {
        self.0.iter().copied().fold(self.at(1.0), f64::max)
    }
}

/// The cosines that a probe around a centre has margins for: from the highest down to −1, in equal angles.
pub(crate) fn cosines() -> impl Iterator<Item = f64> {
    const STEPS: u32 = 16;
    let step = (PI - HIGHEST.acos()) / f64::from(STEPS);
    (0..=STEPS).map(move |at| (HIGHEST.acos() + f64::from(at) * step).cos())
}

/// The least sum with these weights at a quantile, of a template and a unit probe of these magnitudes. Its mean counts as no more than
/// `most`.
fn least(moments: &Moments, magnitudes: &[f64], weights: &[f64], z: f64, most: f64) -> f64 {
    let rounding = ROUNDING * weights.iter().sum::<f64>();
    let Sum { mean, variance, third } = moments.sum(magnitudes, weights);
    // A longer tail above is no reason for a narrower margin. In a pair that is nearly as alike as can be, few signs can
    // disagree, each of them seldom: it is this term that leaves room for them.
    let skew = if variance > 0.0 { third.min(0.0) / variance } else { 0.0 };
    mean.min(most) - z * variance.max(0.0).sqrt() + skewing(z) * skew - rounding
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

/// The z with P(Z > z) = `tail` for a standard normal Z.
///
/// Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics
/// 37 (1988), PPND16: about 16 digits.
pub(crate) fn upper_quantile(tail: f64) -> f64 {
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
    use std::f64::consts::SQRT_2;

    use super::*;
    use crate::moments::Levels;

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
    fn margins_between_are_as_those_computed() {
        for dim in [64, 512] {
            let quantile = |i: usize| upper_quantile((i as f64 + 0.5) / (2.0 * dim as f64)) / (dim as f64).sqrt();
            let magnitudes: Vec<f64> = (0..dim).map(quantile).collect();
            let known = Known::new(dim, &Levels::SIGNS);
            let slope = Levels::SIGNS.slope(dim);
            for miss in [0.3, 1e-2, 1e-4] {
                let at = OperatingPoint::new(0.9, miss).unwrap();
                let margins = at.margins(&magnitudes, &known);
                for step in 0..=400 {
                    let cosine = (f64::from(step) / 200.0 - 1.0).clamp(-0.98, HIGHEST);
                    let moments = Moments::new(dim, cosine, &Levels::SIGNS);
                    let exact = cosine - least(&moments, &magnitudes, &magnitudes, at.z_centred, f64::INFINITY) / slope;
                    let (between, deviation) = (margins.at(cosine), 0.755 / (dim as f64).sqrt());
                    assert!(
                        (between - exact.max(0.0)).abs() < 0.03 * deviation,
                        "{dim} {miss} {cosine}: {between} {exact}"
                    );
                    assert!(between <= margins.widest());
                }
                assert!(margins.at(1.0) >= margins.at(HIGHEST) && margins.at(1.0) <= margins.widest());
                assert_eq!((margins.at(2.0), margins.at(-2.0)), (margins.at(1.0), margins.at(-1.0)));
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
                        let (_, least) = at.least(&magnitudes, &magnitudes, &Known::new(dim, &Levels::TWO_BITS));
                        assert!(least <= own, "{dim} {threshold} {miss}: {least} {own}");
                    }
                }
            }
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
                    let (_, least) = at.least(&kept, &kept, &Known::new(dim, &Levels::SIGNS));
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
        assert_eq!((at.threshold(), at.miss()), (0.4, 0.5));
    }
}
