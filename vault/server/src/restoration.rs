//! Restoring a vault: the bulk of any backup, or of what is left, under the key tree of today (02, "Backups that cannot
//! remember"; O19, O38). People who were erased stay erased: their rows do not open and are removed. Keys of people who
//! came after the backup go: their rows are lost, and their slots may have been sealed under.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use lethe_crypto::epoch::{Outcome, Takeover};
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::{ModelId, Timestamp};
use rayon::prelude::*;

use crate::audit;
use crate::config::Config;
use crate::erasure::Erasures;
use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::opening::{self, Foundation, OpenError, find_burnt};
use crate::records::{IntentRecord, ProfileRecord, decode};
use crate::silo::Loaded;
use crate::store::{Backups, Change, Key, MirrorId, ProfileNumber, RowKind, Store, StoreError, Truth, sync_folder};

/// How long mirrors may take to be copied to.
const COPY: Duration = Duration::from_secs(3600);

/// Rows that are opened together.
const CHUNK: usize = 8192;

/// What to restore from.
#[derive(Debug, Clone, Default)]
pub struct Source<'a> {
    /// A folder of backups, and which of them: the newest if none is named. Without it, what is left in the data folder.
    pub backup: Option<(&'a Path, Option<u32>)>,
    /// Go on where rows do not open though their keys are there: they are damaged, and their keys go.
    pub accept_loss: bool,
    /// Claim the root store also if a later run has: whoever that was is gone for good, and what its mirror lacks is
    /// lost. Still refused if the root store does not hold the root that the mirror names.
    pub take_over: bool,
    /// Mirrors that are lost with the data: given up, on the record.
    pub lost_mirrors: &'a [MirrorId],
}

/// What became of it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// The epoch that the vault is in now.
    pub epoch: u64,
    /// Rows of subjects and their templates that are back: they open, byte for byte as they were sealed.
    pub back: Rows,
    /// Rows whose keys were erased since the backup, or whose erasure is accepted; they were removed.
    pub erased: Rows,
    /// Rows that do not open although their keys are there.
    pub corrupt: Rows,
    /// Slots that were handed out and have no row: of people and templates enrolled since the backup. Their keys are
    /// gone.
    pub lost_slots: u64,
}

/// Rows, by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rows {
    /// Base rows: people.
    pub subjects: u64,
    /// Templates.
    pub templates: u64,
    /// Sketches and remembered answers.
    pub others: u64,
}

impl Rows {
    fn add(&mut self, kind: RowKind) {
        #[allow(clippy::wildcard_enum_match_arm, reason = "two kinds have a count of their own")]
        match kind {
            RowKind::Subject => self.subjects += 1,
            RowKind::Template => self.templates += 1,
            _ => self.others += 1,
        }
    }

    const fn sum(&self) -> u64 {
        self.subjects + self.templates + self.others
    }
}

/// Restores a vault, with the server stopped. A crash at any point is harmless: the vault does not open until the same
/// command has finished.
///
/// # Errors
/// Says the way out. Nothing is destroyed before everything was looked at.
pub async fn restore(config: &Config, source: Source<'_>) -> std::result::Result<Restored, OpenError> {
    let db = config.data_dir.join("db");
    // Before hours are spent on copying: nothing can be restored without a mirror.
    let truth = Truth::open(&config.mirror_paths(), source.lost_mirrors)?;
    match source.backup {
        Some((folder, number)) => match is_begun(&db)? {
            true => tracing::info!("going on with the restore that was begun; the backup is not read again"),
            false => write_bulk(&truth, &db, folder, number)?,
        },
        None if db.exists() => {}
        None => {
            let why = format!("there is no database in {}: name a folder of backups", db.display());
            return Err(StoreError::Restore(why).into());
        }
    }
    truth.adopt(&db)?;
    // The mirrors are opened again with the store.
    drop(truth);
    fail::fail_point!("restore-adopted");
    let takeover = if source.take_over { Takeover::ClaimAnyway } else { Takeover::Refuse };
    let mut vault = Foundation::restoring(config, takeover).await?;
    let restored = bring_up(&mut vault, &source).await;
    vault.store.close();
    restored
}

