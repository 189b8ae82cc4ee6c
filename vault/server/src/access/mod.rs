//! Who calls, and what they may do: API keys, logins, and the credentials behind them.

mod api_key;
mod attempts;
mod generations;
pub(crate) mod login;
mod proof;
mod session;

pub use api_key::{ApiKey, SecretDigest};
pub use attempts::{Attempts, Refused};
pub use login::{Disbelief, Logins, Proven, ProvidersError, Weight};
pub use proof::Proof;
pub use session::{LoggedIn, Session};
