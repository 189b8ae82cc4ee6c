//! `lethe mirror`: the mirrors of a vault, offline.

use clap::Subcommand;
use serde_json::json;

use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output};
use crate::store::MirrorId;
use crate::{drop_mirror, list_mirrors};

/// What to do with mirrors.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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

pub(crate) async fn run(out: Output, command: &Command) -> Result<Exit, Failure> {
    match command {
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
            let dropped = drop_mirror(&configuration.load()?, *mirror).await;
            dropped.map_err(|error| Failure::failed(format!("cannot drop: {}", causes(&error))))?;
            let json = json!({ "mirror": mirror.to_string(), "dropped": true });
            out.result(&json, &Card::new(format!("dropped the mirror {mirror}; the vault's log says so")))?;
        }
    }
    Ok(Exit::Done)
}