/// Removes what is gone, and the keys of what is lost; nothing before everything was looked at.
async fn bring_up(vault: &mut Foundation, source: &Source<'_>) -> std::result::Result<Restored, OpenError> {
    let (store, keys) = (&vault.store, &vault.keys);

    let sifted = tokio::task::block_in_place(|| Sieve::new(store, keys)?.sift())?;
    let corrupt = sifted.report.corrupt.sum();
    if corrupt > 0 && !source.accept_loss {
        let why = format!(
            "{corrupt} rows are damaged, and nothing was given up yet. Another backup may have them whole: move {} away \
             and name it. Or go on without them, for good, with --accept-loss",
            store.path().display()
        );
        return Err(StoreError::Restore(why).into());
    }
    for chunk in sifted.gone.chunks(CHUNK) {
        let mut change = Change::new();
        for key in chunk {
            change.delete(key.clone());
        }
        store.commit(change).await?;
        fail::fail_point!("restore-rows-removed");
    }
    let mut report = sifted.report;
    let redraw = find_burnt(store, keys, &sifted.owned)?;
    report.lost_slots = redraw.len() as u64;
    if !redraw.is_empty() {
        // The keys of who is lost go before anybody new is enrolled (rule 3).
        match vault.writer.run(&redraw, &Erasures::burnt(report.lost_slots)).await? {
            Outcome::Destroyed(_) => {}
            Outcome::Pending(failure) => return Err(failure.into()),
        }
    }
    fail::fail_point!("restore-redrawn");
    report.epoch = vault.writer.epoch().number;
    let sequence = vault.store.commit(finished(&report, source.lost_mirrors)?).await?.sequence;
    fail::fail_point!("restore-finished");
    vault.store.mirrored_within(sequence, COPY).await?;
    Ok(report)
}

/// Is there a database whose restore was begun?
fn is_begun(db: &Path) -> Result<bool> {
    if !db.exists() {
        return Ok(false);
    }
    if Store::read_only(db)?.get(&Key::Restoring)?.is_some() {
        return Ok(true);
    }
    let why = format!(
        "there is a database in {}: move it away, or leave out the backup to restore what is in it",
        db.display()
    );
    Err(StoreError::Restore(why).into())
}

/// Writes a backup's files, under their name only once they are all there, marked, and known to fit.
fn write_bulk(truth: &Truth, db: &Path, folder: &Path, number: Option<u32>) -> Result<(), OpenError> {
    let backups = Backups::open(folder)?;
    let newest = backups.list().last().map(|backup| backup.number);
    let number = number.or(newest).ok_or_else(|| StoreError::Restore(format!("{} has no backup", folder.display())))?;
    let unfinished = db.with_extension("restoring");
    let io = |cause| OpenError::Folder { path: unfinished.clone(), cause };
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(io)?;
    }
    opening::create_folder(&unfinished)?;
    tracing::info!(number, "writing the files of a backup");
    fail::fail_point!("restore-before-files");
    if let Err(refused) = backups.restore(number, &unfinished).and_then(|()| truth.begin(&unfinished)) {
        // It is a copy: whatever is the matter with it, nothing is lost.
        drop(std::fs::remove_dir_all(&unfinished));
        return Err(refused.into());
    }
    fail::fail_point!("restore-files-marked");
    std::fs::rename(&unfinished, db).map_err(io)?;
    fail::fail_point!("restore-renamed");
    let parent = db.parent().unwrap_or(db);
    sync_folder(parent).map_err(io)
}

/// The change that ends a restore, with its record in the vault's log.
fn finished(report: &Restored, lost: &[MirrorId]) -> Result<Change> {
    let entry = audit::by_the_vault("vault.restore", Timestamp::now())?;
    let fields = [
        ("epoch", report.epoch),
        ("subjects_back", report.back.subjects),
        ("templates_back", report.back.templates),
        ("subjects_erased", report.erased.subjects),
        ("templates_erased", report.erased.templates),
        ("lost_slots", report.lost_slots),
        ("corrupt_rows", report.corrupt.sum()),
    ];
    let mut change = Change::new();
    change.delete(Key::Restoring);
    for id in lost {
        let entry = audit::by_the_vault("mirror.drop", Timestamp::now())?;
        change.log(TreeId::VAULT, audit::naming(entry, "MIRROR_DROPPED", "mirror", &id.to_string())?);
    }
    change.log(TreeId::VAULT, audit::counting(entry, "VAULT_RESTORED", &fields)?);
    Ok(change)
}

/// Tells rows that are back from those that are not.
struct Sieve<'a> {
    store: &'a Store,
    keys: &'a Keyring,
    models: HashMap<(TreeId, ProfileNumber), ModelId>,
    /// Slots whose erasure is accepted: their rows were gone before the vault was.
    pending: HashSet<(TreeId, SlotRef)>,
}

