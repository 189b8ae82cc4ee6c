//! What two persons decide, typed by both.

use lethe_tests::Cli;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::npy::face;

/// Where something goes, and by what.
const GUARDED: [&str; 6] =
    ["--country", "DE", "--safeguard", "standard_contractual_clauses", "--safeguard-reference", "scc-1"];

fn guarded() -> Value {
    json!({
        "country": "DE",
        "safeguard": "STANDARD_CONTRACTUAL_CLAUSES",
        "safeguard_reference": "scc-1",
        "contract_reference": null,
    })
}

impl Bank {
    /// As the holder of a key in a file.
    pub(crate) async fn by(&self, key_file: &str, arguments: &[&str]) -> lethe_tests::Told {
        let command = Cli::new(arguments).args(["--tenant", "bank", "--key-file", key_file]);
        command.asking(&self.vault).await.run()
    }

    /// Makes a key of a role, in a file.
    pub(crate) async fn key_file(&self, role: &str, name: &str) -> String {
        let file = self.text(name);
        self.ask("tenant_admin", &["key", "create", "--role", role, "--key-out", &file]).await.one();
        file
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_leaves_with_its_data_from_the_command_line() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0)]);
    let enroll = ["enroll", "p-1", "--quality", "0.5", "--npy", &faces, "--row", "0", "--model", "face@1"];
    bank.ask("enroller", &enroll).await.one();
    let director = bank.key_file("tenant_admin", "director.key").await;
    let key = age::x25519::Identity::generate();
    let recipient = key.to_public().to_string();
    let (proposal, archive) = (bank.text("bank.proposal"), bank.text("bank.tar.age"));
    let neither = bank.by(&director, &["tenant", "offboard"]).await;
    assert!(neither.code() == 2 && neither.errors.contains("--archive-to"), "{neither:?}");
    let offboard = ["tenant", "offboard", "--archive-to", &recipient, "--out", &proposal];
    let nowhere = bank.by(&director, &offboard).await;
    assert!(nowhere.code() == 2 && nowhere.errors.contains("--country"), "{nowhere:?}");
    let bare = bank.by(&director, &[&offboard[..], &["--country", "DE"]].concat()).await;
    assert_eq!((bare.code(), &bare.failure()["reason"]), (3, &json!("SAFEGUARD_MISSING")), "{bare:?}");
    let made = bank.by(&director, &[&offboard[..], &GUARDED].concat()).await.one();
    assert_eq!(made["offboarding"]["transfer"], guarded(), "{made}");
    assert_eq!((&made["state"], &made["offboarding"]["archive_recipient"]), (&json!("OPEN"), &json!(recipient)));
    let name = made["name"].as_str().unwrap();
    assert_eq!(bank.by(&director, &["proposal", "get", name]).await.one(), made);
    assert_eq!(bank.by(&director, &["proposal", "list"]).await.one(), made);

    let early = bank.by(&director, &["tenant", "export", &proposal, "--out", &archive]).await;
    assert_eq!((early.code(), &early.failure()["reason"]), (3, &json!("APPROVAL_REQUIRED")), "{early:?}");
    let own = bank.by(&director, &["proposal", "approve", &proposal]).await;
    assert_eq!((own.code(), &own.failure()["reason"]), (3, &json!("APPROVER_NOT_INDEPENDENT")), "{own:?}");
    let approve = async |arguments: &[&str]| Cli::new(arguments).operator(&bank.vault).await.run();
    let unread = approve(&["proposal", "approve", name]).await;
    assert!(unread.code() == 2 && unread.errors.contains("--content"), "{unread:?}");
    let approved = approve(&["proposal", "approve", &proposal]).await.one();
    assert_eq!(approved["state"], "APPROVED", "{approved}");

    let taken = bank.by(&director, &["tenant", "export", &proposal, "--out", &archive]).await.one();
    let bytes = std::fs::read(&archive).unwrap();
    assert_eq!((&taken["bytes"], taken["sha256"].as_str().unwrap().len()), (&json!(bytes.len()), 64), "{taken}");
    age::Decryptor::new(&bytes[..]).unwrap().decrypt(std::iter::once(&key as &dyn age::Identity)).unwrap();
    let other = bank.text("other");
    std::fs::write(&other, b"another").unwrap();
    let confirm = async |file: &str| bank.by(&director, &["tenant", "confirm-handover", name, "--archive", file]).await;
    let wrong = confirm(&other).await;
    assert_eq!((wrong.code(), &wrong.failure()["reason"]), (3, &json!("ARCHIVE_MISMATCH")), "{wrong:?}");
    let confirmed = confirm(&archive).await.one();
    assert!(confirmed["offboarding"]["confirm_time"].is_string(), "{confirmed}");
    let shred = ["tenant", "shred", "bank", "--proposal", &proposal, "--confirm", "bank"];
    assert_eq!(approve(&shred).await.one()["state"], "SHREDDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosure_is_proposed_approved_and_listed_from_the_command_line() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0)]);
    let enroll = ["enroll", "p-1", "--quality", "0.5", "--npy", &faces, "--row", "0", "--model", "face@1"];
    bank.ask("enroller", &enroll).await.one();
    let second = bank.key_file("privacy_officer", "second.key").await;
    let propose = ["disclosure", "propose", "p-1", "--to", "court-7", "--scope", "existence", "--scope", "results"];
    let nowhere = bank.ask("privacy_officer", &[&propose[..], &["--order", "o-9"]].concat()).await;
    assert!(nowhere.code() == 2 && nowhere.errors.contains("--country"), "{nowhere:?}");
    let beyond = bank.ask("privacy_officer", &[&propose[..], &["--order", "o-9", "--country", "DE"]].concat()).await;
    assert_eq!((beyond.code(), &beyond.failure()["reason"]), (3, &json!("SAFEGUARD_MISSING")), "{beyond:?}");
    let propose = [&propose[..], &GUARDED].concat();
    let bare = bank.ask("privacy_officer", &propose).await;
    assert_eq!((bare.code(), &bare.failure()["reason"]), (3, &json!("DISCLOSURE_GROUND_MISSING")), "{bare:?}");
    let file = bank.text("d.json");
    let made = bank.ask("privacy_officer", &[&propose[..], &["--order", "o-9", "--out", &file]].concat()).await.one();
    assert_eq!(made["disclosure"]["legal_order_reference"], "o-9", "{made}");
    assert!(bank.ask("privacy_officer", &["disclosure", "list", "p-1"]).await.said.is_empty());
    let done = bank.by(&second, &["proposal", "approve", &file, "--purpose", "data_subject_request"]).await.one();
    assert_eq!(done["state"], "DONE", "{done}");
    let listed = bank.ask("privacy_officer", &["disclosure", "list", "p-1"]).await.one();
    assert_eq!((&listed["recipient"], &listed["consent"]), (&json!("court-7"), &Value::Null), "{listed}");
    assert_eq!(listed["scope"], json!(["EXISTENCE", "RESULTS"]));
    assert_eq!(listed["transfer"], guarded(), "{listed}");
    let again = bank.ask("privacy_officer", &[&propose[..], &["--order", "o-10"]].concat()).await.one();
    let rejected = bank.by(&second, &["proposal", "reject", again["name"].as_str().unwrap()]).await.one();
    assert_eq!(rejected["state"], "REJECTED", "{rejected}");

    // A consent names recipients and countries; what rests on it goes to one of them.
    let notice = bank.text("notice.html");
    std::fs::write(&notice, b"whom we tell").unwrap();
    let record = ["consent", "record", "p-1", "--to", "kyc_sharing", "--manner", "written", "--notice", &notice];
    let record = [&record[..], &["--notice-version", "v1"]].concat();
    let nobody = bank.ask("privacy_officer", &record).await;
    assert_eq!((nobody.code(), &nobody.failure()["reason"]), (3, &json!("FIELD_MISSING")), "{nobody:?}");
    let named = ["--recipient", "court-7", "--country", "DE", "--country", "KZ"];
    let consent = bank.ask("privacy_officer", &[&record[..], &named].concat()).await.one();
    assert_eq!((&consent["recipients"], &consent["countries"]), (&json!(["court-7"]), &json!(["DE", "KZ"])));
    let by = ["--consent", consent["name"].as_str().unwrap()];
    let shared = bank.ask("privacy_officer", &[&propose[..], &by].concat()).await.one();
    assert_eq!(shared["disclosure"]["consent"], consent["name"], "{shared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_sent_abroad_from_the_command_line_under_a_safeguard() {
    let bank = Bank::open().await;
    let faces = bank.matrix("faces.npy", &[face(0)]);
    let enroll = ["enroll", "p-1", "--quality", "0.5", "--npy", &faces, "--row", "0", "--model", "face@1"];
    bank.ask("enroller", &enroll).await.one();
    let (recipient, archive) = (age::x25519::Identity::generate().to_public().to_string(), bank.text("p-1.age"));
    let export = ["subject", "export", "p-1", "--to", &recipient, "--output", &archive];
    let unnamed = bank.ask("privacy_officer", &[&export[..], &["--country", "DE"]].concat()).await;
    assert_eq!((unnamed.code(), &unnamed.failure()["field"]), (3, &json!("receiver")), "{unnamed:?}");
    let export = [&export[..], &["--receiver", "insurer-4"]].concat();
    let bare = bank.ask("privacy_officer", &[&export[..], &["--country", "DE"]].concat()).await;
    assert_eq!((bare.code(), &bare.failure()["reason"]), (3, &json!("SAFEGUARD_MISSING")), "{bare:?}");
    assert!(!std::path::Path::new(&archive).exists());
    // A tenant that says where it is need not explain what stays there.
    let said = bank.ask("tenant_admin", &["tenant", "policy", "--country", "DE"]).await.one();
    assert_eq!(said["country"], "DE", "{said}");
    bank.ask("privacy_officer", &[&export[..], &["--country", "DE"]].concat()).await.one();
    let said = bank.ask("tenant_admin", &["tenant", "policy", "--country", "none"]).await.one();
    assert_eq!(said["country"], Value::Null, "{said}");
    std::fs::remove_file(&archive).unwrap();
    bank.ask("privacy_officer", &[&export[..], &GUARDED].concat()).await.one();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_gets_another_key_from_the_command_line() {
    let bank = Bank::open().await;
    let director = bank.key_file("tenant_admin", "director.key").await;
    let kept = bank.ask("auditor", &["audit", "checkpoint"]).await.one()["verifier_key"].as_str().unwrap().to_owned();
    let (file, chain) = (bank.text("rotation"), bank.text("chain"));
    let made = bank.by(&director, &["audit", "rotate-key", "--out", &file]).await.one();
    assert_eq!((&made["state"], &made["log_key_rotation"]["retired_key"]), (&json!("OPEN"), &json!(kept)));
    let own = bank.by(&director, &["proposal", "approve", &file]).await;
    assert_eq!((own.code(), &own.failure()["reason"]), (3, &json!("APPROVER_NOT_INDEPENDENT")), "{own:?}");
    let done = bank.ask("auditor", &["proposal", "approve", &file]).await.one();
    assert_eq!(done["state"], "DONE", "{done}");
    let listed = bank.ask("auditor", &["audit", "keys", "--verifier", &kept, "--out", &chain]).await.one();
    assert_eq!((&listed["keys"][0]["verifier_key"], &listed["signed_by"]), (&json!(kept), &json!("successor")));
    let newest = listed["keys"][1]["verifier_key"].as_str().unwrap();
    let asked = bank.ask("auditor", &["audit", "checkpoint", "--verifier", &kept]).await.one();
    assert_eq!((&asked["verifier_key"], &asked["signed_by"]), (&json!(newest), &json!("successor")), "{asked}");
    assert_eq!(std::fs::read_to_string(&chain).unwrap().lines().count(), 1);
    // Another log's key leads nowhere.
    let vaults = Cli::new(["audit", "checkpoint", "--vault"]).operator(&bank.vault).await.run().one();
    let other = vaults["verifier_key"].as_str().unwrap();
    assert_eq!(bank.ask("auditor", &["audit", "keys", "--verifier", other]).await.code(), 5);
    let none = Cli::new(["proposal", "list", "--vault"]).operator(&bank.vault).await.run();
    assert!(none.code() == 0 && none.said.is_empty(), "{none:?}");
}
