//! 1:N search while the gallery changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::{StreamExt, stream};
use lethe_domain::{ModelId, Purpose, Reason, RequestId, Role, Sketching, SubjectId, TenantId};
use lethe_policy::operation::{EraseSubject, ReplaceTemplate, Search, SweepDuplicates};

use super::{Open, capture, soon};
use crate::enrollment::{Target, replace_template};
use crate::identification::{Answers, Plan, Query, Step, Sweep, Wanted, search};
use crate::store::{Change, Key, SUBJECTS};
use crate::subject;

/// Replacements that searches run beside, more of them than that.
const REPLACEMENTS: usize = 300;

/// One direction, apart from all others.
fn face(number: usize) -> Vec<f32> {
    (0..64).map(|i| if i == number % 64 { 1.0 } else { 0.01 * (number / 64) as f32 }).collect()
}

/// Ann is enrolled all along, though her template is another one every few milliseconds, and others come and are
/// replaced, too: every search finds her, and every search is complete.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_replaced_all_the_time_is_found_all_the_time() {
    let open = Arc::new(Open::fresh().await);
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    let (over, replaced) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut writers = Vec::new();
    for (number, subject) in ["ann", "ben"].into_iter().enumerate() {
        open.enroll(&tenant, subject, &model, &face(number)).await;
        let (open, tenant, model) = (Arc::clone(&open), tenant.clone(), model.clone());
        let (over, replaced) = (Arc::clone(&over), Arc::clone(&replaced));
        writers.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                replace(&open, &tenant, &model, subject, number).await;
                replaced.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let newcomers = {
        let (open, tenant, model, over) = (Arc::clone(&open), tenant.clone(), model.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            let mut number = 2;
            while !over.load(Ordering::Relaxed) {
                open.enroll(&tenant, &format!("new-{number}"), &model, &face(number)).await;
                number += 1;
            }
        })
    };

    let mut searches = 0;
    while replaced.load(Ordering::Relaxed) < REPLACEMENTS || searches <= REPLACEMENTS {
        let call = open.may::<Search>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let query = Query {
            subject: None,
            probe: capture(&model, &face(0)),
            threshold: Some(0.9),
            miss_probability: None,
            limit: 0,
        };
        let found = search(&open.vault, call, query).await.unwrap();
        assert!(found.matches.iter().any(|hit| hit.subject.as_str() == "ann"), "search {searches} misses her");
        assert!(found.completeness.searched <= found.completeness.gallery_size);
        searches += 1;
    }
    over.store(true, Ordering::Relaxed);
    newcomers.await.unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    open.vault.close().await;
}

