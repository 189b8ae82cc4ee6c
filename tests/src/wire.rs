use std::sync::{PoisonError, RwLock};

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// Where the vault's server is now. Callers share it, so that they outlive a restart.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    channel: RwLock<Option<Channel>>,
}

impl Wire {
    /// Connects, lazily: a call that finds nobody there fails as such.
    pub(crate) fn connect(&self, endpoint: &str, authority: Option<&str>) {
        let mut endpoint = Endpoint::from_shared(endpoint.to_owned()).unwrap();
        if let Some(pem) = authority {
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)).domain_name("localhost");
            endpoint = endpoint.tls_config(tls).unwrap();
        }
        self.set(Some(endpoint.connect_lazy()));
    }

    /// A connection that somebody made.
    pub(crate) fn of(channel: Channel) -> Self {
        Self { channel: RwLock::new(Some(channel)) }
    }

    pub(crate) fn disconnect(&self) {
        self.set(None);
    }

    /// # Panics
    /// When no server is running.
    pub(crate) fn channel(&self) -> Channel {
        let channel = self.channel.read().unwrap_or_else(PoisonError::into_inner);
        channel.clone().expect("the vault was stopped; start it again before calling it")
    }

    fn set(&self, channel: Option<Channel>) {
        *self.channel.write().unwrap_or_else(PoisonError::into_inner) = channel;
    }
}
