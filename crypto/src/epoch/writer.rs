//! The one writer of epochs.

use std::collections::HashSet;
use std::sync::Arc;

use fail::fail_point;
use tracing::{info, warn};

use super::journal::{Commit, Destruction, Journal};
use super::state::{Epoch, EpochState, Retiring};
use crate::error::{BoxError, Error, Result};
use crate::random::System;
use crate::root::{Claim, Evidence, Incarnation, RootId, RootStore, VaultId};
use crate::secret::VaultKey;
use crate::tree::{PageCache, Redraw, Rewrite, View, rewrite};

/// Commits epochs, one at a time, always from the last committed one.
///
/// Rewriting a large tree and syncing take time on the calling thread: give the writer one of its own.
pub struct EpochWriter<J: Journal> {
    journal: Arc<J>,
    roots: Arc<dyn RootStore>,
    state: EpochState,
    epoch: Epoch,
    view: View,
    /// A write to the journal was begun and not seen to end well: what is on disk is unknown.
    in_doubt: bool,
}

/// What became of a commit.
#[derive(Debug)]
pub enum Outcome {
    /// The old root is destroyed, and that is logged: erasures of this epoch are `SHREDDED`.
    Destroyed(Evidence),
    /// The commit is durable, but the old root may still exist: erasures are `PENDING` until
    /// [`EpochWriter::finish`] succeeds, which is to be retried for ever.
    Pending(Error),
}

/// May a vault be opened that another incarnation has claimed since?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Takeover {
    /// No: it is fenced out.
    #[default]
    Refuse,
    /// Yes, whoever that was is gone for good. The operator says so; it fences the other out, and is
    /// still refused if the root store does not hold this vault's committed root, or if the vault is on its way
    /// from another store or has moved on: there is more to lose then than a claim.
    ClaimAnyway,
}

impl<J: Journal> EpochWriter<J> {
    /// Opens the vault's epochs, after whatever ended the last run (rule 5): founds the vault if the
    /// journal is empty, claims the root store, authenticates the committed tree, and destroys orphan
    /// roots. The cache is emptied. If an epoch is still [`EpochWriter::retiring`], call [`EpochWriter::finish`] once the
    /// journal is ready to publish.
    ///
    /// # Errors
    /// As [`admits`]: nothing was destroyed, and the message says the way out. Whatever the journal, the pages or the root store answer.
    pub async fn open(
        journal: Arc<J>,
        roots: Arc<dyn RootStore>,
        cache: Arc<PageCache>,
        takeover: Takeover,
    ) -> Result<Self> {
        // A writer that failed may have left pages here that only a destroyed epoch used.
        cache.forget(|_| true);
        let mut state = match journal.load().await.map_err(journal_error("loading"))? {
            Some(state) => state,
            None => begin(&*journal, &*roots).await?,
        };
        let epoch = match state.current.clone() {
            Some(epoch) => epoch,
            None => found(&*journal, &*roots, &mut state).await?,
        };
        // Rule 5: whoever is not let in touches nothing, and leaves alone the claim of whoever may be running on a newer
        // state.
        let known = admits(&state, &*roots, takeover).await?;
        claim(&*journal, &*roots, &mut state, &known).await?;
        let view = authenticate(&*journal, &*roots, &state.vault, &epoch, cache).await?;
        info!(epoch = epoch.number, pending = state.retiring.is_some(), "key tree authenticated");

        let writer = Self { journal, roots, state, epoch, view, in_doubt: false };
        // What cannot be destroyed now keeps nothing from being served, but it keeps every later erasure
        // pending.
        if let Err(error) = writer.destroy_orphans().await {
            warn!(%error, "an orphan root is still to be destroyed");
        }
        Ok(writer)
    }

