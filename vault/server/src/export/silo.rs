//! A tenant's whole silo as one archive (O27): people with what is known of them, templates, models, and the log. What is open is
//! in memory, a few people at a time, and never on a disk.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Consent, Dossier, Hold, Transfer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::archive::{Writer, npy};
use super::telling::{asked, owed, reviewed_by, told, watched};
use super::{Pipe, Recipient};
use crate::audit::{self, SignedCheckpoint};
use crate::consent::record::text;
use crate::error::{Error, Result};
use crate::records::{Delivery, EvidenceRecord, NotificationRecord, RequestRecord, SubjectRecord};
use crate::silo::SiloRef;
use crate::store::{Key, RowKind, StoreError};
use crate::templates::{self, Found};
use crate::vault::Vault;
use crate::{case, disclosure, dossiers, request, transfer, watchlist};

/// Version of the archive's form.
const FORMAT: u32 = 3;

/// People that are read at a time, and told of in one file.
const PEOPLE: usize = 64;

/// Requests, or consents, that are told in one file.
const ROWS: usize = 1024;

/// Log entries that are told in one file.
const ENTRIES: usize = 4096;

/// A silo that is to be handed over.
pub(crate) struct Silo {
    pub(crate) vault: Arc<Vault>,
    pub(crate) silo: SiloRef,
    /// Where it goes.
    pub(crate) transfer: Transfer,
    /// Of the tenant's log: as far as it goes, the log is handed over, too.
    pub(crate) checkpoint: SignedCheckpoint,
}

/// Some people, and the slot where the next begin.
type Page = (Vec<(SlotRef, SubjectRecord)>, Option<u64>);

type Tar = Writer<age::stream::StreamWriter<Pipe>>;

