use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lethe_crypto::BoxError;
use lethe_crypto::epoch::{Commit, Destruction, EpochState, Journal};
use lethe_crypto::log::entry::{EpochDestroyed, ErasureCommitted, Event, Found, KeysRotated, Rotated, Scope};
use lethe_crypto::log::text as log;
use lethe_crypto::tree::{PageAddress, PageSource, SlotRef, TreeId, View, WeakView};
use lethe_domain::Timestamp;
use parking_lot::Mutex;

use super::{Accepted, Statements, Task};
use crate::audit;
use crate::keyring::Keyring;
use crate::records::{CommittedErasure, ReceiptRecord, encode};
use crate::store::{Change, Key, Row, RowKind, Store};

/// How long readers of an old epoch may take before the erasure stays pending and is tried again.
const DRAIN: Duration = Duration::from_secs(10);

/// How long a claim of the root store waits for the mirrors.
const CLAIM: Duration = Duration::from_secs(30);

/// The store, as the epoch writer sees it.
pub struct StoreJournal {
    store: Arc<Store>,
    keys: OnceLock<Arc<Keyring>>,
    /// Views of earlier epochs that may still have readers.
    leaving: Mutex<Vec<WeakView>>,
    /// The newest change of an epoch: what mirrors must have before a root goes.
    committed: AtomicU64,
    /// What every receipt says.
    statements: Mutex<Statements>,
}

/// What an epoch is for, beside the pages.
pub struct Erasures {
    pub(super) accepted: Vec<Accepted>,
    /// Slots that were burnt, in all trees.
    pub(super) burnt: u64,
    /// A row that tells of them.
    pub(super) told: Option<(Key, Vec<u8>)>,
}

impl Erasures {
    /// Nothing but slots that were burnt, and a row that tells of them.
    pub(crate) const fn burnt(burnt: u64, told: (Key, Vec<u8>)) -> Self {
        Self { accepted: Vec::new(), burnt, told: Some(told) }
    }
}

impl StoreJournal {
    /// A journal on this store.
    pub fn new(store: Arc<Store>, statements: Statements) -> Self {
        let committed = AtomicU64::new(store.sequence());
        let (leaving, statements) = (Mutex::new(Vec::new()), Mutex::new(statements));
        Self { store, keys: OnceLock::new(), leaving, committed, statements }
    }

    /// Says whose view an epoch replaces. Only the first one counts.
    pub fn publish_to(&self, keys: Arc<Keyring>) {
        drop(self.keys.set(keys));
    }

    async fn write_state(&self, mut change: Change, state: &EpochState) -> Result<(), BoxError> {
        change.put(Key::Epoch, state.encode()?);
        let committed = self.store.commit(change).await?;
        self.committed.store(committed.sequence, Ordering::Release);
        Ok(())
    }
}

impl PageSource for StoreJournal {
    fn page(&self, address: &PageAddress) -> Result<Option<Vec<u8>>, BoxError> {
        self.store.pages().page(address)
    }
}

#[async_trait]
impl Journal for StoreJournal {
    type Batch = Erasures;

    async fn load(&self) -> Result<Option<EpochState>, BoxError> {
        let bytes = self.store.get(&Key::Epoch)?;
        Ok(bytes.map(|bytes| EpochState::decode(&bytes)).transpose()?)
    }

    async fn save(&self, state: &EpochState) -> Result<(), BoxError> {
        // Whoever comes to claim has found the committed root, and that nobody else has claimed it since.
        self.store.begin_mirroring()?;
        let mut change = Change::new().starting();
        change.put(Key::Statements, self.statements.lock().encode()?);
        self.write_state(change, state).await?;
        // A claim that no mirror knows would fence out a restore. But a vault must start without its mirrors, too.
        let mirrored = self.store.mirrored_within(self.committed.load(Ordering::Acquire), CLAIM);
        if let Err(fault) = mirrored.await {
            tracing::warn!(%fault, "a claim of the root store is not mirrored yet");
        }
        Ok(())
    }

