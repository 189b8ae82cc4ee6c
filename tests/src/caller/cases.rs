//! Questions about people that people answer.

use lethe_proto::v1::{self, Purpose};

use super::Caller;
use crate::refusal::Answer;
use crate::requests::{model, request_id};

impl Caller {
    /// All cases of the tenant, page by page of so many.
    ///
    /// # Errors
    /// The refusal.
    pub async fn cases_by(&self, page_size: i32) -> Answer<Vec<v1::Case>> {
        let (parent, purpose) = (self.tenant_name(), Purpose::DataSubjectRequest.into());
        let mut request = v1::ListCasesRequest { parent, purpose, page_size, ..Default::default() };
        let mut cases = Vec::new();
        loop {
            let page = self.ask(request.clone()).await?;
            cases.extend(page.cases);
            if page.next_page_token.is_empty() {
                return Ok(cases);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// All cases of the tenant.
    ///
    /// # Errors
    /// The refusal.
    pub async fn cases(&self) -> Answer<Vec<v1::Case>> {
        self.cases_by(0).await
    }

    /// Reads a case.
    ///
    /// # Errors
    /// The refusal.
    pub async fn case(&self, name: &str) -> Answer<v1::Case> {
        let (name, purpose) = (name.to_owned(), Purpose::DataSubjectRequest.into());
        self.ask(v1::GetCaseRequest { name, purpose }).await
    }

    /// A valid question whether two persons are one.
    #[must_use]
    pub fn pairing(&self, subject: &str, other: &str) -> v1::CreatePairCaseRequest {
        v1::CreatePairCaseRequest {
            parent: self.subject_name(subject),
            purpose: Purpose::DuplicateDetection.into(),
            request_id: request_id(),
            other_subject: self.subject_name(other),
            model: Some(model()),
        }
    }

    /// A valid question of who contests a decision.
    #[must_use]
    pub fn contesting(&self, subject: &str) -> v1::CreateContestedCaseRequest {
        v1::CreateContestedCaseRequest {
            parent: self.subject_name(subject),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: request_id(),
            request: String::new(),
        }
    }

    /// Answers a case.
    ///
    /// # Errors
    /// The refusal.
    pub async fn decide(&self, name: &str, step: v1::CaseStep, reason: v1::CaseReason) -> Answer<v1::Case> {
        self.ask(v1::DecideCaseRequest {
            name: name.to_owned(),
            purpose: Purpose::Authentication.into(),
            request_id: String::new(),
            step: step.into(),
            reason: reason.into(),
        })
        .await
    }

    /// Opens a case again.
    ///
    /// # Errors
    /// The refusal.
    pub async fn contest(&self, name: &str) -> Answer<v1::Case> {
        let (name, purpose) = (name.to_owned(), Purpose::DataSubjectRequest.into());
        self.ask(v1::ContestCaseRequest { name, purpose, request_id: String::new() }).await
    }
}
