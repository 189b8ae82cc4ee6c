//! Consents as records after ISO/IEC TS 27560:2023. `docs/FORMAT.md` says which fields are there.

use lethe_domain::{Consent, Giver, Label, Manner, SubjectId, TenantId, TenantPolicy, Timestamp};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The profile that the records are of.
const SCHEMA: &str = "ISO/IEC TS 27560:2023; lethe/1";

/// What a record has no value for: the client knows it, the vault does not.
const NOT_KNOWN: [&str; 5] = [
    "pii_processing.language",
    "pii_processing.storage_locations",
    "pii_processing.retention_period",
    "parties.address",
    "parties.contact",
];

/// The record of a consent.
pub(crate) fn record(tenant: &TenantId, subject: &SubjectId, policy: &TenantPolicy, consent: &Consent) -> Value {
    let giver = match consent.giver {
        Giver::Subject => "pii_principal",
        Giver::Guardian => "guardian",
    };
    let mut events = vec![json!({
        "event_time": text(consent.given_at),
        "event_type": "explicit",
        "event_state": "given",
        "entity": giver,
        "manner": match consent.manner {
            Manner::Written => "written",
            Manner::Electronic => "electronic",
            Manner::Spoken => "spoken",
        },
        "valid_until": consent.expires_at.map(text),
    })];
    if let Some(withdrawn) = consent.withdrawn_at {
        // Who withdrew it is not recorded.
        events.push(json!({ "event_time": text(withdrawn), "event_type": "explicit", "event_state": "withdrawn" }));
    }
    let controller = json!({ "party_id": tenant.as_str(), "party_role": "pii_controller" });
    let third =
        consent.recipients.iter().map(|named| json!({ "party_id": named.as_str(), "party_role": "third_party" }));
    let parties: Vec<_> = std::iter::once(controller).chain(third).collect();
    json!({
        "schema_version": SCHEMA,
        "record_id": consent.id.to_string(),
        "pii_principal_id": subject.as_str(),
        "pii_processing": {
            "privacy_notice": { "version": consent.notice.version.as_str(), "sha256": hex::encode(consent.notice.sha256) },
            "language": null,
            "purposes": [{
                "purpose": consent.purpose.name(),
                "lawful_basis": policy.basis(consent.purpose).map(lethe_domain::LawfulBasis::name),
                "pii_information": ["face template"],
                "pii_controllers": [tenant.as_str()],
            }],
            "storage_locations": null,
            "processing_locations": consent.countries.iter().map(|country| country.as_str()).collect::<Vec<_>>(),
            "recipient_third_parties": consent.recipients.iter().map(Label::as_str).collect::<Vec<_>>(),
            "retention_period": null,
        },
        "parties": parties,
        "events": events,
        "not_known": NOT_KNOWN,
    })
}

/// A time as RFC 3339 has it, in UTC.
pub(crate) fn text(time: Timestamp) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.millis()) * 1_000_000).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{} ms", time.millis()))
}

#[cfg(test)]
mod tests {
    use lethe_domain::{ConsentId, Country, LawfulBasis, Notice, Purpose, PurposeBasis};

    use super::*;

    #[test]
    fn a_record_has_the_mandatory_fields_and_says_which_it_cannot_fill() {
        let consent = Consent {
            id: ConsentId::from_bytes([0xaa; 16]),
            purpose: Purpose::Authentication,
            notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [0xbb; 32] },
            manner: Manner::Written,
            giver: Giver::Guardian,
            recipients: vec![Label::parse("recipient", "bank-2").unwrap()],
            countries: vec![Country::parse("country", "KZ").unwrap(), Country::parse("country", "US").unwrap()],
            given_at: Timestamp::from_millis(1_000),
            expires_at: None,
            withdrawn_at: Some(Timestamp::from_millis(1_800_000_000_123)),
        };
        let basis = PurposeBasis { purpose: Purpose::Authentication, basis: LawfulBasis::ExplicitConsent };
        let (tenant, subject) = (TenantId::parse("acme").unwrap(), SubjectId::parse("p-1").unwrap());
        let record = record(&tenant, &subject, &TenantPolicy::of(vec![basis]), &consent);
        let expected = json!({
            "schema_version": "ISO/IEC TS 27560:2023; lethe/1",
            "record_id": "aa".repeat(16),
            "pii_principal_id": "p-1",
            "pii_processing": {
                "privacy_notice": { "version": "v1", "sha256": "bb".repeat(32) },
                "language": null,
                "purposes": [{
                    "purpose": "authentication",
                    "lawful_basis": "explicit_consent",
                    "pii_information": ["face template"],
                    "pii_controllers": ["acme"],
                }],
                "storage_locations": null,
                "processing_locations": ["KZ", "US"],
                "recipient_third_parties": ["bank-2"],
                "retention_period": null,
            },
            "parties": [
                { "party_id": "acme", "party_role": "pii_controller" },
                { "party_id": "bank-2", "party_role": "third_party" },
            ],
            "events": [
                {
                    "event_time": "1970-01-01T00:00:01Z", "event_type": "explicit", "event_state": "given",
                    "entity": "guardian", "manner": "written", "valid_until": null,
                },
                { "event_time": "2027-01-15T08:00:00.123Z", "event_type": "explicit", "event_state": "withdrawn" },
            ],
            "not_known": NOT_KNOWN,
        });
        assert_eq!(record, expected);
    }
}
