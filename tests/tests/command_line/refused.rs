//! What is wrong is told by its reason, and ends with the exit code that is documented for it.

use std::os::unix::fs::PermissionsExt as _;

use lethe_tests::Cli;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::npy::{DIMENSION, face};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_told_by_reason() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0)]);
    let wide = bank.matrix("wide.npy", &[vec![1.0; 128]]);
    let zero = bank.matrix("zero.npy", &[vec![0.0; DIMENSION]]);
    let of = |file: &'static str| match file {
        "faces" => faces.as_str(),
        "wide" => wide.as_str(),
        _ => zero.as_str(),
    };
    let enroll = |subject: &'static str, file, model: &'static str, quality: &'static str| {
        let file = of(file);
        vec!["enroll", subject, "--npy", file, "--row", "0", "--model", model, "--quality", quality]
    };
    let search = |more: &[&'static str]| {
        [&["search", "--npy", of("faces"), "--row", "0", "--model", "face@1"][..], more].concat()
    };
    for (role, arguments, reason) in [
        ("enroller", enroll("p-1", "wide", "face@1", "1"), "EMBEDDING_DIMENSION"),
        ("enroller", enroll("p-1", "zero", "face@1", "1"), "EMBEDDING_ZERO_NORM"),
        ("enroller", enroll("p-1", "faces", "other@1", "1"), "MODEL_UNKNOWN"),
        ("enroller", enroll("p-1", "faces", "face@1", "1.5"), "FIELD_OUT_OF_RANGE"),
        ("authenticator", enroll("p-1", "faces", "face@1", "1"), "ROLE_REQUIRED"),
        ("enroller", search(&[]), "ROLE_REQUIRED"),
        ("fraud_analyst", search(&["--purpose", "authentication"]), "PURPOSE_NOT_ALLOWED"),
        ("fraud_analyst", search(&["--purpose", "fraud_prevention"]), "PURPOSE_NOT_ALLOWED"),
        ("fraud_analyst", search(&["--threshold", "0.1"]), "FIELD_OUT_OF_RANGE"),
        ("enroller", vec!["sweep", "--model", "face@1"], "ROLE_REQUIRED"),
        ("fraud_analyst", vec!["sweep", "--model", "face@1", "--threshold", "0.1"], "FIELD_OUT_OF_RANGE"),
        ("fraud_analyst", search(&["--miss-probability", "0.5"]), "FIELD_OUT_OF_RANGE"),
        ("fraud_analyst", search(&["--max-results=-1"]), "FIELD_OUT_OF_RANGE"),
        ("fraud_analyst", vec!["erase", "p-1", "--yes"], "ROLE_REQUIRED"),
        ("auditor", vec!["key", "create", "--role", "auditor"], "ROLE_REQUIRED"),
    ] {
        let refused = bank.ask(role, &arguments).await;
        let failure = refused.failure();
        assert_eq!((refused.code(), &failure["reason"]), (3, &json!(reason)), "{arguments:?} {refused:?}");
        assert!(failure["message"].as_str().unwrap().starts_with("refused: "), "{failure}");
    }
    // Which field, and what helps.
    let refused = bank.ask("enroller", &enroll("p-1", "wide", "face@1", "1")).await.failure();
    assert!(refused["message"].as_str().unwrap().contains("has 128 components; the model has 64"), "{refused}");
    assert!(refused.to_string().contains("template.embedding"), "{refused}");
    let refused = bank.ask("enroller", &enroll("p-1", "faces", "other@1", "1")).await.failure();
    assert!(refused["hint"].as_str().unwrap().contains("lethe model create"), "{refused}");
    assert_eq!(bank.ask("privacy_officer", &["subject", "get", "p-1"]).await.code(), 4, "nobody was enrolled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_opens_nothing() {
    let bank = Bank::open().await;
    let other = ["tenant", "create", "other", "--basis", "authentication=explicit_consent"];
    let other = Cli::new(other).operator(&bank.vault).await.run().one();
    let other = other["api_key"].as_str().unwrap().to_owned();
    let key = bank.key("tenant_admin");
    let forged = format!("{}{}", &key[..key.len() - 1], if key.ends_with('A') { "E" } else { "A" });
    let get = ["tenant", "get", "--tenant", "bank"];
    for (given, reason) in [
        (forged.as_str(), "CREDENTIAL_INVALID"),
        ("lethe_nonsense", "CREDENTIAL_INVALID"),
        (&other, "TENANT_MISMATCH"),
        (bank.key("enroller"), "ROLE_REQUIRED"),
    ] {
        let refused = Cli::new(get).holding(&bank.vault, given).await.run();
        assert_eq!((refused.code(), &refused.failure()["reason"]), (3, &json!(reason)), "{refused:?}");
        assert!(!refused.errors.contains(given), "a key is not shown");
    }
    let none = Cli::new(get).asking(&bank.vault).await.run();
    assert_eq!((none.code(), &none.failure()["reason"]), (3, &json!("CREDENTIAL_MISSING")));
    assert!(none.failure()["hint"].as_str().unwrap().contains("--key-file"), "{none:?}");

    std::fs::write(bank.path("empty.key"), "\n").unwrap();
    std::fs::set_permissions(bank.path("empty.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    for file in ["nowhere.key", "empty.key"] {
        let refused = Cli::new(get).asking(&bank.vault).await.arg("--key-file").arg(bank.path(file)).run();
        assert_eq!(refused.code(), 2, "{refused:?}");
        assert!(refused.failure()["message"].as_str().unwrap().contains(file), "{refused:?}");
    }
    // One that others may read is used, and that is said.
    std::fs::write(bank.path("open.key"), key).unwrap();
    std::fs::set_permissions(bank.path("open.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let used = Cli::new(get).asking(&bank.vault).await.arg("--key-file").arg(bank.path("open.key")).run();
    assert!(used.code() == 0 && used.errors.contains("open to other users"), "{used:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_here_is_not_sent() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0)]);
    std::fs::write(bank.path("bad.json"), "[0.25, s3cret]").unwrap();
    std::fs::write(bank.path("long.json"), vec![b' '; 300 << 10]).unwrap();
    let (bad, long) = (format!("@{}", bank.text("bad.json")), format!("@{}", bank.text("long.json")));
    let search = |more: &[&str]| -> Vec<String> {
        ["search", "--model", "face@1"].iter().chain(more).map(|argument| (*argument).to_owned()).collect()
    };
    for (arguments, part) in [
        (search(&["--npy", "/nowhere.npy", "--row", "0"]), "nowhere.npy"),
        (search(&["--npy", &faces, "--row", "1"]), "there is no row 1"),
        (search(&["--embedding", "@/nowhere.json"]), "nowhere.json"),
        (search(&["--embedding", "0.25"]), "--embedding"),
        (search(&["--embedding", &bad]), "no JSON array"),
        (search(&["--embedding", &long]), "too long"),
        (vec!["subject".into(), "get".into(), "a/b".into()], "subject"),
    ] {
        let refused = bank.command("fraud_analyst", &[]).await.args(&arguments).run();
        let failure = refused.failure();
        assert_eq!((refused.code(), &failure["reason"]), (2, &Value::Null), "{arguments:?} {refused:?}");
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains(part) && !message.contains("s3cret"), "{message}");
    }
    for (arguments, code, part) in [
        (&["tenant", "get"][..], 2, "--tenant"),
        (&["tenant", "get", "--tenant", "Not A Tenant"], 2, "tenant"),
        (&["tenant", "get", "--tenant", "bank", "--endpoint", "http://192.0.2.1:1"], 2, "http is for loopback alone"),
        (&["tenant", "get", "--tenant", "bank", "--endpoint", "https://localhost:1"], 2, "--ca-cert"),
        (&["tenant", "get", "--tenant", "bank", "--endpoint", "nowhere"], 2, "http://"),
        // Nobody listens on the port that is nobody's.
        (&["tenant", "get", "--tenant", "bank", "--endpoint", "http://127.0.0.1:1"], 7, "cannot reach"),
        (&["receipt", "verify", "/nowhere.json", "--verifier", "no key"], 2, "neither a key"),
        (&["serve", "--listen", "0.0.0.0:7443"], 2, "--listen"),
        (&["serve", "--set", "limits.nothing=1"], 2, "limits.nothing"),
        (&["serve", "--config", "/nowhere.toml"], 2, "nowhere.toml"),
        (&["demo", "--folder", "/"], 2, "--folder"),
        (&["inspect", "/nowhere"], 4, "nowhere"),
    ] {
        let refused = Cli::new(arguments).run();
        assert_eq!(refused.code(), code, "{arguments:?} {refused:?}");
        assert!(refused.failure()["message"].as_str().unwrap().contains(part), "{arguments:?} {refused:?}");
    }
}
