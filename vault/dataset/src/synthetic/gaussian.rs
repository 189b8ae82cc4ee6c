//! Standard normal numbers by the ziggurat (Marsaglia & Tsang, J. Stat. Softw. 5(8), 2000; 256 layers,
//! layer and position from disjoint bits as Doornik, 2005, asks).
//!
//! Our own, not a library's: libraries reserve the right to change their values between versions.

use rand_core::RngCore;

const LAYERS: usize = 256;
/// Where the tail begins, and the area of each layer, for 256 layers.
const TAIL: f64 = 3.654_152_885_361_009;
const AREA: f64 = 0.004_928_673_233_974_655;
/// Unit of the 24-bit signed position in a layer.
const STEP: f32 = 1.0 / 8_388_608.0;

/// The tables of the ziggurat.
#[derive(Debug)]
pub(super) struct Gaussian {
    /// Right edge of layer i, descending; entry 0 is the width of the base strip with its tail.
    edge: [f32; LAYERS + 1],
    /// exp(−x²/2) at each edge.
    height: [f64; LAYERS + 1],
}

impl Gaussian {
    pub(super) fn new() -> Self {
        let density = |x: f64| libm::exp(-0.5 * x * x);
        let mut edge = [0.0; LAYERS + 1];
        edge[0] = AREA / density(TAIL);
        edge[1] = TAIL;
        for i in 2..LAYERS {
            let above = AREA / edge[i - 1] + density(edge[i - 1]);
            edge[i] = libm::sqrt(-2.0 * libm::log(above));
        }
        Self { edge: edge.map(|x| x as f32), height: edge.map(density) }
    }

    #[inline]
    pub(super) fn sample(&self, random: &mut impl RngCore) -> f32 {
        let bits = random.next_u32();
        let layer = (bits & 0xff) as usize;
        let x = (bits.cast_signed() >> 8) as f32 * STEP * self.edge[layer];
        if x.abs() < self.edge[layer + 1] {
            return x;
        }
        self.sample_slowly(random, layer, x)
    }

    /// The 1.2 % that fall outside a layer's core: wedge, tail, or another try.
    #[cold]
    fn sample_slowly(&self, random: &mut impl RngCore, mut layer: usize, mut x: f32) -> f32 {
        loop {
            if layer == 0 {
                return tail(random, x.is_sign_negative());
            }
            let y = self.height[layer] + (self.height[layer + 1] - self.height[layer]) * uniform(random);
            if y < libm::exp(-0.5 * f64::from(x) * f64::from(x)) {
                return x;
            }
            let bits = random.next_u32();
            layer = (bits & 0xff) as usize;
            x = (bits.cast_signed() >> 8) as f32 * STEP * self.edge[layer];
            if x.abs() < self.edge[layer + 1] {
                return x;
            }
        }
    }
}

/// Beyond the base strip (Marsaglia, 1964).
fn tail(random: &mut impl RngCore, negative: bool) -> f32 {
    loop {
        let x = -libm::log(uniform(random)) / TAIL;
        let y = -libm::log(uniform(random));
        if 2.0 * y > x * x {
            let value = (TAIL + x) as f32;
            return if negative { -value } else { value };
        }
    }
}

/// Uniform on (0, 1), never 0.
fn uniform(random: &mut impl RngCore) -> f64 {
    (f64::from(random.next_u32()) + 0.5) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_layers_close_at_the_top() {
        let tables = Gaussian::new();
        let top = f64::from(tables.edge[LAYERS - 1]);
        let area = top * (1.0 - tables.height[LAYERS - 1]);
        assert!((area - AREA).abs() < 1e-6, "the last layer has area {area}");
    }

    #[test]
    fn moments_and_tails_are_normal() {
        let tables = Gaussian::new();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let n = 4_000_000_u32;
        let (mut sums, mut beyond) = ([0.0; 4], [0_u32; 4]);
        for _ in 0..n {
            let x = f64::from(tables.sample(&mut random));
            for (power, sum) in sums.iter_mut().enumerate() {
                *sum += x.powi(power as i32 + 1);
            }
            for (limit, count) in beyond.iter_mut().enumerate() {
                *count += u32::from(x > 1.0 + limit as f64);
            }
        }
        let [mean, square, cube, fourth] = sums.map(|sum| sum / f64::from(n));
        assert!(mean.abs() < 0.0025 && (square - 1.0).abs() < 0.004, "mean {mean}, variance {square}");
        assert!(cube.abs() < 0.01 && (fourth - 3.0).abs() < 0.03, "third {cube}, fourth {fourth}");
        // One-sided tails beyond 1, 2, 3, 4 sd, each within five standard errors.
        for (count, tail) in beyond.iter().zip([0.158_655, 0.022_750, 0.001_349_9, 0.000_031_67]) {
            let expected = f64::from(n) * tail;
            assert!(
                (f64::from(*count) - expected).abs() < 5.0 * expected.sqrt() + 1.0,
                "{count} beyond, expected {expected}"
            );
        }
    }
}
