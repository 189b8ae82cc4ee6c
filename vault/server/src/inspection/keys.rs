//! What the roots open. Plaintexts are wiped as soon as it is known that they open; of none is anything told but a
//! tenant's id.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lethe_crypto::epoch::{Epoch, EpochState};
use lethe_crypto::root::RootId;
use lethe_crypto::secret::VaultKey;
use lethe_crypto::tree::{PageAddress, PageCache, TreeId, View};
use rayon::prelude::*;

use super::InspectError;
use super::census::{meaning, name, name_of};
use super::report::{Damage, FolderKind, HeldPart, Inspection, PagePart, ReachPart, RootsPart};
use crate::config::{Config, Files, StoreKind};
use crate::error::causes;
use crate::keyring::{Keyring, tree_of};
use crate::opening::OpenError;
use crate::records::{ProfileRecord, TenantRecord, decode};
use crate::root_stores::{self, Reader};
use crate::store::{Evidence, Key, ProfileNumber, RowKind, Seen};

/// Leaf pages that are kept while rows are tried.
const LEAF_PAGES: usize = 4096;

/// Rows that are tried together.
const CHUNK: usize = 4096;

/// Kinds of sealed rows: profiles before what is sealed under their names.
const SEALED: [RowKind; 21] = [
    RowKind::Tenant,
    RowKind::Credential,
    RowKind::Profile,
    RowKind::TenantRequest,
    RowKind::LogKey,
    RowKind::Subject,
    RowKind::Template,
    RowKind::Sketch,
    RowKind::SubjectRequest,
    RowKind::Dossier,
    RowKind::Watchlist,
    RowKind::SigningKey,
    RowKind::WatchlistEntry,
    RowKind::Listed,
    RowKind::Evidence,
    RowKind::Request,
    RowKind::Notification,
    RowKind::Asked,
    RowKind::Proposal,
    RowKind::Disclosure,
    RowKind::Case,
];

/// Asks the root stores of the configuration, and tries every page and every sealed row.
pub(super) async fn try_roots(
    config: &Config,
    evidence: &Evidence,
    inspection: &mut Inspection,
) -> Result<(), InspectError> {
    let stores = open_stores(config)?;
    let mut part = RootsPart { stores: stores.iter().map(|(kind, _)| kind.name()).collect(), ..RootsPart::default() };
    let state = evidence.get(&Key::Epoch).ok().flatten().and_then(|bytes| EpochState::decode(&bytes).ok());
    let explain = |fault| InspectError::from(root_stores::explain(config, fault));
    let mut held = BTreeSet::new();
    for (_, store) in &stores {
        held.extend(store.epochs().await.map_err(explain)?);
        let claim = store.claimed().await.map_err(explain)?;
        part.claimed |= state.as_ref().zip(claim).is_some_and(|(state, claim)| {
            let last = [Some(state.incarnation), state.claiming].contains(&Some(claim.incarnation));
            claim.vault == state.vault && last
        });
    }
    let key = match state.as_ref().and_then(|state| state.current.as_ref().map(|epoch| (state, epoch))) {
        Some((state, epoch)) => unwrap(&stores, state, epoch).await,
        None => Err("the database names no epoch".to_owned()),
    };
    let current = state.as_ref().and_then(|state| state.current.as_ref());
    let mut reached = BTreeSet::new();
    match (key, current) {
        (Ok(key), Some(epoch)) => {
            part.opens = true;
            let view = View::new(&key, epoch.number, Arc::new(PageCache::new(LEAF_PAGES)));
            drop(key);
            tokio::task::block_in_place(|| {
                reached = survey(evidence, &view, inspection, &mut part);
                try_rows(evidence, view, inspection, &mut part);
            });
        }
        (Err(fault), _) => part.fault = Some(fault),
        (Ok(_), None) => {}
    }
    let reached = part.opens.then_some(&reached);
    part.held = held.iter().map(|root| standing(*root, state.as_ref(), reached)).collect();
    inspection.sound = inspection.damage.is_empty() && part.opens;
    inspection.roots = Some(part);
    Ok(())
}

