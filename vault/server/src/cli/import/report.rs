//! What became of an import.

use std::time::Duration;

use serde_json::{Value, json};

use super::stream::Outcome;
use crate::cli::output::Card;

/// An import's result.
#[derive(Debug)]
pub(in crate::cli) struct Report {
    pub(super) outcome: Outcome,
    pub(super) import_id: String,
    pub(super) elapsed: Duration,
    /// The row it began with.
    pub(super) first: u64,
}

impl Report {
    /// Whether every row is stored.
    pub(super) fn is_clean(&self) -> bool {
        self.outcome.failed == 0 && self.outcome.unanswered == 0 && self.outcome.broken.is_none()
    }

    /// The first row whose fate is not known, if the import ended early.
    fn resume_at(&self) -> Option<u64> {
        self.outcome.broken.as_ref()?;
        self.outcome.first_unanswered.or(self.outcome.next).or(Some(self.first))
    }

    fn rate(&self) -> f64 {
        self.outcome.stored as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    pub(super) fn json(&self) -> Value {
        let outcome = &self.outcome;
        let errors: Vec<_> = outcome
            .rejected
            .iter()
            .map(|rejected| {
                json!({
                    "row": rejected.row,
                    "subject": rejected.subject,
                    "status": rejected.status,
                    "reason": rejected.reason,
                    "message": rejected.message,
                })
            })
            .collect();
        json!({
            "stored": outcome.stored,
            "failed": outcome.failed,
            "failed_by_reason": outcome.reasons,
            "first_errors": errors,
            "unanswered": outcome.unanswered,
            "ended_early": outcome.broken.as_ref().map(|failure| &failure.message),
            "resume_at_row": self.resume_at(),
            "import_id": self.import_id,
            "sequence": outcome.sequence,
            "seconds": self.elapsed.as_secs_f64(),
        })
    }

    pub(super) fn card(&self) -> Card {
        let outcome = &self.outcome;
        let mut card = Card::new(format!(
            "{} stored in {:.1} s ({:.0} a second)",
            grouped(outcome.stored),
            self.elapsed.as_secs_f64(),
            self.rate()
        ));
        for (reason, count) in &outcome.reasons {
            card = card.row("failed", format!("{} {reason}", grouped(*count)));
        }
        for rejected in &outcome.rejected {
            card = card.row(
                &format!("row {}", rejected.row),
                format!("{} {}: {}", rejected.subject, rejected.reason, rejected.message),
            );
        }
        if let Some(failure) = &outcome.broken {
            card = card.row("ended early", &failure.message);
        }
        if outcome.unanswered > 0 {
            card = card.row("unanswered", grouped(outcome.unanswered));
        }
        if let Some(row) = self.resume_at() {
            card = card.row("resume with", format!("--skip {row} --import-id {}", self.import_id));
        }
        card.row("import id", &self.import_id)
    }
}

/// A number with its thousands apart.
pub(in crate::cli) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Failure;

    fn report(outcome: Outcome) -> Report {
        Report { outcome, import_id: "id".into(), elapsed: Duration::from_secs(2), first: 3 }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (65_536, "65,536"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_broken_import_tells_where_to_resume() {
        let broken = || Some(Failure::failed("gone"));
        let outcome =
            Outcome { first_unanswered: Some(7), unanswered: 2, next: Some(9), broken: broken(), ..Outcome::default() };
        let json = report(outcome).json();
        assert_eq!(json["resume_at_row"], 7);
        assert_eq!(json["ended_early"], "gone");
        let all_answered = Outcome { next: Some(9), broken: broken(), ..Outcome::default() };
        assert_eq!(report(all_answered).resume_at(), Some(9));
        let nothing_sent = Outcome { broken: broken(), ..Outcome::default() };
        assert_eq!(report(nothing_sent).resume_at(), Some(3));
    }

    #[test]
    fn a_whole_import_has_nothing_to_resume() {
        let report = report(Outcome { stored: 5, next: Some(5), ..Outcome::default() });
        assert!(report.is_clean());
        assert_eq!(report.resume_at(), None);
    }
}
