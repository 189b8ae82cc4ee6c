//! Who calls, and what they may do: API keys and the credentials behind them.

mod api_key;
mod attempts;
mod generations;

pub use api_key::{ApiKey, SecretDigest};
pub use attempts::{Attempts, Refused};
