//! `lethe root`: the root keys. How they stand is asked of a running server, which rotates them, too; the rest is offline.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Subcommand;
use lethe_proto::v1::{GetRootStatusRequest, Purpose, RootStoreState};
use serde_json::json;

use super::Context;
use super::erase::answer;
use super::rotate::{self, RotateOptions};
use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output};
use crate::cli::telemetry;
use crate::cli::view;
use crate::config::Config;
use crate::{RootReport, abandon_replicas, move_roots, root_check};

/// What to do with root keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show how the root store of a running server stands, and the erasures that wait for it.
    ///
    /// Needs the operator's key. Purpose by default: administration. Exit code 5 if the store is of no use: erasures stay
    /// pending until it is.
    Status,
    /// Check, with the server stopped, that the root keys fit the data; changes nothing.
    ///
    /// Exit code 5 if a replica lacks the current root, if the root does not open the data, or if the root store is
    /// claimed by somebody else.
    Check {
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Move, with the server stopped, the vault to another root store: from root.from to root.store.
    ///
    /// A running server does the same by itself when it is started with root.from. May be run again after a crash; once
    /// it has ended, take root.from out of the configuration.
    Migrate {
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Go on, with the server stopped, without a root file that is lost for good.
    ///
    /// Nobody can destroy any more what is on its medium, so from then on every receipt says ROOT_REPLICA_ABANDONED, and
    /// the vault's log says when. Refused as long as the file can be opened, and for the last one. May be run again after
    /// a crash. Then take the file out of root.replicas, or put another medium in its place, and start.
    AbandonReplica {
        /// The file, as root.replicas names it; all of them, if several are lost.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,

        /// Do not ask. Needed where there is no terminal to ask at.
        #[arg(long, short)]
        yes: bool,

        #[command(flatten)]
        configuration: Configuration,
    },
    /// Replace, while the server runs, the root key and the vault key that it wraps, and destroy the old root key.
    ///
    /// Erases nothing, and records keep their keys. Needs the operator's key. Purpose by default: administration.
    Rotate {
        #[command(flatten)]
        options: RotateOptions,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Status => status(context).await,
        Command::Check { configuration } => check(context.out, &configuration.load()?),
        Command::Migrate { configuration } => migrate(context.out, &configuration.load()?).await,
        Command::AbandonReplica { files, yes, configuration } => {
            abandon(context.out, &configuration.load()?, &files, yes).await
        }
        Command::Rotate { options } => rotate::run(context, "vault".to_owned(), options).await,
    }
}

async fn status(context: &Context) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let purpose = context.connection.purpose(Purpose::Administration);
    let request = GetRootStatusRequest { name: "vault/rootStatus".to_owned(), purpose };
    let status = client.roots().get_root_status(request).await?.into_inner();
    let (json, card) = view::root_status(&status);
    context.out.result(&json, &card)?;
    Ok(if status.state() == RootStoreState::Failing { Exit::No } else { Exit::Done })
}

async fn migrate(out: Output, config: &Config) -> Result<Exit, Failure> {
    telemetry::init(&config.log)?;
    let Some(from) = config.root.from else {
        return Err(Failure::usage("root.from is not set: it names the store that the roots are in now"));
    };
    let epoch =
        move_roots(config).await.map_err(|error| Failure::failed(format!("cannot move: {}", causes(&error))))?;
    let (from, to) = (from.name(), config.root.store.name());
    let card = Card::new(format!("the vault's root is in {to}"))
        .row("epoch", epoch)
        .row("next", format!("take root.from out of the configuration; {from} is empty and not needed any more"));
    out.result(&json!({ "from": from, "to": to, "epoch": epoch, "moved": true }), &card)?;
    Ok(Exit::Done)
}

async fn abandon(out: Output, config: &Config, files: &[PathBuf], yes: bool) -> Result<Exit, Failure> {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    if !yes {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage("every receipt will say so for ever; say --yes"));
        }
        let what = names.join(", ");
        let question = format!("Abandon {what}? Every later receipt will say ROOT_REPLICA_ABANDONED, for ever. [y/N] ");
        if !["y", "Y", "yes"].contains(&answer(&question)?.as_str()) {
            return Err(Failure::failed("nothing was done"));
        }
    }
    let done = abandon_replicas(config, files)
        .await
        .map_err(|error| Failure::failed(format!("cannot abandon: {}", causes(&error))))?;
    let left: Vec<_> = done.left.iter().map(|file| file.display().to_string()).collect();
    let title = if done.before { "abandoned before" } else { "abandoned" };
    let log = if done.logged { "says so" } else { "is not there to say so; receipts will" };
    let card = Card::new(format!("{title}: {}", names.join(", ")))
        .row("left", left.join(", "))
        .maybe("the vault's log", (!done.before).then_some(log))
        .row("next", "take it out of root.replicas, or put another medium in its place; then start the server");
    let json = json!({ "abandoned": names, "before": done.before, "left": left, "logged": done.logged });
    out.result(&json, &card)?;
    Ok(Exit::Done)
}

fn check(out: Output, config: &Config) -> Result<Exit, Failure> {
    let report = root_check(config).map_err(|error| Failure::failed(format!("cannot check: {}", causes(&error))))?;
    let sound = report.is_sound();

    let replicas: Vec<_> = report
        .replicas
        .iter()
        .map(|replica| {
            json!({
                "path": replica.path.display().to_string(),
                "holds_root": replica.holds_root,
                "fault": replica.fault,
                "sound": replica.sound,
            })
        })
        .collect();
    let retiring = report.retiring.as_ref().map(|(epoch, root)| json!({ "epoch": epoch, "root": root }));
    let json = json!({
        "sound": sound,
        "vault": report.vault,
        "epoch": report.epoch,
        "root": report.root,
        "store": report.store,
        "from": report.from,
        "opens": report.fault.is_none(),
        "fault": report.fault,
        "claimed": report.refused.is_none(),
        "refused": report.refused,
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
    let opens = match &report.fault {
        None => "opens the vault tree".to_owned(),
        Some(fault) => format!("does not open the vault tree: {fault}"),
    };
    let mut card = Card::new(title)
        .row("vault", &report.vault)
        .row("epoch", report.epoch)
        .row("store", report.store)
        .maybe("coming from", report.from)
        .row("root", format!("{}, {opens}", report.root));
    if let Some(why) = &report.refused {
        card = card.row("a start is refused", why);
    }
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
