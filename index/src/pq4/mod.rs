//! FAISS's packed 4-bit codes, and its SIMD scan over them: the safe face of the C++ shim.
//!
//! Codes lie in blocks of 32 as `IndexPQFastScan` stores them, and `pq4_accumulate_loop_qbs`, the loop
//! under that index, scans them. What the index lacks and the shim adds: tables and centroids from
//! outside (nothing is trained), every code that reaches a threshold instead of the best k, and
//! removal in place.
//!
//! The only module with unsafe code. All memory that C++ reads or writes is owned here.
#![allow(unsafe_code)]

mod ffi;
#[cfg(test)]
mod heap;
mod memory;

// Brings the native libraries into the link; nothing is called through these crates.
use faiss as _;
use faiss_sys as _;
use zeroize::Zeroizing;

use self::ffi::{Message, Scan, outcome};
use self::memory::{Buffer, Lane};
use crate::{Error, MAX_DIM, Probe};

pub(crate) use self::ffi::{Cut, Hit};
pub(crate) use self::memory::{PAGE_BYTES, grow};

/// Bytes of the longest code.
const MAX_WIDTH: usize = MAX_DIM / 8;

/// Coordinates a sub-quantizer covers.
pub(crate) const SUB_DIM: usize = 4;

/// Sign patterns of so many coordinates.
pub(crate) const PATTERNS: usize = 1 << SUB_DIM;

/// Codes in a block.
pub(crate) const BLOCK: usize = 32;

/// Probes that one pass compares: the most for which FAISS names a block size.
pub(crate) const MAX_PROBES: usize = 11;

/// Codes compared in one call, which bounds the room for hits.
const CHUNK: usize = 64 * BLOCK;

/// Packed codes of equal length. Grows without leaving copies; wiped on drop.
pub(crate) struct Codes {
    buffer: Buffer,
    /// Bytes of one code.
    width: usize,
    len: usize,
}

impl Codes {
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
        if self.len.is_multiple_of(BLOCK) {
            // A block is as many lanes as a code has bytes: 32 codes, 32 bytes a lane.
            self.buffer.grow((self.len / BLOCK + 1) * self.width);
        }
        self.len += 1;
        self.write(self.len - 1, code);
    }

    /// The code at a position.
    pub(crate) fn read(&self, position: usize) -> Zeroizing<Vec<u8>> {
        assert!(position < self.len);
        let mut code = Zeroizing::new(vec![0u8; self.width]);
        // SAFETY: `position` is within the codes held, so its block lies within the buffer; the function
        // writes `width` = nsq / 2 bytes, the length of `code`.
        unsafe {
            ffi::lethe_pq4_read(self.buffer.lanes().as_ptr().cast(), position, self.nsq(), code.as_mut_ptr());
        }
        code
    }

    /// Removes a code: the last one takes its place, and the place of the last is wiped.
    pub(crate) fn swap_remove(&mut self, position: usize) {
        assert!(position < self.len);
        let last = self.len - 1;
        if position != last {
            let code = self.read(last);
            self.write(position, &code);
        }
        self.write(last, &[0; MAX_WIDTH][..self.width]);
        self.len = last;
    }

    fn write(&mut self, position: usize, code: &[u8]) {
        assert!(position < self.len && code.len() == self.width);
        // SAFETY: as in `read`; the function changes the nibbles of this code only, and reads
        // `width` bytes of `code`.
        unsafe {
            ffi::lethe_pq4_write(self.buffer.lanes_mut().as_mut_ptr().cast(), position, self.nsq(), code.as_ptr());
        }
    }

    fn nsq(&self) -> u32 {
        // Two sub-quantizers a byte; a code has at most 512 bytes.
        (self.width * 2) as u32
    }

    /// Compares every code with the probes and calls `each(probe, hit)` for those that reach the probe's
    /// cut. `radii`, if the cuts are curves, has an entry for each code up to the end of the last block.
    pub(crate) fn scan(
        &self,
        probes: &Probes<'_>,
        radii: Option<&[f32]>,
        mut each: impl FnMut(usize, Hit),
    ) -> Result<(), Error> {
        let queries = probes.cuts.len();
        assert!(probes.width == self.width);
        assert!(radii.is_none_or(|radii| radii.len() >= self.len.next_multiple_of(BLOCK)));
        let capacity = CHUNK.min(self.len);
        let mut hits = vec![Hit::default(); queries * capacity];
        let mut found = [0usize; MAX_PROBES];
        let mut exact = [std::ptr::null(); MAX_PROBES];
        exact.iter_mut().zip(&probes.exact).for_each(|(to, table)| *to = table.as_ptr());
        for start in (0..self.len).step_by(CHUNK) {
            let count = CHUNK.min(self.len - start);
            let mut message: Message = [0; 256];
            let scan = Scan {
                codes: self.buffer.lanes()[start / BLOCK * self.width..].as_ptr().cast(),
                blocks: count.div_ceil(BLOCK),
                count,
                nsq: self.nsq(),
                radii: radii.map_or(std::ptr::null(), |radii| radii[start..].as_ptr()),
                queries: queries as u32,
                tables: probes.tables.as_ptr().cast(),
                exact: exact.as_ptr(),
                cuts: probes.cuts.as_ptr(),
                hits: hits.as_mut_ptr(),
                capacity,
                found: found.as_mut_ptr(),
            };
            // SAFETY: `start` is a multiple of 32, so `codes` points at the start of a block, 32-byte
            // aligned as lanes are, with `blocks` whole blocks in the buffer; `radii` was checked to cover
            // them. `Probes` holds tables, cuts and live borrows of exact tables for `queries` ≤ 11
            // probes of this width. A query keeps each of `count` ≤ `capacity` codes at most once,
            // and `found` has room for 11.
            let status = unsafe { ffi::lethe_pq4_scan(&scan, message.as_mut_ptr(), message.len()) };
            outcome(status, &message)?;
            for (query, &found) in found[..queries].iter().enumerate() {
                for hit in &hits[query * capacity..][..found] {
                    each(query, Hit { position: hit.position + start as u32, sum: hit.sum });
                }
            }
        }
        Ok(())
    }
}

