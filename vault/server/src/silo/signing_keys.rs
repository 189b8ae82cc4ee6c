use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use lethe_attestation::{KeyId, VerifyingKey};
use lethe_domain::Timestamp;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::error::Result;
use crate::records::SigningKeyRecord;
use crate::store::StoreError;

/// A public key of a capture or document service, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The key, with its name.
    pub key: VerifyingKey,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl SigningKey {
    pub(super) fn of(record: &SigningKeyRecord) -> Result<Self> {
        let id = KeyId::parse(&record.kid).map_err(|_| StoreError::corrupt("signing key record", "kid"))?;
        let key = VerifyingKey::new(id, record.point);
        let key = key.map_err(|_| StoreError::corrupt("signing key record", "point"))?;
        Ok(Self { key, created_at: record.created_at(), revoked_at: record.revoked_at() })
    }

    pub(crate) fn record(&self) -> SigningKeyRecord {
        SigningKeyRecord::new(self.key.id().as_str(), *self.key.point(), self.created_at, self.revoked_at)
    }
}

/// The public keys of a tenant's capture and document services, revoked ones too: the fold of their rows.
#[derive(Debug, Default)]
pub(crate) struct SigningKeys(RwLock<BTreeMap<KeyId, Arc<SigningKey>>>);

impl SigningKeys {
    pub(super) fn put(&self, key: SigningKey) {
        self.0.write().insert(key.key.id().clone(), Arc::new(key));
    }

    /// A key, revoked or not.
    pub(crate) fn find(&self, id: &KeyId) -> Option<Arc<SigningKey>> {
        self.0.read().get(id).cloned()
    }

    /// Whether what a key signs is believed.
    pub(crate) fn trusts(&self, id: &KeyId) -> bool {
        self.0.read().get(id).is_some_and(|key| key.revoked_at.is_none())
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<SigningKey>> {
        let mut all: Vec<_> = self.0.read().values().cloned().collect();
        all.sort_by(|one, other| (one.created_at, one.key.id()).cmp(&(other.created_at, other.key.id())));
        all
    }

    /// How many are not revoked.
    pub(crate) fn active(&self) -> usize {
        self.0.read().values().filter(|key| key.revoked_at.is_none()).count()
    }
}

/// Attestations that calls at work use, by their tags: of two calls with one, one has it until its use is written down.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    /// With the request of which the call is, if it may be repeated.
    by_tag: Mutex<BTreeMap<[u8; 16], Option<[u8; 16]>>>,
    released: Notify,
}

impl InUse {
    /// Takes an attestation, unless another call has it. Of a request that is repeated while the first is at work, the second waits.
    pub(crate) async fn take(self: &Arc<Self>, tag: [u8; 16], request: Option<[u8; 16]>) -> Option<Held> {
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            // From here on no release is missed.
            released.as_mut().enable();
            match self.by_tag.lock().entry(tag) {
                Entry::Vacant(free) => {
                    free.insert(request);
                    return Some(Held { tag, of: Arc::clone(self) });
                }
                Entry::Occupied(taken) if request.is_none() || *taken.get() != request => return None,
                Entry::Occupied(_) => {}
            }
            released.await;
        }
    }
}

/// An attestation that a call has for itself.
#[derive(Debug)]
pub(crate) struct Held {
    tag: [u8; 16],
    of: Arc<InUse>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.by_tag.lock().remove(&self.tag);
        self.of.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_call_has_an_attestation_at_a_time() {
        let in_use = Arc::new(InUse::default());
        let held = in_use.take([1; 16], None).await.unwrap();
        assert!(in_use.take([1; 16], None).await.is_none());
        assert!(in_use.take([1; 16], Some([7; 16])).await.is_none());
        assert!(in_use.take([2; 16], None).await.is_some());
        drop(held);
        assert!(in_use.take([1; 16], None).await.is_some());
    }

    #[tokio::test]
    async fn a_repeat_waits_for_the_request_that_it_repeats() {
        let in_use = Arc::new(InUse::default());
        let held = in_use.take([1; 16], Some([7; 16])).await.unwrap();
        assert!(in_use.take([1; 16], Some([8; 16])).await.is_none());
        let again = Arc::clone(&in_use);
        let waiting = tokio::spawn(async move { again.take([1; 16], Some([7; 16])).await.is_some() });
        tokio::task::yield_now().await;
        drop(held);
        assert!(waiting.await.unwrap());
    }
}
