//! Sketches under keys, scanned together.
//!
//! A gallery is cut into segments of equal capacity (2 MiB of codes: a core's second-level cache holds
//! one while a batch of probes passes over it). Each segment has its own lock: a search holds one
//! segment's read lock for a millisecond or some at a time, and an insertion or removal takes
//! the write lock of the one segment it changes.
//!
//! A template never moves from one segment to another, and moves within its segment only under the
//! write lock. So a search compares every template that is in the gallery from its start to its end,
//! whatever is inserted and removed meanwhile.

mod search;
mod segment;

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

use self::segment::Segment;
use crate::planes::{BLOCK, PAGE_BYTES};
use crate::{Error, Pool, Quantizer, Sketch};

pub use self::search::{Candidate, Candidates, Stop};

/// The searchable templates of one gallery of one tenant and model: what is compared with whom is
/// decided by which gallery is asked (O4).
///
/// Keys name templates to the caller and are not secret. Sketches are: memory that held one is
/// overwritten when it is removed, when a buffer grows, and when the gallery is dropped (O18, O19).
pub struct Gallery<K> {
    quantizer: Arc<Quantizer>,
    pool: Pool,
    hasher: RandomState,
    /// Held by one writer at a time, for the whole of its change; searches never take it.
    directory: Mutex<Directory>,
    /// Only ever appended to, and only by the holder of the directory.
    segments: RwLock<Vec<Arc<RwLock<Segment<K>>>>>,
}

/// Where each key's template is.
#[derive(Default)]
struct Directory {
    /// Places by the hash of the key there. Keys are compared in the segments, so that each is in
    /// memory once.
    places: HashTable<Place>,
    /// Segments with room, in no order.
    open: Vec<u32>,
}

/// Segment number times capacity plus position.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(u32);

impl<K> fmt::Debug for Gallery<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gallery").field("quantizer", &self.quantizer).finish_non_exhaustive()
    }
}

impl<K: Copy + Ord + Hash + Send + Sync> Gallery<K> {
    /// An empty gallery of sketches of this quantizer, to be scanned on this pool.
    #[must_use]
    pub fn new(quantizer: Arc<Quantizer>, pool: Pool) -> Self {
        Self { quantizer, pool, hasher: RandomState::new(), directory: Mutex::default(), segments: RwLock::default() }
    }

    /// The quantizer whose sketches and probes belong here.
    #[must_use]
    pub fn quantizer(&self) -> &Arc<Quantizer> {
        &self.quantizer
    }

