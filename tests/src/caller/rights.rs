//! Subjects and their rights.

use lethe_proto::v1::subject_service_client::SubjectServiceClient;
use lethe_proto::v1::{self, Purpose};
use tonic::{Request, Streaming};

use super::Caller;
use crate::refusal::Answer;
use crate::requests::{now, request_id};

impl Caller {
    /// Reads what is held about a subject.
    ///
    /// # Errors
    /// The refusal.
    pub async fn subject(&self, subject: &str) -> Answer<v1::Subject> {
        let (name, purpose) = (self.subject_name(subject), Purpose::DataSubjectRequest.into());
        self.ask(v1::GetSubjectRequest { name, purpose }).await
    }

    /// Erases a subject and waits for the shredding.
    ///
    /// # Errors
    /// The refusal.
    pub async fn erase(&self, subject: &str) -> Answer<v1::Erasure> {
        self.ask(self.erasure(subject)).await
    }

    /// A valid erasure with a fresh request id.
    #[must_use]
    pub fn erasure(&self, subject: &str) -> v1::EraseSubjectRequest {
        v1::EraseSubjectRequest {
            name: self.subject_name(subject),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: request_id(),
            no_wait: false,
            deferral: None,
            fulfils_request: String::new(),
        }
    }

    /// A consent that is given now, in a manner, by whom, to a purpose; to sharing, with who is told in [`Caller::disclosing`].
    #[must_use]
    pub fn consent(&self, to: Purpose, manner: v1::ConsentManner, giver: v1::ConsentGiver) -> v1::Consent {
        let recipients = if to == Purpose::KycSharing { vec!["county-court".to_owned()] } else { Vec::new() };
        v1::Consent {
            recipients,
            for_purpose: to.into(),
            notice_version: "notice-1".to_owned(),
            notice_sha256: vec![7; 32],
            manner: manner.into(),
            giver: giver.into(),
            give_time: Some(now()),
            ..v1::Consent::default()
        }
    }

    /// Records a consent of a subject.
    ///
    /// # Errors
    /// The refusal.
    pub async fn record(&self, subject: &str, consent: v1::Consent) -> Answer<v1::Consent> {
        self.ask(v1::RecordConsentRequest {
            parent: self.subject_name(subject),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            consent: Some(consent),
        })
        .await
    }

    /// Records a subject's own consent, by a click.
    ///
    /// # Errors
    /// The refusal.
    pub async fn consents_to(&self, subject: &str, to: Purpose) -> Answer<v1::Consent> {
        let consent = self.consent(to, v1::ConsentManner::Electronic, v1::ConsentGiver::Subject);
        self.record(subject, consent).await
    }

    /// A valid withdrawal of a consent, by name, with a fresh request id.
    #[must_use]
    pub fn withdrawal(&self, consent: &str) -> v1::WithdrawConsentRequest {
        v1::WithdrawConsentRequest {
            name: consent.to_owned(),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: request_id(),
            no_wait: false,
        }
    }

    /// Says whose law counts for a subject, and how old it is.
    ///
    /// # Errors
    /// The refusal.
    pub async fn describe(&self, subject: &str, law: v1::Jurisdiction, age: v1::AgeBand) -> Answer<v1::Subject> {
        self.ask(v1::UpdateSubjectRequest {
            subject: Some(v1::Subject {
                name: self.subject_name(subject),
                jurisdiction: law.into(),
                age_band: age.into(),
                ..v1::Subject::default()
            }),
            purpose: Purpose::Administration.into(),
            request_id: String::new(),
            update_mask: None,
        })
        .await
    }

    /// Restricts the processing of a subject's data.
    ///
    /// # Errors
    /// The refusal.
    pub async fn restrict(&self, subject: &str, ground: v1::RestrictionGround) -> Answer<v1::Subject> {
        let (name, purpose) = (self.subject_name(subject), Purpose::DataSubjectRequest.into());
        self.ask(v1::RestrictSubjectRequest { name, purpose, request_id: String::new(), ground: ground.into() }).await
    }

    /// Lifts a restriction.
    ///
    /// # Errors
    /// The refusal.
    pub async fn lift_restriction(&self, subject: &str) -> Answer<v1::Subject> {
        let (name, purpose) = (self.subject_name(subject), Purpose::DataSubjectRequest.into());
        self.ask(v1::LiftRestrictionRequest { name, purpose, request_id: String::new() }).await
    }

    /// Records an objection.
    ///
    /// # Errors
    /// The refusal.
    pub async fn object(&self, subject: &str, to: Purpose) -> Answer<v1::Subject> {
        let (name, purpose) = (self.subject_name(subject), Purpose::DataSubjectRequest.into());
        let for_purpose = to.into();
        self.ask(v1::ObjectSubjectRequest { name, purpose, request_id: String::new(), for_purpose }).await
    }

