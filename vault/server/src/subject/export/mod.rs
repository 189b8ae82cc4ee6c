//! Handing over all that is held about a subject (O25): an archive, sealed to the requester's key.
//!
//! What is written goes through the seal at once: in clear there is one template at a time, and what the cipher holds back, on
//! the heap, which is wiped. `docs/FORMAT.md` says what an archive has in it.

mod history;
mod manifest;

use std::iter;
use std::sync::Arc;

use age::x25519::Recipient;
use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_crypto::wiping;
use lethe_domain::{Disclosure, Label, ModelId, Reason, SubjectId, Timestamp, Transfer};
use lethe_policy::operation::ExportSubject;
use lethe_policy::{Authorized, Denial};
use zeroize::Zeroizing;

use super::unknown;
use crate::audit;
use crate::case;
use crate::disclosure;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::export::{Pipe, archive};
use crate::records::{DisclosureRecord, TemplateRecord};
use crate::request;
use crate::retention;
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind, SUBJECTS, StoreError};
use crate::transfer;
use crate::vault::Vault;
use crate::watchlist;

/// All that is held about a subject, as it is sealed, and what is said of it.
pub struct Export {
    vault: Arc<Vault>,
    manifest: Zeroizing<Vec<u8>>,
    made_at: Timestamp,
    templates: Vec<SealedTemplate>,
    /// Whose log it is in, and by which key.
    tree: TreeId,
    subject: SlotRef,
}

/// A template's row, and the name that its model is sealed under.
struct SealedTemplate {
    key: Key,
    model: ModelId,
    sealed: Vec<u8>,
}

