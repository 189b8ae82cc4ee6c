//! What an operator does with a server that refuses to start and says what can be done about it.

use crate::{Home, Ran, Setup};

/// What led out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// What was left was brought up to the mirror.
    InPlace,
    /// What was left was put away, and this backup restored under the mirror.
    Backup,
}

/// Is a way out named, or is it said what is to be done?
pub(super) fn names_one(log: &str) -> bool {
    ["lethe restore", "mirror.paths", "--take-over", "move it away", "root.from"].iter().any(|way| log.contains(way))
}

/// Takes the ways out, one after the other, as `lethe restore` says them.
///
/// # Errors
/// What it said at last.
pub(super) fn take(setup: &Setup, home: &Home) -> Result<(Way, Ran), String> {
    let mut said = Vec::new();
    for arguments in [vec!["restore"], vec!["restore", "--take-over"]] {
        let ran = setup.run(home, &arguments);
        if ran.code == Some(0) {
            return Ok((Way::InPlace, ran));
        }
        said.push(ran.log);
    }
    let db = home.data().join("db");
    if db.exists() {
        std::fs::rename(&db, home.path().join("put-away")).unwrap();
    }
    let folder = home.backups().display().to_string();
    for arguments in [vec!["restore", "--backup", &folder], vec!["restore", "--backup", &folder, "--take-over"]] {
        let ran = setup.run(home, &arguments);
        if ran.code == Some(0) {
            return Ok((Way::Backup, ran));
        }
        said.push(ran.log);
    }
    Err(said.join("\n"))
}
