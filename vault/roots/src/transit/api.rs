//! The handful of API calls, and what their answers mean.

use ::http::{Method, StatusCode};
use lethe_crypto::Result;
use lethe_crypto::root::RootId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::http::{Answer, Client};
use super::options::TransitOptions;
use crate::Error;

/// Every answer with content.
#[derive(Deserialize)]
pub(super) struct Reply<T> {
    pub(super) data: T,
}

/// Every answer without.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

/// What the server says of a key.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct KeyInfo {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) exportable: bool,
    pub(super) allow_plaintext_backup: bool,
    pub(super) derived: bool,
    pub(super) latest_version: u64,
    /// Vault gives seconds; absent before it knew rotation.
    #[serde(default)]
    pub(super) auto_rotate_period: u64,
    /// A key from elsewhere may be elsewhere still.
    #[serde(default)]
    pub(super) imported_key: bool,
}

#[derive(Deserialize)]
struct Names {
    keys: Vec<String>,
}

/// A server, seen through its API.
pub(super) struct Api {
    client: Client,
}

impl Api {
    pub(super) fn new(options: TransitOptions) -> Result<Self> {
        Ok(Self { client: Client::new(options)? })
    }

    pub(super) fn options(&self) -> &TransitOptions {
        self.client.options()
    }

    /// The key of a root, or `None` if there is none.
    pub(super) async fn key(&self, root: RootId) -> Result<Option<KeyInfo>> {
        let (action, path) = ("reading a root", self.key_path(root));
        let answer = self.send(action, Method::GET, &path, &[]).await?;
        match absent(&answer) {
            true => Ok(None),
            false => Ok(Some(parse::<Reply<KeyInfo>>(action, &path, &answer)?.data)),
        }
    }

    pub(super) async fn make_key(&self, root: RootId) -> Result<()> {
        const BODY: &[u8] = br#"{"type":"aes256-gcm96","derived":false,"exportable":false,"allow_plaintext_backup":false,"auto_rotate_period":"0"}"#;
        let (action, path) = ("creating a root", self.key_path(root));
        succeed(action, &path, &self.send(action, Method::POST, &path, BODY).await?)
    }

    /// Allows and does the deletion. That the key is not there is no error: whoever asks reads it back.
    pub(super) async fn delete_key(&self, root: RootId) -> Result<()> {
        let (action, path) = ("destroying a root", self.key_path(root));
        let allow = format!("{path}/config");
        let allowed = self.send(action, Method::POST, &allow, br#"{"deletion_allowed":true}"#).await?;
        step!("root-transit-deletion-allowed");
        let deleted = self.send(action, Method::DELETE, &path, &[]).await?;
        // If the key is still there, the first refusal says why.
        match (deleted.status.is_success(), self.key(root).await?) {
            (_, None) => Ok(()),
            (false, Some(_)) => {
                succeed(action, &allow, &allowed)?;
                succeed(action, &path, &deleted)
            }
            (true, Some(_)) => Err(lethe_crypto::Error::RootsRemain(1)),
        }
    }

    /// The ids of all keys that bear this store's prefix. A name that only looks like it is somebody else's.
    pub(super) async fn keys(&self) -> Result<Vec<RootId>> {
        let (action, path) = ("listing roots", format!("{}/keys", self.options().transit_mount));
        let answer = self.send(action, Method::from_bytes(b"LIST").unwrap_or(Method::GET), &path, &[]).await?;
        if absent(&answer) {
            return Ok(Vec::new());
        }
        let names = parse::<Reply<Names>>(action, &path, &answer)?.data.keys;
        let prefix = format!("{}-", self.options().name);
        Ok(names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect())
    }

    pub(super) async fn send(&self, action: &'static str, method: Method, path: &str, body: &[u8]) -> Result<Answer> {
        let answer = self.client.send(action, method, path, Zeroizing::new(body.to_vec())).await?;
        match answer.status {
            StatusCode::FORBIDDEN => Err(Error::Denied { path: path.to_owned() }.during(action)),
            // 429, 472, 473: standby nodes. 307: one that would send us on to another.
            status if status.is_server_error() || matches!(status.as_u16(), 307 | 308 | 412 | 429 | 472 | 473) => {
                Err(Error::Unavailable { status: status.as_u16() }.during(action))
            }
            _ => Ok(answer),
        }
    }

    pub(super) fn key_path(&self, root: RootId) -> String {
        format!("{}/keys/{}-{root}", self.options().transit_mount, self.options().name)
    }
}

/// Does the answer say that there is no such thing? A route that does not exist is another matter: an
/// unmounted engine would look like roots that are destroyed. The server gives reasons for that one only.
pub(super) fn absent(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND
        && serde_json::from_slice::<Refusal>(&answer.body).is_ok_and(|refusal| refusal.errors.is_empty())
}

/// Fails unless the answer has a status of success.
pub(super) fn succeed(action: &'static str, path: &str, answer: &Answer) -> Result<()> {
    if answer.status.is_success() {
        return Ok(());
    }
    let errors = serde_json::from_slice::<Refusal>(&answer.body).map(|refusal| refusal.errors).unwrap_or_default();
    let what = if errors.is_empty() { "no reason given".to_owned() } else { errors.join("; ") };
    Err(Error::Answer { path: path.to_owned(), status: answer.status.as_u16(), what }.during(action))
}

/// What a successful answer holds.
pub(super) fn parse<T: DeserializeOwned>(action: &'static str, path: &str, answer: &Answer) -> Result<T> {
    succeed(action, path, answer)?;
    serde_json::from_slice(&answer.body).map_err(|_| unexpected(action, path, answer))
}

/// An answer that is not as the API describes it. Its text is not repeated: it may hold a secret.
pub(super) fn unexpected(action: &'static str, path: &str, answer: &Answer) -> lethe_crypto::Error {
    let what = "its content is not what this version understands".to_owned();
    Error::Answer { path: path.to_owned(), status: answer.status.as_u16(), what }.during(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), body: Zeroizing::new(body.as_bytes().to_vec()) }
    }

    #[test]
    fn only_a_404_without_reasons_means_that_nothing_is_there() {
        assert!(absent(&answer(404, r#"{"errors":[]}"#)));
        let elsewhere = r#"{"errors":["no handler for route \"transit/keys/a\". route entry not found."]}"#;
        for (status, body) in [(404, elsewhere), (404, ""), (404, "<html>"), (400, r#"{"errors":[]}"#), (200, "{}")] {
            assert!(!absent(&answer(status, body)), "{status} {body}");
        }
    }

    #[test]
    fn reasons_are_passed_on() {
        let error = succeed("testing", "a/path", &answer(400, r#"{"errors":["one","two"]}"#)).unwrap_err();
        let words = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(words, "a/path answers 400: one; two");
        assert!(succeed("testing", "a/path", &answer(204, "")).is_ok());
    }
}
