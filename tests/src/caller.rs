use std::future::poll_fn;
use std::sync::Arc;

use futures::{Stream, TryStreamExt};
use http::HeaderValue;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt as _, Full};
use lethe_proto::v1::audit_service_client::AuditServiceClient;
use lethe_proto::v1::enrollment_service_client::EnrollmentServiceClient;
use lethe_proto::v1::identification_service_client::IdentificationServiceClient;
use lethe_proto::v1::subject_service_client::SubjectServiceClient;
use lethe_proto::v1::tenant_service_client::TenantServiceClient;
use lethe_proto::v1::{self, Purpose};
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::call::Call;
use crate::raw::Bytes;
use crate::refusal::{Answer, Refusal};
use crate::requests::{basis, capture, guarded, model, now, request_id};
use crate::tenant::Tenant;
use crate::wire::Wire;

/// Largest answer taken.
const LARGEST: usize = 64 << 20;

/// Somebody who calls the vault, on behalf of a tenant, with one API key or none.
#[derive(Debug, Clone)]
pub struct Caller {
    wire: Arc<Wire>,
    key: Option<String>,
    tenant: String,
    dimension: usize,
}

impl Caller {
    pub(crate) fn new(wire: Arc<Wire>, key: Option<String>, tenant: &str, dimension: usize) -> Self {
        Self { wire, key, tenant: tenant.to_owned(), dimension }
    }

