use std::sync::Arc;

use lethe_domain::{Disclosure, Ground, Invalid, Label, Reason, SubjectId, TenantId, Told};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::disclosure_service_server::DisclosureService;
use tonic::{Request, Response, Status, async_trait};

use super::approval::to_proposal;
use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::transfer::{to_transfer, transfer};
use super::{Node, names};
use crate::disclosure::{self, Wish};
use crate::error::Result;

#[async_trait]
impl DisclosureService for Node {
    async fn propose(&self, request: Request<v1::ProposeDisclosureRequest>) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::ProposeDisclosure>(&principal, &tenant, message.purpose).await?;
        let wish = wish(&tenant, &subject, message.disclosure)?;
        let request = convert::required_request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            disclosure::propose(&vault, call.witness, &subject, wish, request).await
        })
        .await?;
        Ok(Response::new(to_proposal(Some(&tenant), &facts)))
    }

    async fn list(
        &self,
        request: Request<v1::ListDisclosuresRequest>,
    ) -> Result<Response<v1::ListDisclosuresResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::ListDisclosures>(&principal, &tenant, message.purpose).await?;
        let made = disclosure::list(self.vault()?, call.witness, &subject).await?;
        let disclosures = made.iter().map(|made| to_disclosure(&tenant, &subject, made)).collect();
        Ok(Response::new(v1::ListDisclosuresResponse { disclosures }))
    }
}

fn wish(tenant: &TenantId, subject: &SubjectId, message: Option<v1::Disclosure>) -> Result<Wish> {
    let missing = || Invalid::new("disclosure", Reason::FieldMissing, "is missing");
    let message = message.ok_or_else(missing)?;
    let recipient = Label::parse("disclosure.recipient", &message.recipient)?;
    let ground = match message.ground {
        None => None,
        Some(v1::disclosure::Ground::Consent(name)) => {
            const FIELD: &str = "disclosure.consent";
            let (of, whose, consent) = names::consent(FIELD, &name)?;
            if (&of, &whose) != (tenant, subject) {
                let message = "is a consent of somebody else than the disclosure is about";
                return Err(Invalid::new(FIELD, Reason::FieldOutOfRange, message).into());
            }
            Some(Ground::Consent(consent))
        }
        Some(v1::disclosure::Ground::LegalOrderReference(order)) => {
            Some(Ground::Order(Label::parse("disclosure.legal_order_reference", &order)?))
        }
    };
    let code = |number: &i32| u8::try_from(*number).ok().and_then(Told::from_number);
    let refuse = || Invalid::new("disclosure.scope", Reason::FieldOutOfRange, "has a number that is no code");
    let codes = message.scope.iter().map(code).collect::<Option<Vec<_>>>().ok_or_else(refuse)?;
    let scope = Disclosure::scope("disclosure.scope", codes)?;
    Ok(Wish { recipient, ground, scope, transfer: transfer("disclosure.transfer", message.transfer)? })
}

pub(super) fn to_disclosure(tenant: &TenantId, subject: &SubjectId, disclosure: &Disclosure) -> v1::Disclosure {
    let person = convert::subject_name(tenant, subject);
    let ground = match &disclosure.ground {
        Ground::Consent(consent) => Some(v1::disclosure::Ground::Consent(format!("{person}/consents/{consent}"))),
        Ground::Order(order) => Some(v1::disclosure::Ground::LegalOrderReference(order.to_string())),
        Ground::Request => None,
    };
    v1::Disclosure {
        name: format!("{person}/disclosures/{}", disclosure.id),
        recipient: disclosure.recipient.to_string(),
        ground,
        scope: disclosure.scope.iter().map(|told| told.number().into()).collect(),
        propose_time: Some(to_timestamp(disclosure.proposed_at)),
        record_time: disclosure.recorded_at.map(to_timestamp),
        transfer: Some(to_transfer(&disclosure.transfer)),
    }
}
