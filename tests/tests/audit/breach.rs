//! What was touched, for whoever has to report a breach (O34).

use lethe_crypto::log::entry::{Entry, Event};
use lethe_crypto::log::json;
use lethe_proto::v1::{BreachMeasure, BreachReason, EntryFilter, ErrorReason, ReportBreachRequest};
use lethe_tests::{Cli, Faces, Refused, Tenant, Vault};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tonic::Code;

fn read(document: &[u8]) -> Value {
    json::parse(document).expect("the document is canonical");
    serde_json::from_slice(document).unwrap()
}

fn credential_of(key: &str) -> &str {
    &key["lethe_".len().."lethe_".len() + 32]
}

fn entries_of(client: &Value, operation: &str, credential: &str) -> u64 {
    let groups = client["groups"].as_array().unwrap();
    let wanted = |group: &&Value| group["operation"] == operation && group["credential"] == credential;
    groups.iter().filter(wanted).map(|group| group["entries"].as_u64().unwrap()).sum()
}

async fn busy(vault: &Vault, id: &str) -> Tenant {
    let tenant = vault.tenant(id).await;
    let faces = Faces::seeded(81);
    for person in 0..2 {
        let id = format!("p-{person}");
        tenant.enroller().enroll(&id, &faces.person(person).selfie()).await.unwrap();
        tenant.authenticator().verify(&id, &faces.person(person).again()).await.unwrap();
    }
    tenant
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_what_each_credential_touched_and_is_on_the_record() {
    let vault = Vault::fresh().await;
    let bank = busy(&vault, "bank").await;
    let officer = bank.privacy_officer();
    let inquiry = ReportBreachRequest {
        reason: BreachReason::CredentialLeaked.into(),
        measures: vec![BreachMeasure::RevokeCredentials.into(), BreachMeasure::NotifyAuthority.into()],
        case_reference: "case-2026.1".to_owned(),
        ..officer.inquiry(&bank.name())
    };
    let report = officer.ask(inquiry.clone()).await.unwrap();
    let document = read(&report.document);
    assert_eq!((&document["type"], &document["version"]), (&"lethe-breach-report".into(), &1.into()));
    assert_eq!(document["reason"], "CREDENTIAL_LEAKED");
    assert_eq!(document["measures"], serde_json::json!(["REVOKE_CREDENTIALS", "NOTIFY_AUTHORITY"]));
    assert_eq!(document["case"], "case-2026.1");
    let clients = document["clients"].as_array().unwrap();
    assert_eq!(clients.len(), 1);
    let enroller = credential_of(bank.enroller().key().unwrap()).to_owned();
    assert_eq!(clients[0]["client"], "tenants/bank");
    assert_eq!(entries_of(&clients[0], "enrollment.enroll", &enroller), 2);
    let authenticator = credential_of(bank.authenticator().key().unwrap()).to_owned();
    assert_eq!(entries_of(&clients[0], "authentication.verify", &authenticator), 2);
    assert_eq!(clients[0]["about_persons"], 4);
    assert!(!String::from_utf8_lossy(&report.document).contains("p-0"), "nobody is named");
    // Every group is found again in the log, where it says.
    let all = bank.auditor().entries(&bank.log(), EntryFilter::default()).await.unwrap();
    for group in clients[0]["groups"].as_array().unwrap() {
        for end in ["first", "last"] {
            let index = group[format!("{end}_index")].as_u64().unwrap();
            let entry = Entry::decode(&all[usize::try_from(index).unwrap()].entry).unwrap();
            assert_eq!(entry.time, group[format!("{end}_time")].as_u64().unwrap(), "{group}");
            assert_eq!(entry.operation.as_str(), group["operation"], "{group}");
        }
    }

    // The report is an entry, with the digest of the document.
    assert_eq!(report.log, bank.log());
    let proof = bank.auditor().proof(&report.log, report.leaf_index, 0).await.unwrap();
    let entry = Entry::decode(&proof.entry).unwrap();
    let Some(Event::Other(event)) = &entry.event else { panic!("{entry:?}") };
    assert_eq!(event.kind().as_str(), "BREACH_REPORTED");
    let digest = json::Value::String(hex::encode(Sha256::digest(&report.document)));
    assert!(event.fields().contains(&("sha256".to_owned(), digest)), "{event:?}");

    // One credential, one operation, one stretch of the log.
    let narrow = ReportBreachRequest {
        credential: enroller.clone(),
        operation: "enrollment.enroll".to_owned(),
        ..inquiry.clone()
    };
    let narrow = read(&officer.ask(narrow).await.unwrap().document);
    assert_eq!(narrow["scope"]["credential"], enroller);
    assert_eq!(narrow["clients"][0]["groups"].as_array().unwrap().len(), 1);
    let first = narrow["clients"][0]["groups"][0]["first_index"].as_i64().unwrap();
    let before = ReportBreachRequest { end_index: first, credential: enroller, ..inquiry.clone() };
    assert_eq!(read(&officer.ask(before).await.unwrap().document)["clients"], serde_json::json!([]));

    for (request, field) in [
        (ReportBreachRequest { end_time: inquiry.start_time, ..inquiry.clone() }, "end_time"),
        (ReportBreachRequest { reason: 99, ..inquiry.clone() }, "reason"),
        (ReportBreachRequest { measures: vec![1, 1], ..inquiry.clone() }, "measures"),
        (ReportBreachRequest { case_reference: "ann@example.org".to_owned(), ..inquiry.clone() }, "case_reference"),
        (ReportBreachRequest { credential: "a b".to_owned(), ..inquiry.clone() }, "credential"),
        (ReportBreachRequest { client: bank.name(), ..inquiry.clone() }, "client"),
        (ReportBreachRequest { start_index: 5, end_index: 5, ..inquiry.clone() }, "end_index"),
    ] {
        let refusal = officer.ask(request).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field(field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_compiles_counts_of_all_clients_and_each_of_them_sees_it() {
    let vault = Vault::fresh().await;
    let (bank, shop) = (busy(&vault, "bank").await, busy(&vault, "shop").await);
    let operator = vault.operator();
    let report = operator.ask(operator.inquiry("vault")).await.unwrap();
    assert_eq!(report.log, "vault/log");
    let document = read(&report.document);
    let names: Vec<_> = document["clients"].as_array().unwrap().iter().map(|client| &client["client"]).collect();
    assert_eq!(names, ["tenants/bank", "tenants/shop"]);
    for (tenant, client) in [&bank, &shop].into_iter().zip(document["clients"].as_array().unwrap()) {
        let enroller = credential_of(tenant.enroller().key().unwrap()).to_owned();
        assert_eq!(entries_of(client, "enrollment.enroll", &enroller), 2);
        let seen = EntryFilter { operation: "audit.report_vault_breach".to_owned(), ..Default::default() };
        let seen = tenant.auditor().entries(&tenant.log(), seen).await.unwrap();
        assert_eq!(seen.len(), 1);
        // It has what concerns the client alone: not how many others there are, nor what was touched of them (O35).
        let event: Value = serde_json::from_slice(&seen[0].entry).unwrap();
        let names: Vec<_> = event["event"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["cause", "end", "entries", "start", "type"]);
        assert_eq!(event["event"]["entries"], client["entries"]);
    }
    let of_one = ReportBreachRequest { client: shop.name(), ..operator.inquiry("vault") };
    let document = read(&operator.ask(of_one.clone()).await.unwrap().document);
    assert_eq!(document["clients"].as_array().unwrap().len(), 1);
    assert_eq!(document["scope"]["client"], "tenants/shop");
    let unknown = ReportBreachRequest { client: "tenants/nobody".to_owned(), ..of_one };
    operator.ask(unknown).await.refused().assert_is(Code::NotFound, ErrorReason::TenantNotFound);

    // Nobody else is told of others.
    let refusal = bank.privacy_officer().ask(operator.inquiry("vault")).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    let refusal = bank.privacy_officer().ask(operator.inquiry(&shop.name())).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let refusal = operator.ask(operator.inquiry(&shop.name())).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);

    let out = vault.home().path().join("report.json");
    let told = Cli::new(["audit", "breach-report", "--tenant", "bank", "--since", "2020-01-01T00:00:00Z"])
        .args(["--reason", "exercise", "--measure", "investigate", "--out"])
        .arg(&out)
        .holding(&vault, bank.privacy_officer().key().unwrap())
        .await
        .run()
        .one();
    assert_eq!(told["report"], read(&std::fs::read(&out).unwrap()));
    assert_eq!(told["report"]["reason"], "EXERCISE");
}