    /// Ends an objection: with compelling grounds, or, where they are empty, as withdrawn.
    ///
    /// # Errors
    /// The refusal.
    pub async fn lift_objection(&self, subject: &str, to: Purpose, grounds: &str) -> Answer<v1::Subject> {
        self.ask(v1::LiftObjectionRequest {
            name: self.subject_name(subject),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: String::new(),
            for_purpose: to.into(),
            overruling_grounds: grounds.to_owned(),
        })
        .await
    }

    /// Opens the archive of a subject, sealed to a recipient of age.
    ///
    /// # Errors
    /// The refusal of the archive as such.
    pub async fn export(&self, subject: &str, recipient: &str) -> Answer<Streaming<v1::ExportSubjectResponse>> {
        self.export_to(subject, recipient, None).await
    }

    /// The same, for somebody else than the person, where there is a transfer.
    ///
    /// # Errors
    /// The refusal of the archive as such.
    pub async fn export_to(
        &self,
        subject: &str,
        recipient: &str,
        transfer: Option<v1::Transfer>,
    ) -> Answer<Streaming<v1::ExportSubjectResponse>> {
        let request = v1::ExportSubjectRequest {
            name: self.subject_name(subject),
            purpose: Purpose::DataSubjectRequest.into(),
            recipient: recipient.to_owned(),
            receiver: transfer.as_ref().map(|_| "insurer-4".to_owned()).unwrap_or_default(),
            transfer,
        };
        self.export_as(request).await
    }

    /// The same, in the caller's own words.
    ///
    /// # Errors
    /// The refusal of the archive as such.
    pub async fn export_as(&self, request: v1::ExportSubjectRequest) -> Answer<Streaming<v1::ExportSubjectResponse>> {
        let mut client = SubjectServiceClient::new(self.wire.channel());
        Ok(client.export(self.sign(Request::new(request))).await?.into_inner())
    }

    /// A valid request of a data subject who is verified, received now, with a fresh request id.
    #[must_use]
    pub fn opening(&self, kind: v1::RightsRequestKind, subject: Option<&str>) -> v1::OpenRightsRequestRequest {
        v1::OpenRightsRequestRequest {
            parent: self.tenant_name(),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: request_id(),
            request: Some(v1::RightsRequest {
                kind: kind.into(),
                requester: v1::Requester::Subject.into(),
                verification: v1::RequesterVerification::Account.into(),
                ..v1::RightsRequest::default()
            }),
            subject: subject.map(|subject| self.subject_name(subject)).unwrap_or_default(),
        }
    }

    /// Records a request of a data subject.
    ///
    /// # Errors
    /// The refusal.
    pub async fn opens(&self, kind: v1::RightsRequestKind, subject: Option<&str>) -> Answer<v1::RightsRequest> {
        self.ask(self.opening(kind, subject)).await
    }

    /// Answers a request of a data subject.
    ///
    /// # Errors
    /// The refusal.
    pub async fn closes(
        &self,
        request: &str,
        outcome: v1::RightsRequestOutcome,
        reason: v1::RightsRefusalReason,
    ) -> Answer<v1::RightsRequest> {
        let request = v1::CloseRightsRequestRequest {
            name: request.to_owned(),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: String::new(),
            outcome: outcome.into(),
            refusal_reason: reason.into(),
            verification: 0,
        };
        self.ask(request).await
    }

    /// A valid hold on a subject, with a fresh request id.
    #[must_use]
    pub fn holding(&self, subject: &str) -> v1::PlaceHoldRequest {
        let review = prost_types::Timestamp { seconds: now().seconds + 86_400, nanos: 0 };
        v1::PlaceHoldRequest {
            parent: self.subject_name(subject),
            purpose: Purpose::LegalClaims.into(),
            request_id: request_id(),
            hold: Some(v1::Hold {
                case_reference: "case-1".to_owned(),
                review_time: Some(review),
                ..v1::Hold::default()
            }),
        }
    }

    /// Places a hold.
    ///
    /// # Errors
    /// The refusal.
    pub async fn hold(&self, subject: &str) -> Answer<v1::Hold> {
        self.ask(self.holding(subject)).await
    }

    /// Releases a hold, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn release(&self, hold: &str) -> Answer<v1::Hold> {
        let purpose = Purpose::LegalClaims.into();
        self.ask(v1::ReleaseHoldRequest { name: hold.to_owned(), purpose, request_id: String::new() }).await
    }
}
