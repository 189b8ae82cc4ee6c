//! From one root store to another: `create` in the new one, `destroy` in whichever a root is in.
//!
//! An epoch commit under this store *is* the migration: its new root is made in the new store, and the old
//! root destroyed in the old store once the tree has opened under the new one. Nothing else needs to be done
//! or remembered; a crash at any point leaves one of the states that every commit knows. When the old store is
//! empty ([`MigratingRootStore::is_done`]), the vault may be opened with the new one alone.
//!
//! Both stores are claimed at every start, and both refuse who is not the claimant. Which of them decides who
//! that is, the *authority*, is the old one as long as it holds a root. Its compare-and-swap comes first, and
//! the other follows whatever it held: a crash between the two leaves it behind, and the next start brings
//! it on. So a copy of the vault that knows of the old store alone is fenced out like any other; and once the
//! old store is empty, it finds its root missing.
//!
//! As long as the old store holds a root, the new one is claimed for an incarnation that no vault has: the
//! complement of the real one. Whoever opens the vault with the new store alone too early is fenced out by that,
//! and not told that the old root is gone because it is not *there*. Do not take over then; open with both.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Claim, Evidence, Incarnation, Medium, RootId, RootStore, VaultId};
use crate::error::{Error, Result};
use crate::secret::VaultKey;

/// Two root stores, as long as the vault moves from one to the other.
#[derive(Clone)]
pub struct MigratingRootStore {
    old: Arc<dyn RootStore>,
    new: Arc<dyn RootStore>,
}

impl MigratingRootStore {
    /// Roots in `old` stay usable until they are destroyed; new ones are made in `new`, which must be unclaimed
    /// or this vault's.
    #[must_use]
    pub fn new(old: Arc<dyn RootStore>, new: Arc<dyn RootStore>) -> Self {
        Self { old, new }
    }

    /// Has everything moved, so that the old store is needed no more?
    ///
    /// # Errors
    /// If one of the stores cannot be read.
    pub async fn is_done(&self) -> Result<bool> {
        Ok(match self.stage().await? {
            Stage::Moving => false,
            Stage::Moved => !self.is_disguised(self.new.claimed().await?).await?,
        })
    }

    /// Is this root in the new store? If it is the current one's, only the old store's remains are left to be destroyed.
    ///
    /// # Errors
    /// If the new store cannot be read.
    pub async fn has_arrived(&self, root: RootId) -> Result<bool> {
        Ok(self.new.epochs().await?.contains(&root))
    }

    async fn stage(&self) -> Result<Stage> {
        let moved = self.old.epochs().await?.is_empty() && self.new.claimed().await?.is_some();
        Ok(if moved { Stage::Moved } else { Stage::Moving })
    }

    /// Is this what the new store was claimed for while the old one had roots? The old one's last root is
    /// destroyed only when both are claimed for the same incarnation, so they tell each other.
    async fn is_disguised(&self, held: Option<Claim>) -> Result<bool> {
        Ok(held.is_some() && held == self.old.claimed().await?.map(disguise))
    }

    /// The claim that counts.
    async fn held(&self, stage: Stage) -> Result<Option<Claim>> {
        match stage {
            Stage::Moving => self.old.claimed().await,
            Stage::Moved => {
                let held = self.new.claimed().await?;
                Ok(if self.is_disguised(held).await? { held.map(disguise) } else { held })
            }
        }
    }

    /// Checks a claim, and gives the one to show the new store.
    async fn expect(&self, claim: &Claim) -> Result<Claim> {
        let stage = self.stage().await?;
        claim.check(self.held(stage).await?.as_ref())?;
        let disguised = match stage {
            Stage::Moving => true,
            Stage::Moved => self.is_disguised(self.new.claimed().await?).await?,
        };
        Ok(if disguised { disguise(*claim) } else { *claim })
    }

    /// Once the old store is empty, the new one may be opened alone.
    async fn complete(&self, claim: &Claim) -> Result<()> {
        if self.stage().await? == Stage::Moved && self.is_disguised(self.new.claimed().await?).await? {
            self.new.claim(claim.vault, Some(disguise(*claim).incarnation), claim.incarnation).await?;
            fail::fail_point!("root-migrating-completed");
        }
        Ok(())
    }
}

/// How far the move has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The old store holds a root, or nobody has claimed the new one.
    Moving,
    /// The old store is empty.
    Moved,
}

/// Of an incarnation that no vault has; twice gives the real one.
fn disguise(claim: Claim) -> Claim {
    let complement = claim.incarnation.as_bytes().map(|byte| !byte);
    Claim { incarnation: Incarnation::from_bytes(complement), ..claim }
}

#[async_trait]
impl RootStore for MigratingRootStore {
    async fn claim(&self, vault: VaultId, current: Option<Incarnation>, next: Incarnation) -> Result<()> {
        let (stage, wanted) = (self.stage().await?, Claim { vault, incarnation: next });
        // Before anything is claimed: a store that is somebody else's must not cost us the other.
        let (old, new) = (self.old.claimed().await?, self.new.claimed().await?);
        if [old, new].into_iter().flatten().any(|held| held.vault != vault) {
            return Err(Error::ForeignVault);
        }
        let is_held = |held: Option<Claim>| held.map(|held| held.incarnation);
        match stage {
            Stage::Moving => {
                self.old.claim(vault, current, next).await?;
                fail::fail_point!("root-migrating-claimed");
                self.new.claim(vault, is_held(new), disguise(wanted).incarnation).await?;
            }
            Stage::Moved => {
                Claim::advance(self.held(stage).await?, vault, current, next)?;
                self.new.claim(vault, is_held(new), next).await?;
                fail::fail_point!("root-migrating-claimed");
                self.old.claim(vault, is_held(old), next).await?;
            }
        }
        // Another may have claimed the one meanwhile, and then been overtaken at the other.
        wanted.check(self.held(stage).await?.as_ref())
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        self.held(self.stage().await?).await
    }

    async fn create(&self, claim: &Claim) -> Result<RootId> {
        let shown = self.expect(claim).await?;
        self.new.create(&shown).await
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let shown = self.expect(claim).await?;
        match self.new.wrap(&shown, root, key, context).await {
            Err(Error::NoSuchRoot(_)) => self.old.wrap(claim, root, key, context).await,
            result => result,
        }
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        // What one store wrapped, the other cannot even read.
        if self.new.epochs().await?.contains(&root) {
            self.new.unwrap(root, wrapped, context).await
        } else {
            self.old.unwrap(root, wrapped, context).await
        }
    }

    /// In both, since either may hold remains. The evidence is that of the store where the root was. If it was
    /// absent from both, nobody knows any more which that was: then what neither can promise is stated.
    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence> {
        let shown = self.expect(claim).await?;
        let new = self.new.destroy(&shown, root).await?;
        fail::fail_point!("root-migrating-destroyed");
        let old = self.old.destroy(claim, root).await?;
        self.complete(claim).await?;
        Ok(match (old.was_absent, new.was_absent) {
            (false, true) => old,
            (true, false) => new,
            (true, true) | (false, false) => {
                let replicas = old.replicas.saturating_add(new.replicas);
                Evidence { replicas, medium: self.medium(), ..old }
            }
        })
    }

    async fn epochs(&self) -> Result<Vec<RootId>> {
        let mut roots = self.old.epochs().await?;
        roots.extend(self.new.epochs().await?);
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    fn medium(&self) -> Medium {
        self.old.medium().statements().chain(self.new.medium().statements()).collect()
    }
}

impl std::fmt::Debug for MigratingRootStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MigratingRootStore").field("medium", &self.medium()).finish_non_exhaustive()
    }
}
