//! `lethe root`: the root keys, offline.

use clap::Subcommand;
use serde_json::json;

use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output};
use crate::{ReplicaReport, RootReport, root_check};

/// What to do with root keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check, with the server stopped, that the root keys fit the data; changes nothing.
    ///
    /// Exit code 5 if a replica lacks the current root, or the root does not open the data.
    Check {
        #[command(flatten)]
        configuration: Configuration,
    },
}

pub(crate) fn run(out: Output, command: &Command) -> Result<Exit, Failure> {
    let Command::Check { configuration } = command;
    let config = configuration.load()?;
    let report = root_check(&config).map_err(|error| Failure::failed(format!("cannot check: {}", causes(&error))))?;
    let sound = report.opens && report.replicas.iter().all(is_sound);

    let replicas: Vec<_> = report
        .replicas
        .iter()
        .map(|replica| {
            json!({
                "path": replica.path.display().to_string(),
                "holds_root": replica.holds_root,
                "fault": replica.fault,
            })
        })
        .collect();
    let retiring = report.retiring.as_ref().map(|(epoch, root)| json!({ "epoch": epoch, "root": root }));
    let json = json!({
        "sound": sound,
        "vault": report.vault,
        "epoch": report.epoch,
        "root": report.root,
        "opens": report.opens,
        "retiring": retiring,
        "replicas": replicas,
        "orphans": report.orphans,
        "medium": report.medium,
    });
    out.result(&json, &card(&report, sound))?;
    Ok(if sound { Exit::Done } else { Exit::No })
}

fn card(report: &RootReport, sound: bool) -> Card {
    let title = if sound { "the root keys fit the data" } else { "the root keys do NOT fit the data" };
    let opens = if report.opens { "opens the vault tree" } else { "does not open the vault tree" };
    let mut card = Card::new(title)
        .row("vault", &report.vault)
        .row("epoch", report.epoch)
        .row("root", format!("{}, {opens}", report.root));
    for replica in &report.replicas {
        let state = match (&replica.fault, replica.holds_root) {
            (Some(fault), _) => fault.as_str(),
            (None, true) => "holds the root",
            (None, false) => "does not hold the root",
        };
        card = card.row("replica", format!("{}: {state}", replica.path.display()));
    }
    if let Some((epoch, root)) = &report.retiring {
        card = card.row("retiring", format!("{root} of epoch {epoch}; the next start destroys it"));
    }
    for orphan in &report.orphans {
        card = card.row("orphan", format!("{orphan}; the next start destroys it"));
    }
    if !report.medium.is_empty() {
        card = card.row("receipts say", report.medium.join(", "));
    }
    card
}

fn is_sound(replica: &ReplicaReport) -> bool {
    replica.holds_root && replica.fault.is_none()
}
