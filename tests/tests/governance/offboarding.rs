//! The end of a contract (O27): agreed by two, handed over, confirmed, and only then shredded.

use std::collections::BTreeMap;
use std::io::Read as _;

use lethe_proto::v1::{self, ErasureState, ErrorReason, Purpose, Role};
use lethe_tests::{Caller, Faces, Refused, Tenant, Vault};
use sha2::{Digest as _, Sha256};
use tonic::Code;

type Files = BTreeMap<String, Vec<u8>>;

/// What its holder makes of an archive.
fn opened(archive: &[u8], key: &age::x25519::Identity) -> Files {
    let sealed = age::Decryptor::new(archive).unwrap();
    let tar = sealed.decrypt(std::iter::once(key as &dyn age::Identity)).unwrap();
    let mut files = Files::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (name, mut bytes) = (entry.path().unwrap().display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        assert!(files.insert(name, bytes).is_none(), "a file is there twice");
    }
    files
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

fn lines(files: &Files, prefix: &str) -> Vec<serde_json::Value> {
    let files = files.iter().filter(|(name, _)| name.starts_with(prefix) && name.ends_with(".jsonl"));
    files.flat_map(|(_, bytes)| bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json)).collect()
}

fn digest(archive: &[u8]) -> String {
    hex::encode(Sha256::digest(archive))
}

/// Two persons agree that the bank leaves, and takes its data along.
async fn agreed(vault: &Vault, bank: &Tenant, key: &age::x25519::Identity) -> (Caller, String) {
    let director = bank.with_roles(&[Role::TenantAdmin]).await;
    let proposal = director.ask(director.offboarding(Some(&key.to_public().to_string()))).await.unwrap();
    vault.operator().approve(&proposal).await.unwrap();
    (director, proposal.name)
}