/// What was found.
#[derive(Default)]
struct Sifted {
    report: Restored,
    owned: Loaded,
    gone: Vec<Key>,
    /// Subjects whose base rows are back.
    people: HashSet<(TreeId, SlotRef)>,
}

/// What is the matter with a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Back,
    Erased,
    Corrupt,
}

impl<'a> Sieve<'a> {
    fn new(store: &'a Store, keys: &'a Keyring) -> Result<Self> {
        let mut sieve = Self { store, keys, models: HashMap::new(), pending: HashSet::new() };
        store.scan(RowKind::Profile, &Key::prefix(RowKind::Profile), |key, value| {
            if let Key::Profile { tree, number } = key
                && let Some(opened) = keys.open(&key, "", value)?
            {
                let record: ProfileRecord = decode("profile record", &opened)?;
                sieve.models.insert((tree, number), record.parse()?.model().clone());
            }
            Ok::<_, Error>(())
        })?;
        store.scan(RowKind::Intent, &Key::prefix(RowKind::Intent), |key, value| {
            if let Key::Intent { tree, .. } = key {
                let intent: IntentRecord = decode("erasure intent", value)?;
                sieve.pending.extend(intent.slots().map(|slot| (tree, slot)));
            }
            Ok::<_, Error>(())
        })?;
        Ok(sieve)
    }

    fn sift(&self) -> Result<Sifted> {
        let mut sifted = Sifted::default();
        self.store.scan(RowKind::Tenant, &Key::prefix(RowKind::Tenant), |key, _| {
            sifted.owned.own(&key);
            Ok::<_, Error>(())
        })?;
        // People first: what hangs on somebody who is not back goes, too.
        for kind in [RowKind::Subject, RowKind::Template, RowKind::Sketch, RowKind::SubjectRequest] {
            let mut chunk: Vec<(Key, Vec<u8>)> = Vec::with_capacity(CHUNK);
            self.store.scan(kind, &Key::prefix(kind), |key, value| {
                chunk.push((key, value.to_vec()));
                if chunk.len() == CHUNK {
                    self.judge(kind, &mut chunk, &mut sifted)?;
                }
                Ok::<_, Error>(())
            })?;
            self.judge(kind, &mut chunk, &mut sifted)?;
        }
        sifted.owned.sort();
        Ok(sifted)
    }

    fn judge(&self, kind: RowKind, chunk: &mut Vec<(Key, Vec<u8>)>, sifted: &mut Sifted) -> Result<()> {
        let people = &sifted.people;
        let judged: Vec<(Key, Verdict)> = chunk
            .par_drain(..)
            .map(|(key, value)| {
                let verdict = self.verdict(&key, &value, people)?;
                Ok::<_, Error>((key, verdict))
            })
            .collect::<Result<_>>()?;
        for (key, verdict) in judged {
            let counts = match verdict {
                Verdict::Back => &mut sifted.report.back,
                Verdict::Erased => &mut sifted.report.erased,
                Verdict::Corrupt => &mut sifted.report.corrupt,
            };
            counts.add(kind);
            if verdict == Verdict::Back {
                sifted.owned.own(&key);
                if let Key::Subject { tree, subject } = key {
                    sifted.people.insert((tree, subject));
                }
            } else {
                sifted.gone.push(key);
            }
        }
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "only rows of subjects are judged")]
    fn verdict(&self, key: &Key, value: &[u8], people: &HashSet<(TreeId, SlotRef)>) -> Result<Verdict> {
        let (tree, slots, model) = match *key {
            Key::Subject { tree, subject } | Key::SubjectRequest { tree, subject, .. } => (tree, vec![subject], None),
            Key::Template { tree, at, profile, .. } | Key::Sketch { tree, at, profile, .. } => {
                (tree, vec![at.subject, at.thing], Some(profile))
            }
            _ => return Ok(Verdict::Back),
        };
        for slot in &slots {
            if self.pending.contains(&(tree, *slot)) || self.keys.slot(tree, *slot)?.is_none() {
                return Ok(Verdict::Erased);
            }
        }
        if key.kind() != RowKind::Subject && !people.contains(&(tree, slots[0])) {
            return Ok(Verdict::Corrupt);
        }
        let model = match model {
            None => String::new(),
            Some(profile) => match self.models.get(&(tree, profile)) {
                Some(model) => model.to_string(),
                None => return Ok(Verdict::Corrupt),
            },
        };
        Ok(match self.keys.open(key, &model, value) {
            Ok(Some(_)) => Verdict::Back,
            Ok(None) => Verdict::Erased,
            Err(_) => Verdict::Corrupt,
        })
    }
}
