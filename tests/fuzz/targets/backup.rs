//! Rows, as a backup or a mirror gives them back: each key and each value has one spelling, or, where it is JSON, means the
//! same when it is written again.
#![no_main]

use std::fmt::Debug;

use lethe_crypto::epoch::EpochState;
use lethe_crypto::log::entry::Entry;
use lethe_domain::ModelId;
use lethe_rows::keys::{Key, RowKind};
use lethe_rows::records::{
    self, AskedRecord, CredentialRecord, DisclosureRecord, DossierRecord, EvidenceRecord, IntentRecord, ListedRecord,
    NotificationRecord, ProfileRecord, ReceiptRecord, Remembered, RequestRecord, StoredCase, StoredProposal,
    SubjectRecord, TemplateRecord, TenantRecord, WatchlistEntryRecord, WatchlistRecord,
};
use lethe_rows::{History, LogHead, MirrorId, Position, Restoring};
use lethe_sketch::Sketch;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

// The first byte is the length of the key; the value follows it, as the plaintext where the row is sealed.
fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((&length, rest)) = bytes.split_first() else { return Corpus::Reject };
    let Some((key, value)) = rest.split_at_checked(usize::from(length)) else { return Corpus::Reject };
    let Ok(decoded) = Key::decode(key) else { return Corpus::Keep };
    assert_eq!(decoded.encode(), key, "a key has two spellings");
    assert_eq!(key[0], decoded.kind() as u8);
    row(decoded.kind(), value);
    Corpus::Keep
});

