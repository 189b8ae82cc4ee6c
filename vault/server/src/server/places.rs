//! Places for connections: few enough for the machine, and not to be had for nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use lethe_domain::CredentialId;
use parking_lot::Mutex;

/// As many places as there may be connections at once. A place is on loan until a caller has shown a key over its connection.
/// When there are none left, the loan that has lasted longest is called in: strangers, who shake hands and fall
/// silent, take the places of each other and of nobody else.
pub(crate) struct Places {
    most: usize,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    taken: usize,
    next: u64,
    loans: BTreeMap<u64, Weak<Place>>,
    /// Said that there are none left, since there last were some.
    told: bool,
}

/// A connection's place, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    kept: AtomicBool,
    called_in: AtomicBool,
    waker: AtomicWaker,
    /// Whose person a client certificate says is at the other end.
    certified: OnceLock<CredentialId>,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, book: Mutex::default() })
    }

    /// How many connections have a place, and how many may.
    pub(crate) fn taken(&self) -> (usize, usize) {
        (self.book.lock().taken, self.most)
    }

    /// A place on loan; `None` if all of them are kept.
    pub(super) fn lend(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut book = self.book.lock();
        if book.taken == self.most {
            if !std::mem::replace(&mut book.told, true) {
                let (most, kept) = (self.most, self.most - book.loans.len());
                tracing::warn!(most, kept, "there are as many connections as may be (limits.connections)");
            }
            book.call_in()?;
        } else {
            book.told = false;
        }
        book.taken += 1;
        let number = book.next;
        book.next += 1;
        let place = Arc::new(Place {
            places: Arc::clone(self),
            number,
            kept: AtomicBool::new(false),
            called_in: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            certified: OnceLock::new(),
        });
        book.loans.insert(number, Arc::downgrade(&place));
        Some(place)
    }
}

impl Book {
    /// Takes back the loan that has lasted longest. It counts no more, though its connection has yet to hear of it.
    fn call_in(&mut self) -> Option<()> {
        let (_, loan) = self.loans.pop_first()?;
        self.taken -= 1;
        if let Some(place) = loan.upgrade() {
            place.called_in.store(true, Ordering::Release);
            place.waker.wake();
        }
        Some(())
    }
}

impl Place {
    /// Somebody has shown a key here: the place is the connection's until it ends.
    pub(crate) fn keep(&self) {
        if !self.kept.load(Ordering::Acquire) && self.places.book.lock().loans.remove(&self.number).is_some() {
            self.kept.store(true, Ordering::Release);
        }
    }

    /// A client certificate was shown that names a credential.
    pub(super) fn certify(&self, credential: CredentialId) {
        // One handshake a connection: the first counts.
        self.certified.get_or_init(|| credential);
    }

    /// The credential that the connection's client certificate names.
    pub(crate) fn certified(&self) -> Option<CredentialId> {
        self.certified.get().copied()
    }

    /// Ready when the connection has to end. One task at a time is woken.
    pub(super) fn poll_called_in(&self, cx: &Context<'_>) -> Poll<()> {
        if self.kept.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.waker.register(cx.waker());
        if self.called_in.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.places.book.lock();
        if book.loans.remove(&self.number).is_some() || *self.kept.get_mut() {
            book.taken -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn is_called_in(place: &Place) -> bool {
        place.poll_called_in(&Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn the_longest_loan_is_called_in_and_what_is_kept_stays() {
        let places = Places::new(3);
        let [first, second, third] = [(); 3].map(|()| places.lend().unwrap());
        first.keep();
        let fourth = places.lend().unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(|place| is_called_in(place)), [false, true, false, false]);
        // Too late: it is another's by now.
        second.keep();
        assert!(is_called_in(&second));
        drop(second);
        third.keep();
        fourth.keep();
        assert!(places.lend().is_none(), "all three are kept");
        drop(first);
        let fifth = places.lend().unwrap();
        drop(fifth);
        assert!(places.lend().is_some());
        assert_eq!(places.book.lock().taken, 2);
    }
}
