//! From one root store to another: `create` in the new one, `destroy` in whichever a root is in.
//!
//! An epoch commit under this store *is* the migration: its new root is made in the new store, and the old
//! root destroyed in the old store once the tree has opened under the new one. Nothing else needs to be done
//! or remembered; a crash at any point leaves one of the states that every commit knows. When the old store is
//! empty ([`MigratingRootStore::is_done`]), the vault may be opened with the new one alone.
//!
//! Both stores are claimed at every start, and both refuse who is not the claimant. Which of them decides who
//! that is, the *authority*, is the old one as long as it holds a root; its compare-and-swap comes first. So a copy
//! of the vault that knows of the old store alone is fenced out like any other; and once the old store is empty, it
//! finds its root missing.
//!
//! As long as the old store holds a root, the new one is claimed for an incarnation that no vault has: the real one
//! [disguised](Incarnation). Whoever opens the vault with the new store alone too early is fenced out by that
//! ([`Error::UnderWay`]), and not told that the old root is gone because it is not *there*.
//!
//! The old store can be a copy, too: a file of a snapshot beside the data of the same snapshot. Then it lets in whom it
//! must not, and roots in the new store that it knows nothing of look like orphans. So where the new store holds
//! roots, it has a say as well:
//!
//! * claimed for an incarnation that is not disguised, it is where the vault lives: [`Error::Superseded`], whoever
//!   takes over;
//! * claimed for a disguised one, that must be one that the vault knows, for it remembers what it may have claimed there
//!   last ([`EpochState::targets`](crate::epoch::EpochState)): otherwise [`Error::Fenced`];
//! * not claimed at all, whose roots they are nobody knows: [`Error::Unclaimed`].
//!
//! Without roots there is nothing to lose in it, so it may be claimed over: a vault moves back to where it was, or
//! tries again to move.

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
        let sight = self.look().await?;
        Ok(sight.stage == Stage::Moved && !is_disguised(sight.new))
    }

    /// Is this root in the new store? If it is the current one's, only the old store's remains are left to be destroyed.
    ///
    /// # Errors
    /// If the new store cannot be read.
    pub async fn has_arrived(&self, root: RootId) -> Result<bool> {
        Ok(self.new.epochs().await?.contains(&root))
    }

    async fn look(&self) -> Result<Sight> {
        // Claims before roots: whoever changes roots in between has the claim that was seen, or it is not claimed over.
        let (old, new) = (self.old.claimed().await?, self.new.claimed().await?);
        let moved = self.old.epochs().await?.is_empty() && new.is_some();
        Ok(Sight { stage: if moved { Stage::Moved } else { Stage::Moving }, old, new })
    }

    /// May the new store be claimed over? Tells whether it is empty.
    async fn admits_beside(&self, sight: &Sight, known: &[Incarnation]) -> Result<bool> {
        if self.new.epochs().await?.is_empty() {
            return Ok(true);
        }
        let held = sight.new.ok_or(Error::Unclaimed)?.incarnation;
        if !held.is_disguised() {
            return Err(Error::Superseded);
        }
        if known.contains(&held) || known.contains(&held.bare()) { Ok(false) } else { Err(Error::Fenced) }
    }

    /// Checks a claim, and gives the one to show the new store.
    async fn expect(&self, claim: &Claim) -> Result<Claim> {
        let sight = self.look().await?;
        claim.check(sight.held().as_ref())?;
        let disguised = sight.stage == Stage::Moving || is_disguised(sight.new);
        Ok(if disguised { claim.disguised() } else { *claim })
    }

    /// Once the old store is empty, the new one may be opened alone.
    async fn complete(&self, claim: &Claim) -> Result<()> {
        let sight = self.look().await?;
        if sight.stage == Stage::Moved && is_disguised(sight.new) && sight.held() == Some(*claim) {
            self.new.claim(claim.vault, &[claim.disguised().incarnation], claim.incarnation).await?;
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

/// What the stores are claimed for.
struct Sight {
    stage: Stage,
    old: Option<Claim>,
    new: Option<Claim>,
}

impl Sight {
    fn expect_no_other(&self, vault: VaultId) -> Result<()> {
        let foreign = [self.old, self.new].into_iter().flatten().any(|held| held.vault != vault);
        if foreign { Err(Error::ForeignVault) } else { Ok(()) }
    }

    /// The claim that counts.
    fn held(&self) -> Option<Claim> {
        match self.stage {
            Stage::Moving => self.old,
            // The old store's last root is destroyed only when both are claimed for the same incarnation. An empty one
            // that is not, is not the one that the vault comes from.
            Stage::Moved if is_disguised(self.new) && self.new == self.old.map(Claim::disguised) => self.old,
            Stage::Moved => self.new,
        }
    }
}

fn is_disguised(claim: Option<Claim>) -> bool {
    claim.is_some_and(|claim| claim.incarnation.is_disguised())
}

/// What a store must hold to be claimed over.
fn as_seen(claim: Option<Claim>) -> Vec<Incarnation> {
    claim.into_iter().map(|claim| claim.incarnation).collect()
}

#[async_trait]
impl RootStore for MigratingRootStore {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        let (sight, wanted) = (self.look().await?, Claim { vault, incarnation: next });
        // Before anything is claimed: a store that is somebody else's must not cost us the other.
        sight.expect_no_other(vault)?;
        Claim::advance(sight.held(), vault, known, next)?;
        match sight.stage {
            Stage::Moving => {
                let empty = self.admits_beside(&sight, &[known, &[next]].concat()).await?;
                self.old.claim(vault, known, next).await?;
                fail::fail_point!("root-migrating-claimed");
                self.new.claim(vault, &as_seen(sight.new), wanted.disguised().incarnation).await?;
                // What was claimed over because there was nothing to lose in it.
                if empty && !self.new.epochs().await?.is_empty() {
                    return Err(Error::Fenced);
                }
            }
            Stage::Moved => {
                self.new.claim(vault, &as_seen(sight.new), next).await?;
                fail::fail_point!("root-migrating-claimed");
                self.old.claim(vault, &as_seen(sight.old), next).await?;
            }
        }
        // Another may have claimed the one meanwhile, and then been overtaken at the other.
        wanted.check(self.claimed().await?.as_ref())
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        Ok(self.look().await?.held())
    }

    async fn claims(&self) -> Result<Vec<Claim>> {
        let sight = self.look().await?;
        Ok([sight.old, sight.new].into_iter().flatten().collect())
    }

    async fn admits(&self, vault: VaultId, known: &[Incarnation]) -> Result<()> {
        let sight = self.look().await?;
        sight.expect_no_other(vault)?;
        Claim::admit(sight.held(), vault, known)?;
        if sight.stage == Stage::Moving {
            self.admits_beside(&sight, known).await?;
        }
        Ok(())
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
