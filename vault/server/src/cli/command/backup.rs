//! `lethe backup`: backups of a running server; with `--folder`, of any folder, without one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use lethe_proto::names::BackupName;
use lethe_proto::v1::{
    Backup, BackupState, CreateBackupRequest, GetBackupRequest, ListBackupsRequest, PruneBackupsRequest, Purpose,
    VerificationState, VerifyBackupRequest,
};
use serde_json::json;

use super::Context;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output, remark};
use crate::cli::{request_id, view};
use crate::store::{Backups, StoreError};

/// How often a server is asked how far it is: soon at first, for a small vault.
const ASK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How often somebody who waits is told so.
const TELL: Duration = Duration::from_secs(10);

/// What to do with backups.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a backup of the vault, while it serves; only files that no earlier backup has are copied.
    ///
    /// Needs the operator's key, and `backup.path` in the server's configuration. Purpose by default: administration.
    /// Exit code 1 if it failed, 7 if another is at work.
    Create {
        /// Don't wait for its end; `lethe backup list` shows how far it is.
        #[arg(long)]
        no_wait: bool,

        /// UUID of version 4; the same again makes no second backup.
        #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
        request_id: Option<String>,
    },
    /// List the backups, oldest first, and what is being made.
    ///
    /// Needs the operator's key, or, with --folder, no server at all. Purpose by default: administration.
    List {
        #[command(flatten)]
        offline: Offline,
    },
    /// Restore a backup into a scratch folder, read every row of it, and remove the folder.
    ///
    /// Needs the operator's key, or, with --folder, no server at all. Nothing is decrypted: that is for `lethe restore`.
    /// Purpose by default: administration. Exit code 5 if the backup is not sound.
    Verify {
        /// Which backup; the newest if none is named.
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        number: Option<u32>,

        #[command(flatten)]
        offline: Offline,

        /// With --folder: where the scratch folder is to be; beside the backups if not named.
        #[arg(long, value_name = "FOLDER", requires = "folder")]
        scratch: Option<PathBuf>,
    },
    /// Delete all but the newest backups.
    ///
    /// Needs the operator's key. Purpose by default: administration.
    Prune {
        /// How many to keep.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..))]
        keep: i32,
    },
}

/// A folder of backups instead of a server.
#[derive(Debug, Args)]
pub(crate) struct Offline {
    /// A folder of backups, to be read here, without a server.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Create { no_wait, request_id } => create(context, no_wait, request_id).await,
        Command::List { offline: Offline { folder: Some(folder) } } => list_folder(context.out, &folder),
        Command::List { offline: Offline { folder: None } } => list(context).await,
        Command::Verify { number, offline: Offline { folder: Some(folder) }, scratch } => {
            verify_folder(context.out, &folder, number, scratch.as_deref())
        }
        Command::Verify { number, offline: Offline { folder: None }, .. } => verify(context, number).await,
        Command::Prune { keep } => prune(context, keep).await,
    }
}

// ── with a server ───────────────────────────────────────────────────────────────────────────────────────

async fn create(context: &Context, no_wait: bool, request_id: Option<String>) -> Result<Exit, Failure> {
    let request = CreateBackupRequest {
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: request_id.map_or_else(request_id::random, Ok)?,
        no_wait: true,
    };
    let client = context.connection.open().await?;
    let mut backup = client.backups().create_backup(request).await?.into_inner();
    if !no_wait {
        let running = |backup: &Backup| backup.state() == BackupState::Running;
        backup = wait(context, &client, backup, "being made", running).await?;
    }
    let (json, card) = view::backup(&backup);
    context.out.result(&json, &card)?;
    Ok(match backup.state() {
        BackupState::Done => Exit::Done,
        BackupState::Running => Exit::NotNow,
        BackupState::Failed | BackupState::Damaged | BackupState::Unspecified => Exit::Failed,
    })
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let backups = all(context, &client).await?;
    if backups.is_empty() {
        remark("there is no backup");
    }
    for backup in backups {
        let (json, card) = view::backup(&backup);
        context.out.result(&json, &card)?;
    }
    Ok(Exit::Done)
}