    /// The same caller with another API key, or none.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// The same caller, calling on another tenant.
    #[must_use]
    pub fn on(&self, tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), ..self.clone() }
    }

    /// The same caller, over a connection of its own.
    #[must_use]
    pub fn over(&self, channel: Channel) -> Self {
        Self { wire: Arc::new(Wire::of(channel)), ..self.clone() }
    }

    /// The API key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    // ── any call ────────────────────────────────────────────────────────────────────────────────────

    /// Sends a request and gives what is answered.
    ///
    /// # Errors
    /// The refusal.
    pub async fn ask<C: Call>(&self, request: C) -> Answer<C::Response> {
        let mut grpc = self.grpc().await?;
        let path = PathAndQuery::from_static(C::PATH);
        let codec = ProstCodec::<C, C::Response>::default();
        Ok(grpc.unary(self.sign(Request::new(request)), path, codec).await?.into_inner())
    }

    /// Sends bytes to a method, such as `/lethe.v1.SubjectService/Get`, and gives the bytes of all it
    /// answers: one message to a plain method, any number to a streaming one.
    ///
    /// # Errors
    /// The refusal.
    pub async fn ask_raw(&self, path: &str, message: Vec<u8>) -> Answer<Vec<Vec<u8>>> {
        self.ask_raw_all(path, vec![message]).await
    }

    /// Sends so many messages of bytes, whatever they are, and gives the bytes of all answers.
    ///
    /// # Errors
    /// The refusal, also of a stream that began well.
    pub async fn ask_raw_all(&self, path: &str, messages: Vec<Vec<u8>>) -> Answer<Vec<Vec<u8>>> {
        self.ask_raw_stream(path, tokio_stream::iter(messages)).await
    }

    /// Sends messages of bytes as they come, also if they never do, and gives the bytes of all answers.
    ///
    /// # Errors
    /// The refusal, also of a stream that began well.
    pub async fn ask_raw_stream(
        &self,
        path: &str,
        messages: impl Stream<Item = Vec<u8>> + Send + 'static,
    ) -> Answer<Vec<Vec<u8>>> {
        let mut grpc = self.grpc().await?;
        let request = self.sign(Request::new(messages));
        let answers = grpc.streaming(request, path.parse().unwrap(), Bytes).await?;
        Ok(answers.into_inner().try_collect().await?)
    }

    /// Sends the bytes of a call's body as they are, frames and all, and gives the bytes of the answer's body.
    ///
    /// # Errors
    /// The refusal, whether it came before the body or behind it.
    pub async fn ask_unframed(&self, path: &str, body: Vec<u8>) -> Answer<Vec<u8>> {
        let mut channel = self.wire.channel();
        let uri = http::Uri::builder().scheme("http").authority("localhost").path_and_query(path).build().unwrap();
        let (metadata, _, ()) = self.sign(Request::new(())).into_parts();
        let mut request = http::Request::post(uri).body(Body::new(Full::from(body))).unwrap();
        *request.headers_mut() = metadata.into_headers();
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        let unavailable = |failure: tonic::transport::Error| tonic::Status::unavailable(failure.to_string());
        poll_fn(|context| GrpcService::poll_ready(&mut channel, context)).await.map_err(unavailable)?;
        let response = GrpcService::call(&mut channel, request).await.map_err(unavailable)?;
        let before = Status::from_header_map(response.headers());
        let answer = response.into_body().collect().await?;
        let behind = answer.trailers().and_then(Status::from_header_map);
        match before.or(behind) {
            Some(status) if status.code() != Code::Ok => Err(status.into()),
            Some(_) => Ok(answer.to_bytes().to_vec()),
            None => panic!("{path}: an answer without a status"),
        }
    }

    /// Opens a stream of enrolments.
    ///
    /// # Errors
    /// The refusal of the stream as such.
    pub async fn batch(
        &self,
        items: impl Stream<Item = v1::BatchEnrollRequest> + Send + 'static,
    ) -> Answer<Streaming<v1::BatchEnrollResponse>> {
        let mut client = EnrollmentServiceClient::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        Ok(client.batch_enroll(self.sign(Request::new(items))).await?.into_inner())
    }

    async fn grpc(&self) -> Answer<Grpc<Channel>> {
        let mut grpc = Grpc::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        let ready = grpc.ready().await;
        ready.map_err(|failure| Refusal::from(tonic::Status::unavailable(failure.to_string())))?;
        Ok(grpc)
    }

    fn sign<T>(&self, mut request: Request<T>) -> Request<T> {
        if let Some(key) = &self.key {
            // Whatever the test wants to send; a header value cannot hold everything.
            let value = format!("Bearer {key}").parse().expect("an API key of visible characters");
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    // ── enrolment ───────────────────────────────────────────────────────────────────────────────────

    /// Enrolls a face.
    ///
    /// # Errors
    /// The refusal.
    pub async fn enroll(&self, subject: &str, face: &[f32]) -> Answer<v1::EnrollResponse> {
        self.ask(self.enrolment(subject, face)).await
    }

    /// Enrolls a face for a purpose.
    ///
    /// # Errors
    /// The refusal.
    pub async fn enroll_for(&self, purpose: Purpose, subject: &str, face: &[f32]) -> Answer<v1::EnrollResponse> {
        self.ask(v1::EnrollRequest { purpose: purpose.into(), ..self.enrolment(subject, face) }).await
    }

    /// A valid enrolment with a fresh request id.
    #[must_use]
    pub fn enrolment(&self, subject: &str, face: &[f32]) -> v1::EnrollRequest {
        v1::EnrollRequest {
            parent: self.tenant_name(),
            purpose: Purpose::DuplicateDetection.into(),
            request_id: request_id(),
            subject_id: subject.to_owned(),
            template: Some(capture(face)),
        }
    }

    /// A valid item of a batch; its `item_id` is the subject's id.
    #[must_use]
    pub fn item(&self, subject: &str, face: &[f32]) -> v1::BatchEnrollRequest {
        v1::BatchEnrollRequest {
            parent: self.tenant_name(),
            purpose: Purpose::DuplicateDetection.into(),
            request_id: request_id(),
            subject_id: subject.to_owned(),
            template: Some(capture(face)),
            item_id: subject.to_owned(),
        }
    }

    /// Sends a whole batch and gives all answers, in the order they came.
    ///
    /// # Errors
    /// The refusal of the stream as such.
    pub async fn enroll_all(&self, items: Vec<v1::BatchEnrollRequest>) -> Answer<Vec<v1::BatchEnrollResponse>> {
        Ok(self.batch(tokio_stream::iter(items)).await?.try_collect().await?)
    }

    /// Replaces a template, by name, and waits for the old one's shredding.
    ///
    /// # Errors
    /// The refusal.
    pub async fn replace(&self, template: &str, face: &[f32]) -> Answer<v1::ReplaceTemplateResponse> {
        self.ask(self.replacement(template, face)).await
    }

    /// A valid replacement with a fresh request id.
    #[must_use]
    pub fn replacement(&self, template: &str, face: &[f32]) -> v1::ReplaceTemplateRequest {
        v1::ReplaceTemplateRequest {
            name: template.to_owned(),
            purpose: Purpose::DuplicateDetection.into(),
            request_id: request_id(),
            template: Some(capture(face)),
            no_wait: false,
        }
    }

    /// Deletes a template, by name, and waits for its shredding.
    ///
    /// # Errors
    /// The refusal.
    pub async fn delete(&self, template: &str) -> Answer<v1::Erasure> {
        self.ask(self.deletion(template)).await
    }

    /// A valid deletion with a fresh request id.
    #[must_use]
    pub fn deletion(&self, template: &str) -> v1::DeleteTemplateRequest {
        v1::DeleteTemplateRequest {
            name: template.to_owned(),
            purpose: Purpose::DuplicateDetection.into(),
            request_id: request_id(),
            no_wait: false,
        }
    }

    /// A subject's templates, all pages.
    ///
    /// # Errors
    /// The refusal.
    pub async fn templates(&self, subject: &str) -> Answer<Vec<v1::Template>> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = self
                .ask(v1::ListTemplatesRequest {
                    parent: self.subject_name(subject),
                    purpose: Purpose::DataSubjectRequest.into(),
                    page_size: 0,
                    page_token,
                })
                .await?;
            all.extend(page.templates);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    // ── comparing ───────────────────────────────────────────────────────────────────────────────────

    /// Asks whether a face is the subject's.
    ///
    /// # Errors
    /// The refusal.
    pub async fn verify(&self, subject: &str, face: &[f32]) -> Answer<v1::VerifyResponse> {
        self.ask(self.verification(subject, face)).await
    }

    /// A valid verification.
    #[must_use]
    pub fn verification(&self, subject: &str, face: &[f32]) -> v1::VerifyRequest {
        let probe = v1::Capture { kind: v1::CaptureKind::AuthenticationCapture.into(), ..capture(face) };
        v1::VerifyRequest {
            name: self.subject_name(subject),
            purpose: Purpose::Authentication.into(),
            request_id: request_id(),
            probe: Some(probe),
        }
    }

    /// Asks who looks like a face.
    ///
    /// # Errors
    /// The refusal.
    pub async fn search(&self, face: &[f32]) -> Answer<v1::SearchResponse> {
        self.ask(self.query(face)).await
    }

    /// A valid search: the profile's thresholds, all matches.
    #[must_use]
    pub fn query(&self, face: &[f32]) -> v1::SearchRequest {
        v1::SearchRequest {
            parent: self.tenant_name(),
            purpose: Purpose::DuplicateDetection.into(),
            probe: Some(capture(face)),
            threshold: None,
            miss_probability: None,
            max_results: 0,
            probe_subject: String::new(),
        }
    }

    /// The ids of all subjects that look like a face, best first.
    ///
    /// # Panics
    /// When the search is refused, or not complete.
    pub async fn found(&self, face: &[f32]) -> Vec<String> {
        let found = self.search(face).await.unwrap();
        assert!(found.completeness.unwrap().complete, "the search was not complete");
        found.matches.iter().map(|hit| hit.subject.rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// Whether a subject is among those who look like a face.
    ///
    /// # Panics
    /// When the search is refused, or not complete.
    pub async fn finds(&self, subject: &str, face: &[f32]) -> bool {
        self.found(face).await.iter().any(|found| found == subject)
    }

    /// Opens a sweep: the profile's thresholds, from the beginning or where another ended.
    ///
    /// # Errors
    /// The refusal of the sweep as such.
    pub async fn sweep(&self, page_token: &str) -> Answer<Streaming<v1::SweepDuplicatesResponse>> {
        self.sweep_as(v1::SweepDuplicatesRequest { page_token: page_token.to_owned(), ..self.sweep_request() }).await
    }

    /// The same, in the caller's own words.
    ///
    /// # Errors
    /// The refusal of the sweep as such.
    pub async fn sweep_as(
        &self,
        request: v1::SweepDuplicatesRequest,
    ) -> Answer<Streaming<v1::SweepDuplicatesResponse>> {
        let mut client = IdentificationServiceClient::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        Ok(client.sweep_duplicates(self.sign(Request::new(request))).await?.into_inner())
    }

    /// A valid sweep: the profile's thresholds, from the beginning.
    #[must_use]
    pub fn sweep_request(&self) -> v1::SweepDuplicatesRequest {
        v1::SweepDuplicatesRequest {
            parent: self.tenant_name(),
            purpose: Purpose::DuplicateDetection.into(),
            model: Some(model()),
            threshold: None,
            miss_probability: None,
            page_token: String::new(),
        }
    }

    // ── subjects' rights ────────────────────────────────────────────────────────────────────────────

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
            transfer,
        };
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

    // ── silos and their keys ────────────────────────────────────────────────────────────────────────

    /// Shreds a tenant, the whole way, with nothing handed over, and waits for the shredding.
    ///
    /// # Errors
    /// The refusal.
    pub async fn shred(&self, tenant: &Tenant) -> Answer<v1::Erasure> {
        let request = self.agreed(tenant).await;
        self.ask(request).await
    }

    /// A valid shredding of a tenant with a fresh request id, that two persons agreed on, with nothing to be handed over.
    ///
    /// # Panics
    /// When somebody refuses to agree.
    pub async fn agreed(&self, tenant: &Tenant) -> v1::ShredTenantRequest {
        let proposal = tenant.admin().waive(self).await.unwrap();
        v1::ShredTenantRequest { proposal, ..self.shredding(tenant.id()) }
    }

    /// A shredding of a tenant, by id, with a fresh request id, that nobody agreed on.
    #[must_use]
    pub fn shredding(&self, tenant: &str) -> v1::ShredTenantRequest {
        v1::ShredTenantRequest {
            name: format!("tenants/{tenant}"),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            no_wait: false,
            proposal: String::new(),
        }
    }

    /// As the first administrator of a tenant: has a second one propose that it goes, with nothing handed over, and `operator`
    /// approve. The proposal's name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn waive(&self, operator: &Self) -> Answer<String> {
        let roles = vec![v1::Role::TenantAdmin.into()];
        let made = self.ask(v1::CreateCredentialRequest {
            parent: self.tenant_name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            credential: Some(v1::Credential { roles, ..v1::Credential::default() }),
        });
        let director = self.with_key(Some(&made.await?.api_key));
        let proposal = director.ask(director.offboarding(None)).await?;
        operator.approve(&proposal).await?;
        Ok(proposal.name)
    }

    /// A proposal that the caller's tenant goes, its data sealed to this recipient, or handed to nobody.
    #[must_use]
    pub fn offboarding(&self, recipient: Option<&str>) -> v1::OffboardTenantRequest {
        use v1::offboard_tenant_request::Handover::{ArchiveRecipient, WaiveHandover};
        v1::OffboardTenantRequest {
            name: self.tenant_name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            handover: Some(recipient.map_or(WaiveHandover(true), |to| ArchiveRecipient(to.to_owned()))),
            transfer: recipient.map(|_| guarded("DE")),
        }
    }

    /// Approves a proposal, as it was read.
    ///
    /// # Errors
    /// The refusal.
    pub async fn approve(&self, proposal: &v1::Proposal) -> Answer<v1::Proposal> {
        let (name, content_sha256) = (proposal.name.clone(), proposal.content_sha256.clone());
        let purpose = Purpose::Administration.into();
        self.ask(v1::ApproveProposalRequest { name, purpose, request_id: String::new(), content_sha256 }).await
    }

    /// Rejects a proposal, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn reject(&self, proposal: &str) -> Answer<v1::Proposal> {
        let (name, purpose) = (proposal.to_owned(), Purpose::Administration.into());
        self.ask(v1::RejectProposalRequest { name, purpose, request_id: String::new() }).await
    }

    /// Reads a proposal, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn proposal(&self, name: &str) -> Answer<v1::Proposal> {
        self.ask(v1::GetProposalRequest { name: name.to_owned(), purpose: Purpose::Administration.into() }).await
    }

    /// Takes the archive of an approved proposal, by name, whole.
    ///
    /// # Errors
    /// The refusal, also of a stream that began well.
    pub async fn export_silo(&self, proposal: &str) -> Answer<Vec<u8>> {
        let mut client = TenantServiceClient::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        let request = v1::ExportSiloRequest { name: proposal.to_owned(), purpose: Purpose::Administration.into() };
        let pieces = client.export_silo(self.sign(Request::new(request))).await?.into_inner();
        let pieces: Vec<v1::ExportSiloResponse> = pieces.try_collect().await?;
        Ok(pieces.into_iter().flat_map(|piece| piece.piece).collect())
    }

    /// Confirms an archive, by the proposal's name and the archive's digest.
    ///
    /// # Errors
    /// The refusal.
    pub async fn confirm(&self, proposal: &str, archive_sha256: String) -> Answer<v1::Proposal> {
        let (name, purpose) = (proposal.to_owned(), Purpose::Administration.into());
        self.ask(v1::ConfirmHandoverRequest { name, purpose, request_id: String::new(), archive_sha256 }).await
    }

    /// A proposal to disclose something about a subject, by a ground.
    #[must_use]
    pub fn disclosing(&self, subject: &str, ground: Option<v1::disclosure::Ground>) -> v1::ProposeDisclosureRequest {
        v1::ProposeDisclosureRequest {
            parent: self.subject_name(subject),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: request_id(),
            disclosure: Some(v1::Disclosure {
                recipient: "county-court".to_owned(),
                ground,
                scope: vec![v1::DisclosureScope::Existence.into(), v1::DisclosureScope::Results.into()],
                transfer: Some(guarded("DE")),
                ..v1::Disclosure::default()
            }),
        }
    }

    /// What was disclosed about a subject.
    ///
    /// # Errors
    /// The refusal.
    pub async fn disclosures(&self, subject: &str) -> Answer<Vec<v1::Disclosure>> {
        let (parent, purpose) = (self.subject_name(subject), Purpose::DataSubjectRequest.into());
        Ok(self.ask(v1::ListDisclosuresRequest { parent, purpose }).await?.disclosures)
    }

    /// Whom to tell, of all notifications or of those that are pending, and what of.
    ///
    /// # Errors
    /// The refusal.
    pub async fn notifications(&self, pending: bool) -> Answer<Vec<v1::Notification>> {
        let (parent, purpose) = (self.tenant_name(), Purpose::DataSubjectRequest.into());
        let request = v1::ListNotificationsRequest { parent, purpose, pending, ..Default::default() };
        Ok(self.ask(request).await?.notifications)
    }

    /// Records what came of a notification.
    ///
    /// # Errors
    /// The refusal.
    pub async fn notified(&self, name: &str, outcome: v1::NotificationOutcome) -> Answer<v1::Notification> {
        let (name, purpose) = (name.to_owned(), Purpose::DataSubjectRequest.into());
        self.ask(v1::CloseNotificationRequest { name, purpose, request_id: String::new(), outcome: outcome.into() })
            .await
    }

    /// Rotates what wraps the keys of `tenants/{tenant}` or `vault`, and waits for the end of the old root.
    ///
    /// # Errors
    /// The refusal.
    pub async fn rotate(&self, name: &str) -> Answer<v1::KeyRotation> {
        self.ask(self.rotation(name)).await
    }

    /// A valid rotation with a fresh request id.
    #[must_use]
    pub fn rotation(&self, name: &str) -> v1::RotateKeysRequest {
        v1::RotateKeysRequest {
            name: name.to_owned(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            no_wait: false,
        }
    }

    /// A valid creation of a tenant, by id, with a fresh request id.
    #[must_use]
    pub fn creation(&self, tenant: &str) -> v1::CreateTenantRequest {
        v1::CreateTenantRequest {
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            tenant_id: tenant.to_owned(),
            tenant: Some(v1::Tenant { purposes: vec![basis(Purpose::Authentication)], ..v1::Tenant::default() }),
            administrator_login: None,
        }
    }

    // ── proofs ──────────────────────────────────────────────────────────────────────────────────────

    /// Reads a receipt, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn receipt(&self, name: &str) -> Answer<v1::Receipt> {
        self.ask(v1::GetReceiptRequest { name: name.to_owned(), purpose: Purpose::Audit.into() }).await
    }

    /// A proposal that the key of a log, by name, is succeeded by another.
    #[must_use]
    pub fn key_rotation(&self, log: &str) -> v1::ProposeKeyRotationRequest {
        let purpose = Purpose::Administration.into();
        v1::ProposeKeyRotationRequest { log: log.to_owned(), purpose, request_id: request_id() }
    }

    /// By what the key of a log, by name, was succeeded: the documents.
    ///
    /// # Errors
    /// The refusal.
    pub async fn successions(&self, log: &str) -> Answer<Vec<Vec<u8>>> {
        let request = v1::ListKeySuccessionsRequest {
            log: log.to_owned(),
            purpose: Purpose::Audit.into(),
            ..v1::ListKeySuccessionsRequest::default()
        };
        let listed = self.ask(request).await?;
        assert!(listed.next_page_token.is_empty(), "no log of a test has a hundred keys");
        Ok(listed.successions.into_iter().map(|each| each.document).collect())
    }

    /// Reads the newest checkpoint of a log, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn checkpoint(&self, log: &str) -> Answer<v1::Checkpoint> {
        self.ask(v1::GetCheckpointRequest { log: log.to_owned(), purpose: Purpose::Audit.into() }).await
    }

    /// Reads an entry of a log with the proof that the tree of that size contains it; 0 is the newest.
    ///
    /// # Errors
    /// The refusal.
    pub async fn proof(&self, log: &str, leaf_index: i64, tree_size: i64) -> Answer<v1::InclusionProof> {
        let (log, purpose) = (log.to_owned(), Purpose::Audit.into());
        self.ask(v1::GetInclusionProofRequest { log, purpose, leaf_index, tree_size }).await
    }

    /// Reads the proof that a log's tree begins with a smaller one; a `new_size` of 0 is the newest.
    ///
    /// # Errors
    /// The refusal.
    pub async fn growth(&self, log: &str, old_size: i64, new_size: i64) -> Answer<v1::ConsistencyProof> {
        let (log, purpose) = (log.to_owned(), Purpose::Audit.into());
        self.ask(v1::GetConsistencyProofRequest { log, purpose, old_size, new_size }).await
    }

    /// A valid request for a page of a log's entries, all of them.
    #[must_use]
    pub fn listing(&self, log: &str) -> v1::ListEntriesRequest {
        v1::ListEntriesRequest { log: log.to_owned(), purpose: Purpose::Audit.into(), ..Default::default() }
    }

    /// Lists the entries of a log that a filter wants, however many pages they take.
    ///
    /// # Errors
    /// The refusal.
    pub async fn entries(&self, log: &str, filter: v1::EntryFilter) -> Answer<Vec<v1::LogEntry>> {
        let mut all = Vec::new();
        let mut request = v1::ListEntriesRequest { filter: Some(filter), page_size: 7, ..self.listing(log) };
        loop {
            let page = self.ask(request.clone()).await?;
            assert!(page.entries.len() <= 7);
            all.extend(page.entries);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Opens a stream of a log's entries.
    ///
    /// # Errors
    /// The refusal of the stream as such.
    pub async fn watch(&self, log: &str, start_index: i64, follow: bool) -> Answer<Streaming<v1::WatchResponse>> {
        let mut client = AuditServiceClient::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        let (log, purpose) = (log.to_owned(), Purpose::Audit.into());
        let request = v1::WatchRequest { log, purpose, start_index, follow };
        Ok(client.watch(self.sign(Request::new(request))).await?.into_inner())
    }

    /// A valid request for a report on `tenants/{tenant}` or `vault`, from a day ago until tomorrow.
    #[must_use]
    pub fn inquiry(&self, parent: &str) -> v1::ReportBreachRequest {
        let day = |days: i64| prost_types::Timestamp { seconds: now().seconds + days * 86_400, nanos: 0 };
        v1::ReportBreachRequest {
            parent: parent.to_owned(),
            purpose: Purpose::Audit.into(),
            start_time: Some(day(-1)),
            end_time: Some(day(1)),
            reason: v1::BreachReason::Exercise.into(),
            ..Default::default()
        }
    }

    /// Counts the calls of `tenants/{tenant}` or of all in `vault`, from a day ago until tomorrow.
    ///
    /// # Errors
    /// The refusal.
    pub async fn usage(&self, parent: &str, period: v1::UsagePeriod) -> Answer<Vec<v1::UsageCount>> {
        let day = |days: i64| prost_types::Timestamp { seconds: now().seconds + days * 86_400, nanos: 0 };
        let request = v1::UsageRequest {
            parent: parent.to_owned(),
            purpose: Purpose::Audit.into(),
            start_time: Some(day(-1)),
            end_time: Some(day(1)),
            period: period.into(),
        };
        Ok(self.ask(request).await?.counts)
    }

    // ── backups ─────────────────────────────────────────────────────────────────────────────────────

    /// Makes a backup and waits for its end.
    ///
    /// # Errors
    /// The refusal.
    pub async fn back_up(&self) -> Answer<v1::Backup> {
        self.ask(self.new_backup()).await
    }

    /// A valid request for a backup with a fresh request id.
    #[must_use]
    pub fn new_backup(&self) -> v1::CreateBackupRequest {
        let purpose = Purpose::Administration.into();
        v1::CreateBackupRequest { purpose, request_id: request_id(), no_wait: false }
    }

    /// All backups, however many pages they take.
    ///
    /// # Errors
    /// The refusal.
    pub async fn backups(&self) -> Answer<Vec<v1::Backup>> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let purpose = Purpose::Administration.into();
            let page = self.ask(v1::ListBackupsRequest { purpose, page_size: 2, page_token }).await?;
            assert!(page.backups.len() <= 2);
            all.extend(page.backups);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Reads a backup's state, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn backup(&self, name: &str) -> Answer<v1::Backup> {
        let (name, purpose) = (name.to_owned(), Purpose::Administration.into());
        self.ask(v1::GetBackupRequest { name, purpose }).await
    }

    /// Has a backup verified, by name, and waits for the end.
    ///
    /// # Errors
    /// The refusal.
    pub async fn verify_backup(&self, name: &str) -> Answer<v1::Backup> {
        let (name, purpose) = (name.to_owned(), Purpose::Administration.into());
        self.ask(v1::VerifyBackupRequest { name, purpose, no_wait: false }).await
    }

    /// Deletes all but the newest backups.
    ///
    /// # Errors
    /// The refusal.
    pub async fn prune_backups(&self, keep: i32) -> Answer<v1::PruneBackupsResponse> {
        let purpose = Purpose::Administration.into();
        self.ask(v1::PruneBackupsRequest { purpose, request_id: request_id(), keep }).await
    }

    /// The vault's mirrors.
    ///
    /// # Errors
    /// The refusal.
    pub async fn mirrors(&self) -> Answer<Vec<v1::Mirror>> {
        let purpose = Purpose::Administration.into();
        Ok(self.ask(v1::ListMirrorsRequest { purpose, ..Default::default() }).await?.mirrors)
    }

    /// How the vault's root store stands.
    ///
    /// # Errors
    /// The refusal.
    pub async fn root_status(&self) -> Answer<v1::RootStatus> {
        let (name, purpose) = ("vault/rootStatus".to_owned(), Purpose::Administration.into());
        self.ask(v1::GetRootStatusRequest { name, purpose }).await
    }

    // ── names ───────────────────────────────────────────────────────────────────────────────────────

    /// `tenants/{tenant}`.
    #[must_use]
    pub fn tenant_name(&self) -> String {
        format!("tenants/{}", self.tenant)
    }

    /// `tenants/{tenant}/subjects/{subject}`.
    #[must_use]
    pub fn subject_name(&self, subject: &str) -> String {
        format!("tenants/{}/subjects/{subject}", self.tenant)
    }

    /// Components of the tenant's usual model.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }
}