    /// Adds a template.
    ///
    /// # Errors
    /// [`Error::Duplicate`] if the key is taken, [`Error::Mismatch`] for another quantizer's sketch,
    /// [`Error::Full`] beyond 2³² templates. The gallery is unchanged then.
    pub fn insert(&self, key: K, sketch: &Sketch) -> Result<(), Error> {
        self.insert_all([(key, sketch)]).pop().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Adds many templates as [`insert`](Self::insert) adds one, and gives those that it could not add, in no order. To fill a gallery
    /// so is faster than one by one, the more so from several threads.
    pub fn insert_all<'s>(&self, templates: impl IntoIterator<Item = (K, &'s Sketch)>) -> Vec<(K, Error)> {
        // Before the lock: whoever makes them may ask the gallery.
        let templates: Vec<(K, &Sketch)> = templates.into_iter().collect();
        let mut directory = self.directory.lock();
        let mut refused = Vec::new();
        let mut fresh = Vec::new();
        for (key, sketch) in templates {
            match self.quantizer.radius(sketch) {
                Err(error) => refused.push((key, error)),
                Ok(_) if self.find(&directory, &key).is_some() => refused.push((key, Error::Duplicate)),
                Ok(_) => fresh.push((key, sketch)),
            }
        }
        let mut rest = fresh.as_slice();
        while !rest.is_empty() {
            let number = match directory.open.last() {
                Some(&number) => number,
                None => match self.add_segment(&mut directory) {
                    Ok(number) => number,
                    Err(_) => {
                        refused.extend(rest.iter().map(|(key, ..)| (*key, Error::Full)));
                        break;
                    }
                },
            };
            rest = self.fill(&mut directory, number, rest, &mut refused);
        }
        refused
    }

    /// Puts templates into an open segment until it is full, and gives the rest.
    fn fill<'t, 's>(
        &self,
        directory: &mut Directory,
        number: u32,
        templates: &'t [(K, &'s Sketch)],
        refused: &mut Vec<(K, Error)>,
    ) -> &'t [(K, &'s Sketch)] {
        let segment = self.segment(number as usize);
        let len = segment.read().len();
        let room = self.capacity() - len;
        let mut added: Vec<(K, &Sketch)> = Vec::new();
        // Reserved in full: a vector that grows leaves its old buffer behind unwiped.
        let mut radii = Zeroizing::new(Vec::with_capacity(templates.len().min(room)));
        let mut rest = templates;
        while let ([(key, sketch), after @ ..], true) = (rest, added.len() < room) {
            rest = after;
            let hash = self.hasher.hash_one(key);
            // Those that are on their way are in no segment yet.
            let at = |place: Place| match self.locate(place) {
                (of, position) if of == number && position >= len => added[position - len].0,
                _ => self.key_at(place),
            };
            let taken = directory.places.find(hash, |&place| at(place) == *key).is_some();
            match self.quantizer.radius(sketch) {
                Ok(radius) if !taken => {
                    let place = self.place(number, len + added.len());
                    directory.places.insert_unique(hash, place, |&place| self.hasher.hash_one(at(place)));
                    added.push((*key, *sketch));
                    radii.push(radius);
                }
                Ok(_) => refused.push((*key, Error::Duplicate)),
                Err(error) => refused.push((*key, error)),
            }
        }
        segment.write().extend(&added, &radii);
        if added.len() == room {
            directory.open.pop();
        }
        rest
    }

    /// Removes a template and wipes where it was, in constant time; false if there is none.
    pub fn remove(&self, key: &K) -> bool {
        let mut directory = self.directory.lock();
        let hash = self.hasher.hash_one(key);
        let entry = directory.places.find_entry(hash, |&place| self.key_at(place) == *key);
        let Ok(entry) = entry else { return false };
        let (place, _) = entry.remove();
        let (number, position) = self.locate(place);
        let (moved, len) = {
            let segment = self.segment(number as usize);
            let mut segment = segment.write();
            (segment.swap_remove(position), segment.len())
        };
        if let Some(moved) = moved {
            let hash = self.hasher.hash_one(moved);
            let last = self.place(number, len);
            // Found by its place, as its key has already moved.
            if let Some(of_moved) = directory.places.find_mut(hash, |&at| at == last) {
                *of_moved = place;
            }
        }
        if len + 1 == self.capacity() {
            directory.open.push(number);
        }
        true
    }

    /// Whether there is a template under the key.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.find(&self.directory.lock(), key).is_some()
    }

    /// Number of templates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.directory.lock().places.len()
    }

    /// Whether there is no template.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sketch under a key, unpacked again: for checking a gallery against what it was loaded from.
    /// An offset comes back within rounding.
    #[must_use]
    pub fn sketch(&self, key: &K) -> Option<Sketch> {
        let directory = self.directory.lock();
        let (number, position) = self.locate(self.find(&directory, key)?);
        Some(self.segment(number as usize).read().sketch(position, &self.quantizer))
    }

    /// Bytes of heap that the gallery holds, reserve included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let directory = self.directory.lock();
        let segments: usize = self.segments.read().iter().map(|s| s.read().bytes()).sum();
        let open = directory.open.capacity() * size_of::<u32>();
        segments + open + directory.places.allocation_size()
    }

    /// As many bytes of heap as a gallery of so many templates holds, reserve included, or up to two and a half times as many.
    #[must_use]
    pub fn bytes_of(quantizer: &Quantizer, templates: usize) -> usize {
        let capacity = PAGE_BYTES / (quantizer.dim() / 8);
        let (full, rest) = (templates / capacity, (templates % capacity).next_multiple_of(BLOCK));
        // What is not full yet grows by doubling.
        let width = quantizer.dim() / 8;
        let of = |rest: usize| full * PAGE_BYTES + (2 * rest * width).min(PAGE_BYTES);
        let magnitudes = if quantizer.has_magnitudes() { of(templates % capacity) } else { 0 };
        let codes = of(rest) + magnitudes;
        let radius = if quantizer.has_centre() { size_of::<f32>() } else { 0 };
        // A hash table has between 8/7 and 16/7 places for each entry, and a byte beside each place; so have vectors that grow.
        codes + templates * (2 * (size_of::<K>() + radius) + 5 * (size_of::<Place>() + 1) / 2)
    }

    /// Templates a segment has room for.
    fn capacity(&self) -> usize {
        PAGE_BYTES / self.width()
    }

    /// Bytes of a code.
    fn width(&self) -> usize {
        self.quantizer.dim() / 8
    }

    fn find(&self, directory: &Directory, key: &K) -> Option<Place> {
        let hash = self.hasher.hash_one(key);
        directory.places.find(hash, |&place| self.key_at(place) == *key).copied()
    }

    fn key_at(&self, place: Place) -> K {
        let (number, position) = self.locate(place);
        self.segments.read()[number as usize].read().key(position)
    }

    fn segment(&self, number: usize) -> Arc<RwLock<Segment<K>>> {
        Arc::clone(&self.segments.read()[number])
    }

    fn add_segment(&self, directory: &mut Directory) -> Result<u32, Error> {
        let mut segments = self.segments.write();
        // The last place of the new segment must still have a number.
        let end = (segments.len() as u64 + 1) * self.capacity() as u64;
        if end > 1 << u32::BITS {
            return Err(Error::Full);
        }
        let number = segments.len() as u32;
        let segment = Segment::new(&self.quantizer);
        segments.push(Arc::new(RwLock::new(segment)));
        directory.open.push(number);
        Ok(number)
    }

    fn place(&self, number: u32, position: usize) -> Place {
        Place((number as usize * self.capacity() + position) as u32)
    }

    fn locate(&self, Place(place): Place) -> (u32, usize) {
        let capacity = self.capacity();
        ((place as usize / capacity) as u32, place as usize % capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gallery_will_hold_is_known_before() {
        let (plain, around) = (|dim| Quantizer::new(dim, None), |dim| Quantizer::new(dim, Some(&vec![0.05; dim])));
        for quantizer in [plain(64), plain(512), around(64), Quantizer::of_two_bits(512)] {
            let quantizer = Arc::new(quantizer.unwrap());
            let dim = quantizer.dim();
            let gallery: Gallery<[u64; 3]> = Gallery::new(Arc::clone(&quantizer), Pool::new(Some(1)).unwrap());
            let sketch = quantizer.sketch(&vec![(dim as f32).sqrt().recip(); dim]).unwrap();
            let mut templates = 0;
            let in_parts = std::iter::once(511).chain(std::iter::repeat_n(512, 200));
            for more in [1, 500, 1000, 20_000, 20_000].into_iter().chain(in_parts) {
                let keys = (templates..templates + more).map(|key| [key as u64; 3]);
                assert!(gallery.insert_all(keys.map(|key| (key, &sketch))).is_empty());
                templates += more;
                let (held, said) = (gallery.bytes(), Gallery::<[u64; 3]>::bytes_of(&quantizer, templates));
                // A few have reserve that is not worth being told of.
                assert!(held <= said + 8192 && said <= 5 * held / 2, "{templates} of {dim}: {held} {said}");
            }
        }
    }
}
