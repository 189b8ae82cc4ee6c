//! Signs in planes, and the scan over them.
//!
//! Sketches lie in blocks of 512, and within a block by coordinate: all first signs, then all second ones. The scan can so
//! weigh each coordinate as the probe does, whole words at a time ([`kernel`]).
//!
//! Besides the heap's, the only module with unsafe code.
#![allow(unsafe_code)]

mod kernel;
mod memory;
mod rows;

use zeroize::Zeroizing;

use self::kernel::Kernel;
use self::memory::Buffer;
use crate::Query;

pub(crate) use self::kernel::{BLOCK, SETS, STEP_BITS, Steps};
pub(crate) use self::memory::{PAGE_BYTES, grow};
pub(crate) use self::rows::Rows;

/// So few codes are faster written one by one.
const FEW: usize = 4;

/// Signs of codes of equal length. Grows without leaving copies; wiped on drop.
pub(crate) struct Planes {
    buffer: Buffer,
    /// Bytes of one code.
    width: usize,
    len: usize,
}

/// Threshold of one query on the sum of its steps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Sums of at least so much; for codes without radii.
    Constant(u32),
    /// Sums of at least `over / r + times · r + plus`; for codes with radii r.
    Curve { over: f32, times: f32, plus: f32 },
}

impl Planes {
    /// No codes yet, each of `width` bytes.
    pub(crate) fn new(width: usize) -> Self {
        Self { buffer: Buffer::new(), width, len: 0 }
    }

    /// Heap bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.buffer.bytes()
    }

    /// Appends a code.
    pub(crate) fn push(&mut self, code: &[u8]) {
        assert!(code.len() == self.width);
        if self.len.is_multiple_of(BLOCK) {
            self.buffer.grow((self.len / BLOCK + 1) * self.dim());
        }
        self.len += 1;
        // What is not used is zero, so that nothing need be cleared.
        let (planes, word, shift) = self.place_mut(self.len - 1);
        for (plane, sign) in planes.iter_mut().zip(signs(code)) {
            plane.0[word] |= sign << shift;
        }
    }

    /// Appends many codes: as many as share a word of each plane are turned around at once.
    pub(crate) fn extend(&mut self, mut codes: &[&[u8]]) {
        assert!(codes.iter().all(|code| code.len() == self.width));
        while !codes.is_empty() {
            let first = self.len % 64;
            let (together, rest) = codes.split_at(codes.len().min(64 - first));
            codes = rest;
            if together.len() < FEW {
                together.iter().for_each(|code| self.push(code));
                continue;
            }
            if self.len.is_multiple_of(BLOCK) {
                self.buffer.grow((self.len / BLOCK + 1) * self.dim());
            }
            let (planes, word, _) = self.place_mut(self.len);
            let mut square = Zeroizing::new([0; 64]);
            for (number, planes) in planes.as_chunks_mut::<64>().0.iter_mut().enumerate() {
                square.fill(0);
                for (row, code) in square[first..].iter_mut().zip(together) {
                    *row = u64::from_le_bytes(code.as_chunks().0[number]);
                }
                transpose(&mut square);
                for (plane, row) in planes.iter_mut().zip(square.iter()) {
                    plane.0[word] |= row;
                }
            }
            self.len += together.len();
        }
    }

    /// The code at a position.
    pub(crate) fn read(&self, position: usize) -> Zeroizing<Vec<u8>> {
        let mut code = Zeroizing::new(vec![0; self.width]);
        self.read_into(position, &mut code);
        code
    }

    fn read_into(&self, position: usize, code: &mut [u8]) {
        assert!(position < self.len);
        let block = position / BLOCK * self.dim();
        let (word, shift) = (position % BLOCK / 64, position % 64);
        let planes = &self.buffer.planes()[block..block + self.dim()];
        for (byte, planes) in code.iter_mut().zip(planes.as_chunks::<8>().0) {
            *byte = (0..8).fold(0, |byte, i| byte | ((planes[i].0[word] >> shift & 1) as u8) << i);
        }
    }

    /// Removes a code: the last one takes its place, and the place of the last is wiped.
    pub(crate) fn swap_remove(&mut self, position: usize) {
        assert!(position < self.len);
        let last = self.len - 1;
        if position != last {
            let code = self.read(last);
            let (planes, word, shift) = self.place_mut(position);
            for (plane, sign) in planes.iter_mut().zip(signs(&code)) {
                plane.0[word] = plane.0[word] & !(1 << shift) | sign << shift;
            }
        }
        let (planes, word, shift) = self.place_mut(last);
        planes.iter_mut().for_each(|plane| plane.0[word] &= !(1 << shift));
        self.len -= 1;
    }

    /// The planes of a code's block, and where in them it is.
    fn place_mut(&mut self, position: usize) -> (&mut [memory::Plane], usize, usize) {
        let (dim, block) = (self.dim(), position / BLOCK * self.dim());
        (&mut self.buffer.planes_mut()[block..block + dim], position % BLOCK / 64, position % 64)
    }

    fn dim(&self) -> usize {
        self.width * 8
    }

    /// Compares the codes of every block that is wanted with the queries and calls `each(query, position, code)` for those that reach
    /// the query's coarse cut. `radii`, if the cuts are curves, has an entry for each code.
    pub(crate) fn scan(
        &self,
        queries: &[Query],
        radii: Option<&[f32]>,
        wanted: impl Fn(usize) -> bool,
        mut each: impl FnMut(usize, usize, &[u8]),
    ) {
        assert!(queries.iter().all(|query| query.probe().dim() == self.dim()));
        assert!(radii.is_none_or(|radii| radii.len() >= self.len));
        let kernel = Kernel::fastest();
        let steps: Vec<_> = queries.iter().map(|query| query.probe().steps().of_dim(self.dim())).collect();
        let mut code = Zeroizing::new(vec![0; self.width]);
        let mut sums = Zeroizing::new(match radii {
            Some(_) => vec![0; BLOCK],
            None => Vec::new(),
        });
        let planes = self.buffer.planes();
        // A block stays in a core's own caches while all queries pass over it.
        let blocks = planes.chunks_exact(self.dim()).zip((0..self.len).step_by(BLOCK));
        for (block, start) in blocks.filter(|(_, start)| wanted(start / BLOCK)) {
            let ahead = block.as_ptr().wrapping_add(self.dim());
            let used = (self.len - start).min(BLOCK);
            for (number, (query, steps)) in queries.iter().zip(&steps).enumerate() {
                let kept = match (query.coarse(), radii, sums.first_chunk_mut()) {
                    (Cut::Constant(least), _, _) => kernel.at_least(block, *steps, least, ahead),
                    (Cut::Curve { over, times, plus }, Some(radii), Some(sums)) => {
                        kernel.sums(block, *steps, sums, ahead);
                        let mut kept = [0; BLOCK / 64];
                        for (i, (&sum, r)) in sums.iter().zip(&radii[start..start + used]).enumerate() {
                            let reached = sum as f32 >= over / r + times * r + plus;
                            kept[i / 64] |= u64::from(reached) << (i % 64);
                        }
                        kept
                    }
                    (Cut::Curve { .. }, _, _) => unreachable!("a curve is of radii"),
                };
                for (word, mut kept) in kept.into_iter().enumerate() {
                    while kept != 0 {
                        let place = 64 * word + kept.trailing_zeros() as usize;
                        kept &= kept - 1;
                        // What is beyond the last is padding, whatever its sum is.
                        if place < used {
                            self.read_into(start + place, &mut code);
                            each(number, start + place, &code);
                        }
                    }
                }
            }
        }
    }
}

