//! The gRPC face: messages in, calls on use cases, messages out. Generated types stop here.

mod approval;
mod attestation;
mod audit;
mod authentication;
mod automation;
mod backup;
mod batch;
mod breach;
mod call;
mod case;
mod consent;
mod convert;
mod credential;
mod disclosure;
mod edge;
mod enrollment;
mod entries;
mod export;
mod hold;
mod identification;
mod names;
mod notification;
mod page;
mod request;
mod root;
mod status;
mod subject;
mod tenant;
mod transfer;
mod watchlist;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tonic::Status;

pub(crate) use edge::EdgeLayer;
pub(crate) use status::code_name;

use crate::error::Error;
use crate::metrics::Calls;
use crate::vault::Vault;

/// What the adapters share: the vault, once it is open, and the limits.
#[derive(Clone)]
pub(crate) struct Node {
    vault: Arc<OnceCell<Arc<Vault>>>,
    pub(crate) batch_in_flight: usize,
    /// Longest a call may take until it begins to answer, and a stream may be idle.
    pub(crate) deadline: Duration,
    /// Counts calls, where somebody wants to know.
    calls: Option<Calls>,
}

impl Node {
    pub(crate) fn new(batch_in_flight: usize, deadline: Duration, calls: Option<Calls>) -> Self {
        Self { vault: Arc::new(OnceCell::new()), batch_in_flight, deadline, calls }
    }

    /// From here on calls are answered.
    pub(crate) fn serve(&self, vault: Arc<Vault>) {
        drop(self.vault.set(vault));
    }

    pub(crate) fn vault(&self) -> Result<&Arc<Vault>, Status> {
        let loading = || {
            let message = "the vault is loading; no answer is given from part of it".to_owned();
            Error::Unavailable(lethe_domain::Reason::GalleryNotReady, message).into()
        };
        self.vault.get().ok_or_else(loading)
    }
}
