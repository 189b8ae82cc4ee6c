//! Sketches as a gallery holds them: packed 32 to a block, so that no two bytes of one lie beside each other
//! (`docs/FORMAT.md`, "Sketch"). Written from FAISS's description of the layout, not from the vault's code.

use std::collections::BTreeSet;

use crate::residue::Trace;

/// Bytes of a sketch that make a match: 128 bits are nothing that chance does.
const RUN: usize = 16;
/// Bytes from a block's byte of one pair of sub-quantizers to that of the next.
const STRIDE: usize = 32;
/// Where the odd sub-quantizer of a pair lies from the even one.
const ODD: usize = 16;

/// Sketches to look for.
#[derive(Default)]
pub struct Sketches {
    runs: Vec<Run>,
}

/// Some bytes of a sketch.
struct Run {
    secret: String,
    nibbles: [(u8, u8); RUN],
}

impl Sketches {
    /// No sketch yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sketch's signs; any 32 bytes of them in a row are found.
    pub fn add(&mut self, name: &str, signs: &[u8]) -> &mut Self {
        for run in signs.chunks_exact(RUN) {
            let nibbles = std::array::from_fn(|i| (run[i] & 15, run[i] >> 4));
            self.runs.push(Run { secret: name.to_owned(), nibbles });
        }
        assert!(self.runs.len() <= 64, "one bit a run");
        self
    }

    /// What is found in memory that begins at an address.
    pub(super) fn search(&self, place: &str, memory: &[u8], address: u64) -> BTreeSet<Trace> {
        let mut found = BTreeSet::new();
        let length = (RUN - 1) * STRIDE + ODD + 1;
        // By nibble and place: which runs have it there.
        let mut even = [[0_u64; 16]; RUN];
        let mut odd = [[0_u64; 16]; RUN];
        for (bit, run) in self.runs.iter().enumerate() {
            for (i, (low, high)) in run.nibbles.iter().enumerate() {
                even[i][usize::from(*low)] |= 1 << bit;
                odd[i][usize::from(*high)] |= 1 << bit;
            }
        }
        for at in 0..memory.len().saturating_sub(length - 1) {
            // A register's first half has the even ones.
            if (address + at as u64) % STRIDE as u64 >= ODD as u64 {
                continue;
            }
            for shift in [0, 4] {
                let mut left = u64::MAX;
                for i in 0..RUN {
                    let nibble = |offset: usize| usize::from(memory[at + i * STRIDE + offset] >> shift & 15);
                    left &= even[i][nibble(0)] & odd[i][nibble(ODD)];
                    if left == 0 {
                        break;
                    }
                }
                for (bit, run) in self.runs.iter().enumerate() {
                    if left & (1 << bit) != 0 {
                        let (place, secret) = (place.to_owned(), run.secret.clone());
                        found.insert(Trace { place, secret, form: "sketch in a gallery" });
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Packs as `pq4_pack_codes` of FAISS does: the codes of lanes 0, 8, 1, 9 … 7, 15 in the low nibbles of 16 bytes, those
    /// of 16, 24, 17, 25 … 23, 31 in the high ones.
    fn pack(codes: &[Vec<u8>]) -> Vec<u8> {
        let order: Vec<usize> = (0..8).flat_map(|i| [i, i + 8]).collect();
        let code = |lane: usize, pair: usize, odd: bool| {
            let byte = codes.get(lane).map_or(0, |code| code[pair]);
            if odd { byte >> 4 } else { byte & 15 }
        };
        let mut packed = Vec::new();
        for pair in 0..codes[0].len() {
            for odd in [false, true] {
                packed.extend(order.iter().map(|lane| code(*lane, pair, odd) | code(lane + 16, pair, odd) << 4));
            }
        }
        packed
    }

    #[test]
    fn a_packed_sketch_is_found_in_every_lane_and_no_other_is() {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let codes: Vec<Vec<u8>> = (0..33)
            .map(|_| {
                let mut code = vec![0; 64];
                random.fill_bytes(&mut code);
                code
            })
            .collect();
        let packed = pack(&codes[..32]);
        for (lane, code) in codes.iter().enumerate() {
            let mut sketches = Sketches::new();
            sketches.add("sketch", code);
            let found = sketches.search("memory", &packed, 4096);
            assert_eq!(found.len(), usize::from(lane < 32), "lane {lane}");
            // Half of it is enough.
            let found = sketches.search("memory", &packed[packed.len() / 2..], 4096);
            assert_eq!(found.len(), usize::from(lane < 32), "half of lane {lane}");
        }
        let mut noise = vec![0; 4 << 20];
        random.fill_bytes(&mut noise);
        let mut sketches = Sketches::new();
        for code in &codes[..16] {
            sketches.add("sketch", code);
        }
        assert!(sketches.search("noise", &noise, 0).is_empty());
        assert!(sketches.search("zeros", &vec![0; 1 << 20], 0).is_empty());
    }
}
