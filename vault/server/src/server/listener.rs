use std::fs::File;
use std::future::poll_fn;
use std::io::{self, BufReader};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use super::StartError;
use super::certificate;
use super::connection::{Connection, Wire};
use super::places::Places;
use super::residue::Wiped;
use crate::config::TlsConfig;

/// How long a client may take to begin: to shake hands, or, without TLS, to say a word.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that may wait for the server to take them.
const WAITING: usize = 64;

type Incoming = Pin<Box<dyn Stream<Item = io::Result<Connection>> + Send>>;

/// The connections of a listener, through TLS 1.3 where there is a certificate, each with one of the places, those that still
/// shake hands among them. Handshakes run side by side: a slow client delays nobody.
pub(super) fn incoming(
    listener: TcpListener,
    tls: Option<&TlsConfig>,
    places: Arc<Places>,
) -> Result<Incoming, StartError> {
    let acceptor = tls.map(acceptor).transpose()?;
    let (sender, receiver) = tokio::sync::mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(failure) => {
                    // Such as too many open files: it passes, and the listener is still good.
                    tracing::warn!(%failure, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Who finds no place is hung up on.
            let Some(place) = places.lend() else { continue };
            drop(stream.set_nodelay(true));
            let (sender, acceptor) = (sender.clone(), acceptor.clone());
            tokio::spawn(async move {
                let shaken = tokio::select! {
                    shaken = tokio::time::timeout(HANDSHAKE, shake_hands(stream, acceptor)) => shaken,
                    () = poll_fn(|cx| place.poll_called_in(cx)) => return,
                };
                match shaken {
                    Ok(Ok(wire)) => {
                        if let Some(credential) = wire.certificate().and_then(certificate::credential) {
                            place.certify(credential);
                        }
                        drop(sender.send(Ok(Connection::new(wire, place))).await);
                    }
                    Ok(Err(failure)) => tracing::debug!(%failure, "a handshake failed"),
                    Err(_) => tracing::debug!("a handshake took too long"),
                }
            });
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

/// Waits until the other side has said something: who connects and is silent must not keep a place.
async fn shake_hands(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<Wire> {
    match acceptor {
        None => {
            stream.readable().await?;
            Ok(Wire::Plain(stream))
        }
        Some(acceptor) => Ok(Wire::Tls(Box::new(acceptor.accept(Wiped(stream)).await?))),
    }
}

/// TLS 1.3 and nothing older (O30).
fn acceptor(tls: &TlsConfig) -> Result<TlsAcceptor, StartError> {
    let certificates = certificates(&tls.cert)?;
    let key = PrivateKeyDer::from_pem_reader(&mut open(&tls.key)?).map_err(|fault| bad(&tls.key, fault))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|fault| bad(&tls.cert, fault))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in self::certificates(path)? {
                roots.add(certificate).map_err(|fault| bad(path, fault))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if tls.client_optional { verifier.allow_unauthenticated() } else { verifier }.build();
            builder.with_client_cert_verifier(verifier.map_err(|fault| bad(path, fault))?)
        }
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(|fault| bad(&tls.cert, fault))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // Each connection shows its certificate anew: one that was resumed would be as of the first, also when that expired.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let found: Vec<_> = CertificateDer::pem_reader_iter(&mut open(path)?)
        .collect::<Result<_, _>>()
        .map_err(|fault| bad(path, fault))?;
    if found.is_empty() { Err(bad(path, "has no certificate")) } else { Ok(found) }
}

fn open(path: &Path) -> Result<BufReader<File>, StartError> {
    File::open(path).map(BufReader::new).map_err(|fault| bad(path, fault))
}

fn bad(path: &Path, reason: impl std::fmt::Display) -> StartError {
    StartError::Tls { path: path.to_owned(), reason: reason.to_string() }
}
