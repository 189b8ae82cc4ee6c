//! Receipts, and logs.

use lethe_proto::v1::audit_service_client::AuditServiceClient;
use lethe_proto::v1::{self, Purpose};
use tonic::{Request, Streaming};

use super::{Caller, LARGEST};
use crate::refusal::Answer;
use crate::requests::{now, request_id};

impl Caller {
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
}
