//! What a restore goes by: lists of a backup's files, whose names stay in their folders; and the histories of databases,
//! which tell one that another once was from one that went another way.
#![no_main]

use std::path::{Component, Path};

use lethe_rows::{BackupFiles, History, Place, Relation};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    /// A list of files, as it is on a disk.
    List(String),
    /// A list with as many lines as it says.
    Lines { created_at: i64, metadata: Option<String>, files: Vec<(Folder, String)> },
    /// What happens to a few copies of a database.
    Lives(Vec<Step>),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Folder {
    Private,
    Shared,
    Checksum,
    None,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// Rows are written. A copy that was not started since does not write.
    Write(u8, u8),
    /// It is started, or restored: a run of its own begins.
    Start(u8),
    /// One is put in the place of another: a backup, a mirror, a clone.
    Copy(u8, u8),
}

fuzz_target!(|input: Input| {
    match input {
        Input::List(text) => list(&text),
        Input::Lines { created_at, metadata, files } => {
            let metadata = metadata.map(|metadata| format!("metadata {metadata}\n")).unwrap_or_default();
            let mut text = format!("{created_at}\n7\n{metadata}{}\n", files.len());
            for (folder, name) in files {
                let folder = match folder {
                    Folder::Private => "private/",
                    Folder::Shared => "shared/",
                    Folder::Checksum => "shared_checksum/",
                    Folder::None => "",
                };
                text.push_str(&format!("{folder}{name} crc32 1\n"));
            }
            list(&text);
        }
        Input::Lives(steps) => lives(&steps),
    }
});

fn list(text: &str) {
    let Some(list) = BackupFiles::parse(3, text) else { return };
    for (file, name) in list.names() {
        assert!(file.is_relative() && file.components().all(|part| matches!(part, Component::Normal(_))));
        assert!(file.components().count() > 1, "a list names a folder");
        let first = file.components().next().expect("a name").as_os_str();
        assert!(["private", "shared", "shared_checksum"].iter().any(|folder| first == *folder));
        if let Some(name) = name {
            let mut parts = Path::new(&name).components();
            assert!(matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none(), "{name:?}");
        }
    }
    let files: String = list.files.iter().map(|file| format!("{} crc32 1\n", file.display())).collect();
    let again = format!("{}\n7\n{}\n{files}", list.created_at, list.files.len());
    assert_eq!(BackupFiles::parse(3, &again), Some(list), "a list changes when it is written again");
}

/// A copy of a database, with all that was ever done to it.
#[derive(Clone)]
struct Copy {
    history: History,
    sequence: u64,
    done: Vec<u64>,
    /// It began its run itself.
    started: bool,
}

fn lives(steps: &[Step]) {
    let new = Copy { history: History::none(), sequence: 0, done: Vec::new(), started: false };
    let mut copies: [Copy; 4] = std::array::from_fn(|_| new.clone());
    let mut doings = 0;
    for step in steps.iter().take(64) {
        match *step {
            Step::Write(which, rows) => {
                let copy = &mut copies[usize::from(which) % 4];
                if copy.started {
                    copy.sequence += u64::from(rows) + 1;
                    doings += 1;
                    copy.done.push(doings);
                }
            }
            Step::Start(which) => {
                let copy = &mut copies[usize::from(which) % 4];
                doings += 1;
                let mut run = [0; 16];
                run[..8].copy_from_slice(&u64::to_be_bytes(doings));
                copy.history = Place::new(copy.history.clone(), copy.sequence).next_run(run);
                assert_eq!(History::decode(&copy.history.encode()), Ok(copy.history.clone()));
                copy.sequence += 1;
                copy.done.push(doings);
                copy.started = true;
            }
            Step::Copy(from, to) => {
                copies[usize::from(to) % 4] = Copy { started: false, ..copies[usize::from(from) % 4].clone() };
            }
        }
    }
    for one in &copies {
        for other in &copies {
            let place = |copy: &Copy| Place::new(copy.history.clone(), copy.sequence);
            let expected = if one.done.starts_with(&other.done) {
                Relation::Past
            } else if other.done.starts_with(&one.done) {
                Relation::Behind
            } else {
                Relation::Apart
            };
            // Of one that was never started there is no history: it may be any.
            if !one.done.is_empty() && !other.done.is_empty() {
                assert_eq!(place(one).see(&place(other)), expected, "{:?} seen from {:?}", other.done, one.done);
            }
        }
    }
}
