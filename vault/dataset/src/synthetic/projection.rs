//! From the subspace that people are drawn in to the space that a network would answer in.
//!
//! A dense random orthonormal basis, so lengths and cosines are kept. (A structured one would be far
//! cheaper, but a search index that itself rotates by such a structure must not meet it in its test data.)

/// People projected together: their latent vectors and one panel of the basis stay in the L1 cache.
pub(super) const BLOCK: usize = 32;
/// Outputs of one panel, and people of one pass over it: 4 × 8 sums fit the registers of any x86-64.
const PANEL: usize = 8;
const ROWS: usize = 4;

/// An orthonormal basis of a random r-dimensional subspace of ℝ^d.
#[derive(Debug)]
pub(super) struct Projection {
    dimension: usize,
    rank: usize,
    /// d / 8 panels; each holds, for every latent coordinate, 8 neighbouring outputs.
    panels: Vec<[f32; PANEL]>,
}

impl Projection {
    /// Orthonormalises `rank` vectors of `dimension` normal numbers (twice is enough: Giraud et al.,
    /// Numer. Math. 101, 2005).
    pub(super) fn orthonormal(normals: &[f32], dimension: usize, rank: usize) -> Self {
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(rank);
        for vector in normals.chunks_exact(dimension).take(rank) {
            let mut vector: Vec<f64> = vector.iter().map(|&x| f64::from(x)).collect();
            for _ in 0..2 {
                for other in &basis {
                    let along = dot(&vector, other);
                    vector.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
                }
                let length = dot(&vector, &vector).sqrt();
                vector.iter_mut().for_each(|x| *x /= length);
            }
            basis.push(vector);
        }
        let panels = (0..dimension / PANEL)
            .flat_map(|panel| {
                basis.iter().map(move |vector| {
                    let mut outputs = [0.0; PANEL];
                    for (output, &x) in outputs.iter_mut().zip(&vector[panel * PANEL..]) {
                        *output = x as f32;
                    }
                    outputs
                })
            })
            .collect();
        Self { dimension, rank, panels }
    }

    /// Projects the first `people` rows of `latent` into `out`.
    ///
    /// Each output is summed in the order of the latent coordinates, whatever the blocking.
    pub(super) fn apply(&self, latent: &[f32], people: usize, out: &mut [f32]) {
        let rank = self.rank;
        for (panel, basis) in self.panels.chunks_exact(rank).enumerate() {
            let mut person = 0;
            while person + ROWS <= people {
                let rows: [&[f32]; ROWS] = std::array::from_fn(|i| &latent[(person + i) * rank..][..rank]);
                for (i, sums) in multiply(rows, basis).iter().enumerate() {
                    out[(person + i) * self.dimension + panel * PANEL..][..PANEL].copy_from_slice(sums);
                }
                person += ROWS;
            }
            while person < people {
                let [sums] = multiply([&latent[person * rank..][..rank]], basis);
                out[person * self.dimension + panel * PANEL..][..PANEL].copy_from_slice(&sums);
                person += 1;
            }
        }
    }
}

#[inline]
fn multiply<const N: usize>(rows: [&[f32]; N], basis: &[[f32; PANEL]]) -> [[f32; PANEL]; N] {
    let mut sums = [[0.0; PANEL]; N];
    let rows = rows.map(|row| &row[..basis.len()]);
    for (i, outputs) in basis.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = row[i];
            for (sum, output) in sums.iter_mut().zip(outputs) {
                *sum += x * output;
            }
        }
    }
    sums
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::gaussian::Gaussian;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    #[test]
    fn lengths_and_cosines_are_kept() {
        let gaussian = Gaussian::new();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut normals = |n: usize| -> Vec<f32> { (0..n).map(|_| gaussian.sample(&mut random)).collect() };
        for (dimension, rank) in [(512, 192), (128, 128), (1024, 192)] {
            let projection = Projection::orthonormal(&normals(dimension * rank), dimension, rank);
            let latent = normals(7 * rank);
            let mut out = vec![0.0; 7 * dimension];
            projection.apply(&latent, 7, &mut out);
            for i in 0..7 {
                for j in 0..7 {
                    let product = |rows: &[f32], width: usize| -> f64 {
                        let (a, b) = (&rows[i * width..][..width], &rows[j * width..][..width]);
                        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
                    };
                    let (before, after) = (product(&latent, rank), product(&out, dimension));
                    assert!((before - after).abs() < 2e-3, "{dimension}: {before} became {after}");
                }
            }
        }
    }
}
