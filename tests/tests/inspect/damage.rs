use std::fs;
use std::path::PathBuf;

use lethe_tests::residue::files;
use rocksdb::{DB, IteratorMode, Options};

use crate::scene::{Scene, damaged, of_tenant};

const TEMPLATE: u8 = 0x21;
const SKETCH: u8 = 0x22;
const PAGE: u8 = 0x04;
const ROWS_MARK: u8 = 0x1f;

/// Changes the database of a vault that is stopped, as somebody who can write there would.
fn change(scene: &Scene, family: &str, change: impl FnOnce(&DB, &rocksdb::ColumnFamily)) {
    let path = scene.home().data().join("db");
    let options = Options::default();
    let families = DB::list_cf(&options, &path).unwrap();
    let db = DB::open_cf(&options, &path, families).unwrap();
    change(&db, db.cf_handle(family).unwrap());
    db.flush_wal(true).unwrap();
}

/// The first row of a kind.
fn first(db: &DB, family: &rocksdb::ColumnFamily, kind: u8) -> (Vec<u8>, Vec<u8>) {
    let rows = db.iterator_cf(family, IteratorMode::Start).map(|row| row.unwrap());
    let (key, value) = rows.into_iter().find(|(key, _)| key[0] == kind).unwrap();
    (key.into_vec(), value.into_vec())
}

fn tables(scene: &Scene) -> Vec<PathBuf> {
    let all = files(&scene.home().data().join("db")).unwrap().into_iter();
    all.filter(|path| path.extension().is_some_and(|extension| extension == "sst")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_row_is_named_by_its_key_where_the_roots_are_given() {
    let scene = Scene::set().await;
    scene.vault.stop().await;
    for kind in [TEMPLATE, SKETCH] {
        let (mut row, mut whole) = (Vec::new(), Vec::new());
        change(&scene, "rows", |db, rows| {
            let (key, value) = first(db, rows, kind);
            let mut flipped = value.clone();
            *flipped.last_mut().unwrap() ^= 1;
            db.put_cf(rows, &key, flipped).unwrap();
            (row, whole) = (key, value);
        });
        let data = scene.home().data();
        let open = scene.open(&data, &[]);
        assert_eq!(open.code, Some(5), "{}", open.log);
        let name = if kind == TEMPLATE { "template" } else { "sketch" };
        assert_eq!(damaged(&open.answer), [(name, hex::encode(&row).as_str())]);
        assert!(open.answer["damage"][0]["meaning"].as_str().unwrap().contains("lethe restore"));
        assert_eq!(open.answer["roots"]["rows_damaged"], 1);
        // Without a key nobody can tell.
        assert_eq!(scene.glance(&data, &[]).code, Some(0));
        change(&scene, "rows", |db, rows| db.put_cf(rows, &row, &whole).unwrap());
        assert_eq!(scene.open(&data, &[]).code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_page_and_a_lost_row_are_named() {
    let scene = Scene::set().await;
    scene.vault.stop().await;
    let data = scene.home().data();
    let (mut row, mut whole) = (Vec::new(), Vec::new());
    change(&scene, "rows", |db, rows| {
        (row, whole) = first(db, rows, SKETCH);
        db.delete_cf(rows, &row).unwrap();
    });
    // Shown by the census, without a key.
    let glance = scene.glance(&data, &[]);
    assert_eq!((glance.code, of_tenant(&glance.answer, &["templates", "sketches"])), (Some(5), vec![5, 4]));
    assert!(matches!(damaged(&glance.answer)[..], [("census", _)]), "{}", glance.answer);
    change(&scene, "rows", |db, rows| db.put_cf(rows, &row, &whole).unwrap());

    // The tenant's pages come after the vault's own: the last one is a leaf of its tree.
    change(&scene, "tree", |db, tree| {
        let pages = db.iterator_cf(tree, IteratorMode::Start).map(|row| row.unwrap());
        row = pages.into_iter().filter(|(key, _)| key[0] == PAGE).last().unwrap().0.into_vec();
        db.delete_cf(tree, &row).unwrap();
    });
    let open = scene.open(&data, &[]);
    assert_eq!(open.code, Some(5));
    let damaged = damaged(&open.answer);
    assert!(damaged.contains(&("page of a key tree", hex::encode(&row).as_str())), "{damaged:?}");
    // And every row that needs it.
    assert!(damaged.iter().any(|(kind, _)| *kind == "template"), "{damaged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_a_table_is_told_with_what_it_hides() {
    let scene = Scene::set().await;
    // A start writes what was in the log into tables.
    scene.vault.crash().await;
    scene.vault.stop().await;
    let data = scene.home().data();
    let mut told = 0;
    let tables = tables(&scene);
    assert!(tables.len() >= 3, "{tables:?}");
    for table in tables {
        let whole = fs::read(&table).unwrap();
        let mut flipped = whole.clone();
        // In its first block of rows.
        flipped[40] ^= 0x10;
        fs::write(&table, &flipped).unwrap();
        let ran = scene.glance(&data, &[]);
        let file = table.file_name().unwrap().to_str().unwrap();
        match ran.code {
            Some(5) => {
                let faults: Vec<_> = ran.answer["damage"].as_array().unwrap().iter().collect();
                let names = |damage: &&&serde_json::Value| damage["fault"].as_str().unwrap().contains(file);
                assert!(faults.iter().any(|damage| names(&damage)), "{file} is not named: {}", ran.answer);
                told += 1;
            }
            Some(1) => assert!(ran.log.contains(file) || ran.log.contains("orrupt"), "{file}: {}", ran.log),
            code => panic!("{file}: {code:?} {} {}", ran.answer, ran.log),
        }
        fs::write(&table, &whole).unwrap();
    }
    assert!(told >= 3, "{told} tables");
    assert_eq!(scene.open(&data, &[]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_lost_between_others_are_told() {
    let scene = Scene::set().await;
    scene.vault.stop().await;
    let data = scene.home().data();
    change(&scene, "rows", |db, rows| {
        let (mark, _) = first(db, rows, ROWS_MARK);
        db.delete_cf(rows, mark).unwrap();
    });
    let glance = scene.glance(&data, &[]);
    assert_eq!(glance.code, Some(5), "{}", glance.log);
    assert!(glance.answer["damage"][0]["fault"].as_str().unwrap().contains("is not whole"), "{}", glance.answer);
    let exited = scene.vault.try_start().await.unwrap_err();
    assert!(exited.log.contains("is not whole"), "{}", exited.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_log_is_told() {
    let scene = Scene::set().await;
    scene.vault.kill().await;
    let data = scene.home().data();
    assert!(scene.glance(&data, &[]).answer["torn_log"].is_null());
    let logs = files(&data.join("db")).unwrap().into_iter();
    let log = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap();
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 3]).unwrap();
    let ran = scene.glance(&data, &[]);
    assert!(ran.answer["torn_log"].is_string(), "{} {}", ran.answer, ran.log);
}
