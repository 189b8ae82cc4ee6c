use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use lethe_crypto::transform::KeyedTransform;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{CaptureKind, ModelProfile, Quality, Reason, Sketching, TemplateFacts, TemplateId, Timestamp};
use lethe_index::{Pool, Probe, Quantizer, Sketch};
use parking_lot::RwLock;
use zeroize::Zeroizing;

use super::Silo;
use super::compact::CompactAt;
use super::held::Held;
use super::replacements::Replacements;
use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::records::TemplateRecord;
use crate::store::{GalleryId, Key, ProfileNumber, StoreError, TemplateAt};

/// A tenant's model, with the gallery of the templates it made.
#[derive(Clone)]
pub struct Model {
    /// Its number within the tenant: what rows say.
    pub number: ProfileNumber,
    /// The profile.
    pub profile: Arc<ModelProfile>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its thresholds last changed.
    pub updated_at: Timestamp,
    shared: Arc<Shared>,
}

/// What a gallery had as a search began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Census {
    removed: usize,
    rows: usize,
    moved: u64,
}

/// What a change of thresholds does not touch.
struct Shared {
    transform: KeyedTransform,
    held: Held,
    /// Sketch rows that were followed. The gallery has as many templates, or a search is not complete.
    rows: AtomicUsize,
    /// Templates that were removed, ever.
    removed: AtomicUsize,
    replacements: Replacements,
    /// Why the gallery cannot answer, if it cannot.
    fault: RwLock<Option<String>>,
    /// What is opened in place of a template that is not there; sealed like one.
    decoy: OnceLock<Vec<u8>>,
}

impl Model {
    /// A model with an empty gallery.
    pub(super) fn new(
        number: ProfileNumber,
        profile: ModelProfile,
        times: (Timestamp, Timestamp),
        transform: KeyedTransform,
        pool: &Pool,
    ) -> Result<Self> {
        let dimension = transform.padded_dimension();
        let quantizer = match profile.sketching() {
            Sketching::OneBit(None) => Quantizer::new(dimension, None)?,
            Sketching::OneBit(Some(centre)) => {
                let centre = transform.rotate(centre).map_err(Error::crypto("rotate a model's centre"))?;
                Quantizer::new(dimension, Some(&centre))?
            }
            Sketching::TwoBits => Quantizer::of_two_bits(dimension)?,
        };
        let held = Held::new(quantizer, pool.clone());
        let (rows, removed, replacements) = (AtomicUsize::new(0), AtomicUsize::new(0), Replacements::default());
        let (fault, decoy) = (RwLock::new(None), OnceLock::new());
        let shared = Arc::new(Shared { transform, held, rows, removed, replacements, fault, decoy });
        Ok(Self { number, profile: Arc::new(profile), created_at: times.0, updated_at: times.1, shared })
    }

    /// The same model and gallery under other thresholds.
    pub(super) fn amended(&self, profile: ModelProfile, updated_at: Timestamp) -> Self {
        Self { profile: Arc::new(profile), updated_at, ..self.clone() }
    }

    /// Whether the gallery is whole. A search never answers from half a gallery.
    pub fn expect_whole(&self) -> Result<()> {
        match &*self.shared.fault.read() {
            None => Ok(()),
            Some(fault) => Err(self.not_ready(&format!("cannot answer: {fault}"))),
        }
    }

    pub(super) fn not_ready(&self, why: &str) -> Error {
        Error::Unavailable(Reason::GalleryNotReady, format!("the gallery of {} {why}", self.profile.model()))
    }

    /// The memory of the gallery.
    pub(super) fn held(&self) -> &Held {
        &self.shared.held
    }

    /// Whether the gallery is in memory: others are read from their rows when they are searched.
    pub fn is_in_memory(&self) -> bool {
        !self.shared.held.is_out()
    }

    /// Bytes of memory that the gallery takes.
    pub fn bytes(&self) -> usize {
        self.shared.held.bytes()
    }

    /// Templates the gallery must have, by the rows that were followed.
    pub fn rows(&self) -> usize {
        self.shared.rows.load(Ordering::Acquire)
    }

    /// What the gallery has as a search begins.
    pub(crate) fn census(&self) -> Census {
        // In this order: what goes in between is counted as removed.
        let removed = self.shared.removed.load(Ordering::SeqCst);
        Census { removed, rows: self.shared.rows.load(Ordering::SeqCst), moved: self.shared.replacements.mark() }
    }

    /// How many templates a scan since then must have compared: all that stayed.
    pub(crate) fn stayed(&self, since: Census) -> usize {
        since.rows.saturating_sub(self.shared.removed.load(Ordering::SeqCst) - since.removed)
    }

    /// Subjects who were enrolled all along and whose templates a scan since then may have missed; `None` if they are too
    /// many to know.
    pub(crate) fn moved(&self, since: Census) -> Option<Vec<SlotRef>> {
        self.shared.replacements.since(since.moved)
    }

