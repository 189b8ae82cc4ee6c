//! Enrolment, and templates.

use futures::TryStreamExt as _;
use lethe_proto::v1::{self, Purpose};

use super::Caller;
use crate::refusal::Answer;
use crate::requests::{capture, request_id};

impl Caller {
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
}
