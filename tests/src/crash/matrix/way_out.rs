//! What an operator does with a server that refuses to start and says what can be done about it.

use std::path::Path;
use std::time::Duration;

use lethe_proto::v1::MirrorState;

use crate::{Home, Ran, Setup, Vault};

/// What led out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// What was left was brought up to the mirror, and nobody was lost.
    InPlace,
    /// The same, and a number of lost templates was agreed to: the end of the data was gone.
    Agreed,
    /// What was left was put away, and this backup restored under the mirror.
    Backup,
    /// Rows were lost between others, nobody had made a backup, and what was left was brought up to the mirror.
    Remains,
}

/// Who was enrolled since a backup is lost with it, and that is not asked for here.
pub(super) const ACCEPT_LOST: [&str; 2] = ["--accept-lost", "1000000"];

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
    let takeovers = [&[][..], &["--take-over"]];
    // What only one side has is given up at last.
    let consents = [&[][..], &ACCEPT_LOST, &["--accept-loss", ACCEPT_LOST[0], ACCEPT_LOST[1]]];
    let ways = consents.into_iter().flat_map(|consent| takeovers.map(|takeover| [consent, takeover].concat()));
    let ways: Vec<_> = ways.collect();
    let accepts_loss = |way: &&Vec<&str>| way.contains(&"--accept-loss");
    // Where rows were lost between others, a backup has them.
    let lacks_rows = |said: &[String]| said.iter().any(|said| said.contains("is not whole"));
    for way in &ways {
        if accepts_loss(&way) && lacks_rows(&said) {
            continue;
        }
        let ran = restore(setup, home, way);
        if ran.code == Some(0) {
            return Ok((if way.contains(&ACCEPT_LOST[0]) { Way::Agreed } else { Way::InPlace }, ran));
        }
        said.push(ran.log);
    }
    let (db, put_away) = (home.data().join("db"), home.path().join("put-away"));
    if db.exists() {
        std::fs::rename(&db, &put_away).unwrap();
    }
    let folder = home.backups().display().to_string();
    for way in ways.iter().filter(|way| way.contains(&ACCEPT_LOST[0])) {
        let ran = restore(setup, home, &[&["--backup", &folder], &way[..]].concat());
        if ran.code == Some(0) {
            return Ok((Way::Backup, ran));
        }
        said.push(ran.log);
    }
    if lacks_rows(&said) {
        if db.exists() {
            std::fs::remove_dir_all(&db).unwrap();
        }
        std::fs::rename(&put_away, &db).unwrap();
        for way in ways.iter().filter(accepts_loss) {
            let ran = restore(setup, home, way);
            if ran.code == Some(0) {
                return Ok((Way::Remains, ran));
            }
            said.push(ran.log);
        }
    }
    Err(said.join("\n"))
}

/// Whether all mirrors have what the vault has, after a while.
pub(super) async fn mirrors_follow(vault: &Vault) -> bool {
    let operator = vault.operator();
    loop {
        let mirrors = operator.mirrors().await.expect("a vault tells of its mirrors");
        if mirrors.iter().any(|mirror| mirror.state() == MirrorState::Failing) {
            return false;
        }
        if mirrors.iter().all(|mirror| mirror.state() == MirrorState::Following) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Moves a file away that is damaged.
pub(super) fn move_away(path: &Path) {
    std::fs::rename(path, path.with_extension("put-away")).unwrap();
}

/// Runs a restore.
pub(super) fn restore(setup: &Setup, home: &Home, arguments: &[&str]) -> Ran {
    setup.run(home, &[&["restore"], arguments].concat())
}

/// Restores the newest backup, or goes on with that.
pub(super) fn restore_newest(setup: &Setup, home: &Home, more: &[&str]) -> Ran {
    let folder = home.backups().display().to_string();
    let ran = restore(setup, home, &[&["--backup", &folder], &ACCEPT_LOST[..], more].concat());
    // The folder has another name than where it was begun.
    match ran.log.contains("to go on with it, leave out the backup") {
        true => restore(setup, home, &[&ACCEPT_LOST[..], more].concat()),
        false => ran,
    }
}

/// Puts the mirror away that lied, and restores without it, as the refusal says.
pub(super) fn restore_without_liar(setup: &Setup, home: &Home) -> Ran {
    const FLAG: &str = "--lost-mirror ";
    if home.mirror().exists() {
        std::fs::rename(home.mirror(), home.path().join("mirror-put-away")).unwrap();
    }
    let ran = restore_newest(setup, home, &[]);
    let Some((_, id)) = ran.log.split_once(FLAG) else { return ran };
    let id: String = id.chars().take_while(char::is_ascii_hexdigit).collect();
    restore_newest(setup, home, &[FLAG.trim_end(), &id])
}

/// Gives the mirror up that is lost, and has another follow in its place.
///
/// # Errors
/// What the commands said.
pub(super) async fn drop_mirror(vault: &Vault, setup: &Setup) -> Result<(), String> {
    let mirrors = vault.operator().mirrors().await.expect("a vault tells of its mirrors");
    let failing = mirrors.iter().filter(|mirror| mirror.state() == MirrorState::Failing);
    let failing: Vec<_> = failing.map(|mirror| (mirror.name.clone(), mirror.path.clone())).collect();
    let [(name, path)] = failing.as_slice() else { return Err(format!("not one mirror fails: {failing:?}")) };
    let id = name.rsplit('/').next().unwrap_or_default();
    vault.stop().await;
    let folder = vault.home().path().join(path);
    if folder.exists() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    let dropped = setup.run(vault.home(), &["mirror", "drop", id]);
    if dropped.code != Some(0) {
        return Err(format!("the mirror cannot be dropped: {dropped:?}"));
    }
    vault.try_start().await.map_err(|exited| format!("it does not start without the mirror: {}", exited.log))?;
    if mirrors_follow(vault).await { Ok(()) } else { Err("no other mirror follows".to_owned()) }
}
