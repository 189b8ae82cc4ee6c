//! A log's signed state and its proofs, checked before they are shown.

use clap::Args;
use lethe_crypto::log::checkpoint::Checkpoint as Head;
use lethe_crypto::log::merkle::{Hash, verify_inclusion};
use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::succession::{Keys, Signer, Succession};
use lethe_proto::names::LogName;
use lethe_proto::v1::{Checkpoint, GetCheckpointRequest, GetInclusionProofRequest, Purpose};
use serde_json::json;

use super::keys::successions;
use crate::cli::client::Client;
use crate::cli::command::Context;
use crate::cli::command::receipt::verifier_key;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Card;

/// Whose log.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The vault's own log, which receipts are proved from, instead of the tenant's.
    #[arg(long)]
    vault: bool,
}

impl Which {
    pub(super) fn name(&self, context: &Context) -> Result<String, Failure> {
        match self.vault {
            true => Ok(LogName::Vault.to_string()),
            false => Ok(LogName::Tenant(context.connection.tenant()?).to_string()),
        }
    }
}

/// The key that a log's checkpoints are verified by.
#[derive(Debug, Args)]
pub(crate) struct Pin {
    /// The log's verifier key, or a file that holds it, as you keep it. Without it the key is taken
    /// from the server, which proves nothing about who the server is.
    #[arg(long, value_name = "KEY|FILE")]
    verifier: Option<String>,
}

impl Pin {
    pub(super) fn key(&self) -> Result<Option<VerifierKey>, Failure> {
        self.verifier.as_deref().map(verifier_key).transpose()
    }
}

pub(super) async fn checkpoint(context: &Context, log: &Which, pin: &Pin) -> Result<Exit, Failure> {
    let (name, pinned) = (log.name(context)?, pin.key()?);
    let client = context.connection.open().await?;
    let Newest { checkpoint, head, signer, .. } = newest(context, &client, &name, pinned.as_ref(), None).await?;
    let json = json!({
        "log": checkpoint.log,
        "tree_size": checkpoint.tree_size,
        "root": head.root.to_string(),
        "note": checkpoint.note,
        "verifier_key": checkpoint.verifier_key,
        "pinned": pinned.is_some(),
        "signed_by": pinned.is_some().then(|| signer.code()),
    });
    let card = Card::new(&checkpoint.log)
        .row("entries", checkpoint.tree_size)
        .row("root", head.root)
        .row("verifier key", &checkpoint.verifier_key)
        .row("signature", trust(pinned.is_some(), signer));
    context.out.result(&json, &card)?;
    context.out.text(&format!("\n{}", checkpoint.note.trim_end()))?;
    Ok(Exit::Done)
}

pub(super) async fn proof(context: &Context, index: i64, log: &Which, pin: &Pin) -> Result<Exit, Failure> {
    let (name, pinned) = (log.name(context)?, pin.key()?);
    let client = context.connection.open().await?;
    let Newest { checkpoint, head, signer, .. } = newest(context, &client, &name, pinned.as_ref(), None).await?;
    let purpose = context.connection.purpose(Purpose::Audit);
    let request = GetInclusionProofRequest { log: name, purpose, leaf_index: index, tree_size: checkpoint.tree_size };
    let proof = client.audit().get_inclusion_proof(request).await?.into_inner();
    let hashes = check(&proof.entry, index, &head, &proof.hashes)?;
    let entry = String::from_utf8_lossy(&proof.entry);
    let json = json!({
        "log": proof.log,
        "leaf_index": index,
        "tree_size": checkpoint.tree_size,
        "root": head.root.to_string(),
        "hashes": hashes,
        "entry": entry,
        "pinned": pinned.is_some(),
        "signed_by": pinned.is_some().then(|| signer.code()),
    });
    let card = Card::new(format!("{}, entry {index}", proof.log))
        .row("entry", &entry)
        .row("proof", format!("{} hashes lead to the root of the checkpoint", hashes.len()))
        .row("entries", checkpoint.tree_size)
        .row("root", head.root)
        .row("signature", trust(pinned.is_some(), signer));
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

pub(super) const fn trust(pinned: bool, signer: Signer) -> &'static str {
    match (pinned, signer) {
        (true, signer) => by(signer),
        (false, _) => "by the key the server names; keep that key and give it with --verifier",
    }
}

