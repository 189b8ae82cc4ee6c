//! A vault and a tenant that was set up by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lethe_tests::{Cli, Told, Vault};

use crate::npy::{DIMENSION, f32s, write};

/// A tenant `bank` with a model `face@1`, and a key for each role that is used.
pub(crate) struct Bank {
    pub(crate) vault: Vault,
    keys: BTreeMap<&'static str, String>,
}

impl Bank {
    pub(crate) async fn open() -> Self {
        let vault = Vault::fresh().await;
        let mut bank = Self { vault, keys: BTreeMap::new() };
        let create = [
            "tenant",
            "create",
            "bank",
            "--basis",
            "authentication=legal_obligation",
            "--basis",
            "duplicate_detection=legitimate_interests",
            "--attestation-exempt",
            "all",
        ];
        let created = Cli::new(create).operator(&bank.vault).await.run().one();
        bank.keys.insert("tenant_admin", created["api_key"].as_str().unwrap().to_owned());
        for role in ["enroller", "authenticator", "fraud_analyst", "privacy_officer", "auditor"] {
            let made = bank.ask("tenant_admin", &["key", "create", "--role", role]).await.one();
            bank.keys.insert(role, made["api_key"].as_str().unwrap().to_owned());
        }
        let dimension = DIMENSION.to_string();
        let model = ["model", "create", "face@1", "--dimension", &dimension, "--match", "0.6", "--review", "0.4"];
        bank.ask("tenant_admin", &model).await.one();
        bank
    }

    pub(crate) fn key(&self, role: &str) -> &str {
        &self.keys[role]
    }

    /// Asks as the holder of a role's key.
    pub(crate) async fn ask(&self, role: &str, arguments: &[&str]) -> Told {
        self.command(role, arguments).await.run()
    }

    pub(crate) async fn command(&self, role: &str, arguments: &[&str]) -> Cli {
        Cli::new(arguments).arg("--tenant").arg("bank").holding(&self.vault, self.key(role)).await
    }

    /// A path in the vault's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.vault.home().path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a matrix of float32; its path.
    pub(crate) fn matrix(&self, name: &str, faces: &[Vec<f32>]) -> String {
        let columns = faces.first().map_or(DIMENSION, Vec::len);
        write(&self.path(name), "<f4", columns, &faces.iter().map(|face| f32s(face)).collect::<Vec<_>>());
        self.text(name)
    }
}
