//! Watch lists.

use lethe_proto::v1::{self, Purpose};
use prost_types::Timestamp;

use super::Caller;
use crate::refusal::Answer;
use crate::requests::{capture, now, request_id};

impl Caller {
    /// Creates a watch list.
    ///
    /// # Errors
    /// The refusal.
    pub async fn keep_watchlist(&self, list: &str, kind: v1::WatchlistKind) -> Answer<v1::Watchlist> {
        self.ask(v1::CreateWatchlistRequest {
            parent: self.tenant_name(),
            purpose: Purpose::FraudPrevention.into(),
            request_id: String::new(),
            watchlist_id: list.to_owned(),
            kind: kind.into(),
        })
        .await
    }

    /// A valid request to list a template, by name, on a watch list, for a year.
    #[must_use]
    pub fn listing_of(&self, list: &str, template: &str) -> v1::AddWatchlistEntryRequest {
        self.watching(list, v1::add_watchlist_entry_request::Source::Template(template.to_owned()))
    }

    /// The same, of a face of nobody.
    #[must_use]
    pub fn listing_of_mask(&self, list: &str, face: &[f32]) -> v1::AddWatchlistEntryRequest {
        self.watching(list, v1::add_watchlist_entry_request::Source::Capture(capture(face)))
    }

    fn watching(&self, list: &str, source: v1::add_watchlist_entry_request::Source) -> v1::AddWatchlistEntryRequest {
        v1::AddWatchlistEntryRequest {
            parent: format!("{}/watchlists/{list}", self.tenant_name()),
            purpose: Purpose::FraudPrevention.into(),
            request_id: request_id(),
            source: Some(source),
            basis: v1::LawfulBasis::LegitimateInterests.into(),
            reference: "case-17".to_owned(),
            confirm_time: Some(Timestamp { seconds: now().seconds - 86_400, nanos: 0 }),
            expire_time: Some(Timestamp { seconds: now().seconds + 365 * 86_400, nanos: 0 }),
        }
    }

    /// Searches against fraud, and so with the watch lists.
    ///
    /// # Errors
    /// The refusal.
    pub async fn search_fraud(&self, face: &[f32]) -> Answer<v1::SearchResponse> {
        self.ask(v1::SearchRequest { purpose: Purpose::FraudPrevention.into(), ..self.query(face) }).await
    }

    /// The names of entries that a search against fraud finds, best first.
    ///
    /// # Panics
    /// When the search is refused.
    pub async fn watched(&self, face: &[f32]) -> Vec<String> {
        let found = self.search_fraud(face).await.unwrap();
        found.watchlist_matches.into_iter().map(|hit| hit.entry).collect()
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// The refusal.
    pub async fn entry(&self, name: &str) -> Answer<v1::WatchlistEntry> {
        let purpose = Purpose::DataSubjectRequest.into();
        self.ask(v1::GetWatchlistEntryRequest { name: name.to_owned(), purpose }).await
    }

    /// Contests an entry.
    ///
    /// # Errors
    /// The refusal.
    pub async fn contest_entry(&self, name: &str) -> Answer<v1::WatchlistEntry> {
        self.ask(v1::ContestWatchlistEntryRequest {
            name: name.to_owned(),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: String::new(),
            request: String::new(),
        })
        .await
    }

    /// Decides on an entry, waiting for the shredding of one that is rejected.
    ///
    /// # Errors
    /// The refusal.
    pub async fn judge(&self, name: &str, decision: v1::WatchlistDecision) -> Answer<v1::DecideWatchlistEntryResponse> {
        self.ask(v1::DecideWatchlistEntryRequest {
            name: name.to_owned(),
            purpose: Purpose::FraudPrevention.into(),
            request_id: request_id(),
            decision: decision.into(),
            no_wait: false,
        })
        .await
    }

    /// A valid removal of an entry with a fresh request id.
    #[must_use]
    pub fn removal(&self, name: &str) -> v1::RemoveWatchlistEntryRequest {
        v1::RemoveWatchlistEntryRequest {
            name: name.to_owned(),
            purpose: Purpose::FraudPrevention.into(),
            request_id: request_id(),
            no_wait: false,
        }
    }
}
