//! What is held about somebody is handed to them, all of it, and to nobody else (O25).

use std::io::Read as _;
use std::process::Command;
use std::time::Duration;

use age::x25519::Identity;
use futures::TryStreamExt as _;
use lethe_domain::Embedding;
use lethe_proto::v1::batch_enroll_response::Result as Outcome;
use lethe_proto::v1::{
    AgeBand, BatchEnrollRequest, ConsentGiver, ConsentManner, ErasureState, ErrorReason, Jurisdiction, Purpose,
    RestrictionGround, RightsRequestKind,
};
use lethe_tests::residue::{Needles, files};
use lethe_tests::{Caller, Cli, DIMENSION, Faces, Refused, Tenant, Vault};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tonic::Code;

/// All pieces of an archive.
pub(crate) async fn archive(officer: &Caller, subject: &str, to: &Identity) -> Vec<u8> {
    let pieces = officer.export(subject, &to.to_public().to_string()).await.unwrap();
    let pieces: Vec<_> = pieces.try_collect().await.unwrap();
    pieces.into_iter().flat_map(|piece| piece.chunk).collect()
}

pub(crate) fn opened(sealed: &[u8], by: &Identity) -> Option<Vec<u8>> {
    let decryptor = age::Decryptor::new(sealed).ok()?;
    let mut archive = Vec::new();
    decryptor.decrypt(std::iter::once(by as &dyn age::Identity)).ok()?.read_to_end(&mut archive).ok()?;
    Some(archive)
}

/// What `docs/read_export.py` says of an archive; `None` where it refuses it.
pub(crate) fn read(vault: &Vault, archive: &[u8]) -> Option<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/read_export.py");
    let path = vault.home().path().join("archive-to-be-read");
    std::fs::write(&path, archive).unwrap();
    let read = Command::new("python3").arg(script).arg(&path).output().unwrap();
    std::fs::remove_file(path).unwrap();
    read.status.success().then(|| serde_json::from_slice(&read.stdout).unwrap())
}

/// The digest of what is kept of an embedding.
fn kept(face: &[f32]) -> String {
    let kept = Embedding::parse("", face.to_vec(), DIMENSION).unwrap();
    let bytes: Vec<u8> = kept.components().iter().flat_map(|component| component.to_le_bytes()).collect();
    hex::encode(Sha256::digest(bytes))
}

