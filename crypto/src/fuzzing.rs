//! What the fuzz targets need of this crate and nobody else may have: decoders of plaintexts, and sealing with fixed keys
//! and fixed randomness. With the feature `fuzzing` alone.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::Result;
use crate::random::dangerous::Counting;
use crate::record::{self, RecordContext, RecordKeys, SealedRecord};
use crate::root::fuzzing as file;
use crate::secret::{PageKey, VaultKey};
use crate::tree::{Page, PageAddress, PageCache, View};

/// Reads a page's plaintext and writes it again.
///
/// # Errors
/// As opening the page.
pub fn page(address: &PageAddress, plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    Ok(Page::decode(address, plaintext)?.encode())
}

/// Seals a page's plaintext under a key, whatever is in it.
///
/// # Errors
/// None that can happen.
pub fn seal_page(key: &[u8; 32], address: &PageAddress, plaintext: &[u8]) -> Result<Vec<u8>> {
    Page::seal_plaintext(&page_key(key), address, &Counting::new("fuzz"), plaintext)
}

/// The tree below this key.
#[must_use]
pub fn view(key: &[u8; 32], epoch: u64) -> View {
    View::new(&VaultKey::of_page(&page_key(key)), epoch, Arc::new(PageCache::new(8)))
}

/// Seals a record with fixed randomness.
///
/// # Errors
/// [`crate::Error::Context`] if keys and context name different slots.
pub fn seal_record(keys: RecordKeys<'_>, context: &RecordContext<'_>, plaintext: &[u8]) -> Result<SealedRecord> {
    record::seal_with(&Counting::new("fuzz"), keys, context, plaintext)
}

/// Reads a header of a root store's file and writes it again; `None` if it is torn.
///
/// # Errors
/// If it is of a form that is not known.
pub fn root_header(block: &[u8]) -> Result<Option<Vec<u8>>> {
    file::header(block)
}

/// Reads a slot of a root store's file and writes it again; `None` if it is free or damaged.
///
/// # Errors
/// If it is of a form that is not known.
pub fn root_slot(block: &[u8]) -> Result<Option<Vec<u8>>> {
    file::slot(block)
}

fn page_key(key: &[u8; 32]) -> PageKey {
    let filled = PageKey::fill_with(|bytes| {
        bytes.copy_from_slice(key);
        Ok::<_, std::convert::Infallible>(())
    });
    match filled {
        Ok(key) => key,
    }
}
