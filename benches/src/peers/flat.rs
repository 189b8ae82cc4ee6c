//! FAISS, asked the same question.

use std::collections::BTreeSet;

use faiss::index::flat::FlatIndexImpl;
use faiss::index::{IndexImpl, autotune::ParameterSpace};
use faiss::{Index, MetricType, index_factory};
use rayon::prelude::*;

use crate::Error;

/// Which FAISS index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `IndexFlatIP`, exact, with its own threading (which for a single query is one thread).
    Flat,
    /// The same, split into as many parts as there are threads, which are searched at once (as `IndexShards` does).
    FlatSharded,
    /// `IndexHNSWFlat`, M = 32, efConstruction 128, efSearch as [`Faiss::tune`] finds it: approximate, and cannot
    /// delete.
    Hnsw,
}

impl Kind {
    /// The peer's name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "faiss_flat",
            Self::FlatSharded => "faiss_flat_sharded",
            Self::Hnsw => "faiss_hnsw",
        }
    }
}

/// The efSearch that tuning begins with, and the last one it tries.
const NARROWEST: u32 = 16;
const WIDEST: u32 = 4096;

/// A FAISS index over vectors numbered from 0.
#[derive(Debug)]
pub struct Faiss {
    dimension: usize,
    parts: Vec<(u64, Part)>,
}

#[derive(Debug)]
enum Part {
    Flat(FlatIndexImpl),
    Hnsw(IndexImpl),
}

impl Faiss {
    /// Indexes `count` vectors, given in batches, row-major.
    ///
    /// # Errors
    /// [`Error::Faiss`]; [`Error::Invalid`] if another number of vectors came.
    pub fn build(
        kind: Kind,
        dimension: usize,
        count: u64,
        threads: usize,
        batches: impl Iterator<Item = Vec<f32>>,
    ) -> Result<Self, Error> {
        let parts = if kind == Kind::FlatSharded { threads.max(1) as u64 } else { 1 };
        let each = count.div_ceil(parts).max(1);
        let width = u32::try_from(dimension).map_err(|_| Error::invalid("a dimension of 2^32 and more"))?;
        let mut built = Self { dimension, parts: Vec::new() };
        let mut number = 0;
        for batch in batches {
            let mut rest = batch.as_slice();
            while !rest.is_empty() {
                if number % each == 0 {
                    built.parts.push((number, Part::new(kind, width)?));
                }
                let room = (each - number % each) as usize * dimension;
                let (now, later) = rest.split_at(room.min(rest.len()));
                if let Some((_, part)) = built.parts.last_mut() {
                    part.add(now)?;
                }
                number += (now.len() / dimension) as u64;
                rest = later;
            }
        }
        if number != count {
            return Err(Error::invalid(format!("{number} vectors came, {count} were announced")));
        }
        Ok(built)
    }

    /// Gives an approximate index the least effort with which it finds all that it should: `wanted` are the vectors
    /// that each of `probes` must find among its `k` nearest. Without it, a peer would be fast by missing some.
    ///
    /// # Errors
    /// [`Error::Faiss`].
    pub fn tune(&mut self, probes: &[Vec<f32>], wanted: &[BTreeSet<u64>], k: usize) -> Result<(), Error> {
        let mut effort = NARROWEST;
        while effort < WIDEST && self.misses_any(probes, wanted, k)? {
            effort *= 2;
            for (_, part) in &self.parts {
                if let Part::Hnsw(index) = part {
                    ParameterSpace::new()?.set_index_parameter(index, "efSearch", f64::from(effort))?;
                }
            }
        }
        Ok(())
    }

