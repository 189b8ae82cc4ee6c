//! Galleries that come into memory and leave it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lethe_domain::{ModelId, Purpose, Reason, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::{EraseSubject, Search};

use super::{Open, PATIENCE, capture, config, soon};
use crate::identification::{Found, Query, search};
use crate::silo::{Model, Silos};
use crate::{opening, subject};

/// People of a tenant.
const PEOPLE: usize = 600;

/// Memory of one gallery of so many, and of no second one.
const ROOM: u64 = 64 << 10;

/// One direction, apart from all others.
fn face(number: usize) -> Vec<f32> {
    let other = number / 64;
    let mut face: Vec<f32> = (0..64).map(|i| if i == number % 64 { 1.0 } else { 0.0 }).collect();
    face[(number + 1 + other) % 64] += 0.8;
    face
}

struct House {
    open: Open,
    tenants: Vec<(TenantId, ModelId)>,
}

impl House {
    /// Tenants with as many people each.
    async fn with(tenants: &[&str]) -> Self {
        let open = Open::fresh().await;
        let mut known = Vec::new();
        for name in tenants {
            let tenant = open.tenant(name).await;
            let model = open.model(&tenant, "model", 64, None).await;
            let (open, tenant_of, model_of) = (&open, &tenant, &model);
            let enrolled = (0..PEOPLE).map(|number| async move {
                open.enroll(tenant_of, &format!("p-{number}"), model_of, &face(number)).await;
            });
            futures::future::join_all(enrolled).await;
            known.push((tenant, model));
        }
        Self { open, tenants: known }
    }

    /// The same with so much memory for galleries.
    async fn within(self, memory: u64) -> Self {
        let Self { open: Open { vault, folder }, tenants } = self;
        vault.close().await;
        drop(vault);
        let mut config = config(folder.path());
        config.search.memory = Some(memory);
        let vault = opening::open(&config).await.unwrap().vault;
        Self { open: Open { vault, folder }, tenants }
    }

    fn model(&self, tenant: usize) -> Model {
        let (tenant, model) = &self.tenants[tenant];
        self.open.silo(tenant).model(model, "model").unwrap()
    }

    fn in_memory(&self) -> Vec<bool> {
        (0..self.tenants.len()).map(|tenant| self.model(tenant).is_in_memory()).collect()
    }

