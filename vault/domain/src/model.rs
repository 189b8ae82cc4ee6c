use crate::{Embedding, Invalid, Reason};

/// Which model made an embedding. Scores of two models, or of two versions of one, are never
/// compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId {
    id: String,
    version: String,
}

impl ModelId {
    /// Parses `id` and `version`: 1 to 63 of `a-z 0-9 . _ -` each.
    pub fn parse(id: &str, version: &str) -> Result<Self, Invalid> {
        part("model.id", id)?;
        part("model.version", version)?;
        Ok(Self { id: id.to_owned(), version: version.to_owned() })
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The model's version.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn part(field: &str, text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(field, Reason::FieldMissing, "is empty"));
    }
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if text.len() > 63 || !text.bytes().all(known) {
        return Err(Invalid::new(field, Reason::FieldOutOfRange, "1 to 63 of a-z 0-9 . _ -"));
    }
    Ok(())
}

/// `id@version`, as in resource names.
impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.id, self.version)
    }
}

/// A tenant's cosine thresholds for one model: `review ≤ match`, both in −1…1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    matching: f32,
    review: f32,
}

impl Thresholds {
    /// Checks the pair.
    pub fn new(matching: f32, review: f32) -> Result<Self, Invalid> {
        let refuse = |field, message| Err(Invalid::new(field, Reason::FieldOutOfRange, message));
        if !(-1.0..=1.0).contains(&matching) {
            return refuse("thresholds.match", "a cosine between -1 and 1 is needed");
        }
        if !(-1.0..=1.0).contains(&review) {
            return refuse("thresholds.review", "a cosine between -1 and 1 is needed");
        }
        if review > matching {
            return refuse("thresholds.review", "must not lie above thresholds.match");
        }
        Ok(Self { matching, review })
    }

    /// At or above: `MATCH`.
    pub const fn matching(self) -> f32 {
        self.matching
    }

    /// At or above, and below `matching`: `REVIEW`.
    pub const fn review(self) -> f32 {
        self.review
    }
}

/// What searches keep of each coordinate of a template in memory.
#[derive(Debug, Clone, PartialEq)]
pub enum Sketching {
    /// One bit: its sign, less that of the mean that embeddings of the model share, where it is large.
    OneBit(Option<Vec<f32>>),
    /// Two: its sign, and whether it is a large one.
    TwoBits,
}

impl Sketching {
    /// Of so many bits, and around a centre if there is one. Two bits where neither is given: they leave far fewer templates to
    /// be opened. One around a centre, where there are no others.
    pub fn new(bits: Option<i32>, centre: Option<Vec<f32>>) -> Result<Self, Invalid> {
        match (bits, centre) {
            (None | Some(1), Some(centre)) => Ok(Self::OneBit(Some(centre))),
            (Some(1), None) => Ok(Self::OneBit(None)),
            (None | Some(2), None) => Ok(Self::TwoBits),
            (Some(2), Some(_)) => {
                Err(Invalid::new("sketch_bits", Reason::FieldOutOfRange, "must be 1 around a centre"))
            }
            (Some(_), _) => Err(Invalid::new("sketch_bits", Reason::FieldOutOfRange, "must be 1 or 2")),
        }
    }

    /// Bits of a coordinate.
    pub const fn bits(&self) -> u8 {
        match self {
            Self::OneBit(_) => 1,
            Self::TwoBits => 2,
        }
    }

    /// The mean that embeddings of the model share, if sketches are made around it.
    pub fn centre(&self) -> Option<&[f32]> {
        match self {
            Self::OneBit(centre) => centre.as_deref(),
            Self::TwoBits => None,
        }
    }
}

/// What the vault knows of a model, for one tenant.
#[derive(Debug, Clone)]
pub struct ModelProfile {
    model: ModelId,
    dimension: usize,
    sketching: Sketching,
    thresholds: Thresholds,
    miss_probability: f64,
    policy_version: u32,
}

impl ModelProfile {
    /// The miss probability at the threshold when none is given.
    pub const DEFAULT_MISS_PROBABILITY: f64 = 1e-4;

    /// Checks a profile: dimension 64…4096; the centre, where there is one, finite, of that
    /// length and shorter than a unit vector; miss probability 1e-12…0.1.
    pub fn new(
        model: ModelId,
        dimension: u32,
        sketching: Sketching,
        thresholds: Thresholds,
        miss_probability: f64,
    ) -> Result<Self, Invalid> {
        let dimension = usize::try_from(dimension).unwrap_or(usize::MAX);
        if !Embedding::DIMENSIONS.contains(&dimension) {
            return Err(Invalid::new("dimension", Reason::FieldOutOfRange, "must be 64 to 4096"));
        }
        if let Some(centre) = sketching.centre() {
            check_centre(centre, dimension)?;
        }
        check_miss_probability("miss_probability", miss_probability)?;
        Ok(Self { model, dimension, sketching, thresholds, miss_probability, policy_version: 1 })
    }

