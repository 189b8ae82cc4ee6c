//! Sealed records: nothing opens but what was sealed, with its keys and in its place.
#![no_main]

use lethe_crypto::fuzzing;
use lethe_crypto::record::{OVERHEAD, RecordContext, RecordKeys, RecordKind, SealedRecord, open_bytes};
use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::SlotRef;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Clone, Debug, PartialEq)]
struct Place {
    tenant: (u64, u32),
    gallery: u32,
    subject: (u64, u32),
    other: Option<(u64, u32)>,
    thing: Option<(u64, u32)>,
    kind: u8,
    id: Vec<u8>,
    version: u32,
    model: String,
    /// The first bytes of S, of the other S, of T.
    keys: [u8; 3],
}

#[derive(Arbitrary, Debug)]
enum Input {
    /// Bytes that nobody sealed.
    Stored { place: Place, bytes: Vec<u8> },
    /// Sealed, changed, opened.
    Changed { place: Place, plaintext: Vec<u8>, changes: Vec<(u16, u8)>, cut: u8, tail: Vec<u8> },
    /// Sealed in one place, opened in another.
    Elsewhere { place: Place, there: Place, plaintext: Vec<u8> },
}

impl Place {
    fn with<T>(&self, call: impl FnOnce(RecordKeys<'_>, &RecordContext<'_>) -> T) -> T {
        let slot = |(slot, generation)| SlotRef { slot, generation };
        let key = |byte: u8| SlotKey::from_fn(|bytes| bytes[0] = byte);
        let (subject, other, thing) = (key(self.keys[0]), key(self.keys[1]), key(self.keys[2]));
        let keys =
            RecordKeys { subject: &subject, other: self.other.map(|_| &other), thing: self.thing.map(|_| &thing) };
        let context = RecordContext {
            tenant: slot(self.tenant),
            gallery: self.gallery,
            subject: slot(self.subject),
            other: self.other.map(slot),
            thing: self.thing.map(slot),
            kind: RecordKind(self.kind),
            id: &self.id,
            version: self.version,
            model: &self.model,
        };
        call(keys, &context)
    }

    fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let sealed = self.with(|keys, context| fuzzing::seal_record(keys, context, plaintext));
        sealed.expect("keys and place agree").into_bytes()
    }

    fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.with(|keys, context| open_bytes(keys, context, bytes)).ok().map(|plaintext| plaintext.to_vec())
    }

    /// The same, where keys are not asked for that nobody has.
    fn used(&self) -> Self {
        let mut used = self.clone();
        used.keys[1] *= u8::from(self.other.is_some());
        used.keys[2] *= u8::from(self.thing.is_some());
        used
    }
}

fuzz_target!(|input: Input| {
    match input {
        Input::Stored { place, bytes } => {
            let is_record = SealedRecord::from_bytes(bytes.clone());
            assert_eq!(is_record.is_ok(), bytes.len() >= OVERHEAD && bytes[0] == 1);
            if let Ok(record) = is_record {
                assert_eq!(record.plaintext_len() + OVERHEAD, bytes.len());
                assert_eq!(record.as_bytes(), bytes);
            }
            assert_eq!(place.open(&bytes), None, "bytes that nobody sealed open");
        }
        Input::Changed { place, plaintext, changes, cut, tail } => {
            let sealed = place.seal(&plaintext);
            assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            let mut changed = sealed.clone();
            for (at, by) in changes {
                let at = usize::from(at) % changed.len();
                changed[at] ^= by;
            }
            changed.truncate(changed.len() - usize::from(cut).min(changed.len()));
            changed.extend_from_slice(&tail);
            let expected = (changed == sealed).then_some(plaintext);
            assert_eq!(place.open(&changed), expected, "what opens is not what was sealed");
        }
        Input::Elsewhere { place, there, plaintext } => {
            let same = place.used() == there.used();
            let expected = same.then(|| plaintext.clone());
            assert_eq!(there.open(&place.seal(&plaintext)), expected, "a record opens in another's place");
        }
    }
});
