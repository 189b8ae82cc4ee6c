//! Reading and writing templates: what enrolment, authentication and identification share.

use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    CaptureKind, Embedding, ModelId, Plain, Quality, Sealed, Template, TemplateFacts, TemplateId, Timestamp,
};

use lethe_policy::{Attested, Cleared};
use zeroize::Zeroize;

use crate::error::{Error, Result};
use crate::keyring::{Keyring, Opener};
use crate::records::TemplateRecord;
use crate::silo::{Model, Silo};
use crate::store::{Change, Key, ProfileNumber, RowKind, SUBJECTS, Store, StoreError, TemplateAt};

/// What a capture service sends: an embedding as received, and where it comes from.
pub struct Capture {
    /// The model that made it.
    pub model: ModelId,
    /// What it was made from.
    pub kind: CaptureKind,
    /// Capture quality.
    pub quality: Quality,
    /// When it was captured.
    pub captured_at: Timestamp,
    /// What a service signed about it, if there is something; nobody has looked into it.
    pub attestation: Option<String>,
    /// Components as received.
    received: Vec<f32>,
}

impl Capture {
    /// One with nothing signed about it.
    pub fn new(
        model: ModelId,
        received: Vec<f32>,
        kind: CaptureKind,
        quality: Quality,
        captured_at: Timestamp,
    ) -> Self {
        Self { model, kind, quality, captured_at, attestation: None, received }
    }

    /// The same, with what a service signed about it.
    #[must_use]
    pub fn attested(mut self, attestation: Option<String>) -> Self {
        self.attestation = attestation;
        self
    }

    /// Its components as received: for who holds them against what was signed.
    pub(crate) fn received(&self) -> &[f32] {
        &self.received
    }

    /// Takes its embedding: what the engine did not let pass (O6) is not compared, and not kept.
    ///
    /// # Errors
    /// `Invalid`, as of [`Embedding::parse`].
    pub(crate) fn take_embedding(&mut self, _by: &Attested, field: &str, dimension: usize) -> Result<Embedding> {
        Ok(Embedding::parse(field, std::mem::take(&mut self.received), dimension)?)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.received.zeroize();
    }
}

/// A template's row: where it is, and what is in it.
pub(crate) struct Found {
    pub(crate) at: TemplateAt,
    pub(crate) profile: ProfileNumber,
    pub(crate) record: TemplateRecord,
}

/// A capture that became a template, in clear.
pub(crate) fn template(capture: &Capture, embedding: Embedding, now: Timestamp) -> Template<Plain> {
    let facts = TemplateFacts {
        id: TemplateId::random(),
        model: capture.model.clone(),
        kind: capture.kind,
        quality: capture.quality,
        captured_at: capture.captured_at,
        enrolled_at: now,
    };
    Template::new(facts, embedding)
}

/// Seals a template and its sketch into `change`, of somebody whom the policy lets be processed. The gallery follows from
/// the sketch's row.
pub(crate) fn put(
    _cleared: &Cleared,
    keys: &mut Opener<'_>,
    silo: &Silo,
    model: &Model,
    at: TemplateAt,
    template: Template<Plain>,
    change: &mut Change,
) -> Result<TemplateFacts> {
    let (tree, gallery, profile) = (silo.tree, SUBJECTS, model.number);
    let name = model.profile.model().to_string();
    let sketch = model.sketch(template.components())?;
    let key = Key::Sketch { tree, gallery, profile, at };
    let sealed = keys.seal(&key, &name, &sketch.to_bytes())?;
    change.put(key, sealed);
    let key = Key::Template { tree, gallery, at, profile };
    let template: Template<Sealed> =
        template.seal(|facts, components| keys.seal(&key, &name, &TemplateRecord::encode(facts, components)))?;
    let facts = template.facts().clone();
    change.put(key, template.into_record());
    Ok(facts)
}

/// Removes the rows of a template from the store and, by that, from its gallery.
pub(crate) fn delete(silo: &Silo, at: TemplateAt, profile: ProfileNumber, change: &mut Change) {
    let (tree, gallery) = (silo.tree, SUBJECTS);
    change.delete(Key::Template { tree, gallery, at, profile });
    change.delete(Key::Sketch { tree, gallery, profile, at });
}

/// Where the templates of a subject are.
pub(crate) fn places(store: &Store, silo: &Silo, subject: SlotRef) -> Result<Vec<(TemplateAt, ProfileNumber)>> {
    let mut places = Vec::new();
    let prefix = Key::prefix_of_templates(silo.tree, SUBJECTS, subject);
    store.few(RowKind::Template, &prefix, |key, _| {
        if let Key::Template { at, profile, .. } = key {
            places.push((at, profile));
        }
        Ok::<_, Error>(())
    })?;
    Ok(places)
}

/// Opens the templates of a subject, of one model or of all.
pub(crate) fn of_subject(
    store: &Store,
    keys: &Keyring,
    silo: &Silo,
    subject: SlotRef,
    only: Option<ProfileNumber>,
) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let prefix = Key::prefix_of_templates(silo.tree, SUBJECTS, subject);
    store.few(RowKind::Template, &prefix, |key, sealed| {
        if let Key::Template { at, profile, .. } = key
            && only.is_none_or(|wanted| wanted == profile)
            && let Some(record) = open(keys, silo, &key, profile, sealed)?
        {
            found.push(Found { at, profile, record });
        }
        Ok::<_, Error>(())
    })?;
    Ok(found)
}

/// Opens a template's row; `None` if it was erased meanwhile.
fn open(
    keys: &Keyring,
    silo: &Silo,
    key: &Key,
    profile: ProfileNumber,
    sealed: &[u8],
) -> Result<Option<TemplateRecord>> {
    let model = silo.model_numbered(profile);
    let model = model.ok_or_else(|| StoreError::corrupt("template row", "its model has no profile"))?;
    let model = model.profile.model();
    let Some(opened) = keys.open(key, &model.to_string(), sealed)? else { return Ok(None) };
    Ok(Some(TemplateRecord::decode(&opened, model)?))
}
