//! What crosses a border, as it is held to a proposal and told in archives (O32). What decides is `lethe_policy`.

use lethe_domain::{Label, Transfer};
use serde_json::{Value, json};

use crate::idempotency::Fingerprint;

/// Takes a transfer into a digest, each part of it: whoever approves approves them all.
pub(crate) fn taken_in(print: Fingerprint, transfer: &Transfer) -> Fingerprint {
    let safeguard = transfer.safeguard.as_ref();
    print
        .with(transfer.destination.as_str().as_bytes())
        .with(&[safeguard.map_or(0, |safeguard| safeguard.kind.number())])
        .with(safeguard.map_or("", |safeguard| safeguard.reference.as_str()).as_bytes())
        .with(transfer.contract.as_ref().map_or("", Label::as_str).as_bytes())
}

/// What archives tell of it.
pub(crate) fn told(transfer: &Transfer) -> Value {
    json!({
        "country": transfer.destination.as_str(),
        "safeguard": transfer.safeguard.as_ref().map(|safeguard| safeguard.kind.name()),
        "safeguard_reference": transfer.safeguard.as_ref().map(|safeguard| safeguard.reference.as_str()),
        "contract_reference": transfer.contract.as_ref().map(Label::as_str),
    })
}

/// What entries of the log tell of it in clear: codes, and nothing that a client named.
pub(crate) fn fields(transfer: &Transfer) -> [(&'static str, String); 2] {
    let safeguard = transfer.safeguard.as_ref().map_or("none", |safeguard| safeguard.kind.name());
    [("country", transfer.destination.to_string()), ("safeguard", safeguard.to_owned())]
}
