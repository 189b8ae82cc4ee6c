//! What the process says of itself: events on standard error, and panics without their payload.

use std::io;
use std::panic;

use tracing_subscriber::EnvFilter;

use super::exit::Failure;
use super::output::remark;
use crate::config::{Log, LogFormat};

/// Sends events to standard error, as the configuration says.
pub(super) fn init(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| Failure::usage(format!("log.filter: {error}")))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let result = match log.format {
        LogFormat::Text => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    result.map_err(|error| Failure::failed(format!("cannot set up the log: {error}")))
}

/// Reports a panic by its place alone: the message may quote a key or an embedding.
pub(super) fn hide_panic_messages() {
    panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, thread, "panic; the message is withheld, it may hold secrets");
        } else {
            remark(&format!("panic at {place}; the message is withheld, it may hold secrets"));
        }
    }));
}
