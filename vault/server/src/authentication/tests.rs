use lethe_crypto::log::entry::Entry;
use lethe_domain::{Embedding, Purpose, Reason, Role, SubjectId};

use lethe_policy::operation::Verify;

use super::compare::Comparison;
use super::verify;
use crate::config::Limits;
use crate::store::{Key, LogHead};
use crate::tests::{Open, capture};

/// An embedding that differs from others by its number.
fn vector(number: usize) -> Vec<f32> {
    (0..64).map(|at| if at == number % 64 { 2.0 } else { 1.0 }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_comparison_hides_who_is_enrolled() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let model = open.model(&bank, "face", 64, None).await;
    let other = open.model(&bank, "other", 64, None).await;
    for (subject, templates) in [("one", 1), ("two", 2), ("three", 3), ("five", 5), ("most", most())] {
        for number in 0..templates {
            open.enroll(&bank, subject, &model, &vector(number)).await;
        }
    }
    open.enroll(&bank, "of-another-model", &other, &vector(0)).await;
    let silo = open.silo(&bank);
    let gallery = silo.model(&model, "model").unwrap();
    let probe = Embedding::parse("probe", vector(7), 64).unwrap();
    let expected = [
        ("nobody", 1, false),
        ("of-another-model", 1, false),
        ("one", 1, true),
        ("two", 2, true),
        ("three", 4, true),
        ("five", 8, true),
        ("most", 16, true),
    ];
    let licence = open.may::<Verify>(&bank, Role::Authenticator, Purpose::Authentication).await.licence();
    for (subject, opened, scored) in expected {
        let id = SubjectId::parse(subject).unwrap();
        let compared = Comparison::of(&open.vault, &silo, &gallery, &id, (licence, None)).unwrap().run(&probe).unwrap();
        assert_eq!((compared.opened, compared.score.is_some()), (opened, scored), "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_on_nobody_leaves_an_entry_of_the_same_make() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let model = open.model(&bank, "face", 64, None).await;
    open.enroll(&bank, "ann", &model, &vector(1)).await;
    let tree = open.silo(&bank).tree;
    for subject in ["ann", "nobody", "nobody"] {
        let call = open.may(&bank, Role::Authenticator, Purpose::Authentication).await;
        let id = SubjectId::parse(subject).unwrap();
        verify(&open.vault, call, &id, capture(&model, &vector(1))).await.unwrap();
        let head = open.vault.store.get(&Key::LogHead { tree }).unwrap().unwrap();
        let index = LogHead::decode(&head).unwrap().size - 1;
        let entry = open.vault.store.get(&Key::LogEntry { tree, index }).unwrap().unwrap();
        let entry = Entry::decode(&entry).unwrap();
        assert!(entry.pseudonym.is_some() && entry.sealed.is_some(), "{subject}");
        // Why is for the tenant's auditor, in clear.
        assert_eq!(entry.reason.is_some(), subject == "nobody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_has_so_many_templates_of_a_model_and_no_more() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let model = open.model(&bank, "face", 64, None).await;
    let other = open.model(&bank, "other", 64, None).await;
    for number in 0..most() {
        open.enroll(&bank, "ann", &model, &vector(number)).await;
    }
    let refused = open.try_enroll(&bank, "ann", &model, &vector(0)).await;
    assert_eq!(refused.err().map(|error| error.reason()), Some(Reason::TemplatesLimited));
    open.enroll(&bank, "ann", &other, &vector(0)).await;
    open.enroll(&bank, "bob", &model, &vector(0)).await;
}

/// Templates that a subject may have by default.
fn most() -> usize {
    Limits::default().templates
}