    /// The profile with other thresholds and miss probability, under the next policy version: each
    /// answer names the version that judged it.
    pub fn amend(&self, thresholds: Thresholds, miss_probability: f64) -> Result<Self, Invalid> {
        check_miss_probability("miss_probability", miss_probability)?;
        Ok(Self { thresholds, miss_probability, policy_version: self.policy_version.saturating_add(1), ..self.clone() })
    }

    /// The profile as it was stored under a policy version.
    #[must_use]
    pub fn at_version(self, policy_version: u32) -> Self {
        Self { policy_version, ..self }
    }

    /// The model.
    pub const fn model(&self) -> &ModelId {
        &self.model
    }

    /// Components of an embedding.
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// What its sketches are made of.
    pub const fn sketching(&self) -> &Sketching {
        &self.sketching
    }

    /// The tenant's thresholds.
    pub const fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// Probability that a search misses a mate exactly at the threshold.
    pub const fn miss_probability(&self) -> f64 {
        self.miss_probability
    }

    /// Counts the changes of the thresholds, from 1.
    pub const fn policy_version(&self) -> u32 {
        self.policy_version
    }
}

fn check_centre(centre: &[f32], dimension: usize) -> Result<(), Invalid> {
    if centre.len() != dimension {
        let message = format!("has {} components; the model has {dimension}", centre.len());
        return Err(Invalid::new("centre", Reason::EmbeddingDimension, message));
    }
    if !centre.iter().all(|x| x.is_finite()) {
        return Err(Invalid::new("centre", Reason::FieldOutOfRange, "has a component that is not finite"));
    }
    let norm = centre.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if norm >= 1.0 {
        let message = "must be shorter than 1: it is the mean of unit vectors";
        return Err(Invalid::new("centre", Reason::FieldOutOfRange, message));
    }
    Ok(())
}

/// Checks a miss probability given for `field`.
pub(crate) fn check_miss_probability(field: &str, probability: f64) -> Result<(), Invalid> {
    if (1e-12..=0.1).contains(&probability) {
        Ok(())
    } else {
        Err(Invalid::new(field, Reason::FieldOutOfRange, "must be 1e-12 to 0.1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_ordered_cosines() {
        assert!(Thresholds::new(0.5, 0.4).is_ok());
        assert_eq!(Thresholds::new(0.4, 0.5).unwrap_err().field, "thresholds.review");
        assert_eq!(Thresholds::new(f32::NAN, 0.5).unwrap_err().field, "thresholds.match");
        assert_eq!(Thresholds::new(0.5, -1.5).unwrap_err().field, "thresholds.review");
    }

    #[test]
    fn a_profile_is_refused_by_field() {
        let model = || ModelId::parse("m", "1").unwrap();
        let thresholds = Thresholds::new(0.5, 0.4).unwrap();
        let field = |dimension, centre, miss| {
            ModelProfile::new(model(), dimension, Sketching::OneBit(centre), thresholds, miss).unwrap_err().field
        };
        assert_eq!(field(63, None, 1e-4), "dimension");
        assert_eq!(field(4097, None, 1e-4), "dimension");
        assert_eq!(field(64, Some(vec![0.0; 63]), 1e-4), "centre");
        assert_eq!(field(64, Some(vec![0.2; 64]), 1e-4), "centre");
        assert_eq!(field(64, None, 0.0), "miss_probability");
        assert_eq!(field(64, None, f64::NAN), "miss_probability");
        assert!(ModelId::parse("M", "1").is_err());
    }

    #[test]
    fn sketches_have_two_bits_but_around_a_centre() {
        let centre = || Some(vec![0.0; 64]);
        assert_eq!(Sketching::new(None, None).unwrap(), Sketching::TwoBits);
        assert_eq!(Sketching::new(Some(2), None).unwrap().bits(), 2);
        assert_eq!(Sketching::new(Some(1), None).unwrap(), Sketching::OneBit(None));
        assert_eq!(Sketching::new(None, centre()).unwrap(), Sketching::OneBit(centre()));
        assert_eq!(Sketching::new(Some(1), centre()).unwrap().centre().map(<[f32]>::len), Some(64));
        for (bits, centre) in [(Some(2), centre()), (Some(0), None), (Some(3), None), (Some(-1), centre())] {
            assert_eq!(Sketching::new(bits, centre).unwrap_err().field, "sketch_bits");
        }
    }
}