impl Silo {
    /// Writes the archive, sealed to the recipient. It waits for who takes it, so not on a thread that others wait for. `may_go_on` is
    /// asked before each page of people, and before each file of what follows them.
    pub(crate) fn write(
        self,
        recipient: &Recipient,
        pipe: Pipe,
        may_go_on: impl Fn() -> Result<()>,
    ) -> Result<Delivery> {
        let sealing = age::Encryptor::with_recipients(std::iter::once(&recipient.0 as &dyn age::Recipient));
        let sealing = sealing.map_err(|fault| failed(io::Error::other(fault.to_string())))?;
        let mut tar = Writer::new(sealing.wrap_output(pipe).map_err(failed)?, self.vault.clock.now());
        add(&mut tar, "archive.json", &line(&self.head()))?;
        let (mut subjects, mut templates, mut from, mut part) = (0, 0, 0, 0_u32);
        loop {
            may_go_on()?;
            let (people, next) = self.people(from)?;
            let mut lines = Zeroizing::new(Vec::new());
            for (slot, person) in &people {
                let found = templates::of_subject(&self.vault.store, &self.vault.keys, &self.silo, *slot, None)?;
                let told = self.person(*slot, person, &found);
                // Who is erased meanwhile is not in it. An erasure takes all rows at once, so that where the first is there, what was
                // read before was whole; where it is gone, no verdict on what was left is one on the person.
                if dossiers::base(&self.vault, &self.silo, *slot)?.is_none() {
                    continue;
                }
                let told = line(&told?);
                lines.extend_from_slice(&told);
                for template in &found {
                    let components = npy(template.record.embedding.components());
                    add(&mut tar, &file_of(template), &components)?;
                }
                subjects += 1;
                templates += found.len() as u64;
            }
            if !lines.is_empty() {
                part += 1;
                add(&mut tar, &format!("subjects-{part:06}.jsonl"), &lines)?;
            }
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        let requests = self.rows(&mut tar, &may_go_on, RowKind::Request, "requests", |key, opened| {
            let Key::Request { request, .. } = key else { return Ok(None) };
            Ok(Some(asked(*request, &RequestRecord::read(opened)?)))
        })?;
        let notifications =
            self.rows(&mut tar, &may_go_on, RowKind::Notification, "notifications", |key, opened| {
                let Key::Notification { notification, .. } = key else { return Ok(None) };
                Ok(Some(owed(*notification, &NotificationRecord::read(opened)?)))
            })?;
        let now = self.vault.clock.now();
        let evidence = self.rows(&mut tar, &may_go_on, RowKind::Evidence, "evidence", |_, opened| {
            let evidence = Some(EvidenceRecord::read(opened)?).filter(|evidence| !evidence.is_over(now));
            Ok(evidence.map(|evidence| {
                json!({ "consent": consent(&evidence.consent), "keep_until": evidence.keep_until.map(text) })
            }))
        })?;
        let (lists, entries) = self.watchlists(&mut tar, &may_go_on)?;
        self.log(&mut tar, &may_go_on)?;
        let log_size = self.checkpoint.size;
        let end = json!({
            "subjects": subjects,
            "templates": templates,
            "requests": requests.0,
            "notifications": notifications.0,
            "evidence": evidence.0,
            "watchlists": lists,
            "watchlist_entries": entries.0,
            "unreadable": requests.1 + notifications.1 + evidence.1 + entries.1,
            "log_entries": log_size,
        });
        add(&mut tar, "end.json", &line(&end))?;
        let sealed = tar.end().map_err(failed)?;
        let sha256 = sealed.finish().and_then(Pipe::finish).map_err(failed)?;
        Ok(Delivery { sha256, subjects, templates, at: self.vault.clock.now(), log_size })
    }

    /// Whose archive it is, what the tenant allows, and its models.
    fn head(&self) -> Value {
        let policy = self.silo.policy();
        let purposes: Vec<_> = policy
            .purposes
            .iter()
            .map(|entry| json!({ "purpose": entry.purpose.name(), "basis": entry.basis.name() }))
            .collect();
        let models: Vec<_> = self
            .silo
            .models()
            .iter()
            .map(|model| {
                let profile = &model.profile;
                let thresholds = profile.thresholds();
                json!({
                    "model": profile.model().id(),
                    "version": profile.model().version(),
                    "dimension": profile.dimension(),
                    "match": thresholds.matching(),
                    "review": thresholds.review(),
                    "miss_probability": profile.miss_probability(),
                    "centre": profile.sketching().centre(),
                })
            })
            .collect();
        let automation: Vec<Value> = policy
            .automation
            .iter()
            .map(|automation| {
                json!({
                    "purpose": automation.purpose.name(),
                    "ground": automation.ground.name(),
                    "explanation": automation.explanation.version.as_str(),
                    "explanation_sha256": hex::encode(automation.explanation.sha256),
                    "reviewer": automation.reviewer.as_str(),
                })
            })
            .collect();
        json!({
            "format": FORMAT,
            "vault": self.vault.id.to_string(),
            "tenant": self.silo.id.as_str(),
            "created_at": text(self.silo.created_at),
            "made_at": text(self.vault.clock.now()),
            "transfer": transfer::told(&self.transfer),
            "policy": {
                "version": policy.version,
                "purposes": purposes,
                "jurisdiction": policy.jurisdiction.name(),
                "minors_consent_alone_from_16": policy.alone_from_16,
                "age_required": policy.age_required,
                "environment": policy.environment.name(),
                "region": policy.region.as_ref().map(ToString::to_string),
                "country": policy.country.map(lethe_domain::Country::as_str),
                "keep": policy.retention.keep.map(|period| period.to_string()),
                "keep_after_end": policy.retention.after_end.map(|period| period.to_string()),
                "statutory_minimum": policy.retention.minimum.map(|period| period.to_string()),
                "limitation": policy.retention.limitation().to_string(),
                "vendor_purposes": policy.retention.vendor_purposes,
                "automation": automation,
            },
            "models": models,
        })
    }

    /// Some people from a slot on, and where the next begin. The look at the database ends with it: who takes the archive may be slow.
    fn people(&self, from: u64) -> Result<Page> {
        let tree = self.silo.tree;
        let whole = Key::prefix_of_tree(RowKind::Subject, tree);
        let start = Key::Subject { tree, subject: SlotRef::first(from) }.encode();
        let (mut people, mut next) = (Vec::with_capacity(PEOPLE), None);
        self.vault.store.scan_from(RowKind::Subject, &whole, &start, |key, sealed| {
            let Key::Subject { subject, .. } = key else { return Ok(ControlFlow::Continue(())) };
            if people.len() == PEOPLE {
                next = Some(subject.slot);
                return Ok(ControlFlow::Break(()));
            }
            // Who is erased meanwhile is not handed over.
            if let Some(opened) = self.vault.keys.open(&key, "", sealed)? {
                people.push((subject, SubjectRecord::decode(&opened)?));
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        Ok((people, next))
    }

    fn person(&self, slot: SlotRef, person: &SubjectRecord, found: &[Found]) -> Result<Value> {
        let known = dossiers::of(&self.vault, &self.silo, slot)?;
        // The law may be the person's own, and ask for the person's consent.
        lethe_policy::allows_archive(&self.silo.policy(), &known, &self.transfer, self.vault.clock.now())?;
        let disclosures = disclosure::of(&self.vault, &self.silo, slot)?;
        let cases = case::of_subject(&self.vault, &self.silo, slot)?;
        let requests = request::asked_by(&self.vault, &self.silo, slot)?;
        let listed = watchlist::listed(&self.vault, &self.silo, slot)?;
        let templates: Vec<_> = found
            .iter()
            .map(|template| {
                let facts = &template.record.facts;
                json!({
                    "file": file_of(template),
                    "template": facts.id.to_string(),
                    "model": facts.model.id(),
                    "version": facts.model.version(),
                    "kind": facts.kind.name(),
                    "quality": facts.quality.get(),
                    "captured_at": text(facts.captured_at),
                    "enrolled_at": text(facts.enrolled_at),
                })
            })
            .collect();
        Ok(json!({
            "subject": person.id.as_str(),
            "created_at": text(person.created_at),
            "known": dossier(&known),
            "disclosures": disclosures.iter().map(told).collect::<Vec<_>>(),
            "cases": cases.iter().map(reviewed_by).collect::<Vec<_>>(),
            "requests": requests.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "watchlist_entries": listed.iter().map(|(_, id)| id.to_string()).collect::<Vec<_>>(),
            "templates": templates,
        }))
    }

    /// The rows of a kind that nobody's erasure takes along, in as many files as it takes; gives how many there were, and how many
    /// more cannot be read.
    fn rows(
        &self,
        tar: &mut Tar,
        may_go_on: &impl Fn() -> Result<()>,
        kind: RowKind,
        name: &str,
        read: impl Fn(&Key, &[u8]) -> Result<Option<Value>>,
    ) -> Result<(u64, u64)> {
        let whole = Key::prefix_of_tree(kind, self.silo.tree);
        let (mut from, mut part, mut told) = (Some(whole.clone()), 0_u32, (0, 0));
        while let Some(start) = from.take() {
            may_go_on()?;
            let (mut lines, mut seen) = (Zeroizing::new(Vec::new()), 0);
            self.vault.store.scan_from(kind, &whole, &start, |key, sealed| {
                if seen == ROWS {
                    from = Some(key.encode());
                    return Ok(ControlFlow::Break(()));
                }
                seen += 1;
                let opened = self.vault.keys.open(&key, "", sealed);
                match opened.and_then(|opened| opened.map(|opened| read(&key, &opened)).transpose()) {
                    Ok(Some(Some(value))) => {
                        lines.extend_from_slice(&line(&value));
                        told.0 += 1;
                    }
                    Ok(None | Some(None)) => {}
                    // The tenant must be able to leave all the same, and is told.
                    Err(fault) => {
                        tracing::error!(%fault, "a row of an archive cannot be read");
                        told.1 += 1;
                    }
                }
                Ok::<_, Error>(ControlFlow::Continue(()))
            })?;
            if !lines.is_empty() {
                part += 1;
                add(tar, &format!("{name}-{part:06}.jsonl"), &lines)?;
            }
        }
        Ok(told)
    }

    /// Watch lists, and their entries with their embeddings, without those whose time is over; gives how many lists there were, how
    /// many entries, and how many lists and entries cannot be read.
    fn watchlists(&self, tar: &mut Tar, may_go_on: &impl Fn() -> Result<()>) -> Result<(usize, (u64, u64))> {
        let (lists, unreadable) = watchlist::readable_lists(&self.vault, &self.silo)?;
        let (mut from, mut part, mut told) = (None, 0_u32, (0, unreadable));
        let mut text_of_lists = Zeroizing::new(Vec::new());
        for (_, list) in &lists {
            let created = text(list.created_at);
            let value = json!({ "watchlist": list.id.as_str(), "kind": list.kind.name(), "created_at": created });
            text_of_lists.extend_from_slice(&line(&value));
        }
        if !text_of_lists.is_empty() {
            add(tar, "watchlists.jsonl", &text_of_lists)?;
        }
        loop {
            may_go_on()?;
            let page = watchlist::whole(&self.vault, &self.silo, &lists, from.take())?;
            let now = self.vault.clock.now();
            let mut lines = Zeroizing::new(Vec::new());
            for (filed, embedding) in page.entries.iter().filter(|(filed, _)| !filed.entry.is_over(now)) {
                let file = format!("watchlist-entries/{}.npy", filed.id);
                add(tar, &file, &npy(embedding.components()))?;
                let mut value = watched(&self.silo.id, filed, now);
                value["file"] = json!(file);
                lines.extend_from_slice(&line(&value));
                told.0 += 1;
            }
            told.1 += page.unreadable;
            if !lines.is_empty() {
                part += 1;
                add(tar, &format!("watchlist-entries-{part:06}.jsonl"), &lines)?;
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok((lists.len(), told)),
            }
        }
    }

    /// The log with its checkpoint: who has them verifies them without the vault.
    fn log(&self, tar: &mut Tar, may_go_on: &impl Fn() -> Result<()>) -> Result<()> {
        let (tree, size) = (self.silo.tree, self.checkpoint.size);
        let whole = Key::prefix_of_tree(RowKind::LogEntry, tree);
        let (mut from, mut part) = (0, 0_u32);
        while from < size {
            may_go_on()?;
            let start = Key::LogEntry { tree, index: from }.encode();
            let (mut lines, mut count) = (Vec::new(), 0);
            self.vault.store.scan_from(RowKind::LogEntry, &whole, &start, |key, entry| {
                if count == ENTRIES || !matches!(key, Key::LogEntry { index, .. } if index < size) {
                    return Ok(ControlFlow::Break(()));
                }
                lines.extend_from_slice(entry);
                lines.push(b'\n');
                count += 1;
                Ok::<_, Error>(ControlFlow::Continue(()))
            })?;
            if count == 0 {
                return Err(StoreError::corrupt("log", format!("entry {from} is missing")).into());
            }
            from += count as u64;
            part += 1;
            add(tar, &format!("log-{part:06}.jsonl"), &lines)?;
        }
        add(tar, "log-checkpoint.note", self.checkpoint.note.as_bytes())?;
        add(tar, "log-key.txt", self.checkpoint.verifier.to_string().as_bytes())?;
        let successions = audit::successions_within(&self.vault, tree, size)?;
        if successions.is_empty() {
            return Ok(());
        }
        let lines: Vec<u8> = successions.iter().flat_map(|each| [each.encode(), b"\n".to_vec()].concat()).collect();
        add(tar, "log-successions.jsonl", &lines)
    }
}

fn dossier(known: &Dossier) -> Value {
    let consents: Vec<_> = known.consents.iter().map(consent).collect();
    let objections: Vec<_> = known
        .objections
        .iter()
        .map(|objection| {
            json!({
                "purpose": objection.purpose.name(),
                "since": text(objection.since),
                "overruled": objection.overruled.as_ref().map(|grounds| grounds.as_str()),
            })
        })
        .collect();
    json!({
        "jurisdiction": known.jurisdiction.map(|jurisdiction| jurisdiction.name()),
        "age": known.age.name(),
        "consents": consents,
        "restriction": known.restriction.map(|restriction| {
            json!({ "ground": restriction.ground.name(), "since": text(restriction.since) })
        }),
        "objections": objections,
        "holds": known.holds.iter().map(hold).collect::<Vec<_>>(),
        "purpose_ended_at": known.purpose_ended_at.map(text),
        "contract_ended_at": known.contract_ended_at.map(text),
        "died_at": known.died_at.map(text),
        "post_mortem": known.post_mortem.as_ref().map(ToString::to_string),
        "deferral": known.deferral.map(|deferral| json!({
            "reason": deferral.reason.name(),
            "requested_at": text(deferral.requested_at),
            "until": text(deferral.until),
        })),
    })
}

fn consent(consent: &Consent) -> Value {
    json!({
        "consent": consent.id.to_string(),
        "purpose": consent.purpose.name(),
        "notice": consent.notice.version.as_str(),
        "notice_sha256": hex::encode(consent.notice.sha256),
        "manner": consent.manner.name(),
        "giver": consent.giver.name(),
        "recipients": consent.recipients.iter().map(|named| named.as_str()).collect::<Vec<_>>(),
        "countries": consent.countries.iter().map(|country| country.as_str()).collect::<Vec<_>>(),
        "given_at": text(consent.given_at),
        "expires_at": consent.expires_at.map(text),
        "withdrawn_at": consent.withdrawn_at.map(text),
    })
}

fn hold(hold: &Hold) -> Value {
    json!({
        "hold": hold.id.to_string(),
        "case": hold.case.as_str(),
        "placed_at": text(hold.placed_at),
        "review_at": text(hold.review_at),
        "reviewed_at": hold.reviewed_at.map(text),
    })
}

fn file_of(template: &Found) -> String {
    format!("templates/{}.npy", template.record.facts.id)
}

fn line(value: &Value) -> Zeroizing<Vec<u8>> {
    let mut text = value.to_string();
    text.push('\n');
    Zeroizing::new(text.into_bytes())
}

fn add(tar: &mut Tar, name: &str, bytes: &[u8]) -> Result<()> {
    tar.add(name, bytes).map_err(failed)
}

/// Whoever was to take the archive is gone, or slow, or the vault closes: that is all that can go wrong with a pipe.
fn failed(fault: io::Error) -> Error {
    match fault.downcast::<StoreError>() {
        Ok(closed) => closed.into(),
        Err(fault) => {
            let message = format!("the archive was not taken: {fault}");
            Error::Unavailable(lethe_domain::Reason::DeadlineExceeded, message)
        }
    }
}