/// The store that has the roots, and the one that the vault moves from, if it does.
fn open_stores(config: &Config) -> Result<Vec<(StoreKind, Reader)>, OpenError> {
    let mut wanted = vec![(config.root.store, config.files())];
    wanted.extend(config.root.from.map(|from| (from, config.files_before())));
    let is_there = |(kind, files): &(StoreKind, Files<'_>)| {
        *kind != StoreKind::File || files.replicas.iter().any(|replica| replica.exists())
    };
    // A move that has not begun has only the old store, and one that has ended only the new.
    if wanted.len() > 1 && wanted.iter().any(is_there) {
        wanted.retain(is_there);
    }
    tokio::task::block_in_place(|| {
        let mut stores = Vec::new();
        for (kind, files) in wanted {
            stores.push((kind, Reader::open(config, kind, &files)?));
        }
        Ok(stores)
    })
}

async fn unwrap(stores: &[(StoreKind, Reader)], state: &EpochState, epoch: &Epoch) -> Result<VaultKey, String> {
    let context = epoch.wrapping_context(&state.vault);
    let mut faults = Vec::new();
    for (kind, store) in stores {
        match store.unwrap(epoch.root, &epoch.wrapped, &context).await {
            Ok(key) => return Ok(key),
            Err(fault) => faults.push(format!("{}: {}", kind.name(), causes(&fault))),
        }
    }
    Err(faults.join("; "))
}

/// What a root is good for. Only the current epoch's key is in the database, so only of its root is it known where it leads.
fn standing(root: RootId, state: Option<&EpochState>, reached: Option<&BTreeSet<PageAddress>>) -> HeldPart {
    let is = |epoch: Option<RootId>| epoch == Some(root);
    let part = |epoch, untold| HeldPart {
        root: root.to_string(),
        epoch,
        pages: None,
        untold: Some(untold),
        reach: Vec::new(),
    };
    if is(state.and_then(|state| state.retiring.as_ref().map(|epoch| epoch.root))) {
        return part(
            "retiring",
            "the key that it wraps is not in this database any more. Older images have it: with one of them, it opens the \
             superseded pages, and those of today that are older than this epoch",
        );
    }
    if !is(state.and_then(|state| state.current.as_ref().map(|epoch| epoch.root))) {
        return part(
            "unknown",
            "no key in this database is wrapped by it. If it is from this vault's past, older images have such a key",
        );
    }
    match reached {
        None => part("current", "it does not open the key tree"),
        Some(reached) => HeldPart {
            pages: Some(reached.len() as u64),
            untold: None,
            reach: by_level(reached),
            ..part("current", "")
        },
    }
}

/// Pages by tree, from the head page down.
fn by_level(pages: &BTreeSet<PageAddress>) -> Vec<ReachPart> {
    let mut levels: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for page in pages {
        let (height, level, index) = page.position();
        let pages = levels.entry((page.tree(), height, Reverse(level))).or_default();
        pages.push(PagePart { index, epoch: page.epoch() });
    }
    let part = |((tree, height, Reverse(level)), pages)| ReachPart { tree: name(tree), height, level, pages };
    levels.into_iter().map(part).collect()
}

/// Which pages can be reached.
fn survey(
    evidence: &Evidence,
    view: &View,
    inspection: &mut Inspection,
    part: &mut RootsPart,
) -> BTreeSet<PageAddress> {
    let survey = view.survey(evidence.store().pages());
    let reached: BTreeSet<PageAddress> = survey.open.into_iter().collect();
    part.pages_reachable = reached.len() as u64;
    for (address, fault) in survey.closed {
        inspection.damage.push(damage(&Key::Page(address), &causes(&fault)));
    }
    evidence.scan(RowKind::Page, |seen| {
        if let Seen::Row(Key::Page(address), _) = seen {
            part.pages += 1;
            part.pages_left_over += u64::from(!reached.contains(&address));
        }
    });
    reached
}

