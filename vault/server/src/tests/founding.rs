//! A vault's first moments.

use std::io;

use crate::access::ApiKey;
use crate::config::Config;
use crate::opening::{OpenError, open, open_with};

/// The key is kept before the vault knows it. If it cannot be kept there is no vault yet, and the next start founds it.
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_founded_with_a_key_that_was_kept_before() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
    let refused = open_with(&config, Box::new(|| Err(io::Error::other("no room")))).await;
    assert!(matches!(refused, Err(OpenError::OperatorKey(_))));

    let key = ApiKey::generate();
    let text = key.reveal();
    let opened = open_with(&config, Box::new(|| Ok(key))).await.unwrap();
    assert_eq!(opened.operator_key.unwrap().reveal(), text);
    opened.vault.close().await;
    drop(opened.vault);

    let again = open(&config).await.unwrap();
    assert!(again.operator_key.is_none(), "a vault is founded once");
    assert!(again.vault.authenticate(&ApiKey::parse(&text).unwrap(), None).is_ok());
    again.vault.close().await;
}
