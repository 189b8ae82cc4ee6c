//! The inner loops, each by itself: what a change to one of them did.
//!
//! Criterion compares with its own last run. Ratios against peers are `lethe-bench`'s business.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark stops at the first surprise")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lethe_benches::client::THRESHOLD;
use lethe_benches::fixtures::{rotation, slot_key};
use lethe_crypto::record::{self, RecordContext, RecordKeys, RecordKind};
use lethe_crypto::tree::SlotRef;
use lethe_dataset::{Model, Population};
use lethe_index::{DEFAULT_MISS, Gallery, OperatingPoint, Pool, Quantizer, Query};

const DIMENSION: usize = 512;
const GALLERY: u64 = 100_000;

fn people() -> Population {
    Population::new(Model::edgeface_xs_512(), 1)
}

/// From an embedding to what the scan compares.
fn sketching(criterion: &mut Criterion) {
    let (person, transform) = (people().person(1).capture(0), rotation(DIMENSION).unwrap());
    let rotated = transform.rotate(&person).unwrap();
    let quantizer = Quantizer::new(DIMENSION, None).unwrap();
    let other = people().person(2).capture(0);

    let mut group = criterion.benchmark_group("sketching");
    group.bench_function("cosine", |b| b.iter(|| lethe_index::cosine(black_box(&person), black_box(&other))));
    group.bench_function("rotate", |b| b.iter(|| transform.rotate(black_box(&person)).unwrap()));
    group.bench_function("sketch", |b| b.iter(|| quantizer.sketch(black_box(&rotated)).unwrap()));
    group.bench_function("probe_tables", |b| b.iter(|| quantizer.probe(black_box(&rotated)).unwrap()));
    group.finish();
}

/// One probe over a gallery, on one thread and on all.
fn scanning(criterion: &mut Criterion) {
    let (population, transform) = (people(), rotation(DIMENSION).unwrap());
    let quantizer = Arc::new(Quantizer::new(DIMENSION, None).unwrap());
    let at = OperatingPoint::new(THRESHOLD, DEFAULT_MISS).unwrap();
    let stranger = population.person(GALLERY).capture(0);
    let query = Query::new(quantizer.probe(&transform.rotate(&stranger).unwrap()).unwrap(), at);

    let mut group = criterion.benchmark_group("scan_100k");
    group.throughput(Throughput::Bytes(GALLERY * DIMENSION as u64 / 8));
    group.sample_size(30);
    for threads in [Some(1), None] {
        let gallery = Gallery::new(quantizer.clone(), Pool::new(threads).unwrap());
        for (first, batch) in population.batches(0..GALLERY, 0, 4096) {
            for (row, vector) in batch.chunks_exact(DIMENSION).enumerate() {
                let rotated = transform.rotate(vector).unwrap();
                gallery.insert(first + row as u64, &quantizer.sketch(&rotated).unwrap()).unwrap();
            }
        }
        let name = threads.map_or("all_threads".to_owned(), |threads| format!("{threads}_thread"));
        group.bench_function(name, |b| b.iter(|| gallery.candidates(&query, &|| false).unwrap().items.len()));
    }
    group.finish();
}

/// A template as it is stored: keys derived, sealed, opened, wiped.
fn sealing(criterion: &mut Criterion) {
    let (subject, thing) = (slot_key(2), slot_key(3));
    let keys = || RecordKeys::of_thing(&subject, &thing);
    let mut context = RecordContext::new(SlotRef::first(1), SlotRef::first(2), RecordKind(1), b"template");
    context.thing = Some(SlotRef::first(3));
    let plaintext: Vec<u8> = people().person(1).capture(0).iter().flat_map(|x| x.to_le_bytes()).collect();
    let sealed = record::seal(keys(), &context, &plaintext).unwrap();

    let mut group = criterion.benchmark_group("record_512d");
    group.throughput(Throughput::Bytes(plaintext.len() as u64));
    group.bench_function("seal", |b| b.iter(|| record::seal(keys(), &context, black_box(&plaintext)).unwrap()));
    group.bench_function("open", |b| b.iter(|| record::open(keys(), &context, black_box(&sealed)).unwrap()));
    group.finish();
}

/// The generator, so that no benchmark waits for its own data.
fn generating(criterion: &mut Criterion) {
    const PEOPLE: u64 = 1024;
    let population = people();
    let mut group = criterion.benchmark_group("generate");
    group.throughput(Throughput::Elements(PEOPLE));
    group.bench_function("fill_512d", |b| {
        let empty = || vec![0.0; PEOPLE as usize * DIMENSION];
        b.iter_batched_ref(empty, |out| population.fill(0, 0, out), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(kernels, sketching, scanning, sealing, generating);
criterion_main!(kernels);
