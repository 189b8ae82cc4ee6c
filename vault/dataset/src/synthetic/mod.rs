//! People who do not exist, with the statistics of those who do.
//!
//! The embedding of capture *j* of identity *i* is, inside a fixed r-dimensional subspace of ℝ^d,
//!
//! ```text
//! x_ij = normalise( m + c_i + s_ij · w_ij )
//! c_i  = Λ^½ ( a·A[k1(i)] + b·B[k2(i)] + √(1−a²−b²) · g_i )
//! s_ij = exp( ls + ti·N(0,1)_i + tj·N(0,1)_ij ) · (kb with probability pb) / √r
//! ```
//!
//! `c_i` is the identity's centre; `A` are coarse (demographic) clusters and `B` fine look-alike clusters,
//! which make the heavy upper tail of impostor scores; `s_ij` is how noisy the capture is, by identity
//! and by image, with rare bad captures. The constants are in [`Model`].
//!
//! # Stability
//!
//! Everything is a function of (seed, identity, session) alone: identity *i* is the same whatever else
//! is generated, in whatever order, batch or thread. The random words are those of the ChaCha8 stream
//! cipher (`rand_chacha`, a fixed specification, unlike `rand`'s `StdRng`), the Gaussian sampler and the order of
//! every floating-point sum are this crate's own, and transcendental functions come from the portable `libm`
//! crate: the vectors do not change with the version of a library, with the CPU or with its vector width.

mod gaussian;
mod model;
mod projection;

use std::ops::Range;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

pub use model::Model;

use self::gaussian::Gaussian;
use self::projection::Projection;
use crate::vector;

/// What a stream of random words is for; part of its key, so that no two purposes share words.
#[derive(Clone, Copy)]
enum Stream {
    World = 0,
    Identity = 1,
    Capture = 2,
}

/// An endless population drawn from one [`Model`] with one seed. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Population {
    seed: u64,
    world: Arc<World>,
}

/// What all people of a population share.
#[derive(Debug)]
struct World {
    model: Model,
    /// Square roots of the spectrum, scaled so that E|c|² = 1.
    spread: Vec<f32>,
    mean: Vec<f32>,
    coarse: Vec<f32>,
    fine: Vec<f32>,
    gaussian: Gaussian,
    projection: Projection,
}

impl Population {
    /// The population of `model` under `seed`.
    #[must_use]
    pub fn new(model: Model, seed: u64) -> Self {
        let gaussian = Gaussian::new();
        let mut random = stream(seed, Stream::World, 0, 0);
        let rank = model.rank;
        let mut normals = |count: usize| -> Vec<f32> { (0..count).map(|_| gaussian.sample(&mut random)).collect() };

        let projection = Projection::orthonormal(&normals(model.dimension * rank), model.dimension, rank);
        let mut mean = normals(rank);
        vector::normalise(&mut mean);
        mean.iter_mut().for_each(|x| *x *= model.mean as f32);
        let coarse = normals(model.coarse_clusters as usize * rank);
        let fine = normals(model.fine_clusters as usize * rank);

        let spectrum: Vec<f64> = (0..rank).map(|i| libm::exp(-(i as f64) / model.decay)).collect();
        let total: f64 = spectrum.iter().sum();
        let spread = spectrum.iter().map(|&x| libm::sqrt(x / total) as f32).collect();

        Self { seed, world: Arc::new(World { model, spread, mean, coarse, fine, gaussian, projection }) }
    }

