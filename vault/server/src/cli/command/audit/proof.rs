//! A log's signed state and its proofs, checked before they are shown.

use clap::Args;
use lethe_crypto::log::checkpoint::Checkpoint as Head;
use lethe_crypto::log::merkle::{Hash, verify_inclusion};
use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::succession::{Keys, Signer};
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
    let Newest { checkpoint, head, signer } = newest(context, &client, &name, pinned.as_ref()).await?;
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
    let Newest { checkpoint, head, signer } = newest(context, &client, &name, pinned.as_ref()).await?;
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
}

/// The newest checkpoint, its signature verified; where the key that is kept was succeeded, by what leads from it to today's.
pub(super) async fn newest(
    context: &Context,
    client: &Client,
    log: &str,
    pinned: Option<&VerifierKey>,
) -> Result<Newest, Failure> {
    let purpose = context.connection.purpose(Purpose::Audit);
    let request = GetCheckpointRequest { log: log.to_owned(), purpose };
    let checkpoint = client.audit().get_checkpoint(request).await?.into_inner();
    let named: VerifierKey = checkpoint
        .verifier_key
        .parse()
        .map_err(|error| not_genuine(format!("the verifier key is refused: {error}")))?;
    let keys = match pinned {
        Some(kept) if *kept != named => {
            let successions = successions(context, client, log).await?;
            Keys::follow(kept, &successions).map_err(|error| not_genuine(error.to_string()))?
        }
        Some(_) | None => Keys::of(named),
    };
    let (head, signer) = keys.open(checkpoint.note.as_bytes()).map_err(|error| not_genuine(error.to_string()))?;
    if i64::try_from(head.size) != Ok(checkpoint.tree_size) {
        return Err(not_genuine("the answer and its signed note disagree on the size".into()));
    }
    Ok(Newest { checkpoint, head, signer })
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