/// Who signed, for somebody who keeps a key of the log.
pub(in crate::cli::command) const fn by(signer: Signer) -> &'static str {
    match signer {
        Signer::Kept => "by the key you keep",
        Signer::Successor => "by the successor of the key you keep; keep the new one from now on",
        Signer::Predecessor => "by a predecessor of the key you keep: worth what that key was then",
    }
}

/// A log as it is now.
pub(super) struct Newest {
    /// As the server gave it.
    pub(super) checkpoint: Checkpoint,
    /// What was signed.
    pub(super) head: Head,
    /// How who signed stands to the key that is kept.
    pub(super) signer: Signer,
    /// The successions of its key, if they were asked for.
    pub(super) successions: Vec<Succession>,
}

/// The newest checkpoint, its signature verified by the key whose time it is. Where a key is kept, whatever key the server names,
/// the successions are asked for and followed from that one: a server that names a retired key does not get around them. They are
/// asked for, too, where some are `known` already, which they have to begin with.
pub(super) async fn newest(
    context: &Context,
    client: &Client,
    log: &str,
    pinned: Option<&VerifierKey>,
    known: Option<&[Succession]>,
) -> Result<Newest, Failure> {
    let purpose = context.connection.purpose(Purpose::Audit);
    let request = GetCheckpointRequest { log: log.to_owned(), purpose };
    let checkpoint = client.audit().get_checkpoint(request).await?.into_inner();
    let successions = match (pinned, known) {
        (None, None) => Vec::new(),
        _ => successions(context, client, log).await?,
    };
    judged(checkpoint, pinned, known.unwrap_or_default(), successions)
}

/// What a server says is newest, if it is genuine.
fn judged(
    checkpoint: Checkpoint,
    pinned: Option<&VerifierKey>,
    known: &[Succession],
    successions: Vec<Succession>,
) -> Result<Newest, Failure> {
    let named: VerifierKey = checkpoint
        .verifier_key
        .parse()
        .map_err(|error| not_genuine(format!("the verifier key is refused: {error}")))?;
    if !successions.starts_with(known) {
        return Err(not_genuine(
            "a succession of its key that was copied before is gone, or another one: it was cut or forked".into(),
        ));
    }
    let keys = Keys::follow(pinned.unwrap_or(&named), &successions);
    let keys = keys.map_err(|error| not_genuine(error.to_string()))?;
    let (head, signer) = keys.open(checkpoint.note.as_bytes()).map_err(|error| not_genuine(error.to_string()))?;
    if i64::try_from(head.size) != Ok(checkpoint.tree_size) {
        return Err(not_genuine("the answer and its signed note disagree on the size".into()));
    }
    // What was signed before the kept key was there is older than that key, and so not the newest.
    if signer == Signer::Predecessor {
        return Err(not_genuine(
            "it has fewer entries than the key you keep was given for: it was cut or forked".into(),
        ));
    }
    Ok(Newest { checkpoint, head, signer, successions })
}

/// Verifies an audit path; its hashes in hexadecimal.
fn check(entry: &[u8], index: i64, head: &Head, path: &[Vec<u8>]) -> Result<Vec<String>, Failure> {
    let hashes = hashes(path)?;
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    verify_inclusion(&Hash::leaf(entry), index, head.size, &hashes, &head.root)
        .map_err(|error| not_genuine(error.to_string()))?;
    Ok(hashes.iter().map(ToString::to_string).collect())
}

