//! What a transit root store is opened with.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ::http::Uri;
use lethe_crypto::Result;

use crate::Error;

/// Where a transit root store is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitOptions {
    /// `https://host:port`; `http://` on loopback alone.
    pub address: String,
    /// PEM file with the authorities that the server's certificate may come from. Needed with `https`: the
    /// system's are not asked.
    pub ca_file: Option<PathBuf>,
    /// File with the token: mode 0600, one line. Read anew for every request, so that it may be renewed.
    pub token_file: PathBuf,
    /// Namespace of the mounts, if they are in one.
    pub namespace: Option<String>,
    /// Where the transit engine is mounted.
    pub transit_mount: String,
    /// Where a KV engine of version 2 is mounted.
    pub kv_mount: String,
    /// Prefix of everything that this store makes. One vault, one name.
    pub name: String,
    /// After how long a request is given up; a call makes at most a few.
    pub timeout: Duration,
}

impl TransitOptions {
    /// With the mounts `transit` and `secret`, the name `lethe`, and ten seconds for each request.
    #[must_use]
    pub fn new(address: impl Into<String>, token_file: impl Into<PathBuf>) -> Self {
        Self {
            address: address.into(),
            ca_file: None,
            token_file: token_file.into(),
            namespace: None,
            transit_mount: "transit".to_owned(),
            kv_mount: "secret".to_owned(),
            name: "lethe".to_owned(),
            timeout: Duration::from_secs(10),
        }
    }

    /// Checks what can be checked without opening the store.
    ///
    /// # Errors
    /// [`lethe_crypto::Error::RootStore`] with [`Error::Options`] as its source.
    pub fn check(&self) -> Result<()> {
        self.parse().map(drop)
    }

    /// Checks everything, and gives the address taken apart.
    pub(super) fn parse(&self) -> Result<Address> {
        let address = Address::parse(&self.address)?;
        match (&address.tls, &self.ca_file) {
            (true, None) => return Err(Error::option("the CA file", "must be given with an https address")),
            (false, Some(_)) => return Err(Error::option("the CA file", "has no use with an http address")),
            (true, Some(_)) | (false, None) => {}
        }
        let mounts = [("the transit mount", &self.transit_mount), ("the KV mount", &self.kv_mount)];
        let namespace = self.namespace.as_ref().map(|namespace| ("the namespace", namespace));
        for (option, path) in mounts.into_iter().chain(namespace) {
            if path.split('/').any(|part| !is_plain(part)) {
                return Err(Error::option(option, "must be letters, digits, or any of - _ ., and slashes between"));
            }
        }
        if !is_plain(&self.name) || self.name.len() > 64 {
            return Err(Error::option("the name", "must be 1 to 64 letters, digits, or any of - _ ."));
        }
        if self.timeout.is_zero() {
            return Err(Error::option("the timeout", "must not be zero"));
        }
        Ok(address)
    }
}

/// Nothing that means anything in a path; and no `..`.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// An address, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| Error::option("the address", why);
        let uri: Uri = text.parse().map_err(|_| refuse("is no URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(refuse("must begin with https://")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse("must end with the host and port: mounts are options of their own"));
        }
        let host = uri.host().ok_or_else(|| refuse("has no host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(refuse("must not contain a user"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !tls && !loopback {
            return Err(refuse("must begin with https://, because the host is not this one"));
        }
        Ok(Self { tls, host, port: uri.port_u16().unwrap_or(8200) })
    }

    /// As the `Host` header has it.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let good = TransitOptions::new("http://127.0.0.1:8200", "/etc/token");
        assert!(good.check().is_ok());
        let ca = Some(PathBuf::from("/etc/ca"));
        let tls = TransitOptions { address: "https://vault.example".into(), ca_file: ca.clone(), ..good.clone() };
        let address = tls.parse().unwrap();
        assert_eq!((address.tls, address.authority().as_str()), (true, "vault.example:8200"));
        let v6 = TransitOptions { address: "http://[::1]:1".into(), ..good.clone() };
        assert_eq!(v6.parse().unwrap().authority(), "[::1]:1");

        let with = |change: &dyn Fn(&mut TransitOptions)| {
            let mut options = good.clone();
            change(&mut options);
            let error = options.check().unwrap_err();
            std::error::Error::source(&error).unwrap().to_string()
        };
        for address in [
            "",
            "vault",
            "ftp://a",
            "http://10.0.0.1",
            "http://vault.example",
            "http://127.0.0.1/v1",
            "http://a@127.0.0.1",
        ] {
            let words = with(&|options| options.address = address.into());
            assert!(words.contains("the address"), "{address}: {words}");
        }
        assert!(with(&|options| options.address = "https://a".into()).contains("CA file must be given"));
        assert!(with(&|options| options.ca_file = ca.clone()).contains("no use"));
        for bad in ["", "a b", "../sys", "a//b", "a?b", "a/.."] {
            assert!(with(&|options| options.transit_mount = bad.into()).contains("transit mount"), "{bad}");
            assert!(with(&|options| options.kv_mount = bad.into()).contains("KV mount"), "{bad}");
            assert!(with(&|options| options.name = bad.into()).contains("the name"), "{bad}");
            assert!(with(&|options| options.namespace = Some(bad.into())).contains("namespace"), "{bad}");
        }
        assert!(with(&|options| options.timeout = Duration::ZERO).contains("timeout"));
    }
}
