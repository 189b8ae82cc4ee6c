//! Enrolling, recognising, keeping.

use std::collections::BTreeSet;

use lethe_proto::v1::batch_enroll_response::Result as Item;
use lethe_proto::v1::{self, DecisionBand, DecisionReason, Purpose, SubjectState};
use lethe_tests::{Faces, MATCH, Vault, cosine};

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_meet_their_own_people_and_nobody_elses() {
    let vault = Vault::fresh().await;
    let (bank, shop) = (vault.tenant("bank").await, vault.tenant("shop").await);
    let people = Faces::seeded(11).strangers(12);
    let (first, others) = people.split_first().unwrap();

    // One by one, and in a stream, whose answers come in any order.
    let enrolled = bank.enroller().enroll("person-0", &first.selfie()).await.unwrap();
    let template = enrolled.template.unwrap();
    assert!(template.name.starts_with("tenants/bank/subjects/person-0/templates/"), "{}", template.name);
    assert_eq!((template.dimension, template.kind()), (512, v1::CaptureKind::Selfie));
    assert!((template.quality - 0.9).abs() < 1e-6);
    let enroller = bank.enroller();
    let items = others.iter().enumerate().map(|(at, person)| {
        let subject = format!("person-{}", at + 1);
        enroller.item(&subject, &person.selfie())
    });
    let answers = enroller.enroll_all(items.collect()).await.unwrap();
    let mut sequences = BTreeSet::new();
    let mut stored = BTreeSet::new();
    for answer in answers {
        let Some(Item::Enrolled(item)) = answer.result else { panic!("{} was refused", answer.item_id) };
        sequences.insert(item.sequence);
        let parent = format!("tenants/bank/subjects/{}/templates/", answer.item_id);
        assert!(item.template.unwrap().name.starts_with(&parent), "an answer names another item's subject");
        stored.insert(answer.item_id);
    }
    assert_eq!(stored.len(), others.len());
    assert!(sequences.iter().all(|sequence| *sequence > enrolled.sequence));

    // 1:1: the person, and somebody else who claims to be that person.
    for (at, person) in people.iter().enumerate() {
        let claimed = format!("person-{at}");
        let genuine = bank.analyst().verify(&claimed, &person.again()).await.unwrap();
        assert_eq!(genuine.band(), DecisionBand::Match);
        assert_eq!(genuine.reasons, [i32::from(DecisionReason::ScoreAboveMatch)]);
        assert!((genuine.score.unwrap() - cosine(&person.selfie(), &person.again())).abs() < 1e-5);
        let stranger = people[(at + 1) % people.len()].again();
        let impostor = bank.analyst().verify(&claimed, &stranger).await.unwrap();
        assert_eq!(impostor.band(), DecisionBand::NoMatch);
        assert_eq!(impostor.reasons, [i32::from(DecisionReason::NoScoreAboveReview)]);
        assert!((impostor.score.unwrap() - cosine(&person.selfie(), &stranger)).abs() < 1e-5);
    }
    let seen = bank.authenticator().verify("person-0", &first.again()).await.unwrap();
    assert_eq!((seen.band(), seen.score), (DecisionBand::Match, None), "an authenticator sees the band alone");

    // 1:N: each is found, alone; at the other tenant nobody is.
    for (at, person) in people.iter().enumerate() {
        assert_eq!(bank.analyst().found(&person.again()).await, [format!("person-{at}")]);
        assert!(shop.analyst().found(&person.again()).await.is_empty());
    }
    shop.enroller().enroll("somebody", &people[0].capture(1)).await.unwrap();
    assert_eq!(shop.analyst().found(&people[0].capture(1)).await, ["somebody"]);
    assert_eq!(bank.analyst().found(&people[0].again()).await, ["person-0"]);
}

