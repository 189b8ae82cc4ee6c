//! `lethe key new-operator`: another operator, by who holds data and root.

use clap::Args;
use lethe_domain::Login;
use serde_json::json;

use super::issued::{KeyOut, LoginOf};
use crate::access::ApiKey;
use crate::cli::configuration::Configuration;
use crate::cli::exit::{Exit, Failure, causes};
use crate::cli::output::{Card, Output};
use crate::error::Error;
use crate::{opening, tenant};

/// Whose, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Command {
    #[command(flatten)]
    configuration: Configuration,

    #[command(flatten)]
    login: LoginOf,

    #[command(flatten)]
    key_out: KeyOut,
}

/// Opens the vault as a start does, and closes it again.
pub(crate) async fn run(out: Output, command: Command) -> Result<Exit, Failure> {
    let Command { configuration, login, key_out } = command;
    let config = configuration.load()?;
    key_out.check()?;
    let login = login.given().map(|login| Login::parse("login", &login.issuer, &login.subject)).transpose();
    let login = login.map_err(|refused| Failure::usage(refused.to_string()))?;
    if !config.data_dir.join("db").is_dir() {
        return Err(Failure::failed(format!("there is no vault in {}", config.data_dir.display())));
    }
    let opened = opening::open(&config).await;
    let opened = opened.map_err(|error| Failure::failed(format!("cannot open the vault: {}", causes(&error))))?;
    let mut refused = None;
    let made = match (opened.operator_key, login) {
        // An earlier first start was cut short: the vault got its first operator just now.
        (Some(first), None) => Ok((first.credential(), Some(first))),
        // The same, and a login takes the place of that key, which nobody is shown.
        (first, login) => {
            let unseen = first.as_ref().map(ApiKey::credential);
            match (tenant::new_operator(&opened.vault, login, unseen).await, first) {
                (Ok(issued), _) => Ok((issued.credential.principal.credential, issued.api_key)),
                (Err(error), Some(first)) => {
                    refused = Some(error);
                    Ok((first.credential(), Some(first)))
                }
                (Err(error), None) => Err(error),
            }
        }
    };
    opened.vault.close().await;
    let failed = |error: Error| Failure::failed(format!("cannot make the operator: {}", causes(&error)));
    let (id, key) = made.map_err(failed)?;
    let name = format!("vault/credentials/{id}");
    let card = Card::new("a new operator").row("name", &name);
    let json = json!({ "name": name });
    match key {
        Some(key) => key_out.show_key(out, &key.reveal(), (json, card))?,
        None => out.result(&json, &card)?,
    }
    // The key that was made all the same has been shown by now.
    refused.map_or(Ok(Exit::Done), |error| Err(failed(error)))
}