/// Up to [`MAX_PROBES`] probes laid out for one pass.
pub(crate) struct Probes<'a> {
    tables: Zeroizing<Vec<Lane>>,
    exact: Vec<&'a [f32]>,
    cuts: Vec<Cut>,
    width: usize,
}

impl<'a> Probes<'a> {
    /// Lays out 1 to 11 probes of the same dimension, each with its cut.
    pub(crate) fn new(probes: &'a [Probe], cuts: Vec<Cut>) -> Result<Self, Error> {
        assert!((1..=MAX_PROBES).contains(&probes.len()) && cuts.len() == probes.len());
        let table = probes[0].quantised().len();
        assert!(probes.iter().all(|p| p.quantised().len() == table && p.exact().len() == table));
        let nsq = table / PATTERNS;

        let mut flat = Zeroizing::new(Vec::with_capacity(probes.len() * table));
        probes.iter().for_each(|probe| flat.extend_from_slice(probe.quantised()));
        let mut tables = Zeroizing::new(vec![Lane::default(); flat.len() / size_of::<Lane>()]);
        let mut message: Message = [0; 256];
        // SAFETY: source and destination both have `probes.len()` × nsq × 16 bytes; the number of
        // sub-quantizers is even, as dimensions are multiples of 64.
        let status = unsafe {
            ffi::lethe_pq4_pack_tables(
                probes.len() as u32,
                nsq as u32,
                flat.as_ptr(),
                tables.as_mut_ptr().cast(),
                message.as_mut_ptr(),
                message.len(),
            )
        };
        outcome(status, &message)?;
        let exact = probes.iter().map(Probe::exact).collect();
        Ok(Self { tables, exact, cuts, width: nsq / 2 })
    }
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

    fn packed(codes: &[Vec<u8>], width: usize) -> Codes {
        let mut packed = Codes::new(width);
        codes.iter().for_each(|code| packed.push(code));
        packed
    }

    fn words(codes: &Codes) -> Vec<[u64; 4]> {
        codes.buffer.lanes().iter().map(|lane| lane.0).collect()
    }

    #[test]
    fn codes_lie_where_faiss_puts_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for width in [8, 16, 64, 512] {
            for count in [1, 15, 16, 31, 32, 33, 64, 100] {
                let codes = random_codes(&mut rng, count, width);
                let ours = packed(&codes, width);

                let mut theirs = vec![Lane([u64::MAX; 4]); count.div_ceil(BLOCK) * width];
                let flat = codes.concat();
                let mut message: Message = [0; 256];
                // SAFETY: `flat` has `count` codes of nsq / 2 bytes, `theirs` the blocks for them.
                let status = unsafe {
                    ffi::lethe_pq4_pack_reference(
                        flat.as_ptr(),
                        count,
                        width as u32 * 2,
                        theirs.as_mut_ptr().cast(),
                        message.as_mut_ptr(),
                        message.len(),
                    )
                };
                outcome(status, &message).unwrap();
                assert_eq!(words(&ours), theirs.iter().map(|lane| lane.0).collect::<Vec<_>>());
                for (i, code) in codes.iter().enumerate() {
                    assert_eq!(&*ours.read(i), code, "{i} of {count}");
                }
            }
        }
    }

    /// Not only are the remaining codes right: every byte of the buffer is what it would be had the
    /// removed ones never been there, up to blocks that are no longer in use, which are zero.
    #[test]
    fn a_removed_code_leaves_no_residue() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for width in [8, 64] {
            let mut model = random_codes(&mut rng, 133, width);
            let mut codes = packed(&model, width);
            while !model.is_empty() {
                let position = rng.random_range(0..model.len());
                model.swap_remove(position);
                codes.swap_remove(position);
                let mut expected = words(&packed(&model, width));
                expected.resize(codes.buffer.lanes().len(), [0; 4]);
                assert_eq!(words(&codes), expected, "{} left", model.len());
            }
            // And the room is used again.
            let again = random_codes(&mut rng, 133, width);
            again.iter().for_each(|code| codes.push(code));
            assert_eq!(words(&codes), words(&packed(&again, width)));
        }
    }

    #[test]
    fn what_cpp_throws_arrives_as_an_error() {
        let (source, mut target) = ([0u8; 16], [0u8; 16]);
        let mut message: Message = [0; 256];
        // SAFETY: the call is refused for its first argument before it touches memory.
        let status = unsafe {
            ffi::lethe_pq4_pack_tables(
                MAX_PROBES as u32 + 1,
                2,
                source.as_ptr(),
                target.as_mut_ptr(),
                message.as_mut_ptr(),
                message.len(),
            )
        };
        let error = outcome(status, &message).unwrap_err();
        assert!(matches!(&error, Error::Native { message } if message.contains("queries")), "{error}");
    }
}