    /// The model people are drawn from.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.world.model
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Values of one embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.world.model.dimension
    }

    /// Identity `identity`.
    #[must_use]
    pub fn person(&self, identity: u64) -> Person<'_> {
        let mut centre = vec![0.0; self.world.model.rank];
        let temper = self.centre(identity, &mut centre);
        Person { population: self, identity, centre, temper }
    }

    /// Fills `out` with one capture each of the consecutive identities `first..`, row-major; exactly
    /// the vectors of [`Person::capture`], faster.
    ///
    /// # Panics
    /// If `out` is not a whole number of embeddings.
    pub fn fill(&self, first: u64, session: u32, out: &mut [f32]) {
        let dimension = self.dimension();
        let rank = self.world.model.rank;
        assert_eq!(out.len() % dimension, 0, "out holds whole embeddings of {dimension} values");
        let mut latent = vec![0.0; projection::BLOCK * rank];
        let mut identity = first;
        for block in out.chunks_mut(projection::BLOCK * dimension) {
            let people = block.len() / dimension;
            for row in latent.chunks_exact_mut(rank).take(people) {
                let temper = self.centre(identity, row);
                self.expose(identity, session, temper, row);
                identity += 1;
            }
            self.world.projection.apply(&latent, people, block);
        }
    }

    /// [`Population::fill`] on `threads` threads; the same bytes.
    ///
    /// # Panics
    /// As [`Population::fill`].
    pub fn fill_parallel(&self, first: u64, session: u32, threads: usize, out: &mut [f32]) {
        let dimension = self.dimension();
        assert_eq!(out.len() % dimension, 0, "out holds whole embeddings of {dimension} values");
        let rows = (out.len() / dimension).div_ceil(threads.max(1)).max(1);
        std::thread::scope(|scope| {
            for (part, chunk) in out.chunks_mut(rows * dimension).enumerate() {
                scope.spawn(move || self.fill(first + (part * rows) as u64, session, chunk));
            }
        });
    }

    /// One capture each of `people`, in batches of `rows` (the last may be smaller), each with its first identity.
    pub fn batches(&self, people: Range<u64>, session: u32, rows: usize) -> impl Iterator<Item = (u64, Vec<f32>)> + '_ {
        let rows = rows.max(1);
        people.clone().step_by(rows).map(move |first| {
            let count = (people.end - first).min(rows as u64) as usize;
            let mut batch = vec![0.0; count * self.dimension()];
            self.fill(first, session, &mut batch);
            (first, batch)
        })
    }

    /// Writes the identity's centre m + c_i, and returns its share of the capture noise's exponent.
    fn centre(&self, identity: u64, row: &mut [f32]) -> f64 {
        let World { model, spread, mean, coarse, fine, gaussian, .. } = &*self.world;
        let rank = model.rank;
        let mut random = stream(self.seed, Stream::Identity, 0, identity);
        let k1 = below(&mut random, model.coarse_clusters) as usize;
        let k2 = below(&mut random, model.fine_clusters) as usize;
        let temper = f64::from(gaussian.sample(&mut random)) * model.identity_noise;
        let own = (1.0 - model.coarse_share - model.fine_share).sqrt() as f32;
        let a = model.coarse_share.sqrt() as f32;
        let b = model.fine_share.sqrt() as f32;
        let cluster = coarse[k1 * rank..][..rank].iter().zip(&fine[k2 * rank..][..rank]);
        for (((x, (&coarse, &fine)), &spread), &mean) in row.iter_mut().zip(cluster).zip(spread).zip(mean) {
            *x = (own * gaussian.sample(&mut random) + a * coarse + b * fine) * spread + mean;
        }
        temper
    }

    /// Turns a centre into one capture: adds its noise and scales to unit length.
    fn expose(&self, identity: u64, session: u32, temper: f64, row: &mut [f32]) {
        let World { model, gaussian, .. } = &*self.world;
        let mut random = stream(self.seed, Stream::Capture, session, identity);
        let image = f64::from(gaussian.sample(&mut random)) * model.image_noise;
        let bad = f64::from(random.next_u32()) < model.bad_share * 4_294_967_296.0;
        let factor = if bad { model.bad_factor } else { 1.0 };
        let noise = libm::exp(model.log_noise + temper + image) * factor / libm::sqrt(model.rank as f64);
        let noise = noise as f32;
        for x in row.iter_mut() {
            *x += noise * gaussian.sample(&mut random);
        }
        vector::normalise(row);
    }
}

/// One person of a [`Population`].
#[derive(Debug, Clone)]
pub struct Person<'a> {
    population: &'a Population,
    identity: u64,
    centre: Vec<f32>,
    temper: f64,
}

impl Person<'_> {
    /// The identity's number.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// The embedding of one capture session (0 is the enrolment by convention): unit length, always the same.
    #[must_use]
    pub fn capture(&self, session: u32) -> Vec<f32> {
        let mut latent = self.centre.clone();
        self.population.expose(self.identity, session, self.temper, &mut latent);
        let mut out = vec![0.0; self.population.dimension()];
        self.population.world.projection.apply(&latent, 1, &mut out);
        out
    }
}

/// The words of one purpose, session and identity: ChaCha8 under a key that holds the seed.
fn stream(seed: u64, purpose: Stream, session: u32, identity: u64) -> ChaCha8Rng {
    let mut key = *b"seed----p---sessLethe people v1.";
    key[0..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&(purpose as u32).to_le_bytes());
    key[12..16].copy_from_slice(&session.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(identity);
    random
}

/// A number below `bound`, uniform to within `bound`/2³².
fn below(random: &mut ChaCha8Rng, bound: u32) -> u32 {
    ((u64::from(random.next_u32()) * u64::from(bound)) >> 32) as u32
}
