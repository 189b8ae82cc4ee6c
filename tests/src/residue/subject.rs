use lethe_domain::Embedding;
use rand::distr::{Alphanumeric, SampleString};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Needles;
use crate::{DIMENSION, Face, Faces, Person};

/// Someone whose traces are looked for.
#[derive(Debug, Clone)]
pub struct Subject {
    /// 64 letters and digits.
    pub id: String,
    person: Person,
    /// What clients send is not of unit length, so that it differs from what the vault keeps.
    scale: f32,
}

impl Subject {
    /// People none of whom looks like another.
    #[must_use]
    pub fn strangers(number: usize, seed: u64) -> Vec<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let people = Faces::seeded(seed).strangers(number).into_iter();
        let subject = people.map(|person| Self {
            id: Alphanumeric.sample_string(&mut random, 64),
            person,
            scale: random.random_range(2.0..9.0),
        });
        subject.collect()
    }

    /// A capture, as it is sent.
    #[must_use]
    pub fn face(&self, capture: u32) -> Face {
        self.person.capture(capture).iter().map(|x| x * self.scale).collect()
    }

    /// The same, of unit length.
    #[must_use]
    pub fn kept(&self, capture: u32) -> Face {
        Embedding::parse("", self.face(capture), DIMENSION).unwrap().components().to_vec()
    }

    /// Looks for the id, and for the first so many captures.
    pub fn look_for(&self, needles: &mut Needles, name: &str, captures: u32) {
        needles.text(&format!("{name}: id"), &self.id);
        for capture in 0..captures {
            needles.embedding(&format!("{name}: face {capture}, as sent"), &self.face(capture));
            needles.embedding(&format!("{name}: face {capture}, as kept"), &self.kept(capture));
        }
    }
}
