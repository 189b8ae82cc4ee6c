//! Which galleries are in memory. Those that were searched longest ago make room for one that is asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_crypto::wiping;
use lethe_index::Gallery;

use super::load::in_parallel;
use super::{Model, Silo, Silos};
use crate::error::{Error, Result};
use crate::store::{Key, RowKind, SUBJECTS, Store, TemplateAt};

/// Tries to find a gallery whole whose last rows memory may be about to follow: each waits for them.
const TRIES: usize = 60;

/// How often galleries that have grown are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    ) -> Result<Arc<Gallery<TemplateAt>>> {
        model.expect_whole()?;
        if let Some(gallery) = model.held().get() {
            return Ok(gallery);
        }
        let (this, store, silo, model) = (Arc::clone(this), Arc::clone(store), Arc::clone(silo), model.clone());
        let brought = tokio::spawn(async move {
            // One at a time: each has all threads, and the room that it found.
            let _turn = this.bringing.lock().await;
            if let Some(gallery) = model.held().get() {
                return Ok(gallery);
            }
            let this = Arc::clone(&this);
            let bring = move || this.bring(&store, &silo, &model);
            tokio::task::spawn_blocking(bring).await.map_err(|_| Error::TaskLost)?
        });
        brought.await.map_err(|_| Error::TaskLost)?
    }

    fn bring(&self, store: &Store, silo: &Silo, model: &Model) -> Result<Arc<Gallery<TemplateAt>>> {
        let (started, held) = (Instant::now(), model.held());
        model.expect_whole()?;
        self.make_room(model)?;
        held.come();
        let prefix = Key::prefix_of_sketches(silo.tree, SUBJECTS, model.number);
        let take_in = |rows: &[(Key, Vec<u8>)]| {
            wiping::after_ciphers(|| {
                // Who was erased since the reading began is on the way out of the gallery, too.
                let sketches = self.open_sketches(&mut self.opener(), model, rows, |_| ());
                model.bring(&sketches);
            });
            Ok(())
        };
        let read = in_parallel(store, RowKind::Sketch, &prefix, |_| (), take_in);
        let whole = read.and_then(|()| {
            model.expect_whole()?;
            let mut arrived = held.arrive(|| model.rows());
            for _ in 1..TRIES {
                if arrived.is_ok() {
                    break;
                }
                // Of what was read some may not have been counted yet.
                store.catch_up();
                arrived = held.arrive(|| model.rows());
            }
            arrived.map_err(|(found, expected)| {
                model.fail(&format!("{found} sketches were read of {expected} templates"));
                model.not_ready("cannot answer")
            })
        });
        match &whole {
            Ok(gallery) => {
                tracing::info!(templates = gallery.len(), took = ?started.elapsed(), "a gallery is back in memory");
            }
            Err(_) => held.give_up(),
        }
        whole
    }

    /// Has the galleries that were searched longest ago leave until a model's has room.
    fn make_room(&self, model: &Model) -> Result<()> {
        let Some(most) = self.memory else { return Ok(()) };
        let need = model.held().bytes_of(model.rows());
        if need > most {
            let mib = |bytes: usize| bytes.div_ceil(1 << 20);
            let (need, most) = (mib(need), mib(most));
            return Err(model.not_ready(&format!("takes about {need} MiB, and search.memory_mib allows {most}")));
        }
        if self.trim_to(most - need) {
            Ok(())
        } else {
            Err(model.not_ready("has no room beside those that are being searched (search.memory_mib)"))
        }
    }

    /// Whether galleries take no more than so much memory, after those that were searched longest ago have left.
    fn trim_to(&self, most: usize) -> bool {
        let mut models: Vec<Model> = self.all().iter().flat_map(|silo| silo.models()).collect();
        models.sort_by_key(|model| model.held().used());
        let mut bytes: usize = models.iter().map(Model::bytes).sum();
        for model in models {
            if bytes <= most {
                break;
            }
            let own = model.bytes();
            if own > 0 && model.held().leave() {
                tracing::info!(templates = model.rows(), bytes = own, "a gallery makes room in memory");
                bytes = bytes.saturating_sub(own);
            }
        }
        bytes <= most
    }

    /// Has galleries leave whenever they have grown beyond what they may take, as long as the silos live.
    pub(crate) fn keep_within(this: &Arc<Self>) {
        let Some(most) = this.memory else { return };
        let silos = Arc::downgrade(this);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                let Some(silos) = silos.upgrade() else { return };
                // Whoever is brought in has counted on the room.
                let _turn = silos.bringing.lock().await;
                tokio::task::block_in_place(|| silos.trim_to(most));
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
