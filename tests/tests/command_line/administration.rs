//! Tenants, keys and models.

use std::os::unix::fs::PermissionsExt as _;

use lethe_tests::{Cli, Vault, request_id};
use serde_json::{Value, json};

use crate::bank::Bank;

const BASIS: [&str; 2] = ["--basis", "authentication=explicit_consent"];

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_created_once_and_shown() {
    let vault = Vault::fresh().await;
    let request = request_id();
    let create = ["tenant", "create", "acme", BASIS[0], BASIS[1], "--request-id", &request];
    let first = Cli::new(create).operator(&vault).await.run().one();
    let tenant = &first["tenant"];
    assert_eq!(tenant["name"], "tenants/acme");
    let purposes = json!([{ "purpose": "AUTHENTICATION", "lawful_basis": "EXPLICIT_CONSENT" }]);
    assert_eq!(tenant["purposes"], purposes);
    let credential = &first["credential"];
    assert_eq!((&credential["roles"], &credential["state"]), (&json!(["TENANT_ADMIN"]), &json!("ACTIVE")), "{first}");
    let key = first["api_key"].as_str().unwrap();
    assert!(key.starts_with("lethe_"), "{first}");

    // The same request again names what was made, without the key.
    let again = Cli::new(create).operator(&vault).await.run().one();
    assert_eq!(again["credential"]["name"], credential["name"]);
    assert_eq!(again["credential"]["already_shown"], true);
    assert!(!again.to_string().contains("lethe_"), "{again}");
    let other = Cli::new(["tenant", "create", "acme", BASIS[0], BASIS[1]]).operator(&vault).await.run();
    assert_eq!((other.code(), &other.failure()["reason"]), (3, &json!("TENANT_EXISTS")));

    let shown = Cli::new(["tenant", "get", "--tenant", "acme"]).holding(&vault, key).await.run().one();
    assert_eq!(shown, *tenant);
    let shown = Cli::new(["tenant", "get", "--tenant", "nobody"]).operator(&vault).await.run();
    assert_eq!((shown.code(), &shown.failure()["reason"]), (4, &json!("TENANT_NOT_FOUND")));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_and_revoked() {
    let bank = Bank::open().await;
    let file = bank.text("auditor.key");
    let create = ["key", "create", "--role", "auditor", "--role", "reviewer", "--expires", "90d", "--key-out", &file];
    let made = bank.ask("tenant_admin", &create).await.one();
    assert_eq!((&made["roles"], &made["key_file"]), (&json!(["REVIEWER", "AUDITOR"]), &json!(file)), "{made}");
    assert!(made["api_key"].is_null() && !made["expire_time"].is_null(), "{made}");
    assert_eq!(bank.path("auditor.key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // A key in a file is not written over, and none is made whose key would be lost.
    let again = bank.ask("tenant_admin", &create).await;
    assert_eq!(again.code(), 2);
    assert!(again.failure()["message"].as_str().unwrap().contains("exists"), "{again:?}");

    let get = ["--key-file", &file, "tenant", "get", "--tenant", "bank"];
    Cli::new(get).asking(&bank.vault).await.run().one();
    let listed = bank.ask("tenant_admin", &["key", "list"]).await;
    assert_eq!((listed.code(), listed.said.len()), (0, 7), "{listed:?}");
    assert!(listed.said.iter().all(|key| key["state"] == "ACTIVE"), "{listed:?}");
    assert!(listed.said.iter().any(|key| key["name"] == made["name"]));

    let name = made["name"].as_str().unwrap();
    let revoked = bank.ask("tenant_admin", &["key", "revoke", name]).await.one();
    assert_eq!((&revoked["name"], &revoked["state"]), (&made["name"], &json!("REVOKED")));
    let refused = Cli::new(get).asking(&bank.vault).await.run();
    assert_eq!((refused.code(), &refused.failure()["reason"]), (3, &json!("CREDENTIAL_INVALID")));
    let unknown = bank.ask("tenant_admin", &["key", "revoke", &"0".repeat(32)]).await;
    assert_eq!((unknown.code(), &unknown.failure()["reason"]), (4, &json!("CREDENTIAL_NOT_FOUND")));
    let last = listed.said[0]["name"].as_str().unwrap();
    let last = bank.ask("tenant_admin", &["key", "revoke", last]).await;
    assert_eq!((last.code(), &last.failure()["reason"]), (3, &json!("LAST_ADMINISTRATOR")));
    assert!(last.failure()["hint"].as_str().unwrap().contains("lethe key create"), "{last:?}");

    // The operators' keys are the operators'.
    let create = ["key", "create", "--vault"];
    let operator = Cli::new(create).operator(&bank.vault).await.run().one();
    assert_eq!(operator["roles"], json!(["OPERATOR"]));
    let listed = Cli::new(["key", "list", "--vault"]).holding(&bank.vault, operator["api_key"].as_str().unwrap()).await;
    assert_eq!(listed.run().said.len(), 2);
    let denied = bank.ask("tenant_admin", &["key", "list", "--vault"]).await;
    assert_eq!(denied.code(), 3, "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_registered_shown_and_changed() {
    let bank = Bank::open().await;
    let ask = async |arguments: &[&str]| bank.ask("tenant_admin", &[&["model"], arguments].concat()).await;
    let centre = bank.matrix("centre.npy", &[vec![0.05; 128]]);
    let create = ["create", "wide@2", "--dimension", "128", "--match", "0.5", "--centre", &centre];
    let made = ask(&create).await.one();
    assert_eq!((&made["model"], &made["dimension"], &made["centred"]), (&json!("wide@2"), &json!(128), &json!(true)));
    assert_eq!(made["thresholds"], json!({ "match": 0.5, "review": 0.5 }), "what is not given is the match threshold");
    assert_eq!(made["policy_version"], 1);
    assert_eq!(ask(&["get", "wide@2"]).await.one(), made);
    let update = ["update", "wide@2", "--review", "-0.25", "--miss-probability", "1e-6"];
    let changed = ask(&update).await.one();
    assert_eq!(changed["thresholds"], json!({ "match": 0.5, "review": -0.25 }));
    assert_eq!((&changed["miss_probability"], &changed["policy_version"]), (&json!(1e-6), &json!(2)), "{changed}");
    let listed = ask(&["list"]).await;
    let names: Vec<_> = listed.said.iter().map(|model| &model["model"]).collect();
    assert_eq!(names, ["face@1", "wide@2"]);

    let two = bank.matrix("two.npy", &[vec![0.1; 128], vec![0.2; 128]]);
    for (arguments, code, reason) in [
        (&create[..], 3, json!("MODEL_EXISTS")),
        (&["get", "wide@3"], 4, json!("MODEL_UNKNOWN")),
        (&["create", "a@1", "--dimension", "32", "--match", "0.5"], 3, json!("FIELD_OUT_OF_RANGE")),
        (&["create", "a@1", "--dimension", "64", "--match", "1.5"], 3, json!("FIELD_OUT_OF_RANGE")),
        (&["create", "a@1", "--dimension", "128", "--match", "0.5", "--centre", &two], 2, Value::Null),
        (&["create", "a@1", "--dimension", "128", "--match", "0.5", "--centre", "/nowhere.npy"], 2, Value::Null),
        (&["update", "wide@2", "--match", "-0.5"], 3, json!("FIELD_OUT_OF_RANGE")),
    ] {
        let refused = ask(arguments).await;
        assert_eq!((refused.code(), &refused.failure()["reason"]), (code, &reason), "{arguments:?} {refused:?}");
    }
}