/// A sequence is the tenant's own: it grows by this tenant's calls, and by nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_shows_nothing_of_what_other_tenants_do() {
    let vault = Vault::fresh().await;
    let (bank, shop) = (vault.tenant("bank").await, vault.tenant("shop").await);
    let faces = Faces::seeded(14);
    let [ada, bob] = <[_; 2]>::try_from(faces.strangers(2)).unwrap();
    let first = bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    for at in 0..20 {
        shop.enroller().enroll(&format!("person-{at}"), &faces.person(at).selfie()).await.unwrap();
    }
    let second = bank.enroller().enroll("bob", &bob.selfie()).await.unwrap();
    assert_eq!(second.sequence, first.sequence + 1);
    // It is the size of the tenant's log with this write in it, also to the next server.
    assert_eq!(bank.auditor().checkpoint(&bank.log()).await.unwrap().tree_size, second.sequence);
    vault.restart().await;
    let covered = bank.analyst().search(&bob.again()).await.unwrap().completeness.unwrap();
    // The checkpoint was logged. The search's own entry is written while it runs: it may be counted or not.
    assert!((second.sequence + 1..=second.sequence + 2).contains(&covered.sequence), "{}", covered.sequence);
    let template = second.template.unwrap().name;
    let replaced = bank.enroller().replace(&template, &bob.again()).await.unwrap();
    assert_eq!(replaced.sequence, second.sequence + 3, "the checkpoint, the search, then the replacement");
}

