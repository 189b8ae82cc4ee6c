//! What is to show a new credential: a login, or an API key, and where that goes: to the screen, once, or into a private file.

use std::path::{Path, PathBuf};

use clap::Args;
use lethe_proto::v1::{IssuedCredential, Login};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::exit::Failure;
use crate::cli::output::{Card, Output, remark};
use crate::cli::secret::write_private;

/// Where the key goes.
#[derive(Debug, Args)]
pub(crate) struct KeyOut {
    /// Write the API key to this new file, readable by you alone, instead of showing it.
    #[arg(long, value_name = "FILE")]
    key_out: Option<PathBuf>,
}

/// The login that shows a new credential, in place of an API key.
#[derive(Debug, Args)]
pub(crate) struct LoginOf {
    /// No API key: a login shows the credential. This is the `iss` of its tokens, exactly as the identity provider sends it.
    #[arg(long, value_name = "URL", requires = "login_subject", conflicts_with = "key_out")]
    login_issuer: Option<String>,

    /// The `sub` of the login's tokens, exactly as the identity provider sends it.
    #[arg(long, value_name = "SUBJECT", requires = "login_issuer")]
    login_subject: Option<String>,
}

impl LoginOf {
    /// The login, if one was named.
    pub(crate) fn given(self) -> Option<Login> {
        let (issuer, subject) = self.login_issuer.zip(self.login_subject)?;
        Some(Login { issuer, subject })
    }
}

impl KeyOut {
    /// Refuses before the key exists what would lose it afterwards.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match &self.key_out {
            Some(path) => check_new(path),
            None => Ok(()),
        }
    }

    /// Shows a new credential, and its key where it was asked for.
    pub(crate) fn show(&self, out: Output, mut issued: IssuedCredential, view: (Value, Card)) -> Result<(), Failure> {
        let key = Zeroizing::new(std::mem::take(&mut issued.api_key));
        if key.is_empty() {
            return out.result(&view.0, &view.1);
        }
        self.show_key(out, &key, view)
    }

    /// Shows what a key is for, and the key where it was asked for.
    pub(crate) fn show_key(&self, out: Output, key: &str, (mut json, card): (Value, Card)) -> Result<(), Failure> {
        let card = match self.written(key) {
            Some(path) => {
                json["key_file"] = json!(path.display().to_string());
                card.row("API key", format!("in {}", path.display()))
            }
            None => {
                json["api_key"] = json!(key);
                card.row("API key", key).row("", "shown this once; keep it like a password")
            }
        };
        out.result(&json, &card)
    }

    /// Writes the key. If that fails the key is shown after all: it could not be had again.
    fn written(&self, key: &str) -> Option<&Path> {
        let path = self.key_out.as_deref()?;
        match write_private(path, key) {
            Ok(()) => Some(path),
            Err(error) => {
                remark(&format!("cannot write {}, so the key is shown: {error}", path.display()));
                None
            }
        }
    }
}

/// Refuses a file that exists or whose folder does not.
pub(crate) fn check_new(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        let path = path.display();
        return Err(Failure::usage(format!("{path} exists; it is not overwritten")));
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => Err(Failure::usage(format!("there is no folder {}", folder.display()))),
        Some(_) | None => Ok(()),
    }
}
