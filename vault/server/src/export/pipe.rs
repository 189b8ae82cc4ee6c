use std::io::{self, Write};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;

use crate::error::Result;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// Gives what is written to it to a caller, in pieces, from a thread that may wait; and digests it. What is written must be
/// sealed already.
pub(crate) struct Pipe {
    sender: Sender<Result<Vec<u8>>>,
    runtime: Handle,
    /// How long a caller may leave a piece.
    patience: Duration,
    piece: Vec<u8>,
    digest: Sha256,
}

impl Pipe {
    /// A pipe to who receives. To be called in the runtime.
    pub(crate) fn new(sender: Sender<Result<Vec<u8>>>, patience: Duration) -> Self {
        let (piece, digest) = (Vec::with_capacity(PIECE), Sha256::new());
        Self { sender, runtime: Handle::current(), patience, piece, digest }
    }

    /// Sends what is left, and gives the SHA-256 of all that was written.
    pub(super) fn finish(mut self) -> io::Result<[u8; 32]> {
        self.send()?;
        Ok(self.digest.finalize().into())
    }

    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.digest.update(&piece);
        let sent = self.runtime.block_on(tokio::time::timeout(self.patience, self.sender.send(Ok(piece))));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes the archive any more")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the archive is not taken")),
        }
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
        Ok(())
    }
}
