//! The register of a transit store: the claim, and how far each root has come.

use std::collections::BTreeMap;

use lethe_crypto::root::{Claim, Incarnation, RootId, VaultId};
use lethe_crypto::{Error, Result};
use serde::{Deserialize, Serialize};

/// What the register says it is.
const FORMAT: &str = "lethe/v1/roots";

/// How far a root has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Its key exists, or is about to.
    Created,
    /// It has wrapped its one key, or is about to.
    Wrapped,
    /// Its key is about to be deleted, or was. It unwraps no more.
    Destroying,
}

/// The register's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Register {
    pub(crate) claim: Claim,
    pub(crate) roots: BTreeMap<RootId, Stage>,
}

/// The register, as it is written.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    format: String,
    vault: String,
    incarnation: String,
    roots: BTreeMap<String, Stage>,
}

impl Register {
    pub(crate) fn decode(document: &Document) -> Result<Self> {
        let corrupt = |why| Error::Corrupt { what: "register of roots", why: String::from(why) };
        if document.format != FORMAT {
            return Err(corrupt("unknown format, of a newer version or somebody else's"));
        }
        let claim = Claim {
            vault: document.vault.parse::<VaultId>()?,
            incarnation: document.incarnation.parse::<Incarnation>()?,
        };
        let roots = document.roots.iter().map(|(root, stage)| Ok((root.parse()?, *stage)));
        let register = Self { claim, roots: roots.collect::<Result<_>>()? };
        // Two spellings of one root would be one root, at whichever stage came last.
        if register.encode() == *document { Ok(register) } else { Err(corrupt("an id is not spelt as it is written")) }
    }

    pub(crate) fn encode(&self) -> Document {
        Document {
            format: FORMAT.to_owned(),
            vault: self.claim.vault.to_string(),
            incarnation: self.claim.incarnation.to_string(),
            roots: self.roots.iter().map(|(root, stage)| (root.to_string(), *stage)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_round_trip_and_nothing_else_is_read_as_one() {
        let claim = Claim { vault: VaultId::from_bytes([1; 16]), incarnation: Incarnation::from_bytes([2; 16]) };
        let stages = [Stage::Created, Stage::Wrapped, Stage::Destroying];
        let roots = (8..).zip(stages).map(|(id, stage)| (RootId::from_bytes([id; 16]), stage)).collect();
        let register = Register { claim, roots };
        let text = serde_json::to_string(&register.encode()).unwrap();
        assert!(text.contains(r#""08080808080808080808080808080808":"created""#), "{text}");
        let read = |text: &str| serde_json::from_str::<Document>(text).ok().map(|document| Register::decode(&document));
        assert_eq!(read(&text).unwrap().unwrap(), register);
        for (from, to) in [("/v1/", "/v2/"), ("0808", "08x8"), ("0101", "01"), ("0a0a", "0A0a")] {
            assert!(read(&text.replacen(from, to, 1)).unwrap().is_err(), "{from}");
        }
        for (from, to) in [("created", "made"), ("\"format\"", "\"newer\"")] {
            assert!(read(&text.replacen(from, to, 1)).is_none(), "{from}");
        }
    }
}
