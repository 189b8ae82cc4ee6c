//! `lethe watchlist`: confirmed fraud and known masks, which searches against fraud compare with.

use clap::{Args, Subcommand};
use lethe_proto::names::{TemplateName, WatchlistEntryName, WatchlistName};
use lethe_proto::v1::add_watchlist_entry_request::Source;
use lethe_proto::v1::{
    AddWatchlistEntryRequest, CaptureKind, ContestWatchlistEntryRequest, CreateWatchlistRequest,
    DecideWatchlistEntryRequest, DeleteWatchlistRequest, GetWatchlistEntryRequest, LawfulBasis,
    ListWatchlistEntriesRequest, ListWatchlistsRequest, Purpose, RemoveWatchlistEntryRequest, WatchlistDecision,
    WatchlistKind,
};
use prost_types::Timestamp;

use super::Context;
use super::erase::{self, EraseOptions};
use crate::cli::capture::CaptureArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, values, view};

/// What to do with watch lists.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a watch list.
    ///
    /// Needs role fraud_analyst. Purpose by default: fraud_prevention.
    Create {
        /// Your id of it: 1 to 128 of [A-Za-z0-9._~-], and nothing that names a person.
        watchlist: String,

        /// What it is of: faces of confirmed fraud, or masks, which are nobody's face.
        #[arg(long, value_parser = values::watchlist_kind())]
        kind: WatchlistKind,
    },
    /// Delete a watch list that is empty.
    ///
    /// Needs role fraud_analyst. Purpose by default: fraud_prevention.
    Delete {
        /// Its id, or its whole name.
        watchlist: String,
    },
    /// List all watch lists.
    ///
    /// Needs role fraud_analyst, privacy_officer, reviewer or auditor. Purpose by default: fraud_prevention.
    List,
    /// Add an entry of a subject's template to a list of confirmed fraud.
    ///
    /// Needs role fraud_analyst. Purpose by default: fraud_prevention.
    Add {
        #[command(flatten)]
        entry: EntryArgs,

        /// The template's name, as `lethe template list` shows it.
        #[arg(long, value_name = "NAME")]
        template: String,
    },
    /// Add an entry of a mask to a list of known spoofs.
    ///
    /// Needs role fraud_analyst. Purpose by default: fraud_prevention.
    AddMask {
        #[command(flatten)]
        entry: EntryArgs,

        #[command(flatten)]
        capture: CaptureArgs,
    },
    /// List the entries of a list, never their embeddings.
    ///
    /// Needs role fraud_analyst, privacy_officer, reviewer or auditor. Purpose by default: fraud_prevention.
    Entries {
        /// The list's id, or its whole name.
        watchlist: String,
    },
    /// Show an entry, never its embedding.
    ///
    /// Needs role fraud_analyst, privacy_officer, reviewer or auditor. Purpose by default: fraud_prevention.
    Get {
        /// Its name, as `lethe watchlist entries` shows it.
        entry: String,
    },
    /// Record that an entry is contested: it is not compared until somebody decides.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Contest {
        /// Its name, as `lethe watchlist entries` shows it.
        entry: String,

        /// The name of the person's request, as `lethe request list` shows it.
        #[arg(long, value_name = "NAME")]
        request: Option<String>,
    },
    /// Decide on a contested entry: it is upheld and compared again, or rejected and shredded.
    ///
    /// Needs role reviewer, of another credential than the one that added it. Purpose by default: fraud_prevention.
    Decide {
        /// Its name, as `lethe watchlist entries` shows it.
        entry: String,

        /// What is decided.
        #[arg(long, value_parser = values::watchlist_decision())]
        decision: WatchlistDecision,

        #[command(flatten)]
        options: EraseOptions,
    },
    /// Remove an entry: it is shredded.
    ///
    /// Needs role fraud_analyst or privacy_officer. Purpose by default: fraud_prevention.
    Remove {
        /// Its name, as `lethe watchlist entries` shows it.
        entry: String,

        #[command(flatten)]
        options: EraseOptions,
    },
}

/// What an entry is to say.
#[derive(Debug, Args)]
pub(crate) struct EntryArgs {
    /// The list's id, or its whole name.
    watchlist: String,

    /// What it rests on: nothing that its person could take back, so neither consent nor contract.
    #[arg(long, value_parser = values::basis())]
    basis: LawfulBasis,

    /// Your reference of the confirmation: 1 to 64 of [A-Za-z0-9._~-], and nothing that names a person.
    #[arg(long, value_name = "REFERENCE")]
    reference: String,

    /// When it was confirmed, RFC 3339.
    #[arg(long, value_parser = values::time, value_name = "TIME", default_value = "now")]
    confirmed: Timestamp,

    /// From when on it is not compared: a time, or a span as 365d; five years after the confirmation at the latest.
    #[arg(long, value_parser = values::time_to_come, value_name = "TIME")]
    expires: Timestamp,

