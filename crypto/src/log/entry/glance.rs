//! What filters and counts ask of an entry, read off its line without making anything: logs have millions of entries.

use subtle::ConstantTimeEq as _;

use super::{EntryError, Outcome, VERSION, pseudonym, read_outcome};
use crate::log::json::JsonError;
use crate::log::text::{Origin, Pseudonym};
use crate::secret::AuditKey;

/// The fields of an entry that are no event and not sealed, as they stand in its line.
///
/// For lines that are known to be entries, such as those of the vault's own database: it reads the fields where a canonical
/// entry has them, and does not look whether the rest is canonical. [`super::Entry::decode`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance<'a> {
    /// When, in milliseconds since 1970 UTC.
    pub time: u64,
    /// What was asked for.
    pub operation: &'a str,
    /// The credential that asked.
    pub credential: Option<&'a str>,
    /// For which purpose.
    pub purpose: Option<&'a str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was denied or failed.
    pub reason: Option<&'a str>,
    /// Whom it concerns.
    pub pseudonym: Option<Pseudonym>,
}

impl<'a> Glance<'a> {
    /// Reads the fields.
    ///
    /// # Errors
    /// A line that does not begin as an entry does.
    pub fn read(line: &'a [u8]) -> Result<Self, EntryError> {
        let utf8 = |fault: std::str::Utf8Error| JsonError::Syntax { at: fault.valid_up_to(), expected: "UTF-8" };
        let mut rest = Rest(std::str::from_utf8(line).map_err(utf8)?);
        match rest.number("{\"version\":").ok_or(JsonError::Field("version"))? {
            VERSION => {}
            other => return Err(EntryError::Version(other)),
        }
        let time = rest.number(",\"time\":").ok_or(JsonError::Field("time"))?;
        let operation = rest.text(",\"operation\":\"").ok_or(JsonError::Field("operation"))?;
        let credential = rest.text(",\"credential\":\"");
        let purpose = rest.text(",\"purpose\":\"");
        rest.text(",\"basis\":\"");
        rest.number(",\"policy\":");
        let outcome = read_outcome(rest.text(",\"outcome\":\"").ok_or(JsonError::Field("outcome"))?)?;
        let reason = rest.text(",\"reason\":\"");
        let pseudonym = rest.text(",\"pseudonym\":\"");
        let pseudonym = pseudonym.map(|text| super::read("pseudonym", text)).transpose()?;
        Ok(Self { time, operation, credential, purpose, outcome, reason, pseudonym })
    }

    /// Does the entry, which is the leaf `index` of log `origin`, concern the subject with this key?
    pub fn belongs_to(&self, origin: &Origin, index: u64, key: &AuditKey) -> bool {
        let ours = || pseudonym(origin, index, key);
        self.pseudonym.is_some_and(|theirs| theirs.as_bytes().ct_eq(ours().as_bytes()).into())
    }
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn number(&mut self, before: &str) -> Option<u64> {
        let rest = self.0.strip_prefix(before)?;
        let (digits, rest) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        self.0 = rest;
        digits.parse().ok()
    }

    /// The fields that are read have no escapes.
    fn text(&mut self, before: &str) -> Option<&'a str> {
        let (text, rest) = self.0.strip_prefix(before)?.split_once('"')?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::entry::{Entry, EntryDraft, Event, OtherEvent};
    use crate::log::json::Value;
    use crate::secret::SlotKey;

    fn origin() -> Origin {
        "lethe/test/log".parse().unwrap()
    }

    fn agree(line: &[u8]) {
        let (entry, glance) = (Entry::decode(line).unwrap(), Glance::read(line).unwrap());
        let told = |text: &Option<crate::log::text::Token>| text.as_ref().map(ToString::to_string);
        assert_eq!(glance.time, entry.time);
        assert_eq!(glance.operation, entry.operation.as_str());
        assert_eq!(glance.credential.map(str::to_owned), told(&entry.credential));
        assert_eq!(glance.purpose.map(str::to_owned), told(&entry.purpose));
        assert_eq!(glance.outcome, entry.outcome);
        assert_eq!(glance.reason.map(str::to_owned), told(&entry.reason));
        assert_eq!(glance.pseudonym, entry.pseudonym);
    }

    #[test]
    fn a_glance_sees_what_a_reader_reads() {
        for line in include_str!("../golden/entries.jsonl").lines() {
            agree(line.as_bytes());
        }
        // Every combination of what may be absent.
        for present in 0..128_u32 {
            let with = |bit: u32| present >> bit & 1 == 1;
            let token = |text: &str| text.parse().unwrap();
            let mut draft = EntryDraft::new(u64::from(present) * 1_000, token("a.b"), Outcome::Denied);
            if with(0) {
                draft = draft.credential(token("0123"));
            }
            if with(1) {
                draft = draft.purpose(token("audit"));
            }
            if with(2) {
                draft = draft.basis(token("contract"));
            }
            if with(3) {
                draft = draft.reason(token("ROLE_REQUIRED"));
            }
            let key = || AuditKey::derive(&SlotKey::from_fn(|bytes| bytes.fill(7)));
            if with(4) {
                draft = draft.subject(key());
            }
            if with(5) {
                // What it says must not be taken for a field.
                let fields = vec![("reason".to_owned(), Value::String("x,y".to_owned()))];
                draft = draft.event(Event::Other(OtherEvent::new(token("OTHER"), fields).unwrap()));
            }
            if with(6) {
                draft = draft.policy(u64::from(present));
            }
            let entry = draft.finish(u64::from(present), &origin()).unwrap();
            let line = entry.encode();
            agree(&line);
            let glance = Glance::read(&line).unwrap();
            assert_eq!(glance.belongs_to(&origin(), u64::from(present), &key()), with(4));
            assert!(!glance.belongs_to(&origin(), u64::from(present) + 1, &key()));
        }
    }

    #[test]
    fn what_does_not_begin_as_an_entry_is_refused() {
        for bad in
            ["", "{}", "{\"version\":2,\"time\":1", "{\"version\":1}", "{\"version\":1,\"time\":1,\"operation\":\"a"]
        {
            assert!(Glance::read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Glance::read(&[0xff]).is_err());
    }
}
