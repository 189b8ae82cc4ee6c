//! The storage of a key server, as its own root sees it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lethe_roots_testing::Bao;
use serde_json::Value;

use super::{Root, Wrapping};

/// Every version of every key that the engine stores, in its archives, too, whatever the key's policy says of it.
pub(super) fn roots(bao: &Bao) -> Vec<Root> {
    let mut roots = Vec::new();
    for (path, value) in bao.stored() {
        // A root's key is `<name>-<root id>`; what bears another name is somebody else's.
        let id = path.rsplit('-').next().and_then(|id| hex::decode(id).ok()).and_then(|id| id.try_into().ok());
        let (Some(id), Ok(value)) = (id, serde_json::from_str::<Value>(&value)) else { continue };
        let versions = value["keys"].as_object().into_iter().flat_map(|versions| versions.values());
        let archived = value["keys"].as_array().into_iter().flatten();
        let keys = versions.chain(archived).filter_map(|version| STANDARD.decode(version["key"].as_str()?).ok());
        let keys = keys.filter_map(|key| <[u8; 32]>::try_from(key).ok());
        roots.extend(keys.map(|key| Root { id, key, wrapping: Wrapping::Device }));
    }
    roots.sort_unstable();
    roots.dedup();
    roots
}
