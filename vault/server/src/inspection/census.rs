//! What is in a database, as far as it shows without a key.

use std::collections::{BTreeMap, BTreeSet};

use lethe_crypto::epoch::EpochState;
use lethe_crypto::tree::{SlotRef, TreeId};

use super::place::Place;
use super::report::{
    Damage, EpochPart, FolderKind, Inspection, IntentPart, MirrorPart, PositionPart, RowsPart, TreePart,
};
use crate::erasure::Statements;
use crate::error::causes;
use crate::records::{IntentRecord, ReceiptRecord, decode};
use crate::store::{Evidence, Key, LogHead, RowKind, Seen, StoreError};

/// Counts everything.
pub(super) fn take(place: &Place, evidence: &Evidence) -> Inspection {
    let mut census = Census::default();
    for kind in RowKind::ALL {
        census.count(evidence, kind);
    }
    census.compare_galleries();
    census.compare_logs();
    let Census { rows, trees, intents, damage, .. } = census;
    let trees = trees.into_iter().map(|(tree, part)| TreePart { tree: name(tree), ..part });
    let (files, bytes) = sizes(place);
    let mut inspection = Inspection {
        kind: place.kind(),
        path: place.folder().display().to_string(),
        sound: false,
        backup: place.backup_part().cloned(),
        format: None,
        vault: None,
        incarnation: None,
        claiming: None,
        epoch: None,
        retiring: None,
        restoring: None,
        statements: Vec::new(),
        sequence: evidence.sequence(),
        torn_log: evidence.torn().map(|fault| causes(&fault)),
        position: None,
        mirrors: Vec::new(),
        files,
        bytes,
        rows,
        trees: trees.collect(),
        intents,
        roots: None,
        damage,
    };
    inspection.describe(evidence);
    inspection.sound = inspection.damage.is_empty();
    inspection
}

impl Inspection {
    /// What a few rows in clear say of the whole.
    fn describe(&mut self, evidence: &Evidence) {
        for file in self.backup.iter().flat_map(|backup| backup.missing.clone()).collect::<Vec<_>>() {
            let meaning = "this backup cannot be restored; `lethe backup verify` says so, too. Use another".to_owned();
            self.damage.push(Damage { row: None, kind: None, fault: format!("{file} is missing"), meaning });
        }
        if let Some(fault) = evidence.not_whole() {
            let meaning = "a start is refused: people may be missing whom nobody would miss".to_owned();
            self.damage.push(Damage { row: None, kind: None, fault: causes(&fault), meaning });
        }
        match evidence.get(&Key::Format) {
            Ok(Some(bytes)) if bytes.len() == 4 => {
                self.format = bytes.try_into().ok().map(u32::from_be_bytes);
            }
            Ok(_) => {
                self.damaged(RowKind::Format, "it is missing or not a number", "whose format this is is not known")
            }
            Err(fault) => self.damaged(RowKind::Format, &causes(&fault), "whose format this is is not known"),
        }
        match evidence.get(&Key::Epoch).map(|row| row.map(|bytes| EpochState::decode(&bytes))) {
            Ok(Some(Ok(state))) => {
                self.vault = Some(state.vault.to_string());
                self.incarnation = Some(state.incarnation.to_string());
                self.claiming = state.claiming.map(|claiming| claiming.to_string());
                self.epoch =
                    state.current.map(|epoch| EpochPart { number: epoch.number, root: epoch.root.to_string() });
                self.retiring =
                    state.retiring.map(|epoch| EpochPart { number: epoch.number, root: epoch.root.to_string() });
            }
            Ok(Some(Err(fault))) => self.damaged(RowKind::Epoch, &causes(&fault), NO_EPOCH),
            Ok(None) => self.damaged(RowKind::Epoch, "it is missing", NO_EPOCH),
            Err(fault) => self.damaged(RowKind::Epoch, &causes(&fault), NO_EPOCH),
        }
        match evidence.position() {
            Ok(Some((mirror, followed, whole))) => {
                if self.kind == FolderKind::Database {
                    self.kind = FolderKind::Mirror;
                }
                self.position = Some(PositionPart { mirror: mirror.to_string(), followed, whole });
            }
            Ok(None) => {}
            Err(fault) => self.damaged(RowKind::Position, &causes(&fault), "how far the mirror is is not known"),
        }
        match Statements::read(evidence.store()) {
            Ok(statements) => self.statements = statements.iter().map(ToOwned::to_owned).collect(),
            Err(fault) => self.damaged(RowKind::Statements, &causes(&fault), meaning(RowKind::Statements)),
        }
        match evidence.mirrors() {
            Ok(mirrors) => {
                let part = |path: &std::path::Path, id: String| MirrorPart { id, path: path.display().to_string() };
                self.mirrors = mirrors.iter().map(|mirror| part(&mirror.path, mirror.id.to_string())).collect();
            }
            Err(fault) => self.damaged(RowKind::Mirror, &causes(&fault), "which mirrors there are is not known"),
        }
        match evidence.restoring() {
            Ok(restoring) => self.restoring = restoring,
            Err(fault) => self.damaged(RowKind::Restoring, &causes(&fault), "run `lethe restore` again"),
        }
    }

