//! Whose person a client certificate says is calling (O31).

use lethe_domain::CredentialId;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

/// What stands behind a credential's id in a name of a certificate: a domain that nobody has.
const DOMAIN: &str = ".credential.lethe.internal";

/// The credential that a certificate is the second factor of: by its one DNS name (`subjectAltName`) of the form
/// `<32 hex digits>.credential.lethe.internal`. One that names several is nobody's, nor is a wildcard anybody's: two persons must not be one.
pub(super) fn credential(certificate: &CertificateDer<'_>) -> Option<CredentialId> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let mut named = parsed.valid_dns_names().filter_map(|name| name.strip_suffix(DOMAIN));
    let only = named.next()?;
    if named.next().is_some() {
        return None;
    }
    CredentialId::parse(only)
}