    /// Runs what replaces a template of a subject in the gallery.
    pub(super) fn replacing(&self, subject: SlotRef, replace: impl FnOnce()) {
        self.shared.replacements.begin(subject);
        replace();
        self.shared.replacements.end();
    }

    /// Why the gallery cannot answer, if it cannot.
    pub fn fault(&self) -> Option<String> {
        self.shared.fault.read().clone()
    }

    /// Takes the gallery out of service, by name, until a restart finds it whole.
    pub(super) fn fail(&self, fault: &str) {
        tracing::error!(model = %self.profile.model(), fault, "a gallery cannot answer");
        self.shared.fault.write().get_or_insert_with(|| fault.to_owned());
    }

    /// The sketch of an embedding in this tenant's space.
    pub fn sketch(&self, embedding: &[f32]) -> Result<Sketch> {
        let rotated = self.shared.transform.rotate(embedding).map_err(Error::crypto("rotate an embedding"))?;
        Ok(self.shared.held.quantizer().sketch(&rotated)?)
    }

    /// The probe's look-up tables in this tenant's space.
    pub fn probe(&self, embedding: &[f32]) -> Result<Probe> {
        let rotated = self.shared.transform.rotate(embedding).map_err(Error::crypto("rotate a probe"))?;
        Ok(self.shared.held.quantizer().probe(&rotated)?)
    }

    /// A template of nobody, opened with the work that opening somebody's takes.
    pub(crate) fn decoy(&self, keys: &Keyring, silo: &Silo) -> Result<TemplateRecord> {
        let own = SlotRef::first(0);
        let at = TemplateAt { subject: own, thing: own };
        let key = Key::Template { tree: silo.tree, gallery: GalleryId::MAX, at, profile: self.number };
        let name = self.profile.model().to_string();
        let sealed = match self.shared.decoy.get() {
            Some(sealed) => sealed,
            None => {
                let sealed = keys.seal(&key, &name, &self.nobody())?;
                self.shared.decoy.get_or_init(|| sealed)
            }
        };
        let missing = || StoreError::corrupt("decoy", "its key is gone");
        let opened = keys.open(&key, &name, sealed)?.ok_or_else(missing)?;
        Ok(TemplateRecord::decode(&opened, self.profile.model())?)
    }

    fn nobody(&self) -> Zeroizing<Vec<u8>> {
        let facts = TemplateFacts {
            id: TemplateId::from_bytes([0; 16]),
            model: self.profile.model().clone(),
            kind: CaptureKind::Selfie,
            quality: Quality::default(),
            captured_at: self.created_at,
            enrolled_at: self.created_at,
        };
        let dimension = self.profile.dimension();
        TemplateRecord::encode(&facts, &vec![(dimension as f32).sqrt().recip(); dimension])
    }

    /// Takes in rows of sketches as they are followed, opened.
    pub(super) fn add(&self, rows: &[(TemplateAt, Zeroizing<Vec<u8>>)]) {
        let refused = self.shared.held.add(&self.sketches(rows), || self.count(rows.len()));
        refused.into_iter().for_each(|(at, fault)| self.unusable(at.into(), fault));
    }

    /// Counts rows of sketches; also those that nobody opened, as the gallery is not in memory.
    pub(super) fn count(&self, rows: usize) {
        self.shared.rows.fetch_add(rows, Ordering::SeqCst);
    }

    /// Takes in rows of sketches that were read for a gallery on its way into memory, opened.
    pub(super) fn bring(&self, rows: &[(TemplateAt, Zeroizing<Vec<u8>>)]) {
        let refused = self.shared.held.bring(self.sketches(rows));
        refused.into_iter().for_each(|(at, fault)| self.unusable(at.into(), fault));
    }

    pub(super) fn remove(&self, at: CompactAt) {
        // In this order: a search that begins or ends in between asks for one template less, never for one more.
        self.shared.held.remove(at, || {
            // Of a gallery that is out of service there may be one that was never counted.
            let less = |rows: usize| rows.checked_sub(1);
            let _ = self.shared.rows.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
            self.shared.removed.fetch_add(1, Ordering::SeqCst);
        });
    }

    fn sketches(&self, rows: &[(TemplateAt, Zeroizing<Vec<u8>>)]) -> Vec<(CompactAt, Sketch)> {
        let sketch = |(at, bytes): &(TemplateAt, Zeroizing<Vec<u8>>)| {
            let read =
                || Ok::<_, Error>(((*at).try_into()?, Sketch::from_bytes(bytes).map_err(lethe_index::Error::from)?));
            read().map_err(|fault| self.unusable(*at, fault)).ok()
        };
        rows.iter().filter_map(sketch).collect()
    }

    fn unusable(&self, at: TemplateAt, fault: impl Display) {
        self.fail(&format!("the sketch in {} cannot be used: {fault}", at.thing));
    }
}