    /// The tree of the committed epoch.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The committed epoch.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.state.vault
    }

    /// The epoch before, if its root must still be destroyed: erasures are pending.
    #[must_use]
    pub fn retiring(&self) -> Option<&Retiring> {
        self.state.retiring.as_ref()
    }

    /// Looks whether the root store answers, is still claimed for this vault and holds the committed root, and gives how
    /// many roots it holds that belong to no epoch. Changes nothing, and asks little: it may be done again and again.
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::ForeignVault`], [`Error::Unclaimed`], [`Error::RootMissing`]. Whatever the root store
    /// answers.
    pub async fn look(&self) -> Result<usize> {
        self.claim().check(self.roots.claimed().await?.as_ref())?;
        let held = self.roots.epochs().await?;
        let retiring = self.state.retiring.as_ref().map(|retiring| retiring.root);
        let others = held.iter().filter(|root| **root != self.epoch.root && Some(**root) != retiring).count();
        if !held.contains(&self.epoch.root) {
            return Err(Error::RootMissing { root: self.epoch.root, epoch: self.epoch.number, held: others });
        }
        Ok(others)
    }

    /// Commits one epoch that erases `redraw`, and destroys the one before. An epoch that is still
    /// retiring is finished first.
    ///
    /// # Errors
    /// Nothing was committed, except after [`Error::Journal`], where only opening again tells; from then
    /// on every call gives [`Error::MustReopen`].
    pub async fn run(&mut self, redraw: &Redraw, batch: &J::Batch) -> Result<Outcome> {
        self.finish().await?;
        self.destroy_orphans().await?;
        self.commit(redraw, batch).await?;
        Ok(match self.finish_retiring().await {
            Ok(evidence) => Outcome::Destroyed(evidence),
            Err(error) => Outcome::Pending(error),
        })
    }

    /// Finishes the retiring epoch, if there is one: publishes, authenticates what is on disk, destroys the
    /// old root and logs it. May be repeated until it succeeds.
    ///
    /// # Errors
    /// The old root may still exist, or its end is not logged yet.
    pub async fn finish(&mut self) -> Result<Option<Evidence>> {
        self.expect_no_doubt()?;
        if self.state.retiring.is_none() {
            return Ok(None);
        }
        self.finish_retiring().await.map(Some)
    }

    /// Steps 1 and 2 of rule 4.
    async fn commit(&mut self, redraw: &Redraw, batch: &J::Batch) -> Result<()> {
        let claim = self.claim();
        fail_point!("epoch-beginning");
        let root = self.roots.create(&claim).await?;
        fail_point!("epoch-root-created");
        let prepared = self.prepare(&claim, root, redraw).await;
        let (rewrite, to) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                // The committed tree is open and authenticated, so the orphan may go (rule 5).
                if let Err(error) = self.roots.destroy(&claim, root).await {
                    warn!(%error, "an orphan root is still to be destroyed");
                }
                return Err(error);
            }
        };
        let retiring = Retiring {
            number: self.epoch.number,
            root: self.epoch.root,
            pages: rewrite.dropped.clone(),
            trees: rewrite.shredded.clone(),
        };
        let state = EpochState { current: Some(to.clone()), retiring: Some(retiring), ..self.state.clone() };
        let commit = Commit { from: &self.epoch, to: &to, state: &state, rewrite: &rewrite };

        self.in_doubt = true;
        self.journal.commit(commit, batch).await.map_err(journal_error("committing to"))?;
        self.in_doubt = false;
        fail_point!("epoch-committed");

        info!(epoch = to.number, redrawn = rewrite.redrawn, pages = rewrite.put.len(), "epoch committed");
        self.state = state;
        self.epoch = to;
        // The writer's own handle of the old view goes first, so that draining readers can end.
        self.view = rewrite.view;
        Ok(())
    }

    /// The new tree, in memory, and the epoch it makes.
    async fn prepare(&self, claim: &Claim, root: RootId, redraw: &Redraw) -> Result<(Rewrite, Epoch)> {
        let rewrite = rewrite(&self.view, &*self.journal, redraw)?;
        let context = Epoch::context(&self.state.vault, rewrite.epoch, &root);
        let wrapped = self.roots.wrap(claim, root, &rewrite.vault_key, &context).await?;
        fail_point!("epoch-key-wrapped");
        let epoch = Epoch { number: rewrite.epoch, root, wrapped };
        Ok((rewrite, epoch))
    }

    /// Steps 3 to 6 of rule 4.
    async fn finish_retiring(&mut self) -> Result<Evidence> {
        let Some(retired) = self.state.retiring.clone() else {
            return Err(Error::MustReopen);
        };
        self.journal.publish(&self.state, &self.view).await.map_err(journal_error("publishing from"))?;
        fail_point!("epoch-published");
        // No reader of the old view is left: its pages need not be in memory when its root dies.
        let pages: HashSet<_> = retired.pages.iter().collect();
        self.view.cache().forget(|page| pages.contains(page) || retired.trees.contains(&page.tree()));

        // Rule 5: not what this process believes it wrote, but what is there to be read.
        let durable = self.journal.load().await.map_err(journal_error("loading"))?;
        if durable.as_ref() != Some(&self.state) {
            self.in_doubt = true;
            return Err(Error::MustReopen);
        }
        let cache = Arc::new(PageCache::new(0));
        authenticate(&*self.journal, &*self.roots, &self.state.vault, &self.epoch, cache).await?;
        fail_point!("epoch-authenticated");

        let evidence = self.roots.destroy(&self.claim(), retired.root).await?;
        fail_point!("epoch-root-destroyed");
        self.destroy_orphans().await?;
        let remaining = self.roots.epochs().await?;
        if remaining != [self.epoch.root] {
            return Err(Error::RootsRemain(remaining.iter().filter(|root| **root != self.epoch.root).count()));
        }

        let state = EpochState { retiring: None, ..self.state.clone() };
        let destruction = Destruction { state: &state, retired: &retired, evidence: &evidence };
        self.in_doubt = true;
        self.journal.destroyed(destruction).await.map_err(journal_error("logging the destruction to"))?;
        self.in_doubt = false;
        fail_point!("epoch-destruction-logged");

        info!(epoch = retired.number, root = %retired.root, "epoch destroyed");
        self.state = state;
        Ok(evidence)
    }

    /// Destroys roots that belong to no epoch: of commits that were never finished. The committed tree is
    /// authenticated whenever a writer exists.
    async fn destroy_orphans(&self) -> Result<()> {
        let retiring = self.state.retiring.as_ref().map(|retiring| retiring.root);
        for root in self.roots.epochs().await? {
            if root != self.epoch.root && Some(root) != retiring {
                self.roots.destroy(&self.claim(), root).await?;
                info!(%root, "orphan root destroyed");
            }
        }
        Ok(())
    }

    fn claim(&self) -> Claim {
        Claim { vault: self.state.vault, incarnation: self.state.incarnation }
    }

    fn expect_no_doubt(&self) -> Result<()> {
        if self.in_doubt { Err(Error::MustReopen) } else { Ok(()) }
    }
}

/// First of all, a durable name: a crash while founding must find its own claim again.
async fn begin<J: Journal>(journal: &J, roots: &dyn RootStore) -> Result<EpochState> {
    if roots.claimed().await?.is_some() {
        return Err(Error::ForeignVault);
    }
    let (vault, incarnation) = (VaultId::random()?, Incarnation::random()?);
    // Who founds on two stores may be cut short, and go on with one.
    let targets = vec![incarnation.disguised()];
    let state = EpochState { vault, incarnation, claiming: None, targets, current: None, retiring: None };
    journal.save(&state).await.map_err(journal_error("founding"))?;
    fail_point!("epoch-founding");
    Ok(state)
}

/// Founds epoch 0. Its keys are used only after the vault was claimed by another incarnation: whoever still
/// founds holds no root that anything was sealed under, and a copy of the journal from this time is fenced
/// out as soon as there is such a root.
async fn found<J: Journal>(journal: &J, roots: &dyn RootStore, state: &mut EpochState) -> Result<Epoch> {
    roots.claim(state.vault, &[], state.incarnation).await?;
    fail_point!("epoch-founding-claimed");
    let claim = Claim { vault: state.vault, incarnation: state.incarnation };
    for root in roots.epochs().await? {
        roots.destroy(&claim, root).await?;
    }
    let root = roots.create(&claim).await?;
    fail_point!("epoch-founding-root-created");
    let key = VaultKey::random(&System)?;
    let wrapped = roots.wrap(&claim, root, &key, &Epoch::context(&state.vault, 0, &root)).await?;
    let epoch = Epoch { number: 0, root, wrapped };
    state.current = Some(epoch.clone());
    journal.save(state).await.map_err(journal_error("founding"))?;
    fail_point!("epoch-founded");
    info!(vault = %state.vault, "vault founded");
    Ok(epoch)
}

/// Would the root store let this vault in? Only looks, and gives the incarnations that may be claimed over.
///
/// # Errors
/// [`Error::ForeignVault`], [`Error::Unclaimed`], [`Error::UnderWay`], [`Error::RootMissing`]; and, unless it takes over,
/// [`Error::Fenced`]. Where two stores are there, [`Error::Superseded`]. Whatever the root store answers.
pub async fn admits(state: &EpochState, roots: &dyn RootStore, takeover: Takeover) -> Result<Vec<Incarnation>> {
    match roots.claimed().await? {
        None => return Err(Error::Unclaimed),
        Some(held) if held.vault != state.vault => return Err(Error::ForeignVault),
        Some(held) if held.incarnation.is_disguised() => return Err(Error::UnderWay),
        Some(_) => {}
    }
    if let Some(epoch) = &state.current {
        let held = roots.epochs().await?;
        if !held.contains(&epoch.root) {
            let retiring = state.retiring.as_ref().map(|retiring| retiring.root);
            let held = held.iter().filter(|root| Some(**root) != retiring).count();
            return Err(Error::RootMissing { root: epoch.root, epoch: epoch.number, held });
        }
    }
    let mut known = state.known();
    let refused = roots.admits(state.vault, &known).await;
    if let (Err(Error::Fenced), Takeover::ClaimAnyway) = (&refused, takeover) {
        warn!(vault = %state.vault, "taking the vault over from another incarnation");
        // Of two stores the one that counts: the other must be claimed for the same, or for what is known.
        known.extend(roots.claimed().await?.map(|claim| claim.incarnation));
        return roots.admits(state.vault, &known).await.map(|()| known);
    }
    refused.map(|()| known)
}

/// Claims the root store for this run: whether a claim that was announced had taken effect or not, always a new one
/// is made, which no copy of the journal from before this moment can know.
async fn claim<J: Journal>(
    journal: &J,
    roots: &dyn RootStore,
    state: &mut EpochState,
    known: &[Incarnation],
) -> Result<()> {
    let held = roots.claimed().await?.ok_or(Error::Unclaimed)?.incarnation;
    // Another may have claimed it since. What is not ours must not be remembered as ours.
    let ours = |held: &Incarnation| known.contains(held) || known.iter().any(|own| own.disguised() == *held);
    if held.is_disguised() || !ours(&held) {
        return Err(Error::Fenced);
    }
    let next = Incarnation::random()?;
    let in_vain = state.claiming.replace(next).filter(|announced| *announced != held);
    state.incarnation = held;
    match target(roots).await?.filter(ours) {
        // Which of the two it is claimed for in the end is known only when it is seen again. Until then the vault may be
        // opened with the old store alone, and claim that for others.
        Some(seen) => state.targets = vec![seen, next.disguised()],
        // The old store is claimed first: what was announced and is not there, the other does not have either.
        None => state.targets.retain(|known| in_vain.map(Incarnation::disguised) != Some(*known)),
    }
    journal.save(state).await.map_err(journal_error("claiming in"))?;
    fail_point!("epoch-claiming");
    roots.claim(state.vault, known, next).await?;
    fail_point!("epoch-claimed");
    state.incarnation = next;
    state.claiming = None;
    if target(roots).await? == Some(next.disguised()) {
        state.targets = vec![next.disguised()];
    }
    journal.save(state).await.map_err(journal_error("claiming in"))
}

/// What a store that the vault moves to is claimed for. With the old store alone nobody knows; what was, stays known.
async fn target(roots: &dyn RootStore) -> Result<Option<Incarnation>> {
    let claims = roots.claims().await?;
    Ok(claims.into_iter().map(|claim| claim.incarnation).find(Incarnation::is_disguised))
}

/// Opens the committed tree under its root: the wrapped key, the vault tree's head page, and every page
/// that the epoch wrote.
async fn authenticate<J: Journal>(
    journal: &J,
    roots: &dyn RootStore,
    vault: &VaultId,
    epoch: &Epoch,
    cache: Arc<PageCache>,
) -> Result<View> {
    let context = Epoch::context(vault, epoch.number, &epoch.root);
    let key = roots.unwrap(epoch.root, &epoch.wrapped, &context).await?;
    let view = View::new(&key, epoch.number, cache);
    view.authenticate(journal)?;
    Ok(view)
}

fn journal_error(action: &'static str) -> impl FnOnce(BoxError) -> Error {
    move |source| Error::Journal { action, source }
}