    async fn search(&self, tenant: usize, number: usize) -> crate::Result<Found> {
        let (tenant, model) = &self.tenants[tenant];
        let call = self.open.may::<Search>(tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let probe = capture(model, &face(number));
        search(
            &self.open.vault,
            call,
            Query { subject: None, probe, threshold: Some(0.999), miss_probability: None, limit: 0 },
        )
        .await
    }

    /// Whether a person of a tenant is found, in a gallery of so many.
    async fn finds(&self, tenant: usize, number: usize, of: usize) -> bool {
        let found = self.search(tenant, number).await.unwrap();
        let covered = found.completeness;
        assert_eq!((covered.gallery_size, covered.searched), (of, of));
        found.matches.iter().any(|hit| hit.subject.as_str() == format!("p-{number}"))
    }

    async fn enroll(&self, tenant: usize, number: usize) {
        let (tenant, model) = &self.tenants[tenant];
        self.open.enroll(tenant, &format!("p-{number}"), model, &face(number)).await;
    }

    async fn replace(&self, tenant: usize, number: usize) {
        let (tenant, model) = &self.tenants[tenant];
        super::searching::replace(&self.open, tenant, model, &format!("p-{number}"), number).await;
    }

    async fn erase(&self, tenant: usize, number: usize) {
        let (tenant, _) = &self.tenants[tenant];
        let call = self.open.may::<EraseSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let subject = SubjectId::parse(&format!("p-{number}")).unwrap();
        subject::erase(&self.open.vault, call, &subject, RequestId::random(), None, soon()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gallery_that_is_searched_takes_the_room_of_one_that_is_not() {
    let house = House::with(&["bank", "shop"]).await;
    assert_eq!(house.in_memory(), [true, true], "there is no bound if none is set");
    let house = house.within(ROOM).await;
    assert_eq!(house.in_memory().iter().filter(|held| **held).count(), 1, "as many as there is room for");
    for tenant in [0, 1, 0, 0, 1] {
        assert!(house.finds(tenant, 7, PEOPLE).await);
        let held: Vec<bool> = (0..2).map(|other| other == tenant).collect();
        assert_eq!(house.in_memory(), held);
        assert!(house.model(tenant).bytes() > 0 && house.model(1 - tenant).bytes() == 0);
    }
    // Who comes and who goes while nobody has the gallery in memory.
    house.enroll(0, PEOPLE).await;
    house.erase(0, 3).await;
    assert_eq!(house.in_memory(), [false, true]);
    assert!(
        house.finds(0, PEOPLE, PEOPLE).await && !house.finds(0, 3, PEOPLE).await && house.finds(0, 4, PEOPLE).await
    );
    // And what is in memory from the start is what is on the disk.
    let house = house.within(1 << 30).await;
    assert_eq!(house.in_memory(), [true, true]);
    assert!(house.finds(0, PEOPLE, PEOPLE).await && !house.finds(0, 3, PEOPLE).await);
    house.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gallery_that_there_is_no_room_for_is_not_searched_in_part() {
    let house = House::with(&["bank"]).await.within(16 << 10).await;
    let refused = house.search(0, 7).await.err().unwrap();
    assert!(
        refused.reason() == Reason::GalleryNotReady && refused.to_string().contains("search.memory_mib"),
        "{refused}"
    );
    house.open.vault.close().await;
}

/// Two galleries take each other's room all the time, while people are enrolled, replaced and erased in both: every search is
/// complete, and finds who is there and nobody who is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_lost_or_comes_back_while_galleries_come_and_go() {
    let house = Arc::new(House::with(&["bank", "shop"]).await.within(ROOM).await);
    let (over, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut writers = Vec::new();
    for tenant in [0, 1] {
        // Side by side, so that their changes share a write, and are followed one after the other.
        for writer in 0..4 {
            let (house, over, changes) = (Arc::clone(&house), Arc::clone(&over), Arc::clone(&changes));
            writers.push(tokio::spawn(async move {
                let own = PEOPLE + writer;
                while !over.load(Ordering::Relaxed) {
                    house.enroll(tenant, own).await;
                    house.replace(tenant, own).await;
                    house.erase(tenant, own).await;
                    changes.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
    }
    let (mut came, mut searches) = (0, 0);
    while searches < 200 || changes.load(Ordering::Relaxed) < 100 {
        let round = searches % PEOPLE;
        searches += 1;
        let tenant = round % 2;
        came += usize::from(!house.model(tenant).is_in_memory());
        let found = house.search(tenant, round).await;
        assert_eq!(house.model(tenant).fault(), None, "{round}");
        let found = found.unwrap();
        let size = found.completeness.gallery_size;
        assert!((PEOPLE..=PEOPLE + 8).contains(&size) && found.completeness.searched >= PEOPLE, "{size}");
        assert!(found.matches.iter().any(|hit| hit.subject.as_str() == format!("p-{round}")), "{round}");
    }
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(came > 100, "{came}");
    for tenant in [0, 1] {
        assert!(house.finds(tenant, 5, PEOPLE).await && !house.finds(tenant, PEOPLE, PEOPLE).await);
    }
    house.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gallery_that_is_being_searched_stays_and_one_that_grew_leaves() {
    let house = House::with(&["bank", "shop"]).await.within(ROOM).await;
    let silos = &house.open.vault.silos;
    assert!(house.finds(0, 7, PEOPLE).await);
    let model = house.model(0);
    let silo = house.open.silo(&house.tenants[0].0);
    let gallery = Silos::ready(silos, &house.open.vault.store, &silo, &model).await.unwrap();
    assert_eq!(gallery.len(), PEOPLE);
    let (searched, other) = tokio::join!(
        async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let stayed = model.is_in_memory();
            drop(gallery);
            stayed
        },
        house.finds(1, 7, PEOPLE),
    );
    assert!(searched && other, "one waits for the other, and both are answered");
    assert_eq!(house.in_memory(), [false, true]);
    // It grows until it is more than all may be.
    for number in PEOPLE..3 * PEOPLE {
        house.enroll(1, number).await;
    }
    let left = async {
        while house.model(1).is_in_memory() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, left).await.expect("it stays, whatever it takes");
    assert_eq!(house.search(1, 7).await.err().unwrap().reason(), Reason::GalleryNotReady);
    assert!(house.finds(0, 7, PEOPLE).await);
    house.open.vault.close().await;
}
