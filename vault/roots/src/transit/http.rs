//! As much of HTTP/1.1 over TLS as the API needs: one connection, one request, one small answer.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lethe_crypto::{Error as CryptoError, Result};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::options::{Address, TransitOptions};
use crate::{Error, secret_file};

/// The longest answer, bytes: a list of some ten thousand roots.
const LONGEST: usize = 1 << 20;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Speaks to one server.
pub(super) struct Client {
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    options: TransitOptions,
}

impl Client {
    pub(super) fn new(options: TransitOptions) -> Result<Self> {
        let address = options.parse()?;
        let tls = match &options.ca_file {
            Some(file) => {
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|_| Error::option("the address", "has a host that no certificate can name"))?;
                Some((TlsConnector::from(Arc::new(configuration(file)?)), name))
            }
            None => None,
        };
        // Read only to complain early.
        secret_file::read(&options.token_file)?;
        Ok(Self { address, tls, options })
    }

    pub(super) fn options(&self) -> &TransitOptions {
        &self.options
    }

    /// Sends a request and reads the whole answer, whatever its status, within the time allowed.
    pub(super) async fn send(
        &self,
        action: &'static str,
        method: Method,
        path: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Answer> {
        let request = self.request(method, path, body)?;
        let timeout: Duration = self.options.timeout;
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(Error::Connection { address: self.options.address.clone(), source }.during(action)),
            Err(_) => Err(Error::Timeout(timeout).during(action)),
        }
    }

    fn request(&self, method: Method, path: &str, body: Zeroizing<Vec<u8>>) -> Result<Request<Full<Bytes>>> {
        let token = secret_file::read(&self.options.token_file)?;
        let unfit = || CryptoError::Corrupt { what: "token file", why: "it holds no token".to_owned() };
        let mut token = HeaderValue::from_bytes(&token).map_err(|_| unfit())?;
        token.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header("host", self.address.authority())
            .header("connection", "close")
            .header("x-vault-token", token)
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.options.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        // The body is wiped when the last handle of these bytes is dropped.
        request.body(Full::new(Bytes::from_owner(body))).map_err(|_| unfit())
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> std::result::Result<Answer, BoxError> {
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some((connector, name)) => exchange(connector.connect(name.clone(), stream).await?, request).await,
            None => exchange(stream, request).await,
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> std::result::Result<Answer, BoxError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let mut frames = Limited::new(response.into_body(), LONGEST);
        // Allocated at once: a vector that grows leaves its bytes behind.
        let mut body = Zeroizing::new(Vec::with_capacity(LONGEST));
        while let Some(frame) = frames.frame().await {
            if let Some(data) = frame?.data_ref() {
                body.extend_from_slice(data);
            }
        }
        Ok(Answer { status, body })
    };
    tokio::pin!(exchange, connection);
    // The connection must be driven for the exchange to go on; once it is over, what it left is read.
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}

/// TLS 1.3 with the authorities of this file and no others.
fn configuration(file: &std::path::Path) -> Result<ClientConfig> {
    let unfit = |why: String| Error::option("the CA file", why);
    let mut authorities = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unfit(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
        authorities.add(certificate).map_err(|error| unfit(error.to_string()))?;
    }
    if authorities.is_empty() {
        return Err(unfit("holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unfit(error.to_string()))?;
    Ok(builder.with_root_certificates(authorities).with_no_client_auth())
}
