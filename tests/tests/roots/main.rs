//! Vaults on every kind of root store: files, a PKCS#11 token, an OpenBao server, a TPM; and on the way from one to
//! another. The stores are real programs, started by the tests.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod abandoned;
mod away;
mod copies;
mod credential;
mod hanging;
mod life;
mod lost_answers;
mod moving;
mod passphrase;
mod second_roots;
mod stage;
mod under_load;

/// Declares a test of a case on each kind of root store.
macro_rules! on_every_store {
    ($case:path: $($name:ident = $device:expr),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if !lethe_roots_testing::skipped() {
                $case($device).await;
            }
        })+
    };
}
use on_every_store;
