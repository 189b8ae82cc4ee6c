//! Who plays: the people, their captures, and what their scores really are.
//!
//! Scores are computed here once more, from the embeddings alone and without the vault's own code: it
//! is what the vault's answers are checked against.

use std::path::Path;

use lethe_dataset::{Captures, Faces, Model, Population, Source, SyntheticFaces};

use crate::cli::exit::Failure;

/// The generator's seed: the same people each time.
const SEED: u64 = 1;

/// The data set's name of the model, which is also the name of its file.
pub(super) const FACES: &str = "edgeface_xs_512";

/// Least cosine that is a match: measured on LFW and on generated people alike, one impostor pair in
/// 100,000 reaches it.
pub(super) const MATCH: f32 = 0.386;

/// Least cosine that a person must judge: one impostor pair in 10,000 reaches it.
pub(super) const REVIEW: f32 = 0.319;

/// How far two exact computations of one score may differ: sums of 512 products in another order.
pub(super) const ROUNDING: f32 = 1e-5;

/// All people: those of the first tenant, then those of the second.
pub(super) struct Cast {
    source: Source,
    people: u64,
    others: u64,
}

impl Cast {
    /// Generated people, or those of a folder.
    pub(super) fn gather(data: Option<&Path>, people: u64) -> Result<Self, Failure> {
        let others = |people: u64| people / 20;
        let Some(folder) = data else {
            let population = Population::new(Model::edgeface_xs_512(), SEED);
            let all = SyntheticFaces::new(population, people + others(people), Captures::Fixed(3));
            return Ok(Self { source: Source::Synthetic(all), people, others: others(people) });
        };
        let faces = Faces::open(folder, FACES).map_err(|error| Failure::usage(error.to_string()))?;
        let source = Source::Real(faces);
        let people = people.min(source.people() * 20 / 21);
        let cast = Self { source, people, others: others(people) };
        let again = (0..cast.people).filter(|person| cast.comes_back(*person)).count();
        if cast.people < 200 || again < 60 {
            return Err(Failure::usage(format!(
                "{}: too few people for the demo: it needs 210, 60 of them with two images",
                folder.display()
            )));
        }
        Ok(cast)
    }

    /// One line about the faces.
    pub(super) fn describe(&self) -> String {
        self.source.describe()
    }

    pub(super) fn is_synthetic(&self) -> bool {
        matches!(self.source, Source::Synthetic(_))
    }

    pub(super) fn dimension(&self) -> usize {
        self.source.dimension()
    }

    /// How many people the first tenant enrolls: persons `0..people()`.
    pub(super) fn people(&self) -> u64 {
        self.people
    }

    /// The people of the second tenant, whom the first never met.
    pub(super) fn others(&self) -> std::ops::Range<u64> {
        self.people..self.people + self.others
    }

    /// What a person is enrolled with.
    pub(super) fn enrolment(&self, person: u64) -> Vec<f32> {
        self.source.capture(person, 0).unwrap_or_default()
    }

    /// Further captures of a person; none of people with one image.
    pub(super) fn captures(&self, person: u64) -> Vec<Vec<f32>> {
        (1..3).filter_map(|index| self.source.capture(person, index)).collect()
    }

    /// Whether there is a second capture.
    pub(super) fn comes_back(&self, person: u64) -> bool {
        self.source.captures(person) > 1
    }

    /// A person's latest capture, which may be the enrolment itself.
    pub(super) fn latest(&self, person: u64) -> Vec<f32> {
        self.captures(person).pop().unwrap_or_else(|| self.enrolment(person))
    }

    /// Person `person`'s applicant id at the first tenant.
    pub(super) fn applicant(person: u64) -> String {
        format!("applicant-{person:06}")
    }
}

/// A gallery as it should be, to be searched exhaustively.
#[derive(Default)]
pub(super) struct Shadow {
    subjects: Vec<String>,
    embeddings: Vec<Vec<f32>>,
}

impl Shadow {
    pub(super) fn insert(&mut self, subject: String, embedding: Vec<f32>) {
        self.subjects.push(subject);
        self.embeddings.push(embedding);
    }

    pub(super) fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Everyone at or above the threshold, and those so close to it that rounding decides.
    pub(super) fn search(&self, probe: &[f32], threshold: f32) -> Expected {
        let mut expected = Expected::default();
        for (subject, embedding) in self.subjects.iter().zip(&self.embeddings) {
            let score = score(probe, embedding);
            if score >= threshold + ROUNDING {
                expected.surely.push(subject.clone());
            } else if score >= threshold - ROUNDING {
                expected.perhaps.push(subject.clone());
            }
        }
        expected.surely.sort();
        expected
    }
}

/// What a search should find.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Expected {
    /// These.
    pub(super) surely: Vec<String>,
    /// And perhaps these.
    pub(super) perhaps: Vec<String>,
}

impl Expected {
    /// Whether `found` is what should be found.
    pub(super) fn agrees(&self, found: &[String]) -> bool {
        self.surely.iter().all(|subject| found.contains(subject))
            && found.iter().all(|subject| self.surely.contains(subject) || self.perhaps.contains(subject))
    }
}

/// The cosine of two unit vectors.
pub(super) fn score(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (left, right) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in left.zip(right) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn generated_people_are_like_themselves_alone() {
        let cast = Cast::gather(None, 200).unwrap();
        assert_eq!((cast.people(), cast.others()), (200, 200..210));
        let mut shadow = Shadow::default();
        for person in 0..cast.people() {
            shadow.insert(Cast::applicant(person), cast.enrolment(person));
        }
        let itself = shadow.search(&cast.enrolment(7), 0.99);
        assert_eq!(itself.surely, [Cast::applicant(7)]);
        assert_eq!(cast.captures(7).len(), 2);
        assert!(cast.comes_back(7));
        assert_ne!(cast.latest(7), cast.enrolment(7));
        assert_eq!(shadow.len(), 200);
    }

    #[test]
    fn too_few_real_people_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Cast::gather(Some(folder.path()), 200).is_err());
    }

    #[test]
    fn scores_are_cosines() {
        let unit = |at: usize| (0..20).map(|i| f32::from(u8::from(i == at))).collect::<Vec<_>>();
        assert_eq!(score(&unit(3), &unit(3)), 1.0);
        assert_eq!(score(&unit(18), &unit(18)), 1.0);
        assert_eq!(score(&unit(3), &unit(4)), 0.0);
    }

    #[test]
    fn only_rounding_excuses_a_difference() {
        let expected = Expected { surely: vec!["a".into()], perhaps: vec!["b".into()] };
        for (found, agrees) in
            [(vec!["a"], true), (vec!["a", "b"], true), (vec!["b"], false), (vec!["a", "c"], false), (vec![], false)]
        {
            let found: Vec<String> = found.into_iter().map(Into::into).collect();
            assert_eq!(expected.agrees(&found), agrees, "{found:?}");
        }
    }
}