    fn damaged(&mut self, kind: RowKind, fault: &str, meaning: &str) {
        let (fault, meaning) = (fault.to_owned(), meaning.to_owned());
        let row = Some(hex::encode(Key::prefix(kind)));
        self.damage.push(Damage { row, kind: Some(name_of(kind)), fault, meaning });
    }
}

const NO_EPOCH: &str = "no key of this database can be found; a start is refused. `lethe restore` takes a mirror's";

#[derive(Default)]
struct Census {
    rows: Vec<RowsPart>,
    trees: BTreeMap<TreeId, TreePart>,
    intents: Vec<IntentPart>,
    damage: Vec<Damage>,
    /// Epochs whose root is destroyed, on record.
    ended: BTreeSet<u64>,
    /// Size of each log, by its head.
    heads: BTreeMap<TreeId, u64>,
    /// Templates and sketches of each gallery and model, and what was counted of them.
    galleries: BTreeMap<(TreeId, u32, u32), [u64; 3]>,
}

impl Census {
    fn count(&mut self, evidence: &Evidence, kind: RowKind) {
        let (mut rows, mut bytes) = (0, 0);
        evidence.scan(kind, |seen| match seen {
            Seen::Row(key, value) => {
                rows += 1;
                bytes += (key.encode().len() + value.len()) as u64;
                if let Err(fault) = self.take_in(&key, value) {
                    let meaning = meaning(kind).to_owned();
                    let row = Some(hex::encode(key.encode()));
                    self.damage.push(Damage { row, kind: Some(name_of(kind)), fault: causes(&fault), meaning });
                }
            }
            Seen::Unknown(key) => {
                let fault = "this key is of no kind that the format knows, or of a wrong length".to_owned();
                let meaning = "a start is refused where it reads this".to_owned();
                self.damage.push(Damage { row: Some(hex::encode(key)), kind: Some(name_of(kind)), fault, meaning });
            }
            Seen::Unreadable { after, fault } => {
                let after = after.map_or_else(|| hex::encode(Key::prefix(kind)), hex::encode);
                let meaning = format!("rows after this one are lost, as far as a block reaches: {}", meaning(kind));
                let fault = causes(&fault);
                self.damage.push(Damage { row: Some(after), kind: Some(name_of(kind)), fault, meaning });
            }
        });
        if rows > 0 {
            self.rows.push(RowsPart { kind: format!("{:02x}", kind as u8), name: name_of(kind), rows, bytes });
        }
    }

