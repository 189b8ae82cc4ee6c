//! Backups, mirrors, roots.

use lethe_proto::v1::{Backup, BackupState, Mirror, RootStatus};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::time;
use crate::cli::output::Card;
use crate::cli::values::Coded;

pub(crate) fn backup(backup: &Backup) -> (Value, Card) {
    let fault = |fault: &str| Some(fault.to_owned()).filter(|fault| !fault.is_empty());
    let verification = backup.verification.as_ref().map(|verification| {
        json!({
            "state": verification.state().code(),
            "verify_time": time(verification.verify_time.as_ref()),
            "row_count": verification.row_count,
            "fault": fault(&verification.fault),
        })
    });
    let json = json!({
        "name": backup.name,
        "state": backup.state().code(),
        "create_time": time(backup.create_time.as_ref()),
        "size_bytes": backup.size_bytes,
        "file_count": backup.file_count,
        "fault": fault(&backup.fault),
        "verification": verification,
    });
    let done = backup.state() == BackupState::Done;
    let mut card = Card::new(&backup.name)
        .row("state", backup.state().words())
        .maybe(if done { "made" } else { "begun" }, time(backup.create_time.as_ref()))
        .maybe("size", done.then(|| size(backup.size_bytes, backup.file_count)))
        .maybe("because", fault(&backup.fault));
    if let Some(verification) = &backup.verification {
        let rows = match verification.fault.as_str() {
            "" if verification.row_count > 0 => format!(": {} rows were read", verification.row_count),
            "" => String::new(),
            fault => format!(": {fault}"),
        };
        card = card.row("verification", format!("{}{rows}", verification.state().words()));
    }
    (json, card)
}

fn size(bytes: i64, files: i32) -> String {
    format!("{bytes} bytes in {files} files, shared ones among them")
}

/// A backup in a folder, as no server sees it.
pub(crate) fn backup_in_folder(backup: &crate::store::Backup) -> (Value, Card) {
    let name = format!("backups/{}", backup.number);
    let made = Timestamp { seconds: backup.created_at, nanos: 0 };
    let (bytes, files) =
        (i64::try_from(backup.bytes).unwrap_or(i64::MAX), i32::try_from(backup.files).unwrap_or(i32::MAX));
    let json = json!({
        "name": name,
        "state": BackupState::Done.code(),
        "create_time": time(Some(&made)),
        "size_bytes": bytes,
        "file_count": files,
    });
    (json, Card::new(name).maybe("made", time(Some(&made))).row("size", size(bytes, files)))
}

/// The same of one that cannot be restored any more.
pub(crate) fn damaged_backup_in_folder(number: u32) -> (Value, Card) {
    let (name, state) = (format!("backups/{number}"), BackupState::Damaged);
    let json = json!({ "name": name, "state": state.code() });
    (json, Card::new(name).row("state", state.words()))
}

pub(crate) fn mirror(mirror: &Mirror) -> (Value, Card) {
    let fault = Some(mirror.fault.clone()).filter(|fault| !fault.is_empty());
    let json = json!({
        "name": mirror.name,
        "path": mirror.path,
        "state": mirror.state().code(),
        "fault": fault,
    });
    let card = Card::new(&mirror.name)
        .row("folder", &mirror.path)
        .row("state", mirror.state().words())
        .maybe("because", fault);
    (json, card)
}

pub(crate) fn root_status(status: &RootStatus) -> (Value, Card) {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (fault, moving_from) = (some(&status.fault), some(&status.moving_from));
    let [failing, noticed, oldest] =
        [&status.fail_time, &status.fault_time, &status.oldest_pending_time].map(|when| time(when.as_ref()));
    let json = json!({
        "store": status.store,
        "moving_from": moving_from,
        "state": status.state().code(),
        "fail_time": failing,
        "fault": fault,
        "fault_time": noticed,
        "claimed": status.claimed,
        "epoch": status.epoch,
        "pending_count": status.pending_count,
        "oldest_pending_time": oldest,
        "orphan_count": status.orphan_count,
        "medium_statements": status.medium_statements,
    });
    let pending = match &oldest {
        Some(oldest) => format!("{}, the oldest since {oldest}", status.pending_count),
        None => "none".to_owned(),
    };
    let claimed = if status.claimed { "by this vault" } else { "NOT by this vault: it is fenced out" };
    let orphans = match status.orphan_count {
        0 => None,
        count => Some(format!("{count}; the next epoch destroys them")),
    };
    let card = Card::new(format!("root store {}", status.store))
        .row("state", status.state().words())
        .maybe("since", failing)
        .maybe("last fault", fault)
        .maybe("noticed", noticed)
        .maybe("coming from", moving_from)
        .row("claimed", claimed)
        .row("epoch", status.epoch)
        .row("pending", pending)
        .maybe("orphans", orphans)
        .maybe("receipts say", some(&status.medium_statements.join(", ")));
    (json, card)
}
