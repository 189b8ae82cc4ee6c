//! Sketches as a gallery holds them: in planes, so that no two signs of one lie in the same cache line
//! (`docs/FORMAT.md`, "Sketch"). Written from that, not from the vault's code.

use std::collections::BTreeSet;

use crate::residue::Trace;

/// Signs of a sketch that make a match: 128 are nothing that chance does.
const RUN: usize = 128;
/// Bytes from a sign's plane to that of the next.
const PLANE: usize = 64;

/// Sketches to look for.
#[derive(Default)]
pub struct Sketches {
    runs: Vec<Run>,
}

/// Some signs of a sketch.
struct Run {
    secret: String,
    signs: [bool; RUN],
}

impl Sketches {
    /// No sketch yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sketch's signs, as its encoding has them; any 255 of them in a row are found.
    pub fn add(&mut self, name: &str, signs: &[u8]) -> &mut Self {
        assert!(signs.len() >= RUN / 8, "too few signs to be told from chance");
        for run in signs.chunks_exact(RUN / 8) {
            let signs = std::array::from_fn(|i| run[i / 8] >> (i % 8) & 1 == 1);
            self.runs.push(Run { secret: name.to_owned(), signs });
        }
        self
    }

    /// What is found in memory that begins at an address.
    pub(super) fn search(&self, place: &str, memory: &[u8], address: u64) -> BTreeSet<Trace> {
        let mut found = BTreeSet::new();
        let before = address.wrapping_neg() % PLANE as u64;
        let (planes, _) = memory.get(before as usize..).unwrap_or_default().as_chunks::<PLANE>();
        let words =
            |plane: &[u8; PLANE]| plane.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>();
        let planes: Vec<[u64; 8]> = planes.iter().map(|plane| words(plane).try_into().unwrap()).collect();
        for planes in planes.windows(RUN) {
            for run in self.runs.iter().filter(|run| run.is_at(planes)) {
                let (place, secret) = (place.to_owned(), run.secret.clone());
                found.insert(Trace { place, secret, form: "sketch in a gallery" });
            }
        }
        found
    }
}

impl Run {
    /// Whether any of the 512 columns of these planes has the signs.
    fn is_at(&self, planes: &[[u64; 8]]) -> bool {
        let mut left = [u64::MAX; 8];
        for (planes, signs) in planes.as_chunks::<8>().0.iter().zip(self.signs.as_chunks::<8>().0) {
            for (plane, sign) in planes.iter().zip(signs) {
                let other = if *sign { 0 } else { u64::MAX };
                left.iter_mut().zip(plane).for_each(|(left, word)| *left &= word ^ other);
            }
            if left == [0; 8] {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// A block: the first signs of all codes, then the second ones.
    fn pack(codes: &[Vec<u8>]) -> Vec<u8> {
        let sign = |code: &Vec<u8>, i: usize| code[i / 8] >> (i % 8) & 1;
        let mut packed = vec![0; codes[0].len() * 8 * PLANE];
        for (i, plane) in packed.chunks_exact_mut(PLANE).enumerate() {
            codes.iter().enumerate().for_each(|(number, code)| plane[number / 8] |= sign(code, i) << (number % 8));
        }
        packed
    }

    #[test]
    fn a_sketch_is_found_wherever_in_a_block_it_is_and_no_other_is() {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let codes: Vec<Vec<u8>> = (0..513)
            .map(|_| {
                let mut code = vec![0; 64];
                random.fill_bytes(&mut code);
                code
            })
            .collect();
        let packed = pack(&codes[..512]);
        for (number, code) in codes.iter().enumerate().filter(|(number, _)| number % 37 == 0 || *number > 500) {
            let mut sketches = Sketches::new();
            sketches.add("sketch", code);
            let found = sketches.search("memory", &packed, 4096);
            assert_eq!(found.len(), usize::from(number < 512), "code {number}");
            // Half of it is enough, wherever what was read begins.
            let found = sketches.search("memory", &packed[packed.len() / 2 - 24..], 4096 - 24);
            assert_eq!(found.len(), usize::from(number < 512), "half of code {number}");
        }
        let mut noise = vec![0; 1 << 20];
        random.fill_bytes(&mut noise);
        let mut sketches = Sketches::new();
        for code in &codes[..16] {
            sketches.add("sketch", code);
        }
        assert!(sketches.search("noise", &noise, 0).is_empty());
        assert!(sketches.search("zeros", &vec![0; 1 << 20], 0).is_empty());
    }
}
