//! Every backup of a history is restored from the same end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;

use super::database;
use super::disasters::{count, counted, missed_mirror};
use super::history::{History, SOURCES};
use super::images::Images;
use super::judge::Truth;
use super::known::{self, Known};
use super::ledger::{Person, State};
use super::moment::{Moment, vault_keys};
use super::reach::{Effort, reach};
use super::records::{Opener, template};
use super::roots::Place;
use super::rows::kind;
use super::seen::Seen;
use super::verdict::Verdict;
use crate::aftermath::{self, Knows};
use crate::{Home, Vault};

/// Receipts that are read again after each restore.
const RECEIPTS: usize = 24;

/// What came of restoring a backup.
#[derive(Clone, Debug)]
pub struct Drill {
    /// Its number.
    pub backup: u32,
    /// The data directory was lost as a whole, and a mirror with it.
    pub everything: bool,
    /// Subjects and templates that are back: those that are live at the end, and were when it was made.
    pub back: (usize, usize),
    /// Templates that were live when it was made, and are not any more.
    pub gone: usize,
    /// Embeddings that the adversary's reader found in the restored database under the root of now: as many as templates are back,
    /// each as it was enrolled, bit by bit.
    pub embeddings: usize,
    /// What the adversary opens then, of everything that was ever written.
    pub verdict: Verdict,
}

impl fmt::Display for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backup, everything, back: (subjects, templates), gone, embeddings, verdict } = self;
        let lost = if *everything { "the data directory" } else { "the database" };
        write!(
            f,
            "backup {backup}, restored from the loss of {lost}: {subjects} subjects and {templates} templates are back, \
             {embeddings} of them bit by bit; {gone} are gone; {verdict}"
        )
    }
}

impl History {
    /// Restores every backup that is kept, each in a copy of the end, with the mirror and the root store of the end.
    pub(super) async fn drill(&self, truth: &Truth) -> Vec<Drill> {
        let mut drills = Vec::new();
        for (place, (&number, then)) in self.backups.iter().enumerate() {
            drills.push(self.restore_a_copy(truth, number, then, place % 2 == 0).await);
        }
        drills
    }

    async fn restore_a_copy(&self, truth: &Truth, number: u32, then: &[Person], everything: bool) -> Drill {
        let home = Home::copy_of(self.vault.home().path());
        let (place, setup) = self.roots.copy(&home, &self.setup);
        let mut after = self.people.clone();
        known::restore(then, &mut after);
        let named = number.to_string();
        let mut arguments = vec!["restore", "--accept-lost", "1000000", "--backup", "backups", "--number", &named];
        let lost;
        if everything {
            home.lose_data();
            lost = missed_mirror(&setup.run(&home, &arguments));
            arguments.extend(["--lost-mirror", &lost]);
        } else {
            fs::remove_dir_all(home.data().join("db")).unwrap();
        }
        let ran = setup.run(&home, &arguments);
        assert_eq!(ran.code, Some(0), "backup {number}: {}", ran.log);
        let back = counted(&ran.answer);
        assert_eq!(back, count(&after), "backup {number}: {}", ran.answer);

        let vault = setup.start_in(home).await;
        self.ask(&vault, &after).await;
        vault.stop().await;
        let (embeddings, verdict) = self.look_at(truth, vault.home(), &place, &after);
        Drill { backup: number, everything, back, gone: count(then).1 - back.1, embeddings, verdict }
    }

    /// The restored vault serves who is back, knows nobody else, and has every receipt.
    async fn ask(&self, vault: &Vault, after: &[Person]) {
        let (operator, key) = (vault.operator(), vault.verifier_key().await);
        for (number, tenant) in self.tenants.iter().enumerate() {
            let same = |role| vault.caller(tenant.who_is(role).key().map(str::to_owned)).on(tenant.id());
            let knows = Knows::with(same);
            let (mut ever, mut expected) = (Vec::new(), BTreeMap::new());
            for person in after.iter().filter(|person| person.tenant == number) {
                for template in person.lives.iter().flat_map(|life| &life.templates) {
                    ever.push((person.id.clone(), template.name.clone(), self.vector(template.face)));
                }
                if let Some(life) = person.alive() {
                    let live = life.templates.iter().filter(|template| template.state == State::Live);
                    let templates = live.map(|template| (template.name.clone(), self.vector(template.face)));
                    expected.insert(person.id.clone(), templates.collect::<BTreeMap<_, _>>());
                }
            }
            aftermath::people(&knows, &ever, &expected).await;
            let own = self.shredded.iter().filter(|(name, _)| name.starts_with(&format!("{}/", tenant.name())));
            for (name, _) in own.rev().take(RECEIPTS) {
                aftermath::receipt(&knows.auditor, name, &key).await;
            }
        }
        let of_vault = self.shredded.iter().filter(|(name, _)| name.starts_with("vault/"));
        for (name, _) in of_vault.rev().take(RECEIPTS) {
            aftermath::receipt(&operator, name, &key).await;
        }
    }

    /// What the adversary's reader opens with the root of now: in the restored database exactly the templates that are back, and
    /// of everything that was ever written nothing that was erased.
    fn look_at(&self, truth: &Truth, home: &Home, place: &Place, after: &[Person]) -> (usize, Verdict) {
        let roots = place.now();
        let (mut images, mut seen) = (Images::new(), self.seen.clone());
        images.take(home.path(), &SOURCES);
        images.read_into(&mut seen);
        let rows = database::rows(&home.data());
        rows.iter().for_each(|(_, key, value)| seen.add(key, value));
        let mut known = Known::default();
        known.note(0, after, &HashSet::new());
        let (_, last) = self.last();
        let mut moment = Moment::with(&seen, &roots, &mut self.tried.clone());
        // What the restored vault wrote itself is nothing that this history knows.
        (moment.written, moment.logged) = (self.seen.sealed.len(), self.seen.entries.len());
        (moment.operations, moment.gone) = (last.operations, last.gone.clone());
        let verdict = truth.judge(&self.seen, &known, 0, &moment);

        let mut restored = Seen::default();
        rows.iter().for_each(|(_, key, value)| restored.add(key, value));
        let reach = reach(&restored, &vault_keys(&restored, &roots), Effort::AsWritten);
        let opener = Opener::new(&restored, &reach);
        let lives = after.iter().filter_map(Person::alive).flat_map(|life| &life.templates);
        let live = lives.filter(|template| template.state == State::Live);
        let mut live: HashMap<[u8; 16], u64> = live.map(|template| (template.id, template.face)).collect();
        let mut embeddings = 0;
        for row in restored.sealed.iter().filter(|row| row.home.kind == kind::TEMPLATE) {
            let opened =
                opener.open(row).unwrap_or_else(|| panic!("a restored vault has a row that is closed: {row:?}"));
            let (id, components) = template(&opened);
            let face = live.remove(&id).unwrap_or_else(|| panic!("{} came back", hex::encode(id)));
            let bits = |components: &[f32]| components.iter().map(|component| component.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&components), bits(&self.kept(face)), "{} came back changed", hex::encode(id));
            embeddings += 1;
        }
        assert!(live.is_empty(), "{} templates did not come back", live.len());
        (embeddings, verdict)
    }
}
