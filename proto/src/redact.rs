//! `Debug` of the messages that carry an embedding, an API key or a login's subject: everything but that. The build
//! script keeps the generated `Debug` away from them.

use std::fmt;

use crate::v1::{Capture, IssuedCredential, Login};

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("embedding", &format_args!("<{} floats>", self.embedding.len()))
            .field("model", &self.model)
            .field("kind", &self.kind())
            .field("quality", &self.quality)
            .field("capture_time", &self.capture_time)
            .field("attestation", &format_args!("<{} bytes>", self.attestation.len()))
            .finish()
    }
}

impl fmt::Debug for IssuedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.api_key.is_empty() { "<none>" } else { "<secret>" };
        f.debug_struct("IssuedCredential")
            .field("credential", &self.credential)
            .field("api_key", &format_args!("{key}"))
            .field("already_shown", &self.already_shown)
            .finish()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("issuer", &self.issuer).field("subject", &format_args!("<somebody>")).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{CreateTenantResponse, Credential, EnrollRequest};

    #[test]
    fn whose_login_it_is_never_shows_in_debug() {
        let login = Some(Login { issuer: "https://a".into(), subject: "00u77".into() });
        let text = format!("{:?}", Credential { login, ..Credential::default() });
        assert!(text.contains("https://a") && !text.contains("77"), "{text}");
    }

    #[test]
    fn an_embedding_never_shows_in_debug() {
        let capture = Capture { embedding: vec![0.123_45; 64], ..Capture::default() };
        let request = EnrollRequest { template: Some(capture), ..EnrollRequest::default() };
        let text = format!("{request:?} {request:#?}");
        assert!(!text.contains("123"), "{text}");
        assert!(text.contains("<64 floats>"), "{text}");
    }

    #[test]
    fn an_api_key_never_shows_in_debug() {
        let issued = IssuedCredential { api_key: "k3y-0f-4cm3".into(), ..Default::default() };
        let response = CreateTenantResponse { tenant: None, credential: Some(issued) };
        let text = format!("{response:?} {response:#?}");
        assert!(!text.contains("k3y"), "{text}");
        assert!(text.contains("<secret>"), "{text}");
    }
}
