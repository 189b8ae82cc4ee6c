//! Which galleries are in memory. Those that were searched longest ago make room for one that is asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_crypto::wiping;
use lethe_index::Gallery;

use super::compact::CompactAt;
use super::held::Held;
use super::load::in_parallel;
use super::{Model, Silo, Silos};
use crate::error::{Error, Result};
use crate::store::{Key, RowKind, SUBJECTS, Store, StoreError};

/// How often galleries that have grown are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a gallery that is asked for waits for others that are being searched to leave: searches take milliseconds, and a step of
/// a sweep some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Times that memory may take a second to follow what was read.
const TRIES: usize = 30;

impl Silos {
    /// The gallery of a model, to be searched: it is brought into memory if it is not there. Whoever asks meanwhile waits for
    /// the same reading, which goes on to its end whoever leaves.
    ///
    /// # Errors
    /// `GalleryNotReady` for one that is not whole, and for one that has no room.
    pub(crate) async fn ready(
        this: &Arc<Self>,
        store: &Arc<Store>,
        silo: &Arc<Silo>,
        model: &Model,
    ) -> Result<Arc<Gallery<CompactAt>>> {
        model.expect_whole()?;
        if let Some(gallery) = model.held().get() {
            return Ok(gallery);
        }
        let asked = Arc::new(());
        let waits = Arc::downgrade(&asked);
        let (this, store, silo, model) = (Arc::clone(this), Arc::clone(store), Arc::clone(silo), model.clone());
        let brought = tokio::spawn(async move {
            // One at a time: each has all threads, and the room that it found.
            let _turn = this.bringing.lock().await;
            if let Some(gallery) = model.held().get() {
                return Ok(gallery);
            }
            if waits.strong_count() == 0 {
                // Nobody waits any more, and the room is others'.
                return Err(Error::TaskLost);
            }
            model.expect_whole()?;
            this.make_room(&model).await?;
            let this = Arc::clone(&this);
            let bring = move || this.bring(&store, &silo, &model);
            tokio::task::spawn_blocking(bring).await.map_err(|_| Error::TaskLost)?
        });
        let gallery = brought.await.map_err(|_| Error::TaskLost)?;
        drop(asked);
        gallery
    }

    fn bring(&self, store: &Store, silo: &Silo, model: &Model) -> Result<Arc<Gallery<CompactAt>>> {
        let (started, held) = (Instant::now(), model.held());
        held.ask_to_leave(false);
        held.come();
        let mut coming = Coming { held, arrived: false };
        let prefix = Key::prefix_of_sketches(silo.tree, SUBJECTS, model.number);
        in_parallel(
            store,
            RowKind::Sketch,
            &prefix,
            |_| (),
            |rows| {
                if self.is_closing() {
                    return Err(StoreError::Closed.into());
                }
                wiping::after_ciphers(|| {
                    // Who was erased since the reading began is on the way out of the gallery, too.
                    let sketches = self.open_sketches(&mut self.opener(), model, rows, |_| ());
                    model.bring(&sketches);
                });
                Ok(())
            },
        )?;
        model.expect_whole()?;
        // Rows can be read before they are followed, and so counted. Once all that were read are, there are as many in the gallery as
        // are counted, at any instant.
        if !(0..TRIES).any(|_| store.catch_up()) {
            return Err(model.not_ready("is behind what is written; try again"));
        }
        let gallery = held.arrive(|| model.rows()).map_err(|(found, expected)| {
            if self.of_tree(silo.tree).is_none() {
                return StoreError::Shredded.into();
            }
            model.fail(&format!("{found} sketches were read of {expected} templates"));
            model.not_ready("cannot answer")
        })?;
        coming.arrived = true;
        tracing::info!(templates = gallery.len(), took = ?started.elapsed(), "a gallery is back in memory");
        Ok(gallery)
    }

    /// Has the galleries that were searched longest ago leave until a model's has room.
    async fn make_room(&self, model: &Model) -> Result<()> {
        let Some(most) = self.memory else { return Ok(()) };
        let need = model.held().bytes_of(model.rows());
        if need > most {
            tracing::warn!(model = %model.profile.model(), need, most, "a gallery is larger than all may be");
            return Err(model.not_ready("takes more memory than galleries may (search.memory_mib)"));
        }
        let leaving = self.longest_unused(most - need);
        let until = Instant::now() + PATIENCE;
        loop {
            // Wiping takes a while.
            let left = tokio::task::block_in_place(|| {
                leaving.iter().map(Model::held).all(|held| held.is_out() || held.leave())
            });
            if left || Instant::now() > until {
                leaving.iter().for_each(|model| model.held().ask_to_leave(false));
                return if left { Ok(()) } else { Err(model.not_ready("found no room in memory; try again")) };
            }
            // Not given to anybody else, so that those who search them now are the last.
            leaving.iter().for_each(|model| model.held().ask_to_leave(true));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Those galleries that were searched longest ago without which others take no more than so much memory.
    fn longest_unused(&self, most: usize) -> Vec<Model> {
        let mut models: Vec<(Model, usize)> =
            self.all().iter().flat_map(|silo| silo.models()).map(|model| (model.clone(), model.bytes())).collect();
        models.sort_by_key(|(model, _)| model.held().used());
        let mut bytes: usize = models.iter().map(|(_, bytes)| bytes).sum();
        let mut leaving = Vec::new();
        for (model, own) in models {
            if bytes > most && own > 0 {
                bytes -= own;
                leaving.push(model);
            }
        }
        leaving
    }

    /// Has galleries leave that have grown beyond what they may take, unless they are being searched.
    fn trim(&self) {
        let Some(most) = self.memory else { return };
        for model in self.longest_unused(most) {
            if model.held().leave() {
                tracing::info!(templates = model.rows(), "a gallery makes room in memory");
            }
        }
    }

    /// Trims once a second, as long as the silos live.
    pub(crate) fn keep_within(this: &Arc<Self>) {
        if this.memory.is_none() {
            return;
        }
        let silos = Arc::downgrade(this);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                let Some(silos) = silos.upgrade() else { return };
                tokio::task::block_in_place(|| silos.trim());
            }
        });
    }

    /// Decides which galleries are in memory from the start: as many as there is room for.
    pub(super) fn plan(&self, store: &Store) -> Result<()> {
        let Some(most) = self.memory else { return Ok(()) };
        let mut planned = 0;
        for silo in self.all() {
            for model in silo.models() {
                let templates = usize::try_from(store.census(silo.tree, SUBJECTS, model.number)?).unwrap_or(usize::MAX);
                let need = model.held().bytes_of(templates);
                if planned + need > most {
                    model.held().leave();
                } else {
                    planned += need;
                }
            }
        }
        Ok(())
    }
}

/// A gallery that is being read. It is out again if that comes to no good end.
struct Coming<'a> {
    held: &'a Held,
    arrived: bool,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if !self.arrived {
            self.held.give_up();
        }
    }
}