async fn bank(vault: &Vault) -> Tenant {
    let purposes = [Purpose::Authentication, Purpose::DuplicateDetection, Purpose::LegalClaims];
    vault.tenant("bank").declaring(&purposes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_has_all_that_is_held_and_is_read_by_others() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    let officer = bank.privacy_officer();
    let person = Faces::seeded(701).person(0);
    let faces: Vec<_> = (0..5).map(|session| person.capture(session)).collect();
    for face in &faces {
        bank.enroller().enroll_for(Purpose::Authentication, "ada", face).await.unwrap();
    }
    bank.enroller().enroll_for(Purpose::Authentication, "bea", &Faces::seeded(701).person(1).selfie()).await.unwrap();
    bank.analyst().verify("ada", &person.again()).await.unwrap();
    bank.analyst().verify("bea", &person.again()).await.unwrap();
    officer.describe("ada", Jurisdiction::California, AgeBand::Adult).await.unwrap();
    let consent = officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Subject);
    let consent = officer.record("ada", consent).await.unwrap().name;
    officer.object("ada", Purpose::DuplicateDetection).await.unwrap();
    officer.restrict("ada", RestrictionGround::AccuracyContested).await.unwrap();
    officer.hold("ada").await.unwrap();
    let request = officer.opens(RightsRequestKind::Portability, Some("ada")).await.unwrap().name;

    // Neither a restriction nor a hold stands in the way of who asks for their own.
    let ada = Identity::generate();
    let sealed = archive(&officer, "ada", &ada).await;
    let clear = opened(&sealed, &ada).unwrap();
    let told = read(&vault, &clear).unwrap();
    let manifest = &told["manifest"];
    assert_eq!(manifest["subject"], "ada");
    assert_eq!(manifest["controller"], bank.id());
    assert_eq!((&manifest["jurisdiction"], &manifest["age_band"]), (&"california".into(), &"adult".into()));
    assert_eq!(manifest["restriction"]["ground"], "accuracy_contested");
    assert_eq!(manifest["objections"][0]["purpose"], "duplicate_detection");
    assert_eq!(manifest["holds"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["requests"][0]["kind"], "portability");
    assert!(request.ends_with(manifest["requests"][0]["id"].as_str().unwrap()));
    let record = &manifest["consents"][0];
    assert!(consent.ends_with(record["record_id"].as_str().unwrap()), "{record}");
    assert_eq!(record["events"][0]["event_state"], "given");
    assert_eq!(manifest["recipients"].as_array().unwrap().len(), 0);
    let objected = manifest["processing"].as_array().unwrap().iter().find(|entry| entry["objected"] == true).unwrap();
    assert_eq!(objected["purpose"], "duplicate_detection");

    // What the log has of her, with what is sealed there, and nothing of anybody else.
    let history = told["history"].as_array().unwrap();
    let done = |operation: &str| history.iter().filter(|entry| entry["operation"] == operation).count();
    for (operation, times) in [
        ("enrollment.enroll", 5),
        ("authentication.verify", 1),
        ("consent.record", 1),
        ("hold.place", 1),
        ("subject.export", 1),
    ] {
        assert_eq!(done(operation), times, "{operation}: {history:?}");
    }
    let attempt = history.iter().find(|entry| entry["operation"] == "authentication.verify").unwrap();
    assert_eq!(attempt["details"]["band"], "match");

    // Every template, byte for byte, and nobody else's.
    let listed = manifest["templates"].as_array().unwrap();
    assert_eq!(listed.len(), faces.len());
    let mut digests: Vec<_> = listed
        .iter()
        .map(|template| told["files"][template["file"].as_str().unwrap()]["sha256"].as_str().unwrap().to_owned())
        .collect();
    let mut expected: Vec<_> = faces.iter().map(|face| kept(face)).collect();
    digests.sort();
    expected.sort();
    assert_eq!(digests, expected);
    let held = bank.enroller().templates("ada").await.unwrap();
    for template in &held {
        let id = template.name.rsplit('/').next().unwrap();
        let listed = listed.iter().find(|listed| listed["id"] == id).unwrap();
        assert_eq!(listed["model"], template.model.as_ref().unwrap().id);
        assert_eq!(listed["quality"].as_f64().unwrap() as f32, template.quality);
        let enrolled: prost_types::Timestamp = listed["enrolled_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(Some(enrolled), template.create_time);
    }

    // Nobody else opens it, a changed byte is noticed, and what is cut off is no archive.
    assert!(opened(&sealed, &Identity::generate()).is_none());
    let mut changed = sealed.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert!(opened(&changed, &ada).is_none());
    assert!(opened(&sealed[..sealed.len() - 1], &ada).is_none());
    assert!(read(&vault, &clear[..clear.len() - 512]).is_none());

    // Her records alone are there for less than an archive.
    let purpose = Purpose::DataSubjectRequest.into();
    let parent = officer.subject_name("ada");
    let records = officer.ask(lethe_proto::v1::ExportConsentsRequest { parent, purpose }).await.unwrap().records_json;
    assert_eq!(serde_json::from_str::<Value>(&records).unwrap(), manifest["consents"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_handed_nothing_and_nobody_is_handed_who_is_erased() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    let officer = bank.privacy_officer();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &Faces::seeded(702).person(0).selfie()).await.unwrap();
    let to = Identity::generate().to_public().to_string();
    for caller in [bank.enroller(), bank.analyst(), bank.authenticator(), bank.auditor(), bank.admin()] {
        caller.export("ada", &to).await.refused().assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    }
    let cases = [
        ("", ErrorReason::FieldMissing),
        ("age1", ErrorReason::FieldOutOfRange),
        ("ssh-ed25519 AAAA", ErrorReason::FieldOutOfRange),
        (&to[..to.len() - 1], ErrorReason::FieldOutOfRange),
    ];
    for (recipient, reason) in cases {
        let refusal = officer.export("ada", recipient).await.refused();
        refusal.assert_is(Code::InvalidArgument, reason);
        assert_eq!(refusal.metadata()["field"], "recipient");
    }
    officer.export("nobody", &to).await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    assert_eq!(officer.erase("ada").await.unwrap().state(), ErasureState::Shredded);
    officer.export("ada", &to).await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
}

/// So many templates that an archive of them does not fit into what is on its way between two ends, and is not taken at once.
const MANY: usize = 300;

fn large(number: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(703 + number as u64);
    (0..4096).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// What leaves in an archive is in no file of the server's, however its reader behaves: not in clear, and not sealed either.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_is_slow_or_goes_leaves_nothing_and_gives_its_place_back() {
    let setup = Vault::setup().set("limits.concurrency", 1).set("limits.deadline_ms", 5000);
    let vault = setup.set("limits.templates", MANY).start().await;
    let bank = vault.tenant("bank").with_model(4096).await;
    let officer = bank.privacy_officer();
    let name = "an-applicant-id-like-no-other-1234567890";
    let items = (0..MANY)
        .map(|number| BatchEnrollRequest { item_id: number.to_string(), ..bank.enroller().item(name, &large(number)) });
    let enrolled = bank.enroller().enroll_all(items.collect()).await.unwrap();
    assert!(enrolled.iter().all(|answer| matches!(answer.result, Some(Outcome::Enrolled(_)))));
    let mut needles = Needles::new();
    needles.text("her id", name);
    for number in [0, MANY / 2, MANY - 1] {
        let kept = Embedding::parse("", large(number), 4096).unwrap();
        needles.embedding("as sent", &large(number)).embedding("as kept", kept.components());
    }
    let scanner = needles.scanner();
    let nothing_is_written = || {
        for file in files(vault.home().path()).unwrap() {
            let traces = scanner.scan_file(&file).unwrap();
            assert!(traces.is_empty(), "{}: {traces:?}", file.display());
        }
    };
    let its_place_is_free = async || {
        let free = async {
            while officer.subject(name).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), free).await.expect("a place is given back");
    };
    let ada = Identity::generate();
    let to = ada.to_public().to_string();

    // It goes at once.
    drop(officer.export(name, &to).await.unwrap());
    its_place_is_free().await;
    nothing_is_written();
    // It takes one piece, and no more for longer than a call may take. What it took is no archive.
    let mut slow = officer.export(name, &to).await.unwrap();
    let first = slow.message().await.unwrap().unwrap().chunk;
    let busy = officer.subject(name).await.refused();
    busy.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
    nothing_is_written();
    its_place_is_free().await;
    let rest: Result<Vec<_>, _> = slow.try_collect().await;
    assert_eq!(rest.err().map(|refusal| refusal.code()), Some(Code::DeadlineExceeded));
    assert!(opened(&first, &ada).is_none());

    let sealed = archive(&officer, name, &ada).await;
    let told = read(&vault, &opened(&sealed, &ada).unwrap()).unwrap();
    assert_eq!(told["files"].as_object().unwrap().len(), MANY);
    nothing_is_written();
    for file in files(vault.home().path()).unwrap() {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(32).any(|window| window == &sealed[sealed.len() - 32..]), "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_writes_an_archive_that_is_whole_or_none() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &Faces::seeded(704).person(0).selfie()).await.unwrap();
    let ada = Identity::generate();
    let to = ada.to_public().to_string();
    let path = vault.home().path().join("ada.age");
    let officer = bank.privacy_officer();
    let export = |subject: &str, to: &str| {
        let arguments =
            ["subject", "export", subject, "--tenant", bank.id(), "--to", to, "--output"].map(str::to_owned);
        Cli::new(arguments).arg(&path)
    };
    let told = export("nobody", &to).holding(&vault, officer.key().unwrap()).await.run();
    assert_eq!(told.code(), 4, "{}", told.errors);
    let left: Vec<_> =
        std::fs::read_dir(vault.home().path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("ada.age")), "{left:?}");
    let told = export("ada", &to).holding(&vault, officer.key().unwrap()).await.run().one();
    let sealed = std::fs::read(&path).unwrap();
    assert_eq!(told["bytes"], sealed.len());
    assert!(read(&vault, &opened(&sealed, &ada).unwrap()).is_some());
    // Nothing is overwritten.
    assert_eq!(export("ada", &to).holding(&vault, officer.key().unwrap()).await.run().code(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), sealed);
}
