//! Metrics of a running server, as OpenMetrics text: quantities of the whole vault.
//!
//! None of them has a label that tells a tenant, a person, a key or a place (O35): labels are methods, status codes and
//! states, which are few and known before anybody calls.

mod calls;
mod whole;

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

pub(crate) use calls::{Call, Calls};

use crate::grpc::Node;
use crate::server::Places;

/// What the text is, as HTTP says it.
pub(crate) const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics there are.
pub(crate) struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Of a server: its calls, its connections, and its vault, once it is open.
    pub(crate) fn new(calls: &Calls, places: Arc<Places>, node: Node) -> Self {
        let mut registry = Registry::with_prefix("lethe");
        calls.register(&mut registry);
        registry.register_collector(Box::new(whole::Whole { places, node }));
        Self { registry }
    }

    /// How things stand.
    ///
    /// # Errors
    /// Never, as a string takes everything.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
