//! A stream of enrolments: items side by side, each answered for itself.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use lethe_domain::{Invalid, Reason, SubjectId, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use tonic_types::StatusExt;

use super::call::Admitted;
use super::status::too_long;
use super::{Node, convert, edge, enrollment};
use crate::access::Session;
use crate::enrollment::Enrolment;
use crate::error::{Error, Result};
use crate::vault::Aim;

/// The longest name a client may give an item, in bytes.
const LONGEST_ITEM_ID: usize = 64;

/// The answers of a stream.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<v1::BatchEnrollResponse, Status>> + Send>>;

/// What the items of a stream share.
pub(super) struct Batch {
    pub(super) node: Node,
    pub(super) principal: Session,
    pub(super) tenant: TenantId,
    /// What the first item said; the others must say the same.
    pub(super) parent: String,
    pub(super) purpose: i32,
    /// The stream holds one of its tenant's places as long as it lasts.
    pub(super) _place: Admitted<op::Enroll>,
}

impl Batch {
    /// Enrolls the items and gives their answers, until the stream ends, fails, or is idle for longer than a call may
    /// take: its place is then somebody else's.
    pub(super) fn run(self, first: v1::BatchEnrollRequest, items: Streaming<v1::BatchEnrollRequest>) -> Answers {
        let (sender, receiver) = mpsc::channel(self.node.batch_in_flight);
        let (failed, failure) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(status) = Arc::new(self).enroll_all(first, items, &sender).await {
                // Who does not listen any more need not hear it.
                drop(failed.send(status));
            }
        });
        let failure = stream::once(failure).filter_map(|failure| future::ready(failure.ok().map(Err)));
        Box::pin(ReceiverStream::new(receiver).map(Ok).chain(failure))
    }

    async fn enroll_all(
        self: Arc<Self>,
        first: v1::BatchEnrollRequest,
        items: Streaming<v1::BatchEnrollRequest>,
        answers: &mpsc::Sender<v1::BatchEnrollResponse>,
    ) -> Result<(), Status> {
        let idle = self.node.deadline;
        let arriving = stream::try_unfold(items, |mut items| async move {
            let Ok(item) = timeout(idle, items.message()).await else {
                return Err(too_long("no item came for as long as a call may take (limits.deadline_ms)"));
            };
            let item = item.map_err(|status| translated(&status))?;
            Ok(item.map(|item| (item, items)))
        });
        let results = stream::iter([Ok(first)])
            .chain(arriving)
            .map_ok(|item| {
                let batch = Arc::clone(&self);
                // A task of its own, so that the items of a stream use all cores.
                let task = tokio::spawn(async move { batch.enroll(item).await });
                async move { task.await.map_err(|_| Status::from(Error::TaskLost)) }
            })
            .try_buffer_unordered(self.node.batch_in_flight);
        tokio::pin!(results);
        while let Some(answer) = results.try_next().await? {
            match timeout(idle, answers.send(answer)).await {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => break,
                Err(_) => return Err(too_long("no answer was taken for as long as a call may take")),
            }
        }
        Ok(())
    }

    async fn enroll(&self, item: v1::BatchEnrollRequest) -> v1::BatchEnrollResponse {
        let item_id = item.item_id.clone();
        let result = match self.try_enroll(item).await {
            Ok(enrolled) => v1::batch_enroll_response::Result::Enrolled(enrolled),
            Err(status) => v1::batch_enroll_response::Result::Error(to_item_error(&status)),
        };
        v1::BatchEnrollResponse { item_id, result: Some(result) }
    }

    async fn try_enroll(&self, item: v1::BatchEnrollRequest) -> Result<v1::EnrollResponse, Status> {
        if item.item_id.len() > LONGEST_ITEM_ID {
            let message = format!("is longer than {LONGEST_ITEM_ID} bytes");
            return Err(Error::from(Invalid::new("item_id", Reason::FieldOutOfRange, message)).into());
        }
        same("parent", item.parent == self.parent)?;
        same("purpose", item.purpose == self.purpose)?;
        let enrolment = Enrolment {
            subject: SubjectId::parse(&item.subject_id).map_err(Error::from)?,
            capture: convert::capture("template", item.template)?,
            request: convert::request_id(&item.request_id)?,
        };
        // Each item passes the gate: a credential may be revoked, or expire, while a stream lasts.
        let vault = self.node.vault()?;
        let principal = vault.still(&self.principal)?;
        let purpose = convert::purpose(self.purpose);
        let witness = vault.admit::<op::Enroll>(&principal, Aim::Tenant(&self.tenant), purpose).await?;
        Ok(enrollment::enroll(vault, &witness, &self.tenant, enrolment).await?)
    }
}

fn same(field: &str, same: bool) -> Result<()> {
    let refusal = || Invalid::new(field, Reason::FieldOutOfRange, "must be the same in all items of a stream");
    if same { Ok(()) } else { Err(refusal().into()) }
}

/// A failure of the stream's own, in words that callers know.
pub(super) fn translated(status: &Status) -> Status {
    edge::translate(status).unwrap_or_else(|| status.clone())
}

fn to_item_error(status: &Status) -> v1::ItemError {
    let info = status.get_error_details().error_info().cloned();
    let reason = info.as_ref().and_then(|info| v1::ErrorReason::from_code(&info.reason));
    v1::ItemError {
        code: status.code().into(),
        message: status.message().to_owned(),
        reason: reason.unwrap_or_default().into(),
        metadata: info.map(|info| info.metadata).unwrap_or_default().into_iter().collect(),
    }
}
