//! Moments of what a template's coordinates count for, in pairs at one cosine. The formulas are [`margin`](crate::margin)'s.

use std::collections::BTreeMap;
use std::f64::consts::{PI, SQRT_2};
use std::sync::Arc;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::margin::cosines;

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

    pub(crate) fn is_of_signs(&self) -> bool {
        self.small == self.large
    }

    /// What a sum Σ |qᵢ|xᵢ grows by with the cosine, for a unit vector in `dim` dimensions: √d times E xz of a normal z.
    pub(crate) fn slope(&self, dim: usize) -> f64 {
        let at_zero = 2.0 * self.small * density(0.0);
        (at_zero + 2.0 * (self.large - self.small) * density(self.from)) * (dim as f64).sqrt()
    }

    /// The level of a magnitude.
    pub(crate) fn of(&self, magnitude: f64) -> f64 {
        if magnitude < self.from { self.small } else { self.large }
    }

    /// The sum that a template has that is the unit probe itself: the least of what rounding may make of it.
    pub(crate) fn own_sum(&self, magnitudes: &[f64], dim: usize) -> f64 {
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

/// Of a coordinate: the probe's magnitude q, and moments of x and z as above.
#[derive(Clone, Copy, Default)]
struct Coordinate {
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

/// Moments of the sum Σ wᵢ xᵢ with some weights.
pub(crate) struct Sum {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
    /// Third central moment.
    pub(crate) third: f64,
}

impl Coordinate {
    /// Of the probe's magnitude `q`, in a pair at cosine `rho`.
    pub(super) fn of(q: f64, d: f64, rho: f64, levels: &Levels) -> Self {
        let spread = ((1.0 - rho * rho) * (1.0 - q * q).max(1e-12) * d / (d - 1.0)).sqrt();
        let (mut x, mut x2, mut x3) = (-levels.large, levels.large.powi(2), -levels.large.powi(3));
        let mut of = Self::default();
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
}

/// Moments for a probe's magnitudes from 0 on, some apart; those in between follow from the two beside them. They are of a threshold, not
/// of a probe.
pub(crate) struct Moments {
    dim: usize,
    rho: f64,
    levels: &'static Levels,
    /// Nodes to a mean coordinate.
    nodes_to_one: f64,
    nodes: Vec<Coordinate>,
}

/// How far nodes are apart, in deviations of a template's coordinate, or a thousandth of a mean coordinate if that is more; and up to which magnitude there are any, in mean coordinates. The few
/// beyond have moments of their own.
const STEP: f64 = 0.015;
const MOST: f64 = 5.0;

/// What coordinates are added up with: w, w², w³, wq, w²q, wq².
type Weights = [f64; 6];

/// Sums of moments times weights.
#[derive(Default)]
struct Totals {
    mean: f64,
    variance: f64,
    third: f64,
    along: f64,
    radial: f64,
    square_z: f64,
    square_radial: f64,
    along_radial: f64,
    z_radial: f64,
    radial_radial: f64,
}

impl Totals {
    fn add(&mut self, of: &Coordinate, [w, w2, w3, wq, w2q, wqq]: &Weights) {
        self.mean += w * of.mean;
        self.variance += w2 * of.variance;
        self.third += w3 * of.third;
        self.along += wq * of.g;
        self.radial += w * of.h;
        self.square_z += w2q * of.square_z;
        self.square_radial += w2 * of.square_radial;
        self.along_radial += wqq * of.h;
        self.z_radial += wq * of.z_radial;
        self.radial_radial += w * of.radial_radial;
    }
}

impl Moments {
    /// Of pairs at cosine `rho` in `dim` dimensions.
    pub(crate) fn new(dim: usize, rho: f64, levels: &'static Levels) -> Self {
        let rho = rho.clamp(-1.0 + 1e-9, 1.0 - 1e-9);
        let d = dim as f64;
        let nodes_to_one = (STEP * (1.0 - rho * rho).sqrt()).recip().min(1e3);
        let last = (MOST * nodes_to_one) as usize + 1;
        let node = |at: usize| Coordinate::of(at as f64 / nodes_to_one / d.sqrt(), d, rho, levels);
        Self { dim, rho, levels, nodes_to_one, nodes: (0..=last).map(node).collect() }
    }

    /// The moments of Σ wᵢxᵢ for a unit probe of these magnitudes.
    pub(crate) fn sum(&self, magnitudes: &[f64], weights: &[f64]) -> Sum {
        let d = self.dim as f64;
        let mut totals = Totals::default();
        // Each coordinate's weights go to the nodes beside it, and nodes' moments are added up once. They tell of the probe.
        let mut shares = Zeroizing::new(vec![Weights::default(); self.nodes.len()]);
        let scale = d.sqrt() * self.nodes_to_one;
        for (&q, &w) in magnitudes.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
            let weights = [w, w * w, w * w * w, w * q, w * w * q, w * q * q];
            let (at, part) = ((q * scale) as usize, (q * scale).fract());
            match shares.get_mut(at..at + 2) {
                Some([below, above]) => {
                    below.iter_mut().zip(&weights).for_each(|(share, weight)| *share += weight * (1.0 - part));
                    above.iter_mut().zip(&weights).for_each(|(share, weight)| *share += weight * part);
                }
                _ => totals.add(&Coordinate::of(q, d, self.rho, self.levels), &weights),
            }
        }
        self.nodes.iter().zip(shares.iter()).for_each(|(node, shares)| totals.add(node, shares));

        let c = totals.along;
        // Of (z²−1)/√(2d) in all coordinates together, and of (z²−1) in each.
        let e = totals.radial / (2.0 * d).sqrt();
        let r = e / (2.0 * d).sqrt();
        // The direction across the probe, and the length, have a part in coordinates without a weight, too.
        let of_both = -6.0 * r * c * c - 8.0 * d * r.powi(3);
        let squares = c * totals.square_z + r * totals.square_radial;
        let products = c * c * totals.along_radial + 2.0 * c * r * totals.z_radial + r * r * totals.radial_radial;
        Sum {
            mean: totals.mean,
            variance: totals.variance - c * c - e * e,
            third: of_both + totals.third - 3.0 * squares + 3.0 * products,
        }
    }
}

/// Moments that were computed for a threshold, for the next probe at the same: those of the last few.
pub(crate) struct Known {
    dim: usize,
    levels: &'static Levels,
    last: Mutex<Vec<(f64, Arc<OfPair>)>>,
}

/// What is needed for one cosine.
pub(crate) struct OfPair {
    /// Of signs, which are scanned.
    pub(crate) signs: Moments,
    /// Of levels, if the estimate is of those.
    pub(crate) levels: Option<Moments>,
}

impl Known {
    /// Thresholds that are kept: a tenant has one or two. Each takes some 60 kB at usual ones, 240 kB near 1.
    const MOST: usize = 4;

    pub(crate) fn new(dim: usize, levels: &'static Levels) -> Self {
        Self { dim, levels, last: Mutex::default() }
    }

    pub(crate) fn at(&self, rho: f64) -> Arc<OfPair> {
        if let Some(known) = self.look_up(rho, None) {
            return known;
        }
        let signs = Moments::new(self.dim, rho, &Levels::SIGNS);
        let levels = (!self.levels.is_of_signs()).then(|| Moments::new(self.dim, rho, self.levels));
        let computed = Arc::new(OfPair { signs, levels });
        // Somebody else may have been faster.
        self.look_up(rho, Some(Arc::clone(&computed))).unwrap_or(computed)
    }

    /// What is known for a cosine, which makes it the last to go; or else what is given, which then is known.
    fn look_up(&self, rho: f64, otherwise: Option<Arc<OfPair>>) -> Option<Arc<OfPair>> {
        let mut last = self.last.lock();
        let found = match last.iter().position(|(of, _)| *of == rho) {
            Some(at) => last.remove(at).1,
            None => otherwise?,
        };
        if last.len() == Self::MOST {
            last.remove(0);
        }
        last.push((rho, Arc::clone(&found)));
        Some(found)
    }

    pub(crate) fn levels(&self) -> &'static Levels {
        self.levels
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }
}

/// Moments of signs in so many dimensions at each of [`cosines`]. There are few dimensions, and many models of each.
pub(crate) fn around(dim: usize) -> Arc<Vec<Moments>> {
    static KNOWN: Mutex<BTreeMap<usize, Arc<Vec<Moments>>>> = Mutex::new(BTreeMap::new());
    if let Some(known) = KNOWN.lock().get(&dim) {
        return Arc::clone(known);
    }
    let computed = Arc::new(cosines().map(|rho| Moments::new(dim, rho, &Levels::SIGNS)).collect());
    Arc::clone(KNOWN.lock().entry(dim).or_insert(computed))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::margin::upper_quantile;

    /// What is computed for a few magnitudes and interpolated is what would be computed for each.
    #[test]
    fn moments_between_are_as_those_computed() {
        for (levels, dim) in [(&Levels::SIGNS, 512), (&Levels::TWO_BITS, 512), (&Levels::TWO_BITS, 4096)] {
            let quantile = |i: usize| upper_quantile((i as f64 + 0.5) / (2.0 * dim as f64)) / (dim as f64).sqrt();
            let magnitudes: Vec<f64> = (0..dim).map(quantile).collect();
            for rho in [-0.3, 0.1, 0.44, 0.8, 0.95] {
                let quick = Moments::new(dim, rho, levels);
                // Without nodes each has its own.
                let each = Moments { nodes: Vec::new(), ..Moments::new(dim, rho, levels) };
                let [quick, exact] = [quick, each].map(|moments| moments.sum(&magnitudes, &magnitudes));
                let deviation = exact.variance.sqrt();
                assert!((quick.mean - exact.mean).abs() < 1e-3 * deviation, "{dim} {rho}");
                assert!((quick.variance / exact.variance - 1.0).abs() < 1e-3, "{dim} {rho}");
                assert!((quick.third - exact.third).abs() < 2e-3 * deviation.powi(3), "{dim} {rho}");
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
            let deviation = |levels: &'static Levels| {
                let moments = Moments::new(dim, rho, levels);
                let Sum { mean, variance, .. } = moments.sum(&magnitudes, &magnitudes);
                assert!((mean / levels.slope(dim) - rho).abs() < 0.03, "{rho}: {}", mean / levels.slope(dim));
                variance.sqrt() / levels.slope(dim)
            };
            let (one, two) = (deviation(&Levels::SIGNS), deviation(&Levels::TWO_BITS));
            // Lloyd–Max levels lose 0.1175 of the variance, signs 1 − 2/π.
            assert!((one * 22.627 - 0.755 * (1.0 - rho * rho).sqrt()).abs() < 0.08, "{rho}: {one}");
            assert!((0.4..most).contains(&(two / one)), "{rho}: {one} {two}");
        }
    }

    /// A probe that is but one direction is beyond all nodes.
    #[test]
    fn what_is_beyond_the_nodes_has_moments_of_its_own() {
        let mut magnitudes = vec![0.0; 512];
        magnitudes[7] = 1.0;
        let Sum { mean, variance, .. } = Moments::new(512, 0.5, &Levels::SIGNS).sum(&magnitudes, &magnitudes);
        assert!((mean - 1.0).abs() < 1e-9 && variance.abs() < 1e-9, "{mean} {variance}");
    }

    #[test]
    fn the_last_thresholds_are_known() {
        let known = Known::new(64, &Levels::TWO_BITS);
        let first = known.at(0.4);
        assert!(Arc::ptr_eq(&first, &known.at(0.4)) && first.levels.is_some());
        (0..Known::MOST).for_each(|more| drop(known.at(more as f64 / 100.0)));
        assert!(!Arc::ptr_eq(&first, &known.at(0.4)), "there are others since");
        assert!(known.last.lock().len() <= Known::MOST);
    }
}
