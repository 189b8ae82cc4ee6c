//! The register: a KV v2 secret with the claim and how far each root has come, changed by check-and-set.

use std::collections::BTreeMap;

use ::http::{Method, StatusCode};
use lethe_crypto::root::{Claim, RootId};
use lethe_crypto::{Error as CryptoError, Result};
use serde::{Deserialize, Serialize};

use super::api::{Api, absent, parse, succeed, unexpected};
use crate::Error;
use crate::formats::register::{Document, Register, Stage};

/// How often a change is tried anew because another was faster.
const ATTEMPTS: usize = 8;

#[derive(Deserialize)]
struct Versioned {
    data: Option<Document>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}

#[derive(Deserialize)]
struct Reply {
    data: Versioned,
}

#[derive(Serialize)]
struct Write {
    options: Cas,
    data: Document,
}

#[derive(Serialize)]
struct Cas {
    cas: u64,
}

impl Api {
    /// The register and its version. One that was never written has version 0; one that somebody deleted
    /// has a version and no content.
    pub(super) async fn register(&self) -> Result<(Option<Register>, u64)> {
        let (action, path) = ("reading the register", self.register_path());
        let answer = self.send(action, Method::GET, &path, &[]).await?;
        if answer.status == StatusCode::NOT_FOUND {
            if let Ok(Reply { data: Versioned { data: None, metadata } }) = serde_json::from_slice(&answer.body) {
                return Ok((None, metadata.version));
            }
            if absent(&answer) {
                return Ok((None, 0));
            }
        }
        let reply: Reply = parse(action, &path, &answer)?;
        let document = reply.data.data.ok_or_else(|| unexpected(action, &path, &answer))?;
        Ok((Some(Register::decode(&document)?), reply.data.metadata.version))
    }

    /// Compare-and-swap: `change` says what the register must become, or `None` if it is right as it is. It is
    /// asked again if another was faster.
    pub(super) async fn change(
        &self,
        action: &'static str,
        mut change: impl FnMut(Option<Register>) -> Result<Option<Register>> + Send,
    ) -> Result<()> {
        let path = self.register_path();
        for _ in 0..ATTEMPTS {
            let (register, version) = self.register().await?;
            let Some(changed) = change(register)? else { return Ok(()) };
            let write = Write { options: Cas { cas: version }, data: changed.encode() };
            let body = serde_json::to_vec(&write).map_err(|error| Error::option("the register", error.to_string()))?;
            let answer = self.send(action, Method::POST, &path, &body).await?;
            if answer.status.is_success() {
                return Ok(());
            }
            // Refused because of its version, or for another reason? The version tells.
            if self.register().await?.1 == version {
                succeed(action, &path, &answer)?;
            }
        }
        Err(Error::Busy("others change the register all the time").during(action))
    }

    /// As [`Api::change`], for who has the claim.
    pub(super) async fn change_claimed(
        &self,
        action: &'static str,
        claim: &Claim,
        mut change: impl FnMut(&mut BTreeMap<RootId, Stage>) -> Result<()> + Send,
    ) -> Result<()> {
        self.change(action, |register| {
            claim.check(register.as_ref().map(|register| &register.claim))?;
            let Some(before) = register else { return Err(CryptoError::Unclaimed) };
            let mut after = before.clone();
            change(&mut after.roots)?;
            Ok((after != before).then_some(after))
        })
        .await
    }

    fn register_path(&self) -> String {
        format!("{}/data/{}/roots", self.options().kv_mount, self.options().name)
    }
}
