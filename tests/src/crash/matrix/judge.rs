//! One point, one fault: what the vault is afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::Blow;
use super::history::{Recording, moving, setup};
use super::known::{bounds, certain, erased, is_proven, shredded, template};
use super::points::Kind;
use super::way_out::{self, Way};
use crate::crash::clients::Clients;
use crate::crash::history::Face;
use crate::crash::ledger::Ledger;
use crate::crash::{evidence, inspect};
use crate::disk::{Device, Fault, Image};
use crate::residue::files;
use crate::time_travel::{Shredded, Traced};
use crate::{Home, Ran, Setup, Vault};

/// What is to be judged.
pub(super) struct Case {
    pub(super) recording: Arc<Recording>,
    pub(super) traced: Arc<Traced>,
    /// Place of the point.
    pub(super) place: usize,
    pub(super) blow: Blow,
    pub(super) fault: Fault,
}

/// How a start ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    #[default]
    Opened,
    LedOut,
    Refused,
}

/// What was found.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) end: End,
    /// The disks are others than a mere death would have left.
    pub(super) bitten: bool,
    pub(super) lost: usize,
    pub(super) told: usize,
    pub(super) unmirrored: usize,
    pub(super) leaked: usize,
    pub(super) exposed: usize,
    pub(super) damaged: usize,
    pub(super) wrong: Vec<String>,
}

/// Builds the disks, starts the server, and looks.
pub(super) async fn judge(case: Case) -> Verdict {
    let mut verdict = Verdict::default();
    let point = &case.recording.points[case.place];
    let mut image = case.recording.disks.image(point.at, case.fault);
    let ledger = case.recording.clients.ledger().as_of(point.clock);
    let shredded = shredded(&ledger);
    verdict.bitten = image != case.recording.disks.image(point.at, Fault::death(0));
    let (mut logs, mut again) = (Vec::new(), String::new());
    if case.blow == Blow::Twice {
        match case.crash_again(&image).await {
            Ok(left) => {
                verdict.bitten |= left.bitten;
                (image, logs, again) = (left.image, left.logs, format!(", again at {}", left.step));
            }
            Err(fault) => verdict.wrong.push(fault),
        }
    }
    case.look_at_the_roots(&image, logs, &ledger, &shredded, &mut verdict);

    let home = Home::new();
    image.write(home.path());
    let bare = match case.recording.kind {
        Kind::Life | Kind::Restore => setup(),
        Kind::Move => moving(home.path()),
    };
    let vault = Arc::new(Vault::new(bare.clone(), home));
    let known = (case.blow == Blow::Lied(Device::Backups)).then(|| ledger.as_of(point.clock));
    match (case.open(&vault, &bare, ledger, &mut verdict).await, known) {
        (Err(fault), _) => verdict.wrong.push(fault),
        (Ok(()), Some(known)) => {
            if let Err(fault) = case.look_at_the_backups(&vault, &image, known, &mut verdict).await {
                verdict.wrong.push(fault);
            }
        }
        (Ok(()), None) => {}
    }
    if vault.is_running().await {
        vault.kill().await;
    }
    if verdict.exposed > 0 {
        case.look_at_what_is_left(&vault, &shredded, &mut verdict);
    }
    let Case { blow, fault, .. } = &case;
    let context = format!("{}, {blow}, at {} ({}){again}: {fault:?}", point.operation, point.at, point.step);
    verdict.wrong.iter_mut().for_each(|wrong| *wrong = format!("{context}: {wrong}"));
    verdict
}

