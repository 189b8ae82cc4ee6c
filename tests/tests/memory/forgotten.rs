use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lethe_proto::v1::{DecisionBand, ErasureState};
use lethe_tests::memory::{Found, Memory, Sketches, may_be_seen};
use lethe_tests::residue::{Scanner, Subject};
use lethe_tests::time_travel::Past;
use lethe_tests::{Device, Faces, PATIENCE, Setup, Tenant, Vault};
use rcgen::generate_simple_self_signed;
use tokio::task::JoinSet;

use crate::secrets::Secrets;

/// People of whom nothing is looked for: their templates fill galleries and caches.
const OTHERS: u64 = 40;
/// Captures of each person that are sent.
const CAPTURES: u32 = 3;
/// The name of what somebody proves with that they may call.
const API_KEY: &str = "an API key";
/// How long connections last: longer than a test takes to fill the vault.
const AGE: Duration = Duration::from_secs(60);
/// How long what an answer leaves to do may take: it was given a moment before its task ended.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_who_was_erased_is_left_in_memory() {
    forgets(&Device::files(), Vault::setup(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_who_was_erased_is_left_in_memory_behind_tls() {
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    forgets(&Device::files(), Vault::setup().tls(&made.cert.pem(), &made.signing_key.serialize_pem()), true).await;
}

/// What a PKCS#11 module and the TSS library make of roots and vault keys is in the server's memory, too.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_who_was_erased_is_left_in_memory_with_roots_on_a_token() {
    forgets_with(Device::token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_who_was_erased_is_left_in_memory_with_roots_on_a_server() {
    forgets_with(Device::server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_who_was_erased_is_left_in_memory_with_roots_on_a_tpm() {
    forgets_with(Device::tpm).await;
}

async fn forgets_with(device: fn() -> Device) {
    if !lethe_roots_testing::skipped() {
        // Connections are the same with every store.
        forgets(&device(), Vault::setup(), false).await;
    }
}

/// `to_the_end`: also waits until the connections of the time of the erasures have ended.
async fn forgets(device: &Device, setup: Setup, to_the_end: bool) {
    if !may_be_seen() {
        return;
    }
    let vault = device.alone(setup).set("limits.connection_age_ms", AGE.as_millis()).start().await;
    let bank = vault.tenant("bank").await;
    let people = Subject::strangers(4, 23);
    let [stays, goes, trimmed, renewed] = people.as_slice() else { panic!("four people") };
    enroll(&bank, &people).await;

    let image = || Past::of(&vault.data_dir(), device);
    let before = image();
    let known = |subject: &Subject| before.person(&subject.id);
    let trimmed_known = known(trimmed);
    let first = trimmed_known.templates.iter().position(|template| template.components == trimmed.kept(0)).unwrap();
    let mut alive = Secrets::default();
    alive.person("stays", stays, &known(stays), CAPTURES);
    alive.person("goes", goes, &known(goes), CAPTURES);
    let (scanner, sketches) = alive.ready();

    // The search finds what is there: at rest the sketches, at work the rest.
    let at_rest = look(&vault, &scanner, &sketches).await;
    for name in ["stays", "goes"] {
        assert!(at_rest.of(name).any(|trace| trace.form == "sketch in a gallery"), "{name}: {:?}", at_rest.traces);
        let mut magnitudes = at_rest.of(name).filter(|trace| trace.secret.ends_with("magnitudes"));
        assert!(magnitudes.any(|trace| trace.form == "bytes"), "{name}: {:?}", at_rest.traces);
    }
    let at_work = look_at_work(&vault, &bank, goes, &scanner, &sketches).await;
    assert!(is_enough(&at_work), "while it is used only this is found: {at_work:?}");

    let erased = bank.privacy_officer().erase(&goes.id).await.unwrap();
    let after_one = image();
    let of_trimmed = bank.enroller().templates(&trimmed.id).await.unwrap();
    let id = hex::encode(trimmed_known.templates[first].id);
    let deleted = of_trimmed.iter().find(|template| template.name.ends_with(&id)).unwrap();
    let deleted = bank.enroller().delete(&deleted.name).await.unwrap();
    let after_two = image();
    let old = bank.enroller().templates(&renewed.id).await.unwrap().remove(0);
    let replaced = bank.enroller().replace(&old.name, &renewed.face(1)).await.unwrap().erasure.unwrap();
    for erasure in [&erased, &deleted, &replaced] {
        assert_eq!(erasure.state(), ErasureState::Shredded);
    }

    let after = image();
    let mut gone = Secrets::default();
    gone.person("goes", goes, &known(goes), CAPTURES);
    gone.template("a template that was deleted", &trimmed_known, first);
    gone.template("a template that was replaced", &known(renewed), 0);
    let mut destroyed = before.destroyed_until(&after);
    destroyed.extend(after_one.destroyed_until(&after));
    destroyed.extend(after_two.destroyed_until(&after));
    assert_eq!(destroyed.values().filter(|name| *name == "the root").count(), 3, "one for each epoch: {destroyed:?}");
    for what in ["the root", "the vault key", "page 0.0.0 of tree 1.0", "slot "] {
        assert!(destroyed.values().any(|name| name.starts_with(what)), "{what}: {destroyed:?}");
    }
    for (key, name) in &destroyed {
        gone.key(&format!("destroyed, {name}"), key);
    }
    gone.api_key(API_KEY, bank.privacy_officer().key().unwrap());
    let mut kept = Secrets::default();
    kept.person("stays", stays, &known(stays), 1);
    for (key, name) in after.keys().iter().filter(|(_, name)| name.starts_with("the vault key")) {
        kept.key(name, key);
    }
    let (scanner, sketches) = gone.ready();
    let (live_scanner, live_sketches) = kept.ready();

    // Random, nobody's name, and copied from hand to hand: stacks may have them. See the threat model.
    let ids: Vec<String> =
        ["goes: template 0", "goes: template 1", "a template that was deleted", "a template that was replaced"]
            .map(|name| format!("{name}: template id"))
            .into();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();

    // At once: no face, no sketch, no key. What an answer said may be in the buffer that it was sent from, and who called is
    // known to the connection.
    let allowed = [&ids[..], &["goes: id", API_KEY]].concat();
    let now = look_for_nothing_but(&allowed, &vault, &scanner, &sketches).await;
    println!("at once, of {} MiB: {:?}", now.bytes >> 20, now.traces);
    now.assert_nothing_but(&allowed, "as soon as it is shredded");

    // When the connections that carried the answers have ended: nothing.
    if to_the_end {
        tokio::time::sleep(AGE + Duration::from_secs(15)).await;
        let later = look_for_nothing_but(&ids, &vault, &scanner, &sketches).await;
        later.assert_nothing_but(&ids, "when the connections of then have ended");
    }
    let live = look(&vault, &live_scanner, &live_sketches).await;
    assert!(live.of("stays").any(|trace| trace.form == "sketch in a gallery"));
    assert!(live.of("the vault key").next().is_some(), "the key in use is not found: {:?}", live.traces);

    // And others go on, also through a start, which reads every row that is left.
    assert!(bank.analyst().finds(&stays.id, &stays.face(0)).await);
    let tidy = device.tidy();
    vault.kill().await;
    if let Some(tidy) = tidy {
        tidy();
    }
    vault.start().await;
    assert!(bank.analyst().finds(&stays.id, &stays.face(0)).await);
    let started = look_for_nothing_but(&[], &vault, &scanner, &sketches).await;
    started.assert_nothing_but(&[], "after a start");
}

/// Everybody, by each way in, and each read that there is.
async fn enroll(bank: &Tenant, people: &[Subject]) {
    let [stays, goes, trimmed, renewed] = people else { panic!("four people") };
    let enroller = bank.enroller();
    for subject in [stays, goes, trimmed, renewed] {
        enroller.enroll(&subject.id, &subject.face(0)).await.unwrap();
    }
    let faces = Faces::seeded(77);
    let mut batch: Vec<_> =
        (0..OTHERS).map(|other| enroller.item(&format!("other-{other}"), &faces.person(other).selfie())).collect();
    batch.insert(7, enroller.item(&goes.id, &goes.face(1)));
    batch.insert(9, enroller.item(&trimmed.id, &trimmed.face(1)));
    enroller.enroll_all(batch).await.unwrap();
    for subject in [stays, goes, trimmed, renewed] {
        for capture in 0..CAPTURES {
            bank.authenticator().verify(&subject.id, &subject.face(capture)).await.unwrap();
            bank.analyst().verify(&subject.id, &subject.face(capture)).await.unwrap();
            bank.analyst().search(&subject.face(capture)).await.unwrap();
        }
        bank.privacy_officer().subject(&subject.id).await.unwrap();
    }
    // Refused with a face in hand.
    enroller.enroll(&goes.id, &goes.face(2)[1..]).await.unwrap_err();
}

/// Looks until there is no trace but of secrets whose names begin so, or that takes too long.
async fn look_for_nothing_but(allowed: &[&str], vault: &Vault, scanner: &Scanner, sketches: &Sketches) -> Found {
    let until = Instant::now() + SOON;
    loop {
        let found = look(vault, scanner, sketches).await;
        if found.is_nothing_but(allowed) || Instant::now() >= until {
            return found;
        }
    }
}

async fn look(vault: &Vault, scanner: &Scanner, sketches: &Sketches) -> Found {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let memory = Memory::freeze(vault.pid().await);
    tokio::task::block_in_place(|| memory.search(scanner, sketches))
}

/// Names of what is found while a person is verified and searched for, again and again.
async fn look_at_work(
    vault: &Vault,
    bank: &Tenant,
    subject: &Subject,
    scanner: &Scanner,
    sketches: &Sketches,
) -> BTreeSet<String> {
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (bank, subject, over) = (bank.clone(), subject.clone(), Arc::clone(&over));
        callers.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                // The connection may be at its end.
                if let Ok(answer) = bank.authenticator().verify(&subject.id, &subject.face(0)).await {
                    assert_eq!(answer.band(), DecisionBand::Match);
                }
                drop(bank.analyst().search(&subject.face(0)).await);
            }
        });
    }
    let mut found = BTreeSet::new();
    let until = Instant::now() + PATIENCE;
    while !is_enough(&found) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let memory = Memory::freeze(vault.pid().await);
        let seen = tokio::task::block_in_place(|| memory.search(scanner, sketches));
        drop(memory);
        found.extend(seen.traces.into_iter().map(|trace| trace.secret));
    }
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    found
}

/// The id, a key, and the face in some form: each is in memory for microseconds of a call, and some of their forms for less.
fn is_enough(found: &BTreeSet<String>) -> bool {
    let has = |what: &str| found.contains(&format!("goes: {what}"));
    has("id") && has("S") && (has("face 0, as sent") || has("face 0, as kept"))
}
