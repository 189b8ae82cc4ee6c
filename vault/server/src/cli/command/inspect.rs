//! `lethe inspect`: what is left of a vault, for incident response; nothing is touched.

use std::path::PathBuf;

use clap::Args;
use prost_types::Timestamp;

use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output};
use crate::inspection::{
    BackupPart, Damage, EpochPart, FolderKind, HeldPart, InspectError, Inspection, Question, RootsPart, TreePart,
    inspect,
};

/// Damage, and trees that a root leads to, that are shown to people; JSON has all of it.
const SHOWN: usize = 50;

/// What to look at.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// A data folder, a mirror, a folder of backups, or a database; the configuration's data folder if none is named.
    folder: Option<PathBuf>,

    /// Which backup; the newest if none is named.
    #[arg(long, value_name = "NUMBER")]
    number: Option<u32>,

    /// Try every page and every sealed row with the configuration's root store, too. Without it no key is looked at.
    #[arg(long)]
    open: bool,

    /// Where to make, for the time being, a folder of links that shows a backup as a database.
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,

    #[command(flatten)]
    configuration: Configuration,
}

pub(crate) async fn run(out: Output, command: &Command) -> Result<Exit, Failure> {
    let config = command.configuration.load()?;
    let folder = command.folder.as_ref().unwrap_or(&config.data_dir);
    #[allow(clippy::disallowed_methods, reason = "what is inspected must not be written to")]
    let scratch = command.scratch.clone().unwrap_or_else(std::env::temp_dir);
    // Whoever names roots wants them tried.
    let open = command.open || command.configuration.names_roots();
    let question = Question { folder, number: command.number, scratch, open };
    let inspection = inspect(&config, &question).await.map_err(|error| failure(&error))?;
    let json = serde_json::to_value(&inspection).map_err(|error| Failure::failed(error.to_string()))?;
    out.results(&json, &cards(&inspection))?;
    Ok(if inspection.sound { Exit::Done } else { Exit::No })
}

fn failure(error: &InspectError) -> Failure {
    match error {
        InspectError::Place(why) => Failure::new(Exit::NotFound, why.to_string()),
        InspectError::Store(_) => Failure::failed(format!("cannot inspect: {}", causes(error)))
            .detail("hint", "what RocksDB does not open at all is restored, from a mirror and a backup"),
        InspectError::Roots(_) => Failure::failed(format!("cannot ask the root store: {}", causes(error)))
            .detail("hint", "without --open, --root-replica no key is looked at"),
    }
}

fn cards(inspection: &Inspection) -> Vec<Card> {
    let mut cards = vec![summary(inspection)];
    cards.extend(inspection.backup.as_ref().map(backup));
    cards.extend(inspection.trees.iter().map(tree));
    cards.extend(inspection.roots.as_ref().map(roots));
    let rows = inspection.rows.iter();
    cards.push(rows.fold(Card::new("rows"), |card, part| {
        card.row(part.name, format!("{}, {} bytes, kind {}", part.rows, part.bytes, part.kind))
    }));
    cards.extend(inspection.damage.iter().take(SHOWN).map(damage));
    if inspection.damage.len() > SHOWN {
        let more = inspection.damage.len() - SHOWN;
        cards.push(Card::new(format!("damage: {more} more; --json shows all of it")));
    }
    cards
}

fn summary(inspection: &Inspection) -> Card {
    let what = match inspection.kind {
        FolderKind::Vault => "a vault",
        FolderKind::Mirror => "a mirror",
        FolderKind::Backup => "a backup",
        FolderKind::Database => "a database by itself",
    };
    let verdict = match (inspection.damage.len(), &inspection.roots) {
        (0, Some(part)) if !part.opens => "the roots do NOT open it".to_owned(),
        (0, _) => "nothing is damaged".to_owned(),
        (1, _) => "1 thing is damaged".to_owned(),
        (count, _) => format!("{count} things are damaged"),
    };
    let epoch = |part: &EpochPart| format!("{}, under the root {}", part.number, part.root);
    let retiring = |part: &EpochPart| {
        format!("{}, its root {} is not on record as destroyed: its erasures are pending", part.number, part.root)
    };
    let mut card = Card::new(format!("{}: {what}, {verdict}", inspection.path))
        .maybe("vault", inspection.vault.as_ref())
        .maybe("format", inspection.format)
        .maybe("epoch", inspection.epoch.as_ref().map(epoch))
        .maybe("retiring", inspection.retiring.as_ref().map(retiring))
        .maybe("claiming", inspection.claiming.as_ref())
        .maybe("restoring", inspection.restoring.map(|how| format!("not finished: {how}; run `lethe restore` again")))
        .row("sequence", inspection.sequence)
        .row("files", format!("{}, {} bytes", inspection.files, inspection.bytes));
    if let Some(position) = &inspection.position {
        let whole = if position.whole { "" } else { "; not whole: it was being copied to" };
        card = card.row("mirror", format!("{}, has followed {}{whole}", position.mirror, position.followed));
    }
    for mirror in &inspection.mirrors {
        card = card.row("has the mirror", format!("{} in {}", mirror.id, mirror.path));
    }
    for intent in &inspection.intents {
        let when = time(intent.accepted_at);
        let what = format!("{} of tree {}, {} keys, accepted {when}", intent.scope, intent.tree, intent.slots);
        card = card.row("pending erasure", format!("{}: {what}", intent.receipt));
    }
    if !inspection.statements.is_empty() {
        card = card.row("receipts say", inspection.statements.join(", "));
    }
    card.maybe("torn log", inspection.torn_log.as_ref().map(|fault| format!("a start leaves its end out: {fault}")))
}

