//! A person's way through the vault: enrolled, compared, found, changed, forgotten.

use lethe_tests::{Cli, request_id};
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::npy::{face, json as as_json, like};

const MODEL: [&str; 2] = ["--model", "face@1"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_face_is_answered_by_the_exit_code() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0), face(1), like(0, 0.9), like(0, 0.5), face(2)]);
    let row = |number: &'static str| ["--npy", &faces, "--row", number, MODEL[0], MODEL[1]];
    let request = request_id();
    let enroll = [&["enroll", "p-1", "--quality", "0.5", "--request-id", &request][..], &row("0")].concat();
    let first = bank.ask("enroller", &enroll).await.one();
    let template = &first["template"];
    assert!(template["name"].as_str().unwrap().starts_with("tenants/bank/subjects/p-1/templates/"), "{first}");
    assert_eq!((&template["model"], &template["dimension"]), (&json!("face@1"), &json!(64)));
    assert_eq!((&template["kind"], &template["quality"]), (&json!("SELFIE"), &json!(0.5)));
    // The time of the capture is another now; with that said, the same request gives the first answer.
    let time = template["capture_time"].as_str().unwrap();
    let again = bank.ask("enroller", &[&enroll[..], &["--captured-at", time]].concat()).await.one();
    assert_eq!(again["template"]["name"], template["name"]);
    let other = bank.ask("enroller", &[&enroll[..], &["--captured-at", "2020-01-01T00:00:00Z"]].concat()).await;
    assert_eq!((other.code(), &other.failure()["reason"]), (3, &json!("REQUEST_ID_REUSED")));

    // Another by a JSON array, from standard input and from a file.
    let enroll = ["enroll", "p-2", "--quality", "1", "--embedding", "-", MODEL[0], MODEL[1]];
    let told = bank.command("enroller", &enroll).await.run_on(&as_json(&face(1))).one();
    assert!(told["sequence"].as_i64() > first["sequence"].as_i64(), "{told}");
    std::fs::write(bank.path("face.json"), as_json(&like(1, 0.8))).unwrap();
    let source = format!("@{}", bank.text("face.json"));

    for (subject, probe, code, band) in [
        ("p-1", &row("2")[..], 0, "MATCH"),
        ("p-1", &row("3"), 6, "REVIEW"),
        ("p-1", &row("1"), 5, "NO_MATCH"),
        ("p-2", &["--embedding", &source, MODEL[0], MODEL[1]], 0, "MATCH"),
        // Like a failed login of somebody who is enrolled.
        ("p-9", &row("0"), 5, "NO_MATCH"),
    ] {
        let verified = bank.ask("authenticator", &[&["verify", subject], probe].concat()).await;
        assert_eq!((verified.code(), &verified.said[0]["band"]), (code, &json!(band)), "{subject} {verified:?}");
        assert_eq!(verified.said[0]["score"], Value::Null, "who only logs people in sees no score");
    }
    let judged = bank.ask("fraud_analyst", &[&["verify", "p-1"][..], &row("3")].concat()).await;
    assert_eq!(judged.said[0]["score"], json!(0.5), "{judged:?}");

    let found = bank.ask("fraud_analyst", &[&["search"][..], &row("3")].concat()).await;
    assert_eq!(found.code(), 0, "{found:?}");
    let search = &found.said[0];
    assert_eq!(search["matches"].as_array().unwrap().len(), 1, "{search}");
    let hit = json!({
        "subject": "tenants/bank/subjects/p-1",
        "template": template["name"],
        "score": 0.5,
        "band": "REVIEW",
        "reasons": ["SCORE_BETWEEN_THRESHOLDS"],
        "risk": "ELEVATED",
    });
    assert_eq!(search["matches"][0], hit);
    assert_eq!((&search["risk"], &search["decider"]), (&json!("ELEVATED"), &json!("PERSON")), "{search}");
    let completeness = &search["completeness"];
    assert_eq!((&completeness["gallery_size"], &completeness["searched"]), (&json!(2), &json!(2)), "{completeness}");
    assert_eq!((&completeness["complete"], &completeness["threshold"]), (&json!(true), &json!(0.4)), "{completeness}");
    let above = bank.ask("fraud_analyst", &[&["search", "--threshold", "0.55"][..], &row("3")].concat()).await;
    assert_eq!((above.code(), &above.said[0]["matches"]), (5, &json!([])), "{above:?}");
    let stranger = bank.ask("fraud_analyst", &[&["search"][..], &row("4")].concat()).await;
    assert_eq!(stranger.code(), 5, "{stranger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_shown_changed_and_forgotten() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0), face(1), face(2)]);
    let row = |number: &'static str| ["--npy", &faces, "--row", number, MODEL[0], MODEL[1], "--quality", "1"];
    for number in ["0", "1"] {
        bank.ask("enroller", &[&["enroll", "p-1"][..], &row(number)].concat()).await.one();
    }
    let subject = bank.ask("privacy_officer", &["subject", "get", "p-1"]).await.one();
    assert_eq!((&subject["name"], &subject["state"]), (&json!("tenants/bank/subjects/p-1"), &json!("ACTIVE")));
    assert_eq!(subject["template_counts"], json!([{ "model": "face@1", "count": 2 }]));
    let listed = bank.ask("privacy_officer", &["template", "list", "p-1"]).await;
    assert_eq!((listed.code(), listed.said.len()), (0, 2), "{listed:?}");
    let [old, other] = [0, 1].map(|at: usize| listed.said[at]["name"].as_str().unwrap());

    // Nobody is asked where there is no terminal: nothing is done.
    let unasked = bank.ask("privacy_officer", &["template", "delete", other]).await;
    assert!(unasked.code() == 2 && unasked.failure()["message"].as_str().unwrap().contains("--yes"), "{unasked:?}");
    let receipt = bank.text("deleted.json");
    let replaced = [&["template", "replace", old, "--yes"][..], &row("2")].concat();
    let replaced = bank.ask("privacy_officer", &replaced).await;
    assert_eq!((replaced.code(), replaced.said.len()), (0, 2), "{replaced:?}");
    let (new, erasure) = (&replaced.said[0]["template"]["name"], &replaced.said[1]);
    assert!(*new != json!(old) && erasure["state"] == "SHREDDED", "{replaced:?}");
    let deleted = ["template", "delete", other, "--yes", "--receipt-out", &receipt];
    let deleted = bank.ask("privacy_officer", &deleted).await.one();
    assert_eq!(deleted["state"], "SHREDDED");
    let left = bank.ask("privacy_officer", &["template", "list", "p-1"]).await.one();
    assert_eq!(left["name"], *new);

    let checkpoint = bank.ask("auditor", &["log", "checkpoint", "--vault"]).await.one();
    let key = checkpoint["verifier_key"].as_str().unwrap().to_owned();
    std::fs::write(bank.path("vault.pub"), format!("{key}\n")).unwrap();
    let pinned = bank.text("vault.pub");
    let unasked = bank.ask("privacy_officer", &["erase", "p-1"]).await;
    assert_eq!(unasked.code(), 2, "{unasked:?}");
    let pending = ["erase", "p-1", "--yes", "--no-wait", "--receipt-out", "never.json"];
    assert_eq!(bank.ask("privacy_officer", &pending).await.code(), 2, "a receipt has to be waited for");
    let (receipt_of_her, request) = (bank.text("erased.json"), request_id());
    let erase = ["erase", "p-1", "--yes", "--request-id", &request];
    let erased = bank.ask("privacy_officer", &[&erase[..], &["--receipt-out", &receipt_of_her]].concat()).await.one();
    assert_eq!(erased["state"], "SHREDDED");
    let name = erased["receipt"].as_str().unwrap();
    assert_eq!(bank.ask("privacy_officer", &erase).await.one(), erased, "the same request finds the same receipt");
    for gone in [
        &["subject", "get", "p-1"][..],
        &["template", "list", "p-1"],
        &["template", "delete", old, "--yes"],
        &["erase", "p-1", "--yes"],
    ] {
        let told = bank.ask("privacy_officer", gone).await;
        assert_eq!((told.code(), &told.failure()["reason"]), (4, &json!("SUBJECT_NOT_FOUND")), "{gone:?} {told:?}");
    }
    let search = ["search", "--npy", &faces, "--row", "2", MODEL[0], MODEL[1]];
    assert_eq!(bank.ask("fraud_analyst", &search).await.code(), 5);

    // The receipts, as the auditor has them, and offline.
    let got = bank.ask("auditor", &["receipt", "get", name]).await.one();
    assert_eq!((&got["name"], &got["state"]), (&json!(name), &json!("SHREDDED")));
    let of_her = std::fs::read_to_string(&receipt_of_her).unwrap();
    let printed = bank.ask("auditor", &["receipt", "get", name, "--out", "-"]).await;
    assert_eq!(printed.said[0]["type"], "lethe-erasure-receipt", "{printed:?}");
    for (path, keys) in [(&receipt, 1), (&receipt_of_her, 1)] {
        for verifier in [&key, &pinned] {
            let told = Cli::new(["receipt", "verify", path, "--verifier", verifier]).run().one();
            assert_eq!((&told["verified"], &told["kind"]), (&json!(true), &json!("erasure")), "{told}");
            assert!(told["keys_erased"].as_u64() >= Some(keys), "{told}");
        }
    }
    let verify = ["receipt", "verify", "-", "--verifier", &key];
    assert_eq!(Cli::new(verify).run_on(of_her.as_bytes()).one()["verified"], true);
    let changed = of_her.replacen("\"version\":1", "\"version\":2", 1);
    let forged = Cli::new(verify).run_on(changed.as_bytes());
    assert_eq!(forged.code(), 5);
    assert!(forged.failure()["message"].as_str().unwrap().contains("not genuine"), "{forged:?}");
    let nobody = ["receipt", "get", "tenants/bank/receipts/00000000000000000000000000000000"];
    let nobody = bank.ask("auditor", &nobody).await;
    assert_eq!((nobody.code(), &nobody.failure()["reason"]), (4, &json!("RECEIPT_NOT_FOUND")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_shown_with_its_proofs() {
    let bank = Bank::open().await;
    let checkpoint = bank.ask("auditor", &["log", "checkpoint"]).await.one();
    assert_eq!((&checkpoint["log"], &checkpoint["pinned"]), (&json!("tenants/bank/log"), &json!(false)));
    let key = checkpoint["verifier_key"].as_str().unwrap();
    let size = checkpoint["tree_size"].as_i64().unwrap();
    assert!(size >= 7, "a tenant, six keys, a model: {checkpoint}");
    let proof = bank.ask("auditor", &["log", "proof", "0", "--verifier", key]).await.one();
    assert_eq!((&proof["leaf_index"], &proof["pinned"]), (&json!(0), &json!(true)), "{proof}");
    let entry: Value = serde_json::from_str(proof["entry"].as_str().unwrap()).unwrap();
    assert_eq!(entry["operation"], "tenant.create");

    let of_vault = bank.ask("auditor", &["log", "checkpoint", "--vault"]).await.one();
    let other = of_vault["verifier_key"].as_str().unwrap();
    let wrong = bank.ask("auditor", &["log", "checkpoint", "--verifier", other]).await;
    assert_eq!(wrong.code(), 5);
    assert!(wrong.failure()["message"].as_str().unwrap().contains("not genuine"), "{wrong:?}");
    let none = bank.ask("auditor", &["log", "proof", "1000000"]).await;
    assert_eq!((none.code(), &none.failure()["reason"]), (4, &json!("LOG_NOT_FOUND")), "{none:?}");
    let vaults = bank.ask("auditor", &["log", "proof", "0", "--vault"]).await;
    assert_eq!(vaults.code(), 3, "entries of the vault's log are the operator's alone: {vaults:?}");
    let no_key = bank.ask("auditor", &["log", "checkpoint", "--verifier", "no key"]).await;
    assert_eq!(no_key.code(), 2, "{no_key:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_twice_is_told_by_a_sweep() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0), face(1), like(0, 0.9), like(0, 0.5)]);
    let sweep = ["sweep", MODEL[0], MODEL[1]];
    for (subject, row) in [("p-1", "0"), ("p-2", "1"), ("p-3", "2"), ("p-4", "3")] {
        let none = bank.ask("fraud_analyst", &sweep).await;
        if subject != "p-4" {
            assert_eq!((none.code(), none.said.len(), &none.said[0]["pairs"]), (5, 1, &json!(0)), "{none:?}");
        }
        let enroll = ["enroll", subject, "--quality", "1", "--npy", &faces, "--row", row, MODEL[0], MODEL[1]];
        bank.ask("enroller", &enroll).await.one();
    }
    let found = bank.ask("fraud_analyst", &sweep).await;
    assert_eq!(found.code(), 0, "{found:?}");
    let (summary, pairs) = found.said.split_last().unwrap();
    let bands: Vec<(&Value, &Value)> = pairs.iter().map(|pair| (&pair["other_subject"], &pair["band"])).collect();
    assert!(bands.contains(&(&json!("tenants/bank/subjects/p-1"), &json!("MATCH"))), "{found:?}");
    assert_eq!((&summary["pairs"], &summary["compared"]), (&json!(pairs.len()), &json!(4)), "{summary}");
    assert_eq!((&summary["complete"], &summary["threshold"]), (&json!(true), &json!(0.4)), "{summary}");
    let above = bank.ask("fraud_analyst", &[&sweep[..], &["--threshold", "0.95"]].concat()).await;
    assert_eq!((above.code(), &above.said[0]["pairs"]), (5, &json!(0)), "{above:?}");
    let nowhere = bank.ask("fraud_analyst", &[&sweep[..], &["--resume", "x"]].concat()).await;
    assert_eq!((nowhere.code(), &nowhere.failure()["reason"]), (3, &json!("PAGE_TOKEN_MALFORMED")), "{nowhere:?}");
}
