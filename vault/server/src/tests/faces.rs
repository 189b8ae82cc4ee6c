//! Accuracy and completeness on faces: real ones where `LETHE_REAL_DATA` names a folder of them, generated ones
//! always.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use lethe_dataset::evaluation::{STANDARD_FMRS, evaluate};
use lethe_dataset::faces::Faces;
use lethe_dataset::synthetic::{Model as Generator, Population};
use lethe_dataset::{Captures, SyntheticFaces};
use lethe_domain::{ModelId, Purpose, Role, TemplateId, TenantId};
use lethe_index::cosine;
use lethe_policy::operation::Search;
use rayon::prelude::*;

use super::{Open, capture};
use crate::identification::{Query, search};
use crate::templates;

/// Miss probability at which not one mate may be missed among these many.
const CERTAIN: f64 = 1e-12;

/// Faces enrolled in a vault: image i under its person's id.
struct Enrolled {
    open: Open,
    tenant: TenantId,
    model: ModelId,
    /// Which image a template was made from.
    images: HashMap<TemplateId, usize>,
}

async fn enrol(faces: &Faces, centre: Option<Vec<f32>>) -> Enrolled {
    let open = Open::for_many_templates().await;
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", faces.dimension(), centre).await;
    let images = futures::stream::iter(0..faces.images())
        .map(|image| {
            let (open, tenant, model) = (&open, &tenant, &model);
            async move {
                let subject = format!("person-{}", faces.subject(image));
                let enrolled = open.enroll(tenant, &subject, model, faces.embedding(image)).await;
                (enrolled.facts.id, image)
            }
        })
        .buffer_unordered(64)
        .collect()
        .await;
    Enrolled { open, tenant, model, images }
}

impl Enrolled {
    /// The templates as the store has them, opened, in the order of the images.
    fn stored(&self, faces: &Faces) -> Vec<f32> {
        let silo = self.open.silo(&self.tenant);
        let mut values = vec![0.0; faces.images() * faces.dimension()];
        for person in faces.people() {
            let subject = lethe_domain::SubjectId::parse(&format!("person-{}", person.subject)).unwrap();
            let slot = silo.subject(&subject).unwrap();
            let vault = &self.open.vault;
            for found in templates::of_subject(&vault.store, &vault.keys, &silo, slot, None).unwrap() {
                let at = self.images[&found.record.facts.id] * faces.dimension();
                values[at..at + faces.dimension()].copy_from_slice(found.record.embedding.components());
            }
        }
        values
    }

    /// Searches for every image and compares with every template, exactly.
    async fn expect_exact_answers(&self, stored: &[f32], thresholds: [f32; 3]) {
        let dimension = stored.len() / self.images.len();
        let all: Vec<&[f32]> = stored.chunks_exact(dimension).collect();
        let least = thresholds[0];
        let exact: Vec<Vec<(usize, f32)>> = all
            .par_iter()
            .map(|probe| {
                let scores = all.iter().enumerate().map(|(image, template)| (image, cosine(template, probe)));
                scores.filter(|(_, score)| *score >= least).collect()
            })
            .collect();
        for threshold in thresholds {
            let pairs: usize = futures::stream::iter(0..all.len())
                .map(|image| {
                    let (probe, expected) = (all[image], &exact[image]);
                    async move { self.expect_answer(image, probe, threshold, expected).await }
                })
                .buffer_unordered(8)
                .map(Ok::<_, ()>)
                .try_fold(0, |sum, pairs| async move { Ok(sum + pairs) })
                .await
                .unwrap();
            println!("  threshold {threshold}: {} searches, {pairs} pairs, all found and no other", all.len());
        }
    }

