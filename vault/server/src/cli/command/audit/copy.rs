//! Copies of a log: written from a server, verified without one.

use std::path::PathBuf;

use clap::Args;
use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::copy::{self, CHECKPOINT, CopyError, Relation, SUCCESSIONS, Writer};
use lethe_crypto::log::merkle::verify_consistency;
use lethe_crypto::log::note::{NoteError, VerifierKey};
use lethe_crypto::log::succession::{Keys, Succession};
use lethe_proto::v1::{GetConsistencyProofRequest, ListEntriesRequest, Purpose};
use serde_json::{Value, json};

use super::entries::PAGE;
use super::folder::{Folder, VERIFIER_KEY, cannot};
use super::proof::{Newest, Pin, Which, by, hashes, newest, not_genuine, trust};
use crate::cli::client::Client;
use crate::cli::command::Context;
use crate::cli::command::receipt::verifier_key;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output, progress_bar};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The folder: a new one, or one with an earlier copy of the same log.
    folder: PathBuf,

    #[command(flatten)]
    log: Which,

    #[command(flatten)]
    pin: Pin,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The folder of the copy.
    folder: PathBuf,

    /// The log's verifier key, or a file that holds it, as you keep it. Without it the key is the one in the copy, which
    /// proves nothing about who made the copy.
    #[arg(long, value_name = "KEY|FILE")]
    verifier: Option<String>,

    /// What you kept of the log before: the folder of an earlier copy, or the file of a checkpoint alone.
    #[arg(long, value_name = "FOLDER|FILE")]
    earlier: Option<PathBuf>,
}