    fn take_in(&mut self, key: &Key, value: &[u8]) -> Result<(), StoreError> {
        match key {
            Key::HighWater { tree } => {
                let mark = value.try_into().map(u64::from_be_bytes);
                let mark = mark.map_err(|_| StoreError::corrupt("high-water mark", tree.to_string()))?;
                self.tree(*tree).high_water = Some(mark);
            }
            Key::Page(address) => self.tree(address.tree()).pages += 1,
            Key::EpochEnd { number } => {
                self.ended.insert(*number);
            }
            Key::Intent { tree, receipt } => {
                let intent: IntentRecord = decode("erasure intent", value)?;
                self.intents.push(IntentPart {
                    tree: name(*tree),
                    receipt: hex::encode(receipt.as_bytes()),
                    scope: intent.scope.clone(),
                    slots: intent.slots.len(),
                    accepted_at: intent.accepted_at,
                });
            }
            Key::Receipt { tree, .. } => {
                let record: ReceiptRecord = decode("receipt record", value)?;
                // Ends of epochs come before receipts, by their kinds.
                let shredded = record.committed.is_some_and(|committed| self.ended.contains(&committed.leaves_epoch));
                let erasures = &mut self.tree(*tree).erasures;
                match (record.committed, shredded) {
                    (None, _) => erasures.accepted += 1,
                    (Some(_), false) => erasures.committed += 1,
                    (Some(_), true) => erasures.shredded += 1,
                }
            }
            Key::Credential { tree, .. } => self.tree(*tree).credentials += 1,
            Key::Profile { tree, .. } => self.tree(*tree).profiles += 1,
            Key::Census { tree, gallery, profile } => {
                let count = value.try_into().map(u64::from_be_bytes);
                let count = count.map_err(|_| StoreError::corrupt("census", tree.to_string()))?;
                self.tree(*tree).counted += count;
                self.galleries.entry((*tree, *gallery, *profile)).or_default()[2] = count;
            }
            Key::Subject { tree, .. } => self.tree(*tree).subjects += 1,
            Key::Template { tree, gallery, profile, .. } => {
                self.tree(*tree).templates += 1;
                self.galleries.entry((*tree, *gallery, *profile)).or_default()[0] += 1;
            }
            Key::Sketch { tree, gallery, profile, .. } => {
                self.tree(*tree).sketches += 1;
                self.galleries.entry((*tree, *gallery, *profile)).or_default()[1] += 1;
            }
            Key::LogHead { tree } => {
                let head = LogHead::decode(value)?;
                self.heads.insert(*tree, head.size);
                self.tree(*tree).origin = Some(head.origin.to_string());
            }
            Key::LogEntry { tree, .. } => self.tree(*tree).entries += 1,
            Key::Format
            | Key::Epoch
            | Key::Position
            | Key::Mirror { .. }
            | Key::Restoring
            | Key::Statements
            | Key::History
            | Key::Shredded { .. }
            | Key::Tenant { .. }
            | Key::TenantRequest { .. }
            | Key::LogKey { .. }
            | Key::SubjectRequest { .. }
            | Key::Dossier { .. }
            | Key::Held { .. }
            | Key::Watchlist { .. }
            | Key::SigningKey { .. }
            | Key::Attestation { .. }
            | Key::WatchlistEntry { .. }
            | Key::Listed { .. }
            | Key::Evidence { .. }
            | Key::Request { .. }
            | Key::Notification { .. }
            | Key::Asked { .. }
            | Key::Proposal { .. }
            | Key::Disclosure { .. }
            | Key::Case { .. }
            | Key::LogNode { .. }
            | Key::LogSuccession { .. }
            | Key::TreeMark { .. }
            | Key::RowsMark { .. }
            | Key::LogMark { .. } => {}
        }
        Ok(())
    }

    fn tree(&mut self, tree: TreeId) -> &mut TreePart {
        self.trees.entry(tree).or_default()
    }

    /// A gallery has as many templates and sketches as were counted when they were written. Mirrors have none of it.
    fn compare_galleries(&mut self) {
        for ((tree, gallery, profile), [templates, sketches, counted]) in &self.galleries {
            if templates == counted && sketches == counted {
                continue;
            }
            let key = Key::Census { tree: *tree, gallery: *gallery, profile: *profile };
            let fault = format!("{templates} templates and {sketches} sketches are there of {counted}");
            let meaning =
                "this gallery is out of service: a search would not be complete. What is missing was deleted or \
                           lost, by whoever wrote there beside the vault or by the disk; `lethe restore` with a backup \
                           brings back what that has"
                    .to_owned();
            let row = Some(hex::encode(key.encode()));
            self.damage.push(Damage { row, kind: Some(name_of(RowKind::Census)), fault, meaning });
        }
    }