/// Turns a square of bits around: bit i of row j becomes bit j of row i.
fn transpose(square: &mut [u64; 64]) {
    let (mut step, mut mask) = (32, u64::MAX >> 32);
    while step != 0 {
        for row in (0..64).filter(|row| row & step == 0) {
            let exchanged = (square[row] >> step ^ square[row + step]) & mask;
            square[row] ^= exchanged << step;
            square[row + step] ^= exchanged;
        }
        step /= 2;
        mask ^= mask << step;
    }
}

/// The signs of a code, in order.
fn signs(code: &[u8]) -> impl Iterator<Item = u64> {
    code.iter().flat_map(|byte| (0..8).map(move |i| u64::from(byte >> i & 1)))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn random_codes(rng: &mut ChaCha8Rng, count: usize, width: usize) -> Vec<Vec<u8>> {
        (0..count)
            .map(|_| {
                let mut code = vec![0; width];
                rng.fill_bytes(&mut code);
                code
            })
            .collect()
    }

    fn pushed(codes: &[Vec<u8>], width: usize) -> Planes {
        let mut planes = Planes::new(width);
        codes.iter().for_each(|code| planes.push(code));
        planes
    }

    #[test]
    fn a_sign_lies_in_its_plane_at_its_codes_place() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for width in [8, 64, 512] {
            let codes = random_codes(&mut rng, 600, width);
            let planes = pushed(&codes, width);
            for (number, code) in codes.iter().enumerate() {
                assert_eq!(&*planes.read(number), code);
                for coordinate in 0..8 * width {
                    let plane = planes.buffer.planes()[number / 512 * 8 * width + coordinate];
                    let sign = plane.0[number % 512 / 64] >> (number % 64) & 1;
                    assert_eq!(sign, u64::from(code[coordinate / 8] >> (coordinate % 8) & 1));
                }
            }
        }
    }

    #[test]
    fn many_at_once_lie_as_one_by_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for width in [8, 64] {
            let codes = random_codes(&mut rng, 1500, width);
            let mut planes = Planes::new(width);
            let mut rest = codes.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rng.random_range(0..=rest.len().min(200)));
                planes.extend(&now.iter().map(Vec::as_slice).collect::<Vec<_>>());
                rest = later;
                let expected = pushed(&codes[..codes.len() - rest.len()], width);
                let used = expected.buffer.planes().len().min(planes.buffer.planes().len());
                assert_eq!(planes.buffer.planes()[..used], expected.buffer.planes()[..used]);
                assert_eq!(planes.len, expected.len);
            }
        }
    }

    /// Not only are the remaining codes right: every bit of the buffer is what it would be had the
    /// removed ones never been there, up to blocks that are no longer in use, which are zero.
    #[test]
    fn a_removed_code_leaves_no_residue() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for width in [8, 64] {
            let mut model = random_codes(&mut rng, 1033, width);
            let mut planes = pushed(&model, width);
            while !model.is_empty() {
                let position = rng.random_range(0..model.len());
                model.swap_remove(position);
                planes.swap_remove(position);
                if model.len().is_multiple_of(37) {
                    let expected = pushed(&model, width);
                    let (used, all) = (expected.buffer.planes(), planes.buffer.planes());
                    assert_eq!(all[..used.len()], *used, "{} left", model.len());
                    assert!(all[used.len()..].iter().all(|plane| *plane == memory::Plane::default()));
                }
            }
            // And the room is used again.
            let again = random_codes(&mut rng, 133, width);
            again.iter().for_each(|code| planes.push(code));
            let expected = pushed(&again, width);
            assert_eq!(planes.buffer.planes()[..8 * width], expected.buffer.planes()[..8 * width]);
        }
    }
}