    async fn commit(&self, commit: Commit<'_>, batch: &Erasures) -> Result<(), BoxError> {
        let now = Timestamp::now();
        let mut change = Change::new().erasing();
        for page in &commit.rewrite.put {
            change.put(Key::Page(page.address), page.bytes.clone());
        }
        let (from, to) = (commit.from.number, commit.to.number);
        let from_root = log::EpochRoot::from_bytes(*commit.from.root.as_bytes());
        let to_root = log::EpochRoot::from_bytes(*commit.to.root.as_bytes());
        let erased = |receipt, scope, slots| {
            Event::ErasureCommitted(ErasureCommitted { from, to, from_root, to_root, receipt, scope, slots })
        };
        for Accepted { tree, receipt, task, slots, accepted_at } in &batch.accepted {
            let (tree, receipt, accepted_at) = (*tree, *receipt, accepted_at.millis());
            let id = log::ReceiptId::from_bytes(*receipt.as_bytes());
            let event = match task {
                Task::Erase(scope) => erased(id, *scope, slots.len() as u64),
                Task::Rotate => {
                    let vault = slots.iter().any(|slot| *slot == SlotRef::default());
                    let scope = if vault { Rotated::Vault } else { Rotated::Tenant };
                    Event::KeysRotated(KeysRotated { from, to, from_root, to_root, receipt: id, scope })
                }
            };
            let entry = audit::by_the_vault("epoch.commit", now)?.event(event);
            let leaves_epoch = commit.from.number;
            change.delete(Key::Intent { tree, receipt });
            change.log_at(TreeId::VAULT, entry, move |leaf| {
                let committed = Some(CommittedErasure { leaf, leaves_epoch });
                let record = ReceiptRecord { accepted_at, committed };
                Row::Put(Key::Receipt { tree, receipt }, receipt_row(&record))
            });
        }
        if batch.burnt > 0 {
            let entry = audit::by_the_vault("epoch.commit", now)?;
            let nobody = log::ReceiptId::generate()?;
            change.log(TreeId::VAULT, entry.event(erased(nobody, Scope::Burnt, batch.burnt)));
        }
        if let Some((key, value)) = &batch.told {
            change.put(key.clone(), value.clone());
        }
        self.write_state(change, commit.state).await
    }

    async fn publish(&self, _state: &EpochState, view: &View) -> Result<(), BoxError> {
        self.store.mirrored(self.committed.load(Ordering::Acquire)).await?;
        let keys = self.keys.get().ok_or("the keyring is not there yet")?;
        if keys.view().epoch() != view.epoch() {
            let old = keys.replace(view.clone());
            self.leaving.lock().push(old);
        }
        let patience = Instant::now() + DRAIN;
        let mut spins = 100;
        loop {
            {
                let mut leaving = self.leaving.lock();
                leaving.retain(|old| !old.is_gone());
                if leaving.is_empty() {
                    return Ok(());
                }
            }
            if Instant::now() > patience {
                return Err("a reader of the old epoch does not end".into());
            }
            // Most readers are gone within microseconds; a timer's tick is a hundred times that.
            match spins {
                0 => tokio::time::sleep(Duration::from_micros(200)).await,
                _ => {
                    spins -= 1;
                    std::thread::yield_now();
                }
            }
        }
    }

    async fn destroyed(&self, destruction: Destruction<'_>) -> Result<(), BoxError> {
        let retired = destruction.retired;
        let number = retired.number;
        let mut change = Change::new().erasing();
        for page in &retired.pages {
            change.delete(Key::Page(*page));
        }
        // Receipts of erasures that the tenant had asked for: they are committed by now, and nobody is left to read them.
        for tree in &retired.trees {
            change.delete_tree(RowKind::Page, *tree).delete_tree(RowKind::Receipt, *tree);
        }
        let medium = {
            let mut statements = self.statements.lock();
            statements.add(&destruction.evidence.medium);
            change.put(Key::Statements, statements.encode()?);
            statements.iter().map(audit::token).collect::<Result<_, _>>()?
        };
        let event = Event::EpochDestroyed(EpochDestroyed {
            epoch: number,
            root: log::EpochRoot::from_bytes(*retired.root.as_bytes()),
            store: audit::token(destruction.evidence.store.as_str())?,
            replicas: destruction.evidence.replicas.into(),
            found: if destruction.evidence.was_absent { Found::Absent } else { Found::Present },
            medium,
        });
        let entry = audit::by_the_vault("epoch.destroy", Timestamp::now())?.event(event);
        change
            .log_at(TreeId::VAULT, entry, move |leaf| Row::Put(Key::EpochEnd { number }, leaf.to_be_bytes().to_vec()));
        self.write_state(change, destruction.state).await
    }
}

/// The row's bytes. A record of two numbers cannot fail to encode.
fn receipt_row(record: &ReceiptRecord) -> Vec<u8> {
    encode("receipt record", record).map(|bytes| bytes.to_vec()).unwrap_or_default()
}
