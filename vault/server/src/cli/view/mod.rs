//! Answers of the API, as JSON and as cards for people.

mod answers;
mod duties;
mod operations;
mod people;
mod tenants;
#[cfg(test)]
mod tests;

use lethe_proto::v1::{ModelVersion, Transfer};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::values::Coded;

pub(super) use self::answers::{pair, search, statement, swept, verdict};
pub(super) use self::duties::{case, notification, request, request_statistics, watchlist, watchlist_entry};
pub(super) use self::operations::{backup, backup_in_folder, damaged_backup_in_folder, mirror, root_status};
pub(super) use self::people::{consent, disclosure, ending, evidence, hold, subject, template};
pub(super) use self::tenants::{credential, issued, profile, proposal, signing_key, tenant};

/// A score in its shortest decimal spelling: JSON's numbers are wider and would show digits that the
/// score does not have.
pub(super) fn score(score: f32) -> Value {
    json!(score.to_string().parse::<f64>().unwrap_or(f64::NAN))
}

fn time(time: Option<&Timestamp>) -> Option<String> {
    time.map(ToString::to_string)
}

fn model(model: Option<&ModelVersion>) -> String {
    model.map_or_else(String::new, |model| format!("{}@{}", model.id, model.version))
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// What is said, if anything is: the receipt of an erasure that followed, say.
fn receipt(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

fn some(words: String) -> Option<String> {
    (!words.is_empty()).then_some(words)
}

/// Where something goes, and what makes that lawful, as JSON and in words.
fn transfer(transfer: Option<&Transfer>) -> (Value, Option<String>) {
    let Some(transfer) = transfer else { return (Value::Null, None) };
    let safeguard = (transfer.safeguard != 0).then(|| transfer.safeguard());
    let json = json!({
        "country": transfer.country,
        "safeguard": safeguard.map(Coded::code),
        "safeguard_reference": receipt(&transfer.safeguard_reference),
        "contract_reference": receipt(&transfer.contract_reference),
    });
    let parts = [
        Some(transfer.country.clone()),
        safeguard.map(|safeguard| format!("{} {}", safeguard.words(), transfer.safeguard_reference)),
        receipt(&transfer.contract_reference).map(|contract| format!("contract {contract}")),
    ];
    (json, Some(joined(parts.into_iter().flatten())))
}