/// What became of a row.
enum Tried {
    Opens,
    Erased,
    Damaged(Damage),
}

/// Tries every sealed row.
fn try_rows(evidence: &Evidence, view: View, inspection: &mut Inspection, part: &mut RootsPart) {
    let keys = Keyring::new(Arc::clone(evidence.store()), view);
    let mut models = HashMap::new();
    let mut tenants = BTreeMap::new();
    // In a vault that serves, rows go with the intent that takes their keys.
    let expected = inspection.kind != FolderKind::Vault || inspection.restoring.is_some();
    for kind in SEALED {
        let mut chunk: Vec<(Key, Vec<u8>)> = Vec::new();
        let mut done = |chunk: &mut Vec<(Key, Vec<u8>)>| {
            let tried: Vec<_> = chunk.par_drain(..).map(|(key, value)| attempt(&keys, &models, key, &value)).collect();
            for (key, tried) in tried {
                match tried {
                    Tried::Opens => part.rows_open += 1,
                    Tried::Erased => {
                        part.rows_erased += 1;
                        if !expected {
                            inspection.damage.push(damage(&key, "the row is there, and its key is not"));
                        }
                    }
                    Tried::Damaged(damage) => {
                        part.rows_damaged += 1;
                        inspection.damage.push(damage);
                    }
                }
            }
        };
        let mut small = Vec::new();
        evidence.scan(kind, |seen| {
            if let Seen::Row(key, value) = seen {
                if [RowKind::Tenant, RowKind::Profile].contains(&kind) {
                    small.push((key.clone(), value.to_vec()));
                }
                chunk.push((key, value.to_vec()));
                if chunk.len() == CHUNK {
                    done(&mut chunk);
                }
            }
        });
        done(&mut chunk);
        for (key, value) in small {
            learn(&keys, &key, &value, &mut models, &mut tenants);
        }
    }
    for tree in &mut inspection.trees {
        tree.tenant = tenants.remove(&tree.tree);
    }
}

type Models = HashMap<(TreeId, ProfileNumber), String>;

fn attempt(keys: &Keyring, models: &Models, key: Key, value: &[u8]) -> (Key, Tried) {
    let model = if let Key::Template { tree, profile, .. } | Key::Sketch { tree, profile, .. } = &key {
        models.get(&(*tree, *profile)).map(String::as_str)
    } else {
        Some("")
    };
    let tried = match model.map(|model| keys.open(&key, model, value)) {
        // Wiped here.
        Some(Ok(Some(_))) => Tried::Opens,
        Some(Ok(None)) => Tried::Erased,
        Some(Err(fault)) => Tried::Damaged(damage(&key, &causes(&fault))),
        None => Tried::Damaged(damage(&key, "its model has no profile that opens, so it cannot be tried")),
    };
    (key, tried)
}

/// Takes in what other rows need: names of models; and a tenant's id, which is all that is told of any plaintext.
fn learn(keys: &Keyring, key: &Key, value: &[u8], models: &mut Models, tenants: &mut BTreeMap<String, String>) {
    let Ok(Some(opened)) = keys.open(key, "", value) else { return };
    if let Key::Profile { tree, number } = key
        && let Ok(profile) = decode::<ProfileRecord>("profile record", &opened).and_then(|record| record.parse())
    {
        models.insert((*tree, *number), profile.model().to_string());
    }
    if let Key::Tenant { tenant } = key
        && let Ok((id, ..)) = decode::<TenantRecord>("tenant record", &opened).and_then(|record| record.parse())
        && let Ok(tree) = tree_of(*tenant)
    {
        tenants.insert(name(tree), id.as_str().to_owned());
    }
}

fn damage(key: &Key, fault: &str) -> Damage {
    Damage {
        row: Some(hex::encode(key.encode())),
        kind: Some(name_of(key.kind())),
        fault: fault.to_owned(),
        meaning: meaning(key.kind()).to_owned(),
    }
}