    /// A log has as many entries as its head says.
    fn compare_logs(&mut self) {
        for (tree, part) in &self.trees {
            let size = self.heads.get(tree).copied().unwrap_or(0);
            if part.entries != size {
                let fault = format!("{} entries are there of {size}", part.entries);
                let row = Some(hex::encode(Key::LogHead { tree: *tree }.encode()));
                let (kind, meaning) = (Some(name_of(RowKind::LogHead)), meaning(RowKind::LogEntry).to_owned());
                self.damage.push(Damage { row, kind, fault, meaning });
            }
        }
    }
}

/// Files of the database and their bytes.
fn sizes(place: &Place) -> (usize, u64) {
    let entries = std::fs::read_dir(place.database()).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| std::fs::metadata(entry.path()).ok()).filter(std::fs::Metadata::is_file);
    sizes.fold((0, 0), |(files, bytes), metadata| (files + 1, bytes + metadata.len()))
}

/// A tree, as it is told.
pub(super) fn name(tree: TreeId) -> String {
    tree.as_tenant().map_or_else(|| "vault".to_owned(), |SlotRef { slot, generation }| format!("{slot}.{generation}"))
}

/// What a kind of row is called.
pub(super) const fn name_of(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Format => "format",
        RowKind::Epoch => "epoch state",
        RowKind::HighWater => "high-water mark",
        RowKind::Page => "page of a key tree",
        RowKind::Intent => "erasure intent",
        RowKind::EpochEnd => "end of an epoch",
        RowKind::Position => "position of a mirror",
        RowKind::Mirror => "mirror",
        RowKind::Restoring => "mark of a restore",
        RowKind::Statements => "statements of receipts",
        RowKind::History => "history of runs",
        RowKind::Shredded => "shredded tenant",
        RowKind::Tenant => "tenant",
        RowKind::Credential => "credential",
        RowKind::Profile => "model profile",
        RowKind::Receipt => "state of an erasure",
        RowKind::TenantRequest => "remembered answer of administration",
        RowKind::LogKey => "log key",
        RowKind::Census => "census",
        RowKind::Subject => "subject",
        RowKind::Template => "template",
        RowKind::Sketch => "sketch",
        RowKind::SubjectRequest => "remembered answer about a subject",
        RowKind::Dossier => "dossier of a subject",
        RowKind::Held => "mark of a litigation hold",
        RowKind::Watchlist => "watch list",
        RowKind::SigningKey => "signing key",
        RowKind::Attestation => "attestation that was used",
        RowKind::WatchlistEntry => "entry of a watch list",
        RowKind::Listed => "list of entries made of a subject",
        RowKind::Evidence => "evidence of a consent",
        RowKind::Request => "request of a data subject",
        RowKind::Notification => "notification of a recipient",
        RowKind::Asked => "list of a subject's requests",
        RowKind::Proposal => "proposal",
        RowKind::Disclosure => "disclosure about a subject",
        RowKind::Case => "case about a subject",
        RowKind::LogHead => "log head",
        RowKind::LogEntry => "log entry",
        RowKind::LogNode => "log node",
        RowKind::LogSuccession => "succession of a log's key",
        RowKind::TreeMark | RowKind::RowsMark | RowKind::LogMark => "mark",
    }
}