impl Case {
    /// What the adversary opens with the root files of this image, and whether receipts told the truth about them.
    /// `logs` were written after the recording.
    fn look_at_the_roots(
        &self,
        image: &Image,
        logs: Vec<Vec<u8>>,
        ledger: &Ledger,
        shredded: &Shredded,
        verdict: &mut Verdict,
    ) {
        let is_root = |path: &std::path::Path| path.extension().is_some_and(|extension| extension == "root");
        let all: Vec<_> = image.files.iter().filter(|(path, _)| is_root(path)).collect();
        let lied = |path: &std::path::Path| self.blow == Blow::Lied(Device::of(path));
        let honest: Vec<Vec<u8>> =
            all.iter().filter(|(path, _)| !lied(path)).map(|(_, bytes)| (*bytes).clone()).collect();
        let loot = self.traced.loot(&honest, logs, shredded);
        verdict.leaked += loot.leaks.len();
        verdict.wrong.extend(loot.leaks.into_iter().take(3).map(|leak| format!("the adversary opens {leak}")));
        let everything: Vec<Vec<u8>> = all.iter().map(|(_, bytes)| (*bytes).clone()).collect();
        if everything.len() > honest.len() {
            verdict.exposed += self.traced.loot(&everything, Vec::new(), shredded).leaks.len();
        }
        // The reader reads: or that it opens nothing says nothing. A restore destroys keys of who came after the backup.
        if self.blow == Blow::Killed && self.recording.kind != Kind::Restore {
            let missed = certain(ledger).into_iter().filter_map(|face| template(ledger, face));
            let missed = missed.filter(|id| !loot.live.contains(id)).count();
            if missed > 0 {
                verdict.wrong.push(format!("the adversary's reader misses {missed} templates of who is enrolled"));
            }
        }
        for (name, proof) in &ledger.receipts {
            let Some(proof) = proof else { continue };
            if honest.iter().any(|file| file.windows(16).any(|held| held == proof.root)) {
                verdict.leaked += 1;
                verdict.wrong.push(format!("{name} says destroyed, and a root file has that root"));
            }
        }
    }

    /// The same after the server went on with a root device that had lied: nothing may be left.
    fn look_at_what_is_left(&self, vault: &Vault, shredded: &Shredded, verdict: &mut Verdict) {
        let read = |extension: &str| -> Vec<Vec<u8>> {
            let all = files(vault.home().path()).unwrap().into_iter();
            let wanted = all.filter(|path| path.extension().is_some_and(|found| found == extension));
            wanted.map(|path| std::fs::read(path).unwrap()).collect()
        };
        let loot = self.traced.loot(&read("root"), read("log"), shredded);
        verdict.leaked += loot.leaks.len();
        verdict
            .wrong
            .extend(loot.leaks.into_iter().take(3).map(|leak| format!("after a start, the adversary opens {leak}")));
    }

    /// Opens the vault, by whatever way it takes, and looks.
    async fn open(
        &self,
        vault: &Arc<Vault>,
        bare: &Setup,
        ledger: Ledger,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let point = &self.recording.points[self.place];
        // Mirrors do not have people's rows: who loses the data loses some of them.
        let is_strict = self.blow != Blow::Lied(Device::Data);
        if self.recording.kind == Kind::Restore {
            return self.restore(vault, bare, ledger, verdict).await;
        }
        let mut refused = vault.try_start().await.err();
        // While the new store is made nothing depends on it yet: a file of it that is damaged is moved away.
        let in_the_making = self.recording.kind == Kind::Move && self.blow == Blow::Lied(Device::NewRoot);
        if in_the_making && refused.as_ref().is_some_and(|exited| exited.log.contains("corrupt root store file")) {
            way_out::move_away(&vault.home().path().join("moved/0.root"));
            verdict.end = End::LedOut;
            refused = vault.try_start().await.err();
        }
        let Some(refused) = refused else {
            if point.clock == 0 {
                return asks(vault).await;
            }
            if is_strict {
                if !way_out::mirrors_follow(vault).await {
                    way_out::drop_mirror(vault, bare).await?;
                    verdict.end = End::LedOut;
                }
                let clients = Arc::new(self.recording.clients.before(vault, ledger));
                self.look_closely(vault, clients, verdict).await?;
                // A root that only a running server remembers is lost.
                vault.kill().await;
                return vault.try_start().await.map_err(|exited| format!("it does not start again: {}", exited.log));
            }
            let covered = self.mirrored_until(point.at).max(self.lie_began());
            return self.look_for_what_must_be(vault, ledger, covered, false, verdict).await;
        };
        let log = refused.log;
        if point.clock == 0 && matches!(self.blow, Blow::Lied(_)) {
            verdict.end = End::Refused;
            return Ok(());
        }
        // A replica of the old root store that comes back from the past has the vault's old root again, after the move has
        // ended: the new store says that it must be gone to alone.
        let is_back = self.recording.kind == Kind::Move && self.blow == Blow::Lied(Device::Root);
        if is_back && log.contains("Take root.from out") {
            verdict.end = End::Refused;
            return Ok(());
        }
        if is_strict {
            return Err(format!("it does not start: {log}"));
        }
        if !way_out::names_one(&log) {
            verdict.wrong.push(format!("it names no way out: {log}"));
        }
        verdict.end = End::LedOut;
        let (way, ran) = match way_out::take(bare, vault.home()) {
            Ok(taken) => taken,
            // The data is lost as a whole, and nobody had made a backup: it says so.
            Err(_) if self.newest_backup(vault.home()) == 0 => {
                verdict.end = End::Refused;
                return Ok(());
            }
            Err(said) => return Err(format!("no way led out: {log}\n{said}")),
        };
        vault.try_start().await.map_err(|exited| format!("it does not start after {way:?}: {}", exited.log))?;
        let sure = match way {
            Way::InPlace => self.lie_began(),
            Way::Backup => self.newest_backup(vault.home()),
            // The start was refused, and the restore asked.
            Way::Agreed | Way::Remains => 0,
        };
        let known = verdict.wrong.len();
        self.look_for_what_must_be(vault, ledger, sure, true, verdict).await?;
        if let Some(first) = verdict.wrong.get_mut(known) {
            first.push_str(&format!(", by {way:?}, which answered {} and {}, after {log}", ran.answer, ran.log));
        }
        let said = ran.answer["lost_slots"].as_u64().unwrap_or(0);
        let is_said = if way == Way::Agreed { verdict.told as u64 <= said } else { verdict.told == 0 || said > 0 };
        if !is_said {
            verdict.wrong.push(format!("a restore lost {} and did not say so: {}", verdict.told, ran.answer));
        }
        Ok(())
    }

