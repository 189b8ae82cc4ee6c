//! `lethe mirror`: the mirrors of a vault: how they stand, of a running server; listed and dropped, offline.

use clap::Subcommand;
use lethe_proto::v1::{ListMirrorsRequest, MirrorState, Purpose};
use serde_json::json;

use super::Context;
use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::Card;
use crate::cli::view;
use crate::store::MirrorId;
use crate::{drop_mirror, list_mirrors};

/// What to do with mirrors.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show how the mirrors of a running server stand.
    ///
    /// Needs the operator's key. Purpose by default: administration. Exit code 5 if one cannot be written: erasures stay
    /// pending until it can, or is dropped.
    Status,
    /// List, with the server stopped, the mirrors that the vault has; changes nothing.
    List {
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Give a mirror up for good, with the server stopped: its disk is lost, or another takes its place.
    ///
    /// It goes into the vault's log. Until then the vault does not start without it, and erasures stay pending while it
    /// cannot be written.
    Drop {
        /// The mirror, as `list` shows it.
        mirror: MirrorId,

        #[command(flatten)]
        configuration: Configuration,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let out = context.out;
    match command {
        Command::Status => return status(context).await,
        Command::List { configuration } => {
            let mirrors = list_mirrors(&configuration.load()?);
            let mirrors = mirrors.map_err(|error| Failure::failed(format!("cannot list: {}", causes(&error))))?;
            for mirror in mirrors {
                let path = mirror.path.display().to_string();
                let card = Card::new(format!("mirror {}", mirror.id)).row("folder", &path);
                out.result(&json!({ "mirror": mirror.id.to_string(), "path": path }), &card)?;
            }
        }
        Command::Drop { mirror, configuration } => {
            let dropped = drop_mirror(&configuration.load()?, mirror).await;
            dropped.map_err(|error| Failure::failed(format!("cannot drop: {}", causes(&error))))?;
            let json = json!({ "mirror": mirror.to_string(), "dropped": true });
            out.result(&json, &Card::new(format!("dropped the mirror {mirror}; the vault's log says so")))?;
        }
    }
    Ok(Exit::Done)
}

async fn status(context: &Context) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let (mut page_token, mut failing) = (String::new(), false);
    loop {
        let purpose = context.connection.purpose(Purpose::Administration);
        let request = ListMirrorsRequest { purpose, page_size: 0, page_token };
        let page = client.backups().list_mirrors(request).await?.into_inner();
        for mirror in &page.mirrors {
            failing |= mirror.state() == MirrorState::Failing;
            let (json, card) = view::mirror(mirror);
            context.out.result(&json, &card)?;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(if failing { Exit::No } else { Exit::Done });
        }
    }
}
