use lethe_domain::{CaptureKind, Embedding, ModelId, Quality, SubjectId, TemplateFacts, TemplateId, Timestamp};
use zeroize::Zeroizing;

use crate::Corrupt;

const VERSION: u8 = 1;

/// A subject's base row: the only place on the disk that its applicant id is in. 138 bytes whatever
/// the id's length.
pub struct SubjectRecord {
    /// The applicant id.
    pub id: SubjectId,
    /// When it was first enrolled.
    pub created_at: Timestamp,
}

impl SubjectRecord {
    /// Length of the plaintext in bytes.
    pub const LENGTH: usize = 1 + 8 + 1 + SubjectId::MAX;

    /// `version u8 ‖ created i64 ‖ id length u8 ‖ id, zero-padded to 128`.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::LENGTH));
        let id = self.id.as_str().as_bytes();
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.created_at.millis().to_be_bytes());
        // At most 128 by construction.
        bytes.push(id.len() as u8);
        bytes.extend_from_slice(id);
        bytes.resize(Self::LENGTH, 0);
        bytes
    }

    /// Reads it back.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        Self::read(bytes).ok_or_else(|| Corrupt::new("subject record", format!("{} bytes", bytes.len())))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.version()?;
        let created_at = fields.time()?;
        let [length] = fields.array()?;
        let (id, padding) = fields.0.split_at_checked(usize::from(length))?;
        let whole = bytes.len() == Self::LENGTH && padding.iter().all(|&byte| byte == 0);
        let id = SubjectId::parse(std::str::from_utf8(id).ok()?).ok()?;
        whole.then_some(Self { id, created_at })
    }
}

/// A template: facts and the embedding, normalised.
pub struct TemplateRecord {
    /// What is known beside the embedding.
    pub facts: TemplateFacts,
    /// The embedding, of unit length.
    pub embedding: Embedding,
}

impl TemplateRecord {
    /// `version u8 ‖ id 16 ‖ kind u8 ‖ quality f32 ‖ captured i64 ‖ enrolled i64 ‖ dimension u32 ‖ dimension × f32 little-endian`.
    pub fn encode(facts: &TemplateFacts, components: &[f32]) -> Zeroizing<Vec<u8>> {
        // Sized at once: a vector of secrets must not move while it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(42 + 4 * components.len()));
        bytes.push(VERSION);
        bytes.extend_from_slice(facts.id.as_bytes());
        bytes.push(facts.kind.number());
        bytes.extend_from_slice(&facts.quality.get().to_be_bytes());
        bytes.extend_from_slice(&facts.captured_at.millis().to_be_bytes());
        bytes.extend_from_slice(&facts.enrolled_at.millis().to_be_bytes());
        // At most 4096 by construction.
        bytes.extend_from_slice(&(components.len() as u32).to_be_bytes());
        for component in components {
            bytes.extend_from_slice(&component.to_le_bytes());
        }
        bytes
    }

    /// Reads it back. The model comes from the row's context, where it is authenticated.
    pub fn decode(bytes: &[u8], model: &ModelId) -> Result<Self, Corrupt> {
        Self::read(bytes, model).ok_or_else(|| Corrupt::new("template record", format!("{} bytes", bytes.len())))
    }

    fn read(bytes: &[u8], model: &ModelId) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.version()?;
        let id = TemplateId::from_bytes(fields.array()?);
        let [kind] = fields.array()?;
        let quality = f32::from_be_bytes(fields.array()?);
        let captured_at = fields.time()?;
        let enrolled_at = fields.time()?;
        let dimension = usize::try_from(u32::from_be_bytes(fields.array()?)).ok()?;
        if !Embedding::DIMENSIONS.contains(&dimension) || fields.0.len() != 4 * dimension {
            return None;
        }
        let mut components = Vec::with_capacity(dimension);
        components.extend(fields.0.as_chunks::<4>().0.iter().map(|le| f32::from_le_bytes(*le)));
        let embedding = Embedding::from_unit(components);
        let kind = CaptureKind::from_number(kind)?;
        let quality = Quality::parse("quality", quality).ok()?;
        let facts = TemplateFacts { id, model: model.clone(), kind, quality, captured_at, enrolled_at };
        Some(Self { facts, embedding })
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn version(&mut self) -> Option<()> {
        (self.array()? == [VERSION]).then_some(())
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.array().map(|bytes| Timestamp::from_millis(i64::from_be_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts(model: &ModelId) -> TemplateFacts {
        TemplateFacts {
            id: TemplateId::from_bytes([7; 16]),
            model: model.clone(),
            kind: CaptureKind::Selfie,
            quality: Quality::parse("quality", 0.5).unwrap(),
            captured_at: Timestamp::from_millis(-5),
            enrolled_at: Timestamp::from_millis(9),
        }
    }

    proptest! {
        #[test]
        fn subjects_round_trip(id in "[A-Za-z][A-Za-z0-9._~-]{0,127}", at: i64) {
            prop_assume!(SubjectId::parse(&id).is_ok());
            let record = SubjectRecord { id: SubjectId::parse(&id).unwrap(), created_at: Timestamp::from_millis(at) };
            let bytes = record.encode();
            prop_assert_eq!(bytes.len(), SubjectRecord::LENGTH);
            let back = SubjectRecord::decode(&bytes).unwrap();
            prop_assert_eq!((back.id, back.created_at), (record.id, record.created_at));
        }

        #[test]
        fn templates_round_trip(components in proptest::collection::vec(-1.0f32..1.0, 64..200)) {
            let model = ModelId::parse("m", "1").unwrap();
            let bytes = TemplateRecord::encode(&facts(&model), &components);
            let back = TemplateRecord::decode(&bytes, &model).unwrap();
            prop_assert_eq!(back.facts, facts(&model));
            prop_assert_eq!(back.embedding.components(), &components[..]);
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let model = ModelId::parse("m", "1").unwrap();
            let _ = SubjectRecord::decode(&bytes);
            let _ = TemplateRecord::decode(&bytes, &model);
        }
    }

    #[test]
    fn padding_is_part_of_the_record() {
        let record = SubjectRecord { id: SubjectId::parse("abc").unwrap(), created_at: Timestamp::from_millis(0) };
        let mut bytes = record.encode().to_vec();
        *bytes.last_mut().unwrap() = 1;
        assert!(SubjectRecord::decode(&bytes).is_err());
    }
}
