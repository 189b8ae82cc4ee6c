//! A stream of bytes that is written on a thread of its own, as fast as whoever reads it takes it.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use crate::error::Result;
use crate::store::StoreError;
use crate::vault::Vault;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// How often it is looked whether a reader who takes nothing need still be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Gives what is written to it to a reader, in pieces, from a thread that may wait; and digests it. What is written must be
/// sealed already.
///
/// Writing fails with `BrokenPipe` where the reader is gone, with `TimedOut` where it took nothing for too long, and as the
/// vault closes.
pub(crate) struct Pipe {
    vault: Arc<Vault>,
    sender: Sender<Result<Vec<u8>>>,
    runtime: Handle,
    /// Longest that the reader may take nothing.
    patience: Duration,
    piece: Vec<u8>,
    digest: Sha256,
}

impl Pipe {
    /// A pipe to a reader. To be called in the runtime.
    pub(crate) fn new(vault: &Arc<Vault>, sender: Sender<Result<Vec<u8>>>, patience: Duration) -> Self {
        let (vault, runtime) = (Arc::clone(vault), Handle::current());
        Self { vault, sender, runtime, patience, piece: Vec::with_capacity(PIECE), digest: Sha256::new() }
    }

    /// Sends what is left, and gives the SHA-256 of all that was written.
    pub(crate) fn finish(mut self) -> io::Result<[u8; 32]> {
        self.flush()?;
        Ok(self.digest.finalize().into())
    }

    fn send(&mut self) -> io::Result<()> {
        let until = Instant::now() + self.patience;
        let place = loop {
            match self.runtime.block_on(async { timeout(LOOK_EVERY, self.sender.reserve()).await }) {
                Ok(place) => {
                    break place.map_err(|_gone| {
                        io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes the archive any more")
                    })?;
                }
                Err(_) if self.vault.silos.is_closing() => return Err(io::Error::other(StoreError::Closed)),
                Err(_) if Instant::now() > until => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the archive is not taken"));
                }
                Err(_) => {}
            }
        };
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.digest.update(&piece);
        place.send(Ok(piece));
        Ok(())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.send() }
    }
}
