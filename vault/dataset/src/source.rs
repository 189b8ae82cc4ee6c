//! Real or generated people behind one view, so that the same story can be told of both.

use crate::{Error, Faces, Population};

/// Where people come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Embeddings of real images, from files that the caller holds.
    Real(Faces),
    /// Generated people.
    Synthetic(SyntheticFaces),
}

impl Source {
    /// The model's name.
    #[must_use]
    pub fn model(&self) -> &str {
        match self {
            Self::Real(faces) => faces.model(),
            Self::Synthetic(faces) => faces.population.model().name(),
        }
    }

    /// Values of one embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        match self {
            Self::Real(faces) => faces.dimension(),
            Self::Synthetic(faces) => faces.population.dimension(),
        }
    }

    /// Number of people.
    #[must_use]
    pub fn people(&self) -> u64 {
        match self {
            Self::Real(faces) => faces.people().len() as u64,
            Self::Synthetic(faces) => faces.people,
        }
    }

    /// How many captures there are of a person; 0 if there is no such person.
    #[must_use]
    pub fn captures(&self, person: u64) -> u32 {
        match self {
            Self::Real(faces) => {
                let person = usize::try_from(person).ok().and_then(|person| faces.people().get(person));
                person.map_or(0, |person| u32::try_from(person.images.len()).unwrap_or(u32::MAX))
            }
            Self::Synthetic(faces) if person < faces.people => faces.captures.of(person),
            Self::Synthetic(_) => 0,
        }
    }

    /// The embedding of a person's capture `index`, unit length, if there is one.
    #[must_use]
    pub fn capture(&self, person: u64, index: u32) -> Option<Vec<f32>> {
        if index >= self.captures(person) {
            return None;
        }
        match self {
            Self::Real(faces) => {
                let person = faces.people().get(usize::try_from(person).ok()?)?;
                Some(faces.embedding(*person.images.get(index as usize)?).to_vec())
            }
            Self::Synthetic(faces) => Some(faces.population.person(person).capture(index)),
        }
    }

    /// One line for the user: what these faces are, and how far to trust their statistics.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Real(faces) => format!(
                "{} images of {} people, {} ({} values), read from files",
                faces.images(),
                faces.people().len(),
                faces.model(),
                faces.dimension()
            ),
            Self::Synthetic(faces) => {
                let model = faces.population.model();
                let fit = if model.is_fitted() { "fitted to real embeddings" } else { "not fitted to any network" };
                format!(
                    "{} generated people, {} ({} values, {fit}), seed {}",
                    faces.people,
                    model.name(),
                    model.dimension(),
                    faces.population.seed()
                )
            }
        }
    }
}

/// How many captures generated people have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captures {
    /// The same for everybody.
    Fixed(u32),
    /// As in LFW (Huang et al., UMass Amherst TR 07-49, 2007): 71 % of people have one image, a few have
    /// many. Exact for every 5,749 consecutive people. More than ten are given as eleven, since the
    /// [rule](crate::evaluation) counts the first ten.
    LfwLike,
}

/// People with 1, 2, … 10 and more images in LFW.
const LFW: [u32; 11] = [4069, 779, 291, 187, 112, 55, 39, 33, 26, 15, 143];
const LFW_PEOPLE: u64 = 5749;

impl Captures {
    /// How many captures a person has.
    #[must_use]
    pub fn of(self, person: u64) -> u32 {
        match self {
            Self::Fixed(count) => count,
            Self::LfwLike => {
                // A stride coprime to the length visits every place once, and mixes the counts.
                let mut place = ((person % LFW_PEOPLE) * 2741 % LFW_PEOPLE) as u32;
                let mut images = 1;
                for people in LFW {
                    if place < people {
                        break;
                    }
                    place -= people;
                    images += 1;
                }
                images
            }
        }
    }
}

/// A finite part of a [`Population`]: identities `0..people`, each with some captures.
#[derive(Debug, Clone)]
pub struct SyntheticFaces {
    population: Population,
    people: u64,
    captures: Captures,
}

impl SyntheticFaces {
    /// The first `people` identities of `population`.
    #[must_use]
    pub fn new(population: Population, people: u64, captures: Captures) -> Self {
        Self { population, people, captures }
    }

    /// The population they belong to.
    #[must_use]
    pub fn population(&self) -> &Population {
        &self.population
    }

    /// All captures in memory, labelled by identity, each person's together.
    ///
    /// # Errors
    /// [`Error::Faces`] never for a working generator; the check is that of [`Faces::new`].
    pub fn faces(&self) -> Result<Faces, Error> {
        let (mut values, mut subjects) = (Vec::new(), Vec::new());
        for identity in 0..self.people {
            let person = self.population.person(identity);
            for session in 0..self.captures.of(identity) {
                values.extend_from_slice(&person.capture(session));
                subjects.push(identity.cast_signed());
            }
        }
        Faces::new(self.population.model().name(), self.population.dimension(), values, subjects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_counts_are_those_of_lfw() {
        let mut histogram = [0_u32; 11];
        for person in 0..LFW_PEOPLE {
            histogram[Captures::LfwLike.of(1000 + person) as usize - 1] += 1;
        }
        assert_eq!(histogram, LFW);
        assert_eq!(LFW.iter().sum::<u32>() as u64, LFW_PEOPLE);
    }

    #[test]
    fn nobody_beyond_the_last_person_has_a_capture() {
        let population = Population::new(crate::Model::unfitted_128(), 3);
        let source = Source::Synthetic(SyntheticFaces::new(population.clone(), 2, Captures::Fixed(2)));
        assert_eq!(source.capture(1, 1), Some(population.person(1).capture(1)));
        assert_eq!(source.capture(1, 2), None);
        assert_eq!(source.capture(2, 0), None);
        assert!(source.describe().contains("not fitted"));
    }
}
