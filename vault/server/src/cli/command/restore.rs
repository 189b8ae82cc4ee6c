//! `lethe restore`: a vault from its mirror and a backup, offline.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output};
use crate::error::Error;
use crate::opening::OpenError;
use crate::restoration::{Restored, Rows, Source, restore};
use crate::store::{MirrorId, StoreError};

/// What to restore from.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Folder of backups. Without it, what is left in the data folder is brought up to the mirror.
    #[arg(long, value_name = "FOLDER")]
    backup: Option<PathBuf>,

    /// Which backup; the newest if none is named.
    #[arg(long, value_name = "NUMBER", requires = "backup")]
    number: Option<u32>,

    /// Go on without rows that are damaged, or without what the data folder has and the mirror has not: for good, as keys
    /// go, too.
    #[arg(long)]
    accept_loss: bool,

    /// Go on without so many templates that were enrolled since the backup: their keys go, so no other backup can bring
    /// them back later.
    #[arg(long, value_name = "TEMPLATES", default_value_t = 0)]
    accept_lost: u64,

    /// Go on although the root store was claimed by a later run than the mirror knows of: that run is gone for good.
    #[arg(long)]
    take_over: bool,

    /// A mirror that is lost, too, and given up on the record; give it several times.
    #[arg(long, value_name = "MIRROR")]
    lost_mirror: Vec<MirrorId>,

    #[command(flatten)]
    configuration: Configuration,
}

pub(crate) async fn run(out: Output, command: &Command) -> Result<Exit, Failure> {
    let config = command.configuration.load()?;
    crate::cli::telemetry::init(&config.log)?;
    let backup = command.backup.as_deref().map(|folder| (folder, command.number));
    let Command { accept_loss, accept_lost, take_over, .. } = *command;
    let lost_mirrors = &command.lost_mirror;
    let source = Source { backup, accept_loss, accept_lost, take_over, lost_mirrors };
    let restored = restore(&config, source).await.map_err(|error| failure(&error))?;
    out.result(&json(&restored), &card(&restored))?;
    Ok(Exit::Done)
}

fn failure(error: &OpenError) -> Failure {
    if let OpenError::Vault(Error::Store(StoreError::Restore(why))) = error {
        return Failure::failed(format!("cannot restore: {why}"));
    }
    let failure = Failure::failed(format!("cannot restore: {}", causes(error)));
    if let OpenError::Keys(fault) | OpenError::Roots { fault, .. } = error
        && matches!(fault, lethe_crypto::Error::Fenced)
    {
        let hint =
            "a later run than the mirror knows of had these root keys; if nothing of it is left, add --take-over";
        return failure.detail("hint", hint);
    }
    failure
}

fn json(restored: &Restored) -> serde_json::Value {
    let rows = |rows: &Rows| json!({ "subjects": rows.subjects, "templates": rows.templates, "others": rows.others });
    json!({
        "epoch": restored.epoch,
        "back": rows(&restored.back),
        "erased": rows(&restored.erased),
        "corrupt": rows(&restored.corrupt),
        "lost_slots": restored.lost_slots,
        "enrolled_since": restored.enrolled_since,
    })
}

fn card(restored: &Restored) -> Card {
    let rows = |rows: &Rows| format!("{} people, {} templates", rows.subjects, rows.templates);
    Card::new("the vault is restored; `lethe serve` starts it")
        .row("epoch", restored.epoch)
        .row("back", rows(&restored.back))
        .row("erased", format!("{}: erased since the backup, and they stay erased", rows(&restored.erased)))
        .row("corrupt", rows(&restored.corrupt))
        .row(
            "lost",
            format!(
                "{} keys without a row are destroyed: of {} templates that were enrolled since, at most, and of slots that \
                 were reserved and never used",
                restored.lost_slots, restored.enrolled_since
            ),
        )
}
