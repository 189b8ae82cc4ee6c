use std::sync::Arc;

use lethe_domain::{Invalid, NotificationOutcome, Occasion, Reason, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::notification_service_server::NotificationService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::{Node, names, page};
use crate::error::Result;
use crate::notification::{self, Filed};

#[async_trait]
impl NotificationService for Node {
    async fn get(&self, request: Request<v1::GetNotificationRequest>) -> Result<Response<v1::Notification>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::notification("name", &message.name)?;
        let call = self.admit::<op::GetNotification>(&principal, &tenant, message.purpose).await?;
        let found = notification::get(self.vault()?, call.witness, id).await?;
        Ok(Response::new(to_notification(&tenant, &found)))
    }

    async fn list(
        &self,
        request: Request<v1::ListNotificationsRequest>,
    ) -> Result<Response<v1::ListNotificationsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListNotifications>(&principal, &tenant, message.purpose).await?;
        // A place in one list is none in another.
        let pages = self.pages(&call, &format!("{tenant}/{}", message.pending))?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let page = notification::list(self.vault()?, call.witness, message.pending, from, size).await?;
        Ok(Response::new(v1::ListNotificationsResponse {
            notifications: page.notifications.iter().map(|filed| to_notification(&tenant, filed)).collect(),
            next_page_token: pages.token(page.next),
        }))
    }

    async fn close(
        &self,
        request: Request<v1::CloseNotificationRequest>,
    ) -> Result<Response<v1::Notification>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::notification("name", &message.name)?;
        let call = self.admit::<op::CloseNotification>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let outcome = outcome(message.outcome)?;
        let vault = Arc::clone(self.vault()?);
        let closed = to_the_end(async move {
            let call = call;
            notification::close(&vault, call.witness, id, outcome).await
        })
        .await?;
        Ok(Response::new(to_notification(&tenant, &closed)))
    }
}

fn outcome(number: i32) -> Result<NotificationOutcome> {
    if number == 0 {
        return Err(Invalid::new("outcome", Reason::FieldMissing, "is missing").into());
    }
    let refuse = || Invalid::new("outcome", Reason::FieldOutOfRange, "is none of the values that there are");
    Ok(u8::try_from(number).ok().and_then(NotificationOutcome::from_number).ok_or_else(refuse)?)
}

fn to_notification(tenant: &TenantId, (id, notification): &Filed) -> v1::Notification {
    let occasion = match notification.occasion {
        Occasion::Rectified => v1::NotificationOccasion::Rectified,
        Occasion::Restricted => v1::NotificationOccasion::Restricted,
        Occasion::ErasedInPart => v1::NotificationOccasion::ErasedInPart,
        Occasion::Corrected => v1::NotificationOccasion::Corrected,
        Occasion::Erased => v1::NotificationOccasion::Erased,
    };
    v1::Notification {
        name: format!("tenants/{tenant}/notifications/{id}"),
        recipient: notification.recipient.as_str().to_owned(),
        occasion: occasion.into(),
        disclosures: notification.disclosures.iter().map(ToString::to_string).collect(),
        arise_time: Some(to_timestamp(notification.arisen_at)),
        outcome: notification.closed.map_or(0, |(outcome, _)| outcome.number().into()),
        close_time: notification.closed.map(|(_, at)| to_timestamp(at)),
    }
}
