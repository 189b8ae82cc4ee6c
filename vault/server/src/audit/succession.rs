//! How the key of a log is succeeded by another one (O31): proposed by one person, done when another approves, in one change
//! with the entry that says so and the checkpoint that both keys sign.

use std::sync::Arc;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::entry::{Event, LogKeyRotated};
use lethe_crypto::log::merkle::prove_inclusion;
use lethe_crypto::log::note::{Seed, SigningKey, VerifierKey};
use lethe_crypto::log::succession::{self, Succession};
use lethe_crypto::log::text::Origin;
use lethe_crypto::tag::tag;
use lethe_crypto::tree::TreeId;
use lethe_domain::{ProposalId, Reason, RequestId, Standing, Timestamp};
use lethe_policy::operation::{Kind, ListKeySuccessions, ProposeKeyRotation, ProposeVaultKeyRotation};
use lethe_policy::{Approved, Authorized, Deed};

use super::proof::reigning;
use super::{done, naming, telling, token};
use crate::approval::{self, Facts, Whose};
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::records::{Content, StoredProposal};
use crate::store::{Change, Key, Row, RowKind, StoreError};
use crate::vault::Vault;

/// An operation that proposes a rotation.
pub trait Rotates: Kind {}
impl Rotates for ProposeKeyRotation {}
impl Rotates for ProposeVaultKeyRotation {}

/// Proposes that the key of a log is succeeded by another one. Its id derives from the request, so that a repeat finds it. Where a
/// proposal about the same key is open, that one is given: nobody fills a log's proposals with one wish.
///
/// # Errors
/// `RecordsLimited`; `Corrupt` if the log's key is not there.
pub async fn propose_rotation<O: Rotates>(vault: &Vault, call: Authorized<O>, request: RequestId) -> Result<Facts> {
    let now = vault.clock.now();
    let whose = Whose::of(vault, &call)?;
    let tree = whose.tree;
    let _alone = whose.lock(vault).await;
    let id = ProposalId::from_bytes(tag(&vault.keys.own(tree)?, "log_key_rotation", request.as_bytes()));
    // There is nothing else that a repeat could say.
    if let Some(stored) = approval::find(vault, tree, id)? {
        vault.note(tree, &call).await?;
        return Ok(Facts { stored, about: None });
    }
    if notes(vault, tree)?.len() >= succession::MOST {
        let message = format!("the key of this log was succeeded {} times, and no reader takes more", succession::MOST);
        return Err(Error::Precondition(Reason::RecordsLimited, message));
    }
    let retires = verifier_key(vault, tree)?;
    let digest = rotation_digest(tree, &retires);
    let is_open = |stored: &StoredProposal| {
        let proposal = &stored.proposal;
        // One whose proposer is gone cannot be approved any more.
        let is_alive = approval::party(vault, proposal.proposer).is_some_and(|proposer| !proposer.is_over(now));
        proposal.digest == digest && proposal.standing == Standing::Open && !proposal.is_expired(now) && is_alive
    };
    if let Some(stored) = approval::all(vault, tree)?.into_iter().find(is_open) {
        vault.note(tree, &call).await?;
        return Ok(Facts { stored, about: None });
    }
    let mut change = Change::new();
    approval::make_room(vault, tree, now, &mut change)?;
    let content = match whose.silo {
        None => Content::VaultLogKey(retires.to_string()),
        Some(_) => Content::LogKey(retires.to_string()),
    };
    let stored = approval::propose(vault, &call, id, digest, content, now);
    approval::put(vault, tree, &stored, &mut change)?;
    change.log(tree, naming(done(&call, now)?, "LOG_KEY_ROTATION_PROPOSED", "proposal", &id.to_string())?);
    vault.store.commit(change).await?;
    Ok(Facts { stored, about: None })
}

/// SHA-256 of what a rotation consists of: which key of which log it retires.
pub(crate) fn rotation_digest(tree: TreeId, retires: &VerifierKey) -> [u8; 32] {
    Fingerprint::of("log_key_rotation").with(&tree.encode()).with(retires.to_string().as_bytes()).digest()
}

/// The key that verifies what a log signs today.
pub(crate) fn verifier_key(vault: &Vault, tree: TreeId) -> Result<VerifierKey> {
    Ok(reigning(vault, tree)?.1.verifier().clone())
}

/// Puts a new key in the place of a log's, as two persons agreed. All of it is one change: the new seed over the old one, the
/// entry that names both keys, the checkpoint of the tree that ends with it, signed by both while the change takes its place,
/// and the proposal, carried out. Gives the proposal, which may be told once every mirror has it.
///
/// # Errors
/// `Corrupt` if the key is not there; then nothing is changed.
pub(crate) async fn succeed_key<O: Kind, D: Deed>(
    vault: &Vault,
    tree: TreeId,
    call: &Authorized<O>,
    approved: Approved<D>,
    content: Content,
    now: Timestamp,
) -> Result<StoredProposal> {
    let (log, old) = reigning(vault, tree)?;
    let stored = StoredProposal { proposal: approved.used(now), content };
    let mut change = Change::new();
    let new = put_new_key(vault, tree, &log.origin, old.verifier(), &mut change)?;
    approval::put(vault, tree, &stored, &mut change)?;
    let (from, to) = (old.verifier().clone(), new.verifier().clone());
    let proposal = stored.proposal.id.to_string();
    if tree != TreeId::VAULT {
        // Another log, of another key, says so, too.
        let (log, to) = (log.origin.to_string(), to.to_string());
        let fields = [("proposal", proposal.as_str()), ("log", log.as_str()), ("to", to.as_str())];
        change.log(TreeId::VAULT, telling(done(call, now)?, "TENANT_LOG_KEY_ROTATED", &fields)?);
    }
    let rotation = LogKeyRotated { from, to, proposal: token(&proposal)? };
    change.log(tree, done(call, now)?.event(Event::LogKeyRotated(rotation)));
    change.succeed_log(tree, move |end| {
        let checkpoint = Checkpoint { origin: end.origin, size: end.size, root: end.root };
        let note = Succession::sign(&checkpoint, &old, &new);
        let note = note.map_err(|fault| StoreError::corrupt("log key", fault.to_string()))?;
        Ok(Row::Put(Key::LogSuccession { tree, size: end.size }, note.into_bytes()))
    });
    vault.store.commit(change).await?;
    Ok(stored)
}

