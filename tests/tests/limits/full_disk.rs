//! No room: changes are refused before they are half made, and people can still be erased.

use std::path::{Path, PathBuf};

use lethe_proto::v1::{ErasureState, ErrorReason};
use lethe_tests::{Face, Faces, Home, Person, Refused, Tenant, Vault};
use tonic::Code;

/// What the reserve may be set to, in MiB.
const LARGEST_RESERVE: u64 = 65_536;

/// A folder on a file system with little enough room that a reserve can be larger, and how much room that is, MiB.
fn small_disk() -> Option<(PathBuf, u64)> {
    let temporary = tempfile::tempdir().unwrap();
    let folders = [temporary.path().parent().unwrap().to_owned(), PathBuf::from("/dev/shm")];
    folders.into_iter().find_map(|folder| {
        let free = free_mib(&folder)?;
        // With room to spare on both sides: others use the disk, too.
        (64..LARGEST_RESERVE / 2).contains(&free).then_some((folder, free))
    })
}

fn free_mib(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some((disk.f_bavail * disk.f_frsize) >> 20)
}

/// A tenant with two people, on a disk that is full from here on.
struct Full {
    vault: Vault,
    bank: Tenant,
    people: Vec<Person>,
    template: String,
}

impl Full {
    /// The reserve is so many per cent of what is free.
    async fn disk(per_cent: u64) -> Option<Self> {
        let Some((folder, free)) = small_disk() else {
            println!("there is no disk here with less room than the largest reserve: nothing was tested");
            return None;
        };
        let vault = Vault::setup().start_in(Home::below(&folder)).await;
        let bank = vault.tenant("bank").await;
        let people = Faces::seeded(98).strangers(3);
        let template = bank.enroller().enroll("ada", &people[0].selfie()).await.unwrap().template.unwrap().name;
        bank.enroller().enroll("bob", &people[1].selfie()).await.unwrap();
        vault.stop().await;
        vault.reconfigure(|setup| setup.set("storage.reserve_mib", free * per_cent / 100));
        vault.start().await;
        Some(Self { vault, bank, people, template })
    }

    /// Makes room.
    async fn relieved(&self) {
        self.vault.stop().await;
        self.vault.reconfigure(|setup| setup.set("storage.reserve_mib", 16));
        self.vault.start().await;
    }

    fn newcomer(&self) -> Face {
        self.people[2].selfie()
    }

    async fn refuses_changes(&self) {
        let (bank, face) = (&self.bank, self.newcomer());
        let full = |refusal: lethe_tests::Refusal| {
            refusal.assert_is(Code::ResourceExhausted, ErrorReason::StorageFull);
            assert!(refusal.retry_after().is_some(), "{refusal:?}");
        };
        full(bank.enroller().enroll("carol", &face).await.refused());
        full(bank.enroller().enroll("ada", &face).await.refused());
        let answers = bank.enroller().enroll_all(vec![bank.enroller().item("carol", &face)]).await.unwrap();
        let Some(lethe_proto::v1::batch_enroll_response::Result::Error(error)) = &answers[0].result else {
            panic!("enrolled on a full disk")
        };
        assert_eq!((error.code, error.reason()), (Code::ResourceExhausted.into(), ErrorReason::StorageFull));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_changes_and_still_erases() {
    // Free space is below the reserve, and above the half that is kept for erasing.
    let Some(full) = Full::disk(150).await else { return };
    let (bank, people) = (&full.bank, &full.people);
    full.refuses_changes().await;

    let erased = bank.privacy_officer().erase("bob").await.unwrap();
    assert_eq!(erased.state(), ErasureState::Shredded);
    let deleted = bank.enroller().delete(&full.template).await.unwrap();
    assert_eq!(deleted.state(), ErasureState::Shredded);
    full.refuses_changes().await;

    full.relieved().await;
    assert!(bank.analyst().found(&people[0].again()).await.is_empty());
    assert!(bank.analyst().found(&people[1].again()).await.is_empty());
    bank.privacy_officer().subject("bob").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    bank.privacy_officer().subject("carol").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    assert_eq!(bank.privacy_officer().subject("ada").await.unwrap().template_counts.len(), 0);
    let key = full.vault.verifier_key().await;
    for erasure in [erased, deleted] {
        let receipt = bank.auditor().receipt(&erasure.receipt).await.unwrap();
        lethe_crypto::log::receipt::Receipt::verify(&receipt.document, &key).unwrap();
    }
    bank.enroller().enroll("carol", &full.newcomer()).await.unwrap();
}

/// Whoever is asked about is looked up on the record: where there is no room for the record, there is no answer, but
/// for what erasures need.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_answers_nothing_that_it_cannot_put_on_record() {
    let Some(full) = Full::disk(150).await else { return };
    let (bank, people) = (&full.bank, &full.people);
    let refused = |refusal: lethe_tests::Refusal| {
        refusal.assert_is(Code::ResourceExhausted, ErrorReason::StorageFull);
    };
    refused(bank.authenticator().verify("ada", &people[0].again()).await.refused());
    refused(bank.analyst().search(&people[0].again()).await.refused());
    refused(bank.privacy_officer().subject("ada").await.refused());
    refused(bank.enroller().search(&people[0].again()).await.refused());
    full.relieved().await;
    assert_eq!(bank.analyst().found(&people[0].again()).await, ["ada"]);
    assert_eq!(bank.analyst().found(&people[1].again()).await, ["bob"]);
}

/// With less than half the reserve left, not even an erasure is begun that could not be ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_the_half_reserve_refuses_erasures_whole() {
    let Some(full) = Full::disk(300).await else { return };
    let bank = &full.bank;
    full.refuses_changes().await;
    let erasure = bank.privacy_officer().erasure("bob");
    let refusal = bank.privacy_officer().ask(erasure.clone()).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::StorageFull);
    full.relieved().await;
    assert_eq!(bank.analyst().found(&full.people[1].again()).await, ["bob"], "nothing was changed");
    // The very same request does it now.
    assert_eq!(bank.privacy_officer().ask(erasure).await.unwrap().state(), ErasureState::Shredded);
    assert!(bank.analyst().found(&full.people[1].again()).await.is_empty());
}
