//! PINs that a token refused: tokens lock after a few of them, and whoever starts this process again knows nothing of the
//! last one's tries. So they are counted in a file, which names no PIN, only which version of the PIN file it was in.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use cryptoki::slot::TokenInfo;

use crate::Error;
use crate::formats::refusals::{Memory, Stamp};

/// How many PINs may be refused in a row. Tokens lock after three, or more.
const TRIES: u32 = 2;

/// Remembers refusals, in a file if one is given.
pub(super) struct Refusals {
    file: Option<PathBuf>,
    memory: Option<Memory>,
}

impl Refusals {
    pub(super) fn of(file: Option<PathBuf>) -> Self {
        // One that cannot be read is as good as none: the token's own flags are left.
        let text = file.as_ref().and_then(|file| fs::read_to_string(file).ok());
        let memory = text.and_then(|text| Memory::decode(&text));
        Self { file, memory }
    }

    /// May the PIN in this version of the file be shown to a token that says this of itself?
    pub(super) fn expect_none(&self, stamp: Stamp, token: &TokenInfo) -> Result<(), Error> {
        if token.user_pin_locked() {
            return Err(Error::PinLocked);
        }
        if token.user_pin_final_try() {
            return Err(Error::PinFinalTry);
        }
        match self.memory {
            // Somebody has logged in since: what was refused then counts no more, but is no better now.
            Some(memory) if memory.stamp == stamp => Err(Error::PinRefused),
            Some(memory) if memory.count >= TRIES && (!memory.revealed || token.user_pin_count_low()) => {
                Err(Error::PinsRefused { count: memory.count, file: self.file.clone().unwrap_or_default() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The token refused the PIN in this version of the file. `revealed`: it shows that in its flags.
    pub(super) fn remember(&mut self, stamp: Stamp, revealed: bool) {
        let count = self.memory.map_or(1, |memory| memory.count.saturating_add(1));
        let memory = Memory { count, revealed, stamp };
        self.memory = Some(memory);
        let Some(file) = &self.file else { return };
        let kept = fs::File::create(file).and_then(|mut file| {
            file.write_all(memory.encode().as_bytes())?;
            file.sync_all()
        });
        if let Err(error) = kept {
            tracing::warn!(%error, file = %file.display(), "a refused PIN is remembered only until this process ends");
        }
    }

    /// It accepted one.
    pub(super) fn forget(&mut self) {
        if self.memory.take().is_some()
            && let Some(file) = &self.file
            && let Err(error) = fs::remove_file(file)
        {
            tracing::warn!(%error, file = %file.display(), "PINs that were refused once stay on record");
        }
    }

    /// Was one refused that is still in the file?
    pub(super) const fn any(&self) -> bool {
        self.memory.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_over_processes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pin) = (folder.path().join("refused"), folder.path().join("pin"));
        fs::write(&pin, "1").unwrap();
        let stamp = crate::secret_file::stamp(&pin).unwrap();
        let open = || Refusals::of(Some(file.clone()));
        assert!(!open().any());
        for count in 1..4 {
            open().remember(stamp, count == 2);
            assert_eq!(open().memory, Some(Memory { count, revealed: count == 2, stamp }));
        }
        open().forget();
        assert!(!open().any() && !file.exists());
        for nonsense in ["", "1", "1 1", "x 1 1 1 1 1", "1 1 1 1 1", "1 1 1 1 1 1 1"] {
            fs::write(&file, nonsense).unwrap();
            assert!(!open().any(), "{nonsense:?}");
        }
    }
}
