//! The archive of a subject on its way to whoever asked for it.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use age::x25519::Recipient;
use futures::{Stream, StreamExt as _, future, stream};
use lethe_domain::{Purpose, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::call::Admitted;
use super::status::too_long;
use crate::access::Session;
use crate::error::{Error, Result};
use crate::export::Pipe;
use crate::subject::export::{Broken, Export};
use crate::vault::{Aim, Vault};

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
        let pipe = Pipe::new(&self.vault, sender.clone(), self.idle);
        let run = move || {
            // The credential may be revoked, or expire, while the reader takes its time.
            let may_go_on = || {
                let principal = self.vault.still(&self.principal)?;
                let aim = Aim::Tenant(&self.tenant);
                runtime.block_on(self.vault.admit::<op::ExportSubject>(&principal, aim, self.purpose)).map(drop)
            };
            let refused = match export.write(&recipient, pipe, may_go_on) {
                Ok(()) => None,
                Err(Broken::Vault(error)) => Some(error.into()),
                Err(Broken::Reader(fault)) if fault.kind() == ErrorKind::TimedOut => {
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
        let pieces = ReceiverStream::new(receiver).map(|piece| match piece {
            Ok(chunk) => Ok(v1::ExportSubjectResponse { chunk }),
            Err(fault) => Err(fault.into()),
        });
        Ok(Box::pin(pieces.chain(failure)))
    }
}