fn backup(part: &BackupPart) -> Card {
    let of: Vec<_> = part.of.iter().map(u32::to_string).collect();
    Card::new(format!("backup {}", part.number))
        .row("made", time(part.made_at.saturating_mul(1000)))
        .row("files", format!("{}, {} bytes, shared ones among them", part.files, part.bytes))
        .row("in the folder", of.join(", "))
        .maybe("of the vault", part.folder_of_vault.as_ref())
        .maybe("missing", (!part.missing.is_empty()).then(|| part.missing.join(", ")))
}

fn tree(part: &TreePart) -> Card {
    let title = match (part.tree.as_str(), &part.tenant) {
        ("vault", _) => "the vault's own".to_owned(),
        (slot, Some(tenant)) => format!("tenant {slot}: {tenant}"),
        (slot, None) => format!("tenant {slot}"),
    };
    let erasures = &part.erasures;
    let log = part.origin.as_ref().map(|origin| format!("{} entries of {origin}", part.entries));
    Card::new(title)
        .row("people", part.subjects)
        .row("templates", format!("{}, {} sketches, {} counted", part.templates, part.sketches, part.counted))
        .row("administration", format!("{} API keys, {} models", part.credentials, part.profiles))
        .maybe("slots reserved", part.high_water)
        .row("written pages", part.pages)
        .row(
            "erasures",
            format!("{} shredded, {} committed, {} accepted", erasures.shredded, erasures.committed, erasures.accepted),
        )
        .maybe("log", log)
}

fn roots(part: &RootsPart) -> Card {
    let title = if part.opens { "the root opens the key tree" } else { "the roots do NOT open the key tree" };
    let mut card = Card::new(title).row("store", part.stores.join(", ")).maybe("because", part.fault.as_ref());
    for held in &part.held {
        let what = match (held.epoch, held.pages) {
            ("current", Some(pages)) => format!("of the epoch; leads to {pages} pages"),
            ("current", None) => "of the epoch".to_owned(),
            ("retiring", _) => "of the epoch before; must still be destroyed".to_owned(),
            (_, _) => "unknown to this database".to_owned(),
        };
        card = card.row("root", format!("{}: {what}", held.root));
        if let ("retiring" | "unknown", Some(why)) = (held.epoch, held.untold) {
            card = card.row("leads to", format!("not known: {why}"));
        }
        for (tree, pages) in by_tree(held) {
            card = card.row("leads to", format!("{pages} of tree {tree}"));
        }
    }
    if !part.claimed {
        card = card.row("claimed", "not for the last run of this data: a start is fenced out");
    }
    if part.opens {
        let pages =
            format!("{}, {} within reach, {} superseded", part.pages, part.pages_reachable, part.pages_left_over);
        let rows =
            format!("{} open, {} are erased, {} do not open", part.rows_open, part.rows_erased, part.rows_damaged);
        card = card.row("written pages", pages).row("sealed rows", rows);
    }
    card
}

/// Pages that a root leads to, by tree; JSON names each. So many trees are shown.
fn by_tree(held: &HeldPart) -> Vec<(&str, usize)> {
    let mut trees: Vec<(&str, usize)> = Vec::new();
    for part in &held.reach {
        match trees.last_mut() {
            Some((tree, pages)) if *tree == part.tree.as_str() => *pages += part.pages.len(),
            Some(_) | None => trees.push((part.tree.as_str(), part.pages.len())),
        }
    }
    trees.truncate(SHOWN);
    trees
}

fn damage(damage: &Damage) -> Card {
    Card::new(format!("damage: {}", damage.kind.unwrap_or("files")))
        .maybe("row", damage.row.as_ref())
        .row("fault", &damage.fault)
        .row("meaning", &damage.meaning)
}

/// A time in milliseconds since 1970 UTC.
fn time(millis: i64) -> String {
    // Below a billion.
    let nanos = (millis.rem_euclid(1000) * 1_000_000) as i32;
    Timestamp { seconds: millis.div_euclid(1000), nanos }.to_string()
}
