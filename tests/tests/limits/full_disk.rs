//! No room: changes are refused before they are half made, and people can still be erased.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use lethe_proto::v1::{DecisionBand, ErasureState, ErrorReason};
use lethe_tests::{Face, Faces, Home, Person, Refused, Tenant, Vault};
use tonic::Code;

/// What the reserve may be set to, in MiB.
const RESERVES: RangeInclusive<u64> = 64..=65_536;

/// A reserve in per cent of what is free: free space is below it, and above the two thirds that are kept for reads,
/// with room to spare on both sides, as others use the disk, too.
const BELOW_RESERVE: u64 = 120;
/// Free space is below those two thirds, and above the third that is kept for erasing.
const BELOW_TWO_THIRDS: u64 = 200;
/// Free space is below that third, too.
const BELOW_THIRD: u64 = 400;

/// A folder on a file system where a reserve can be so many per cent of what is free, and that reserve, MiB.
fn small_disk(per_cent: u64) -> Option<(PathBuf, u64)> {
    let temporary = tempfile::tempdir().unwrap();
    let folders = [temporary.path().parent().unwrap().to_owned(), PathBuf::from("/dev/shm")];
    folders.into_iter().find_map(|folder| {
        let reserve = free_mib(&folder)? * per_cent / 100;
        RESERVES.contains(&reserve).then_some((folder, reserve))
    })
}

fn no_such_disk() {
    println!("there is no disk here with less room than the largest reserve: nothing was tested");
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
    async fn disk(per_cent: u64) -> Option<Self> {
        let Some((folder, reserve)) = small_disk(per_cent) else {
            no_such_disk();
            return None;
        };
        let vault = Vault::setup().start_in(Home::below(&folder)).await;
        let bank = vault.tenant("bank").await;
        let people = Faces::seeded(98).strangers(3);
        let template = bank.enroller().enroll("ada", &people[0].selfie()).await.unwrap().template.unwrap().name;
        bank.enroller().enroll("bob", &people[1].selfie()).await.unwrap();
        vault.stop().await;
        vault.reconfigure(|setup| setup.set("storage.reserve_mib", reserve));
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
    let Some(full) = Full::disk(BELOW_RESERVE).await else { return };
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

/// Logins, searches and receipts go on while there is room to put them on record.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_still_answers_and_puts_it_on_record() {
    let Some(full) = Full::disk(BELOW_RESERVE).await else { return };
    let (bank, people) = (&full.bank, &full.people);
    let before = bank.auditor().checkpoint(&bank.log()).await.unwrap().tree_size;
    assert_eq!(bank.authenticator().verify("ada", &people[0].again()).await.unwrap().band(), DecisionBand::Match);
    assert_eq!(bank.analyst().found(&people[1].again()).await, ["bob"]);
    bank.privacy_officer().subject("ada").await.unwrap();
    let denied = bank.enroller().search(&people[0].again()).await.refused();
    denied.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    let after = bank.auditor().checkpoint(&bank.log()).await.unwrap().tree_size;
    assert!(after - before >= 4, "from {before} entries to {after}");
    full.refuses_changes().await;
}

/// When not even a read can be put on record, people can still be erased.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_too_full_for_reads_still_erases() {
    let Some(full) = Full::disk(BELOW_TWO_THIRDS).await else { return };
    let (bank, people) = (&full.bank, &full.people);
    let refusal = bank.authenticator().verify("ada", &people[0].again()).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::StorageFull);
    assert_eq!(bank.privacy_officer().erase("bob").await.unwrap().state(), ErasureState::Shredded);
    full.refuses_changes().await;
}

/// With less than a third of the reserve left the server starts, refuses everything, and loses nothing: it says what
/// is wrong to whoever asks, instead of being away.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_too_full_for_erasing_starts_and_refuses() {
    let Some(full) = Full::disk(BELOW_THIRD).await else { return };
    let (bank, people) = (&full.bank, &full.people);
    full.refuses_changes().await;
    let refusal = bank.privacy_officer().erase("bob").await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::StorageFull);

    full.relieved().await;
    assert_eq!(bank.analyst().found(&people[0].again()).await, ["ada"]);
    assert_eq!(bank.analyst().found(&people[1].again()).await, ["bob"]);
    assert_eq!(bank.privacy_officer().erase("bob").await.unwrap().state(), ErasureState::Shredded);
}
