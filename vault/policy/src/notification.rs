//! Who has to be told what became of somebody's data (O41). Pure functions.

use std::collections::BTreeMap;

use lethe_domain::{Disclosure, Notification, Occasion, Period, Timestamp};

const DAY: i64 = 86_400_000;

/// Whom to tell, of disclosures about a person: one notification for each who received what the occasion is about, by name. What was
/// only proposed reached nobody. Of an erasure it has the end of the day, so that it does not tell which entry of the log it goes with.
pub fn owed(occasion: Occasion, disclosures: &[Disclosure], now: Timestamp) -> Vec<Notification> {
    let end_of_day = Timestamp::from_millis(now.millis().div_euclid(DAY).saturating_add(1).saturating_mul(DAY));
    let arisen_at = match occasion {
        Occasion::Erased | Occasion::ErasedInPart => end_of_day,
        Occasion::Rectified | Occasion::Restricted | Occasion::Corrected => now,
    };
    let mut owed = BTreeMap::new();
    for disclosure in disclosures {
        if disclosure.recorded_at.is_some() && disclosure.scope.iter().any(|told| occasion.is_about(*told)) {
            let told: &mut Vec<_> = owed.entry(disclosure.recipient.as_str()).or_default();
            told.push(disclosure);
        }
    }
    let notification = |received: Vec<&Disclosure>| {
        let recipient = received.first()?.recipient.clone();
        let mut disclosures: Vec<_> = received.iter().map(|disclosure| disclosure.id).collect();
        disclosures.sort_unstable();
        Some(Notification { recipient, occasion, disclosures, arisen_at, closed: None })
    };
    owed.into_values().filter_map(notification).collect()
}

/// Whether a notification need not be kept any more: what came of it is as old as claims that rest on it can be.
pub fn is_over(notification: &Notification, limitation: Period, now: Timestamp) -> bool {
    notification.closed.is_some_and(|(_, at)| limitation.after(at) <= now)
}

#[cfg(test)]
mod tests;
