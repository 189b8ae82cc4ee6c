use lethe_crypto::log::entry::{Entry, EntryError};
use lethe_crypto::secret::AuditKey;
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::consent::record::text;
use crate::error::{Error, Result};
use crate::records::encode;
use crate::store::{Key, RowKind, StoreError};
use crate::subject::unknown;
use crate::vault::Vault;

/// What the log says of a subject, as a JSON array: each entry that bears its pseudonym, with what is sealed in it for the subject.
/// The log is read from its beginning, as nothing else tells whose an entry is.
///
/// # Errors
/// `SubjectNotFound` where its key is gone.
pub(super) fn of(vault: &Vault, tree: TreeId, subject: SlotRef) -> Result<Zeroizing<Vec<u8>>> {
    let origin = vault.origin_of(tree)?;
    let key = AuditKey::derive(&vault.keys.slot(tree, subject)?.ok_or_else(unknown)?);
    let corrupt = |index: u64| move |_: EntryError| StoreError::corrupt("log entry", format!("{index} of {tree}"));
    let mut told = Vec::new();
    vault.store.scan(RowKind::LogEntry, &Key::prefix_of_tree(RowKind::LogEntry, tree), |at, line| {
        let Key::LogEntry { index, .. } = at else { return Ok(()) };
        let entry = Entry::decode(line).map_err(corrupt(index))?;
        if entry.belongs_to(&origin, index, &key) {
            let details = entry.unseal(&origin, index, &key).map_err(corrupt(index))?;
            told.push(tell(index, &entry, details.as_ref().map(|details| details.as_slice())));
        }
        Ok::<_, Error>(())
    })?;
    // Who is forgotten meanwhile is handed to nobody.
    vault.keys.slot(tree, subject)?.ok_or_else(unknown)?;
    Ok(encode("history", &told)?)
}

fn tell(index: u64, entry: &Entry, details: Option<&[u8]>) -> Value {
    let time = Timestamp::from_millis(i64::try_from(entry.time).unwrap_or(i64::MAX));
    json!({
        "index": index,
        "time": text(time),
        "operation": entry.operation.as_str(),
        "purpose": entry.purpose.as_ref().map(|purpose| purpose.as_str()),
        "lawful_basis": entry.basis.as_ref().map(|basis| basis.as_str()),
        "policy_version": entry.policy,
        "outcome": entry.outcome.as_str(),
        "reason": entry.reason.as_ref().map(|reason| reason.as_str()),
        "details": details.and_then(|details| serde_json::from_slice::<Value>(details).ok()),
    })
}
