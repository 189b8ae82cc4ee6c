//! What the tests share: seeded vectors, a seeded rotation, and the estimate written down naively.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::sync::Arc;

use lethe_index::{Gallery, OperatingPoint, Pool, Quantizer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub fn normal(rng: &mut impl Rng) -> f32 {
    // Box–Muller.
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

pub fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

pub fn normalised(v: &[f32]) -> Vec<f32> {
    let norm = inner(v, v).sqrt();
    v.iter().map(|&x| (f64::from(x) / norm) as f32).collect()
}

/// A random direction.
pub fn unit(rng: &mut impl Rng, dim: usize) -> Vec<f32> {
    let v: Vec<f32> = (0..dim).map(|_| normal(rng)).collect();
    normalised(&v)
}

/// a·x + b·y.
pub fn combine(a: f64, x: &[f32], b: f64, y: &[f32]) -> Vec<f32> {
    x.iter().zip(y).map(|(&x, &y)| (a * f64::from(x) + b * f64::from(y)) as f32).collect()
}

/// A unit vector spread around a mean of length below 1: what a model with a common mean makes.
pub fn around(rng: &mut impl Rng, centre: &[f32], spread: f64) -> Vec<f32> {
    let direction = unit(rng, centre.len());
    normalised(&combine(1.0, centre, spread, &direction))
}

/// The unit vector at cosine `t` to `o` that lies towards `toward`.
pub fn at_cosine(o: &[f32], t: f64, toward: &[f32]) -> Vec<f32> {
    let across = normalised(&combine(1.0, toward, -inner(toward, o), o));
    normalised(&combine(t, o, (1.0 - t * t).sqrt(), &across))
}

/// A random orthogonal map: three rounds of sign flips and a Walsh–Hadamard transform.
pub struct Rotation {
    signs: [Vec<f32>; 3],
}

impl Rotation {
    pub fn new(rng: &mut impl Rng, dim: usize) -> Self {
        let scale = 1.0 / (dim as f32).sqrt();
        Self {
            signs: std::array::from_fn(|_| {
                (0..dim.div_ceil(64))
                    .flat_map(|_| {
                        let word: u64 = rng.random();
                        (0..64).map(move |i| if word >> i & 1 == 1 { scale } else { -scale })
                    })
                    .collect()
            }),
        }
    }

    pub fn apply(&self, v: &[f32]) -> Vec<f32> {
        let mut v = v.to_vec();
        for signs in &self.signs {
            v.iter_mut().zip(signs).for_each(|(x, s)| *x *= s);
            let mut half = 1;
            while half < v.len() {
                for block in v.chunks_exact_mut(2 * half) {
                    let (low, high) = block.split_at_mut(half);
                    for (a, b) in low.iter_mut().zip(high) {
                        (*a, *b) = (*a + *b, *a - *b);
                    }
                }
                half *= 2;
            }
        }
        v
    }
}

/// What sketches are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signs around the origin.
    Signs,
    /// Signs around a centre.
    Centred,
    /// Signs and magnitudes.
    TwoBits,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Signs, Self::Centred, Self::TwoBits];

    /// A centre of this length in a random direction, if there is to be one.
    pub fn centre(self, rng: &mut impl Rng, dim: usize, length: f64) -> Option<Vec<f32>> {
        (self == Self::Centred).then(|| combine(length, &unit(rng, dim), 0.0, &vec![0.0; dim]))
    }

    pub fn quantizer(self, dim: usize, centre: Option<&[f32]>) -> Quantizer {
        let quantizer = match self {
            Self::Signs | Self::Centred => Quantizer::new(dim, centre),
            Self::TwoBits => Quantizer::of_two_bits(dim),
        };
        quantizer.unwrap()
    }

    pub fn gallery(self, dim: usize, centre: Option<&[f32]>, threads: usize) -> Gallery<u64> {
        Gallery::new(Arc::new(self.quantizer(dim, centre)), Pool::new(Some(threads)).unwrap())
    }
}

/// A gallery of signs around the origin.
pub fn gallery(dim: usize, threads: usize) -> Gallery<u64> {
    Kind::Signs.gallery(dim, None, threads)
}

pub fn at(threshold: f32, miss: f64) -> OperatingPoint {
    OperatingPoint::new(threshold, miss).unwrap()
}

/// The estimate by its definition, coordinate by coordinate in double precision.
pub fn naive_estimate(kind: Kind, q: &[f32], o: &[f32], centre: Option<&[f32]>) -> f64 {
    if kind == Kind::TwoBits {
        // The levels of a normal distribution that lose least, and what of it they keep.
        let unit = (q.len() as f64).sqrt();
        let level = |x: f32| if f64::from(x.abs()) * unit >= 0.9816 { 1.510 } else { 0.4528 };
        let of = |(&q, &o): (&f32, &f32)| f64::from(q) * if o >= 0.0 { level(o) } else { -level(o) };
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let kept = 2.0 * (0.4528 * density(0.0) + (1.510 - 0.4528) * density(0.9816));
        return q.iter().zip(o).map(of).sum::<f64>() / unit / kept;
    }
    let zero = vec![0.0; q.len()];
    let c = centre.unwrap_or(&zero);
    let signed: f64 = (0..q.len())
        .map(|i| {
            let y = f64::from(q[i] - c[i]);
            if o[i] - c[i] >= 0.0 { y } else { -y }
        })
        .sum();
    let residual = match centre {
        None => 1.0,
        Some(c) => (1.0 - 2.0 * inner(o, c) + inner(c, c)).max(0.0).sqrt(),
    };
    let unit_sum = (2.0 * q.len() as f64 / std::f64::consts::PI).sqrt();
    residual * signed / unit_sum + inner(q, c) + inner(o, c) - inner(c, c)
}