/// Why an archive is not finished.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Whoever reads it is gone, or too slow.
    #[error("the archive's reader is gone")]
    Reader(#[from] std::io::Error),
    /// The cipher failed.
    #[error("the archive could not be sealed")]
    Seal,
    /// The vault failed, or the subject was erased meanwhile.
    #[error(transparent)]
    Vault(#[from] Error),
}

/// Somebody else than the person, who receives its archive for it.
pub struct Other {
    /// The client's name of who it is.
    pub name: Label,
    /// Where that is, and what makes it lawful to send it there.
    pub transfer: Transfer,
}

/// Reads what is held about a subject, and logs that it is handed over. If not to the person itself, who receives it, and where, is
/// on record as a disclosure, so that they are told what becomes of the data (O41). Nothing is given yet.
///
/// # Errors
/// `SubjectNotFound`; `RecordsLimited`; `Denied` where it would go to somebody beyond a border without what is needed there, which is
/// logged.
pub async fn prepare(
    vault: &Arc<Vault>,
    call: &Authorized<ExportSubject>,
    subject: &SubjectId,
    other: Option<Other>,
) -> Result<Export> {
    let silo = vault.silo(call)?;
    // What is said of it is of one moment.
    let alone = silo.lock_subject(subject).await;
    let prepared = prepare_for(vault, &silo, call, subject, other).await;
    drop(alone);
    let (export, sequence) = vault.noting_misses(silo.tree, call, prepared).await?;
    if let Some(sequence) = sequence {
        // The account of who received it must not be lost with a disk.
        vault.store.mirrored_if_soon(sequence).await;
    }
    Ok(export)
}

/// The same, and the place of the change that records who receives it. The caller has the subject's lock.
async fn prepare_for(
    vault: &Arc<Vault>,
    silo: &SiloRef,
    call: &Authorized<ExportSubject>,
    subject: &SubjectId,
    other: Option<Other>,
) -> Result<(Export, Option<u64>)> {
    let now = vault.clock.now();
    let transfer = other.as_ref().map(|other| &other.transfer);
    let (export, owner) = match held(vault, silo, subject, transfer, now)? {
        (Ok(export), owner) => (export, owner),
        (Err(denial), owner) => {
            vault.record(silo.tree, audit::about(audit::refused(call, denial.reason, now)?, &owner)).await?;
            return Err(denial.into());
        }
    };
    // Before the first byte is given.
    let entry = audit::about(audit::done(call, now)?, &owner);
    let Some(Other { name, transfer }) = other else {
        vault.record(silo.tree, audit::naming(entry, "ARCHIVE_SENT", "to", "person")?).await?;
        return Ok((export, None));
    };
    let mut change = Change::new();
    let made = disclosure::handed_over(vault, silo, export.subject, name, transfer, now, &mut change)?;
    change.log(silo.tree, sent(entry, &made)?);
    Ok((export, Some(vault.store.commit(change).await?.sequence)))
}

/// The entry of an archive that is given to somebody else than the person: its way in clear, and who it is sealed.
fn sent(entry: EntryDraft, made: &Disclosure) -> Result<EntryDraft> {
    let fields = transfer::fields(&made.transfer);
    let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
    let fields: Vec<_> = std::iter::once(("to", "other")).chain(fields).collect();
    Ok(audit::telling(entry, "ARCHIVE_SENT", &fields)?.details(DisclosureRecord::seal_as(made)?))
}

/// All that is held about a subject, or why it may not go where it is to; and the subject's key.
fn held(
    vault: &Arc<Vault>,
    silo: &SiloRef,
    subject: &SubjectId,
    transfer: Option<&Transfer>,
    now: Timestamp,
) -> Result<(std::result::Result<Export, Denial>, SlotKey)> {
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let dossier = dossiers::of(vault, silo, slot)?;
    // To the person itself it is no transfer.
    if let Some(transfer) = transfer
        && let Err(denial) = lethe_policy::allows_archive(&silo.policy(), &dossier, transfer, now)
    {
        return Ok((Err(denial), owner));
    }
    let record = dossiers::base(vault, silo, slot)?.ok_or_else(unknown)?;
    let mut templates = Vec::new();
    let prefix = Key::prefix_of_templates(silo.tree, SUBJECTS, slot);
    vault.store.few(RowKind::Template, &prefix, |key, sealed| {
        let model = model_of(silo, &key)?;
        templates.push(SealedTemplate { key, model, sealed: sealed.to_vec() });
        Ok::<_, Error>(())
    })?;
    let mut facts = Vec::with_capacity(templates.len());
    for template in &templates {
        facts.push(manifest::Listed::of(&template.open(vault)?));
    }
    let fate = retention::fate(vault, silo, slot, &record, &dossier, now)?;
    let mut disclosures = disclosure::of(vault, silo, slot)?;
    disclosures.retain(|disclosure| disclosure.recorded_at.is_some());
    let held = manifest::Held {
        tenant: &silo.id,
        subject,
        policy: &silo.policy(),
        created_at: record.created_at,
        dossier: &dossier,
        templates: &facts,
        requests: &request::of_subject(vault, silo, slot)?,
        watched: &watchlist::of_subject(vault, silo, slot)?,
        disclosures: &disclosures,
        cases: &case::of_subject(vault, silo, slot)?,
        end: fate.end,
        keeper: fate.keeper,
        made_at: now,
    };
    let manifest = held.manifest()?;
    let export = Export { vault: Arc::clone(vault), manifest, made_at: now, templates, tree: silo.tree, subject: slot };
    Ok((Ok(export), owner))
}

fn model_of(silo: &Silo, key: &Key) -> Result<ModelId> {
    let profile = if let Key::Template { profile, .. } = key { silo.model_numbered(*profile) } else { None };
    let model = profile.map(|model| model.profile.model().clone());
    model.ok_or_else(|| StoreError::corrupt("template row", "its model has no profile").into())
}

impl SealedTemplate {
    /// # Errors
    /// `SubjectNotFound` where its key is gone: who is forgotten meanwhile is handed to nobody.
    fn open(&self, vault: &Vault) -> Result<TemplateRecord> {
        let opened = vault.keys.open(&self.key, &self.model.to_string(), &self.sealed)?;
        let gone =
            || Error::NotFound(Reason::SubjectNotFound, "the subject, or a template, was erased meanwhile".to_owned());
        Ok(TemplateRecord::decode(&opened.ok_or_else(gone)?, &self.model)?)
    }
}

impl Export {
    /// Writes the archive, sealed, on this thread: it waits for its reader. `may_go_on` is asked before each template.
    ///
    /// # Errors
    /// What was written by then is no archive: it does not authenticate.
    pub(crate) fn write(
        self,
        to: &Recipient,
        out: Pipe,
        may_go_on: impl Fn() -> Result<()>,
    ) -> std::result::Result<(), Broken> {
        // The thread waits for its reader in between, and for nobody else's work.
        wiping::of_a_task(|| {
            let recipients = iter::once(to as &dyn age::Recipient);
            let encryptor = age::Encryptor::with_recipients(recipients).map_err(|_| Broken::Seal)?;
            let mut archive = archive::Writer::new(encryptor.wrap_output(out)?, self.made_at);
            archive.add("manifest.json", &self.manifest)?;
            for (number, template) in (1..).zip(&self.templates) {
                may_go_on()?;
                let npy = archive::npy(template.open(&self.vault)?.embedding.components());
                archive.add(&manifest::file(number), &npy)?;
            }
            may_go_on()?;
            archive.add("history.json", &history::of(&self.vault, self.tree, self.subject)?)?;
            archive.end()?.finish()?.finish()?;
            Ok(())
        })
    }
}
