//! Watch lists, looked at from inside (O9, O40).

use std::sync::Arc;

use lethe_domain::{
    AgeBand, Contest, Jurisdiction, Label, LawfulBasis, ModelId, Purpose, PurposeBasis, Reason, RequestId,
    RestrictionGround, Role, SubjectId, TenantId, TenantPolicy, Timestamp, WatchlistEntryId, WatchlistId,
    WatchlistKind,
};
use lethe_policy::operation::{
    AddWatchlistEntry, ContestWatchlistEntry, CreateWatchlist, DecideWatchlistEntry, EraseSubject, GetWatchlistEntry,
    LiftObjection, LiftRestriction, ListWatchlistEntries, ObjectSubject, PlaceHold, RemoveWatchlistEntry,
    RestrictSubject, Search, UpdateSubject, UpdateTenantPolicy,
};

use super::{Open, capture, config, soon};
use crate::access::ApiKey;
use crate::clock::{Clock, Hands};
use crate::erasure::ErasureState;
use crate::error::{Error, Result};
use crate::hold;
use crate::identification::{Found, Query, search};
use crate::opening;
use crate::records::{TenantRecord, encode};
use crate::store::{Change, Key, RowKind};
use crate::subject::{self, Description};
use crate::tenant::{self, Wished};
use crate::vault::Vault;
use crate::watchlist::{self, Filed, Own, Source, Target, Verdict, Wanted};

const DAY: i64 = 86_400_000;
/// 2027-01-15 08:00 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// One direction, apart from all others.
fn face(number: usize) -> Vec<f32> {
    (0..64).map(|i| if i == number { 1.0 } else { 0.0 }).collect()
}

fn later(days: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + days * DAY)
}

fn list(name: &str) -> WatchlistId {
    WatchlistId::parse(name).unwrap()
}

fn is(key: &Key, id: WatchlistEntryId) -> bool {
    matches!(key, Key::WatchlistEntry { entry, .. } if *entry == id)
}

/// A vault on a clock that is set, with a tenant that has a model and a list of each kind.
struct Scene {
    open: Open,
    bank: TenantId,
    model: ModelId,
    hands: Arc<Hands>,
}

