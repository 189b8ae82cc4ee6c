//! `lethe audit`: the log, as auditors, privacy officers and operators read, copy, check and follow it.

mod breach;
mod copy;
mod entries;
mod folder;
mod follow;
mod keys;
mod proof;
mod usage;

use clap::Subcommand;

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use proof::{Pin, Which};

pub(crate) use copy::Verify;

/// What to do with logs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Ask(Ask),
    /// Verify a copy of a log offline, and against what you kept of it before.
    ///
    /// Calls no server: needs the folder that `lethe audit export` made, and the log's public key. Says which entry is the
    /// first that is wrong. Exit code 5 if any byte is not as the log's key signed it, or anything that was there before
    /// is gone or changed.
    Verify(Verify),
}

/// What is asked of a server.
#[derive(Debug, Subcommand)]
pub(crate) enum Ask {
    /// Show the newest signed checkpoint and the key that verifies it.
    ///
    /// Needs role privacy_officer or auditor, of the tenant for its log, of any for the vault's; the
    /// operator reads both. Purpose by default: audit.
    Checkpoint {
        #[command(flatten)]
        log: Which,

        #[command(flatten)]
        pin: Pin,
    },
    /// Show an entry with the proof that the newest checkpoint contains it.
    ///
    /// Needs role privacy_officer or auditor of the tenant, or the operator's key; entries of the vault's
    /// log are the operator's alone. Purpose by default: audit. Exit code 5 if the proof does not hold.
    Proof {
        /// Index of the entry, counting from 0.
        index: i64,

        #[command(flatten)]
        log: Which,

        #[command(flatten)]
        pin: Pin,
    },
    /// Propose that the key which signs a log is succeeded by a new one; somebody else approves it with `lethe proposal
    /// approve`, and with that it is.
    ///
    /// Needs role tenant_admin or privacy_officer; for the vault's log, the operator's key. Purpose by default:
    /// administration.
    RotateKey(keys::Rotate),
    /// List the keys that a log had, each verified as the successor of the one before.
    ///
    /// Needs the roles of `checkpoint`. Purpose by default: audit. Exit code 5 if one does not follow from another, or the
    /// key that you keep is none of them.
    Keys(keys::Keys),
    /// List entries, all or those that are asked for.
    ///
    /// Needs role privacy_officer or auditor of the tenant, with --subject privacy_officer; of the vault's log, the
    /// operator's key. Purpose by default: audit. Exit code 5 if there are none.
    List(entries::List),
    /// Write a copy of a log to a folder, or continue one, to be kept and verified without the vault.
    ///
    /// The files are those of C2SP tlog-tiles. A copy is continued only if the log still begins with it. Needs role
    /// privacy_officer or auditor of the tenant; for the vault's log, the operator's key. Purpose by default: audit. Exit
    /// code 5 if the log is not what its checkpoint says, or was cut or forked since.
    Export(copy::Export),
    /// Print entries as JSON, one a line, and go on with those to come: for a collector. With --otlp send them to one.
    ///
    /// Each line is an object of the log, the index, and the entry's fields. To go on after the end, give --from the index
    /// after the last that came. With --otlp and --position, that is remembered as the collector acknowledges entries: none
    /// is left out, and after a crash some may come twice, with the same log.record.uid. A collector that takes none now is
    /// asked again until it does; one that refuses some ends the command. Needs the roles of `list`.
    Follow(follow::Follow),
    /// Compile what was touched within a time: by credential, operation, purpose and outcome.
    ///
    /// One canonical JSON document, which names credentials and no person. That it was made, why, and its SHA-256 are in
    /// the log. Needs role privacy_officer; with --vault, for all clients, the operator's key. Purpose by default: audit.
    BreachReport(breach::Report),
    /// Count calls per operation and outcome, by month or day.
    ///
    /// Needs role tenant_admin or auditor; with --vault, for all clients by month, the operator's key. Purpose by default:
    /// administration.
    Usage(usage::Usage),
}

pub(crate) async fn run(context: &Context, command: Ask) -> Result<Exit, Failure> {
    match command {
        Ask::Checkpoint { log, pin } => proof::checkpoint(context, &log, &pin).await,
        Ask::Proof { index, log, pin } => proof::proof(context, index, &log, &pin).await,
        Ask::RotateKey(rotate) => keys::rotate(context, rotate).await,
        Ask::Keys(keys) => keys::list(context, &keys).await,
        Ask::List(list) => entries::list(context, list).await,
        Ask::Export(export) => copy::export(context, &export).await,
        Ask::Follow(follow) => follow::follow(context, follow).await,
        Ask::BreachReport(report) => breach::report(context, report).await,
        Ask::Usage(usage) => usage::usage(context, &usage).await,
    }
}

pub(crate) fn verify(out: Output, command: &Verify) -> Result<Exit, Failure> {
    copy::verify(out, command)
}
