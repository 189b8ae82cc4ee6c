//! A gallery, in memory or not. One that nobody has searched for long gives its memory to one that is searched, and comes back
//! from its sealed rows when it is asked for.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lethe_index::{Error, Gallery, Pool, Quantizer, Sketch};
use parking_lot::RwLock;

use super::compact::CompactAt;

/// Searches that began, in the whole process: what tells which gallery was searched longest ago.
static SEARCHES: AtomicU64 = AtomicU64::new(1);

pub(super) struct Held {
    quantizer: Arc<Quantizer>,
    pool: Pool,
    state: RwLock<State>,
    used: AtomicU64,
    /// Set for one that is to leave as soon as nobody searches it: it is not given to others meanwhile.
    leaving: AtomicBool,
}

/// It follows the rows in all three.
enum State {
    /// It answers.
    In(Arc<Gallery<CompactAt>>),
    /// It is being read, and answers nobody. What goes meanwhile must not come back with what was read before.
    Coming(Arc<Gallery<CompactAt>>, HashSet<CompactAt>),
    /// It takes no memory.
    Out,
}

impl Held {
    /// An empty gallery that answers.
    pub(super) fn new(quantizer: Quantizer, pool: Pool) -> Self {
        let quantizer = Arc::new(quantizer);
        let state = RwLock::new(State::In(Arc::new(Gallery::new(Arc::clone(&quantizer), pool.clone()))));
        Self { quantizer, pool, state, used: AtomicU64::new(0), leaving: AtomicBool::new(false) }
    }

    pub(super) fn quantizer(&self) -> &Quantizer {
        &self.quantizer
    }

    /// The gallery, to be searched, if it is in memory and may stay. It stays as long as what is returned lives.
    pub(super) fn get(&self) -> Option<Arc<Gallery<CompactAt>>> {
        match &*self.state.read() {
            State::In(gallery) if !self.leaving.load(Ordering::SeqCst) => {
                self.used.store(SEARCHES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
                Some(Arc::clone(gallery))
            }
            State::In(_) | State::Coming(..) | State::Out => None,
        }
    }

    /// When it was searched last: the higher, the later; 0 for never.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        match &*self.state.read() {
            State::In(gallery) | State::Coming(gallery, _) => gallery.bytes(),
            State::Out => 0,
        }
    }

    /// Bytes of memory that it would take with so many templates.
    pub(super) fn bytes_of(&self, templates: usize) -> usize {
        Gallery::<CompactAt>::bytes_of(&self.quantizer, templates)
    }

    pub(super) fn is_out(&self) -> bool {
        matches!(*self.state.read(), State::Out)
    }

    /// Takes in templates as they are followed, and gives those that it cannot. `noted` counts them.
    pub(super) fn add(&self, sketches: &[(CompactAt, Sketch)], noted: impl FnOnce()) -> Vec<(CompactAt, Error)> {
        let state = self.state.read();
        let refused = match &*state {
            State::In(gallery) => gallery.insert_all(sketches.iter().map(|(at, sketch)| (*at, sketch))),
            State::Coming(gallery, _) => {
                // Some may have been read before they are followed.
                let new = sketches.iter().filter(|(at, _)| !gallery.contains(at));
                gallery.insert_all(new.map(|(at, sketch)| (*at, sketch)))
            }
            State::Out => Vec::new(),
        };
        noted();
        refused
    }

    /// Removes a template as it is followed. `noted` counts it before, unless it is known that there is none.
    pub(super) fn remove(&self, at: CompactAt, noted: impl FnOnce()) {
        if let State::In(gallery) = &*self.state.read() {
            if gallery.contains(&at) {
                noted();
                gallery.remove(&at);
            }
            return;
        }
        match &mut *self.state.write() {
            // It came in just now.
            State::In(gallery) => {
                if gallery.contains(&at) {
                    noted();
                    gallery.remove(&at);
                }
            }
            State::Coming(gallery, gone) => {
                noted();
                gone.insert(at);
                gallery.remove(&at);
            }
            State::Out => noted(),
        }
    }

    /// Is to leave as soon as nobody searches it, or may stay after all.
    pub(super) fn ask_to_leave(&self, leaving: bool) {
        self.leaving.store(leaving, Ordering::SeqCst);
    }

    /// Gives up its memory, wiped, unless somebody is searching it; whether it did.
    pub(super) fn leave(&self) -> bool {
        let left = {
            let mut state = self.state.write();
            match &*state {
                // Nobody gets another while the state is held.
                State::In(gallery) if Arc::strong_count(gallery) == 1 => std::mem::replace(&mut *state, State::Out),
                State::In(_) | State::Coming(..) | State::Out => return false,
            }
        };
        // Wiping takes a while, which nobody has to wait for.
        drop(left);
        true
    }

    /// Begins to come back. The rows are read after this.
    pub(super) fn come(&self) {
        let mut state = self.state.write();
        if matches!(*state, State::Out) {
            let gallery = Gallery::new(Arc::clone(&self.quantizer), self.pool.clone());
            *state = State::Coming(Arc::new(gallery), HashSet::new());
        }
    }

    /// Takes in templates that were read, and gives those that it cannot.
    pub(super) fn bring(&self, mut sketches: Vec<(CompactAt, Sketch)>) -> Vec<(CompactAt, Error)> {
        match &mut *self.state.write() {
            State::Coming(gallery, gone) => {
                // Some were followed in the meantime.
                sketches.retain(|(at, _)| !gone.contains(at) && !gallery.contains(at));
                gallery.insert_all(sketches.iter().map(|(at, sketch)| (*at, sketch)))
            }
            State::In(_) | State::Out => Vec::new(),
        }
    }

    /// Everything was read, and followed: from here on it answers, if it has as many templates as it must.
    pub(super) fn arrive(&self, templates: impl FnOnce() -> usize) -> Result<Arc<Gallery<CompactAt>>, (usize, usize)> {
        let mut state = self.state.write();
        let (State::Coming(gallery, _) | State::In(gallery)) = &*state else { return Err((0, templates())) };
        let gallery = Arc::clone(gallery);
        // None is followed while the state is held.
        let (found, expected) = (gallery.len(), templates());
        if found != expected {
            return Err((found, expected));
        }
        *state = State::In(Arc::clone(&gallery));
        self.used.store(SEARCHES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Ok(gallery)
    }

    /// It could not be read.
    pub(super) fn give_up(&self) {
        let left = std::mem::replace(&mut *self.state.write(), State::Out);
        drop(left);
    }
}
