//! A stream of bytes that is written on a thread of its own, as fast as its reader takes it.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use age::x25519::Recipient;
use futures::{Stream, StreamExt as _, future, stream};
use lethe_domain::{Purpose, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::call::Admitted;
use super::status::too_long;
use crate::access::Session;
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::subject::export::{Broken, Export};
use crate::vault::{Aim, Vault};

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// How often it is looked whether a reader who takes nothing need still be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The pieces of an archive.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<v1::ExportSubjectResponse, Status>> + Send>>;

/// Whom an archive goes to.
pub(super) struct Reader {
    pub(super) vault: Arc<Vault>,
    pub(super) principal: Session,
    pub(super) tenant: TenantId,
    pub(super) purpose: Option<Purpose>,
    /// Longest that the reader may take nothing.
    pub(super) idle: Duration,
    /// It holds one of its tenant's places as long as it lasts.
    pub(super) call: Admitted<op::ExportSubject>,
}

impl Reader {
    /// Has an archive written, sealed to `recipient`.
    pub(super) fn send(self, export: Export, recipient: Recipient) -> Result<Pieces> {
        let (sender, receiver) = mpsc::channel(1);
        // Beside the pieces: a reader who takes none of them is told all the same, behind the last one.
        let (failed, failure) = oneshot::channel();
        let runtime = Handle::current();
        let run = move || {
            let mut pipe = Pipe {
                vault: Arc::clone(&self.vault),
                sender: sender.clone(),
                runtime: runtime.clone(),
                idle: self.idle,
                piece: Vec::with_capacity(PIECE),
                is_idle: false,
            };
            // The credential may be revoked, or expire, while the reader takes its time.
            let may_go_on = || {
                let principal = self.vault.still(&self.principal)?;
                let aim = Aim::Tenant(&self.tenant);
                runtime.block_on(self.vault.admit::<op::ExportSubject>(&principal, aim, self.purpose)).map(drop)
            };
            let refused = match export.write(&recipient, &mut pipe, may_go_on) {
                Ok(()) => None,
                Err(Broken::Vault(error)) => Some(error.into()),
                Err(Broken::Reader(_)) if pipe.is_idle => {
                    Some(too_long("no piece of the archive was taken for as long as a call may take"))
                }
                // There is nobody to be told.
                Err(Broken::Reader(_)) if sender.is_closed() => None,
                Err(Broken::Reader(_) | Broken::Seal) => Some(Error::TaskLost.into()),
            };
            if let Some(status) = refused {
                // Who does not listen any more need not hear it.
                drop(failed.send(status));
            }
            drop(self.call);
        };
        // Not one of the runtime's threads, which others wait for.
        std::thread::Builder::new().name("lethe-export".to_owned()).spawn(run).map_err(|_| Error::TaskLost)?;
        let failure = stream::once(failure).filter_map(|failure| future::ready(failure.ok().map(Err)));
        Ok(Box::pin(ReceiverStream::new(receiver).map(Ok).chain(failure)))
    }
}

/// What is written goes to the reader in pieces. It is sealed by then.
struct Pipe {
    vault: Arc<Vault>,
    sender: mpsc::Sender<v1::ExportSubjectResponse>,
    runtime: Handle,
    idle: Duration,
    piece: Vec<u8>,
    /// The reader took nothing for too long.
    is_idle: bool,
}

impl Pipe {
    fn send(&mut self) -> io::Result<()> {
        let until = Instant::now() + self.idle;
        let place = loop {
            match self.runtime.block_on(async { timeout(LOOK_EVERY, self.sender.reserve()).await }) {
                Ok(place) => break place.map_err(|_gone| io::ErrorKind::BrokenPipe)?,
                Err(_) if self.vault.silos.is_closing() => return Err(io::Error::other(StoreError::Closed)),
                Err(_) if Instant::now() > until => {
                    self.is_idle = true;
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(_) => {}
            }
        };
        let chunk = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        place.send(v1::ExportSubjectResponse { chunk });
        Ok(())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..now]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(now)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.send() }
    }
}
