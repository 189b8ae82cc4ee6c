use std::ops::RangeInclusive;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Invalid, ModelId, Reason, TemplateId, Timestamp};

/// A face embedding of unit length. Overwritten when dropped; `Debug` shows the dimension alone.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// Dimensions a model may have.
    pub const DIMENSIONS: RangeInclusive<usize> = 64..=4096;

    /// Checks and normalises a vector as received. `field` names it in the refusal.
    ///
    /// # Errors
    /// A wrong dimension, a NaN, an infinity or a zero norm, each by name.
    pub fn parse(field: &str, mut vector: Vec<f32>, dimension: usize) -> Result<Self, Invalid> {
        let checked = check(field, &vector, dimension);
        match checked {
            Ok(scale) => {
                vector.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
                Ok(Self(vector))
            }
            Err(refusal) => {
                vector.zeroize();
                Err(refusal)
            }
        }
    }

    /// An embedding read back from its sealed record, where it was stored normalised.
    pub fn from_unit(vector: Vec<f32>) -> Self {
        Self(vector)
    }

    /// Its components.
    pub fn components(&self) -> &[f32] {
        &self.0
    }
}

impl std::fmt::Debug for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedding({} components)", self.0.len())
    }
}

/// The factor that makes the vector a unit vector.
fn check(field: &str, vector: &[f32], dimension: usize) -> Result<f64, Invalid> {
    let refuse = |reason, message: String| Err(Invalid::new(field, reason, message));
    if vector.len() != dimension {
        let message = format!("has {} components; the model has {dimension}", vector.len());
        return refuse(Reason::EmbeddingDimension, message);
    }
    if let Some(at) = vector.iter().position(|x| x.is_nan()) {
        return refuse(Reason::EmbeddingNan, format!("component {at} is not a number"));
    }
    if let Some(at) = vector.iter().position(|x| x.is_infinite()) {
        return refuse(Reason::EmbeddingInfinite, format!("component {at} is infinite"));
    }
    let norm = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if norm == 0.0 {
        return refuse(Reason::EmbeddingZeroNorm, "all components are zero".to_owned());
    }
    Ok(norm.recip())
}

/// What a template was made from: the portrait of a document can be told from a selfie (O7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CaptureKind {
    /// A selfie taken at onboarding.
    Selfie = 1,
    /// The portrait on an identity document.
    DocumentPortrait = 2,
    /// A capture taken at a login.
    AuthenticationCapture = 3,
}

impl CaptureKind {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Selfie, Self::DocumentPortrait, Self::AuthenticationCapture];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind's name in archives.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Selfie => "selfie",
            Self::DocumentPortrait => "document_portrait",
            Self::AuthenticationCapture => "authentication_capture",
        }
    }

    /// The kind stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// Capture quality, 0 (unusable) to 1 (best), by the capture service's own measure.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality(f32);

impl Quality {
    /// Checks the range.
    pub fn parse(field: &str, value: f32) -> Result<Self, Invalid> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(Invalid::new(field, Reason::FieldOutOfRange, "must be 0 to 1"))
        }
    }

    /// The value.
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// What is known of a template beside its embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateFacts {
    /// Its id.
    pub id: TemplateId,
    /// The model that made it.
    pub model: ModelId,
    /// What it was made from.
    pub kind: CaptureKind,
    /// Capture quality.
    pub quality: Quality,
    /// When it was captured, by the capture service's clock.
    pub captured_at: Timestamp,
    /// When it was enrolled, by the vault's clock.
    pub enrolled_at: Timestamp,
}

/// State of a template whose embedding is in clear. It cannot be stored.
pub struct Plain(Embedding);

/// State of a template whose embedding is sealed. Only this can be stored.
pub struct Sealed(Vec<u8>);

/// A template: facts beside an embedding in clear (`Plain`) or sealed (`Sealed`).
pub struct Template<State> {
    facts: TemplateFacts,
    body: State,
}

impl Template<Plain> {
    /// A template in clear.
    pub const fn new(facts: TemplateFacts, embedding: Embedding) -> Self {
        Self { facts, body: Plain(embedding) }
    }

    /// The components of its embedding.
    pub fn components(&self) -> &[f32] {
        self.body.0.components()
    }

    /// Seals it: `seal` gets facts and components and gives the sealed record. The embedding in
    /// clear is wiped.
    pub fn seal<E>(
        self,
        seal: impl FnOnce(&TemplateFacts, &[f32]) -> Result<Vec<u8>, E>,
    ) -> Result<Template<Sealed>, E> {
        let record = seal(&self.facts, self.components())?;
        Ok(Template { facts: self.facts, body: Sealed(record) })
    }
}

impl Template<Sealed> {
    /// The sealed record.
    pub fn into_record(self) -> Vec<u8> {
        self.body.0
    }
}

impl<State> Template<State> {
    /// What is known beside the embedding.
    pub const fn facts(&self) -> &TemplateFacts {
        &self.facts
    }
}

impl<State> std::fmt::Debug for Template<State> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("facts", &self.facts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reason(vector: Vec<f32>) -> Reason {
        Embedding::parse("embedding", vector, 64).unwrap_err().reason
    }

    #[test]
    fn a_bad_vector_is_refused_by_name() {
        let one = |x: f32| {
            let mut v = vec![0.1; 64];
            v[7] = x;
            v
        };
        assert_eq!(reason(vec![0.1; 63]), Reason::EmbeddingDimension);
        assert_eq!(reason(one(f32::NAN)), Reason::EmbeddingNan);
        assert_eq!(reason(one(f32::NEG_INFINITY)), Reason::EmbeddingInfinite);
        assert_eq!(reason(vec![0.0; 64]), Reason::EmbeddingZeroNorm);
        assert_eq!(reason(vec![-0.0; 64]), Reason::EmbeddingZeroNorm);
        let named = Embedding::parse("template.embedding", one(f32::NAN), 64).unwrap_err();
        assert_eq!(named.to_string(), "template.embedding: component 7 is not a number");
    }

    proptest! {
        #[test]
        fn any_finite_vector_gets_unit_length(vector in proptest::collection::vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL, 64)) {
            let embedding = Embedding::parse("embedding", vector, 64).unwrap();
            let norm: f64 = embedding.components().iter().map(|&x| f64::from(x).powi(2)).sum();
            prop_assert!((norm - 1.0).abs() < 1e-5, "{}", norm);
        }
    }
}
