//! Watch lists, looked at from inside (O9, O40).

use std::sync::Arc;

use lethe_domain::{
    Label, LawfulBasis, ModelId, Purpose, PurposeBasis, Reason, RequestId, Role, SubjectId, TenantId, Timestamp,
    WatchlistEntryId, WatchlistId, WatchlistKind,
};
use lethe_policy::operation::{
    AddWatchlistEntry, ContestWatchlistEntry, CreateWatchlist, EraseSubject, ListWatchlistEntries,
    RemoveWatchlistEntry, Search,
};

use super::{Open, capture, config, soon};
use crate::access::ApiKey;
use crate::clock::{Clock, Hands};
use crate::erasure::ErasureState;
use crate::error::Result;
use crate::identification::{Found, Query, search};
use crate::opening;
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;
use crate::watchlist::{self, Filed, Source, Target, Wanted};

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
    let put = async |value: Vec<u8>| {
        let mut change = Change::new();
        change.put(key.clone(), value);
        scene.open.vault.store.commit(change).await.unwrap();
    };
    put(damaged).await;
    for number in [1, 2, 3] {
        let refused = scene.search(number).await.err().map(|error| error.reason());
        assert_eq!(refused, Some(Reason::SearchIncomplete));
    }
    // The other is listed all the same, and searches of other purposes go on.
    assert_eq!(scene.listed("masks").await, 1);
    put(sealed).await;
    assert_eq!(scene.watched(1).await.1, 2);
    // The way out where nothing brings it back.
    put(vec![7; 100]).await;
    let Key::WatchlistEntry { entry, .. } = key else { panic!("another row") };
    let call = scene.open.may::<RemoveWatchlistEntry>(&scene.bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
    let target = Target { list: list("masks"), entry, request: RequestId::random(), until: soon() };
    let removed = watchlist::remove(&scene.open.vault, call, target).await.unwrap();
    assert_eq!((removed.state, scene.watched(1).await.1), (ErasureState::Shredded, 1));
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
        let erased = crate::subject::erase(&scene.open.vault, call, &subject, RequestId::random(), None, soon()).await;
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
