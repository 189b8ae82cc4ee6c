//! The command line.
//!
//! One module a command; each reads arguments, makes a request, and shows the answer as text or as one
//! JSON object a line. Nothing here decides anything: `serve` and `demo` start a server, the rest are
//! clients of one, or read files.

mod capture;
mod client;
mod command;
mod configuration;
mod connection;
mod demo;
mod exit;
mod import;
mod output;
mod request_id;
mod secret;
mod serve;
mod status;
mod telemetry;
mod values;
mod view;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::memory;
use command::Context;
use connection::Connection;
use exit::{EXIT_CODES, Exit, Failure};
use output::Output;

/// Lethe: a biometric template vault that can forget.
///
/// It stores face embeddings, answers "is this the same person?" (verify) and "have we met this person
/// before?" (search), and forgets a person for good (erase), with a receipt that anyone can verify.
#[derive(Debug, Parser)]
#[command(name = "lethe", version, after_help = EXIT_CODES)]
struct Line {
    /// Show results as JSON, one object a line; failures too, on standard error.
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    connection: Connection,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server; without a configuration, an embedded instance on loopback in ./lethe-data.
    ///
    /// Configuration: defaults, below lethe.toml (or --config), below LETHE__SECTION__KEY variables,
    /// below flags. Root keys are in a file, or where root.store says: pkcs11, transit or tpm, with a section of that
    /// name; with root.from the vault moves there while it serves. SIGTERM and SIGINT finish what is at work, then stop.
    Serve(serve::Command),
    /// See it at work: a whole story on generated people, each step measured and checked.
    Demo(demo::Command),
    /// Create, show and shred tenants, and change what they allow.
    #[command(subcommand)]
    Tenant(command::tenant::Command),
    /// Create, list and revoke API keys.
    #[command(subcommand)]
    Key(command::credential::Command),
    /// Register and change models and their thresholds.
    #[command(subcommand)]
    Model(command::model::Command),
    /// Store a template; the first one of an applicant id makes the subject.
    ///
    /// Needs role enroller. Purpose by default: authentication.
    Enroll(command::enroll::Command),
    /// Ask whether a face is the subject's, 1:1.
    ///
    /// Needs role authenticator or fraud_analyst. Purpose by default: authentication; kind:
    /// authentication_capture. Exit code 0 for a match, 5 for none, 6 if a person must judge.
    Verify(command::verify::Command),
    /// Find everyone who looks like a face, 1:N, in the tenant's whole gallery.
    ///
    /// Needs role fraud_analyst. Purpose by default: duplicate_detection. Exit code 5 if
    /// nothing is found.
    Search(command::search::Command),
    /// Find who is in the tenant's gallery twice: every template against every other one.
    ///
    /// Pairs are written as they are found, with --json one object a line. Ctrl-C ends it and tells where to go on. Needs role
    /// fraud_analyst. Purpose by default: duplicate_detection. Exit code 5 if there are none.
    Sweep(command::sweep::Command),
    /// Erase a subject and everything of it, beyond recovery.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Erase(command::erase::Command),
    /// List, replace and delete single templates.
    #[command(subcommand)]
    Template(command::template::Command),
    /// Show what is held about a subject, hand it over, restrict its processing, record objections, age and law.
    #[command(subcommand)]
    Subject(command::subject::Command),
    /// Record, withdraw, list and export consents, and show their evidence.
    #[command(subcommand)]
    Consent(command::consent::Command),
    /// Place, release and list litigation holds.
    #[command(subcommand)]
    Hold(command::hold::Command),
    /// Show who is about to be erased for the age of the data, or for another end.
    #[command(subcommand)]
    Retention(command::retention::Command),
    /// Keep requests of data subjects: record, extend, answer, list and count them.
    #[command(subcommand)]
    Request(command::request::Command),
    /// Propose and list disclosures about a subject to authorities and third parties.
    #[command(subcommand)]
    Disclosure(command::disclosure::Command),
    /// List whom to tell what became of data that were disclosed to them, and record what came of it.
    #[command(subcommand)]
    Notification(command::notification::Command),
    /// Keep the review queue: open, list and answer questions about people, and contest answers.
    #[command(subcommand)]
    Case(command::case::Command),
    /// Keep watch lists of confirmed fraud and known masks: create, list and delete them, add, show, contest, decide on and remove entries.
    #[command(subcommand)]
    Watchlist(command::watchlist::Command),
    /// Register, list and revoke the public keys of capture and document services, whose attestations are believed.
    #[command(subcommand)]
    SigningKey(command::signing_key::Command),
    /// List, show, approve and reject what two persons decide.
    #[command(subcommand)]
    Proposal(command::proposal::Command),
    /// For who writes a capture service: make a key to sign with, and sign attestations to try.
    #[command(subcommand)]
    Attestation(command::attestation::Command),
    /// Enroll all rows of an .npy file.
    ///
    /// Needs role enroller. Purpose by default: authentication. Exit code 1 if any row failed.
    Import(import::Command),
    /// Read receipts of erasures, and verify them offline.
    #[command(subcommand)]
    Receipt(command::receipt::Command),
    /// Read, copy, verify and follow the audit log, and compile reports of it.
    #[command(subcommand, alias = "log")]
    Audit(command::audit::Command),
    /// Show, check, rotate and move the root keys, and go on without a root file that is lost.
    #[command(subcommand)]
    Root(command::root::Command),
    /// Make, list, verify and prune backups.
    #[command(subcommand)]
    Backup(command::backup::Command),
    /// Look after the vault's mirrors.
    #[command(subcommand)]
    Mirror(command::mirror::Command),
    /// Restore a vault, with the server stopped, from its mirror and a backup or what is left.
    ///
    /// The key tree, the receipts and the logs are those of the mirror, so who was erased stays erased. Says what is
    /// back, erased, lost since the backup, and damaged. May be run again after a crash.
    Restore(command::restore::Command),
    /// Look at what is left of a vault, for incident response: a data folder, a mirror, a backup.
    ///
    /// Nothing is written, locked or claimed, so the server may run. Says what is there, whether it is whole, and with
    /// --open which pages and rows the roots open; never who anybody is. Exit code 5 if anything is damaged, or the
    /// roots open nothing; 4 if there is nothing to look at.
    Inspect(command::inspect::Command),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,

