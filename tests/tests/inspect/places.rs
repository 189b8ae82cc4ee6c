use std::fs;
use std::time::Duration;

use lethe_proto::v1::{EraseSubjectRequest, ErasureState};
use lethe_tests::{PATIENCE, Vault};
use serde_json::Value;

use crate::scene::{Scene, of_tenant};

/// Templates and sketches are counted, as they were when they were written.
const COUNTS: [&str; 4] = ["subjects", "templates", "sketches", "counted"];

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_told_while_it_serves_and_after_it_was_killed() {
    let scene = Scene::set().await;
    let data = scene.home().data();
    scene.is_mirrored().await;
    for killed in [false, true] {
        if killed {
            scene.vault.kill().await;
        }
        let glance = scene.glance(&data, &[]);
        assert_eq!(glance.code, Some(0), "{}", glance.log);
        let told = &glance.answer;
        assert_eq!((told["kind"].as_str(), told["sound"].as_bool()), (Some("vault"), Some(true)), "{told}");
        assert!(told["roots"].is_null() && told["restoring"].is_null(), "{told}");
        assert_eq!((told["format"].as_u64(), told["epoch"]["number"].as_u64()), (Some(1), Some(2)));
        assert_eq!(of_tenant(told, &COUNTS), [3, 5, 5, 5]);
        assert_eq!(told["trees"][1]["erasures"]["shredded"], 2);
        assert_eq!(told["trees"][1]["tenant"], Value::Null, "no key was given");
        assert_eq!(told["mirrors"][0]["path"], scene.home().mirror().to_str().unwrap());
        assert!(told["trees"][0]["entries"].as_u64() > Some(0), "the vault's log");

        let open = scene.open(&data, &[]);
        assert_eq!(open.code, Some(0), "{} {}", open.answer, open.log);
        let roots = &open.answer["roots"];
        assert_eq!((roots["opens"].as_bool(), roots["claimed"].as_bool()), (Some(true), Some(true)));
        assert_eq!(open.answer["trees"][1]["tenant"], "bank");
        assert_eq!(roots["held"].as_array().unwrap().len(), 1);
        assert_eq!(roots["held"][0]["epoch"], "current");
        assert_eq!(roots["held"][0]["pages"], roots["pages_reachable"]);
        all_pages_are_named(&roots["held"][0], &["vault", "1.0"]);
        // Head and leaf of the vault tree and of the tenant's.
        assert!(roots["pages_reachable"].as_u64() >= Some(4), "{roots}");
        assert_eq!((&roots["pages"], &roots["pages_left_over"]), (&roots["pages_reachable"], &0.into()), "{roots}");
        assert_eq!((roots["rows_erased"].as_u64(), roots["rows_damaged"].as_u64()), (Some(0), Some(0)));
        let sealed = |name: &str| {
            let row = open.answer["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
            row["rows"].as_u64().unwrap()
        };
        let all = ["tenant", "credential", "model profile", "log key", "subject", "template", "sketch"];
        assert!(roots["rows_open"].as_u64().unwrap() >= all.into_iter().map(sealed).sum(), "{roots}");
    }
    scene.vault.start().await;
    assert!(scene.bank.analyst().finds(&scene.people[0].id, &scene.people[0].face(0)).await);
}

/// What a root leads to is named page by page: each of these trees from its head page down, the leaves last.
fn all_pages_are_named(held: &Value, trees: &[&str]) {
    let reach = held["reach"].as_array().unwrap();
    let (mut count, mut heads, mut leaves) = (0, Vec::new(), Vec::new());
    for part in reach {
        let pages = part["pages"].as_array().unwrap();
        assert!(pages.iter().all(|page| page["index"].is_u64() && page["epoch"].as_u64() > Some(0)), "{part}");
        count += pages.len() as u64;
        let tree = part["tree"].as_str().unwrap();
        match (part["height"].as_u64().unwrap(), part["level"].as_u64().unwrap()) {
            (0, 0) => {
                assert_eq!(pages.len(), 1, "{part}");
                heads.push(tree);
            }
            (_, 0) => leaves.push(tree),
            _ => {}
        }
    }
    assert_eq!(Some(count), held["pages"].as_u64());
    assert_eq!((heads.as_slice(), leaves.as_slice()), (trees, trees), "{held}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_waits_is_told() {
    let scene = Scene::set().await;
    scene.vault.stop().await;
    // Its mirror is away: nothing is destroyed before it is back.
    fs::rename(scene.home().mirror(), scene.home().path().join("away")).unwrap();
    scene.vault.start().await;
    let officer = scene.bank.privacy_officer();
    let request = EraseSubjectRequest { no_wait: true, ..officer.erasure(&scene.people[0].id) };
    assert_eq!(officer.ask(request).await.unwrap().state(), ErasureState::Pending);
    let committed = async {
        while !scene.vault.log().contains("an old root cannot be destroyed") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, committed).await.expect("the erasure's epoch is not tried");
    scene.vault.kill().await;

    let told = scene.open(&scene.home().data(), &[]).answer;
    let erasures = &told["trees"][1]["erasures"];
    assert_eq!((&erasures["committed"], &erasures["shredded"]), (&1.into(), &2.into()), "{told}");
    let (epoch, before) = (told["epoch"]["number"].as_u64(), told["retiring"]["number"].as_u64());
    assert_eq!((epoch, before), (Some(3), Some(2)), "{told}");
    // Both roots are there, and the pages of the epoch before, which nothing leads to any more.
    let held = told["roots"]["held"].as_array().unwrap().iter();
    let mut held: Vec<_> =
        held.map(|root| (root["epoch"].as_str().unwrap(), root["pages"].as_u64().map(|pages| pages > 0))).collect();
    held.sort_unstable();
    assert_eq!(held, [("current", Some(true)), ("retiring", None)], "where the old root leads is not known here");
    let retiring = told["roots"]["held"].as_array().unwrap().iter().find(|root| root["epoch"] == "retiring").unwrap();
    let why = retiring["untold"].as_str().unwrap();
    assert!(why.contains("superseded pages") && retiring["reach"].as_array().unwrap().is_empty(), "{retiring}");
    assert!(told["roots"]["pages_left_over"].as_u64() > Some(0), "{told}");
    assert_eq!((told["sound"].as_bool(), of_tenant(&told, &COUNTS)), (Some(true), vec![2, 3, 3, 3]), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_and_backups_are_told() {
    let scene = Scene::set().await;
    scene.back_up().await;
    scene.is_mirrored().await;
    let vault = scene.open(&scene.home().data(), &[]).answer;
    let mirror = scene.open(&scene.home().mirror(), &[]);
    assert_eq!(mirror.code, Some(0), "{} {}", mirror.answer, mirror.log);
    let told = &mirror.answer;
    assert_eq!((told["kind"].as_str(), told["position"]["whole"].as_bool()), (Some("mirror"), Some(true)));
    assert_eq!((&told["vault"], &told["epoch"]), (&vault["vault"], &vault["epoch"]));
    assert_eq!(of_tenant(told, &COUNTS), [0, 0, 0, 0], "no person is in a mirror");
    assert!(told["roots"]["pages_reachable"].as_u64() >= Some(4));

    // A backup of this epoch opens with its root.
    let backup = scene.open(&scene.home().backups(), &[]);
    assert_eq!(backup.code, Some(0), "{} {}", backup.answer, backup.log);
    let told = &backup.answer;
    assert_eq!((told["kind"].as_str(), told["backup"]["number"].as_u64()), (Some("backup"), Some(1)));
    assert_eq!(of_tenant(told, &COUNTS), [3, 5, 5, 5]);
    assert_eq!((told["roots"]["opens"].as_bool(), told["roots"]["rows_erased"].as_u64()), (Some(true), Some(0)));
    assert_eq!(told["backup"]["folder_of_vault"], vault["vault"]);

    // One of an earlier epoch does not: that root is destroyed.
    scene.erase(0).await;
    scene.back_up().await;
    let before = scene.open(&scene.home().backups(), &["--number", "1"]);
    assert_eq!((before.code, before.answer["roots"]["opens"].as_bool()), (Some(5), Some(false)), "{}", before.answer);
    assert_eq!(of_tenant(&before.answer, &COUNTS), [3, 5, 5, 5]);
    let now = scene.open(&scene.home().backups(), &[]);
    assert_eq!((now.code, now.answer["backup"]["number"].as_u64()), (Some(0), Some(2)), "{}", now.answer);
    assert_eq!(of_tenant(&now.answer, &COUNTS), [2, 3, 3, 3]);
    assert_eq!(scene.glance(&scene.home().backups(), &["--number", "9"]).code, Some(4));

    // A file that is gone is named, also where the rest opens.
    let shared = scene.home().backups().join("private/2");
    let manifest = fs::read_dir(&shared).unwrap().flatten().map(|entry| entry.path());
    let options = manifest.filter(|path| path.to_str().unwrap().contains("OPTIONS")).max().unwrap();
    fs::rename(&options, scene.home().path().join("gone")).unwrap();
    let without = scene.glance(&scene.home().backups(), &[]);
    assert_eq!(without.code, Some(5), "{} {}", without.answer, without.log);
    assert!(without.answer["backup"]["missing"][0].as_str().unwrap().contains("OPTIONS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_vault_is_not_found() {
    let scene = Scene::set().await;
    let (empty, file) = (scene.home().path().join("empty"), scene.home().path().join("file"));
    fs::create_dir(&empty).unwrap();
    fs::write(&file, b"something").unwrap();
    for folder in [empty, file, scene.home().path().join("none"), scene.home().path().to_owned()] {
        let ran = scene.glance(&folder, &[]);
        assert_eq!((ran.code, ran.answer.is_null()), (Some(4), true), "{}: {}", folder.display(), ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_roots_open_nothing() {
    let (scene, other) = (Scene::set().await, Vault::fresh().await);
    let data = scene.home().data();
    let others = other.home().root(0);
    let ran = scene.glance(&data, &["--root-replica", others.to_str().unwrap()]);
    assert_eq!(ran.code, Some(5), "{}", ran.log);
    let roots = &ran.answer["roots"];
    assert_eq!((roots["opens"].as_bool(), roots["claimed"].as_bool()), (Some(false), Some(false)));
    assert_eq!((&roots["held"][0]["epoch"], &roots["held"][0]["pages"]), (&"unknown".into(), &Value::Null));
    assert_eq!(of_tenant(&ran.answer, &COUNTS), [3, 5, 5, 5], "the rest is told all the same");
    // The root of an earlier image of this very vault.
    let old = scene.home().path().join("old.root");
    fs::copy(scene.home().root(0), &old).unwrap();
    scene.erase(0).await;
    let ran = scene.glance(&data, &["--root-replica", old.to_str().unwrap()]);
    assert_eq!((ran.code, ran.answer["roots"]["opens"].as_bool()), (Some(5), Some(false)), "{}", ran.log);
    let none = scene.home().path().join("none");
    assert_eq!(scene.glance(&data, &["--root-replica", none.to_str().unwrap()]).code, Some(1));
    // The root store was not touched: the vault goes on.
    scene.vault.crash().await;
    scene.erase(1).await;
}
