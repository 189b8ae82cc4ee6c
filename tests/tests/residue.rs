//! Nothing of a person, and no key, is in anything the process writes: files, their names, its log.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_proto::v1::ErrorReason;
use lethe_tests::residue::{Needles, Scanner, Subject, files};
use lethe_tests::time_travel::{Past, expect_row_key};
use lethe_tests::{Device, ROLES, Refused, Tenant, Vault, request_id};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rocksdb::{DB, Options};

/// The secrets of a run.
struct Secrets {
    subjects: Vec<Subject>,
    needles: Needles,
}

impl Secrets {
    fn of(people: usize) -> Self {
        let mut secrets = Self { subjects: Subject::strangers(people, 11), needles: Needles::new() };
        for (number, subject) in secrets.subjects.iter().enumerate() {
            subject.look_for(&mut secrets.needles, &number.to_string(), 3);
        }
        secrets
    }

    fn add_api_key(&mut self, whose: &str, key: &str) {
        let secret = key.splitn(3, '_').nth(2).unwrap();
        self.needles.text(&format!("API key of {whose}"), secret);
        self.needles.bytes(&format!("API key of {whose}"), &URL_SAFE_NO_PAD.decode(secret).unwrap());
    }

    /// Every key that there was, and what is made of faces with them. The root that is in use is where it belongs; one that
    /// was destroyed is nowhere.
    fn add_keys(&mut self, at_first: &Past, now: &Past) {
        let destroyed = at_first.destroyed_until(now);
        assert!(destroyed.values().any(|name| name == "the root"), "{destroyed:?}");
        let in_use = now.keys().into_iter().filter(|(_, name)| name != "the root");
        for (key, name) in destroyed.into_iter().chain(in_use) {
            self.needles.bytes(&name, &key);
        }
        for (number, subject) in self.subjects[..2].iter().enumerate() {
            let known = now.person(&subject.id);
            let of_templates = known.templates.iter().flat_map(|template| &template.keys);
            for (name, key) in known.keys.iter().chain(of_templates) {
                self.needles.bytes(&format!("{number}: {name}"), key);
            }
            for template in &known.templates {
                // Behind the header of four bytes, which every sketch has.
                self.needles.bytes(&format!("sketch of {number}"), &template.sketch[4..]);
            }
        }
    }

    fn new_request(&mut self) -> String {
        let id = request_id();
        self.needles.text("a request id", &id);
        self.needles.bytes("a request id", &hex::decode(id.replace('-', "")).unwrap());
        id
    }
}

/// Enrolls, verifies, searches, replaces, deletes, erases, and is refused; the first subject stays.
async fn live(tenant: &Tenant, secrets: &mut Secrets) {
    let enroller = tenant.enroller();
    let (first, rest) = (secrets.new_request(), secrets.new_request());
    let [ann, bob, eve, nobody] = secrets.subjects.as_slice() else { panic!("four people") };
    let enrolment = enroller.enrolment(&ann.id, &ann.face(0));
    let enrolment = lethe_proto::v1::EnrollRequest { request_id: first, ..enrolment };
    let enrolled = enroller.ask(enrolment.clone()).await.unwrap();
    assert_eq!(enroller.ask(enrolment).await.unwrap().template, enrolled.template);
    let batch = [(bob, 0), (bob, 1), (eve, 0)].map(|(subject, face)| enroller.item(&subject.id, &subject.face(face)));
    assert_eq!(enroller.enroll_all(batch.into()).await.unwrap().len(), 3);

    for subject in [ann, bob, eve, nobody] {
        tenant.authenticator().verify(&subject.id, &subject.face(2)).await.unwrap();
        tenant.analyst().search(&subject.face(2)).await.unwrap();
    }
    let name = enrolled.template.unwrap().name;
    let replacement = enroller.replacement(&name, &ann.face(1));
    enroller.ask(lethe_proto::v1::ReplaceTemplateRequest { request_id: rest, ..replacement }).await.unwrap();
    let of_bob = enroller.templates(&bob.id).await.unwrap();
    enroller.delete(&of_bob[0].name).await.unwrap();
    tenant.privacy_officer().erase(&eve.id).await.unwrap();

    // What is refused is not written down either.
    let refused = enroller.enroll(&nobody.id, &nobody.face(0)[1..]).await.refused();
    refused.assert_is(tonic::Code::InvalidArgument, ErrorReason::EmbeddingDimension);
    let refused = enroller.enroll(&format!("{}@example.org", nobody.id), &nobody.face(0)).await.refused();
    refused.assert_is(tonic::Code::InvalidArgument, ErrorReason::SubjectIdPersonalData);
    let refused = tenant.privacy_officer().erase(&nobody.id).await.refused();
    refused.assert_is(tonic::Code::NotFound, ErrorReason::SubjectNotFound);
    let refused = tenant.auditor().enroll(&nobody.id, &nobody.face(0)).await.refused();
    refused.assert_is(tonic::Code::PermissionDenied, ErrorReason::RoleRequired);
}