fn row(kind: RowKind, value: &[u8]) {
    match kind {
        RowKind::Epoch => {
            if let Ok(state) = EpochState::decode(value) {
                assert_eq!(state.encode().expect("it was read"), value, "an epoch state has two spellings");
            }
        }
        RowKind::Position => {
            if let Ok(position) = Position::decode(value) {
                assert_eq!(position.encode(), value, "a position has two spellings");
                assert_eq!(position.id.to_string().parse::<MirrorId>(), Ok(position.id));
            }
        }
        RowKind::LogHead => {
            if let Ok(head) = LogHead::decode(value) {
                assert_eq!(head.encode(), value, "a log's head has two spellings");
            }
        }
        RowKind::History => {
            if let Ok(history) = History::decode(value) {
                assert_eq!(history.encode(), value, "a history has two spellings");
            }
        }
        RowKind::Restoring => {
            if let Ok(restoring) = Restoring::decode(value) {
                let written = restoring.encode().expect("what was read is written");
                let again = Restoring::decode(&written).expect("what was written is read");
                assert_eq!(again, restoring, "a restore's state changes when it is written again");
            }
        }
        RowKind::Sketch => {
            if let Ok(sketch) = Sketch::from_bytes(value) {
                assert_eq!(sketch.to_bytes().as_slice(), value, "a sketch has two spellings");
                assert_eq!(sketch.bits().len() * 8, sketch.dim());
            }
        }
        RowKind::LogEntry => {
            if let Ok(entry) = Entry::decode(value) {
                assert_eq!(entry.encode(), value, "an entry has two spellings");
            }
        }
        RowKind::Subject => {
            if let Ok(subject) = SubjectRecord::decode(value) {
                assert_eq!(subject.encode().as_slice(), value, "a subject has two spellings");
            }
        }
        RowKind::Template => {
            let model = ModelId::parse("m", "1").expect("a model");
            if let Ok(template) = TemplateRecord::decode(value, &model) {
                let again = TemplateRecord::encode(&template.facts, template.embedding.components());
                assert_eq!(again.as_slice(), value, "a template has two spellings");
            }
        }
        RowKind::Intent => {
            if let Some(intent) = json::<IntentRecord>(value) {
                assert_eq!(intent.slots().count(), intent.slots.len());
            }
        }
        RowKind::Receipt => drop(json::<ReceiptRecord>(value)),
        RowKind::TenantRequest | RowKind::SubjectRequest => drop(json::<Remembered<Value>>(value)),
        RowKind::Tenant => {
            if let Some(Ok((id, policy, created_at))) = json::<TenantRecord>(value).map(|record| record.parse()) {
                let again = TenantRecord::new(&id, &policy, created_at).parse().expect("it was read");
                assert_eq!(again, (id, policy, created_at));
            }
        }
        RowKind::Dossier => {
            if let Ok(dossier) = DossierRecord::read(value) {
                let again = DossierRecord::seal_as(&dossier).expect("it was read");
                let again = DossierRecord::read(&again).expect("it was written");
                assert_eq!(again, dossier, "a dossier loses something on its way");
            }
        }
        RowKind::Evidence => {
            if let Ok(evidence) = EvidenceRecord::read(value) {
                let again = EvidenceRecord::seal_as(&evidence).expect("it was read");
                let again = EvidenceRecord::read(&again).expect("it was written");
                assert_eq!(again, evidence, "evidence loses something on its way");
            }
        }
        RowKind::Watchlist => {
            if let Ok(list) = WatchlistRecord::read(value) {
                let again = WatchlistRecord::seal_as(&list).expect("it was read");
                assert_eq!(WatchlistRecord::read(&again).expect("it was written"), list);
            }
        }
        RowKind::WatchlistEntry => {
            if let Ok(record) = WatchlistEntryRecord::read(value) {
                let components = record.embedding.components();
                let again = WatchlistEntryRecord::seal_as(&record.entry, components).expect("it was read");
                let again = WatchlistEntryRecord::read(&again).expect("it was written");
                assert_eq!(again.entry, record.entry, "an entry of a watch list loses something on its way");
                let bits = |components: &[f32]| components.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(again.embedding.components()), bits(components));
            }
        }
        RowKind::Listed => {
            if let Ok(listed) = ListedRecord::read(value) {
                let again = ListedRecord::seal_as(&listed).expect("it was read");
                assert_eq!(ListedRecord::read(&again).expect("it was written"), listed);
            }
        }
        RowKind::Request => {
            if let Ok(request) = RequestRecord::read(value) {
                let again = RequestRecord::seal_as(&request).expect("it was read");
                let again = RequestRecord::read(&again).expect("it was written");
                assert_eq!(again, request, "a request loses something on its way");
            }
        }
        RowKind::Notification => {
            if let Ok(notification) = NotificationRecord::read(value) {
                let again = NotificationRecord::seal_as(&notification).expect("it was read");
                let again = NotificationRecord::read(&again).expect("it was written");
                assert_eq!(again, notification, "a notification loses something on its way");
            }
        }
        RowKind::Asked => {
            if let Ok(asked) = AskedRecord::read(value) {
                let again = AskedRecord::seal_as(&asked).expect("it was read");
                assert_eq!(AskedRecord::read(&again).expect("it was written"), asked);
            }
        }
        RowKind::Proposal => {
            let id = lethe_domain::ProposalId::from_bytes([0; 16]);
            if let Ok(proposal) = StoredProposal::read(id, value) {
                let again = proposal.encode().expect("it was read");
                let again = StoredProposal::read(id, &again).expect("it was written");
                assert_eq!(again, proposal, "a proposal loses something on its way");
            }
        }
        RowKind::Disclosure => {
            let id = lethe_domain::DisclosureId::from_bytes([0; 16]);
            if let Ok(disclosure) = DisclosureRecord::read(id, value) {
                let again = DisclosureRecord::seal_as(&disclosure).expect("it was read");
                let again = DisclosureRecord::read(id, &again).expect("it was written");
                assert_eq!(again, disclosure, "a disclosure loses something on its way");
            }
        }
        RowKind::Case => {
            let id = lethe_domain::CaseId::from_bytes([0; 16]);
            if let Ok(case) = StoredCase::read(id, value) {
                let again = case.encode().expect("it was read");
                let again = StoredCase::read(id, &again).expect("it was written");
                assert_eq!(again, case, "a case loses something on its way");
            }
        }
        RowKind::Credential => {
            if let Some(record) = json::<CredentialRecord>(value) {
                drop((record.roles(), record.proof()));
            }
        }
        RowKind::Profile => {
            let Some(record) = json::<ProfileRecord>(value) else { return };
            if let Ok(profile) = record.parse() {
                let at = |millis| lethe_domain::Timestamp::from_millis(millis);
                let again = ProfileRecord::new(&profile, at(record.created_at), at(record.updated_at));
                let written =
                    |record: &ProfileRecord| records::encode("profile", record).expect("it was read").to_vec();
                assert_eq!(written(&again), written(&record), "a profile loses something on its way");
            }
        }
        _ => {}
    }
}

/// Reads JSON, writes it, and reads that: it says the same, and is spelt the same from then on.
fn json<T: serde::Serialize + serde::de::DeserializeOwned + Debug>(value: &[u8]) -> Option<T> {
    let record = records::decode::<T>("row", value).ok()?;
    let written = records::encode("row", &record).expect("what was read is written");
    let again = records::decode::<T>("row", &written).expect("what was written is read");
    assert_eq!(format!("{again:?}"), format!("{record:?}"), "a row changes when it is written again");
    assert_eq!(records::encode("row", &again).expect("as before").as_slice(), written.as_slice());
    Some(record)
}
