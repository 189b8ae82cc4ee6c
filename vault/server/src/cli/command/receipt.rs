//! `lethe receipt`: the proof of an erasure.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use lethe_crypto::log::note::{NoteError, VerifierKey};
use lethe_crypto::log::receipt::{Receipt as Document, ReceiptError, Verified};
use lethe_crypto::log::succession::{Keys, MAX_FILE, Succession};
use lethe_proto::names::{CredentialParent, ReceiptName};
use lethe_proto::v1::{ErasureState, GetReceiptRequest, Purpose, Receipt};
use serde_json::{Value, json};

use super::Context;
use super::issued::check_new;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Card, Output};
use crate::cli::values::Coded as _;

/// Longest receipt worth reading; real ones have a few KiB.
const MAX_RECEIPT: u64 = 1 << 20;

/// What to do with receipts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a receipt.
    ///
    /// Needs role privacy_officer or auditor; of a shredded tenant or of a rotation (vault/receipts/…), the operator's key.
    /// Purpose by default: data_subject_request. Exit
    /// code 7 while the erasure is pending.
    Get {
        /// The receipt: its id of 32 characters, or its whole name.
        receipt: String,

        /// Write the receipt proper to this new file, byte by byte; - for standard output alone.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Verify a receipt offline, with the vault's public key alone.
    ///
    /// Calls no server. Exit code 5 if any byte is not as the vault issued it.
    Verify {
        /// The receipt proper, as it was issued; - for standard input.
        file: PathBuf,

        /// The vault's verifier key, <name>+<hash>+<key>, or a file that holds it. `lethe audit
        /// checkpoint --vault` shows it; take it once, from where you trust it, and keep it.
        #[arg(long, value_name = "KEY|FILE")]
        verifier: String,

        /// The successions of that log's key, as `lethe audit keys --vault --out` writes them: for a receipt that another of
        /// its keys signed than the one you keep.
        #[arg(long, value_name = "FILE")]
        successions: Option<PathBuf>,
    },
}

pub(crate) async fn get(context: &Context, receipt: &str, out: Option<&Path>) -> Result<Exit, Failure> {
    let to_stdout = out == Some(Path::new("-"));
    if let Some(path) = out.filter(|_| !to_stdout) {
        check_new(path)?;
    }
    let name = match receipt.contains('/') {
        true => receipt.parse(),
        false => ReceiptName::new(CredentialParent::Tenant(context.connection.tenant()?), receipt),
    };
    let name = name.map_err(|error| Failure::usage(error.to_string()))?;
    let client = context.connection.open().await?;
    let receipt = fetch(context, &client, &name.to_string()).await?;
    let finished = !receipt.document.is_empty();
    match out {
        Some(_) if to_stdout && finished => {
            io::stdout()
                .lock()
                .write_all(&receipt.document)
                .map_err(|error| Failure::failed(format!("cannot write the receipt: {error}")))?;
        }
        Some(path) if finished => {
            write(path, &receipt.document)?;
            show(context.out, &receipt)?;
        }
        Some(_) | None => show(context.out, &receipt)?,
    }
    Ok(if finished { Exit::Done } else { Exit::NotNow })
}

fn show(out: Output, receipt: &Receipt) -> Result<(), Failure> {
    let document = match receipt.state() {
        ErasureState::Shredded => Some(String::from_utf8_lossy(&receipt.document).into_owned()),
        ErasureState::Pending | ErasureState::Deferred | ErasureState::Unspecified => None,
    };
    let json = json!({
        "name": receipt.name,
        "state": receipt.state().code(),
        "create_time": receipt.create_time.as_ref().map(ToString::to_string),
        "shred_time": receipt.shred_time.as_ref().map(ToString::to_string),
        "document": document,
    });
    let card = Card::new(&receipt.name)
        .row("state", receipt.state().code())
        .maybe("durable", receipt.create_time)
        .maybe("destroyed", receipt.shred_time)
        .maybe("bytes", document.map(|document| document.len()));
    out.result(&json, &card)
}

/// Asks the server for a receipt.
pub(crate) async fn fetch(context: &Context, client: &Client, name: &str) -> Result<Receipt, Failure> {
    fetch_for(context, client, name, Purpose::DataSubjectRequest).await
}

/// Asks the server for a receipt, for a purpose unless the command line states another.
pub(crate) async fn fetch_for(
    context: &Context,
    client: &Client,
    name: &str,
    purpose: Purpose,
) -> Result<Receipt, Failure> {
    let purpose = context.connection.purpose(purpose);
    let request = GetReceiptRequest { name: name.to_owned(), purpose };
    Ok(client.audit().get_receipt(request).await?.into_inner())
}

/// Writes a receipt as it is: one more byte, and it would not verify.
pub(crate) fn write(path: &Path, document: &[u8]) -> Result<(), Failure> {
    let mut file = fs::File::create_new(path).map_err(|error| cannot("write", path, &error))?;
    file.write_all(document).and_then(|()| file.sync_all()).map_err(|error| cannot("write", path, &error))
}

/// Verifies a file.
pub(crate) fn verify(out: Output, file: &Path, verifier: &str, successions: Option<&Path>) -> Result<Exit, Failure> {
    let key = verifier_key(verifier)?;
    let keys = match successions {
        None => Keys::of(key),
        Some(path) => {
            let mut lines = Vec::new();
            let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut lines));
            read.map_err(|error| cannot("read", path, &error))?;
            let keys = Succession::decode_lines(&lines).and_then(|successions| Keys::follow(&key, &successions));
            keys.map_err(|error| Failure::new(Exit::No, format!("the successions are not genuine: {error}")))?
        }
    };
    let document = read(file).map_err(|error| cannot("read", file, &error))?;
    match Document::verify_by(&document, &keys) {
        Ok(verified) => {
            out.json(&attested(&verified))?;
            out.text(&format!("{}\n\n{verified}", out.paint().good("The receipt is genuine.")))?;
            Ok(Exit::Done)
        }
        Err(error) => {
            let way = match (&error, successions) {
                (ReceiptError::Checkpoint(NoteError::Unsigned(_)), None) => {
                    "; if the log's key was succeeded since you took it, say --successions"
                }
                _ => "",
            };
            Err(Failure::new(Exit::No, format!("the receipt is not genuine: {error}{way}")))
        }
    }
}

fn attested(verified: &Verified) -> Value {
    let step = verified.step();
    json!({
        "verified": true,
        "kind": if verified.erasure().is_some() { "erasure" } else { "rotation" },
        "receipt": step.receipt.to_string(),
        "log": verified.checkpoint.origin.to_string(),
        "committed_at_ms": verified.committed_at,
        "destroyed_at_ms": verified.destroyed_at,
        "from_epoch": step.from,
        "to_epoch": step.to,
        "keys_erased": verified.erasure().map_or(0, |erasure| erasure.slots),
        "signed_by": verified.signer.code(),
        "root_store": verified.destruction.store.to_string(),
        "excludes": verified.excludes.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// A verifier key, or the file that holds one.
pub(crate) fn verifier_key(text: &str) -> Result<VerifierKey, Failure> {
    let not_a_key = match text.trim().parse() {
        Ok(key) => return Ok(key),
        Err(error) => error,
    };
    let path = Path::new(text);
    match read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes)
            .trim()
            .parse()
            .map_err(|error| Failure::usage(format!("{} holds no verifier key: {error}", path.display()))),
        Err(error) => Err(Failure::usage(format!("the verifier is neither a key ({not_a_key}) nor a file ({error})"))),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_RECEIPT).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(path)?.take(MAX_RECEIPT).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {verb} {}: {error}", path.display()))
}
