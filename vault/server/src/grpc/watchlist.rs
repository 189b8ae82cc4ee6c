use std::sync::Arc;

use lethe_domain::{EntryState, Invalid, Label, LawfulBasis, Reason, TenantId, Watchlist, WatchlistId, WatchlistKind};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::add_watchlist_entry_request::Source as Named;
use lethe_proto::v1::watchlist_service_server::WatchlistService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::{Node, names, page};
use crate::error::Result;
use crate::watchlist::{self, Decided, Filed, Hit, Source, Target, Verdict, Wanted};

#[async_trait]
impl WatchlistService for Node {
    async fn create(&self, request: Request<v1::CreateWatchlistRequest>) -> Result<Response<v1::Watchlist>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::CreateWatchlist>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let id = WatchlistId::parse(&message.watchlist_id).map_err(crate::Error::from)?;
        let kind = required("kind", message.kind, WatchlistKind::from_number)?;
        let vault = Arc::clone(self.vault()?);
        let created = to_the_end(async move {
            let call = call;
            watchlist::create(&vault, call.witness, id, kind).await
        })
        .await?;
        Ok(Response::new(to_watchlist(&tenant, &created)))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteWatchlistRequest>,
    ) -> Result<Response<v1::DeleteWatchlistResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::watchlist("name", &message.name)?;
        let call = self.admit::<op::DeleteWatchlist>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        to_the_end(async move {
            let call = call;
            watchlist::delete(&vault, call.witness, &id).await
        })
        .await?;
        Ok(Response::new(v1::DeleteWatchlistResponse {}))
    }

    async fn list(
        &self,
        request: Request<v1::ListWatchlistsRequest>,
    ) -> Result<Response<v1::ListWatchlistsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListWatchlists>(&principal, &tenant, message.purpose).await?;
        let lists = watchlist::list(self.vault()?, call.witness).await?;
        let watchlists = lists.iter().map(|list| to_watchlist(&tenant, list)).collect();
        Ok(Response::new(v1::ListWatchlistsResponse { watchlists }))
    }

    async fn add_entry(
        &self,
        request: Request<v1::AddWatchlistEntryRequest>,
    ) -> Result<Response<v1::WatchlistEntry>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, list) = names::watchlist("parent", &message.parent)?;
        let call = self.admit::<op::AddWatchlistEntry>(&principal, &tenant, message.purpose).await?;
        let wanted = wanted(&tenant, list, message)?;
        let vault = Arc::clone(self.vault()?);
        let added = to_the_end(async move {
            let call = call;
            watchlist::add(&vault, call.witness, wanted).await
        })
        .await?;
        Ok(Response::new(to_entry(&tenant, &added, self.vault()?.clock.now())))
    }

    async fn get_entry(
        &self,
        request: Request<v1::GetWatchlistEntryRequest>,
    ) -> Result<Response<v1::WatchlistEntry>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, list, entry) = names::watchlist_entry("name", &message.name)?;
        let call = self.admit::<op::GetWatchlistEntry>(&principal, &tenant, message.purpose).await?;
        let vault = self.vault()?;
        let found = watchlist::get(vault, call.witness, &list, entry).await?;
        Ok(Response::new(to_entry(&tenant, &found, vault.clock.now())))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListWatchlistEntriesRequest>,
    ) -> Result<Response<v1::ListWatchlistEntriesResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, list) = names::watchlist("parent", &message.parent)?;
        let call = self.admit::<op::ListWatchlistEntries>(&principal, &tenant, message.purpose).await?;
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let vault = self.vault()?;
        let page = watchlist::list_entries(vault, call.witness, &list, from, size).await?;
        let now = vault.clock.now();
        Ok(Response::new(v1::ListWatchlistEntriesResponse {
            entries: page.entries.iter().map(|filed| to_entry(&tenant, filed, now)).collect(),
            next_page_token: pages.token(page.next),
        }))
    }

    async fn contest_entry(
        &self,
        request: Request<v1::ContestWatchlistEntryRequest>,
    ) -> Result<Response<v1::WatchlistEntry>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, list, entry) = names::watchlist_entry("name", &message.name)?;
        let call = self.admit::<op::ContestWatchlistEntry>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let asked = names::request_of(&tenant, "request", &message.request)?;
        let vault = Arc::clone(self.vault()?);
        let contested = to_the_end(async move {
            let call = call;
            watchlist::contest(&vault, call.witness, &list, entry, asked).await
        })
        .await?;
        Ok(Response::new(to_entry(&tenant, &contested, self.vault()?.clock.now())))
    }

    async fn decide_entry(
        &self,
        request: Request<v1::DecideWatchlistEntryRequest>,
    ) -> Result<Response<v1::DecideWatchlistEntryResponse>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let (tenant, list, entry) = names::watchlist_entry("name", &message.name)?;
        let call = self.admit::<op::DecideWatchlistEntry>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let verdict = required("decision", message.decision, verdict)?;
        let target = Target { list, entry, request, until: (!message.no_wait).then_some(until) };
        let vault = Arc::clone(self.vault()?);
        let decided = to_the_end(async move {
            let call = call;
            watchlist::decide(&vault, call.witness, target, verdict).await
        })
        .await?;
        let (entry, erasure) = match decided {
            Decided::Upheld(filed) => (Some(to_entry(&tenant, &filed, self.vault()?.clock.now())), None),
            Decided::Rejected(erasure) => (None, Some(convert::to_erasure(&tenant, erasure))),
        };
        Ok(Response::new(v1::DecideWatchlistEntryResponse { entry, erasure }))
    }

    async fn remove_entry(
        &self,
        request: Request<v1::RemoveWatchlistEntryRequest>,
    ) -> Result<Response<v1::Erasure>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let (tenant, list, entry) = names::watchlist_entry("name", &message.name)?;
        let call = self.admit::<op::RemoveWatchlistEntry>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let target = Target { list, entry, request, until: (!message.no_wait).then_some(until) };
        let vault = Arc::clone(self.vault()?);
        let erasure = to_the_end(async move {
            let call = call;
            watchlist::remove(&vault, call.witness, target).await
        })
        .await?;
        Ok(Response::new(convert::to_erasure(&tenant, erasure)))
    }
}

