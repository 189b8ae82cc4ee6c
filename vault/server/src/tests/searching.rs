//! 1:N search while the gallery changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lethe_domain::{ModelId, Purpose, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::{ReplaceTemplate, Search};

use super::{Open, capture};
use crate::enrollment::{Target, replace_template};
use crate::identification::{Query, search};

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
