//! `lethe key new-operator`: another operator's key, by who holds data and root.

use clap::Args;
use serde_json::json;

use super::issued::KeyOut;
use crate::access::ApiKey;
use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output};
use crate::{opening, tenant};

/// Whose, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Command {
    #[command(flatten)]
    configuration: Configuration,

    #[command(flatten)]
    key_out: KeyOut,
}

/// Opens the vault as a start does, and closes it again.
pub(crate) async fn run(out: Output, command: Command) -> Result<Exit, Failure> {
    let Command { configuration, key_out } = command;
    let config = configuration.load()?;
    key_out.check()?;
    if !config.data_dir.join("db").is_dir() {
        return Err(Failure::failed(format!("there is no vault in {}", config.data_dir.display())));
    }
    let opened = opening::open(&config).await;
    let opened = opened.map_err(|error| Failure::failed(format!("cannot open the vault: {}", causes(&error))))?;
    let made = match opened.operator_key {
        // An earlier first start was cut short: the vault got its first operator just now.
        Some(first) => Ok(first),
        None => {
            let key = ApiKey::generate();
            tenant::new_operator(&opened.vault, &key).await.map(|()| key)
        }
    };
    opened.vault.close().await;
    let key = made.map_err(|error| Failure::failed(format!("cannot make the key: {}", causes(&error))))?;
    let name = format!("vault/credentials/{}", key.credential());
    let card = Card::new("a new operator").row("name", &name);
    key_out.show_key(out, &key.reveal(), (json!({ "name": name }), card))?;
    Ok(Exit::Done)
}
