//! Where random bytes come from: `getrandom(2)` through ring, for everything the product does.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Result};

/// A source of random bytes. Crate-private, so that nothing outside can put a predictable one in
/// place of [`System`]; only the fixtures of the format do, to make bytes that can be compared.
pub(crate) trait Random: Send + Sync {
    /// Fills `out`, or fails; never fills a part of it.
    fn fill(&self, out: &mut [u8]) -> Result<()>;

    /// An array of random bytes that are no secret: nonces, salts, identifiers.
    fn public<const N: usize>(&self) -> Result<[u8; N]>
    where
        Self: Sized,
    {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }
}

/// The operating system's generator.
pub(crate) struct System;

impl Random for System {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        SystemRandom::new().fill(out).map_err(|_| Error::Random)
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod dangerous {
    //! A predictable generator for golden fixtures and fuzz targets: SHA-256 in counter mode over a fixed name.

    use std::sync::atomic::{AtomicU64, Ordering};

    use sha2::{Digest as _, Sha256};

    use super::Random;
    use crate::error::Result;

    pub(crate) struct Counting {
        name: &'static str,
        counter: AtomicU64,
    }

    impl Counting {
        pub(crate) fn new(name: &'static str) -> Self {
            Self { name, counter: AtomicU64::new(0) }
        }
    }

    impl Random for Counting {
        fn fill(&self, out: &mut [u8]) -> Result<()> {
            for chunk in out.chunks_mut(32) {
                let counter = self.counter.fetch_add(1, Ordering::Relaxed);
                let block = Sha256::new().chain_update(self.name).chain_update(counter.to_be_bytes()).finalize();
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
            Ok(())
        }
    }
}
