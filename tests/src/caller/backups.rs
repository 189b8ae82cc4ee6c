//! Backups, mirrors and the root store.

use lethe_proto::v1::{self, Purpose};

use super::Caller;
use crate::refusal::Answer;
use crate::requests::request_id;

impl Caller {
    /// Makes a backup and waits for its end.
    ///
    /// # Errors
    /// The refusal.
    pub async fn back_up(&self) -> Answer<v1::Backup> {
        self.ask(self.new_backup()).await
    }

    /// A valid request for a backup with a fresh request id.
    #[must_use]
    pub fn new_backup(&self) -> v1::CreateBackupRequest {
        let purpose = Purpose::Administration.into();
        v1::CreateBackupRequest { purpose, request_id: request_id(), no_wait: false }
    }

    /// All backups, however many pages they take.
    ///
    /// # Errors
    /// The refusal.
    pub async fn backups(&self) -> Answer<Vec<v1::Backup>> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let purpose = Purpose::Administration.into();
            let page = self.ask(v1::ListBackupsRequest { purpose, page_size: 2, page_token }).await?;
            assert!(page.backups.len() <= 2);
            all.extend(page.backups);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Reads a backup's state, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn backup(&self, name: &str) -> Answer<v1::Backup> {
        let (name, purpose) = (name.to_owned(), Purpose::Administration.into());
        self.ask(v1::GetBackupRequest { name, purpose }).await
    }

    /// Has a backup verified, by name, and waits for the end.
    ///
    /// # Errors
    /// The refusal.
    pub async fn verify_backup(&self, name: &str) -> Answer<v1::Backup> {
        let (name, purpose) = (name.to_owned(), Purpose::Administration.into());
        self.ask(v1::VerifyBackupRequest { name, purpose, no_wait: false }).await
    }

    /// Deletes all but the newest backups.
    ///
    /// # Errors
    /// The refusal.
    pub async fn prune_backups(&self, keep: i32) -> Answer<v1::PruneBackupsResponse> {
        let purpose = Purpose::Administration.into();
        self.ask(v1::PruneBackupsRequest { purpose, request_id: request_id(), keep }).await
    }

    /// The vault's mirrors.
    ///
    /// # Errors
    /// The refusal.
    pub async fn mirrors(&self) -> Answer<Vec<v1::Mirror>> {
        let purpose = Purpose::Administration.into();
        Ok(self.ask(v1::ListMirrorsRequest { purpose, ..Default::default() }).await?.mirrors)
    }

    /// How the vault's root store stands.
    ///
    /// # Errors
    /// The refusal.
    pub async fn root_status(&self) -> Answer<v1::RootStatus> {
        let (name, purpose) = ("vault/rootStatus".to_owned(), Purpose::Administration.into());
        self.ask(v1::GetRootStatusRequest { name, purpose }).await
    }
}
