//! The review queue, typed by who asks and who answers.

use serde_json::{Value, json};

use crate::bank::Bank;
use crate::npy::{face, like};

#[tokio::test(flavor = "multi_thread")]
async fn cases_are_opened_answered_and_contested_from_the_command_line() {
    let bank = Bank::open().await;
    let reviewers = [bank.key_file("reviewer", "one.key").await, bank.key_file("reviewer", "two.key").await];
    let faces = bank.matrix("faces.npy", &[like(0, 0.9), face(1)]);
    for (subject, row) in [("p-1", "0"), ("p-2", "0"), ("p-3", "1")] {
        let enroll = ["enroll", subject, "--quality", "0.5", "--npy", &faces, "--row", row, "--model", "face@1"];
        bank.ask("enroller", &enroll).await.one();
    }
    let pair = ["case", "create", "p-1", "--other", "p-2", "--model", "face@1"];
    let asked = bank.ask("fraud_analyst", &pair).await.one();
    assert_eq!((&asked["kind"], &asked["state"]), (&json!("POSSIBLE_DUPLICATE"), &json!("OPEN")));
    assert_eq!((&asked["band"], &asked["model"]), (&json!("MATCH"), &json!("face@1")));
    assert_eq!(asked["other_subject"], "tenants/bank/subjects/p-2");
    assert_eq!(bank.ask("fraud_analyst", &pair).await.one(), asked);
    let name = asked["name"].as_str().unwrap();
    assert_eq!(bank.by(&reviewers[0], &["case", "get", name]).await.one(), asked);
    assert_eq!(bank.by(&reviewers[0], &["case", "list", "--state", "open"]).await.one(), asked);
    // A privacy officer sees no score.
    let seen = bank.ask("privacy_officer", &["case", "get", name]).await.one();
    assert_eq!((&seen["score"], &seen["name"]), (&Value::Null, &asked["name"]));

    let decide = |answer| ["case", "decide", name, answer, "--reason", "images_compared"];
    let decided = bank.by(&reviewers[0], &decide("distinct")).await.one();
    assert_eq!(
        (&decided["state"], &decided["decisions"][0]["reason"]),
        (&json!("DISTINCT"), &json!("IMAGES_COMPARED"))
    );
    let closed = bank.by(&reviewers[1], &decide("confirmed")).await;
    assert_eq!((closed.code(), &closed.failure()["reason"]), (3, &json!("CASE_CLOSED")), "{closed:?}");
    assert_eq!(bank.ask("privacy_officer", &["case", "contest", name]).await.one()["state"], "CONTESTED");
    let same = bank.by(&reviewers[0], &decide("confirmed")).await;
    assert_eq!(same.failure()["reason"], "REVIEWER_NOT_INDEPENDENT", "{same:?}");
    assert_eq!(bank.by(&reviewers[1], &decide("escalated")).await.one()["state"], "ESCALATED");

    let contested = bank.ask("privacy_officer", &["case", "create", "p-3", "--contested"]).await.one();
    assert_eq!((&contested["kind"], &contested["state"]), (&json!("DECISION_CONTESTED"), &json!("CONTESTED")));
    let listed = bank.by(&reviewers[0], &["case", "list", "--kind", "decision_contested"]).await.one();
    assert_eq!(listed, contested);
    for wrong in [
        vec!["case", "create", "p-1"],
        vec!["case", "create", "p-1", "--other", "p-2"],
        vec!["case", "create", "p-1", "--other", "p-2", "--model", "face@1", "--contested"],
        vec!["case", "decide", name, "contested", "--reason", "person_heard"],
        vec!["case", "decide", name, "distinct", "--reason", "person_contests"],
        vec!["case", "decide", name, "distinct"],
        vec!["case", "get", "00"],
    ] {
        assert_eq!(bank.ask("fraud_analyst", &wrong).await.code(), 2, "{wrong:?}");
    }
}
