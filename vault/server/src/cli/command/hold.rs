//! `lethe hold`: litigation holds.

use clap::Subcommand;
use lethe_proto::names::HoldName;
use lethe_proto::v1::{Hold, ListHoldsRequest, PlaceHoldRequest, Purpose, ReleaseHoldRequest, RenewHoldRequest};
use prost_types::Timestamp;

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, values, view};

/// What to do with litigation holds.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Place a hold on a subject: nothing of it is erased, compared or found until it is released.
    ///
    /// Needs role privacy_officer. Purpose by default: legal_claims, which the tenant must have a basis for.
    Place {
        /// The subject.
        subject: String,

        /// Your reference of the case: 1 to 64 of [A-Za-z0-9._~-], and nothing that names a person.
        #[arg(long, value_name = "REFERENCE")]
        case: String,

        /// When somebody has to look whether it is still needed: a time, or a span as 90d; 180d, if not given. It does not end
        /// by itself.
        #[arg(long, value_parser = values::time_to_come, value_name = "TIME")]
        review: Option<Timestamp>,

        /// UUID of version 4; the same again, with all else the same, finds the same hold.
        #[arg(long, value_parser = request_id::parse, value_name = "UUID", requires = "review")]
        request_id: Option<String>,
    },
    /// Keep a hold after a review found that it is still needed.
    ///
    /// Needs role privacy_officer. Purpose by default: legal_claims.
    Renew {
        /// Its name, as `lethe hold list` shows it.
        hold: String,

        /// When somebody has to look again: a time, or a span as 90d; 180d, if not given.
        #[arg(long, value_parser = values::time_to_come, value_name = "TIME")]
        review: Option<Timestamp>,
    },
    /// Release a hold: its proceedings are over.
    ///
    /// Needs role privacy_officer. Purpose by default: legal_claims.
    Release {
        /// Its name, as `lethe hold list` shows it.
        hold: String,
    },
    /// List the tenant's holds, by subject.
    ///
    /// Needs role privacy_officer. Purpose by default: legal_claims.
    List {
        /// Only those whose review is overdue: renew or release them.
        #[arg(long)]
        overdue: bool,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::LegalClaims);
    match command {
        Command::Place { subject, case, review, request_id } => {
            let review = review.map_or_else(|| values::time_to_come("180d").map_err(Failure::usage), Ok)?;
            let request = PlaceHoldRequest {
                parent: context.connection.subject(&subject)?.to_string(),
                purpose,
                request_id: request_id.map_or_else(request_id::random, Ok)?,
                hold: Some(Hold { case_reference: case, review_time: Some(review), ..Hold::default() }),
            };
            let client = context.connection.open().await?;
            let (json, card) = view::hold(&client.holds().place(request).await?.into_inner());
            context.out.result(&json, &card)?;
        }
        Command::Renew { hold, review } => {
            let request = RenewHoldRequest {
                name: name(&hold)?,
                purpose,
                request_id: String::new(),
                review_time: Some(review.map_or_else(|| values::time_to_come("180d").map_err(Failure::usage), Ok)?),
            };
            let client = context.connection.open().await?;
            let (json, card) = view::hold(&client.holds().renew(request).await?.into_inner());
            context.out.result(&json, &card)?;
        }
        Command::Release { hold } => {
            let request = ReleaseHoldRequest { name: name(&hold)?, purpose, request_id: String::new() };
            let client = context.connection.open().await?;
            let (json, card) = view::hold(&client.holds().release(request).await?.into_inner());
            context.out.result(&json, &card.row("state", "released"))?;
        }
        Command::List { overdue } => {
            let now = values::time("now").map_err(Failure::usage)?;
            let is_due = |hold: &&Hold| hold.review_time.is_none_or(|review| review.seconds <= now.seconds);
            let parent = context.connection.tenant()?.to_string();
            let client = context.connection.open().await?;
            let (mut none, mut page_token) = (true, String::new());
            loop {
                let request = ListHoldsRequest { parent: parent.clone(), purpose, page_size: 0, page_token };
                let page = client.holds().list(request).await?.into_inner();
                for hold in page.holds.iter().filter(|hold| !overdue || is_due(hold)) {
                    none = false;
                    let (json, card) = view::hold(hold);
                    context.out.result(&json, &card)?;
                }
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            if none {
                context.out.text("no holds")?;
            }
        }
    }
    Ok(Exit::Done)
}

fn name(hold: &str) -> Result<String, Failure> {
    let name: HoldName = hold.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    Ok(name.to_string())
}
