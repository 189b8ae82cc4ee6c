//! `lethe retention`: who is about to be erased for the age of the data, or for another end.

use clap::Subcommand;
use lethe_proto::v1::{PreviewErasuresRequest, Purpose};
use prost_types::Timestamp;

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{values, view};

/// What to do about retention.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show who ends by some time, as things are now: when and why, what keeps whom, and the receipts that the erasures will
    /// have.
    ///
    /// Needs role privacy_officer. Purpose by default: administration.
    Preview {
        /// Until when: a time, or a span such as 90d.
        #[arg(long, value_name = "TIME", value_parser = values::time_to_come, default_value = "30d")]
        until: Timestamp,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let Command::Preview { until } = command;
    let (purpose, parent) =
        (context.connection.purpose(Purpose::Administration), context.connection.tenant()?.to_string());
    let client = context.connection.open().await?;
    let (mut none, mut page_token) = (true, String::new());
    loop {
        let (parent, until_time) = (parent.clone(), Some(until));
        let request = PreviewErasuresRequest { parent, purpose, until_time, page_size: 0, page_token };
        let page = client.subjects().preview_erasures(request).await?.into_inner();
        for ending in &page.endings {
            let (json, card) = view::ending(ending);
            context.out.result(&json, &card)?;
        }
        none &= page.endings.is_empty();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if none {
        context.out.text("nobody ends by then")?;
    }
    Ok(Exit::Done)
}
