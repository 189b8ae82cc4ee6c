//! Watch lists.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::{now, request_id};
use prost::Message as _;

use super::Row;

use Purpose::{Audit, DataSubjectRequest, FraudPrevention};
use Role::{Auditor, FraudAnalyst, PrivacyOfficer, Reviewer};

const READERS: &[Role] = &[FraudAnalyst, PrivacyOfficer, Reviewer, Auditor];
const READING: &[Purpose] = &[FraudPrevention, DataSubjectRequest, Audit];

pub(super) const ROWS: &[Row] = &[
    Row {
        method: "WatchlistService/Create",
        roles: &[FraudAnalyst],
        operator: false,
        purposes: &[FraudPrevention],
        request: |target, purpose| {
            v1::CreateWatchlistRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                watchlist_id: "fraud".to_owned(),
                kind: v1::WatchlistKind::ConfirmedFraud.into(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/Delete",
        roles: &[FraudAnalyst],
        operator: false,
        purposes: &[FraudPrevention],
        request: |target, purpose| {
            let name = target.watchlist.clone();
            v1::DeleteWatchlistRequest { name, purpose: purpose.into(), request_id: String::new() }.encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/List",
        roles: READERS,
        operator: false,
        purposes: READING,
        request: |target, purpose| {
            v1::ListWatchlistsRequest { parent: target.tenant.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/AddEntry",
        roles: &[FraudAnalyst],
        operator: false,
        purposes: &[FraudPrevention],
        request: |target, purpose| {
            let at = |days: i64| Some(prost_types::Timestamp { seconds: now().seconds + days * 86_400, nanos: 0 });
            v1::AddWatchlistEntryRequest {
                parent: target.watchlist.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                source: Some(v1::add_watchlist_entry_request::Source::Template(target.template.clone())),
                basis: v1::LawfulBasis::LegalClaims.into(),
                reference: "case-1".to_owned(),
                confirm_time: at(-1),
                expire_time: at(1),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/GetEntry",
        roles: READERS,
        operator: false,
        purposes: READING,
        request: |target, purpose| {
            v1::GetWatchlistEntryRequest { name: target.watchlist_entry.clone(), purpose: purpose.into() }
                .encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/ListEntries",
        roles: READERS,
        operator: false,
        purposes: READING,
        request: |target, purpose| {
            let parent = target.watchlist.clone();
            v1::ListWatchlistEntriesRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/ContestEntry",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            let name = target.watchlist_entry.clone();
            v1::ContestWatchlistEntryRequest { name, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/DecideEntry",
        roles: &[Reviewer],
        operator: false,
        purposes: &[FraudPrevention, DataSubjectRequest],
        request: |target, purpose| {
            v1::DecideWatchlistEntryRequest {
                name: target.watchlist_entry.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                decision: v1::WatchlistDecision::Upheld.into(),
                no_wait: false,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "WatchlistService/RemoveEntry",
        roles: &[FraudAnalyst, PrivacyOfficer],
        operator: false,
        purposes: &[FraudPrevention, DataSubjectRequest],
        request: |target, purpose| {
            v1::RemoveWatchlistEntryRequest {
                name: target.watchlist_entry.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                no_wait: true,
            }
            .encode_to_vec()
        },
    },
];
