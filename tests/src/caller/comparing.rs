//! Verification, searches and sweeps.

use lethe_proto::v1::identification_service_client::IdentificationServiceClient;
use lethe_proto::v1::{self, Purpose};
use tonic::{Request, Streaming};

use super::{Caller, LARGEST};
use crate::refusal::Answer;
use crate::requests::{capture, model, request_id};

impl Caller {
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
}
