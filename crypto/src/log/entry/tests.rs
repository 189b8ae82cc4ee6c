use proptest::prelude::*;

use super::*;
use crate::log::text::{EpochRoot, ReceiptId};
use crate::random::dangerous::Counting;
use crate::secret::SlotKey;

fn audit_key(byte: u8) -> AuditKey {
    AuditKey::derive(&SlotKey::from_fn(|key| key.fill(byte)))
}

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

fn origin() -> Origin {
    "vault.example/log".parse().unwrap()
}

fn enrolment() -> EntryDraft {
    EntryDraft::new(1_760_000_000_123, token("enrollment.enroll"), Outcome::Allowed)
        .credential(token("key-7f3a"))
        .purpose(token("authentication"))
        .basis(token("consent"))
        .subject(audit_key(1))
        .details(Zeroizing::new(br#"{"template":"t-1"}"#.to_vec()))
}

fn drafts() -> Vec<EntryDraft> {
    let draft = |operation, outcome| EntryDraft::new(1_760_000_000_999, token(operation), outcome);
    let erasure = ErasureCommitted {
        from: 7,
        to: 8,
        from_root: EpochRoot::from_bytes([0x11; 16]),
        to_root: EpochRoot::from_bytes([0x22; 16]),
        receipt: ReceiptId::from_bytes([0x33; 16]),
        scope: Scope::Subject,
        slots: 3,
    };
    let destruction = EpochDestroyed {
        epoch: 7,
        root: EpochRoot::from_bytes([0x11; 16]),
        store: token("file"),
        replicas: 2,
        found: Found::Present,
        medium: vec![token("MEDIUM_NOT_SEPARATE"), token("WEAR_LEVELLING_POSSIBLE")],
    };
    let quorum = Value::List(vec![Value::String("key-1".into()), Value::Number(2)]);
    let other = OtherEvent::new(token("MIRROR_DROPPED"), vec![("approved_by".into(), quorum)]).unwrap();
    vec![
        enrolment(),
        draft("authentication.verify", Outcome::Denied).reason(token("CONSENT_WITHDRAWN")).subject(audit_key(2)),
        draft("erasure.commit", Outcome::Allowed).event(Event::ErasureCommitted(erasure)),
        draft("epoch.destroy", Outcome::Allowed).event(Event::EpochDestroyed(destruction)),
        draft("mirror.drop", Outcome::Failed).event(Event::Other(other)),
        draft("identification.search", Outcome::Allowed).basis(token("contract")).policy(3),
    ]
}

fn finished() -> Vec<Entry> {
    let random = Counting::new("log entries");
    let finish = |(i, draft): (usize, EntryDraft)| draft.finish_with(&random, i as u64, &origin()).unwrap();
    drafts().into_iter().enumerate().map(finish).collect()
}

fn line(entry: &Entry) -> String {
    String::from_utf8(entry.encode()).unwrap()
}

/// Fixed keys and randomness, fixed bytes: these lines must read for ever.
#[test]
fn golden_entries() {
    let golden = include_str!("../golden/entries.jsonl");
    let lines: String = finished().iter().map(|entry| line(entry) + "\n").collect();
    assert_eq!(lines, golden);
    for (line, entry) in golden.lines().zip(finished()) {
        assert_eq!(Entry::decode(line.as_bytes()).unwrap(), entry);
        assert_eq!(entry.leaf(), Hash::leaf(line.as_bytes()));
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok());
    }
}

/// The pseudonym as a second implementation of HMAC computes it (RFC 2104 over SHA-256).
#[test]
fn a_pseudonym_is_an_hmac_of_log_and_index() {
    let key = audit_key(1);
    let mac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.expose());
    let place = [origin().as_str().as_bytes(), &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
    let expected = ring::hmac::sign(&mac, &place);
    let entry = enrolment().finish(0x0102, &origin()).unwrap();
    assert_eq!(entry.pseudonym.unwrap().as_bytes().as_slice(), expected.as_ref());
}

#[test]
fn an_entry_belongs_to_its_subject_in_its_place_alone() {
    let entry = enrolment().finish(5, &origin()).unwrap();
    assert!(entry.belongs_to(&origin(), 5, &audit_key(1)));
    assert!(!entry.belongs_to(&origin(), 5, &audit_key(2)));
    assert!(!entry.belongs_to(&origin(), 6, &audit_key(1)));
    assert!(!entry.belongs_to(&"another.example/log".parse().unwrap(), 5, &audit_key(1)));
    let nobody = EntryDraft::new(1, token("epoch.destroy"), Outcome::Allowed).finish(5, &origin()).unwrap();
    assert!(!nobody.belongs_to(&origin(), 5, &audit_key(1)));
}

#[test]
fn entries_of_one_subject_do_not_link() {
    let (a, b) = (enrolment().finish(5, &origin()).unwrap(), enrolment().finish(6, &origin()).unwrap());
    assert_ne!(a.pseudonym, b.pseudonym);
    assert_ne!(a.sealed, b.sealed);
    assert_ne!(a.blind, b.blind);
    let again = enrolment().finish(5, &origin()).unwrap();
    assert_ne!(a.leaf(), again.leaf(), "a leaf cannot be guessed from what it says");
}

#[test]
fn details_open_for_their_subject_in_their_place_alone() {
    let entry = enrolment().finish(5, &origin()).unwrap();
    let details = entry.unseal(&origin(), 5, &audit_key(1)).unwrap().unwrap();
    assert_eq!(details.as_slice(), br#"{"template":"t-1"}"#);
    assert!(!line(&entry).contains("t-1"));

    let elsewhere = "vault.example/other".parse().unwrap();
    assert!(entry.unseal(&origin(), 6, &audit_key(1)).is_err(), "another index");
    assert!(entry.unseal(&elsewhere, 5, &audit_key(1)).is_err(), "another log");
    assert!(entry.unseal(&origin(), 5, &audit_key(2)).is_err(), "another subject");

    let without = EntryDraft::new(1, token("a"), Outcome::Allowed).finish(5, &origin()).unwrap();
    assert!(without.unseal(&origin(), 5, &audit_key(1)).unwrap().is_none());
}

#[test]
fn a_draft_that_no_reader_would_accept_is_refused() {
    let draft = || EntryDraft::new(1, token("a"), Outcome::Allowed);
    let details = |n| Zeroizing::new(vec![0; n]);
    let refused = |draft: EntryDraft| draft.finish(0, &origin()).unwrap_err();
    assert!(matches!(refused(draft().details(details(1))), EntryError::DetailsWithoutSubject));
    assert!(matches!(refused(draft().subject(audit_key(1)).details(details(MAX_ENTRY))), EntryError::TooLong(_)));
    assert!(matches!(
        refused(EntryDraft::new(json::MAX_NUMBER + 1, token("a"), Outcome::Allowed)),
        EntryError::Json(_)
    ));
}

#[test]
fn a_draft_does_not_show_its_subject() {
    let shown = format!("{:?}", enrolment());
    assert!(shown.contains("enrollment.enroll") && shown.contains("[redacted]"));
    assert!(!shown.contains("t-1") && !shown.contains("116, 45, 49"), "{shown}");
    let key = audit_key(1);
    assert!(!shown.contains(&format!("{:?}", key.expose())), "{shown}");
}

#[test]
fn malformed_entries_are_refused() {
    let entries = finished();
    let (enrolment, erasure, destruction) = (line(&entries[0]), line(&entries[2]), line(&entries[3]));
    let with = |line: &str, from: &str, to: &str| {
        assert!(line.contains(from), "{from} in {line}");
        line.replacen(from, to, 1)
    };
    let pseudonym = entries[0].pseudonym.unwrap().to_string();
    let sealed = entries[0].sealed.as_ref().unwrap().to_string();
    for (case, line) in [
        ("empty", String::new()),
        ("not an object", "[]".into()),
        ("no fields", "{}".into()),
        ("newline at the end", enrolment.clone() + "\n"),
        ("space", with(&enrolment, ":1,", ": 1,")),
        ("version 0", with(&enrolment, r#""version":1"#, r#""version":0"#)),
        ("version 2", with(&enrolment, r#""version":1"#, r#""version":2"#)),
        ("version as text", with(&enrolment, r#""version":1"#, r#""version":"1""#)),
        ("no version", with(&enrolment, r#""version":1,"#, "")),
        ("no time", with(&enrolment, r#""time":1760000000123,"#, "")),
        ("time with fraction", with(&enrolment, "1760000000123", "1760000000.123")),
        ("time beyond 2^53", with(&enrolment, "1760000000123", "9007199254740992")),
        (
            "fields in another order",
            with(&enrolment, r#""version":1,"time":1760000000123"#, r#""time":1760000000123,"version":1"#),
        ),
        ("repeated field", with(&enrolment, r#""basis":"#, r#""basis":"consent","basis":"#)),
        ("unknown field", with(&enrolment, r#""basis":"#, r#""applicant":"x","basis":"#)),
        ("unknown field at the end", with(&enrolment, r#""}"#, r#"","applicant":"x"}"#)),
        ("empty operation", with(&enrolment, "enrollment.enroll", "")),
        ("free text", with(&enrolment, "enrollment.enroll", "enrol Jane")),
        ("e-mail as credential", with(&enrolment, "key-7f3a", "jane@example.com")),
        ("null purpose", with(&enrolment, r#""authentication""#, "null")),
        ("unknown outcome", with(&enrolment, "allowed", "granted")),
        ("outcome in capitals", with(&enrolment, "allowed", "Allowed")),
        ("pseudonym in capitals", with(&enrolment, &pseudonym, &pseudonym.to_uppercase())),
        ("short pseudonym", with(&enrolment, &pseudonym, &pseudonym[2..])),
        ("sealed not base64", with(&enrolment, &sealed, "****")),
        ("sealed unpadded", with(&enrolment, &sealed, sealed.trim_end_matches('=').get(1..).unwrap())),
        ("sealed too short", with(&enrolment, &sealed, "AQID")),
        ("sealed without pseudonym", with(&enrolment, &format!(r#""pseudonym":"{pseudonym}","#), "")),
        ("no blind", with(&enrolment, &format!(r#","blind":"{}""#, entries[0].blind), "")),
        ("short blind", with(&enrolment, &entries[0].blind.to_string(), "00")),
        ("event not an object", with(&erasure, r#""event":{"#, r#""event":[],"x":{"#)),
        ("event without type", with(&erasure, r#""type":"ERASURE_COMMITTED","#, "")),
        ("event with an unknown field", with(&erasure, r#""slots":3"#, r#""slots":3,"more":1"#)),
        ("event without a field", with(&erasure, r#","slots":3"#, "")),
        ("event fields in another order", with(&erasure, r#""from":7,"to":8"#, r#""to":8,"from":7"#)),
        ("unknown scope", with(&erasure, r#""scope":"subject""#, r#""scope":"person""#)),
        ("short root", with(&erasure, &"11".repeat(16), &"11".repeat(15))),
        ("short receipt id", with(&erasure, &"33".repeat(16), &"33".repeat(15))),
        ("medium not a list", with(&destruction, r#"["MEDIUM_NOT_SEPARATE","WEAR_LEVELLING_POSSIBLE"]"#, r#""NONE""#)),
        ("medium of numbers", with(&destruction, r#""MEDIUM_NOT_SEPARATE""#, "1")),
        ("free text in medium", with(&destruction, "MEDIUM_NOT_SEPARATE", "not separate")),
        ("too long", format!("{}{}", " ".repeat(MAX_ENTRY), enrolment)),
    ] {
        assert!(Entry::decode(line.as_bytes()).is_err(), "{case}: {line}");
    }
}

#[test]
fn an_unknown_event_is_kept_as_it_is_and_not_interpreted() {
    let known = line(&finished()[4]);
    let future = known
        .replace("MIRROR_DROPPED", "SOMETHING_NEW")
        .replace(r#""approved_by":"#, r#""by":{"a":1,"b":[]},"approved_by":"#);
    let entry = Entry::decode(future.as_bytes()).unwrap();
    assert_eq!(line(&entry), future);
    let Some(Event::Other(event)) = entry.event else { panic!("an event of another type") };
    assert_eq!(event.kind().as_str(), "SOMETHING_NEW");
    assert_eq!(event.fields().len(), 2);
}

#[test]
fn other_events_have_a_canonical_form_and_a_type_of_their_own() {
    let new = |kind: &str, fields: &[(&str, Value)]| {
        OtherEvent::new(token(kind), fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
    };
    let number = Value::Number(1);
    assert!(new("HOLD_PLACED", &[("case_ref", number.clone())]).is_ok());
    assert!(matches!(new("EPOCH_DESTROYED", &[]), Err(EntryError::ReservedType(_))));
    assert!(matches!(new("ERASURE_COMMITTED", &[]), Err(EntryError::ReservedType(_))));
    assert!(new("X", &[("a", number.clone()), ("a", number.clone())]).is_err(), "repeated key");
    assert!(new("X", &[("type", number.clone())]).is_err(), "a second type");
    assert!(new("X", &[("Not a key", number)]).is_err(), "key");
    assert!(new("X", &[("a", Value::Number(u64::MAX))]).is_err(), "number");
    assert!(new("X", &[("a", Value::String("\"".into()))]).is_err(), "quote");
    assert!(new("X", &[("a", Value::String("\",\"b\":\"c".into()))]).is_err(), "injected field");
}

fn tokens() -> impl Strategy<Value = Token> {
    "[A-Za-z0-9._:/-]{1,20}".prop_map(|text| token(&text))
}

prop_compose! {
    fn any_draft()(
        time in 0..=json::MAX_NUMBER,
        operation in tokens(),
        outcome in prop::sample::select(Outcome::ALL.to_vec()),
        texts in prop::array::uniform4(prop::option::of(tokens())),
        policy in prop::option::of(0..=json::MAX_NUMBER),
        subject in prop::option::of(any::<u8>()),
        details in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) -> (EntryDraft, Option<u8>, Option<Vec<u8>>) {
        let mut draft = EntryDraft::new(time, operation, outcome);
        let [credential, purpose, basis, reason] = texts;
        if let Some(credential) = credential { draft = draft.credential(credential); }
        if let Some(purpose) = purpose { draft = draft.purpose(purpose); }
        if let Some(basis) = basis { draft = draft.basis(basis); }
        if let Some(policy) = policy { draft = draft.policy(policy); }
        if let Some(reason) = reason { draft = draft.reason(reason); }
        let details = subject.and(details);
        if let Some(subject) = subject { draft = draft.subject(audit_key(subject)); }
        if let Some(details) = &details { draft = draft.details(Zeroizing::new(details.clone())); }
        (draft, subject, details)
    }
}

proptest! {
    #[test]
    fn entries_read_back_as_they_were_written((draft, subject, details) in any_draft(), index in 0_u64..1 << 53) {
        let entry = draft.finish(index, &origin()).unwrap();
        prop_assert_eq!(&Entry::decode(&entry.encode()).unwrap(), &entry);
        if let Some(subject) = subject {
            let key = audit_key(subject);
            prop_assert!(entry.belongs_to(&origin(), index, &key));
            let opened = entry.unseal(&origin(), index, &key).unwrap();
            prop_assert_eq!(opened.map(|details| details.to_vec()), details);
        }
    }

    /// A changed line is either refused or another line with another leaf; it never stands for the same entry.
    #[test]
    fn a_line_has_one_spelling(which in 0_usize..6, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = finished()[which].encode();
        let at = at.index(line.len());
        line[at] = byte;
        if let Ok(entry) = Entry::decode(&line) {
            prop_assert_eq!(entry.encode(), line);
        }
    }
}
