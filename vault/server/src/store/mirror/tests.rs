//! Copies to mirrors: in one batch, or in parts.

use std::path::Path;

use lethe_crypto::log::merkle::{Frontier, Hash};
use lethe_crypto::tree::TreeId;
use lethe_domain::CredentialId;

use super::copy::{adopt, follow};
use super::{Held, MirrorId, Position, position_of, row_of_position};
use crate::store::LogHead;
use crate::store::StoreError;
use crate::store::change::Row;
use crate::store::db::{Database, Nodes};
use crate::store::history::{next_run, place_of};
use crate::store::keys::{Key, RowKind};
use crate::store::marks::Lost;

const ID: MirrorId = MirrorId::from_bytes([7; 16]);
/// So many rows of so many bytes take several batches.
const ROWS: u8 = 40;
const BYTES: usize = 4096;

fn row(number: u8) -> Key {
    Key::Credential { tree: TreeId::VAULT, credential: CredentialId::from_bytes([number; 16]) }
}

fn fill(db: &Database, with: u8) {
    let rows: Vec<_> = (0..ROWS).map(|number| Row::Put(row(number), vec![with; BYTES])).collect();
    db.write(&[&rows]).unwrap();
}

fn is_filled(db: &Database, with: u8) -> bool {
    (0..ROWS).all(|number| db.get(&row(number)).unwrap() == Some(vec![with; BYTES]))
}

fn main(folder: &Path) -> Database {
    let main = Database::open_small(&folder.join("main")).unwrap();
    main.write(&[&[next_run(&place_of(&main).unwrap()).unwrap()]]).unwrap();
    main
}

fn mirror(folder: &Path) -> Database {
    let mirror = Database::open_small(&folder.join("mirror")).unwrap();
    mirror.write(&[&[row_of_position(Position::in_parts(ID))]]).unwrap();
    mirror
}

fn bring_up(main: &Database, mirror: &Database) -> Result<u64, StoreError> {
    let reader = main.reader();
    let position = Position { id: ID, sequence: reader.sequence(), whole: true };
    follow(&reader, mirror, position)
}

/// Makes a log of these entries.
fn log(db: &Database, entries: &[&str]) {
    let tree = TreeId::VAULT;
    let (mut frontier, mut rows) = (Frontier::new(), Vec::new());
    for (index, entry) in (0..).zip(entries) {
        rows.push(Row::Put(Key::LogEntry { tree, index }, entry.as_bytes().to_vec()));
        for (at, hash) in frontier.append(Hash::leaf(entry.as_bytes())) {
            let key = Key::LogNode { tree, level: at.level, index: at.index };
            rows.push(Row::Put(key, hash.as_bytes().to_vec()));
        }
    }
    let head = LogHead { size: frontier.size(), origin: "vault.example/log".parse().unwrap() };
    rows.push(Row::Put(Key::LogHead { tree }, head.encode()));
    db.write(&[&rows]).unwrap();
}

/// A row's key and value.
type RowBytes = (Box<[u8]>, Box<[u8]>);

/// Every row of a database's logs.
fn logged(db: &Database) -> Vec<RowBytes> {
    let reader = db.reader();
    let kinds = [RowKind::LogHead, RowKind::LogEntry, RowKind::LogNode];
    kinds.into_iter().flat_map(|kind| reader.rows(kind).map(Result::unwrap).collect::<Vec<_>>()).collect()
}

/// A disaster in the middle of a long copy finds the vault as the mirror had it before.
#[test]
fn a_copy_in_parts_leaves_what_was_whole_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (main, copied) = (main(folder.path()), mirror(folder.path()));
    let path = copied.path().to_owned();
    fill(&main, 1);
    assert_eq!(bring_up(&main, &copied).unwrap(), u64::from(ROWS) + 1, "all rows, and the history");
    assert!(!path.join("former").exists());
    let then = place_of(&main).unwrap();

    // It breaks off: a log says that it has an entry, and has none.
    fill(&main, 2);
    log(&main, &["entry"]);
    main.write(&[&[Row::Delete(Key::LogEntry { tree: TreeId::VAULT, index: 0 })]]).unwrap();
    for _ in 0..2 {
        bring_up(&main, &copied).unwrap_err();
        assert!(!position_of(&copied).unwrap().unwrap().whole);
        assert!(!is_filled(&copied, 1), "nothing was copied before it broke off");
    }
    drop(copied);
    let held = Held::look(&path).unwrap().unwrap();
    assert_eq!(held.place().unwrap().unwrap(), then);
    let (id, whole) = held.into_whole().unwrap().unwrap();
    let whole = whole.unwrap();
    assert!(id == ID && whole.place == then && is_filled(&whole.db, 1));
    drop(whole);

    log(&main, &["entry"]);
    let copied = Database::open_there(&path).unwrap();
    bring_up(&main, &copied).unwrap();
    assert!(position_of(&copied).unwrap().unwrap().whole && is_filled(&copied, 2));
    assert!(!path.join("former").exists(), "what is not needed any more is not kept");
    drop(copied);
    assert_eq!(Held::look(&path).unwrap().unwrap().place().unwrap().unwrap(), place_of(&main).unwrap());
}

/// Lengths do not tell: a log that is longer, as long or shorter than a mirror's may be another one.
#[test]
fn a_mirror_whose_log_is_another_one_is_left_as_it_is() {
    for theirs in [&["a", "b", "x"][..], &["a", "x"], &["a", "x", "c", "d", "e"]] {
        let folder = tempfile::tempdir().unwrap();
        let (main, copied) = (main(folder.path()), mirror(folder.path()));
        fill(&main, 1);
        log(&main, theirs);
        bring_up(&main, &copied).unwrap();
        let (before, position) = (logged(&copied), position_of(&copied).unwrap());
        fill(&main, 2);
        log(&main, &["a", "b", "c", "d"]);
        let refused = bring_up(&main, &copied).unwrap_err().to_string();
        assert!(refused.contains("has another one from entry"), "{refused}");
        assert!(is_filled(&copied, 1), "rows were copied before the logs were looked at");
        assert_eq!((logged(&copied), position_of(&copied).unwrap()), (before, position));
    }
}

/// What is restored gets the logs of the mirror, whatever it had.
#[test]
fn a_log_is_cut_where_it_went_another_way() {
    for ours in [&["a", "b", "x", "y", "z"][..], &["x"], &["a", "b"], &[]] {
        let folder = tempfile::tempdir().unwrap();
        let (restored, truth) = (main(folder.path()), mirror(folder.path()));
        fill(&restored, 1);
        fill(&truth, 2);
        log(&restored, ours);
        log(&truth, &["a", "b", "c"]);
        adopt(&truth.reader(), &restored, Lost::default()).unwrap();
        assert!(is_filled(&restored, 2));
        assert_eq!(logged(&restored), logged(&truth));
        let tree = TreeId::VAULT;
        Frontier::from_nodes(3, &Nodes(&restored, tree)).unwrap();
    }
}

#[test]
fn a_database_that_is_no_mirror_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Held::look(&folder.path().join("nothing")).unwrap().is_none());
    let path = main(folder.path()).path().to_owned();
    assert!(Held::look(&path).unwrap().unwrap().place().unwrap().is_none(), "it has no vault");
    Database::open_there(&path).unwrap().write(&[&[Row::Put(Key::Epoch, vec![1])]]).unwrap();
    assert!(matches!(Held::look(&path), Err(StoreError::NoMirror { .. })));
}
