//! 1:N search while the gallery changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::{StreamExt, stream};
use lethe_domain::{ModelId, Purpose, Reason, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::{EraseSubject, ReplaceTemplate, Search, SweepDuplicates};

use super::{Open, capture, soon};
use crate::enrollment::{Target, replace_template};
use crate::identification::{Query, Sweep, Wanted, search};
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
        let query = Query { probe: capture(&model, &face(0)), threshold: Some(0.9), miss_probability: None, limit: 0 };
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

async fn replace(open: &Open, tenant: &TenantId, model: &ModelId, subject: &str, number: usize) {
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

/// More people than a sweep takes in a step, in the order of their slots, and all alike.
async fn alike(open: &Open, people: usize) -> (TenantId, ModelId) {
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    open.enroll(&tenant, "p-0", &model, &face(0)).await;
    let others = (1..people).map(|number| (format!("p-{number}"), face(number)));
    let (tenant_of, model_of) = (&tenant, &model);
    let enrolled = stream::iter(others).map(|(name, face)| async move {
        open.enroll(tenant_of, &name, model_of, &face).await;
    });
    enrolled.buffer_unordered(64).collect::<()>().await;
    (tenant, model)
}

async fn begin(open: &Open, tenant: &TenantId, model: &ModelId) -> crate::Result<Sweep> {
    let call = open.may::<SweepDuplicates>(tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
    let wanted = Wanted { model: model.clone(), threshold: Some(0.9), miss_probability: None, from: 0 };
    Sweep::begin(&open.vault, &call, wanted).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_erased_during_a_sweep_is_in_no_later_answer() {
    let open = Arc::new(Open::fresh().await);
    let (tenant, model) = alike(&open, 2200).await;
    let sweep = begin(&open, &tenant, &model).await.unwrap();
    let refused = begin(&open, &tenant, &model).await.err().unwrap();
    assert_eq!(refused.reason(), Reason::Overloaded, "a tenant has one sweep at a time");

    // Everybody whose number is the same modulo 64 looks alike.
    let gone = ["p-3", "p-67", "p-2115"];
    let (runtime, eraser) = (tokio::runtime::Handle::current(), (Arc::clone(&open), tenant.clone()));
    let swept = tokio::task::spawn_blocking(move || {
        let (mut before, mut after, mut steps) = (Vec::new(), Vec::new(), 0);
        let swept = sweep.run(&|| false, |step| {
            let named = step.pairs.iter().flat_map(|pair| &pair.parties).map(|party| party.subject.to_string());
            if steps == 0 {
                before.extend(named)
            } else {
                after.extend(named)
            }
            if steps == 0 {
                let (open, tenant) = &eraser;
                for name in gone {
                    let call = open.may::<EraseSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest);
                    let erased = async {
                        let subject = SubjectId::parse(name).unwrap();
                        subject::erase(&open.vault, call.await, &subject, RequestId::random(), soon()).await
                    };
                    runtime.block_on(erased).unwrap();
                }
            }
            steps += 1;
            Ok(())
        });
        swept.map(|()| (before, after, steps))
    });
    let (before, after, steps) = swept.await.unwrap().unwrap();
    assert!(steps >= 3 && before.iter().any(|name| gone.contains(&name.as_str())), "{steps} steps");
    assert!(after.iter().any(|name| name == "p-131") && after.iter().all(|name| !gone.contains(&name.as_str())));
    // Its place is free again.
    let sweep = begin(&open, &tenant, &model).await.unwrap();
    let stopped =
        tokio::task::spawn_blocking(move || sweep.run(&|| true, |_| panic!("a step of a sweep that was stopped")));
    assert!(stopped.await.unwrap().is_err());
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
    let swept =
        tokio::task::spawn_blocking(move || sweep.run(&|| false, |_| panic!("half a gallery was answered from")));
    assert_eq!(swept.await.unwrap().unwrap_err().reason(), Reason::SearchIncomplete);
    open.vault.close().await;
}
