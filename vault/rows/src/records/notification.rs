//! Whom to tell what became of somebody's data.

use lethe_domain::{DisclosureId, Label, Notification, NotificationOutcome, Occasion, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::dossier::{known, padded};
use super::json::decode;
use crate::Corrupt;

const NOTIFICATION: &str = "notification record";

/// Somebody who has to be told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationRecord {
    recipient: String,
    occasion: u8,
    disclosures: Vec<String>,
    arisen_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<ClosedRecord>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosedRecord {
    outcome: u8,
    at: i64,
}

impl NotificationRecord {
    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(notification: &Notification) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let closed =
            notification.closed.map(|(outcome, at)| ClosedRecord { outcome: outcome.number(), at: at.millis() });
        let record = Self {
            recipient: notification.recipient.as_str().to_owned(),
            occasion: notification.occasion.number(),
            disclosures: notification.disclosures.iter().map(ToString::to_string).collect(),
            arisen_at: notification.arisen_at.millis(),
            closed,
        };
        padded(NOTIFICATION, &record)
    }

    /// Reads a plaintext back.
    ///
    /// # Errors
    /// `Corrupt` for what is no notification.
    pub fn read(bytes: &[u8]) -> Result<Notification, Corrupt> {
        let record: Self = decode(NOTIFICATION, bytes)?;
        record.notification().ok_or_else(|| Corrupt::new(NOTIFICATION, "fields"))
    }

    fn notification(&self) -> Option<Notification> {
        let disclosures = self.disclosures.iter().map(|id| DisclosureId::parse(id)).collect::<Option<Vec<_>>>()?;
        if disclosures.is_empty() || !disclosures.is_sorted_by(|one, next| one < next) {
            return None;
        }
        Some(Notification {
            recipient: Label::parse("recipient", &self.recipient).ok()?,
            occasion: Occasion::from_number(self.occasion)?,
            disclosures,
            arisen_at: Timestamp::from_millis(self.arisen_at),
            closed: known(self.closed, ClosedRecord::closed)?,
        })
    }
}

impl ClosedRecord {
    fn closed(self) -> Option<(NotificationOutcome, Timestamp)> {
        Some((NotificationOutcome::from_number(self.outcome)?, Timestamp::from_millis(self.at)))
    }
}