async fn verify(context: &Context, number: Option<u32>) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let name = match number {
        Some(number) => {
            BackupName::new(&number.to_string()).map_err(|error| Failure::usage(error.to_string()))?.to_string()
        }
        None => {
            // One that is damaged too: that it is passed over would be news nobody gets.
            let is_there = |backup: &Backup| matches!(backup.state(), BackupState::Done | BackupState::Damaged);
            let newest = all(context, &client).await?.into_iter().rfind(is_there);
            newest.ok_or_else(|| Failure::new(Exit::NotFound, "there is no backup"))?.name
        }
    };
    let purpose = context.connection.purpose(Purpose::Administration);
    let request = VerifyBackupRequest { name, purpose, no_wait: true };
    let backup = client.backups().verify_backup(request).await?.into_inner();
    let running = |backup: &Backup| state_of(backup) == VerificationState::Running;
    let backup = wait(context, &client, backup, "being read", running).await?;
    let (json, card) = view::backup(&backup);
    context.out.result(&json, &card)?;
    Ok(if state_of(&backup) == VerificationState::Done { Exit::Done } else { Exit::No })
}

fn state_of(backup: &Backup) -> VerificationState {
    backup.verification.as_ref().map_or(VerificationState::Unspecified, |verification| verification.state())
}

async fn prune(context: &Context, keep: i32) -> Result<Exit, Failure> {
    let request = PruneBackupsRequest {
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: request_id::random()?,
        keep,
    };
    let client = context.connection.open().await?;
    let pruned = client.backups().prune_backups(request).await?.into_inner();
    let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let card =
        Card::new("old backups are deleted").row("deleted", names(&pruned.deleted)).row("kept", names(&pruned.kept));
    context.out.result(&json!({ "deleted": pruned.deleted, "kept": pruned.kept }), &card)?;
    Ok(Exit::Done)
}

/// Asks how a backup stands until it is at rest. It goes on by itself if this is cut short.
async fn wait(
    context: &Context,
    client: &Client,
    mut backup: Backup,
    what: &str,
    running: impl Fn(&Backup) -> bool,
) -> Result<Backup, Failure> {
    let (began, mut told, mut pause) = (Instant::now(), Instant::now(), ASK.0);
    while running(&backup) {
        if told.elapsed() >= TELL {
            told = Instant::now();
            remark(&format!("{} is {what}, since {} s", backup.name, began.elapsed().as_secs()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ASK.1);
        let purpose = context.connection.purpose(Purpose::Administration);
        let request = GetBackupRequest { name: backup.name.clone(), purpose };
        backup = client.backups().get_backup(request).await?.into_inner();
    }
    Ok(backup)
}

async fn all(context: &Context, client: &Client) -> Result<Vec<Backup>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let purpose = context.connection.purpose(Purpose::Administration);
        let request = ListBackupsRequest { purpose, page_size: 1000, page_token };
        let page = client.backups().list_backups(request).await?.into_inner();
        all.extend(page.backups);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

// ── without one ─────────────────────────────────────────────────────────────────────────────────────────

fn list_folder(out: Output, folder: &Path) -> Result<Exit, Failure> {
    let backups = open(folder)?;
    let damaged = backups.damaged().into_iter().map(|number| (number, view::damaged_backup_in_folder(number)));
    let whole = backups.list().into_iter().map(|backup| (backup.number, view::backup_in_folder(&backup)));
    let mut all: Vec<_> = whole.chain(damaged).collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    if all.is_empty() {
        remark(&format!("{} has no backup", folder.display()));
    }
    for (_, (json, card)) in all {
        out.result(&json, &card)?;
    }
    Ok(Exit::Done)
}

fn verify_folder(out: Output, folder: &Path, number: Option<u32>, scratch: Option<&Path>) -> Result<Exit, Failure> {
    let backups = open(folder)?;
    let failure = |fault: StoreError| {
        if matches!(fault, StoreError::NoSuchBackup { .. } | StoreError::NoBackups { .. }) {
            Failure::new(Exit::NotFound, fault.to_string())
        } else {
            Failure::new(Exit::No, format!("not sound: {}", causes(&fault)))
        }
    };
    let number = number.map_or_else(|| backups.newest(), Ok).map_err(failure)?;
    let backup = backups.find(number).map_err(failure)?;
    let rows = backups.verify(number, scratch, 0);
    let unsound =
        |fault: StoreError| Failure::new(Exit::No, format!("backup {number} is not sound: {}", causes(&fault)));
    let rows = rows.map_err(unsound)?;
    let (mut json, card) = view::backup_in_folder(&backup);
    json["verified_rows"] = json!(rows);
    out.result(&json, &card.row("verified", format!("{rows} rows were read")))?;
    Ok(Exit::Done)
}

fn open(folder: &Path) -> Result<Backups, Failure> {
    Backups::open(folder).map_err(|fault| Failure::failed(format!("cannot open the backups: {}", causes(&fault))))
}