impl Scene {
    async fn set() -> Self {
        let (folder, hands) = (tempfile::tempdir().unwrap(), Hands::showing(NOW));
        let vault = Self::vault(folder.path(), &hands).await;
        let open = Open { vault, folder };
        let bank = open.tenant_for("bank", &[Purpose::Authentication, Purpose::FraudPrevention]).await;
        let model = open.model(&bank, "model", 64, None).await;
        for (name, kind) in [("fraud", WatchlistKind::ConfirmedFraud), ("masks", WatchlistKind::KnownSpoof)] {
            let call = open.may::<CreateWatchlist>(&bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
            watchlist::create(&open.vault, call, list(name), kind).await.unwrap();
        }
        Self { open, bank, model, hands }
    }

    async fn vault(folder: &std::path::Path, hands: &Arc<Hands>) -> Arc<Vault> {
        let (first, clock) = (Box::new(|| Ok(ApiKey::generate())), Clock::Set(Arc::clone(hands)));
        opening::open_by(&config(folder), first, clock).await.unwrap().vault
    }

    async fn reopen(self) -> Self {
        self.open.vault.close().await;
        let Open { vault, folder } = self.open;
        drop(vault);
        let vault = Self::vault(folder.path(), &self.hands).await;
        Self { open: Open { vault, folder }, ..self }
    }

    /// Adds an entry of a mask that expires so many days from the beginning on.
    async fn mask(&self, number: usize, days: i64) -> Filed {
        self.add("masks", Source::Capture(capture(&self.model, &face(number))), days).await.unwrap()
    }

    /// Enrols somebody, and adds an entry of the template.
    async fn person(&self, subject: &str, number: usize, days: i64) -> Filed {
        let enrolled = self.open.enroll(&self.bank, subject, &self.model, &face(number)).await;
        let source = Source::Template(SubjectId::parse(subject).unwrap(), enrolled.facts.id);
        self.add("fraud", source, days).await.unwrap()
    }

    async fn add(&self, name: &str, source: Source, days: i64) -> Result<Filed> {
        let call = self.open.may::<AddWatchlistEntry>(&self.bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
        let wanted = Wanted {
            list: list(name),
            source,
            basis: LawfulBasis::LegalClaims,
            reference: Label::parse("reference", "case-1").unwrap(),
            confirmed_at: NOW,
            expires_at: later(days),
            request: RequestId::random(),
        };
        watchlist::add(&self.open.vault, call, wanted).await
    }

    async fn search(&self, number: usize) -> Result<Found> {
        let call = self.open.may::<Search>(&self.bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
        let probe = capture(&self.model, &face(number));
        let query = Query { subject: None, probe, threshold: Some(0.9), miss_probability: None, limit: 0 };
        search(&self.open.vault, call, query).await
    }

    /// The entries that a search finds, and how many were compared.
    async fn watched(&self, number: usize) -> (Vec<WatchlistEntryId>, usize) {
        let found = self.search(number).await.unwrap();
        (found.watched.hits.iter().map(|hit| hit.entry).collect(), found.watched.compared)
    }

    async fn restrict(&self, subject: &str) {
        let call =
            self.open.may::<RestrictSubject>(&self.bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let subject = SubjectId::parse(subject).unwrap();
        subject::restrict(&self.open.vault, call, &subject, RestrictionGround::Other).await.map(drop).unwrap();
    }

    /// The tenant's law changes, and nothing follows from it yet.
    async fn comes_under(&self, law: Jurisdiction) {
        let (vault, silo) = (&self.open.vault, self.open.silo(&self.bank));
        let policy = TenantPolicy { jurisdiction: law, ..(*silo.policy()).clone() };
        let key = Key::Tenant { tenant: silo.tree.as_tenant().unwrap() };
        let record = encode("tenant record", &TenantRecord::new(&silo.id, &policy, silo.created_at)).unwrap();
        let mut change = Change::new();
        change.put(key.clone(), vault.keys.seal(&key, "", &record).unwrap());
        vault.store.commit(change).await.unwrap();
        assert_eq!(silo.policy().jurisdiction, law);
    }

    async fn remove(&self, name: &str, entry: WatchlistEntryId) -> ErasureState {
        let call =
            self.open.may::<RemoveWatchlistEntry>(&self.bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
        let target = Target { list: list(name), entry, request: RequestId::random(), until: soon() };
        watchlist::remove(&self.open.vault, call, target).await.unwrap().state
    }

    async fn expire(&self) -> usize {
        let silo = self.open.silo(&self.bank);
        watchlist::expire(&self.open.vault, &silo, self.open.vault.clock.now()).await.unwrap()
    }

    async fn listed(&self, name: &str) -> usize {
        let call = self.open.may::<ListWatchlistEntries>(&self.bank, Role::Auditor, Purpose::Audit).await;
        watchlist::list_entries(&self.open.vault, call, &list(name), 0, 1000).await.unwrap().entries.len()
    }

    fn rows(&self, kind: RowKind) -> Vec<(Key, Vec<u8>)> {
        let mut rows = Vec::new();
        let scanned = self.open.vault.store.scan(kind, &Key::prefix(kind), |key, sealed| {
            rows.push((key, sealed.to_vec()));
            Ok::<_, crate::Error>(())
        });
        scanned.unwrap();
        rows
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_compared_until_the_moment_it_expires_and_shredded_then() {
    let scene = Scene::set().await;
    let (short, long) = (scene.mask(3, 2).await, scene.person("ada", 3, 1000).await);
    let silo = scene.open.silo(&scene.bank);
    let slots: Vec<_> = scene.rows(RowKind::WatchlistEntry).into_iter().map(|(key, _)| key).collect();
    let has_key = |key: &Key| {
        let Key::WatchlistEntry { slot, .. } = key else { panic!("another row") };
        scene.open.vault.keys.slot(silo.tree, *slot).unwrap().is_some()
    };
    assert!(slots.len() == 2 && slots.iter().all(has_key));
    let two = std::time::Duration::from_secs(2 * 86_400);
    scene.hands.pass(two - std::time::Duration::from_millis(1));
    assert_eq!(scene.watched(3).await.1, 2);
    assert_eq!(scene.expire().await, 0);
    scene.hands.pass(std::time::Duration::from_millis(1));
    assert_eq!(scene.watched(3).await, (vec![long.id], 1), "no sweep came by yet");
    assert_eq!((scene.listed("masks").await, scene.expire().await), (1, 1));
    assert_eq!((scene.listed("masks").await, scene.listed("fraud").await), (0, 1));
    // The epoch is on its way.
    let gone = async {
        while slots.iter().filter(|key| has_key(key)).count() > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, gone).await.expect("the key goes");
    assert!(short.id != long.id && scene.watched(3).await == (vec![long.id], 1));
    scene.open.vault.close().await;
}

/// An entry that cannot be read fails the search: nothing is answered from the rest.
#[tokio::test(flavor = "multi_thread")]
async fn no_search_answers_from_part_of_the_lists() {
    let scene = Scene::set().await;
    scene.mask(1, 10).await;
    scene.mask(2, 10).await;
    let (key, sealed) = scene.rows(RowKind::WatchlistEntry).remove(0);
    let mut damaged = sealed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let Key::WatchlistEntry { entry, .. } = key else { panic!("another row") };
    let named = format!("tenants/bank/watchlists/masks/entries/{entry}");
    let put = async |value: Vec<u8>| {
        let mut change = Change::new();
        change.put(key.clone(), value);
        scene.open.vault.store.commit(change).await.unwrap();
    };
    put(damaged).await;
    for number in [1, 2, 3] {
        let Some(Error::Unavailable(reason, message)) = scene.search(number).await.err() else { panic!("not refused") };
        assert_eq!((reason, &message), (Reason::SearchIncomplete, &format!("{named} cannot be read")));
    }
    // The other is listed all the same, and searches of other purposes go on.
    assert_eq!(scene.listed("masks").await, 1);
    put(sealed).await;
    assert_eq!(scene.watched(1).await.1, 2);
    // The way out where nothing brings it back.
    put(vec![7; 100]).await;
    let removed = scene.remove("masks", entry).await;
    assert_eq!((removed, scene.watched(1).await.1), (ErasureState::Shredded, 1));
    scene.open.vault.close().await;
}

/// A list that cannot be read is in the way of searches and of new lists, and of nothing that is asked of another.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_leaves_the_others_alone() {
    let scene = Scene::set().await;
    let (mask, own) = (scene.mask(1, 10).await, scene.person("ada", 2, 10).await);
    let fraud = scene.rows(RowKind::WatchlistEntry).into_iter().find(|(key, _)| is(key, own.id)).unwrap().0;
    let Key::WatchlistEntry { tree, list: number, .. } = fraud else { panic!("another row") };
    let mut change = Change::new();
    change.put(Key::Watchlist { tree, number }, vec![7; 100]);
    scene.open.vault.store.commit(change).await.unwrap();
    let refused = scene.search(1).await.err().map(|error| error.reason());
    assert_eq!(refused, Some(Reason::SearchIncomplete));
    let call = scene.open.may::<CreateWatchlist>(&scene.bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
    assert!(watchlist::create(&scene.open.vault, call, list("third"), WatchlistKind::KnownSpoof).await.is_err());
    assert_eq!(scene.listed("masks").await, 1);
    assert_eq!(scene.remove("masks", mask.id).await, ErasureState::Shredded);
    let silo = scene.open.silo(&scene.bank);
    // Who asks what is held is told that there is something.
    let slot = silo.subject(&SubjectId::parse("ada").unwrap()).unwrap();
    let told = watchlist::of_subject(&scene.open.vault, &silo, slot).unwrap();
    assert!(matches!(told[..], [Own::Unreadable(None, id)] if id == own.id));
    scene.open.vault.close().await;
}

/// An entry that cannot be read is named to whom it was made of.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_holds_up_nobodys_archive() {
    let scene = Scene::set().await;
    let (read, damaged) = (scene.person("ada", 1, 10).await, scene.person("ada", 2, 10).await);
    let (key, _) = scene.rows(RowKind::WatchlistEntry).into_iter().find(|(key, _)| is(key, damaged.id)).unwrap();
    let mut change = Change::new();
    change.put(key, vec![7; 100]);
    scene.open.vault.store.commit(change).await.unwrap();
    let silo = scene.open.silo(&scene.bank);
    let slot = silo.subject(&SubjectId::parse("ada").unwrap()).unwrap();
    let told = watchlist::of_subject(&scene.open.vault, &silo, slot).unwrap();
    let [Own::Filed(filed), Own::Unreadable(Some(known), id)] = &told[..] else { panic!("{}", told.len()) };
    assert_eq!((filed.id, known, *id), (read.id, &damaged.list, damaged.id));
    // What is damaged holds up no right: the rest is contested.
    scene.restrict("ada").await;
    let Own::Filed(filed) = watchlist::of_subject(&scene.open.vault, &silo, slot).unwrap().remove(0) else {
        panic!("not read")
    };
    assert!(filed.entry.contest.is_some());
    scene.open.vault.close().await;
}

/// A contest is evaded by no other entry of the same face, and an entry is filed under nothing that names its person.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_added_of_whom_an_entry_is_contested_and_no_name_of_a_person() {
    let scene = Scene::set().await;
    let entry = scene.person("ada-1", 1, 10).await.id;
    let (vault, bank) = (&scene.open.vault, &scene.bank);
    let call = scene.open.may::<ContestWatchlistEntry>(bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    watchlist::contest(vault, call, &list("fraud"), entry, None).await.unwrap();
    let enrolled = scene.open.enroll(bank, "ada-1", &scene.model, &face(1)).await.facts.id;
    let add = async || scene.add("fraud", Source::Template(SubjectId::parse("ada-1").unwrap(), enrolled), 10).await;
    assert_eq!(add().await.err().map(|error| error.reason()), Some(Reason::WatchlistEntryContested));
    assert_eq!(scene.watched(1).await, (Vec::new(), 0));
    scene.person("bea", 1, 10).await;
    scene.remove("fraud", entry).await;
    add().await.unwrap();

    // The reference is `case-1`.
    for (subject, may) in [("case-1", false), ("CASE", false), ("c", true), ("case-10", true)] {
        let template = scene.open.enroll(bank, subject, &scene.model, &face(9)).await.facts.id;
        let source = Source::Template(SubjectId::parse(subject).unwrap(), template);
        let added = scene.add("fraud", source, 10).await.err().map(|error| error.reason());
        assert_eq!(added, (!may).then_some(Reason::FieldOutOfRange), "{subject}");
    }
    let template = scene.open.enroll(bank, "fraud", &scene.model, &face(9)).await.facts.id;
    let source = Source::Template(SubjectId::parse("fraud").unwrap(), template);
    let refused = scene.add("fraud", source, 10).await.err().map(|error| error.reason());
    assert_eq!(refused, Some(Reason::FieldOutOfRange));
    scene.open.vault.close().await;
}

/// Somebody contests or removes an entry while searches run: none that begins to be answered afterwards has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_contested_or_removed_is_in_no_later_answer() {
    let scene = Arc::new(Scene::set().await);
    for round in 0..20 {
        let entry = scene.person(&format!("p-{round}"), 5, 10).await.id;
        let searching: Vec<_> = (0..4)
            .map(|_| {
                let scene = Arc::clone(&scene);
                tokio::spawn(async move {
                    let mut answered = Vec::new();
                    for _ in 0..6 {
                        let found = scene.search(5).await.unwrap();
                        let has_it = found.watched.hits.iter().any(|hit| hit.entry == entry);
                        // The moment at which the answer is given: it holds its place until it is dropped.
                        answered.push((std::time::Instant::now(), has_it));
                    }
                    answered
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        let (vault, bank) = (&scene.open.vault, &scene.bank);
        if round % 2 == 0 {
            let call =
                scene.open.may::<ContestWatchlistEntry>(bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
            watchlist::contest(vault, call, &list("fraud"), entry, None).await.unwrap();
        } else {
            let call = scene.open.may::<RemoveWatchlistEntry>(bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
            let target = Target { list: list("fraud"), entry, request: RequestId::random(), until: None };
            watchlist::remove(vault, call, target).await.unwrap();
        }
        let settled = std::time::Instant::now();
        for search in searching {
            for (answered, has_it) in search.await.unwrap() {
                assert!(!has_it || answered <= settled, "round {round}");
            }
        }
        assert!(!scene.watched(5).await.0.contains(&entry));
    }
    scene.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_to_entries_dies_with_the_person_and_entries_do_not() {
    let mut scene = Scene::set().await;
    let (first, second) = (scene.person("ada", 1, 10).await, scene.person("bea", 2, 10).await);
    assert_eq!((scene.rows(RowKind::Listed).len(), scene.rows(RowKind::WatchlistEntry).len()), (2, 2));
    let erase = async |scene: &Scene, subject: &str| {
        let call = scene.open.may::<EraseSubject>(&scene.bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let subject = SubjectId::parse(subject).unwrap();
        let erased = subject::erase(&scene.open.vault, call, &subject, RequestId::random(), None, soon()).await;
        assert_eq!(erased.unwrap().state, ErasureState::Shredded);
    };
    erase(&scene, "ada").await;
    assert_eq!((scene.rows(RowKind::Listed).len(), scene.rows(RowKind::WatchlistEntry).len()), (1, 2));
    scene = scene.reopen().await;
    // Slots that had no owner would be redrawn with this.
    erase(&scene, "bea").await;
    assert_eq!(scene.rows(RowKind::Listed).len(), 0);
    assert_eq!(scene.watched(1).await, (vec![first.id], 2));
    assert_eq!(scene.watched(2).await, (vec![second.id], 2));
    scene.open.vault.close().await;
}

/// Who turns out to be a minor, or under a law that asks for a written consent first, has no entry from then on (O16, O40).
#[tokio::test(flavor = "multi_thread")]
async fn whose_entry_may_not_be_there_after_all_is_shredded_with_what_says_so() {
    let scene = Scene::set().await;
    for (subject, said) in [
        ("ill", Description { jurisdiction: Some(Some(Jurisdiction::Illinois)), ..Description::default() }),
        ("alone", Description { age: Some(AgeBand::Under16), ..Description::default() }),
        ("kept", Description { age: Some(AgeBand::MinorFrom16), ..Description::default() }),
    ] {
        let entry = scene.person(subject, 4, 10).await;
        let stays = scene.person(&format!("other-{subject}"), 5, 10).await;
        if subject == "kept" {
            // Nobody consented, but something keeps the rest of the child's data.
            scene.restrict(subject).await;
        }
        let (key, _) = scene.rows(RowKind::WatchlistEntry).into_iter().find(|(key, _)| is(key, entry.id)).unwrap();
        let call = scene.open.may::<UpdateSubject>(&scene.bank, Role::Enroller, Purpose::Administration).await;
        let id = SubjectId::parse(subject).unwrap();
        let recorded = subject::update(&scene.open.vault, call, &id, said).await.unwrap();
        assert_eq!(recorded.erased.is_some(), subject == "alone", "{subject}");
        assert_eq!(scene.watched(4).await, (Vec::new(), 1), "{subject}");
        assert_eq!(scene.watched(5).await, (vec![stays.id], 1), "{subject}");
        assert!(!scene.rows(RowKind::WatchlistEntry).iter().any(|(key, _)| is(key, entry.id)), "{subject}");
        // Its key goes by an epoch, and is no more for any backup.
        let Key::WatchlistEntry { tree, slot, .. } = key else { panic!("another row") };
        let gone = async {
            while scene.open.vault.keys.slot(tree, slot).unwrap().is_some() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::PATIENCE, gone).await.expect("the key goes");
        scene.remove("fraud", stays.id).await;
    }
    scene.open.vault.close().await;
}

/// A client may come under such a law itself: then there is no entry of anybody whom it counts for.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_own_law_takes_its_entries_with_it() {
    let scene = Scene::set().await;
    let elsewhere = Description { jurisdiction: Some(Some(Jurisdiction::EuropeanUnion)), ..Description::default() };
    scene.person("ada", 1, 10).await;
    let stays = scene.person("bea", 2, 10).await;
    let call = scene.open.may::<UpdateSubject>(&scene.bank, Role::Enroller, Purpose::Administration).await;
    subject::update(&scene.open.vault, call, &SubjectId::parse("bea").unwrap(), elsewhere).await.unwrap();
    let mask = scene.mask(3, 10).await;
    let call = scene.open.may::<UpdateTenantPolicy>(&scene.bank, Role::TenantAdmin, Purpose::Administration).await;
    let wished = Wished { jurisdiction: Some(Jurisdiction::Texas), ..Wished::default() };
    tenant::update_policy(&scene.open.vault, call, wished).await.unwrap();
    // From the answer on.
    let left: Vec<_> = scene.rows(RowKind::WatchlistEntry).into_iter().map(|(key, _)| key).collect();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|key| is(key, stays.id) || is(key, mask.id)));
    scene.open.vault.close().await;
}

/// A process may end between the change of a law and what follows from it: then an entry goes with its person, with what is recorded
/// next of the person, with a repeat of the change, and else with the next sweep.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_may_not_be_there_does_not_outlive_its_person() {
    let scene = Scene::set().await;
    scene.person("ada", 1, 10).await;
    scene.person("bea", 2, 10).await;
    scene.person("cal", 3, 10).await;
    scene.comes_under(Jurisdiction::Texas).await;
    assert_eq!(scene.rows(RowKind::WatchlistEntry).len(), 3);
    let call = scene.open.may::<EraseSubject>(&scene.bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let ada = SubjectId::parse("ada").unwrap();
    let erased = subject::erase(&scene.open.vault, call, &ada, RequestId::random(), None, soon()).await.unwrap();
    assert_eq!((erased.state, scene.rows(RowKind::WatchlistEntry).len()), (ErasureState::Shredded, 2));
    scene.restrict("bea").await;
    assert_eq!(scene.rows(RowKind::WatchlistEntry).len(), 1);
    // Whoever has no answer asks again, and what is changed already is followed.
    let call = scene.open.may::<UpdateTenantPolicy>(&scene.bank, Role::TenantAdmin, Purpose::Administration).await;
    let again = Wished { jurisdiction: Some(Jurisdiction::Texas), ..Wished::default() };
    tenant::update_policy(&scene.open.vault, call, again).await.unwrap();
    assert_eq!(scene.rows(RowKind::WatchlistEntry).len(), 0);
    assert_eq!(watchlist::follow_law(&scene.open.vault, &scene.open.silo(&scene.bank)).await.unwrap(), 0);
    scene.open.vault.close().await;
}

/// Whoever objects to it, is restricted or held, is not compared with until a reviewer decides (O22, O39, O42).
#[tokio::test(flavor = "multi_thread")]
async fn what_stops_the_processing_of_a_person_contests_its_entries() {
    let scene = Scene::set().await;
    let (vault, bank) = (&scene.open.vault, &scene.bank);
    for by in ["objection", "restriction", "hold"] {
        let entry = scene.person(by, 4, 10).await.id;
        let id = SubjectId::parse(by).unwrap();
        assert_eq!(scene.watched(4).await, (vec![entry], 1));
        let (officer, asked) = (Role::PrivacyOfficer, Purpose::DataSubjectRequest);
        match by {
            "objection" => {
                let call = scene.open.may::<ObjectSubject>(bank, officer, asked).await;
                subject::object(vault, call, &id, Purpose::FraudPrevention).await.map(drop).unwrap();
            }
            "restriction" => scene.restrict(by).await,
            _ => {
                let call = scene.open.may::<PlaceHold>(bank, officer, Purpose::LegalClaims).await;
                let case = Label::parse("case", "case-1").unwrap();
                hold::place(vault, call, &id, case, later(30), RequestId::random()).await.map(drop).unwrap();
            }
        }
        assert_eq!(scene.watched(4).await, (Vec::new(), 0), "{by}");
        let call = scene.open.may::<GetWatchlistEntry>(bank, officer, asked).await;
        let found = watchlist::get(vault, call, &list("fraud"), entry).await.unwrap().entry;
        assert_eq!(found.contest, Some(Contest { at: NOW, request: None }), "{by}");
        // What ends does not end the contest; who decides does.
        match by {
            "objection" => {
                let call = scene.open.may::<LiftObjection>(bank, officer, asked).await;
                subject::lift_objection(vault, call, &id, Purpose::FraudPrevention, None).await.map(drop).unwrap();
            }
            "restriction" => {
                let call = scene.open.may::<LiftRestriction>(bank, officer, asked).await;
                subject::lift_restriction(vault, call, &id).await.map(drop).unwrap();
            }
            _ => {}
        }
        assert_eq!(scene.watched(4).await, (Vec::new(), 0), "{by}");
        let call = scene.open.may::<DecideWatchlistEntry>(bank, Role::Reviewer, Purpose::FraudPrevention).await;
        let target = Target { list: list("fraud"), entry, request: RequestId::random(), until: soon() };
        watchlist::decide(vault, call, target, Verdict::Upheld).await.map(drop).unwrap();
        assert_eq!(scene.watched(4).await, (vec![entry], 1), "{by}");
        // It is asked once: what is recorded besides contests nothing again.
        scene.open.describe(bank, by).await;
        assert_eq!(scene.watched(4).await, (vec![entry], 1), "{by}");
        scene.remove("fraud", entry).await;
    }
    scene.open.vault.close().await;
}

/// A model's entries are compared with that model's probes alone.
#[tokio::test(flavor = "multi_thread")]
async fn entries_of_another_model_are_not_compared() {
    let scene = Scene::set().await;
    let other = scene.open.model(&scene.bank, "other", 64, None).await;
    scene.add("masks", Source::Capture(capture(&other, &face(1))), 10).await.unwrap();
    assert_eq!(scene.watched(1).await, (Vec::new(), 0));
    let own = scene.mask(1, 10).await;
    assert_eq!(scene.watched(1).await, (vec![own.id], 1));
    assert_eq!(scene.watched(2).await, (Vec::new(), 1));
    let policy = scene.open.silo(&scene.bank).policy();
    let declared = PurposeBasis { purpose: Purpose::FraudPrevention, basis: LawfulBasis::LegalObligation };
    assert!(policy.purposes.contains(&declared));
    scene.open.vault.close().await;
}