    /// Runs the restore again until it has ended, and starts.
    async fn restore(
        &self,
        vault: &Arc<Vault>,
        bare: &Setup,
        ledger: Ledger,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let mut ran = way_out::restore_newest(bare, vault.home(), &[]);
        let in_the_way = |ran: &Ran| ran.log.contains("move it away");
        if self.blow == Blow::Lied(Device::Mirror) && ran.code != Some(0) && !in_the_way(&ran) {
            verdict.end = End::LedOut;
            ran = way_out::restore_without_liar(bare, vault.home());
        }
        let mut said = Vec::new();
        // It may have ended: then there is a vault in the way.
        if ran.code != Some(0) && !in_the_way(&ran) {
            said.push(ran.log);
        } else if let Err(exited) = vault.try_start().await {
            said.push(exited.log);
        }
        if !said.is_empty() {
            if !matches!(self.blow, Blow::Lied(_)) {
                return Err(format!("the restore cannot be done again: {said:?}"));
            }
            if let Err(more) = way_out::take(bare, vault.home()) {
                return Err(format!("no way led out: {said:?}\n{more}"));
            }
            verdict.end = End::LedOut;
            vault.try_start().await.map_err(|exited| format!("it does not start after the way out: {}", exited.log))?;
        }
        let sure = self.recording.backups.made.last().map_or(0, |made| made.begun);
        self.look_for_what_must_be(vault, ledger, sure, true, verdict).await
    }

    /// Nothing that was acknowledged may be missing: all that is looked at after a crash.
    async fn look_closely(
        &self,
        vault: &Arc<Vault>,
        clients: Arc<Clients>,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let random = ChaCha8Rng::seed_from_u64(self.fault.seed);
        let looked = {
            let (clients, vault, mut random) = (Arc::clone(&clients), Arc::clone(vault), random);
            tokio::spawn(async move {
                inspect::everything(&clients, &mut random, false).await;
                evidence::logs_grew(&clients, &mut random).await;
                inspect::repeat(&clients, &mut random).await;
                inspect::silos(&clients, true).await;
                inspect::receipts(&clients, false).await;
                evidence::destroyed_roots_are_gone(&clients, &root_files(&vault));
            })
        };
        let ended = looked.await;
        let counts = clients.counts();
        verdict.lost += counts.lost;
        verdict.leaked += counts.back;
        ended.map_err(|failure| failure_of(failure.into_panic().as_ref()))
    }