/// What an entry is to say. The message's own copy of an embedding becomes the capture's, or is wiped.
fn wanted(tenant: &TenantId, list: WatchlistId, mut message: v1::AddWatchlistEntryRequest) -> Result<Wanted> {
    let missing = |field: &str| Invalid::new(field, Reason::FieldMissing, "is missing");
    let source = match message.source.take() {
        None => return Err(Invalid::new("source", Reason::FieldMissing, "is a template or a capture").into()),
        Some(Named::Template(name)) => {
            let (of, subject, template) = names::template("template", &name)?;
            if of != *tenant {
                let message = "must be a template of the tenant";
                return Err(Invalid::new("template", Reason::FieldOutOfRange, message).into());
            }
            Source::Template(subject, template)
        }
        Some(Named::Capture(capture)) => Source::Capture(convert::capture("capture", Some(capture))?),
    };
    let confirmed = message.confirm_time.ok_or_else(|| missing("confirm_time"))?;
    let expires = message.expire_time.ok_or_else(|| missing("expire_time"))?;
    Ok(Wanted {
        list,
        source,
        basis: required("basis", message.basis, LawfulBasis::from_number)?,
        reference: Label::parse("reference", &message.reference)?,
        confirmed_at: convert::timestamp("confirm_time", confirmed)?,
        expires_at: convert::timestamp("expire_time", expires)?,
        request: convert::required_request_id(&message.request_id)?,
    })
}

fn required<T>(field: &str, number: i32, known: impl Fn(u8) -> Option<T>) -> Result<T> {
    if number == 0 {
        return Err(Invalid::new(field, Reason::FieldMissing, "is missing").into());
    }
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "is none of the values that there are");
    Ok(u8::try_from(number).ok().and_then(known).ok_or_else(refuse)?)
}

fn verdict(number: u8) -> Option<Verdict> {
    match v1::WatchlistDecision::try_from(i32::from(number)) {
        Ok(v1::WatchlistDecision::Upheld) => Some(Verdict::Upheld),
        Ok(v1::WatchlistDecision::Rejected) => Some(Verdict::Rejected),
        Ok(v1::WatchlistDecision::Unspecified) | Err(_) => None,
    }
}

fn to_watchlist(tenant: &TenantId, list: &Watchlist) -> v1::Watchlist {
    v1::Watchlist {
        name: format!("tenants/{tenant}/watchlists/{}", list.id),
        kind: list.kind.number().into(),
        create_time: Some(to_timestamp(list.created_at)),
    }
}

fn to_entry(tenant: &TenantId, filed: &Filed, now: lethe_domain::Timestamp) -> v1::WatchlistEntry {
    let entry = &filed.entry;
    let state = match entry.state(now) {
        EntryState::Active => v1::WatchlistEntryState::Active,
        EntryState::Contested => v1::WatchlistEntryState::Contested,
        EntryState::Expired => v1::WatchlistEntryState::Expired,
    };
    let asked = entry.contest.and_then(|contest| contest.request);
    v1::WatchlistEntry {
        name: format!("tenants/{tenant}/watchlists/{}/entries/{}", filed.list.id, filed.id),
        kind: filed.list.kind.number().into(),
        model: Some(convert::to_model(&entry.model)),
        basis: entry.basis.number().into(),
        reference: entry.reference.as_str().to_owned(),
        confirm_time: Some(to_timestamp(entry.confirmed_at)),
        expire_time: Some(to_timestamp(entry.expires_at)),
        create_time: Some(to_timestamp(entry.added_at)),
        state: state.into(),
        contest_time: entry.contest.map(|contest| to_timestamp(contest.at)),
        contest_request: asked.map_or_else(String::new, |id| format!("tenants/{tenant}/requests/{id}")),
        uphold_time: entry.upheld.map(|upheld| to_timestamp(upheld.at)),
    }
}

/// An entry that a search found.
pub(super) fn to_match(tenant: &TenantId, hit: &Hit) -> v1::WatchlistMatch {
    v1::WatchlistMatch {
        entry: format!("tenants/{tenant}/watchlists/{}/entries/{}", hit.list, hit.entry),
        kind: hit.kind.number().into(),
        score: hit.score,
        band: convert::to_band(hit.band),
    }
}