/// While the scanning threads are at something else, searches gather; each gets the answer that it would have had alone, and
/// who gives up takes nobody along.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn searches_that_come_together_share_passes() {
    const SEARCHES: usize = 40;
    let open = Arc::new(Open::fresh().await);
    let (tenant, model) = alike(&open, 300).await;
    let (other, its_model) = alike_of(&open, "other", 70).await;
    let ask = |number: usize| {
        let open = Arc::clone(&open);
        let (tenant, model) =
            if number % 8 == 7 { (other.clone(), its_model.clone()) } else { (tenant.clone(), model.clone()) };
        async move {
            let call = open.may::<Search>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
            let threshold = if number.is_multiple_of(2) { 0.9 } else { 0.95 };
            let probe = capture(&model, &face(number));
            let found = search(
                &open.vault,
                call,
                Query { subject: None, probe, threshold: Some(threshold), miss_probability: None, limit: number % 3 },
            );
            let found = found.await.unwrap();
            let names: Vec<String> = found.matches.iter().map(|hit| hit.subject.as_str().to_owned()).collect();
            let covered = found.completeness;
            assert_eq!(covered.searched, if number % 8 == 7 { 70 } else { 300 });
            assert_eq!(covered.threshold, threshold);
            (names, covered.matched)
        }
    };
    let mut alone = Vec::new();
    for number in 0..SEARCHES {
        alone.push(ask(number).await);
    }
    assert!(alone.iter().all(|(_, matched)| *matched >= 1));

    let passes = open.vault.passes.begun();
    assert_eq!(passes, SEARCHES as u64, "one after another, each has its own");
    let (free, busy) = std::sync::mpsc::sync_channel::<()>(0);
    let busy = Arc::new(std::sync::Mutex::new(busy));
    for _ in 0..open.vault.pool.threads() {
        let busy = Arc::clone(&busy);
        open.vault.pool.spawn(move || assert!(busy.lock().unwrap().recv().is_err()));
    }
    let given_up: Vec<_> = (0..5).map(|number| tokio::spawn(ask(number))).collect();
    let together: Vec<_> = (0..SEARCHES).map(|number| tokio::spawn(ask(number))).collect();
    let is_noted = |count: usize| open.vault.passes.waiting() == count;
    while !is_noted(SEARCHES + given_up.len()) {
        tokio::task::yield_now().await;
    }
    for one in given_up {
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
    }
    drop(free);
    for (one, alone) in together.into_iter().zip(alone) {
        assert_eq!(one.await.unwrap(), alone);
    }
    // 35 of one gallery and 5 of the other.
    let passes = open.vault.passes.begun() - passes;
    assert!((4..=6).contains(&passes), "{passes}");
    assert_eq!(open.vault.passes.waiting(), 0);
    open.vault.close().await;
}

/// Whatever sketches are made of: who is there is found, also after a start, and who is erased is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sketches_of_every_kind_find_the_same() {
    const PEOPLE: usize = 130;
    let mut open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let centre = vec![0.05; 64];
    let kinds = [Sketching::OneBit(None), Sketching::TwoBits, Sketching::OneBit(Some(centre))];
    let mut models = Vec::new();
    for (number, sketching) in kinds.iter().enumerate() {
        let model = open.model_of(&tenant, &format!("model-{number}"), 64, sketching.clone()).await;
        for person in 0..PEOPLE {
            open.enroll(&tenant, &format!("p-{person}"), &model, &face(person)).await;
        }
        models.push(model);
    }
    let found = async |open: &Open, model: &ModelId, person: usize| {
        let call = open.may::<Search>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let probe = capture(model, &face(person));
        let query = Query { subject: None, probe, threshold: Some(0.9), miss_probability: None, limit: 0 };
        let found = search(&open.vault, call, query).await.unwrap();
        found.matches.into_iter().map(|hit| (hit.subject, hit.score.to_bits())).collect::<BTreeSet<_>>()
    };
    for people in [PEOPLE, PEOPLE - 1] {
        for person in 0..70 {
            let [signs, two_bits, centred] = [&models[0], &models[1], &models[2]];
            let all = found(&open, signs, person).await;
            assert_eq!(all.len(), (person % 64..people).step_by(64).count(), "{person}");
            assert_eq!(found(&open, two_bits, person).await, all, "{person}");
            assert_eq!(found(&open, centred, person).await, all, "{person}");
        }
        let profiles = open.silo(&tenant).models();
        assert!(profiles.iter().zip(&kinds).all(|(model, kind)| model.profile.sketching() == kind));
        if people == PEOPLE {
            open = open.reopen().await;
            let call = open.may::<EraseSubject>(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
            let last = SubjectId::parse(&format!("p-{}", PEOPLE - 1)).unwrap();
            subject::erase(&open.vault, call, &last, RequestId::random(), None, soon()).await.unwrap();
        }
    }
    open.vault.close().await;
}

