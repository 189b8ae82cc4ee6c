use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::merkle::{Frontier, Hash, prove_consistency, prove_inclusion};
use lethe_crypto::log::note::{Seed, SigningKey, VerifierKey};
use lethe_crypto::log::text::Origin;
use lethe_crypto::tree::TreeId;
use lethe_domain::Reason;

use super::succession::reigns;
use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::store::{Change, Key, LogHead, Store, StoreError};
use crate::vault::Vault;

/// How often a log and its key are read before they are two of one time: two persons do not agree as often meanwhile.
const TRIES: usize = 8;

/// A log's signed size and root hash, and the key that verifies it.
pub struct SignedCheckpoint {
    /// Entries covered.
    pub size: u64,
    /// The signed note (C2SP tlog-checkpoint).
    pub note: String,
    /// Who signed.
    pub verifier: VerifierKey,
}

/// An entry, and that a tree holds it.
pub struct LogProof {
    /// Entries of the tree the proof leads to.
    pub size: u64,
    /// Sibling hashes from the leaf up (RFC 6962).
    pub hashes: Vec<Hash>,
    /// The entry's bytes.
    pub entry: Vec<u8>,
}

/// Opens the log of a tree, with a signing key of its own: its rows go into `change`.
pub(crate) fn create_log(keys: &Keyring, tree: TreeId, origin: Origin, change: &mut Change) -> Result<()> {
    let seed = Seed::generate().map_err(|_| Error::TaskLost)?;
    let key = Key::LogKey { tree };
    let sealed = keys.seal(&key, "", seed.expose())?;
    change.put(key, sealed).open_log(tree, origin);
    Ok(())
}

/// Signs the log of a tree as it is now, once it is synced and in every mirror: a signed tree is never lost, so the log
/// never forks. The key is the one whose time it is for a tree of that size.
pub async fn checkpoint(vault: &Vault, tree: TreeId) -> Result<SignedCheckpoint> {
    let (log, signing) = reigning(vault, tree)?;
    let sequence = vault.store.barrier().await?;
    vault.store.mirrored(sequence).await?;
    let frontier = Frontier::from_nodes(log.size, &vault.store.nodes(tree)).map_err(StoreError::from)?;
    let checkpoint = Checkpoint { origin: log.origin.clone(), size: log.size, root: frontier.root() };
    let note = checkpoint.sign(&signing).map_err(|fault| StoreError::corrupt("checkpoint", fault.to_string()))?;
    Ok(SignedCheckpoint { size: log.size, note, verifier: signing.verifier().clone() })
}

/// A log as it is, and the key whose time it is.
pub(super) fn reigning(vault: &Vault, tree: TreeId) -> Result<(LogHead, SigningKey)> {
    for _ in 0..TRIES {
        let log = log_of(vault, tree)?;
        // Read after the log's size, so that a key that was retired never signs a tree that has its succession; and where
        // there was one in between, the size is read again, so that the new key never signs a tree that has it not.
        let signing = signing_key(vault, tree, log.origin.clone())?;
        if reigns(vault, tree, signing.verifier(), log.size)? {
            return Ok((log, signing));
        }
    }
    Err(StoreError::corrupt("log succession", format!("of {tree}: it is of more entries than there are")).into())
}

/// Gives entry `index` of a log and its proof in the tree of the first `size` entries (0: all).
pub fn prove(vault: &Vault, tree: TreeId, index: u64, size: u64) -> Result<LogProof> {
    let log = log_of(vault, tree)?;
    let size = if size == 0 { log.size } else { size };
    if size > log.size {
        return Err(Error::NotFound(Reason::LogNotFound, format!("the log has {} entries", log.size)));
    }
    if index >= size {
        return Err(Error::NotFound(Reason::LogNotFound, format!("no leaf {index} in the first {size} entries")));
    }
    let entry = vault.store.get(&Key::LogEntry { tree, index })?;
    let entry = entry.ok_or_else(|| StoreError::corrupt("log", format!("entry {index} is missing")))?;
    let hashes = prove_inclusion(&vault.store.nodes(tree), index, size).map_err(StoreError::from)?;
    Ok(LogProof { size, hashes, entry })
}

/// Proves that the tree of the first `new` entries of a log (0: all) begins with that of the first `old`; with the size of the
/// larger one.
pub fn prove_growth(vault: &Vault, tree: TreeId, old: u64, new: u64) -> Result<(u64, Vec<Hash>)> {
    let log = log_of(vault, tree)?;
    let new = if new == 0 { log.size } else { new };
    if new > log.size || old > new {
        let message = format!("no tree of {old} entries in one of {new}: the log has {} entries", log.size);
        return Err(Error::NotFound(Reason::LogNotFound, message));
    }
    let hashes = prove_consistency(&vault.store.nodes(tree), old, new).map_err(StoreError::from)?;
    Ok((new, hashes))
}

/// The size and name of a tree's log.
pub fn log_of(vault: &Vault, tree: TreeId) -> Result<LogHead> {
    head(&vault.store, tree)
}

fn head(store: &Store, tree: TreeId) -> Result<LogHead> {
    let bytes = store.get(&Key::LogHead { tree })?;
    let bytes = bytes.ok_or_else(|| StoreError::corrupt("log head", format!("of {tree} is missing")))?;
    Ok(LogHead::decode(&bytes)?)
}

fn signing_key(vault: &Vault, tree: TreeId, origin: Origin) -> Result<SigningKey> {
    let key = Key::LogKey { tree };
    let missing = || StoreError::corrupt("log key", format!("of {tree}"));
    let sealed = vault.store.get(&key)?.ok_or_else(missing)?;
    let opened = vault.keys.open(&key, "", &sealed)?.ok_or_else(missing)?;
    let seed = Seed::from_slice(&opened).map_err(|_| missing())?;
    SigningKey::from_seed(origin, &seed).map_err(|_| missing().into())
}