fn shredding(operator: &Caller, proposal: &str) -> v1::ShredTenantRequest {
    v1::ShredTenantRequest { proposal: proposal.to_owned(), ..operator.shredding("bank") }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_takes_everything_along_and_is_shredded_then() {
    let vault = Vault::setup().apart().start().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let people = Faces::seeded(421).strangers(70);
    for (number, person) in people.iter().enumerate() {
        bank.enroller().enroll(&format!("person-{number}"), &person.selfie()).await.unwrap();
    }
    bank.enroller().enroll("person-0", &people[0].again()).await.unwrap();
    let officer = bank.privacy_officer();
    officer.consents_to("person-1", Purpose::Authentication).await.unwrap();
    officer.opens(v1::RightsRequestKind::Access, Some("person-3")).await.unwrap();
    let case = bank.analyst().ask(bank.analyst().pairing("person-3", "person-4")).await.unwrap();
    bank.reviewer().decide(&case.name, v1::CaseStep::Distinct, v1::CaseReason::ImagesCompared).await.unwrap();
    let analyst = bank.analyst();
    analyst.keep_watchlist("fraud", v1::WatchlistKind::ConfirmedFraud).await.unwrap();
    let mut listed = Vec::new();
    for subject in ["person-2", "person-4"] {
        let template = bank.enroller().templates(subject).await.unwrap().remove(0).name;
        listed.push(analyst.ask(analyst.listing_of("fraud", &template)).await.unwrap().name);
    }
    officer.erase("person-2").await.unwrap();
    let key = age::x25519::Identity::generate();
    let (director, proposal) = agreed(&vault, &bank, &key).await;

    // Nothing is destroyed before the data are handed over and that is confirmed.
    let early = operator.ask(shredding(&operator, &proposal)).await.refused();
    early.assert_is(Code::FailedPrecondition, ErrorReason::HandoverPending);
    let refusal = director.confirm(&proposal, "0".repeat(64)).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::HandoverPending);
    let archive = director.export_silo(&proposal).await.unwrap();
    vault.crash().await;
    let handed = director.proposal(&proposal).await.unwrap();
    let Some(v1::proposal::Content::Offboarding(leaving)) = handed.content else { panic!("of something else") };
    assert_eq!((leaving.subjects, leaving.templates), (69, 70));
    assert!(leaving.handover_time.is_some() && leaving.confirm_time.is_none());
    let unconfirmed = operator.ask(shredding(&operator, &proposal)).await.refused();
    unconfirmed.assert_is(Code::FailedPrecondition, ErrorReason::HandoverPending);

    // Only the key's holder opens it, and finds everybody in it.
    assert!(!archive.windows(8).any(|bytes| bytes == b"person-1"));
    let stranger = age::x25519::Identity::generate();
    assert!(
        age::Decryptor::new(&archive[..]).unwrap().decrypt(std::iter::once(&stranger as &dyn age::Identity)).is_err()
    );
    let files = opened(&archive, &key);
    let head = json(&files["archive.json"]);
    assert_eq!((&head["format"], &head["tenant"]), (&3.into(), &"bank".into()), "{head}");
    assert_eq!(head["models"][0]["dimension"], 512);
    let end = json(&files["end.json"]);
    assert_eq!((&end["subjects"], &end["templates"]), (&69.into(), &70.into()), "{end}");
    let subjects = lines(&files, "subjects-");
    assert_eq!(subjects.len(), 69);
    let find = |name: &str| subjects.iter().find(|line| line["subject"] == name);
    assert!(find("person-2").is_none(), "who was erased is not handed over");
    assert_eq!(find("person-1").unwrap()["known"]["consents"][0]["purpose"], "authentication");
    assert_eq!(find("person-0").unwrap()["templates"].as_array().unwrap().len(), 2);
    let evidence = lines(&files, "evidence-");
    let of_whom: Vec<_> = evidence.iter().map(|line| (&line["consent"], &line["keep_until"])).collect();
    assert_eq!(of_whom, [(&find("person-1").unwrap()["known"]["consents"][0], &serde_json::Value::Null)]);
    let requests = lines(&files, "requests-");
    assert_eq!((requests.len(), &requests[0]["kind"]), (1, &"access".into()));
    assert_eq!(find("person-3").unwrap()["requests"][0], requests[0]["id"]);
    let reviewed = &find("person-3").unwrap()["cases"][0];
    assert_eq!((&reviewed["kind"], &reviewed["state"]), (&"possible_duplicate".into(), &"distinct".into()));
    assert_eq!((&reviewed["other_subject"], &reviewed["band"]), (&"person-4".into(), &"no_match".into()));
    assert!(reviewed["decisions"][0]["by"].is_string(), "{reviewed}");
    assert!(find("person-4").unwrap()["cases"].as_array().unwrap().is_empty());
    assert!(requests[0]["received_at"].as_str().unwrap().ends_with('Z'), "{}", requests[0]);
    assert_eq!((&end["requests"], &end["evidence"]), (&1.into(), &1.into()), "{end}");
    // Entries of watch lists, also of who is erased, with their embeddings.
    assert_eq!((&end["watchlists"], &end["watchlist_entries"], &end["unreadable"]), (&1.into(), &2.into(), &0.into()));
    assert_eq!(lines(&files, "watchlists.")[0]["kind"], "confirmed_fraud");
    let entries = lines(&files, "watchlist-entries-");
    for (name, number) in listed.iter().zip([2, 4]) {
        let entry = entries.iter().find(|entry| entry["name"] == name.as_str()).unwrap();
        assert_eq!((&entry["state"], &entry["lawful_basis"]), (&"active".into(), &"legitimate_interests".into()));
        let npy = &files[entry["file"].as_str().unwrap()];
        let stored: Vec<f32> =
            npy[128..].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        assert!(lethe_tests::cosine(&stored, &people[number].selfie()) > 0.9999);
    }
    let of_person_4 = &find("person-4").unwrap()["watchlist_entries"];
    assert!(listed[1].ends_with(of_person_4[0].as_str().unwrap()), "{of_person_4}");
    for number in [1, 69] {
        let line = find(&format!("person-{number}")).unwrap();
        let npy = &files[line["templates"][0]["file"].as_str().unwrap()];
        assert!(npy.starts_with(b"\x93NUMPY\x01\x00"));
        let stored: Vec<f32> =
            npy[128..].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        let likeness = lethe_tests::cosine(&stored, &people[number].selfie());
        assert!(stored.len() == 512 && likeness > 0.9999, "{likeness}");
    }
    let log = lines(&files, "log-");
    assert_eq!(end["log_entries"], log.len());
    assert!(log.iter().any(|entry| entry["operation"] == "subject.erase"));
    assert!(String::from_utf8_lossy(&files["log-checkpoint.note"]).contains(&format!("\n{}\n", log.len())));

    let wrong = director.confirm(&proposal, digest(b"another")).await.refused();
    wrong.assert_is(Code::FailedPrecondition, ErrorReason::ArchiveMismatch);
    let confirmed = director.confirm(&proposal, digest(&archive)).await.unwrap();
    assert_eq!(
        director.confirm(&proposal, digest(&archive)).await.unwrap(),
        confirmed,
        "a repeat gives the first answer"
    );
    vault.crash().await;
    let erasure = operator.ask(shredding(&operator, &proposal)).await.unwrap();
    assert_eq!(erasure.state(), ErasureState::Shredded);
    director.proposal(&proposal).await.refused().assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);

    // The vault's log tells every step, and of which proposal.
    let size = operator.checkpoint("vault/log").await.unwrap().tree_size;
    let mut steps = Vec::new();
    for leaf in 0..size {
        let entry = json(&operator.proof("vault/log", leaf, size).await.unwrap().entry);
        if entry["event"]["proposal"].as_str().is_some_and(|id| proposal.ends_with(id)) {
            steps.push(entry["event"]["type"].as_str().unwrap().to_owned());
        }
    }
    let expected = [
        "OFFBOARDING_PROPOSED",
        "OFFBOARDING_APPROVED",
        "HANDOVER_BEGUN",
        "HANDED_OVER",
        "HANDOVER_CONFIRMED",
        "TENANT_CLOSED",
    ];
    assert_eq!(steps, expected);
    vault.stop().await;
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_the_archive_is_not_lost_with_the_tenant() {
    let vault = Vault::fresh().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let people = Faces::seeded(422).strangers(3);
    bank.enroller().enroll("ada", &people[0].selfie()).await.unwrap();
    let key = age::x25519::Identity::generate();
    let (director, proposal) = agreed(&vault, &bank, &key).await;
    let stale = director.export_silo(&proposal).await.unwrap();
    bank.enroller().enroll("bea", &people[1].selfie()).await.unwrap();
    let refusal = director.confirm(&proposal, digest(&stale)).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::HandoverPending);
    let again = director.export_silo(&proposal).await.unwrap();
    let refusal = director.confirm(&proposal, digest(&stale)).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ArchiveMismatch);
    director.confirm(&proposal, digest(&again)).await.unwrap();
    // Nor what came after its word that it has everything. Reading, and erasing somebody, adds nothing.
    bank.analyst().search(&people[0].again()).await.unwrap();
    bank.privacy_officer().erase("bea").await.unwrap();
    bank.privacy_officer().consents_to("ada", Purpose::Authentication).await.unwrap();
    let refusal = operator.ask(shredding(&operator, &proposal)).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::HandoverPending);
    assert!(bank.analyst().finds("ada", &people[0].again()).await, "nothing was done");
    let last = director.export_silo(&proposal).await.unwrap();
    assert_eq!(lines(&opened(&last, &key), "subjects-").len(), 1);
    director.confirm(&proposal, digest(&last)).await.unwrap();
    bank.analyst().search(&people[0].again()).await.unwrap();
    operator.ask(shredding(&operator, &proposal)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_does_not_go_by_anything_less() {
    let vault = Vault::fresh().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let face = Faces::seeded(423).person(0);
    bank.enroller().enroll("ada", &face.selfie()).await.unwrap();
    let refusal = operator.ask(operator.shredding("bank")).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ApprovalRequired);
    assert_eq!(refusal.metadata()["obligation"], "O27");
    let none = format!("{}/proposals/{}", bank.name(), "0".repeat(32));
    let refusal = operator.ask(shredding(&operator, &none)).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::ProposalNotFound);
    let director = bank.with_roles(&[Role::TenantAdmin]).await;
    let open = director.ask(director.offboarding(None)).await.unwrap();
    let refusal = operator.ask(shredding(&operator, &open.name)).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ApprovalRequired);
    director.export_silo(&open.name).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ApprovalRequired);
    // A disclosure that two agreed on is no end of a tenant, nor is another tenant's end.
    let (officer, second) = (bank.privacy_officer(), bank.with_roles(&[Role::PrivacyOfficer]).await);
    let order = v1::disclosure::Ground::LegalOrderReference("order-1".to_owned());
    let told = officer.ask(officer.disclosing("ada", Some(order))).await.unwrap();
    second.approve(&told).await.unwrap();
    let refusal = operator.ask(shredding(&operator, &told.name)).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ProposalMismatch);
    let casino = vault.tenant("casino").await;
    let others = operator.agreed(&casino).await.proposal;
    let refusal = operator.ask(shredding(&operator, &others)).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("proposal");
    let renamed = others.replace("casino", "bank");
    let refusal = operator.ask(shredding(&operator, &renamed)).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::ProposalNotFound);
    // What was waived is not handed over, and nobody else takes the data.
    let waived = operator.agreed(&bank).await.proposal;
    director.export_silo(&waived).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalMismatch);
    operator
        .on("bank")
        .export_silo(&waived)
        .await
        .refused()
        .assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    bank.privacy_officer()
        .export_silo(&waived)
        .await
        .refused()
        .assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    assert!(bank.analyst().finds("ada", &face.again()).await, "nothing was done by any of these");
    for recipient in ["", "age1", "AGE-SECRET-KEY-1QQQ", "ssh-ed25519 AAAA"] {
        let refusal = director.ask(director.offboarding(Some(recipient))).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("archive_recipient");
    }
    let nothing = v1::OffboardTenantRequest { handover: None, ..director.offboarding(None) };
    let refusal = director.ask(nothing).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldMissing).assert_field("archive_recipient");
}