/// Few candidates are judged where they were found, many by others: no answer tells which.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_candidates_are_judged_as_few_are() {
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    for people in [30, 700] {
        let (of, model, tenant) = (&open, &model, &tenant);
        let enrolled = stream::iter(0..people).map(|number| async move {
            enroll_alike(of, tenant, model, people, number).await;
        });
        enrolled.buffer_unordered(64).collect::<()>().await;
        let call = open.may::<Search>(tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let probe = capture(model, &face(people % 64));
        let query = Query { subject: None, probe, threshold: Some(0.9), miss_probability: None, limit: 0 };
        let found = search(&open.vault, call, query).await.unwrap();
        let covered = found.completeness;
        assert_eq!((covered.matched, covered.re_ranked, covered.candidates), (people, people, people));
        let names: BTreeSet<&str> = found.matches.iter().map(|hit| hit.subject.as_str()).collect();
        assert_eq!(names.len(), people);
        assert!(names.iter().all(|name| name.starts_with(&format!("of-{people}-"))));
    }
    open.vault.close().await;
}

/// Somebody who looks like all others of so many.
async fn enroll_alike(open: &Open, tenant: &TenantId, model: &ModelId, people: usize, number: usize) {
    open.enroll(tenant, &format!("of-{people}-{number}"), model, &face(people % 64)).await;
}

/// One thread, and one gallery that is asked for more than it can do: others have their turn all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gallery_that_is_always_asked_lets_others_have_their_turn() {
    let open = Arc::new(Open::configured(|config| config.search.threads = Some(1)).await);
    let (busy, its_model) = alike(&open, 300).await;
    let (other, model) = alike_of(&open, "other", 70).await;
    let over = Arc::new(AtomicBool::new(false));
    let of = Arc::clone(&open);
    let ask = move |tenant: TenantId, model: ModelId, number: usize| {
        let open = Arc::clone(&of);
        async move {
            let call = open.may::<Search>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
            let probe = capture(&model, &face(number));
            let query = Query { subject: None, probe, threshold: Some(0.9), miss_probability: None, limit: 0 };
            search(&open.vault, call, query).await.unwrap().completeness
        }
    };
    let asking: Vec<_> = (0..40)
        .map(|number| {
            let (over, asked, ask) = (Arc::clone(&over), (busy.clone(), its_model.clone()), ask.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(ask(asked.0.clone(), asked.1.clone(), number).await.searched, 300);
                }
            })
        })
        .collect();
    // At work, and somebody waits for the next pass.
    while open.vault.passes.begun() < 10 || open.vault.passes.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    for number in 0..20 {
        assert_eq!(ask(other.clone(), model.clone(), number).await.searched, 70);
    }
    let swept = swept(begin(&open, &other, &model).await.unwrap(), || ()).await.unwrap();
    assert!(!swept.first.is_empty());
    over.store(true, Ordering::Relaxed);
    for one in asking {
        one.await.unwrap();
    }
    open.vault.close().await;
}

pub(super) async fn replace(open: &Open, tenant: &TenantId, model: &ModelId, subject: &str, number: usize) {
    let silo = open.silo(tenant);
    let subject = SubjectId::parse(subject).unwrap();
    let slot = silo.subject(&subject).unwrap();
    let vault = &open.vault;
    let found = crate::templates::of_subject(&vault.store, &vault.keys, &silo, slot, None).unwrap();
    let template = found[0].record.facts.id;
    let call = open.may::<ReplaceTemplate>(tenant, Role::Enroller, Purpose::DataSubjectRequest).await;
    let target = Target { subject, template, request: RequestId::random(), until: None };
    replace_template(vault, call, target, capture(model, &face(number))).await.unwrap();
}

/// Some people, in the order of their slots; each looks like every sixty-fourth.
async fn alike(open: &Open, people: usize) -> (TenantId, ModelId) {
    alike_of(open, "bank", people).await
}

