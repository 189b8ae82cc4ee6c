use lethe_dataset::synthetic::{Model, Population};

/// An embedding.
pub type Face = Vec<f32>;

/// Components of the harness' usual model, the one the generator was fitted to.
pub const DIMENSION: usize = 512;
/// The usual match threshold: a false match among a million impostors.
pub const MATCH: f32 = 0.45;
/// The usual review threshold.
pub const REVIEW: f32 = 0.35;

/// How far from a threshold a pair must lie to be used where a test asks for a clear case.
const CLEAR: f32 = 0.05;
/// Captures tried before a person counts as having no clear second one.
const TRIES: u32 = 64;

/// Generated people: seeded, so that each run sees the same ones.
#[derive(Debug, Clone)]
pub struct Faces {
    population: Population,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Person {
    population: Population,
    identity: u64,
}

impl Faces {
    /// People of the usual model.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::of(DIMENSION, seed)
    }

    /// People of a model of 128, 512 or 1024 dimensions.
    #[must_use]
    pub fn of(dimension: usize, seed: u64) -> Self {
        let model = Model::for_dimension(dimension).expect("there is a generator for 128, 512 and 1024 dimensions");
        Self { population: Population::new(model, seed) }
    }

    /// A person, by number.
    #[must_use]
    pub fn person(&self, identity: u64) -> Person {
        Person { population: self.population.clone(), identity }
    }

    /// The first so many people who look like themselves, and no two of whom a test could mistake for each other.
    #[must_use]
    pub fn strangers(&self, number: usize) -> Vec<Person> {
        let mut chosen: Vec<(Person, Face)> = Vec::with_capacity(number);
        for person in (0..).map(|identity| self.person(identity)) {
            if chosen.len() == number {
                break;
            }
            let face = person.selfie();
            let Some(again) = person.looks_like(&face) else { continue };
            let far = |other: &[f32]| cosine(&face, other) < REVIEW - CLEAR && cosine(&again, other) < REVIEW - CLEAR;
            if chosen.iter().all(|(other, selfie)| far(selfie) && far(&other.again())) {
                chosen.push((person, face));
            }
        }
        chosen.into_iter().map(|(person, _)| person).collect()
    }
}

impl Person {
    /// The capture that is usually enrolled.
    #[must_use]
    pub fn selfie(&self) -> Face {
        self.capture(0)
    }

    /// A later capture that clearly matches the selfie.
    ///
    /// # Panics
    /// When the person has none among the first few: some people never look like themselves.
    #[must_use]
    pub fn again(&self) -> Face {
        self.looks_like(&self.selfie()).expect("a person looks like themselves; `strangers` only has such")
    }

    fn looks_like(&self, selfie: &[f32]) -> Option<Face> {
        let mut later = (1..TRIES).map(|session| self.capture(session));
        later.find(|face| cosine(selfie, face) >= MATCH + CLEAR)
    }

    /// A capture, by number.
    #[must_use]
    pub fn capture(&self, session: u32) -> Face {
        self.population.person(self.identity).capture(session)
    }
}

/// Cosine of two embeddings of any norm, in double precision: what the vault's scores are held against.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    #[allow(clippy::cast_possible_truncation, reason = "a cosine fits")]
    let cosine = (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()) as f32;
    cosine
}