/// Everything below the vault's home but the operator's key, which is where it was asked to be; and the root store's medium,
/// if that is in files.
fn scan(scanner: &Scanner, vault: &Vault, device: &Device, when: &str) {
    let home = vault.home();
    let mut found = Vec::new();
    let of_vault = files(home.path()).unwrap().into_iter().filter(|file| *file != home.operator_key());
    for file in of_vault.chain(device.medium()) {
        let name = file.strip_prefix(home.path()).unwrap_or(&file);
        found.extend(scanner.scan(&format!("name of {}", name.display()), name.as_os_str().as_encoded_bytes()));
        match scanner.scan_file(&file) {
            Ok(traces) => found.extend(traces),
            // RocksDB dropped it meanwhile.
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => {}
            Err(failure) => panic!("cannot read {}: {failure}", file.display()),
        }
    }
    assert!(found.is_empty(), "{when}: {}", found.iter().map(|trace| format!("\n  {trace}")).collect::<String>());
}

async fn scan_process(scanner: &Scanner, vault: &Vault) {
    for what in ["cmdline", "environ", "comm"] {
        let path = PathBuf::from(format!("/proc/{}/{what}", vault.pid().await));
        let found = scanner.scan_file(&path).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}

fn of_kind(vault: &Vault, is: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(&vault.data_dir().join("db")).unwrap().into_iter().filter(|path| is(&name(path))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_the_process_writes_holds_a_person_or_a_key() {
    holds_nothing(&Device::files()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_in_clear_with_roots_on_a_token() {
    holds_nothing_with(Device::token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_in_clear_with_roots_on_a_server() {
    holds_nothing_with(Device::server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_in_clear_with_roots_on_a_tpm() {
    holds_nothing_with(Device::tpm).await;
}

async fn holds_nothing_with(device: fn() -> Device) {
    if !lethe_roots_testing::skipped() {
        holds_nothing(&device()).await;
    }
}

async fn holds_nothing(device: &Device) {
    // The most that an operator could have logged, frames on the wire among it.
    let vault = device.alone(Vault::setup().log("trace").apart()).start().await;
    let tenant = vault.tenant("bank").await;
    let at_first = Past::of(&vault.data_dir(), device);
    let mut secrets = Secrets::of(4);
    secrets.add_api_key("the operator", &vault.operator_key());
    secrets.add_api_key("the first admin", tenant.admin().key().unwrap());
    for role in ROLES {
        secrets.add_api_key(role.as_str_name(), tenant.who_is(role).key().unwrap());
    }
    if let Some(credential) = device.credential() {
        secrets.needles.text("what the root store is shown", &credential);
    }
    live(&tenant, &mut secrets).await;
    vault.operator().back_up().await.unwrap();
    secrets.add_keys(&at_first, &Past::of(&vault.data_dir(), device));
    let Secrets { subjects, needles } = secrets;
    println!("{needles:?}");
    let scanner = needles.scanner();

    scan(&scanner, &vault, device, "while the server runs");
    scan_process(&scanner, &vault).await;
    vault.stop().await;
    scan(&scanner, &vault, device, "after an orderly stop");
    // The start writes what was in the log into tables.
    vault.start().await;
    assert!(tenant.analyst().finds(&subjects[0].id, &subjects[0].face(1)).await);
    scan(&scanner, &vault, device, "after a start");
    tenant.enroller().enroll(&subjects[2].id, &subjects[2].face(1)).await.unwrap();
    let tidy = device.tidy();
    vault.kill().await;
    if let Some(tidy) = tidy {
        tidy();
    }
    vault.start().await;
    scan(&scanner, &vault, device, "after a crash");
    for subject in &subjects[..3] {
        tenant.privacy_officer().erase(&subject.id).await.unwrap();
    }
    vault.restart().await;
    scan(&scanner, &vault, device, "after the erasures");
    vault.stop().await;
    scan(&scanner, &vault, device, "at the end");

    tables_name_rows_and_nothing_else(&vault);
    everything_was_legible(&vault, &tenant);
    and_would_have_been_found(&scanner, &vault, &subjects[0]);
}

/// What tables show without a key being asked for: their bounds, in their own footers and in the MANIFEST, are keys of rows,
/// which have numbers and random ids in them; and bloom filters are made of whole keys, so that nothing else can be
/// tried against them.
fn tables_name_rows_and_nothing_else(vault: &Vault) {
    let database = vault.data_dir().join("db");
    for path in [&database, &vault.home().mirror()] {
        let families = DB::list_cf(&Options::default(), path).unwrap();
        let db = DB::open_cf_for_read_only(&Options::default(), path, families, false).unwrap();
        for table in db.live_files().unwrap() {
            for bound in [table.start_key.unwrap(), table.end_key.unwrap()] {
                expect_row_key(&bound);
            }
        }
    }
    let tables = DB::list_cf(&Options::default(), &database).unwrap().len();
    assert!(of_kind(vault, |name| name.ends_with(".sst")).len() >= tables - 1);
    let options = of_kind(vault, |name| name.starts_with("OPTIONS")).into_iter().next_back().unwrap();
    let options = fs::read_to_string(options).unwrap();
    assert!(options.contains("prefix_extractor=nullptr") && !options.contains("prefix_extractor=rocksdb"));
    assert!(options.contains("whole_key_filtering=true"), "{options}");
}

/// The search saw through the files: what is in them in clear is found.
fn everything_was_legible(vault: &Vault, tenant: &Tenant) {
    let key = tenant.enroller().key().unwrap().to_owned();
    let credential = hex::decode(key.split('_').nth(1).unwrap()).unwrap();
    let mut needles = Needles::new();
    needles.bytes("a credential, part of its row's key", &credential);
    needles.text("the comparator's name", "leveldb.BytewiseComparator");
    needles.text("a field of log entries", "\"operation\":\"enrollment.");
    needles.text("what the log tells of frames", "h2::codec::framed_read");
    let scanner = needles.scanner();
    let tables = of_kind(vault, |name| name.ends_with(".sst"));
    let finds = |paths: &[PathBuf], secret: &str| {
        let found = paths.iter().flat_map(|path| scanner.scan_file(path).unwrap());
        assert!(found.into_iter().any(|trace| trace.secret.contains(secret)), "{secret} is not in {paths:?}");
    };
    finds(&tables, "credential");
    finds(&tables, "comparator");
    finds(&tables, "log entries");
    finds(&of_kind(vault, |name| name.starts_with("MANIFEST")), "comparator");
    finds(&[vault.home().log()], "frames");
}

/// Planted into copies of the server's own files, a secret is found.
fn and_would_have_been_found(scanner: &Scanner, vault: &Vault, subject: &Subject) {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let all = of_kind(vault, |name| name != "LOCK");
    assert!(all.iter().any(|path| path.extension().is_some_and(|extension| extension == "sst")));
    let face: Vec<u8> = subject.face(0).iter().flat_map(|x| x.to_le_bytes()).collect();
    for path in all {
        for plant in [subject.id.as_bytes(), &face[..48]] {
            let mut bytes = fs::read(&path).unwrap();
            if bytes.len() < plant.len() {
                bytes.resize(plant.len(), 0);
            }
            let at = random.random_range(0..=bytes.len() - plant.len());
            bytes[at..at + plant.len()].copy_from_slice(plant);
            assert!(!scanner.scan("a copy", &bytes).is_empty(), "planted into {}, not found", path.display());
        }
    }
}
