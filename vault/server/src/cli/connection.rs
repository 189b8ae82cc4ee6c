//! Where a server is, who calls, and what for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::Uri;
use lethe_proto::names::{SubjectName, TenantName};
use lethe_proto::v1::Purpose;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::client::Client;
use super::exit::{Exit, Failure, causes};
use super::secret::{ApiKey, KEY_VARIABLE, TOKEN_VARIABLE};
use super::values;

/// How to reach a server, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// Where the server is. Plain http is for loopback alone.
    #[arg(long, global = true, env = "LETHE_ENDPOINT", default_value = "http://127.0.0.1:7443")]
    #[arg(value_name = "URL")]
    pub(super) endpoint: String,

    /// API key. Other users of this machine can see arguments: better --key-file, or LETHE_KEY in the
    /// environment, which is used if neither is given.
    #[arg(long, global = true, value_name = "KEY", conflicts_with = "key_file")]
    pub(super) key: Option<ApiKey>,

    /// File that holds the API key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,

    /// File that holds a token of an identity provider, for who logs in there instead of having a key; or LETHE_LOGIN_TOKEN in
    /// the environment.
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["key", "key_file"])]
    pub(super) login_token_file: Option<PathBuf>,

    /// Tenant, such as acme.
    #[arg(long, global = true, env = "LETHE_TENANT", value_name = "ID")]
    pub(super) tenant: Option<String>,

    /// What the call is for; each command says what it takes by default.
    #[arg(long, global = true, value_parser = values::purpose(), ignore_case = true)]
    #[arg(value_name = "PURPOSE", hide_possible_values = true)]
    pub(super) purpose: Option<Purpose>,

    /// Authorities to trust the server's certificate by, PEM. Needed with https: the system's are not
    /// used.
    #[arg(long, global = true, env = "LETHE_CA_CERT", value_name = "FILE")]
    pub(super) ca_cert: Option<PathBuf>,

    /// Client certificate, PEM, for a server that asks for one.
    #[arg(long, global = true, value_name = "FILE", requires = "client_key")]
    pub(super) client_cert: Option<PathBuf>,

    /// Private key of the client certificate, PEM.
    #[arg(long, global = true, value_name = "FILE", requires = "client_cert")]
    pub(super) client_key: Option<PathBuf>,

    /// Seconds to wait for an answer.
    #[arg(long, global = true, default_value_t = 60, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) timeout: u64,
}

impl Connection {
    /// Opens the connection.
    pub(super) async fn open(&self) -> Result<Client, Failure> {
        let key = self.credential()?;
        let channel = self.endpoint()?.connect().await.map_err(|error| {
            let why = causes(&error);
            Failure::new(Exit::NotNow, format!("cannot reach {}: {why}", self.endpoint))
        })?;
        Client::new(channel, key.as_ref(), Duration::from_secs(self.timeout))
    }

    /// The tenant that was named.
    pub(super) fn tenant(&self) -> Result<TenantName, Failure> {
        let Some(tenant) = &self.tenant else {
            return Err(Failure::usage("name the tenant with --tenant, or set LETHE_TENANT"));
        };
        // The whole name is what other commands print.
        let id = tenant.strip_prefix("tenants/").unwrap_or(tenant);
        TenantName::new(id).map_err(|error| Failure::usage(error.to_string()))
    }

    /// A subject of that tenant.
    pub(super) fn subject(&self, id: &str) -> Result<SubjectName, Failure> {
        if id.starts_with("tenants/") {
            return id.parse().map_err(|error| Failure::usage(format!("{error}")));
        }
        SubjectName::new(self.tenant()?.tenant(), id).map_err(|error| Failure::usage(error.to_string()))
    }

    /// The purpose that was named, or this one.
    pub(super) fn purpose(&self, default: Purpose) -> i32 {
        self.purpose.unwrap_or(default).into()
    }