    async fn expect_answer(&self, image: usize, probe: &[f32], threshold: f32, exact: &[(usize, f32)]) -> usize {
        let call = self.open.may::<Search>(&self.tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let query = Query {
            subject: None,
            probe: capture(&self.model, probe),
            threshold: Some(threshold),
            miss_probability: Some(CERTAIN),
            limit: 0,
        };
        let found = search(&self.open.vault, call, query).await.unwrap();
        assert_eq!(found.completeness.searched, self.images.len());
        assert!(found.matches.is_sorted_by(|a, b| a.score >= b.score), "best first");
        let mut matches: Vec<_> = found.matches.iter().map(|hit| (self.images[&hit.template], hit.score)).collect();
        matches.sort_unstable_by_key(|(image, _)| *image);
        // The probe is normalised once more on its way in, which may move a score by an ulp or two: a template
        // that close to the threshold may fall on either side of it.
        let wanted = |margin: f32| exact.iter().filter(move |(_, score)| *score >= threshold + margin);
        for (wanted, score) in wanted(1e-6) {
            let got = matches.iter().find(|(image, _)| image == wanted);
            let (_, got) = got.unwrap_or_else(|| panic!("probe {image} misses {wanted} at {score}"));
            assert!((got - score).abs() <= 1e-5, "{got} {score}");
        }
        for (got, score) in &matches {
            assert!(wanted(-1e-6).any(|(image, _)| image == got), "probe {image} invents {got} at {score}");
        }
        matches.len()
    }
}

/// One row of the published table: FMR, threshold, TAR.
type Published = [(f64, f64, f64); 4];

async fn real(name: &str, published: Published, thresholds: [f32; 3], centred: bool) {
    let Some(folder) = std::env::var_os("LETHE_REAL_DATA") else {
        println!("had no real faces: LETHE_REAL_DATA is not set");
        return;
    };
    let faces = Faces::open(std::path::Path::new(&folder), name).unwrap();
    let centre = centred.then(|| mean(&faces));
    let enrolled = enrol(&faces, centre).await;
    let stored = enrolled.stored(&faces);
    let subjects = (0..faces.images()).map(|image| faces.subject(image)).collect();
    let opened = Faces::new(name, faces.dimension(), stored.clone(), subjects).unwrap();
    let accuracy = evaluate(&opened, &STANDARD_FMRS, 2, cosine).unwrap();
    println!("{name}: {} stored templates, opened and scored", faces.images());
    for (fmr, threshold, tar) in published {
        let row = accuracy.at(fmr).unwrap();
        println!("  FMR {fmr:e}: threshold {:.4} ({threshold}), TAR {:.4} ({tar})", row.threshold, row.tar);
        assert!((f64::from(row.threshold) - threshold).abs() < 5e-4, "FMR {fmr}: threshold {}", row.threshold);
        assert!((row.tar - tar).abs() < 5e-4, "FMR {fmr}: TAR {}", row.tar);
    }
    enrolled.expect_exact_answers(&stored, thresholds).await;
}

/// The mean of the set. A vendor's centre comes from other people; here it only shows that a centre works.
fn mean(faces: &Faces) -> Vec<f32> {
    let mut sum = vec![0.0_f32; faces.dimension()];
    for image in 0..faces.images() {
        sum.iter_mut().zip(faces.embedding(image)).for_each(|(sum, x)| *sum += x / faces.images() as f32);
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn real_512_dimensions_score_and_search_as_published() {
    let published = [(1e-2, 0.1879, 0.9977), (1e-3, 0.2550, 0.9953), (1e-4, 0.3184, 0.9894), (1e-5, 0.3772, 0.9754)];
    real("edgeface_xs_512", published, [0.3184, 0.3772, 0.453], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_128_dimensions_with_a_centre_score_and_search_as_published() {
    let published = [(1e-2, 0.9069, 0.9840), (1e-3, 0.9255, 0.9314), (1e-4, 0.9405, 0.7795), (1e-5, 0.9540, 0.4882)];
    real("dlib_128", published, [0.9255, 0.9405, 0.954], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_faces_search_exactly() {
    for (generator, people) in [(Generator::edgeface_xs_512(), 1500), (Generator::unfitted_128(), 500)] {
        let faces = SyntheticFaces::new(Population::new(generator, 11), people, Captures::Fixed(2)).faces().unwrap();
        let enrolled = enrol(&faces, None).await;
        let stored = enrolled.stored(&faces);
        println!("generated: {} templates of {} dimensions", faces.images(), faces.dimension());
        enrolled.expect_exact_answers(&stored, [0.319, 0.386, 0.438]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_vault_answers_as_before() {
    let population = Population::new(Generator::edgeface_xs_512(), 12);
    let faces = SyntheticFaces::new(population, 300, Captures::Fixed(2)).faces().unwrap();
    let Enrolled { open, tenant, model, images } = enrol(&faces, None).await;
    let open = open.reopen().await;
    let enrolled = Enrolled { open, tenant, model, images };
    let stored = enrolled.stored(&faces);
    enrolled.expect_exact_answers(&stored, [0.319, 0.386, 0.438]).await;
}
