use lethe_proto::v1::{
    Completeness, Credential, Decider, DecisionBand, DecisionReason, IssuedCredential, RiskLevel, Role, VerifyResponse,
};

use super::*;

#[test]
fn scores_keep_their_own_digits() {
    assert_eq!(score(0.71).to_string(), "0.71");
    assert_eq!(score(-1.0).to_string(), "-1.0");
}

#[test]
fn codes_are_those_of_the_api() {
    let answer = VerifyResponse {
        band: DecisionBand::NoMatch.into(),
        reasons: vec![DecisionReason::NoScoreAboveReview.into()],
        policy_version: 3,
        score: None,
        risk: RiskLevel::High.into(),
        decider: Decider::Person.into(),
    };
    let (json, _) = verdict(&answer);
    assert_eq!(json["band"], "NO_MATCH");
    assert_eq!(json["reasons"], json!(["NO_SCORE_ABOVE_REVIEW"]));
    assert_eq!(json["score"], Value::Null);
    assert_eq!((&json["risk"], &json["decider"]), (&json!("HIGH"), &json!("PERSON")));
}

#[test]
fn a_new_key_is_in_neither_form() {
    let answer = IssuedCredential {
        credential: Some(Credential { roles: vec![Role::Auditor.into()], ..Credential::default() }),
        api_key: "s3cret".into(),
        already_shown: false,
    };
    let (json, card) = issued(&answer);
    assert!(!format!("{json} {card:?}").contains("s3cret"));
    assert_eq!(json["roles"], json!(["AUDITOR"]));
}

#[test]
fn a_search_states_how_complete_it_is() {
    let completeness = Completeness {
        gallery_size: 10,
        searched: 10,
        miss_probability: 1e-4,
        complete: true,
        ..Completeness::default()
    };
    let text = statement(&completeness);
    assert!(text.starts_with("10 of 10 templates"), "{text}");
    assert!(text.contains("1e-4"), "{text}");
    assert!(!text.contains("cut"), "{text}");
    assert!(statement(&Completeness { complete: false, ..completeness }).contains("cut"));
}
