//! PKCS#11 modules: initialised once in a process, whoever uses them.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as P11Error, RvError};
use lethe_crypto::Result;
use parking_lot::Mutex;

use crate::Error;

struct Loaded {
    path: PathBuf,
    context: Pkcs11,
    users: usize,
}

static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

/// A module, shared with whoever in this process uses the same one.
pub(super) struct Module {
    path: PathBuf,
    context: Pkcs11,
}

impl Module {
    /// Loads and initialises a module, unless that was done before.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let failed = |error| Error::Pkcs11(error).during("loading the PKCS#11 module");
        let mut loaded = LOADED.lock();
        let known = loaded.iter_mut().find(|loaded| loaded.path == path);
        let context = match known {
            Some(known) => {
                known.users += 1;
                known.context.clone()
            }
            None => {
                let context = Pkcs11::new(path).map_err(failed)?;
                initialise(&context)?;
                loaded.push(Loaded { path: path.to_owned(), context: context.clone(), users: 1 });
                context
            }
        };
        Ok(Self { path: path.to_owned(), context })
    }

    /// Finalises the module and initialises it anew, if nobody else uses it: otherwise it gives `false`. Its sessions
    /// must be closed.
    pub(super) fn restart(&self) -> Result<bool> {
        let loaded = LOADED.lock();
        let alone = loaded.iter().any(|loaded| loaded.path == self.path && loaded.users == 1);
        if alone {
            // It fails if an earlier restart got no further than this.
            let _ = self.context.clone().finalize();
            initialise(&self.context)?;
        }
        Ok(alone)
    }
}

fn initialise(context: &Pkcs11) -> Result<()> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(P11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(Error::NoStart(error).during("looking for the token")),
    }
}

impl Deref for Module {
    type Target = Pkcs11;

    fn deref(&self) -> &Pkcs11 {
        &self.context
    }
}

impl Drop for Module {
    /// The module stays loaded and initialised: others may hold it without us knowing.
    fn drop(&mut self) {
        if let Some(loaded) = LOADED.lock().iter_mut().find(|loaded| loaded.path == self.path) {
            loaded.users -= 1;
        }
    }
}