/// A key whose id no key of the log has had, sealed into `change` over the one that signs today.
fn put_new_key(
    vault: &Vault,
    tree: TreeId,
    origin: &Origin,
    old: &VerifierKey,
    change: &mut Change,
) -> Result<SigningKey> {
    let mut taken = vec![old.id()];
    taken.extend(read_all(vault, tree)?.iter().flat_map(|each| [each.from().id(), each.to().id()]));
    loop {
        let seed = Seed::generate().map_err(|_| Error::TaskLost)?;
        let fault = |fault: lethe_crypto::log::note::NoteError| StoreError::corrupt("log key", fault.to_string());
        let new = SigningKey::from_seed(origin.clone(), &seed).map_err(fault)?;
        // Of four bytes: once in some billion times there is one like it.
        if !taken.contains(&new.verifier().id()) {
            let key = Key::LogKey { tree };
            let sealed = vault.keys.seal(&key, "", seed.expose())?;
            change.put(key, sealed);
            return Ok(new);
        }
    }
}

/// Lists the successions of a log's key, the oldest first: `size` of them from number `from` on. What is told is synced, and in
/// every mirror: whoever follows a succession will not take the word of the old key again.
///
/// # Errors
/// `Mirror` if one cannot be written now.
pub async fn list_successions(
    vault: &Arc<Vault>,
    call: &Authorized<ListKeySuccessions>,
    tree: TreeId,
    from: u64,
    size: usize,
) -> Result<(Vec<Succession>, Option<u64>)> {
    let (notes, next) = crate::tenant::page(notes(vault, tree)?, from, size);
    let reader = Arc::clone(vault);
    let read = tokio::task::spawn_blocking(move || read(&reader, tree, notes));
    let page = read.await.map_err(|_| Error::TaskLost)??;
    let sequence = vault.store.barrier().await?;
    vault.store.mirrored(sequence).await?;
    vault.note(tree, call).await?;
    Ok((page, next))
}

/// All successions of a log's key that its tree of `size` entries has, the oldest first.
pub(crate) fn successions_within(vault: &Vault, tree: TreeId, size: u64) -> Result<Vec<Succession>> {
    let mut all = read_all(vault, tree)?;
    all.retain(|each| each.checkpoint().size <= size);
    Ok(all)
}

fn read_all(vault: &Vault, tree: TreeId) -> Result<Vec<Succession>> {
    read(vault, tree, notes(vault, tree)?)
}

/// The successions of these checkpoints, each verified.
fn read(vault: &Vault, tree: TreeId, notes: Vec<(u64, String)>) -> Result<Vec<Succession>> {
    let nodes = vault.store.nodes(tree);
    let read = |(size, note): (u64, String)| {
        let corrupt = |why: String| StoreError::corrupt("log succession", format!("of {tree} at {size}: {why}"));
        let index = size.checked_sub(1).ok_or_else(|| corrupt("of no entry".to_owned()))?;
        let entry = vault.store.get(&Key::LogEntry { tree, index })?;
        let entry = entry.ok_or_else(|| corrupt("its entry is missing".to_owned()))?;
        let proof = prove_inclusion(&nodes, index, size).map_err(StoreError::from)?;
        let read = Succession::compose(&entry, proof, note).map_err(|fault| corrupt(fault.to_string()))?;
        if read.checkpoint().size == size { Ok(read) } else { Err(corrupt("it is of another size".to_owned()).into()) }
    };
    notes.into_iter().map(read).collect()
}

/// The checkpoints by which a log's key was succeeded, by the size of their trees.
fn notes(vault: &Vault, tree: TreeId) -> Result<Vec<(u64, String)>> {
    let mut found = Vec::new();
    vault.store.few(RowKind::LogSuccession, &Key::prefix_of_tree(RowKind::LogSuccession, tree), |key, note| {
        if let Key::LogSuccession { size, .. } = key {
            let text = String::from_utf8(note.to_vec());
            let text = text.map_err(|_| StoreError::corrupt("log succession", format!("of {tree} at {size}")))?;
            found.push((size, text));
        }
        Ok::<_, Error>(())
    })?;
    Ok(found)
}

/// Whether `key` is the one whose time it is in a log of `size` entries; not, if there is a succession of more entries by now.
///
/// # Errors
/// `Corrupt` if the newest succession is to another key: what that key signed would be refused by everybody.
pub(super) fn reigns(vault: &Vault, tree: TreeId, key: &VerifierKey, size: u64) -> Result<bool> {
    let Some((since, note)) = notes(vault, tree)?.pop() else { return Ok(true) };
    if since > size {
        return Ok(false);
    }
    match succession::led_to(note.as_bytes(), key) {
        Ok(led) if led == since => Ok(true),
        Ok(_) | Err(_) => {
            Err(StoreError::corrupt("log key", format!("of {tree}: its newest succession is to another key")).into())
        }
    }
}