async fn alike_of(open: &Open, tenant: &str, people: usize) -> (TenantId, ModelId) {
    let tenant = open.tenant(tenant).await;
    let model = open.model(&tenant, "model", 64, None).await;
    open.enroll(&tenant, "p-0", &model, &face(0)).await;
    let others = (1..people).map(|number| (format!("p-{number}"), face(number % 64)));
    let (tenant_of, model_of) = (&tenant, &model);
    let enrolled = stream::iter(others).map(|(name, face)| async move {
        open.enroll(tenant_of, &name, model_of, &face).await;
    });
    enrolled.buffer_unordered(64).collect::<()>().await;
    (tenant, model)
}

async fn begin(open: &Open, tenant: &TenantId, model: &ModelId) -> crate::Result<Sweep> {
    let call = open.may::<SweepDuplicates>(tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
    let wanted = Wanted { model: model.clone(), threshold: Some(0.9), miss_probability: None };
    Plan::of(&open.vault, &call, &wanted).unwrap().begin(&call, 0).await
}

/// Does something before the second step is named, and notes who is named in the first and who in later ones.
struct Interrupted<F> {
    first: Vec<String>,
    later: Vec<String>,
    steps: usize,
    interrupt: Option<F>,
}

impl<F: FnOnce()> Interrupted<F> {
    fn by(interrupt: F) -> Self {
        Self { first: Vec::new(), later: Vec::new(), steps: 0, interrupt: Some(interrupt) }
    }
}

impl<F: FnOnce()> Answers for Interrupted<F> {
    fn ready(&mut self) -> crate::Result<()> {
        if self.steps == 1 {
            self.interrupt.take().into_iter().for_each(|interrupt| interrupt());
        }
        Ok(())
    }

    fn give(&mut self, step: Step) -> crate::Result<()> {
        assert!(step.pairs.len() <= 1000 && step.pairs.is_sorted_by(|one, next| one.score >= next.score));
        let named = step.pairs.iter().flat_map(|pair| &pair.parties).map(|party| party.subject.as_str().to_owned());
        if self.steps == 0 {
            self.first.extend(named)
        } else {
            self.later.extend(named)
        }
        self.steps += 1;
        Ok(())
    }
}

async fn swept<F: FnOnce() + Send + 'static>(sweep: Sweep, interrupt: F) -> crate::Result<Interrupted<F>> {
    let mut answers = Interrupted::by(interrupt);
    tokio::task::spawn_blocking(move || sweep.run(&|| false, &mut answers).map(|()| answers)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_erased_during_a_sweep_is_in_no_later_answer() {
    let open = Arc::new(Open::fresh().await);
    let (tenant, model) = alike(&open, 2200).await;
    let sweep = begin(&open, &tenant, &model).await.unwrap();
    let refused = begin(&open, &tenant, &model).await.err().unwrap();
    assert_eq!(refused.reason(), Reason::Overloaded, "a tenant has one sweep at a time");

    // They are in pairs of every step, and in none once they are gone.
    let gone = ["p-3", "p-67", "p-2115"];
    let (runtime, eraser) = (tokio::runtime::Handle::current(), (Arc::clone(&open), tenant.clone()));
    let erase = move || {
        let (open, tenant) = &eraser;
        for name in gone {
            runtime.block_on(async {
                let call = open.may::<EraseSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
                let subject = SubjectId::parse(name).unwrap();
                subject::erase(&open.vault, call, &subject, RequestId::random(), None, soon()).await.unwrap();
            });
        }
    };
    let named = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
    let told = swept(sweep, || ()).await.unwrap();
    assert!(told.steps > 20 && gone.iter().all(|name| named(&told.later, name)), "{} steps", told.steps);
    let told = swept(begin(&open, &tenant, &model).await.unwrap(), erase).await.unwrap();
    assert!(named(&told.later, "p-4") && !gone.iter().any(|name| named(&told.later, name)));
    // Its place is free again.
    let sweep = begin(&open, &tenant, &model).await.unwrap();
    let mut nobody = Interrupted::by(|| ());
    let (stopped, nobody) =
        tokio::task::spawn_blocking(move || (sweep.run(&|| true, &mut nobody), nobody)).await.unwrap();
    assert!(stopped.is_err() && nobody.steps == 0);
    open.vault.close().await;
}

/// Far more pairs than a step keeps, or an answer has.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_are_alike_each_pair_is_given_once() {
    struct Counted(BTreeSet<[String; 2]>, usize);
    impl Answers for Counted {
        fn ready(&mut self) -> crate::Result<()> {
            Ok(())
        }
        fn give(&mut self, step: Step) -> crate::Result<()> {
            assert!(step.pairs.len() <= 1000);
            for pair in &step.pairs {
                let mut names = pair.parties.each_ref().map(|party| party.subject.as_str().to_owned());
                names.sort();
                assert!(self.0.insert(names), "a pair twice");
            }
            self.1 += 1;
            Ok(())
        }
    }
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    let (tenant_of, model_of, open_of) = (&tenant, &model, &open);
    let people = (0..500).map(|number| async move {
        open_of.enroll(tenant_of, &format!("p-{number}"), model_of, &face(0)).await;
    });
    stream::iter(people).buffer_unordered(64).collect::<()>().await;
    let sweep = begin(&open, &tenant, &model).await.unwrap();
    let mut counted = Counted(BTreeSet::new(), 0);
    let run = move || sweep.run(&|| false, &mut counted).map(|()| counted);
    let Counted(pairs, answers) = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert_eq!(pairs.len(), 500 * 499 / 2);
    assert!(answers >= 125, "{answers}");
    open.vault.close().await;
}

/// Those who are replaced while they are compared look like each other before and after: a sweep tells of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_replaced_during_a_sweep_is_found_all_the_same() {
    let open = Arc::new(Open::fresh().await);
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    open.enroll(&tenant, "ann", &model, &face(0)).await;
    let (tenant_of, model_of, open_of) = (&tenant, &model, &open);
    // All apart from her, and from each other.
    let others = (0..1500).map(|number| async move {
        let mut face = vec![0.0; 64];
        (face[1 + number % 63], face[1 + (number + 1 + number / 63) % 63]) = (1.0, 0.7);
        open_of.enroll(tenant_of, &format!("p-{number}"), model_of, &face).await;
    });
    stream::iter(others).buffer_unordered(64).collect::<()>().await;
    open.enroll(&tenant, "ann-again", &model, &face(0)).await;

    let over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for subject in ["ann", "ann-again"] {
        let (open, tenant, model, over) = (Arc::clone(&open), tenant.clone(), model.clone(), Arc::clone(&over));
        writers.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                replace(&open, &tenant, &model, subject, 0).await;
                // So that a sweep comes to an end.
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }));
    }
    for number in 0..20 {
        let sweep = begin(&open, &tenant, &model).await.unwrap();
        let told = swept(sweep, || ()).await.unwrap();
        let mut named = [told.first, told.later].concat();
        named.sort();
        named.dedup();
        assert_eq!(named, ["ann", "ann-again"], "sweep {number}");
    }
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_a_gallery_that_lacks_somebody_is_not_answered() {
    let open = Open::fresh().await;
    let (tenant, model) = alike(&open, 3).await;
    let silo = open.silo(&tenant);
    let slot = silo.subject(&SubjectId::parse("p-1").unwrap()).unwrap();
    let (at, profile) = crate::templates::places(&open.vault.store, &silo, slot).unwrap()[0];
    let mut change = Change::new();
    change.delete(Key::Sketch { tree: silo.tree, gallery: SUBJECTS, profile, at });
    open.vault.store.commit(change).await.unwrap();

    let sweep = begin(&open, &tenant, &model).await.unwrap();
    let refused = swept(sweep, || ()).await.err().expect("half a gallery was answered from");
    assert_eq!(refused.reason(), Reason::SearchIncomplete);
    open.vault.close().await;
}
