use zeroize::Zeroizing;

use crate::planes::{BLOCK, Planes, Rows, grow};
use crate::{Quantizer, Query, Sketch};

/// A part of a gallery that is locked, scanned and filled as one. Positions are dense: 0 … len − 1.
pub(super) struct Segment<K> {
    codes: Planes,
    /// Of two bits a coordinate, the magnitudes: one template's after the other's, as only a few are read in a search.
    magnitudes: Option<Rows>,
    /// |o − c| of each template, with a centre; zero beyond the last, up to the end of its block.
    radii: Option<Zeroizing<Vec<f32>>>,
    keys: Vec<K>,
    /// For each block a key that none of its templates' is below.
    lowest: Vec<K>,
}

impl<K: Copy + Ord> Segment<K> {
    /// An empty segment of this quantizer's sketches.
    pub(super) fn new(quantizer: &Quantizer) -> Self {
        let radii = quantizer.has_centre().then(Zeroizing::default);
        let magnitudes = quantizer.has_magnitudes().then(|| Rows::new(quantizer.dim() / 8));
        Self { codes: Planes::new(quantizer.dim() / 8), magnitudes, radii, keys: Vec::new(), lowest: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn key(&self, position: usize) -> K {
        self.keys[position]
    }

    /// The template's sketch, unpacked again. `quantizer` is the one that made it.
    pub(super) fn sketch(&self, position: usize, quantizer: &Quantizer) -> Sketch {
        let signs = self.codes.read(position);
        match self.magnitudes(position) {
            Some(magnitudes) => Sketch::of_two_bits(signs, Zeroizing::new(magnitudes.to_vec())),
            None => Sketch::new(signs, quantizer.offset(self.radius(position))),
        }
    }

    /// Heap bytes held.
    pub(super) fn bytes(&self) -> usize {
        let radii = self.radii.as_ref().map_or(0, |radii| radii.capacity() * size_of::<f32>());
        let magnitudes = self.magnitudes.as_ref().map_or(0, Rows::bytes);
        self.codes.bytes() + magnitudes + radii + (self.keys.capacity() + self.lowest.capacity()) * size_of::<K>()
    }

    /// Appends templates, each with its radius.
    pub(super) fn extend(&mut self, templates: &[(K, &Sketch)], radii: &[f32]) {
        let codes: Vec<&[u8]> = templates.iter().map(|(_, sketch)| sketch.bits()).collect();
        self.codes.extend(&codes);
        let first = self.keys.len();
        if let Some(kept) = &mut self.magnitudes {
            kept.extend(templates.iter().map(|(_, sketch)| sketch.magnitudes().unwrap_or_default()));
        }
        if let Some(kept) = &mut self.radii {
            grow(kept, (first + templates.len()).next_multiple_of(BLOCK));
            kept[first..].iter_mut().zip(radii).for_each(|(to, radius)| *to = *radius);
        }
        for &(key, _) in templates {
            if self.keys.len().is_multiple_of(BLOCK) {
                self.lowest.push(key);
            }
            self.lower(self.keys.len(), key);
            self.keys.push(key);
        }
    }

    /// Removes a template without a trace; the last one takes its place. Gives the moved one's key.
    pub(super) fn swap_remove(&mut self, position: usize) -> Option<K> {
        let last = self.keys.len() - 1;
        self.codes.swap_remove(position);
        if let Some(magnitudes) = &mut self.magnitudes {
            magnitudes.swap_remove(position);
        }
        if let Some(radii) = &mut self.radii {
            radii[position] = radii[last];
            radii[last] = 0.0;
        }
        self.keys.swap_remove(position);
        self.lowest.truncate(last.div_ceil(BLOCK));
        let moved = self.keys.get(position).copied();
        moved.into_iter().for_each(|key| self.lower(position, key));
        moved
    }

    /// Notes the key that comes to a position.
    fn lower(&mut self, position: usize, key: K) {
        let lowest = &mut self.lowest[position / BLOCK];
        *lowest = key.min(*lowest);
    }

    /// Calls `each(query, key, radius, sum)` for every template that reaches a query's coarse cut.
    ///
    /// With a key, only of blocks that may have one below it.
    pub(super) fn scan(&self, queries: &[Query], below: Option<K>, mut each: impl FnMut(usize, K, f32, f32)) {
        let radii = self.radii.as_ref().map(|radii| radii.as_slice());
        let wanted = |block: usize| below.is_none_or(|key| self.lowest[block] < key);
        self.codes.scan(queries, radii, wanted, |query, position, signs| {
            let sum = queries[query].probe().sum(signs, self.magnitudes(position));
            each(query, self.keys[position], self.radius(position), sum);
        });
    }

    fn magnitudes(&self, position: usize) -> Option<&[u8]> {
        self.magnitudes.as_ref().map(|magnitudes| magnitudes.get(position))
    }

    fn radius(&self, position: usize) -> f32 {
        self.radii.as_ref().map_or(1.0, |radii| radii[position])
    }
}
