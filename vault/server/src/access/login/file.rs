//! The file of identity providers, and the JWK sets that it names.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lethe_domain::{Login, TenantId};
use serde::Deserialize;

use super::jwks;
use super::provider::Provider;

/// Longest file worth reading, in bytes.
const LONGEST: u64 = 1 << 20;
/// Most providers.
const MOST: usize = 64;
/// How long a token may be good at most, in seconds, where a provider says nothing.
const LIFETIME: i64 = 3600;

/// Why identity providers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`access.identity_providers`: {}: {reason}", path.display())]
pub struct ProvidersError {
    /// The file that is wrong.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What the files say, byte by byte: what did not change need not be read again.
#[derive(PartialEq, Eq)]
pub(super) struct Texts {
    providers: String,
    sets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    provider: Vec<Described>,
}

/// A provider, as the file describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    issuer: String,
    audiences: Vec<String>,
    jwks_file: PathBuf,
    #[serde(default)]
    second_factor_amr: Vec<String>,
    #[serde(default)]
    second_factor_acr: Vec<String>,
    #[serde(default)]
    tenants: Vec<String>,
    #[serde(default)]
    operators: bool,
    #[serde(default = "usual_lifetime")]
    max_lifetime_s: i64,
}

const fn usual_lifetime() -> i64 {
    LIFETIME
}

/// Reads the file and all that it names; `None` where all of it is as in `before`.
///
/// # Errors
/// Names the file, and in it the key.
pub(super) fn read(path: &Path, before: Option<&Texts>) -> Result<Option<(Texts, Vec<Provider>)>, ProvidersError> {
    let providers = text(path)?;
    let refuse = |reason| ProvidersError { path: path.to_owned(), reason };
    let listed = parse(&providers).map_err(refuse)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let sets: Vec<_> = listed.provider.iter().map(|provider| folder.join(&provider.jwks_file)).collect();
    let texts = sets.iter().map(|set| text(set)).collect::<Result<_, _>>()?;
    let texts = Texts { providers, sets: texts };
    if before == Some(&texts) {
        return Ok(None);
    }
    let mut known: Vec<Provider> = Vec::new();
    for ((described, set), path_of_set) in listed.provider.into_iter().zip(&texts.sets).zip(sets) {
        let issuer = described.issuer.clone();
        let mut provider = provider(described).map_err(|(key, why)| refuse(format!("{issuer}: `{key}` {why}")))?;
        if known.iter().any(|other| other.issuer == provider.issuer) {
            return Err(refuse(format!("{issuer}: `issuer` is named twice")));
        }
        provider.keys = jwks::read(set).map_err(|reason| ProvidersError { path: path_of_set, reason })?;
        known.push(provider);
    }
    Ok(Some((texts, known)))
}

fn text(path: &Path) -> Result<String, ProvidersError> {
    let refuse = |reason: String| ProvidersError { path: path.to_owned(), reason };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    let length = read.map_err(|fault| refuse(format!("cannot be read: {fault}")))?;
    if length as u64 > LONGEST {
        return Err(refuse(format!("is longer than {LONGEST} bytes")));
    }
    Ok(text)
}

/// Reads the TOML; of a value that is wrong, the key is that of its line.
fn parse(text: &str) -> Result<Listed, String> {
    let listed: Listed = toml::from_str(text).map_err(|fault| {
        let Some(at) = fault.span() else { return fault.message().to_owned() };
        let before = text.get(..at.start).unwrap_or_default();
        let (number, line) = (1 + before.matches('\n').count(), before.rsplit('\n').next().unwrap_or_default());
        match line.split_once('=') {
            Some((key, _)) => format!("line {number}: `{}`: {}", key.trim(), fault.message()),
            None => format!("line {number}: {}", fault.message()),
        }
    })?;
    if listed.provider.len() > MOST {
        return Err(format!("has {} providers; at most {MOST} are allowed", listed.provider.len()));
    }
    Ok(listed)
}

/// A provider without its keys, or which key of the file is wrong, and how.
fn provider(described: Described) -> Result<Provider, (&'static str, String)> {
    if let Some(why) = Login::fault_of_issuer(&described.issuer) {
        return Err(("issuer", why.to_owned()));
    }
    if described.audiences.is_empty() {
        return Err(("audiences", "is empty; name what the provider calls this vault".to_owned()));
    }
    for (key, values) in [
        ("audiences", &described.audiences),
        ("second_factor_amr", &described.second_factor_amr),
        ("second_factor_acr", &described.second_factor_acr),
    ] {
        if values.iter().any(String::is_empty) {
            return Err((key, "has an empty value".to_owned()));
        }
    }
    if !(60..=86_400).contains(&described.max_lifetime_s) {
        return Err(("max_lifetime_s", format!("{} is out of range, 60 to 86400", described.max_lifetime_s)));
    }
    if described.tenants.is_empty() && !described.operators {
        return Err(("tenants", "is missing, and `operators` is not true: it may speak for nobody".to_owned()));
    }
    let tenant = |id: &String| TenantId::parse(id).map_err(|fault| ("tenants", format!("{id:?}: {}", fault.message)));
    Ok(Provider {
        tenants: described.tenants.iter().map(tenant).collect::<Result<_, _>>()?,
        issuer: described.issuer,
        audiences: described.audiences,
        keys: Vec::new(),
        amr: described.second_factor_amr,
        acr: described.second_factor_acr,
        operators: described.operators,
        max_lifetime: described.max_lifetime_s,
    })
}