    fn misses_any(&mut self, probes: &[Vec<f32>], wanted: &[BTreeSet<u64>], k: usize) -> Result<bool, Error> {
        for (probe, wanted) in probes.iter().zip(wanted) {
            let found: BTreeSet<u64> = self.search(probe, k)?.into_iter().map(|(number, _)| number).collect();
            if !wanted.is_subset(&found) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same as [`search`](Self::search) for many probes at once, row-major.
    ///
    /// # Errors
    /// [`Error::Faiss`]; [`Error::Invalid`] for an index in several parts.
    pub fn nearest(&mut self, probes: &[f32], k: usize) -> Result<Vec<Vec<(u64, f32)>>, Error> {
        let [(first, part)] = self.parts.as_mut_slice() else {
            return Err(Error::invalid("many probes are asked of an index in one part"));
        };
        Ok(part.search(*first, probes, k)?.chunks(k).map(<[_]>::to_vec).collect())
    }

    /// The numbers and inner products of the `k` nearest to `probe`, best first.
    ///
    /// # Errors
    /// [`Error::Faiss`].
    pub fn search(&mut self, probe: &[f32], k: usize) -> Result<Vec<(u64, f32)>, Error> {
        debug_assert_eq!(probe.len(), self.dimension);
        if let [(first, part)] = self.parts.as_mut_slice() {
            return part.search(*first, probe, k);
        }
        let found: Result<Vec<Vec<(u64, f32)>>, Error> =
            self.parts.par_iter_mut().map(|(first, part)| part.search(*first, probe, k)).collect();
        let mut found = found?.concat();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(k);
        Ok(found)
    }
}

impl Part {
    fn new(kind: Kind, dimension: u32) -> Result<Self, Error> {
        Ok(match kind {
            Kind::Flat | Kind::FlatSharded => Self::Flat(FlatIndexImpl::new_ip(dimension)?),
            Kind::Hnsw => {
                let index = index_factory(dimension, "HNSW32,Flat", MetricType::InnerProduct)?;
                let space = ParameterSpace::new()?;
                space.set_index_parameter(&index, "efConstruction", 128.0)?;
                space.set_index_parameter(&index, "efSearch", f64::from(NARROWEST))?;
                Self::Hnsw(index)
            }
        })
    }

    fn add(&mut self, vectors: &[f32]) -> Result<(), Error> {
        match self {
            Self::Flat(index) => index.add(vectors)?,
            Self::Hnsw(index) => index.add(vectors)?,
        }
        Ok(())
    }

    fn search(&mut self, first: u64, probe: &[f32], k: usize) -> Result<Vec<(u64, f32)>, Error> {
        let found = match self {
            Self::Flat(index) => Index::search(index, probe, k)?,
            Self::Hnsw(index) => Index::search(index, probe, k)?,
        };
        let named = found.labels.iter().zip(found.distances);
        Ok(named.filter_map(|(label, score)| Some((first + label.get()?, score))).collect())
    }
}

#[cfg(test)]
mod tests {
    use lethe_dataset::{Model, Population};

    use super::*;

    #[test]
    fn exact_kinds_find_what_a_plain_scan_finds() {
        let population = Population::new(Model::unfitted_128(), 3);
        let mut all = vec![0.0; 501 * 128];
        population.fill(0, 0, &mut all);
        let batches = || population.batches(0..501, 0, 97).map(|(_, batch)| batch);
        let probe = population.person(77).capture(1);
        let mut plain: Vec<(u64, f32)> =
            all.chunks_exact(128).map(|row| lethe_index::cosine(row, &probe)).zip(0..).map(|(s, i)| (i, s)).collect();
        plain.sort_by(|a, b| b.1.total_cmp(&a.1));
        for kind in [Kind::Flat, Kind::FlatSharded] {
            let mut index = Faiss::build(kind, 128, 501, 2, batches()).unwrap();
            let found = index.search(&probe, 10).unwrap();
            let numbers = |list: &[(u64, f32)]| list.iter().map(|(number, _)| *number).collect::<Vec<_>>();
            assert_eq!(numbers(&found), numbers(&plain[..10]), "{kind:?}");
            assert!(found.iter().zip(&plain).all(|(a, b)| (a.1 - b.1).abs() < 1e-5));
        }
        let mut flat = Faiss::build(Kind::Flat, 128, 501, 1, batches()).unwrap();
        let both = [population.person(78).capture(1), probe].concat();
        let found = flat.nearest(&both, 10).unwrap();
        assert_eq!((found.len(), found[1][0].0), (2, plain[0].0));
        assert!(Faiss::build(Kind::Flat, 128, 502, 1, batches()).is_err());
    }

    #[test]
    fn hnsw_finds_the_mate() {
        let population = Population::new(Model::unfitted_128(), 3);
        let batches = population.batches(0..501, 0, 501).map(|(_, batch)| batch);
        let mut index = Faiss::build(Kind::Hnsw, 128, 501, 2, batches).unwrap();
        let found = index.search(&population.person(77).capture(0), 5).unwrap();
        assert_eq!(found.first().map(|(number, _)| *number), Some(77));
        // Flat search says what it should find.
        let probes: Vec<Vec<f32>> = (0..20).map(|number| population.person(number).capture(1)).collect();
        let batches = population.batches(0..501, 0, 501).map(|(_, batch)| batch);
        let mut flat = Faiss::build(Kind::Flat, 128, 501, 1, batches).unwrap();
        let best = |probe: &Vec<f32>| flat.search(probe, 20).unwrap().into_iter().map(|(number, _)| number).collect();
        let wanted: Vec<BTreeSet<u64>> = probes.iter().map(best).collect();
        index.tune(&probes, &wanted, 20).unwrap();
        assert!(!index.misses_any(&probes, &wanted, 20).unwrap());
    }
}