    /// What was acknowledged until `sure` must be there, and nothing of what was shredded. What came later may be missing;
    /// if a restore said so, it was told, else it must be so fresh that no mirror could know.
    pub(super) async fn look_for_what_must_be(
        &self,
        vault: &Arc<Vault>,
        ledger: Ledger,
        sure: u64,
        restored: bool,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let then = self.recording.clients.ledger().as_of(sure.min(self.recording.points[self.place].clock));
        let clients = Arc::new(self.recording.clients.before(vault, ledger));
        let accounts = clients.ledger().accounts.len();
        let gone = erased(&clients.ledger());
        for account in 0..accounts {
            let (now, before) = (bounds(&clients.ledger(), account), bounds(&then, account));
            let mut faces = now.possible.clone();
            faces.extend(&before.possible);
            faces.extend(gone.iter().filter(|face| clients.ledger().requests[**face as usize].account == account));
            let finding = {
                let clients = Arc::clone(&clients);
                tokio::spawn(async move { inspect::look(&clients, account, faces).await })
            };
            let finding = finding.await.map_err(|failure| failure_of(failure.into_panic().as_ref()))?;
            let found: BTreeSet<Face> = finding.found.keys().copied().collect();
            for face in now.certain.difference(&found) {
                match (before.certain.contains(face), restored) {
                    (true, _) => {
                        verdict.lost += 1;
                        verdict.wrong.push(format!("face {face} was sure, and is lost"));
                    }
                    (false, true) => verdict.told += 1,
                    (false, false) => verdict.unmirrored += 1,
                }
            }
            for face in found.intersection(&gone) {
                verdict.leaked += 1;
                verdict.wrong.push(format!("face {face} was shredded, and is found"));
            }
            for face in found.difference(&now.possible).filter(|face| !before.possible.contains(face)) {
                verdict.wrong.push(format!("face {face} is found, and never was to be"));
            }
        }
        let looked = {
            let (clients, vault) = (Arc::clone(&clients), Arc::clone(vault));
            let mut random = ChaCha8Rng::seed_from_u64(self.fault.seed);
            tokio::spawn(async move {
                evidence::logs_grew(&clients, &mut random).await;
                let shredded: Vec<String> = {
                    let ledger = clients.ledger();
                    ledger.receipts.iter().filter(|(_, proof)| proof.is_some()).map(|(name, _)| name.clone()).collect()
                };
                for name in shredded {
                    assert!(clients.read_receipt(&name).await.unwrap(), "{name} was shredded and is not any more");
                }
                let silos = clients.ledger().silos.clone();
                for silo in silos.iter().filter(|silo| is_proven(&clients.ledger(), silo)) {
                    clients.expect_shredded(silo).await;
                }
                evidence::destroyed_roots_are_gone(&clients, &root_files(&vault));
            })
        };
        looked.await.map_err(|failure| failure_of(failure.into_panic().as_ref()))
    }

    /// The clock when a device began to lie.
    fn lie_began(&self) -> u64 {
        self.fault.liar.map_or(u64::MAX, |(_, since)| self.recording.clock(since))
    }

    /// The clock of what the mirror must have had at a moment.
    fn mirrored_until(&self, at: usize) -> u64 {
        let before = self.recording.mirrored.partition_point(|(written, _)| *written <= at);
        // The last writing may not be sure yet.
        before.checked_sub(2).map_or(0, |place| self.recording.mirrored[place].1)
    }

    /// The clock when the newest backup in a folder was begun.
    fn newest_backup(&self, home: &Home) -> u64 {
        let has = |number: u32| home.backups().join("meta").join(number.to_string()).exists();
        let there = self.recording.backups.made.iter().filter(|made| has(made.number));
        there.map(|made| made.begun).max().unwrap_or(0)
    }
}

fn root_files(vault: &Vault) -> Vec<std::path::PathBuf> {
    let all = files(vault.home().path()).unwrap().into_iter();
    all.filter(|path| path.extension().is_some_and(|extension| extension == "root")).collect()
}

/// A vault of which nobody knows anything yet serves.
async fn asks(vault: &Vault) -> Result<(), String> {
    vault.operator().mirrors().await.map(drop).map_err(|refusal| format!("it does not serve its operator: {refusal}"))
}

fn failure_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
