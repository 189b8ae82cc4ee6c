//! Codes one after the other, for reading a few of them.

use super::memory::{Buffer, Plane};

/// Codes of equal length, a multiple of 8 bytes. Grows without leaving copies; wiped on drop.
pub(crate) struct Rows {
    buffer: Buffer,
    /// Bytes of one code.
    width: usize,
    len: usize,
}

impl Rows {
    /// No codes yet, each of `width` bytes.
    pub(crate) fn new(width: usize) -> Self {
        Self { buffer: Buffer::new(), width, len: 0 }
    }

    /// Heap bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.buffer.bytes()
    }

    /// Appends codes.
    pub(crate) fn extend<'c>(&mut self, codes: impl ExactSizeIterator<Item = &'c [u8]>) {
        let first = self.len;
        self.len += codes.len();
        self.buffer.grow((self.len * self.width).div_ceil(size_of::<Plane>()));
        let width = self.width;
        let free = self.all_mut()[first * width..].chunks_exact_mut(width);
        free.zip(codes).for_each(|(to, code)| to.copy_from_slice(code));
    }

    /// The code at a position.
    pub(crate) fn get(&self, position: usize) -> &[u8] {
        assert!(position < self.len);
        &self.all()[position * self.width..][..self.width]
    }

    /// Removes a code: the last one takes its place, and the place of the last is wiped.
    pub(crate) fn swap_remove(&mut self, position: usize) {
        assert!(position < self.len);
        self.len -= 1;
        let (last, width) = (self.len * self.width, self.width);
        let all = self.all_mut();
        all.copy_within(last..last + width, position * width);
        all[last..last + width].fill(0);
    }

    fn all(&self) -> &[u8] {
        let planes = self.buffer.planes();
        // SAFETY: a plane is 64 bytes of integers without padding, and any byte may be read as one.
        unsafe { std::slice::from_raw_parts(planes.as_ptr().cast(), size_of_val(planes)) }
    }

    fn all_mut(&mut self) -> &mut [u8] {
        let planes = self.buffer.planes_mut();
        // SAFETY: as above; and any bytes are a plane.
        unsafe { std::slice::from_raw_parts_mut(planes.as_mut_ptr().cast(), size_of_val(planes)) }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Every byte is what it would be had the removed ones never been there: beyond the last there are zeros.
    #[test]
    fn rows_are_a_vector_and_a_removed_one_leaves_no_residue() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for width in [8, 64, 512] {
            let (mut rows, mut model) = (Rows::new(width), Vec::<Vec<u8>>::new());
            for _ in 0..600 {
                if rng.random_bool(0.55) {
                    let mut more = vec![vec![0; width]; rng.random_range(0..8)];
                    more.iter_mut().for_each(|code| rng.fill_bytes(code));
                    rows.extend(more.iter().map(Vec::as_slice));
                    model.extend(more);
                } else if !model.is_empty() {
                    for _ in 0..rng.random_range(0..model.len().min(8)) {
                        let position = rng.random_range(0..model.len());
                        rows.swap_remove(position);
                        model.swap_remove(position);
                    }
                }
                assert_eq!(rows.len, model.len());
                let used = model.concat();
                assert_eq!(rows.all()[..used.len()], used);
                assert!(rows.all()[used.len()..].iter().all(|byte| *byte == 0));
            }
            assert!(!model.is_empty());
            (0..model.len()).for_each(|at| assert_eq!(rows.get(at), model[at]));
        }
    }

    /// One that is full has just its page, whatever it grew by.
    #[test]
    fn a_full_one_has_a_page() {
        let code = [7; 64];
        let mut rows = Rows::new(64);
        let mut more = 511;
        while rows.len < super::super::PAGE_BYTES / 64 {
            rows.extend(std::iter::repeat_n(&code[..], more));
            more = 512.min(super::super::PAGE_BYTES / 64 - rows.len);
        }
        assert_eq!(rows.bytes(), super::super::PAGE_BYTES);
    }
}
