//! Usage figures: counts, and nothing that leads to anybody (O35).

use std::collections::BTreeMap;

use lethe_proto::v1::{EntryOutcome, ErrorReason, Purpose, UsageCount, UsagePeriod, UsageRequest};
use lethe_tests::{Cli, Faces, Refused, Vault, now};
use prost_types::Timestamp;
use tonic::Code;

fn by_operation(counts: &[UsageCount]) -> BTreeMap<(String, String, EntryOutcome), i64> {
    let mut all = BTreeMap::new();
    for count in counts {
        *all.entry((count.client.clone(), count.operation.clone(), count.outcome())).or_default() += count.count;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_told_its_own_counts_and_the_operator_those_of_each() {
    let vault = Vault::fresh().await;
    let (bank, shop) = (vault.tenant("bank").await, vault.tenant("shop").await);
    let faces = Faces::seeded(71);
    for person in 0..3 {
        bank.enroller().enroll(&format!("p-{person}"), &faces.person(person).selfie()).await.unwrap();
    }
    bank.authenticator().verify("p-0", &faces.person(0).again()).await.unwrap();
    bank.enroller().search(&faces.person(0).selfie()).await.refused();
    shop.enroller().enroll("q-0", &faces.person(9).selfie()).await.unwrap();

    for (caller, period) in [(bank.admin(), UsagePeriod::Day), (bank.auditor(), UsagePeriod::Month)] {
        let counts = caller.usage(&bank.name(), period).await.unwrap();
        assert!(counts.iter().all(|count| count.client == bank.name()), "{counts:?}");
        let counts = by_operation(&counts);
        let of = |operation: &str, outcome| counts.get(&(bank.name(), operation.to_owned(), outcome)).copied();
        assert_eq!(of("enrollment.enroll", EntryOutcome::Allowed), Some(3));
        assert_eq!(of("authentication.verify", EntryOutcome::Allowed), Some(1));
        assert_eq!(of("identification.search", EntryOutcome::Denied), Some(1));
        assert_eq!(of("identification.search", EntryOutcome::Allowed), None, "what never happened is left out");
    }
    let counts = vault.operator().usage("vault", UsagePeriod::Month).await.unwrap();
    assert!(counts.iter().all(|count| !format!("{count:?}").contains("p-0")));
    let counts = by_operation(&counts);
    for (tenant, enrolled) in [(&bank, 3), (&shop, 1)] {
        let key = (tenant.name(), "enrollment.enroll".to_owned(), EntryOutcome::Allowed);
        assert_eq!(counts[&key], enrolled, "{}", tenant.name());
    }
    // That the operator counted is in the log of who was counted.
    let key = (bank.name(), "audit.vault_usage".to_owned(), EntryOutcome::Allowed);
    assert_eq!(by_operation(&bank.auditor().usage(&bank.name(), UsagePeriod::Month).await.unwrap())[&key], 1);

    // Nobody is told of others; and of all clients nothing by the day.
    let refusal = shop.admin().on("bank").usage(&bank.name(), UsagePeriod::Month).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let refusal = bank.admin().usage("vault", UsagePeriod::Month).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    let refusal = vault.operator().usage(&bank.name(), UsagePeriod::Month).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let refusal = vault.operator().usage("vault", UsagePeriod::Day).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("period");

    let request = UsageRequest {
        parent: bank.name(),
        purpose: Purpose::Administration.into(),
        start_time: Some(Timestamp { seconds: now().seconds - 401 * 86_400, nanos: 0 }),
        end_time: Some(now()),
        period: UsagePeriod::Day.into(),
    };
    let none = UsageRequest { start_time: None, ..request.clone() };
    for (request, reason, field) in [
        (request.clone(), ErrorReason::FieldOutOfRange, "end_time"),
        (UsageRequest { end_time: request.start_time, ..request.clone() }, ErrorReason::FieldOutOfRange, "end_time"),
        (UsageRequest { period: 9, ..request.clone() }, ErrorReason::FieldOutOfRange, "period"),
        (none, ErrorReason::FieldMissing, "start_time"),
    ] {
        let refusal = bank.admin().ask(request).await.refused();
        refusal.assert_is(Code::InvalidArgument, reason).assert_field(field);
    }

    let usage = ["audit", "usage", "--since", "2020-01-01T00:00:00Z", "--tenant", "bank"];
    let told = Cli::new(usage).holding(&vault, bank.admin().key().unwrap()).await.run();
    assert!(told.status.success(), "{told:?}");
    let enrolled = told.said.iter().find(|count| count["operation"] == "enrollment.enroll").unwrap();
    assert_eq!((&enrolled["count"], &enrolled["outcome"]), (&3.into(), &"ALLOWED".into()));
}
