//! A vault that the first version wrote is opened and read, all of it, by this one: see `tests/fixtures/format-1`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use lethe_crypto::log::merkle::{Frontier, Hash};
use lethe_tests::{Cli, Told, Vault};
use serde_json::{Value, json};

/// Who is in it: subject, model, and the row of the face, by tenant.
const PEOPLE: [(&str, &str, &str, &str); 8] = [
    ("acme", "p-1", "face@1", "0"),
    ("acme", "p-1", "face@1", "1"),
    ("acme", "p-1", "face@2", "0"),
    ("acme", "p-2", "face@1", "2"),
    ("acme", "p-3", "face@1", "5"),
    ("acme", "p-5", "face@1", "9"),
    ("globex", "q-1", "face@1", "6"),
    ("globex", "q-2", "face@1", "7"),
];

/// Whose faces are in it no more: an erased person's, a replaced template's, a shredded tenant's.
const GONE: [&str; 3] = ["4", "3", "8"];

struct Old {
    folder: tempfile::TempDir,
    vault: Vault,
}

impl Old {
    async fn open() -> Self {
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1/vault.tar.gz");
        let folder = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar");
        let unpacked = tar.args(["--extract", "--gzip", "--no-same-owner", "--file"]).arg(archive);
        assert!(unpacked.arg("--directory").arg(folder.path()).status().unwrap().success());
        let vault = Vault::setup().without_replicas().start_on_copy_of(folder.path()).await;
        Self { folder, vault }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.file(name)).unwrap()).unwrap()
    }

    /// Asks with a key of the archive.
    async fn ask(&self, tenant: &str, key: &str, arguments: &[&str]) -> Told {
        let key = std::fs::read_to_string(self.file(&format!("keys/{tenant}.{key}"))).unwrap();
        let command = Cli::new(arguments).arg("--tenant").arg(tenant);
        command.holding(&self.vault, key.trim()).await.run()
    }

    async fn with_face(&self, tenant: &str, arguments: &[&str], model: &str, row: &str) -> Told {
        let faces = self.file("faces.npy").display().to_string();
        let face = ["--npy", &faces, "--row", row, "--model", model];
        self.ask(tenant, "team", &[arguments, &face].concat()).await
    }

    /// Records what the first version asked nobody for, and its tenants said that they rest on.
    async fn consents(&self, tenant: &str, subject: &str) {
        let notice = self.file("vault.pub").display().to_string();
        let record = ["consent", "record", subject, "--to", "authentication", "--manner", "written"];
        let of = ["--notice", &notice, "--notice-version", "v1"];
        self.ask(tenant, "team", &[&record[..], &of].concat()).await.one();
    }

    /// What the first version took from everybody: nothing was attested.
    async fn nobody_attests(&self) {
        for tenant in ["acme", "globex"] {
            self.ask(tenant, "admin", &["tenant", "policy", "--attestation-exempt", "all"]).await.one();
        }
    }

    async fn everybody_consents(&self) {
        self.nobody_attests().await;
        let mut people: Vec<_> = PEOPLE.iter().map(|(tenant, subject, ..)| (*tenant, *subject)).collect();
        people.dedup();
        for (tenant, subject) in people {
            self.consents(tenant, subject).await;
        }
    }

    /// Everybody is there, and nobody else.
    async fn expect_everybody(&self) {
        for (tenant, subject, model, row) in PEOPLE {
            let verified = self.with_face(tenant, &["verify", subject], model, row).await.one();
            assert_eq!(verified["band"], "MATCH", "{tenant} {subject} {row}");
            let found = self.with_face(tenant, &["search"], model, row).await.one();
            let (hit, all) = (&found["matches"][0], &found["completeness"]);
            assert_eq!(hit["subject"], format!("tenants/{tenant}/subjects/{subject}"), "{found}");
            assert!(hit["score"].as_f64() > Some(0.9999), "{found}");
            let in_gallery = PEOPLE.iter().filter(|(t, _, m, _)| (*t, *m) == (tenant, model)).count();
            assert_eq!((all["gallery_size"].as_u64(), &all["complete"]), (Some(in_gallery as u64), &json!(true)));
        }
        for tenant in ["acme", "globex"] {
            for row in GONE {
                let found = self.with_face(tenant, &["search", "--threshold", "0.9"], "face@1", row).await;
                assert_eq!((found.code(), &found.said[0]["matches"]), (5, &json!([])), "{tenant} {row}");
            }
        }
        let gone = self.ask("acme", "dpo", &["subject", "get", "p-4"]).await;
        assert_eq!((gone.code(), &gone.failure()["reason"]), (4, &json!("SUBJECT_NOT_FOUND")));
    }

    /// What was signed then is what is there now: the checkpoint's tree is the beginning of the log's.
    async fn expect_log(&self, checkpoint: &str, log: &str) {
        let (then, operator) = (self.json(checkpoint), self.vault.operator());
        let now = operator.checkpoint(log).await.unwrap();
        assert_eq!(then["verifier_key"], now.verifier_key);
        let size = then["tree_size"].as_i64().unwrap();
        assert!(size > 10 && now.tree_size > size, "{then}");
        let mut frontier = Frontier::new();
        for leaf in 0..size {
            let entry = operator.proof(log, leaf, now.tree_size).await.unwrap().entry;
            frontier.append(Hash::leaf(&entry));
        }
        assert_eq!(then["root"], frontier.root().to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_of_format_1_is_opened_and_all_of_it_is_read() {
    let old = Old::open().await;
    // They are people in production, and no face is taken that nobody attests.
    let verified = old.with_face("acme", &["verify", "p-1"], "face@1", "0").await;
    assert_eq!(verified.failure()["reason"], "ATTESTATION_REQUIRED");
    old.nobody_attests().await;
    // They are there, and nothing that rests on consent is done without it.
    let verified = old.with_face("acme", &["verify", "p-1"], "face@1", "0").await;
    assert_eq!(verified.failure()["reason"], "CONSENT_MISSING");
    old.everybody_consents().await;
    old.expect_everybody().await;
    for (tenant, subject, counts) in [
        ("acme", "p-1", json!([{ "model": "face@1", "count": 2 }, { "model": "face@2", "count": 1 }])),
        ("globex", "q-2", json!([{ "model": "face@1", "count": 1 }])),
    ] {
        let told = old.ask(tenant, "dpo", &["subject", "get", subject]).await.one();
        assert_eq!(told["template_counts"], counts, "{told}");
    }
    let templates = old.ask("acme", "dpo", &["template", "list", "p-1"]).await;
    let first = old.json("first.json");
    assert!(templates.said.contains(&first["template"]), "{templates:?} {first}");
    // An answer that was remembered then is given now.
    let enroll = [
        "enroll",
        "p-1",
        "--quality",
        "0.75",
        "--captured-at",
        "2026-01-02T03:04:05Z",
        "--request-id",
        "11111111-1111-4111-8111-111111111111",
    ];
    let again = old.with_face("acme", &enroll, "face@1", "0").await.one();
    assert_eq!(again["template"], first["template"]);

    let purposes = json!([
        { "purpose": "AUTHENTICATION", "lawful_basis": "EXPLICIT_CONSENT" },
        { "purpose": "DUPLICATE_DETECTION", "lawful_basis": "LEGITIMATE_INTERESTS" },
    ]);
    assert_eq!(old.ask("acme", "admin", &["tenant", "get"]).await.one()["purposes"], purposes);
    let model = old.ask("acme", "admin", &["model", "get", "face@2"]).await.one();
    assert_eq!(model["thresholds"], json!({ "match": 0.75, "review": 0.5 }));
    let facts = (&model["centred"], &model["policy_version"], &model["miss_probability"]);
    assert_eq!(facts, (&json!(true), &json!(2), &json!(1e-6)), "{model}");
    let keys = old.ask("acme", "admin", &["key", "list"]).await;
    let states: Vec<_> = keys.said.iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ACTIVE", "ACTIVE", "ACTIVE", "REVOKED"], "{keys:?}");
    assert_eq!(keys.said[2]["expire_time"], "2999-12-31T00:00:00Z");
    for (tenant, key) in [("acme", "revoked"), ("gone", "admin")] {
        let refused = old.ask(tenant, key, &["tenant", "get"]).await;
        assert_eq!((refused.code(), &refused.failure()["reason"]), (3, &json!("CREDENTIAL_INVALID")), "{tenant}");
    }
    let create = ["tenant", "create", "gone", "--basis", "authentication=explicit_consent"];
    let refused = Cli::new(create).operator(&old.vault).await.run();
    assert_eq!((refused.code(), &refused.failure()["reason"]), (3, &json!("TENANT_EXISTS")));

    old.expect_log("vault.log.json", "vault/log").await;
    old.expect_log("acme.log.json", "tenants/acme/log").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_format_1_verify_and_are_made_again() {
    let old = Old::open().await;
    let verifier = old.file("vault.pub").display().to_string();
    for (name, kind, erased) in
        [("receipt.json", "erasure", 1), ("rotation.json", "rotation", 0), ("shredding.json", "erasure", 1)]
    {
        let path = old.file(name).display().to_string();
        let verify = async |path: &str| Cli::new(["receipt", "verify", path, "--verifier", &verifier]).run().one();
        let then = verify(&path).await;
        assert_eq!((&then["kind"], then["keys_erased"].as_u64() >= Some(erased)), (&json!(kind), true), "{then}");
        // The vault makes it anew from its log, against a newer checkpoint.
        let id = then["receipt"].as_str().unwrap();
        let again = old.file(&format!("again-{name}")).display().to_string();
        let got = if name == "receipt.json" {
            old.ask("acme", "dpo", &["receipt", "get", id, "--out", &again]).await
        } else {
            let full = format!("vault/receipts/{id}");
            Cli::new(["receipt", "get", &full, "--out", &again]).operator(&old.vault).await.run()
        };
        assert_eq!(got.one()["state"], "SHREDDED");
        assert_eq!(verify(&again).await, then);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn life_goes_on_in_a_vault_of_format_1() {
    let old = Old::open().await;
    // With its root key every row opens, and nothing is damaged.
    old.vault.stop().await;
    let told = old.vault.run(&["inspect", "--open"]);
    assert_eq!(told.code, Some(0), "{} {}", told.answer, told.log);
    let (answer, roots) = (&told.answer, &told.answer["roots"]);
    assert_eq!((&answer["format"], &answer["sound"], &answer["damage"]), (&json!(1), &json!(true), &json!([])));
    assert_eq!((&roots["opens"], &roots["rows_damaged"]), (&json!(true), &json!(0)), "{roots}");
    assert!(answer["torn_log"].is_null(), "{answer}");
    let checked = old.vault.run(&["root", "check"]);
    assert_eq!(checked.code, Some(0), "{} {}", checked.answer, checked.log);

    for kind in ["stopped", "killed"] {
        old.vault.start().await;
        if kind == "stopped" {
            old.everybody_consents().await;
        }
        old.expect_everybody().await;
        let (row, subject) = ("4", format!("new-{kind}"));
        old.consents("acme", &subject).await;
        old.with_face("acme", &["enroll", &subject, "--quality", "1"], "face@1", row).await.one();
        let found = old.with_face("acme", &["search", "--threshold", "0.9"], "face@1", row).await.one();
        assert_eq!(found["matches"][0]["subject"], format!("tenants/acme/subjects/{subject}"));
        let erased = old.ask("acme", "dpo", &["erase", &subject, "--yes"]).await.one();
        assert_eq!(erased["state"], "SHREDDED");
        if kind == "stopped" { old.vault.stop().await } else { old.vault.kill().await }
    }
    old.vault.start().await;
    old.expect_everybody().await;
}
