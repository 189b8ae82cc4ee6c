//! How fast this machine reads memory at all: the limit of every scan.

use std::hint::black_box;
use std::time::Instant;

/// A buffer to read. As large as what it is compared with: where that fits into a cache, so does the buffer, and the
/// limit is the cache's.
#[derive(Debug)]
pub struct Memory(Vec<u64>);

impl Memory {
    /// A buffer of `bytes`, every page touched.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self((0..bytes as u64 / 8).collect())
    }

    /// Reads all of it, `times` times over, on `threads` threads; bytes per second.
    #[must_use]
    pub fn read(&self, threads: usize, times: u64) -> f64 {
        let part = self.0.len().div_ceil(threads.max(1)).max(1);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for words in self.0.chunks(part) {
                scope.spawn(move || {
                    for _ in 0..times {
                        black_box(sum(black_box(words)));
                    }
                });
            }
        });
        (self.0.len() * 8) as f64 * times as f64 / start.elapsed().as_secs_f64()
    }
}

/// Independent sums, so that only memory is waited for.
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0_u64; 16];
    let (blocks, rest) = words.as_chunks::<16>();
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().chain(rest).fold(0, |sum, &word| sum.wrapping_add(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_once() {
        let words: Vec<u64> = (0..1003).collect();
        assert_eq!(sum(&words), 1003 * 1002 / 2);
        let rate = Memory::new(1 << 20).read(2, 3);
        assert!(rate > 0.0 && rate.is_finite());
    }
}