pub(super) async fn export(context: &Context, export: &Export) -> Result<Exit, Failure> {
    let (log, pinned) = (export.log.name(context)?, export.pin.key()?);
    let (folder, _lock) = Folder::to_write(&export.folder)?;
    let kept = kept(&folder, pinned.as_ref())?;
    let client = context.connection.open().await?;
    let key = pinned.as_ref().or(kept.as_ref().map(|kept| &kept.key));
    let known = kept.as_ref().map_or(&[][..], |kept| &kept.successions);
    let Newest { checkpoint: newest, head, signer, successions } =
        newest(context, &client, &log, key, Some(known)).await?;
    let successions = lines_until(&successions, head.size);
    let had = kept.as_ref().map_or(0, |kept| kept.head.size);
    let mut writer = match &kept {
        None => {
            folder.write(VERIFIER_KEY, format!("{}\n", newest.verifier_key).as_bytes())?;
            Writer::new()
        }
        Some(kept) => {
            goes_on(context, &client, &log, &kept.head, &head).await?;
            Writer::resume(&folder, had, &kept.head.root).map_err(|fault| refused("the copy", fault))?
        }
    };
    copy(context, &client, &log, &mut writer, &head, &folder).await?;
    if writer.root() != head.root {
        return Err(not_genuine("its entries do not lead to the root hash of its checkpoint".into()));
    }
    for file in writer.edge() {
        folder.write(&file.path, &file.bytes)?;
    }
    // What they say of later entries is no fault of the old copy.
    if !successions.is_empty() {
        folder.write(SUCCESSIONS, successions.as_bytes())?;
    }
    // From here on the copy is the new one; before, it was the old one.
    folder.write(CHECKPOINT, newest.note.as_bytes())?;
    for path in copy::stale(had, head.size) {
        folder.remove(&path)?;
    }
    let json = json!({
        "log": log,
        "folder": folder.path().display().to_string(),
        "entries": head.size,
        "new": head.size - had,
        "root": head.root.to_string(),
        "verifier_key": newest.verifier_key,
        "pinned": key.is_some(),
        "signed_by": key.is_some().then(|| signer.code()),
    });
    let card = Card::new(format!("{log} in {}", folder.path().display()))
        .row("entries", head.size)
        .row("new", head.size - had)
        .row("root", head.root)
        .row("verifier key", &newest.verifier_key)
        .row("signature", trust(key.is_some(), signer));
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

/// An earlier copy.
struct Kept {
    key: VerifierKey,
    head: Checkpoint,
    /// The successions that are in it, also those of later entries.
    successions: Vec<Succession>,
}

/// What a folder has already; `None` for a new one.
fn kept(folder: &Folder, pinned: Option<&VerifierKey>) -> Result<Option<Kept>, Failure> {
    let Some(note) = folder.text(CHECKPOINT)? else {
        // What an export that ended early left is made again.
        let begun = folder.text(VERIFIER_KEY)?.is_some();
        if begun || folder.is_empty()? {
            return Ok(None);
        }
        return Err(Failure::usage(format!("{} has other files, and no copy", folder.path().display())));
    };
    let key = key_of(folder, pinned)?;
    let fault = |fault| refused("the copy", fault);
    let (head, _) =
        copy::keys(folder, &key).map_err(fault)?.open(note.as_bytes()).map_err(|error| fault(error.into()))?;
    Ok(Some(Kept { successions: copy::successions(folder).map_err(fault)?, head, key }))
}

/// The file of those successions that a tree of so many entries has.
fn lines_until(successions: &[Succession], size: u64) -> String {
    let within = successions.iter().filter(|succession| succession.checkpoint().size <= size);
    within.map(|succession| format!("{}\n", String::from_utf8_lossy(&succession.encode()))).collect()
}

/// The key that is given, or the one that the copy names.
fn key_of(folder: &Folder, pinned: Option<&VerifierKey>) -> Result<VerifierKey, Failure> {
    if let Some(key) = pinned {
        return Ok(key.clone());
    }
    let text = folder.text(VERIFIER_KEY)?;
    let text = text.ok_or_else(|| Failure::usage("the copy names no verifier key: give it with --verifier"))?;
    text.trim().parse().map_err(|error| refused("the copy", CopyError::Checkpoint(error)))
}

/// Does the log begin with what was copied before? The server has to prove it.
async fn goes_on(
    context: &Context,
    client: &Client,
    log: &str,
    had: &Checkpoint,
    has: &Checkpoint,
) -> Result<(), Failure> {
    if has.size < had.size {
        let (has, had) = (has.size, had.size);
        return Err(not_genuine(format!("it was cut: it has {has} entries, and had {had} when it was copied before")));
    }
    let size = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let request = GetConsistencyProofRequest {
        log: log.to_owned(),
        purpose: context.connection.purpose(Purpose::Audit),
        old_size: size(had.size),
        new_size: size(has.size),
    };
    let proof = client.audit().get_consistency_proof(request).await?.into_inner();
    verify_consistency(had.size, &had.root, has.size, &has.root, &hashes(&proof.hashes)?)
        .map_err(|fault| not_genuine(format!("it does not begin with the earlier copy, so it was forked: {fault}")))
}

/// Adds the entries that are missing, up to those that the checkpoint is about.
async fn copy(
    context: &Context,
    client: &Client,
    log: &str,
    writer: &mut Writer,
    head: &Checkpoint,
    folder: &Folder,
) -> Result<(), Failure> {
    let bar = progress_bar(context.out, head.size);
    let mut request = ListEntriesRequest {
        log: log.to_owned(),
        purpose: context.connection.purpose(Purpose::Audit),
        page_size: PAGE,
        page_token: String::new(),
        filter: None,
        start_index: i64::try_from(writer.size()).unwrap_or(i64::MAX),
    };
    let mut whole = Vec::new();
    while writer.size() < head.size {
        bar.set_position(writer.size());
        let page = client.audit().list_entries(request.clone()).await?.into_inner();
        for entry in page.entries {
            if writer.size() == head.size {
                break;
            }
            if u64::try_from(entry.leaf_index) != Ok(writer.size()) {
                return Err(not_genuine(format!("entry {} was left out", writer.size())));
            }
            writer.push(&entry.entry, &mut whole).map_err(|fault| refused("the log", fault))?;
        }
        for file in whole.drain(..) {
            folder.write(&file.path, &file.bytes)?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() && writer.size() < head.size {
            return Err(not_genuine(format!("it ends with {} entries of {}", writer.size(), head.size)));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

pub(super) fn verify(out: Output, command: &Verify) -> Result<Exit, Failure> {
    let folder = Folder::at(&command.folder);
    let pinned = command.verifier.as_deref().map(verifier_key).transpose()?;
    if folder.text(CHECKPOINT)?.is_none() {
        let why = format!("{} has no copy of a log", folder.path().display());
        return Err(Failure::new(Exit::NotFound, why));
    }
    let key = key_of(&folder, pinned.as_ref())?;
    let verified = copy::verify(&folder, &key);
    let relation = command.earlier.as_ref().map(|earlier| against(&folder, &key, earlier));
    let verified = match (verified, relation) {
        // What became of it since says more than what is wrong with it now.
        (Err(fault), Some(Ok(relation))) if !relation.is_honest() => {
            let failure = refused("the copy", fault);
            let failure = Failure { message: format!("{}; {}", failure.message, words(relation)), ..failure };
            return Err(with_index(failure, relation));
        }
        (Err(fault), _) => return Err(refused("the copy", fault)),
        (Ok(verified), relation) => (verified, relation.transpose()?),
    };
    let (verified, relation) = verified;
    if let Some(relation) = relation.filter(|relation| !relation.is_honest()) {
        let why = format!("the log's own key signed what contradicts what you kept: {}", words(relation));
        return Err(with_index(Failure::new(Exit::No, why), relation));
    }
    let head = &verified.checkpoint;
    let mut json = json!({
        "verified": true,
        "log": head.origin.to_string(),
        "entries": head.size,
        "root": head.root.to_string(),
        "first_time_ms": verified.times.map(|(first, _)| first),
        "last_time_ms": verified.times.map(|(_, last)| last),
        "pinned": pinned.is_some(),
        "signed_by": pinned.is_some().then(|| verified.signer.code()),
    });
    let mut card =
        Card::new(format!("{}, as it was signed", head.origin)).row("entries", head.size).row("root", head.root).row(
            "signature",
            if pinned.is_some() {
                by(verified.signer)
            } else {
                "by the key in the copy, or one that it leads to; keep that key elsewhere and give it with --verifier"
            },
        );
    if let Some(index) = verified.clock_set_back {
        json["clock_set_back_at"] = json!(index);
        card = card.row("clock", format!("entry {index} is more than an hour before an earlier one"));
    }
    if let Some(relation) = relation {
        json["earlier"] = relation_json(relation);
        card = card.row("since the earlier one", words(relation));
    }
    out.result(&json, &card)?;
    Ok(Exit::Done)
}

/// Holds a copy against what was kept before, which must be genuine itself.
fn against(folder: &Folder, key: &VerifierKey, earlier: &PathBuf) -> Result<Relation, Failure> {
    let keys = copy::keys(folder, key).map_err(|fault| refused("the copy", fault))?;
    let (has, _) = keys
        .open(folder.text(CHECKPOINT)?.unwrap_or_default().as_bytes())
        .map_err(|fault| refused("the copy", fault.into()))?;
    let is_folder = std::fs::metadata(earlier).map_err(|error| cannot("read", earlier, &error))?.is_dir();
    let fault = |fault| refused("the copy", fault);
    if is_folder {
        let earlier = Folder::at(earlier);
        // It may be of a time when the key that is kept today was not there yet.
        let mut others = keys.all().filter(|other| *other != key).map(|other| copy::verify(&earlier, other));
        let had = copy::verify(&earlier, key).or_else(|fault| others.find(Result::is_ok).unwrap_or(Err(fault)));
        let had = had.map_err(|fault| refused("the earlier copy", fault))?.checkpoint;
        is_of_one_chain(&earlier, folder, &keys)?;
        copy::compare(&earlier, had.size, folder, has.size).map_err(fault)
    } else {
        let note = std::fs::read(earlier).map_err(|error| cannot("read", earlier, &error))?;
        let (had, _) = keys.open(&note).map_err(|fault| refused("the earlier checkpoint", fault.into()))?;
        copy::begins_with(&had, folder, has.size).map_err(fault)
    }
}

/// An earlier copy is genuine by its own successions; what the later one knows of keys is held against it, too: a key that was
/// retired by then may have signed a history of its own.
fn is_of_one_chain(earlier: &Folder, later: &Folder, keys: &Keys) -> Result<(), Failure> {
    let of = |folder| copy::successions(folder).map_err(|fault| refused("the copy", fault));
    if of(earlier)?.iter().zip(&of(later)?).any(|(one, other)| one != other) {
        let why = "the earlier copy leads from a key to another one than the copy: one of them is forged, or the log was forked";
        return Err(Failure::new(Exit::No, why));
    }
    match keys.open(earlier.text(CHECKPOINT)?.unwrap_or_default().as_bytes()) {
        // By a key that the later one does not tell of yet, its tail was cut.
        Ok(_) | Err(NoteError::Unsigned(_)) => Ok(()),
        Err(fault) => Err(refused("the earlier copy", fault.into())),
    }
}

fn refused(what: &str, fault: CopyError) -> Failure {
    match fault {
        CopyError::Read { .. } => Failure::failed(causes(&fault)),
        CopyError::Entry { index, .. }
        | CopyError::NoEntry { index, .. }
        | CopyError::Tile { index, .. }
        | CopyError::Succession { index, .. } => {
            Failure::new(Exit::No, format!("{what} is not genuine: {fault}")).detail("index", index.to_string())
        }
        CopyError::Within { first, last } => Failure::new(Exit::No, format!("{what} is not genuine: {fault}"))
            .detail("first", first.to_string())
            .detail("last", last.to_string()),
        CopyError::Missing(_)
        | CopyError::Checkpoint(_)
        | CopyError::Successions(_)
        | CopyError::TooLong(_)
        | CopyError::Edge => Failure::new(Exit::No, format!("{what} is not genuine: {fault}")),
    }
}

fn with_index(failure: Failure, relation: Relation) -> Failure {
    match relation {
        Relation::Differs { index, .. } | Relation::Cut { at: index, .. } => failure.detail("index", index.to_string()),
        Relation::Same | Relation::Extended(_) | Relation::Forked { .. } => failure,
    }
}

fn words(relation: Relation) -> String {
    match relation {
        Relation::Same => "nothing was added".to_owned(),
        Relation::Extended(from) => format!("it goes on from entry {from}, and all before are the same"),
        Relation::Cut { at, begins_so: Some(true) } => format!("its tail was cut: entry {at} and all after are gone"),
        Relation::Cut { at, begins_so: Some(false) | None } => {
            format!(
                "its tail was cut: entry {at} and all after are gone, and a checkpoint alone does not tell whether those before are the same"
            )
        }
        Relation::Differs { index, difference } => format!("it was forked: entry {index} {difference}"),
        Relation::Forked { before } => {
            format!(
                "it was forked: of the {before} entries that were signed for then some are others; an earlier copy tells which"
            )
        }
    }
}

fn relation_json(relation: Relation) -> Value {
    match relation {
        Relation::Same => json!({ "relation": "same" }),
        Relation::Extended(from) => json!({ "relation": "extended", "from": from }),
        Relation::Cut { at, .. } => json!({ "relation": "cut", "index": at }),
        Relation::Differs { index, difference } => {
            json!({ "relation": "forked", "index": index, "entry": difference.to_string() })
        }
        Relation::Forked { before } => json!({ "relation": "forked", "before": before }),
    }
}