/// What it means that a row of a kind is damaged or gone, and the way out.
pub(super) const fn meaning(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Format | RowKind::Epoch => NO_EPOCH,
        RowKind::HighWater => "slots might be given again; a start is refused. `lethe restore` takes a mirror's",
        RowKind::Page => {
            "every slot below this page is out of reach, though nobody was erased: their calls fail. \
                          `lethe restore` takes a mirror's page"
        }
        RowKind::Intent => {
            "an accepted erasure may not be done by itself: ask for it again. A start is refused meanwhile"
        }
        RowKind::EpochEnd | RowKind::Receipt => "a receipt cannot be made. `lethe restore` takes a mirror's row",
        RowKind::Position => "the mirror does not know how far it is: give it an empty folder",
        RowKind::Mirror => "a start does not know which mirrors must be there",
        RowKind::History => "which copy of the vault is newer cannot be told: a start is refused",
        RowKind::Statements => {
            "receipts cannot say what they must: a start is refused. `lethe restore` takes a mirror's"
        }
        RowKind::Restoring => "a mark that says something by being there",
        RowKind::Tenant | RowKind::Credential | RowKind::Shredded => {
            "a start is refused. `lethe restore` takes a mirror's row"
        }
        RowKind::Profile => "this tenant's galleries are out of service. `lethe restore` takes a mirror's row",
        RowKind::TenantRequest | RowKind::SubjectRequest => {
            "a request that is repeated is taken for a new one, or fails; nothing else depends on this"
        }
        RowKind::Dossier => {
            "what must not be done with this subject is not known: calls about it fail, and nobody finds it. \
                             `lethe restore` takes a mirror's row; where that is damaged too, all of the subject goes, unless it is under a hold"
        }
        RowKind::Held => {
            "a list of litigation holds lacks this one, and its tenant may be shredded; the dossier forbids all else"
        }
        RowKind::SigningKey => {
            "nothing is believed that this service signed: captures that it attests are refused. `lethe restore` takes a mirror's row"
        }
        RowKind::Attestation => {
            "an attestation could be used once more until its time is over. `lethe restore` takes a mirror's row"
        }
        RowKind::Watchlist => {
            "this tenant's searches against fraud fail, as they give no answer from part of its watch lists; no list is created, and \
             entries of this one are not told, nor removed by name. `lethe restore` takes a mirror's row"
        }
        RowKind::WatchlistEntry => {
            "this tenant's searches against fraud fail, as they give no answer from part of its watch lists. `lethe restore` takes \
             a mirror's row; an entry can be removed"
        }
        RowKind::Listed => {
            "which entries of watch lists were made of this subject is not known: its archive fails. `lethe restore` takes a \
             mirror's row"
        }
        RowKind::Evidence => {
            "that this consent was given cannot be shown from here. `lethe restore` takes a mirror's row"
        }
        RowKind::Request => {
            "what was asked for, and until when, is not known here, and no figure counts it. `lethe restore` takes a mirror's row"
        }
        RowKind::Notification => {
            "whom to tell what became of somebody's data is not known here, and no list has it. `lethe restore` takes a mirror's \
             row"
        }
        RowKind::Asked => "which requests this subject made is not known. `lethe restore` takes a mirror's row",
        RowKind::Proposal => {
            "lists of this tenant's proposals fail, and nothing is done by this one: make it again. `lethe restore` takes a \
             mirror's row"
        }
        RowKind::Disclosure => {
            "the list of disclosures about this subject fails; the log has that there was one. `lethe restore` takes a \
             mirror's row"
        }
        RowKind::Case => {
            "what was asked and answered about this subject is not known: the list of its tenant's cases lacks this one, and none is opened \
             about this subject. `lethe restore` takes a mirror's row"
        }
        RowKind::LogKey => "this log cannot be signed: no checkpoint, no receipt. `lethe restore` takes a mirror's row",
        RowKind::TreeMark | RowKind::RowsMark | RowKind::LogMark => {
            "whether rows were lost cannot be told: a start is refused. `lethe restore` with a backup leads out"
        }
        RowKind::Census => "whether the gallery is whole cannot be told: it is out of service",
        RowKind::Subject => {
            "whose row this is cannot be told any more: the tenant's galleries are out of service. \
                             `lethe restore` with a backup brings it back, if that has it"
        }
        RowKind::Template => {
            "this template is lost: a verification or a search that reads it fails. `lethe restore` with \
                              a backup brings it back, if that has it"
        }
        RowKind::Sketch => {
            "this gallery is out of service, though the template may be whole: a search would not be \
                            complete. `lethe restore` with a backup brings it back, if that has it"
        }
        RowKind::LogSuccession => {
            "who keeps an earlier key of this log cannot be led to the one that signs today. If it is the newest of several, \
             nothing is signed; if it is the only one, the new key signs as if it were the first, which nobody takes who keeps \
             the old one. `lethe restore` takes a mirror's row"
        }
        RowKind::LogHead | RowKind::LogEntry | RowKind::LogNode => {
            "this log has a gap: receipts and proofs that need it cannot be made, and nothing is added to it. \
             `lethe restore` takes a mirror's rows"
        }
    }
}