/// A search that says it covers an enrolment's sequence has seen it, whatever else goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_a_sequence_has_seen_every_write_up_to_it() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(15).strangers(64);
    let clients = people.chunks(8).enumerate().map(|(client, people)| {
        let (enroller, analyst, people) = (bank.enroller(), bank.analyst(), people.to_vec());
        tokio::spawn(async move {
            for (at, person) in people.iter().enumerate() {
                let subject = format!("person-{client}-{at}");
                let enrolled = enroller.enroll(&subject, &person.selfie()).await.unwrap();
                let searched = analyst.search(&person.again()).await.unwrap();
                let covered = searched.completeness.unwrap();
                assert!(covered.sequence >= enrolled.sequence, "a search began before an answer that it followed");
                assert!(searched.matches.iter().any(|hit| hit.subject.ends_with(&subject)), "{subject} was missed");
                assert!(covered.gallery_size <= covered.sequence);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_duplicate_is_found_among_many() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(12);
    let crowd: Vec<_> = (0..300).map(|at| (format!("applicant-{at}"), faces.person(at).selfie())).collect();
    let enroller = bank.enroller();
    let items = crowd.iter().map(|(subject, face)| enroller.item(subject, face)).collect();
    let answers = enroller.enroll_all(items).await.unwrap();
    let newest = answers.iter().map(|answer| match &answer.result {
        Some(Item::Enrolled(item)) => item.sequence,
        other => panic!("{other:?}"),
    });
    let newest = newest.max().unwrap();

    // The same face under another applicant id.
    let probe = faces.person(137).again();
    enroller.enroll("newcomer", &probe).await.unwrap();
    let mut query = bank.analyst().query(&probe);
    query.threshold = Some(MATCH);
    let found = bank.analyst().ask(query).await.unwrap();
    // What must be found is what the plain comparison with every face gives.
    let everyone = crowd.iter().map(|(subject, face)| (subject.as_str(), cosine(face, &probe)));
    let mut expected: Vec<_> = everyone.chain([("newcomer", 1.0)]).filter(|(_, score)| *score >= MATCH).collect();
    expected.sort_by(|a, b| b.1.total_cmp(&a.1));
    let subjects: Vec<_> = found.matches.iter().map(|hit| hit.subject.rsplit('/').next().unwrap()).collect();
    assert_eq!(subjects, expected.iter().map(|(subject, _)| *subject).collect::<Vec<_>>());
    assert_eq!(subjects[..2], ["newcomer", "applicant-137"]);
    for (hit, (_, score)) in found.matches.iter().zip(&expected) {
        assert!((hit.score - score).abs() < 1e-5, "{} instead of {score}", hit.score);
        assert_eq!(hit.band(), DecisionBand::Match);
        assert!(hit.template.starts_with(&format!("{}/templates/", hit.subject)));
    }
    let covered = found.completeness.unwrap();
    assert_eq!((covered.gallery_size, covered.searched), (301, 301));
    assert_eq!(covered.candidates, covered.re_ranked);
    assert_eq!(covered.matched, i64::try_from(expected.len()).unwrap());
    assert!(covered.complete && covered.sequence > newest);
    assert!((covered.threshold - MATCH).abs() < 1e-6);

    // A limit cuts the list, and says so.
    let mut query = bank.analyst().query(&probe);
    query.max_results = 1;
    let cut = bank.analyst().ask(query).await.unwrap();
    assert_eq!(cut.matches.len(), 1);
    let covered = cut.completeness.unwrap();
    assert!(!covered.complete && covered.matched >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_listed_in_pages_oldest_first() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(13).person(0);
    let mut names = Vec::new();
    for session in 0..5 {
        let enrolled = bank.enroller().enroll("ada", &ada.capture(session)).await.unwrap();
        names.push(enrolled.template.unwrap().name);
    }
    let mut pages = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListTemplatesRequest {
            parent: "tenants/bank/subjects/ada".to_owned(),
            purpose: Purpose::DuplicateDetection.into(),
            page_size: 2,
            page_token: std::mem::take(&mut page_token),
        };
        let page = bank.enroller().ask(request).await.unwrap();
        pages.push(page.templates.iter().map(|template| template.name.clone()).collect::<Vec<_>>());
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), names);
    assert_eq!(bank.enroller().templates("ada").await.unwrap().len(), 5, "and in one page, if it is large enough");

    let subject = bank.privacy_officer().subject("ada").await.unwrap();
    assert_eq!(subject.name, "tenants/bank/subjects/ada");
    assert_eq!(subject.state(), SubjectState::Active);
    assert!(subject.create_time.is_some());
    let count = &subject.template_counts[0];
    assert_eq!((subject.template_counts.len(), count.count), (1, 5));
    assert_eq!(count.model.as_ref().unwrap().id, "face");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_see_what_was_answered_sees_it_after_a_restart_and_after_a_crash() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(14).strangers(4);
    for (at, person) in people.iter().enumerate() {
        bank.enroller().enroll(&format!("person-{at}"), &person.selfie()).await.unwrap();
    }
    let erased = bank.privacy_officer().erase("person-3").await.unwrap();
    let subject = bank.privacy_officer().subject("person-0").await.unwrap();
    let templates = bank.enroller().templates("person-0").await.unwrap();
    let receipt = bank.auditor().receipt(&erased.receipt).await.unwrap();
    let matches = bank.analyst().search(&people[0].again()).await.unwrap().matches;
    assert_eq!(matches.len(), 1);

    vault.restart().await;
    for _ in ["after a stop", "after a crash"] {
        assert_eq!(bank.privacy_officer().subject("person-0").await.unwrap(), subject);
        assert_eq!(bank.enroller().templates("person-0").await.unwrap(), templates);
        assert_eq!(bank.auditor().receipt(&erased.receipt).await.unwrap(), receipt);
        assert_eq!(bank.analyst().search(&people[0].again()).await.unwrap().matches, matches);
        assert!(bank.analyst().found(&people[3].again()).await.is_empty());
        assert_eq!(
            bank.authenticator().verify("person-1", &people[1].again()).await.unwrap().band(),
            DecisionBand::Match
        );
        vault.crash().await;
    }
}

/// The document service's portrait of a person against the selfie that the capture service took (O7).
#[tokio::test(flavor = "multi_thread")]
async fn a_selfie_is_compared_with_the_portrait_of_a_document() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(12);
    let (holder, other) = (faces.person(0), faces.person(1));
    let mut portrait = bank.enroller().enrolment("ada", &holder.selfie());
    portrait.purpose = Purpose::DocumentCheck.into();
    portrait.template.as_mut().unwrap().kind = v1::CaptureKind::DocumentPortrait.into();
    let enrolled = bank.enroller().ask(portrait).await.unwrap().template.unwrap();
    assert_eq!(enrolled.kind(), v1::CaptureKind::DocumentPortrait);
    for (person, expected) in [(&holder, DecisionBand::Match), (&other, DecisionBand::NoMatch)] {
        let mut selfie = bank.authenticator().verification("ada", &person.selfie());
        selfie.purpose = Purpose::DocumentCheck.into();
        selfie.probe.as_mut().unwrap().kind = v1::CaptureKind::Selfie.into();
        assert_eq!(bank.authenticator().ask(selfie).await.unwrap().band(), expected);
    }
}
