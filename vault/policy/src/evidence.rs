//! How long the evidence of a consent is kept (O29). Pure functions.

use lethe_domain::{Consent, Period, Timestamp};

const DAY: i64 = 86_400_000;

/// When a consent ended, or will: at its withdrawal or its own end, whichever is first.
pub fn end_of(consent: &Consent) -> Option<Timestamp> {
    match (consent.withdrawn_at, consent.expires_at) {
        (Some(withdrawn), Some(expires)) => Some(withdrawn.min(expires)),
        (withdrawn, expires) => withdrawn.or(expires),
    }
}

/// Whether a consent had ended by then.
pub fn had_ended(consent: &Consent, now: Timestamp) -> bool {
    end_of(consent).is_some_and(|end| end <= now)
}

/// Until when the evidence of a consent is kept, for the limitation period of claims; `None` while no end is in sight.
pub fn keep_until(consent: &Consent, limitation: Period) -> Option<Timestamp> {
    end_of(consent).map(|end| limitation.after(end))
}

/// The same, of a person who is forgotten at `now`: what was consented to ends with that at the latest, or when it was given if that
/// was later by some clock. The end of a day, so that it does not tell the moment.
pub fn keep_until_forgotten(consent: &Consent, now: Timestamp, limitation: Period) -> Timestamp {
    let end = limitation.after(now.max(consent.given_at)).millis();
    let forgotten = Timestamp::from_millis(end.div_euclid(DAY).saturating_add(1).saturating_mul(DAY));
    keep_until(consent, limitation).map_or(forgotten, |until| until.min(forgotten))
}

#[cfg(test)]
mod tests {
    use lethe_domain::{ConsentId, Giver, Label, Manner, Notice, Purpose, Retention};
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;

    fn at(moment: OffsetDateTime) -> Timestamp {
        Timestamp::from_millis((moment.unix_timestamp_nanos() / 1_000_000) as i64)
    }

    fn consent(expires: Option<OffsetDateTime>, withdrawn: Option<OffsetDateTime>) -> Consent {
        Consent {
            id: ConsentId::from_bytes([1; 16]),
            purpose: Purpose::Authentication,
            notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [7; 32] },
            manner: Manner::Written,
            giver: Giver::Subject,
            recipients: Vec::new(),
            countries: Vec::new(),
            given_at: at(datetime!(2024-02-29 12:00 UTC)),
            expires_at: expires.map(at),
            withdrawn_at: withdrawn.map(at),
        }
    }

    #[test]
    fn evidence_is_kept_from_the_end_of_the_consent_on() {
        let (soon, late) = (Some(datetime!(2024-06-30 8:00 UTC)), Some(datetime!(2028-02-29 8:00 UTC)));
        for (expires, withdrawn, expected) in [
            (None, None, None),
            // There is no such day then: the end of the month's last.
            (late, None, Some(datetime!(2033-03-01 0:00 UTC))),
            (None, soon, Some(datetime!(2029-06-30 8:00 UTC))),
            (late, soon, Some(datetime!(2029-06-30 8:00 UTC))),
            (soon, late, Some(datetime!(2029-06-30 8:00 UTC))),
        ] {
            assert_eq!(keep_until(&consent(expires, withdrawn), Retention::LIMITATION), expected.map(at));
        }
        assert_eq!(keep_until(&consent(None, soon), Period::months(12)), Some(at(datetime!(2025-06-30 8:00 UTC))));
    }

    #[test]
    fn a_person_who_is_forgotten_ends_it_to_the_day() {
        let forgotten = at(datetime!(2026-03-10 17:23:11 UTC));
        let until = |consent| keep_until_forgotten(&consent, forgotten, Retention::LIMITATION);
        assert_eq!(until(consent(None, None)), at(datetime!(2031-03-11 0:00 UTC)));
        assert_eq!(until(consent(Some(datetime!(2040-01-01 0:00 UTC)), None)), at(datetime!(2031-03-11 0:00 UTC)));
        let withdrawn = consent(None, Some(datetime!(2025-01-02 3:04 UTC)));
        assert_eq!(until(withdrawn), at(datetime!(2030-01-02 3:04 UTC)));
    }
}
