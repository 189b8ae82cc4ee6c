//! `lethe import`: whole files.

use std::process::{Command, Stdio};

use lethe_tests::{Cli, PATIENCE, request_id};
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::npy::{DIMENSION, crowd, f16s, f32s, f64s, face, write, write_labels};

const MORE: [&str; 4] = ["--model", "face@1", "--quality", "1"];

/// What an import told, and its exit code.
async fn import(bank: &Bank, file: &str, arguments: &[&str]) -> (Value, i32) {
    let told = bank.ask("enroller", &[&["import", file][..], &MORE, arguments].concat()).await;
    assert_eq!((told.said.len(), told.errors.as_str()), (1, ""), "{told:?}");
    (told.said[0].clone(), told.code())
}

/// Templates in the gallery, by what a search says of its completeness.
async fn gallery(bank: &Bank) -> i64 {
    let analyst = bank.vault.caller(Some(bank.key("fraud_analyst").to_owned())).on("bank");
    analyst.search(&face(0)).await.unwrap().completeness.unwrap().gallery_size
}

async fn is(bank: &Bank, subject: &str, face: &[f32]) -> bool {
    let probe = serde_json::to_vec(face).unwrap();
    let verify = ["verify", subject, "--embedding", "-", "--model", "face@1"];
    bank.command("fraud_analyst", &verify).await.run_on(&probe).said[0]["score"].as_f64() > Some(0.999)
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_and_singles_and_labels_are_imported() {
    let bank = Bank::open().await;
    let people: Vec<_> = (0..4).map(crowd).collect();
    for (element, bytes, prefix) in
        [("<f4", f32s as fn(&[f32]) -> Vec<u8>, "single-"), ("<f2", f16s as fn(&[f32]) -> Vec<u8>, "half-")]
    {
        let file = bank.text(&format!("{prefix}.npy"));
        write(file.as_ref(), element, DIMENSION, &people.iter().map(|face| bytes(face)).collect::<Vec<_>>());
        let (told, code) = import(&bank, &file, &["--prefix", prefix]).await;
        assert_eq!((&told["stored"], &told["failed"], code), (&json!(4), &json!(0), 0), "{told}");
        assert_eq!((&told["resume_at_row"], &told["ended_early"]), (&Value::Null, &Value::Null), "{told}");
        for (row, person) in people.iter().enumerate() {
            assert!(is(&bank, &format!("{prefix}{row}"), person).await, "{prefix}{row}");
        }
    }
    // Two rows of one person are two templates of one subject.
    let (file, labels) = (bank.text("single-.npy"), bank.text("labels.npy"));
    write_labels(labels.as_ref(), &[7, -7, 7, 8]);
    let (told, code) = import(&bank, &file, &["--labels", &labels, "--prefix", "person-"]).await;
    assert_eq!((&told["stored"], code), (&json!(4), 0), "{told}");
    let subject = bank.ask("privacy_officer", &["subject", "get", "person-7"]).await.one();
    assert_eq!(subject["template_counts"], json!([{ "model": "face@1", "count": 2 }]));
    assert!(is(&bank, "person--7", &people[1]).await && is(&bank, "person-7", &people[2]).await);
    assert_eq!(gallery(&bank).await, 12);
    // A part of a file keeps the numbers of the whole.
    let (told, _) = import(&bank, &file, &["--skip", "1", "--limit", "2", "--prefix", "part-"]).await;
    assert_eq!(told["stored"], 2);
    assert!(is(&bank, "part-1", &people[1]).await && is(&bank, "part-2", &people[2]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_a_crash_cut_off_is_resumed_and_stores_nothing_twice() {
    const ROWS: i64 = 6000;
    let bank = Bank::open().await;
    let file = bank.matrix("crowd.npy", &(0..ROWS as usize).map(crowd).collect::<Vec<_>>());
    let id = request_id();
    // Few on their way at a time, so that the server is killed in the middle.
    let arguments = ["import", &file, "--import-id", &id, "--window", "2"];
    let command = bank.command("enroller", &[&arguments[..], &MORE].concat()).await;
    let importing = tokio::task::spawn_blocking(move || command.run());
    let begun = async { while gallery(&bank).await == 0 {} };
    tokio::time::timeout(PATIENCE, begun).await.expect("an import begins");
    bank.vault.kill().await;
    let cut = importing.await.unwrap();
    assert_eq!((cut.code(), cut.said.len()), (1, 1), "{cut:?}");
    let told = &cut.said[0];
    let (stored, row) = (told["stored"].as_i64().unwrap(), told["resume_at_row"].as_i64().unwrap());
    assert!(stored < ROWS && row <= stored && told["import_id"] == id, "{told}");
    assert!(told["ended_early"].is_string() && told["unanswered"].as_u64() <= Some(2), "{told}");

    bank.vault.start().await;
    let kept = gallery(&bank).await;
    assert!((stored..=stored + 2).contains(&kept), "{kept} of what was answered: {told}");
    let (told, code) = import(&bank, &file, &["--import-id", &id, "--skip", &row.to_string()]).await;
    assert_eq!((told["stored"].as_i64(), code), (Some(ROWS - row), 0), "{told}");
    assert_eq!(gallery(&bank).await, ROWS);
    // All of it once more: each row is there already.
    let (told, code) = import(&bank, &file, &["--import-id", &id]).await;
    assert_eq!((told["stored"].as_i64(), code), (Some(ROWS), 0), "{told}");
    assert_eq!(gallery(&bank).await, ROWS);
    assert!(is(&bank, &format!("subject-{row}"), &crowd(usize::try_from(row).unwrap())).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_refused_are_told_by_reason_and_the_others_are_stored() {
    let bank = Bank::open().await;
    let (mut bad, mut worse) = (crowd(1), crowd(2));
    bad[5] = f32::NAN;
    worse.fill(0.0);
    let file = bank.matrix("mixed.npy", &[crowd(0), bad, worse, crowd(3)]);
    let (told, code) = import(&bank, &file, &[]).await;
    assert_eq!((&told["stored"], &told["failed"], code), (&json!(2), &json!(2), 1), "{told}");
    assert_eq!(told["failed_by_reason"], json!({ "EMBEDDING_NAN": 1, "EMBEDDING_ZERO_NORM": 1 }));
    let first = &told["first_errors"][0];
    assert_eq!((&first["row"], &first["subject"]), (&json!(1), &json!("subject-1")), "{told}");
    assert_eq!((&first["status"], &first["reason"]), (&json!("INVALID_ARGUMENT"), &json!("EMBEDDING_NAN")), "{told}");

    let wide = bank.matrix("wide.npy", &[vec![1.0; 128], vec![2.0; 128]]);
    let (told, code) = import(&bank, &wide, &[]).await;
    assert_eq!((&told["stored"], code), (&json!(0), 1), "{told}");
    assert_eq!(told["failed_by_reason"], json!({ "EMBEDDING_DIMENSION": 2 }));
    let (told, code) = import(&bank, &file, &["--prefix", "ada@example.org-"]).await;
    assert_eq!((&told["stored"], code), (&json!(0), 1), "{told}");
    assert!(told["failed_by_reason"]["SUBJECT_ID_PERSONAL_DATA"].is_u64(), "{told}");
    assert_eq!(gallery(&bank).await, 2);

    // Nobody is let in whose key may not enroll: the stream ends before a row is taken.
    let arguments = [&["import", &file][..], &MORE].concat();
    for role in ["authenticator", "auditor"] {
        let refused = bank.ask(role, &arguments).await;
        assert_eq!((refused.code(), &refused.said[0]["stored"]), (1, &json!(0)), "{refused:?}");
    }
    assert_eq!(gallery(&bank).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_is_refused_before_anything_is_sent() {
    let bank = Bank::open().await;
    let good = bank.matrix("good.npy", &[crowd(0), crowd(1)]);
    let at = |name: &str| bank.text(name);
    write(at("doubles.npy").as_ref(), "<f8", DIMENSION, &[f64s(&crowd(0))]);
    let whole = std::fs::read(&good).unwrap();
    std::fs::write(at("text.npy"), "a,b,c\n").unwrap();
    std::fs::write(at("none.npy"), "").unwrap();
    // In the middle of its last row.
    std::fs::write(at("cut.npy"), &whole[..whole.len() - 10]).unwrap();
    write_labels(at("short.npy").as_ref(), &[1]);
    let (short, good_as_labels) = (at("short.npy"), good.clone());
    for (file, more) in [
        (at("nowhere.npy"), &[][..]),
        (at("doubles.npy"), &[]),
        (at("text.npy"), &[]),
        (at("none.npy"), &[]),
        (at("cut.npy"), &[]),
        (short.clone(), &[]),
        (good.clone(), &["--labels", &short]),
        (good.clone(), &["--labels", &good_as_labels]),
        (good.clone(), &["--skip", "3"]),
    ] {
        let refused = bank.ask("enroller", &[&["import", &file][..], &MORE, more].concat()).await;
        assert_eq!(refused.code(), 2, "{file} {more:?} {refused:?}");
        let message = refused.failure()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(".npy"), "it names the file: {message}");
    }
    assert_eq!(gallery(&bank).await, 0);
}

/// Under a terminal, as `script` makes one.
async fn on_a_terminal(bank: &Bank, arguments: &str) -> String {
    let file = bank.path("key");
    std::fs::write(&file, bank.key("enroller")).unwrap();
    let address = bank.vault.address().await;
    let line = format!(
        "{} {arguments} --tenant bank --model face@1 --quality 1 --endpoint http://{address} --key-file {} >/dev/null",
        lethe_tests::lethe().display(),
        file.display()
    );
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null());
    command.env_clear().env("TERM", "xterm").env("PATH", std::env::var("PATH").unwrap());
    let shown = command.output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_shown_to_people_and_to_nobody_else() {
    let bank = Bank::open().await;
    let file = bank.matrix("crowd.npy", &(0..500).map(crowd).collect::<Vec<_>>());
    let shown = on_a_terminal(&bank, &format!("import {file} --prefix a-")).await;
    assert!(shown.contains(" of 500, "), "{shown:?}");
    // What reads JSON reads no bar, though it is a terminal; and where there is none, nothing is drawn: see `import`.
    let shown = on_a_terminal(&bank, &format!("import {file} --prefix b- --json")).await;
    assert!(!shown.contains(" of 500"), "{shown:?}");
    let quiet =
        Cli::new(["import", &file, "--prefix", "c-", "--tenant", "bank"]).holding(&bank.vault, bank.key("enroller"));
    let quiet = quiet.await.run_with(&MORE);
    assert_eq!((quiet.code(), quiet.errors.as_str()), (0, ""), "{quiet:?}");
    assert_eq!(gallery(&bank).await, 1500);
}
