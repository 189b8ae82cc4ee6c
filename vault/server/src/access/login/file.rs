//! The file of identity providers, and the JWK sets that it names.

use std::fs::{Metadata, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_domain::{Login, TenantId};
use rustix::fs::OFlags;
use serde::Deserialize;

use super::jwks;
use super::provider::{Keys, Provider};

/// Longest file worth reading, in bytes.
const LONGEST: u64 = 1 << 20;
/// Most providers.
const MOST: usize = 64;
/// Methods by which people show that they know something: never two factors (RFC 8176).
const KNOWN_THINGS: [&str; 3] = ["pwd", "pin", "kba"];
/// How long a token may be good at most, in seconds, where a provider says nothing.
const LIFETIME: i64 = 3600;

/// Why identity providers cannot be used, or not as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`access.identity_providers`: {}: {reason}", path.display())]
pub struct ProvidersError {
    /// The file that is wrong.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What counts of the files, and what of them does not.
#[derive(Default)]
pub(super) struct State {
    /// The providers' file when it was good last, byte by byte: what did not change need not be read again.
    text: String,
    /// The sets that it names, good or not.
    sets: Vec<Result<String, String>>,
    /// Who is believed.
    pub(super) providers: Arc<Vec<Provider>>,
    /// What is wrong with the providers' file as it is now.
    fault: Option<ProvidersError>,
    /// What is wrong with sets.
    faults_of_sets: Vec<ProvidersError>,
    /// Where others than the server's own user and root could write.
    pub(super) open: Vec<ProvidersError>,
}

impl State {
    /// What is wrong with the files as they are now.
    pub(super) fn faults(&self) -> impl Iterator<Item = &ProvidersError> {
        self.fault.iter().chain(&self.faults_of_sets)
    }
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

/// Reads the file and all that it names. A file that is wrong leaves what it said `before`; a set that is, its provider's keys.
///
/// # Errors
/// Names the file, and in it the key, where there is nothing from before.
pub(super) fn read(path: &Path, before: &State) -> Result<State, ProvidersError> {
    let mut open = Vec::new();
    let found = text(path, &mut open).and_then(|text| parse(&text).map(|listed| (text, listed)));
    let (text_now, listed, fault) = match found {
        Ok((text, listed)) => (text, listed, None),
        Err(reason) => {
            let fault = ProvidersError { path: path.to_owned(), reason };
            let listed = parse(&before.text).map_err(|_| fault.clone())?;
            (before.text.clone(), listed, Some(fault))
        }
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let paths: Vec<_> = listed.iter().map(|(_, set)| folder.join(set)).collect();
    let sets: Vec<_> = paths.iter().map(|path| text(path, &mut open)).collect();
    if before.text == text_now && before.sets == sets {
        let (providers, faults_of_sets) = (Arc::clone(&before.providers), before.faults_of_sets.clone());
        return Ok(State { text: text_now, sets, providers, fault, faults_of_sets, open });
    }
    let last = |issuer: &str| before.providers.iter().find(|known| known.issuer == issuer);
    let (mut providers, mut faults_of_sets) = (Vec::with_capacity(listed.len()), Vec::new());
    for (((mut provider, _), set), path) in listed.into_iter().zip(&sets).zip(paths) {
        provider.keys = match set.as_ref().map_err(Clone::clone).and_then(|text| jwks::read(text)) {
            Ok(keys) => keys.into(),
            Err(reason) => {
                faults_of_sets.push(ProvidersError { path, reason });
                last(&provider.issuer).map(|known| Arc::clone(&known.keys)).unwrap_or_default()
            }
        };
        providers.push(provider);
    }
    Ok(State { text: text_now, sets, providers: Arc::new(providers), fault, faults_of_sets, open })
}

/// What a file says, if it is one, or why not; who could write it is looked at, too.
fn text(path: &Path, open: &mut Vec<ProvidersError>) -> Result<String, String> {
    let unreadable = |fault: std::io::Error| format!("cannot be read: {fault}");
    let expect_file = |metadata: &Metadata| {
        if metadata.is_file() { Ok(()) } else { Err("is no regular file".to_owned()) }
    };
    // To open a pipe or a device may do something. Links are followed: files are often handed out so.
    expect_file(&std::fs::metadata(path).map_err(unreadable)?)?;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    expect_file(&metadata)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let around = std::fs::metadata(folder).map_err(unreadable)?;
    for (path, metadata) in [(path, metadata), (folder, around)] {
        let known = open.iter().any(|other| other.path == path);
        if let Some(reason) = writers(&metadata).filter(|_| !known) {
            open.push(ProvidersError { path: path.to_owned(), reason });
        }
    }
    let mut text = String::new();
    let length = file.take(LONGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if length as u64 > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    Ok(text)
}

/// Who could write there that should not, if somebody could: whoever writes decides who is believed.
fn writers(metadata: &Metadata) -> Option<String> {
    let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
    if mode & 0o022 != 0 {
        return Some(format!("may be written by its group or by others (mode {mode:04o})"));
    }
    let is_own = owner == 0 || owner == rustix::process::geteuid().as_raw();
    (!is_own).then(|| format!("is owned by user {owner}, who is neither root nor the server's"))
}

/// Reads the TOML: providers without their keys, and where these are. Of a value that is wrong, the key is that of its line.
fn parse(text: &str) -> Result<Vec<(Provider, PathBuf)>, String> {
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
    let mut known: Vec<(Provider, PathBuf)> = Vec::with_capacity(listed.provider.len());
    for described in listed.provider {
        let (issuer, set) = (described.issuer.clone(), described.jwks_file.clone());
        let provider = provider(described).map_err(|(key, why)| format!("{issuer}: `{key}` {why}"))?;
        if known.iter().any(|(other, _)| other.issuer == provider.issuer) {
            return Err(format!("{issuer}: `issuer` is named twice"));
        }
        known.push((provider, set));
    }
    Ok(known)
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
    let known_thing = |method: &&String| KNOWN_THINGS.iter().any(|known| known.eq_ignore_ascii_case(method));
    if let Some(method) = described.second_factor_amr.iter().find(known_thing) {
        return Err(("second_factor_amr", format!("{method:?} says that somebody knew something: that is one factor")));
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
        keys: Keys::default(),
        amr: described.second_factor_amr,
        acr: described.second_factor_acr,
        operators: described.operators,
        max_lifetime: described.max_lifetime_s,
    })
}