        /// Write to this file instead of standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Runs the `lethe` command with the arguments of the process.
///
/// The exit codes are listed by `lethe --help`.
#[must_use]
pub fn main() -> ExitCode {
    telemetry::hide_panic_messages();
    // Ends the process itself for --help, --version and arguments that cannot be read (code 2).
    let line = Line::parse();
    let out = Output::new(line.json);
    match run(out, line) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            out.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(out: Output, line: Line) -> Result<Exit, Failure> {
    let context = Context { out, connection: line.connection };
    match line.command {
        Command::Serve(command) => {
            protect_memory()?;
            on_all_threads(serve::run(out, command))
        }
        Command::Demo(command) => {
            protect_memory()?;
            on_all_threads(demo::run(out, command))
        }
        Command::Tenant(command) => on_this_thread(command::tenant::run(&context, command)),
        Command::Key(command::credential::Command::Ask(command)) => {
            on_this_thread(command::credential::run(&context, command))
        }
        Command::Key(command::credential::Command::NewOperator(command)) => {
            protect_memory()?;
            on_all_threads(command::operator::run(out, command))
        }
        Command::Model(command) => on_this_thread(command::model::run(&context, command)),
        Command::Enroll(command) => on_this_thread(command::enroll::run(&context, command)),
        Command::Verify(command) => on_this_thread(command::verify::run(&context, command)),
        Command::Search(command) => on_this_thread(command::search::run(&context, command)),
        Command::Sweep(command) => on_this_thread(command::sweep::run(&context, command)),
        Command::Erase(command) => on_this_thread(command::erase::run(&context, command)),
        Command::Template(command) => on_this_thread(command::template::run(&context, command)),
        Command::Subject(command) => on_this_thread(command::subject::run(&context, command)),
        Command::Consent(command) => on_this_thread(command::consent::run(&context, command)),
        Command::Hold(command) => on_this_thread(command::hold::run(&context, command)),
        Command::Retention(command) => on_this_thread(command::retention::run(&context, command)),
        Command::Case(command) => on_this_thread(command::case::run(&context, command)),
        Command::Notification(command) => on_this_thread(command::notification::run(&context, command)),
        Command::Watchlist(command) => on_this_thread(command::watchlist::run(&context, command)),
        Command::Request(command) => on_this_thread(command::request::run(&context, command)),
        Command::Disclosure(command) => on_this_thread(command::disclosure::run(&context, command)),
        Command::SigningKey(command) => on_this_thread(command::signing_key::run(&context, command)),
        Command::Proposal(command) => on_this_thread(command::proposal::run(&context, command)),
        Command::Attestation(command) => command::attestation::run(&context, command),
        Command::Import(command) => on_this_thread(import::run(&context, command)),
        Command::Receipt(command::receipt::Command::Get { receipt, out }) => {
            on_this_thread(command::receipt::get(&context, &receipt, out.as_deref()))
        }
        Command::Receipt(command::receipt::Command::Verify { file, verifier, successions }) => {
            command::receipt::verify(out, &file, &verifier, successions.as_deref())
        }
        Command::Audit(command::audit::Command::Ask(command)) => on_this_thread(command::audit::run(&context, command)),
        Command::Audit(command::audit::Command::Verify(command)) => command::audit::verify(out, &command),
        Command::Root(command) => {
            protect_memory()?;
            on_all_threads(command::root::run(&context, command))
        }
        Command::Backup(command) => on_this_thread(command::backup::run(&context, command)),
        Command::Mirror(command) => on_all_threads(command::mirror::run(&context, command)),
        Command::Restore(command) => {
            protect_memory()?;
            on_all_threads(async move { command::restore::run(out, &command).await })
        }
        Command::Inspect(command) => {
            protect_memory()?;
            on_all_threads(async move { command::inspect::run(out, &command).await })
        }
        Command::Completions { shell, out } => completions(shell, out),
    }
}

fn protect_memory() -> Result<(), Failure> {
    memory::protect().map_err(|error| Failure::failed(error.to_string()))
}

/// A client waits for one answer at a time.
fn on_this_thread(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?
        .block_on(command)
}

fn on_all_threads(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?
        .block_on(command)
}

fn completions(shell: Shell, out: Option<PathBuf>) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "lethe", &mut script);
    let written = match out {
        Some(path) => std::fs::write(path, script),
        None => io::Write::write_all(&mut io::stdout().lock(), &script),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write the script: {error}")))
        }
        Ok(()) | Err(_) => Ok(Exit::Done),
    }
}

#[cfg(test)]
mod tests;
