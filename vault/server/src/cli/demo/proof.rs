//! The receipt: verified by a stranger, offline, with the vault's public key alone.

use std::path::PathBuf;

use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::receipt::Receipt;
use lethe_proto::names::LogName;
use lethe_proto::v1::{GetCheckpointRequest, GetReceiptRequest, Purpose};

use super::folder::Folder;
use super::forgetting::Forgotten;
use super::story::{Story, check};
use super::tenants::Callers;
use crate::cli::command::receipt;
use crate::cli::exit::Failure;
use crate::cli::import::report::grouped;

/// What a stranger needs.
pub(super) struct Proof {
    /// The receipt, as issued.
    pub(super) document: PathBuf,
    /// The vault's public key.
    pub(super) verifier: PathBuf,
}

pub(super) async fn play(
    story: &mut Story,
    folder: &Folder,
    acme: &Callers,
    forgotten: Forgotten,
) -> Result<Proof, Failure> {
    story.step("receipt", "The receipt, verified by a stranger")?;
    let request = GetReceiptRequest { name: forgotten.receipt, purpose: Purpose::DataSubjectRequest.into() };
    let document = acme.officer.audit().get_receipt(request).await?.into_inner().document;
    let request = GetCheckpointRequest { log: LogName::Vault.to_string(), purpose: Purpose::Audit.into() };
    let key = acme.auditor.audit().get_checkpoint(request).await?.into_inner().verifier_key;
    let proof = Proof { document: folder.path().join("receipt.json"), verifier: folder.path().join("vault.pub") };
    receipt::write(&proof.document, &document)?;
    receipt::write(&proof.verifier, key.as_bytes())?;

    // From here on no server is asked: only the two files count.
    let key: VerifierKey = receipt::verifier_key(&proof.verifier.display().to_string())?;
    let document =
        std::fs::read(&proof.document).map_err(|error| Failure::failed(format!("cannot read the receipt: {error}")))?;
    let verified = Receipt::verify(&document, &key)
        .map_err(|error| Failure::failed(format!("the receipt is not genuine: {error}")))?;
    story.say(&format!("{} bytes, and the public key {key}. What they prove:", grouped(document.len() as u64)))?;
    story.verbatim(&indented(&verified.to_string()))?;
    story.held("Genuine: signatures, inclusion proofs and the order of events, checked offline.")?;
    let refused = tampered(&document, &key)?;
    story.held(&format!(
        "Each of its {} bytes was changed in turn, and every time the receipt was refused.",
        grouped(refused)
    ))?;
    story.fact("receipt_bytes", document.len());
    story.fact("verifier_key", key.to_string());
    story.fact("tampered_and_refused", refused);
    story.fact("excludes", verified.excludes.iter().map(ToString::to_string).collect::<Vec<_>>());
    story.end()?;
    Ok(proof)
}

/// Changes every byte, one at a time; how many changes were refused.
fn tampered(document: &[u8], key: &VerifierKey) -> Result<u64, Failure> {
    let mut copy = document.to_vec();
    let mut refused = 0;
    for at in 0..copy.len() {
        let Some(byte) = copy.get_mut(at) else { break };
        *byte ^= 1;
        check(Receipt::verify(&copy, key).is_err(), || format!("byte {at} cannot be changed"))?;
        if let Some(byte) = copy.get_mut(at) {
            *byte ^= 1;
        }
        refused += 1;
    }
    Ok(refused)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("      {line}")).collect::<Vec<_>>().join("\n")
}
