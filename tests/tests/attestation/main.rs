//! A capture is believed only if a service that the tenant trusts signed what it saw, a moment ago, and once (O6).

mod ages;
mod keys;
mod replays;
mod uses;