    /// What shows who calls; what was asked for on the command line goes before the environment.
    fn credential(&self) -> Result<Option<ApiKey>, Failure> {
        if let Some(path) = &self.key_file {
            return ApiKey::read(path).map(Some);
        }
        if let Some(path) = &self.login_token_file {
            return ApiKey::read_token(path).map(Some);
        }
        let given = |secret: &ApiKey| !secret.expose().is_empty();
        if let Some(key) = self.key.clone().filter(given) {
            return Ok(Some(key));
        }
        let variable = |name| std::env::var(name).ok().map(|text| ApiKey::new(&text)).filter(given);
        match (variable(KEY_VARIABLE), variable(TOKEN_VARIABLE)) {
            (Some(_), Some(_)) => {
                let why = format!("{KEY_VARIABLE} and {TOKEN_VARIABLE} are both set: a call is by a key or by a login");
                Err(Failure::usage(why))
            }
            (key, token) => Ok(key.or(token)),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let identity = self.client_cert.as_deref().zip(self.client_key.as_deref());
        let authorities = ("--ca-cert", self.ca_cert.as_deref());
        Peer { what: "the endpoint", url: &self.endpoint, authorities, identity, plain: false }.endpoint()
    }
}

/// Whom to connect to.
pub(super) struct Peer<'a> {
    /// What it is called.
    pub(super) what: &'a str,
    /// Where it is.
    pub(super) url: &'a str,
    /// The option that names the authorities to trust its certificate by, and what was given, PEM.
    pub(super) authorities: (&'a str, Option<&'a Path>),
    /// The certificate that is shown to it, and its private key, PEM.
    pub(super) identity: Option<(&'a Path, &'a Path)>,
    /// Whether plain http may cross a network.
    pub(super) plain: bool,
}

impl Peer<'_> {
    /// Where to connect, over TLS but for http.
    ///
    /// # Errors
    /// A URL of no such kind, http to another machine where that may not be, files that cannot be read.
    pub(super) fn endpoint(&self) -> Result<Endpoint, Failure> {
        let refuse = |why: &str| Failure::usage(format!("{} {}: {why}", self.what, self.url));
        let uri: Uri = self.url.parse().map_err(|_| refuse("is no URL"))?;
        let endpoint = Endpoint::from(uri.clone()).connect_timeout(Duration::from_secs(10));
        match uri.scheme_str() {
            Some("http") if self.plain || is_loopback(&uri) => Ok(endpoint),
            // O30: what is told of people does not cross a network in the clear.
            Some("http") => Err(refuse(&format!("http is for loopback alone; use https and {}", self.authorities.0))),
            Some("https") => {
                endpoint.tls_config(self.tls()?).map_err(|error| Failure::usage(format!("TLS: {}", causes(&error))))
            }
            Some(_) | None => Err(refuse("write http://… or https://…")),
        }
    }

    fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        let (option, authorities) = self.authorities;
        let Some(authorities) = authorities else {
            return Err(Failure::usage(format!("https needs {option} FILE: which authorities to trust")));
        };
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem(authorities)?));
        match self.identity {
            Some((cert, key)) => Ok(tls.identity(Identity::from_pem(pem(cert)?, pem(key)?))),
            None => Ok(tls),
        }
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        connection: Connection,
    }

    fn connection(arguments: &[&str]) -> Connection {
        Line::parse_from(["lethe"].iter().chain(arguments)).connection
    }

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for url in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
            connection(&["--endpoint", url]).endpoint().unwrap();
        }
        for url in ["http://10.0.0.1:1", "http://example.org", "ftp://localhost", "localhost", ""] {
            let failure = connection(&["--endpoint", url]).endpoint().unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{url}");
        }
    }

    #[test]
    fn https_needs_authorities() {
        let failure = connection(&["--endpoint", "https://vault.example"]).endpoint().unwrap_err();
        assert!(failure.message.contains("--ca-cert"), "{failure}");
    }

    #[test]
    fn names_are_of_the_tenant_or_whole() {
        let connection = connection(&["--tenant", "acme"]);
        assert_eq!(connection.subject("p-1").unwrap().to_string(), "tenants/acme/subjects/p-1");
        let whole = "tenants/globex/subjects/p-1";
        assert_eq!(connection.subject(whole).unwrap().to_string(), whole);
        assert!(connection.subject("a/b").is_err());
        assert!(self::connection(&["--tenant", "Not A Tenant"]).tenant().is_err());
        let whole = self::connection(&["--tenant", "tenants/acme"]);
        assert_eq!(whole.tenant().unwrap().tenant(), "acme");
    }

    #[test]
    fn a_key_is_not_shown_by_debug() {
        let connection = connection(&["--key", "s3cret"]);
        assert!(!format!("{connection:?}").contains("s3cret"));
        let key = connection.credential().unwrap().unwrap();
        assert_eq!(key.expose(), "s3cret");
    }

    #[test]
    fn a_token_is_read_from_a_file_and_is_no_argument() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = path.to_str().unwrap();
        crate::cli::secret::write_private(&path, "a.b.c").unwrap();
        let connection = connection(&["--login-token-file", file]);
        assert_eq!(connection.credential().unwrap().unwrap().expose(), "a.b.c");
        std::fs::write(&path, "x".repeat(8193)).unwrap();
        assert!(connection.credential().unwrap_err().message.contains("longer than 8192"));
    }
}
