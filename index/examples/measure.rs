//! temporary
#![allow(clippy::unwrap_used, missing_docs, clippy::expect_used)]
use faiss::{Index, MetricType, index_factory};
use lethe_index::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

fn unit(rng: &mut ChaCha8Rng, d: usize) -> Vec<f32> {
    let v: Vec<f32> = (0..d).map(|_| (0..4).map(|_| rng.random::<f32>() - 0.5).sum::<f32>()).collect();
    let n = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter().map(|x| x / n).collect()
}
fn med(mut v: Vec<f64>) -> String {
    v.sort_by(|a, b| a.total_cmp(b));
    format!("{:.2} ms (min {:.2}, max {:.2})", v[v.len() / 2], v[0], v[v.len() - 1])
}

fn main() {
    let n: usize = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1_000_000);
    let d: usize = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(512);
    let centred = std::env::args().nth(3).is_some();
    let peer = !centred && std::env::args().nth(4).is_none();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let centre: Option<Vec<f32>> = centred.then(|| unit(&mut rng, d).iter().map(|x| x * 0.9).collect());
    let make = |rng: &mut ChaCha8Rng| -> Vec<f32> {
        let u = unit(rng, d);
        match &centre {
            None => u,
            Some(c) => {
                let v: Vec<f32> = c.iter().zip(&u).map(|(c, u)| c + 0.4 * u).collect();
                let n = v.iter().map(|x| x * x).sum::<f32>().sqrt();
                v.iter().map(|x| x / n).collect()
            }
        }
    };
    let q = Arc::new(Quantizer::new(d, centre.as_deref()).unwrap());
    let g1: Gallery<u64> = Gallery::new(q.clone(), Pool::new(Some(1)).unwrap());
    let g2: Gallery<u64> = Gallery::new(q.clone(), Pool::new(Some(2)).unwrap());
    let mut index = index_factory(d as u32, format!("PQ{}x4fs", d / 4), MetricType::InnerProduct).unwrap();
    if peer {
        let mut t = Vec::new();
        for c in 0..16 {
            for _ in 0..d / 4 {
                for j in 0..4 {
                    t.push(if c >> j & 1 == 1 { 1.0f32 } else { -1.0 });
                }
            }
        }
        index.train(&t).unwrap();
    }
    let mut done = 0;
    let (mut ts, mut ti) = (0.0, 0.0);
    while done < n {
        let m = 65536.min(n - done);
        let vs: Vec<Vec<f32>> = (0..m).map(|_| make(&mut rng)).collect();
        let t = Instant::now();
        let sk: Vec<Sketch> = vs.iter().map(|v| q.sketch(v).unwrap()).collect();
        ts += t.elapsed().as_secs_f64();
        let t = Instant::now();
        for (i, s) in sk.iter().enumerate() {
            g1.insert((done + i) as u64, s).unwrap();
        }
        ti += t.elapsed().as_secs_f64();
        for (i, s) in sk.iter().enumerate() {
            g2.insert((done + i) as u64, s).unwrap();
        }
        if peer {
            index.add(&vs.concat()).unwrap();
        }
        done += m;
    }
    println!(
        "sketch {:.2} us, insert {:.2} us each; bytes/template {:.1}",
        ts / n as f64 * 1e6,
        ti / n as f64 * 1e6,
        g1.bytes() as f64 / n as f64
    );
    let t = Instant::now();
    for i in 0..10000 {
        assert!(g1.remove(&((i * 97) as u64)));
    }
    println!("remove {:.2} us", t.elapsed().as_secs_f64() * 1e2);
    let vq: Vec<Vec<f32>> = (0..22).map(|_| make(&mut rng)).collect();
    let probes: Vec<Probe> = vq.iter().map(|v| q.probe(v).unwrap()).collect();
    let t = Instant::now();
    for v in &vq {
        std::hint::black_box(q.probe(v).unwrap());
    }
    println!("probe {:.1} us", t.elapsed().as_secs_f64() * 1e6 / 22.0);
    let thr = if centred { 0.95 } else { 0.45 };
    let at = OperatingPoint::new(thr, 1e-4).unwrap();
    let never = || false;
    let (mut a, mut b, mut c, mut e, mut f, mut h) = (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut cands = 0;
    for r in 0..15 {
        let p = &probes[r];
        let t = Instant::now();
        let x = g1.candidates(p, at, &never).unwrap();
        a.push(t.elapsed().as_secs_f64() * 1e3);
        cands += x.items.len();
        if peer {
            let t = Instant::now();
            index.search(&vq[r], 100).unwrap();
            c.push(t.elapsed().as_secs_f64() * 1e3);
        }
        let t = Instant::now();
        g2.candidates(p, at, &never).unwrap();
        b.push(t.elapsed().as_secs_f64() * 1e3);
        if r % 3 == 0 {
            let t = Instant::now();
            g1.candidates_batch(&probes, at, &never).unwrap();
            e.push(t.elapsed().as_secs_f64() * 1e3 / 22.0);
            let t = Instant::now();
            g2.candidates_batch(&probes, at, &never).unwrap();
            f.push(t.elapsed().as_secs_f64() * 1e3 / 22.0);
            if peer {
                let flat = vq.concat();
                let t = Instant::now();
                index.search(&flat, 100).unwrap();
                h.push(t.elapsed().as_secs_f64() * 1e3 / 22.0);
            }
        }
    }
    println!("candidates/query {}", cands as f64 / 15.0);
    println!("lethe 1 thread  {}", med(a));
    println!("lethe 2 threads {}", med(b));
    println!("lethe batch22 1 thread {}", med(e));
    println!("lethe batch22 2 threads {}", med(f));
    if peer {
        println!("PQFastScan k=100, 1 query {}", med(c));
        println!("PQFastScan batch22 (omp) {}", med(h));
    }
}
