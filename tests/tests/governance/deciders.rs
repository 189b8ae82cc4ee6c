//! The vault says what it found, at which risk, and who may decide; it never decides (O11), and it tells nobody more by it.

use lethe_proto::v1::{
    Automation, AutomationGround, Decider, DecisionBand, DecisionReason, ErrorReason, GetTenantRequest, LawfulBasis,
    Purpose, PurposeBasis, RestrictionGround, RiskLevel, SearchRequest, Tenant as Facts,
};
use lethe_tests::{Faces, Refused, Vault};
use serde_json::Value;
use tonic::Code;

use crate::export::history_of;
use crate::policy::change;

/// What is owed to people where systems decide.
fn automation(purpose: Purpose, ground: AutomationGround) -> Automation {
    Automation {
        purpose: purpose.into(),
        ground: ground.into(),
        explanation_version: "automatic-2026-11".to_owned(),
        explanation_sha256: vec![7; 32],
        reviewer: "desk-2".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_decides_what_is_clear_where_the_client_recorded_a_ground() {
    let vault = Vault::fresh().await;
    // Two captures of one face are to be reviewed, the same capture matches.
    let bank = vault.tenant("bank").judging(0.9999, 0.2).await;
    let person = Faces::seeded(361).person(0);
    let stranger = Faces::seeded(361).person(1).selfie();
    bank.enroller().enroll("ada", &person.selfie()).await.unwrap();
    let probes = [
        (person.selfie(), DecisionBand::Match, RiskLevel::Low),
        (person.again(), DecisionBand::Review, RiskLevel::Elevated),
        (stranger, DecisionBand::NoMatch, RiskLevel::High),
    ];
    let ground = vec![automation(Purpose::Authentication, AutomationGround::Law)];
    let wanted = Facts { name: bank.name(), automation: ground.clone(), ..Facts::default() };
    for automated in [false, true] {
        if automated {
            let changed = bank.admin().ask(change(wanted.clone(), &["automation"])).await.unwrap();
            assert_eq!((changed.policy_version, &changed.automation), (2, &ground));
            vault.crash().await;
        }
        for (probe, band, risk) in &probes {
            let said = bank.authenticator().verify("ada", probe).await.unwrap();
            assert_eq!((said.band(), said.risk()), (*band, *risk));
            let is_systems = automated && *band != DecisionBand::Review;
            let decider = if is_systems { Decider::System } else { Decider::Person };
            assert_eq!(said.decider(), decider, "{band:?}, {automated}");
            // Who is not there is told as who does not match.
            if *band == DecisionBand::NoMatch {
                assert_eq!(bank.authenticator().verify("nobody", probe).await.unwrap(), said);
                bank.privacy_officer().restrict("ada", RestrictionGround::AccuracyContested).await.unwrap();
                assert_eq!(bank.authenticator().verify("ada", &person.selfie()).await.unwrap(), said);
                bank.privacy_officer().lift_restriction("ada").await.unwrap();
            }
        }
    }
    // A ground is one purpose's, and is taken back as it was given.
    let found = bank.analyst().search(&person.selfie()).await.unwrap();
    assert_eq!(found.decider(), Decider::Person);
    let none = Facts { name: bank.name(), ..Facts::default() };
    bank.admin().ask(change(none, &["automation"])).await.unwrap();
    let said = bank.authenticator().verify("ada", &person.selfie()).await.unwrap();
    assert_eq!(said.decider(), Decider::Person);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_leaves_out_what_is_to_be_reviewed_is_a_persons_to_decide() {
    let vault = Vault::fresh().await;
    let ground = vec![automation(Purpose::DuplicateDetection, AutomationGround::Contract)];
    let bank = vault.tenant("bank").judging(0.9999, 0.2).with(|facts| facts.automation = ground).await;
    let person = Faces::seeded(362).person(0);
    let stranger = Faces::seeded(362).person(1).selfie();
    let analyst = bank.analyst();
    bank.enroller().enroll("ada", &person.selfie()).await.unwrap();
    let told = |found: &lethe_proto::v1::SearchResponse| (found.risk(), found.decider());

    let nobody = analyst.search(&stranger).await.unwrap();
    assert_eq!(told(&nobody), (RiskLevel::Low, Decider::System));
    let found = analyst.search(&person.selfie()).await.unwrap();
    assert_eq!(told(&found), (RiskLevel::High, Decider::System));
    assert_eq!(found.matches[0].risk(), RiskLevel::High);
    assert_eq!(found.matches[0].reasons, [i32::from(DecisionReason::ScoreAboveMatch)]);
    let unclear = analyst.search(&person.again()).await.unwrap();
    assert_eq!(told(&unclear), (RiskLevel::Elevated, Decider::Person));
    assert_eq!(unclear.matches[0].reasons, [i32::from(DecisionReason::ScoreBetweenThresholds)]);
    // Nothing was found above this threshold, and something may lie below.
    let narrow = SearchRequest { threshold: Some(0.9999), ..analyst.query(&person.again()) };
    assert_eq!(told(&analyst.ask(narrow).await.unwrap()), (RiskLevel::Low, Decider::Person));
    // Of somebody's own face, that it is there under its own id is no risk; under another it is.
    let own = SearchRequest { probe_subject: analyst.subject_name("ada"), ..analyst.query(&person.selfie()) };
    let claimed = analyst.ask(own.clone()).await.unwrap();
    assert_eq!(told(&claimed), (RiskLevel::Low, Decider::System));
    bank.enroller().enroll("bea", &person.selfie()).await.unwrap();
    let twice = analyst.ask(own.clone()).await.unwrap();
    let risks: Vec<_> = twice.matches.iter().map(|hit| (hit.subject == own.probe_subject, hit.risk())).collect();
    assert_eq!(risks, [(true, RiskLevel::Low), (false, RiskLevel::High)]);
    assert_eq!(told(&twice), (RiskLevel::High, Decider::System));
    let cut = analyst.ask(SearchRequest { max_results: 1, ..own }).await.unwrap();
    assert_eq!(cut.decider(), Decider::Person);

    // Her log has what came of the searches for her face, without it, and nothing of the others (O12).
    let history = history_of(&vault, &bank.privacy_officer(), "ada").await;
    let of = |operation: &'static str| history.iter().filter(move |entry| entry["operation"] == operation);
    assert_eq!(of("identification.search").filter(|entry| entry["details"].is_null()).count(), 3);
    let details: Vec<_> = of("vault.search_outcome").map(|entry| &entry["details"]).collect();
    let said = |at: usize| {
        let details = details[at];
        let score = details["score"].as_f64().unwrap();
        assert!(score > 0.9999, "{details}");
        assert!((details["quality"].as_f64().unwrap() - 0.9).abs() < 1e-6, "{details}");
        ["band", "matched", "decider"].map(|field| details[field].clone())
    };
    assert_eq!(details.len(), 3, "{details:?}");
    let expected = |matched: u64, decider: &str| [Value::from("match"), Value::from(matched), Value::from(decider)];
    assert_eq!([said(0), said(1), said(2)], [expected(1, "system"), expected(2, "system"), expected(2, "person")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ground_that_stands_on_nothing_is_refused() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").declaring(&[Purpose::Authentication]).await;
    let named = |automation: Vec<Automation>| Facts { name: bank.name(), automation, ..Facts::default() };
    let good = || automation(Purpose::Authentication, AutomationGround::Law);
    let bad = [
        ("tenant.automation[0].purpose", vec![Automation { purpose: Purpose::Audit.into(), ..good() }]),
        ("tenant.automation[1].purpose", vec![good(), good()]),
        ("tenant.automation[0].ground", vec![Automation { ground: 0, ..good() }]),
        ("tenant.automation[0].explanation_version", vec![Automation { explanation_version: String::new(), ..good() }]),
        ("tenant.automation[0].explanation_sha256", vec![Automation { explanation_sha256: vec![7; 31], ..good() }]),
        ("tenant.automation[0].reviewer", vec![Automation { reviewer: "ann@example.org".to_owned(), ..good() }]),
    ];
    for (field, automation) in bad {
        let refusal = bank.admin().ask(change(named(automation), &["automation"])).await.refused();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        refusal.assert_field(field);
    }
    // No purpose without a basis, none that rests on no consent by a consent, and none that has no leave for templates.
    let contradicts = |refusal: &lethe_tests::Refusal| {
        refusal.assert_is(Code::InvalidArgument, ErrorReason::PolicyContradiction);
        refusal.assert_field("tenant.automation");
    };
    for wrong in [
        automation(Purpose::FraudPrevention, AutomationGround::Law),
        automation(Purpose::Authentication, AutomationGround::ExplicitConsent),
    ] {
        contradicts(&bank.admin().ask(change(named(vec![wrong]), &["automation"])).await.refused());
    }
    bank.admin().ask(change(named(vec![good()]), &["automation"])).await.unwrap();
    let weaker =
        PurposeBasis { purpose: Purpose::Authentication.into(), lawful_basis: LawfulBasis::LegitimateInterests.into() };
    let weaker = Facts { purposes: vec![weaker], ..named(Vec::new()) };
    contradicts(&bank.admin().ask(change(weaker, &["purposes"])).await.refused());
    let purpose = Purpose::Administration.into();
    let kept = bank.admin().ask(GetTenantRequest { name: bank.name(), purpose }).await.unwrap();
    assert_eq!((kept.policy_version, kept.automation), (2, vec![good()]));
}