/// The hashes of a proof.
pub(super) fn hashes(path: &[Vec<u8>]) -> Result<Vec<Hash>, Failure> {
    path.iter()
        .map(|hash| <[u8; 32]>::try_from(hash.as_slice()).map(Hash::from_bytes))
        .collect::<Result<_, _>>()
        .map_err(|_| not_genuine("a hash of the proof has not 32 bytes".into()))
}

pub(super) fn not_genuine(why: String) -> Failure {
    Failure::new(Exit::No, format!("the log is not genuine: {why}"))
}

#[cfg(test)]
mod tests {
    use lethe_crypto::log::entry::{EntryDraft, Event, LogKeyRotated, Outcome};
    use lethe_crypto::log::merkle::Frontier;
    use lethe_crypto::log::note::{Seed, SigningKey};

    use super::*;

    const LOG: &str = "lethe/test/log";

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(LOG.parse().unwrap(), &Seed::from_slice(&[byte; 32]).unwrap()).unwrap()
    }

    /// The first entry of a log is that one key is followed by another.
    fn succession(from: u8, to: u8) -> Succession {
        let (old, new) = (key(from), key(to));
        let (from, to) = (old.verifier().clone(), new.verifier().clone());
        let event = Event::LogKeyRotated(LogKeyRotated { from, to, proposal: "0a0b".parse().unwrap() });
        let draft = EntryDraft::new(1, "approval.approve".parse().unwrap(), Outcome::Allowed).event(event);
        let entry = draft.finish(0, &LOG.parse().unwrap()).unwrap();
        let mut tree = Frontier::new();
        tree.append(entry.leaf());
        let head = Head { origin: LOG.parse().unwrap(), size: 1, root: tree.root() };
        let note = Succession::sign(&head, &old, &new).unwrap();
        Succession::compose(&entry.encode(), Vec::new(), note).unwrap()
    }

    /// A checkpoint of so many entries by a key, which the server names.
    fn checkpoint(by: u8, size: u64) -> Checkpoint {
        let head = Head { origin: LOG.parse().unwrap(), size, root: Hash::leaf(&size.to_be_bytes()) };
        Checkpoint {
            tree_size: size.try_into().unwrap(),
            note: head.sign(&key(by)).unwrap(),
            verifier_key: key(by).verifier().to_string(),
            ..Checkpoint::default()
        }
    }

    #[test]
    fn a_server_that_names_a_retired_key_is_refused() {
        let chain = [succession(1, 2)];
        let (old, new) = (key(1).verifier().clone(), key(2).verifier().clone());
        let judge = |by, size, pinned, known: &[Succession], told: &[Succession]| {
            judged(checkpoint(by, size), pinned, known, told.to_vec()).map(|newest| newest.signer)
        };
        // What is so.
        assert_eq!(judge(2, 5, Some(&old), &[], &chain).unwrap(), Signer::Successor);
        assert_eq!(judge(2, 5, Some(&new), &chain, &chain).unwrap(), Signer::Kept);
        assert_eq!(judge(1, 0, Some(&old), &[], &chain).unwrap(), Signer::Kept);
        assert_eq!(judge(1, 5, Some(&old), &[], &[]).unwrap(), Signer::Kept);
        assert!(judge(1, 5, None, &[], &[]).is_ok());
        // Whoever has the secret of the retired key.
        let why = |by, size, pinned, known: &[Succession], told: &[Succession]| {
            judge(by, size, pinned, known, told).unwrap_err().message
        };
        assert!(why(1, 5, Some(&old), &[], &chain).contains("retired"));
        assert!(why(1, 5, Some(&old), &chain, &chain).contains("retired"));
        assert!(why(1, 5, Some(&old), &chain, &[]).contains("gone"));
        assert!(why(3, 5, Some(&old), &chain, &[succession(1, 3)]).contains("another one"));
        assert!(why(1, 5, None, &chain, &[]).contains("gone"));
        assert!(why(1, 5, Some(&new), &[], &[]).contains("no signature"));
        // An older state of it.
        assert!(why(1, 0, Some(&new), &[], &chain).contains("fewer entries"));
    }
}
