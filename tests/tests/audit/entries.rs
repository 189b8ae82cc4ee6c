//! Entries by the page, and those that are asked for.

use lethe_crypto::log::entry::{Entry, Outcome};
use lethe_proto::v1::{EntryFilter, EntryOutcome, ErrorReason, LogEntry, Purpose};
use lethe_tests::{Caller, Faces, Refused, Tenant, Vault, now};
use prost_types::Timestamp;
use tonic::Code;

fn read(entries: &[LogEntry]) -> Vec<(i64, Entry)> {
    entries.iter().map(|entry| (entry.leaf_index, Entry::decode(&entry.entry).unwrap())).collect()
}

async fn listed(caller: &Caller, log: &str, filter: EntryFilter) -> Vec<(i64, Entry)> {
    read(&caller.entries(log, filter).await.unwrap())
}

/// A tenant in whose log there is some of everything.
async fn eventful(vault: &Vault) -> Tenant {
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(51);
    for person in 0..4 {
        let id = format!("p-{person}");
        bank.enroller().enroll(&id, &faces.person(person).selfie()).await.unwrap();
        for _ in 0..3 {
            bank.authenticator().verify(&id, &faces.person(person).again()).await.unwrap();
        }
    }
    bank.enroller().search(&faces.person(0).selfie()).await.refused();
    bank.privacy_officer().subject("nobody").await.refused();
    bank.analyst().search(&faces.person(0).selfie()).await.unwrap();
    bank
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_what_is_asked_for_and_nothing_else() {
    let vault = Vault::fresh().await;
    let bank = eventful(&vault).await;
    let (auditor, log) = (bank.auditor(), bank.log());
    let all = listed(&auditor, &log, EntryFilter::default()).await;
    let indices: Vec<_> = all.iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, (0..i64::try_from(all.len()).unwrap()).collect::<Vec<_>>(), "each once, in order");
    for (index, entry) in all.iter().take(5) {
        assert_eq!(auditor.proof(&log, *index, 0).await.unwrap().entry, entry.encode());
    }

    let credential = bank.authenticator().key().unwrap()["lethe_".len().."lethe_".len() + 32].to_owned();
    let end = all.last().unwrap().1.time;
    let middle = all[all.len() / 2].1.time;
    let stamp = |time: u64| Timestamp {
        seconds: i64::try_from(time / 1000).unwrap(),
        nanos: i32::try_from(time % 1000).unwrap() * 1_000_000,
    };
    type Is = Box<dyn Fn(&Entry) -> bool>;
    let some = |token: &Option<lethe_crypto::log::text::Token>| token.as_ref().map(ToString::to_string);
    let by = credential.clone();
    let cases: Vec<(EntryFilter, Is)> = vec![
        (
            EntryFilter { operation: "authentication.verify".to_owned(), ..Default::default() },
            Box::new(|entry| entry.operation.as_str() == "authentication.verify"),
        ),
        (
            EntryFilter { credential, ..Default::default() },
            Box::new(move |entry| some(&entry.credential) == Some(by.clone())),
        ),
        (
            EntryFilter { stated_purpose: Purpose::DuplicateDetection.into(), ..Default::default() },
            Box::new(move |entry| some(&entry.purpose).as_deref() == Some("duplicate_detection")),
        ),
        (
            EntryFilter { outcome: EntryOutcome::Denied.into(), ..Default::default() },
            Box::new(|entry| entry.outcome == Outcome::Denied),
        ),
        (
            EntryFilter { reason: "ROLE_REQUIRED".to_owned(), ..Default::default() },
            Box::new(move |entry| some(&entry.reason).as_deref() == Some("ROLE_REQUIRED")),
        ),
        (
            EntryFilter { start_time: Some(stamp(middle)), ..Default::default() },
            Box::new(move |entry| entry.time >= middle),
        ),
        (
            EntryFilter { end_time: Some(stamp(middle)), ..Default::default() },
            Box::new(move |entry| entry.time < middle),
        ),
        (
            EntryFilter {
                operation: "authentication.verify".to_owned(),
                start_time: Some(stamp(middle)),
                end_time: Some(stamp(end)),
                ..Default::default()
            },
            Box::new(move |entry| {
                entry.operation.as_str() == "authentication.verify" && (middle..end).contains(&entry.time)
            }),
        ),
    ];
    for (filter, is) in cases {
        let what = format!("{filter:?}");
        let expected: Vec<_> = all.iter().filter(|(_, entry)| is(entry)).cloned().collect();
        assert!(!expected.is_empty(), "{what}");
        let mut found = listed(&auditor, &log, filter).await;
        // What listing itself logged came after.
        found.retain(|(index, _)| *index < i64::try_from(all.len()).unwrap());
        assert_eq!(found, expected, "{what}");
    }
    let after = EntryFilter {
        start_time: Some(Timestamp { seconds: now().seconds + 3600 * 3, nanos: 0 }),
        ..Default::default()
    };
    assert!(listed(&auditor, &log, after).await.is_empty());
    // Who listed is in the log.
    let lists = EntryFilter { operation: "audit.list_entries".to_owned(), ..Default::default() };
    assert!(listed(&auditor, &log, lists).await.len() >= 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_entries_are_about_is_told_to_privacy_officers_while_the_person_lives() {
    let vault = Vault::fresh().await;
    let bank = eventful(&vault).await;
    let (officer, log) = (bank.privacy_officer(), bank.log());
    let about = |person: &str| EntryFilter { subject: officer.subject_name(person), ..Default::default() };
    let found = listed(&officer, &log, about("p-1")).await;
    let operations: Vec<_> = found.iter().map(|(_, entry)| entry.operation.to_string()).collect();
    assert_eq!(
        operations[..4],
        ["enrollment.enroll", "authentication.verify", "authentication.verify", "authentication.verify"]
    );
    // Beside these there are only those of looking for them, which is about the person, too.
    assert!(operations[4..].iter().all(|operation| operation == "audit.list_subject_entries"), "{operations:?}");
    for (_, entry) in &found {
        assert!(entry.pseudonym.is_some());
        assert!(!String::from_utf8(entry.encode()).unwrap().contains("score"), "what is sealed stays so");
    }
    let only = EntryFilter { operation: "enrollment.enroll".to_owned(), ..about("p-1") };
    assert_eq!(listed(&officer, &log, only.clone()).await.len(), 1);
    let other = listed(&officer, &log, EntryFilter { operation: only.operation.clone(), ..about("p-2") }).await;
    assert_ne!(other[0].0, listed(&officer, &log, only.clone()).await[0].0);

    // An auditor reads the log, and nobody's part of it.
    let refusal = bank.auditor().entries(&log, about("p-1")).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    let shop = vault.tenant("shop").await;
    let foreign = EntryFilter { subject: shop.enroller().subject_name("p-1"), ..Default::default() };
    let refusal = officer.entries(&log, foreign).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("filter.subject");

    officer.erase("p-1").await.unwrap();
    for person in ["p-1", "nobody-ever"] {
        let refusal = officer.entries(&log, about(person)).await.refused();
        refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    }
    assert_eq!(listed(&officer, &log, EntryFilter { operation: only.operation, ..about("p-2") }).await, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vaults_entries_are_the_operators_and_what_is_no_filter_is_refused_by_field() {
    let vault = Vault::fresh().await;
    let bank = eventful(&vault).await;
    let operator = vault.operator();
    let created = EntryFilter { operation: "tenant.create".to_owned(), ..Default::default() };
    assert_eq!(listed(&operator, "vault/log", created).await.len(), 1);
    for caller in [bank.auditor(), bank.privacy_officer()] {
        let refusal = caller.entries("vault/log", EntryFilter::default()).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    }
    let refusal = operator.entries(&bank.log(), EntryFilter::default()).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);

    let (auditor, log) = (bank.auditor(), bank.log());
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    for (filter, field) in [
        (EntryFilter { operation: "two words".to_owned(), ..Default::default() }, "filter.operation"),
        (EntryFilter { credential: "\u{e9}".to_owned(), ..Default::default() }, "filter.credential"),
        (EntryFilter { reason: "x".repeat(129), ..Default::default() }, "filter.reason"),
        (EntryFilter { stated_purpose: 99, ..Default::default() }, "filter.stated_purpose"),
        (EntryFilter { outcome: -1, ..Default::default() }, "filter.outcome"),
        (EntryFilter { start_time: at(i64::MAX), ..Default::default() }, "filter.start_time"),
        (EntryFilter { start_time: at(5), end_time: at(5), ..Default::default() }, "filter.end_time"),
    ] {
        let refusal = auditor.entries(&log, filter).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field(field);
    }
    // A token is good for the list it was given out for.
    let mut request = lethe_proto::v1::ListEntriesRequest { page_size: 2, ..auditor.listing(&log) };
    let page = auditor.ask(request.clone()).await.unwrap();
    assert_eq!((page.entries.len(), page.entries[0].leaf_index), (2, 0));
    assert!(page.log_size > 20);
    request.page_token = page.next_page_token;
    assert_eq!(auditor.ask(request.clone()).await.unwrap().entries[0].leaf_index, 2);
    for other in [
        lethe_proto::v1::ListEntriesRequest { start_index: 1, ..request.clone() },
        lethe_proto::v1::ListEntriesRequest {
            filter: Some(EntryFilter { reason: "X".to_owned(), ..Default::default() }),
            ..request.clone()
        },
    ] {
        let refusal = auditor.ask(other).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::PageTokenMalformed);
    }
    for (start_index, page_size, field) in [(-1, 0, "start_index"), (0, -1, "page_size")] {
        let request = lethe_proto::v1::ListEntriesRequest { start_index, page_size, ..auditor.listing(&log) };
        let refusal = auditor.ask(request).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field(field);
    }
}