    /// UUID of version 4; the same again, with all else the same, finds the same entry.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::FraudPrevention);
    let client = context.connection.open().await?;
    let mut watchlists = client.watchlists();
    let (json, card) = match command {
        Command::Create { watchlist, kind } => {
            let parent = context.connection.tenant()?.to_string();
            let (request_id, kind) = (String::new(), kind.into());
            let request = CreateWatchlistRequest { parent, purpose, request_id, watchlist_id: watchlist, kind };
            view::watchlist(&watchlists.create(request).await?.into_inner())
        }
        Command::Delete { watchlist } => {
            let (name, request_id) = (list(context, &watchlist)?, String::new());
            watchlists.delete(DeleteWatchlistRequest { name, purpose, request_id }).await?;
            context.out.text("the watch list is deleted")?;
            return Ok(Exit::Done);
        }
        Command::List => {
            let request = ListWatchlistsRequest { parent: context.connection.tenant()?.to_string(), purpose };
            for watchlist in &watchlists.list(request).await?.into_inner().watchlists {
                let (json, card) = view::watchlist(watchlist);
                context.out.result(&json, &card)?;
            }
            return Ok(Exit::Done);
        }
        Command::Add { entry, template } => {
            let template = template.parse::<TemplateName>().map_err(|error| Failure::usage(error.to_string()))?;
            let request = entry.request(context, purpose, Source::Template(template.to_string()))?;
            view::watchlist_entry(&watchlists.add_entry(request).await?.into_inner())
        }
        Command::AddMask { entry, capture } => {
            let capture = capture.read(CaptureKind::Selfie, 1.0)?;
            let request = entry.request(context, purpose, Source::Capture(capture))?;
            view::watchlist_entry(&watchlists.add_entry(request).await?.into_inner())
        }
        Command::Entries { watchlist } => return entries(context, &watchlist, purpose).await,
        Command::Get { entry } => {
            let request = GetWatchlistEntryRequest { name: name(&entry)?, purpose };
            view::watchlist_entry(&watchlists.get_entry(request).await?.into_inner())
        }
        Command::Contest { entry, request } => {
            let request = ContestWatchlistEntryRequest {
                name: name(&entry)?,
                purpose: context.connection.purpose(Purpose::DataSubjectRequest),
                request_id: String::new(),
                request: request.unwrap_or_default(),
            };
            view::watchlist_entry(&watchlists.contest_entry(request).await?.into_inner())
        }
        Command::Decide { entry, decision, options } => {
            let name = name(&entry)?;
            if decision == WatchlistDecision::Rejected {
                options.confirm(&format!("Reject {name}? It is erased for good."))?;
            }
            let request = DecideWatchlistEntryRequest {
                name,
                purpose,
                request_id: options.request_id()?,
                decision: decision.into(),
                no_wait: options.no_wait,
            };
            let decided = watchlists.decide_entry(request).await?.into_inner();
            match (decided.entry, decided.erasure) {
                (Some(entry), _) => view::watchlist_entry(&entry),
                (None, erasure) => {
                    let erasure = erasure.unwrap_or_default();
                    return erase::report(context, &client, &options, "the entry", &erasure).await;
                }
            }
        }
        Command::Remove { entry, options } => {
            let name = name(&entry)?;
            options.confirm(&format!("Erase {name} for good?"))?;
            let (request_id, no_wait) = (options.request_id()?, options.no_wait);
            let request = RemoveWatchlistEntryRequest { name, purpose, request_id, no_wait };
            let erasure = watchlists.remove_entry(request).await?.into_inner();
            return erase::report(context, &client, &options, "the entry", &erasure).await;
        }
    };
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

impl EntryArgs {
    fn request(self, context: &Context, purpose: i32, source: Source) -> Result<AddWatchlistEntryRequest, Failure> {
        Ok(AddWatchlistEntryRequest {
            parent: list(context, &self.watchlist)?,
            purpose,
            request_id: self.request_id.map_or_else(request_id::random, Ok)?,
            source: Some(source),
            basis: self.basis.into(),
            reference: self.reference,
            confirm_time: Some(self.confirmed),
            expire_time: Some(self.expires),
        })
    }
}

async fn entries(context: &Context, watchlist: &str, purpose: i32) -> Result<Exit, Failure> {
    let parent = list(context, watchlist)?;
    let mut request = ListWatchlistEntriesRequest { parent, purpose, page_size: 1000, page_token: String::new() };
    let client = context.connection.open().await?;
    loop {
        let page = client.watchlists().list_entries(request.clone()).await?.into_inner();
        for entry in &page.entries {
            let (json, card) = view::watchlist_entry(entry);
            context.out.result(&json, &card)?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(Exit::Done);
        }
    }
}

/// The name of a list, by its id or its whole name.
fn list(context: &Context, watchlist: &str) -> Result<String, Failure> {
    let name = match watchlist.contains('/') {
        true => watchlist.parse::<WatchlistName>(),
        false => WatchlistName::new(context.connection.tenant()?.tenant(), watchlist),
    };
    Ok(name.map_err(|error| Failure::usage(error.to_string()))?.to_string())
}

fn name(entry: &str) -> Result<String, Failure> {
    let name = entry.parse::<WatchlistEntryName>();
    Ok(name.map_err(|error| Failure::usage(error.to_string()))?.to_string())
}
