//! Whatever the crate frees, it has wiped: an allocator that looks into every block handed back.
#![allow(clippy::unwrap_used, clippy::expect_used, unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Kind, at};
use lethe_index::Query;

struct Watcher;

/// Blocks freed with any of the patterns still in them.
static UNWIPED: AtomicUsize = AtomicUsize::new(0);
/// Blocks looked into.
static FREED: AtomicUsize = AtomicUsize::new(0);

const DIM: usize = 512;

/// Enough that the buffer grows through all its sizes, to a huge page.
const TEMPLATES: u64 = 18_000;

/// A byte of signs that occurs eight times over in a sketch of this test, …
const SIGNS: [u8; 8] = [0x5a; 8];
/// … its opposite, in the others, …
const OPPOSITE: [u8; 8] = [0xa5; 8];
/// … and which of every 64 have the first: what lies in the planes of coordinates that are positive there, …
const FIRST: [u8; 8] = [0x3c; 8];
/// … and in those of the others.
const OTHERS: [u8; 8] = [0xc3; 8];

/// A byte of magnitudes, in sketches that have any.
const MAGNITUDES: [u8; 8] = [0x69; 8];

/// The probe's coordinates: ±1/√512.
fn coordinate() -> f32 {
    1.0 / (DIM as f32).sqrt()
}

/// What the coordinates are multiplied by where sketches have magnitudes: half of them by each, so that the vector stays a unit one.
const SMALL: f32 = 0.5;
fn large() -> f32 {
    1.75f32.sqrt()
}

/// What must not be freed unwiped. Called by the allocator: it must not allocate.
fn patterns() -> [[u8; 8]; 17] {
    let c = coordinate();
    let pair = |a: f32, b: f32| {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&a.to_le_bytes());
        bytes[4..].copy_from_slice(&b.to_le_bytes());
        bytes
    };
    // Of the probe: its magnitudes, as they are and of a unit vector; its steps, all the largest; which are negative; and which
    // coordinates, from the first on, are positive, and which are not.
    let unit = f64::from(c) / (0..DIM).map(|_| f64::from(c) * f64::from(c)).sum::<f64>().sqrt();
    let numbers = |four: [u16; 4]| {
        let mut bytes = [0; 8];
        bytes.as_chunks_mut().0.iter_mut().zip(four).for_each(|(to, number)| *to = number.to_le_bytes());
        bytes
    };
    // With magnitudes, half of the coordinates are large.
    let (small, large) = (c * SMALL, c * large());
    let negative = std::array::from_fn(|i| u8::from(SIGNS[0] >> i & 1 == 0));
    [
        SIGNS,
        OPPOSITE,
        FIRST,
        OTHERS,
        MAGNITUDES,
        // Four times and twice the coordinate occur in the look-up tables.
        pair(-c, c),
        pair(4.0 * c, 2.0 * c),
        f64::from(c).to_le_bytes(),
        unit.to_le_bytes(),
        [31; 8],
        negative,
        numbers([1, 3, 4, 6]),
        numbers([0, 2, 5, 7]),
        pair(small, -small),
        pair(-large, large),
        f64::from(small).to_le_bytes(),
        f64::from(large).to_le_bytes(),
    ]
}

// SAFETY: every call is handed on to the system's allocator unchanged; `dealloc` only reads the block
// before.
unsafe impl GlobalAlloc for Watcher {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on. Zeroed, so that reading it whole is defined.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is live until handed on, `layout.size()` bytes long, and was zeroed.
        let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
        let found = patterns().iter().any(|pattern| bytes.windows(8).any(|w| w == pattern));
        UNWIPED.fetch_add(usize::from(found), Ordering::Relaxed);
        FREED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watcher = Watcher;

/// What `work` freed, and how much of it unwiped.
fn freed(work: impl FnOnce()) -> (usize, usize) {
    let before = (FREED.load(Ordering::Relaxed), UNWIPED.load(Ordering::Relaxed));
    work();
    (FREED.load(Ordering::Relaxed) - before.0, UNWIPED.load(Ordering::Relaxed) - before.1)
}

#[test]
fn nothing_is_freed_unwiped() {
    // Kept alive by the test, so that it is not what the allocator sees.
    let template: Vec<f32> =
        (0..DIM).map(|i| if SIGNS[0] >> (i & 7) & 1 == 1 { coordinate() } else { -coordinate() }).collect();

    // The watcher works: this much is seen.
    assert_eq!(freed(|| drop(template.clone())).1, 1);
    for pattern in [SIGNS, OPPOSITE, FIRST, OTHERS, MAGNITUDES] {
        assert_eq!(freed(|| drop(vec![pattern; 8])).1, 1);
    }

    for kind in Kind::ALL {
        let mut centre = vec![0.0; DIM];
        centre[0] = template[0] / 2.0;
        let centre = (kind == Kind::Centred).then_some(centre);
        // The same signs; with magnitudes half of the coordinates are large.
        let size = |i: usize| match kind {
            Kind::Signs | Kind::Centred => 1.0,
            Kind::TwoBits if MAGNITUDES[0] >> (i & 7) & 1 == 1 => large(),
            Kind::TwoBits => SMALL,
        };
        let template: Vec<f32> = template.iter().enumerate().map(|(i, y)| y * size(i)).collect();
        assert_eq!(freed(|| drop(template.clone())).1, 1, "{kind:?}");
        let (blocks, unwiped) = freed(|| {
            let gallery = kind.gallery(DIM, centre.as_deref(), 1);
            let opposite: Vec<f32> = template.iter().map(|coordinate| -coordinate).collect();
            let opposite = zeroize::Zeroizing::new(opposite);
            let first = |key: u64| u64::from_le_bytes(FIRST) >> (key % 64) & 1 == 1;
            let sketch = |key: u64| {
                let vector = if first(key) { &template } else { &*opposite };
                gallery.quantizer().sketch(vector).unwrap()
            };
            // One by one, and many at once.
            (0..TEMPLATES / 2).for_each(|key| gallery.insert(key, &sketch(key)).unwrap());
            for some in (TEMPLATES / 2..TEMPLATES).collect::<Vec<_>>().chunks(100) {
                let some: Vec<_> = some.iter().map(|&key| (key, sketch(key))).collect();
                assert!(gallery.insert_all(some.iter().map(|(key, sketch)| (*key, sketch))).is_empty());
            }
            let alike = (0..TEMPLATES).filter(|&key| first(key)).count();
            let query = || Query::new(gallery.quantizer().probe(&template).unwrap(), at(0.5, 1e-4));
            let found = gallery.candidates(&query(), &|| false).unwrap();
            assert_eq!(found.items.len(), alike);
            let queries: Vec<_> = (0..12).map(|_| query()).collect();
            let batch = gallery.candidates_batch(&queries, &|| false).unwrap();
            assert!(batch.iter().all(|found| found.items.len() == alike));
            drop(gallery.sketch(&3).unwrap().to_bytes());
            (0..500).for_each(|key| assert!(gallery.remove(&key)));
        });
        assert!(blocks as u64 > TEMPLATES, "{blocks}");
        assert_eq!(unwiped, 0, "{kind:?}");
    }
}
