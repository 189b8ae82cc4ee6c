//! The vault under test: a process of its own, with its default limits but for one, on plaintext loopback as its
//! peers are.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_dataset::Population;
use lethe_vault::config::Config;
use lethe_vault::server;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::Error;
use crate::child::{Child, KEY, READY};
use crate::client::{Client, Keys, model};

/// Calls that a tenant may have at work: as many as there are callers where most of them erase at once.
const CONCURRENCY: usize = 1024;
/// People of one stream of an import.
const BATCH: usize = 10_000;

/// Serves a vault in `folder` until SIGTERM; what a child process does. `window` is `erasure.window_ms`, if it is not to be
/// the default.
///
/// # Errors
/// [`Error::Invalid`] if it does not start.
pub async fn serve(folder: &Path, window: Option<u64>) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::io("awaiting signals"))?;
    let mut config =
        Config { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), data_dir: folder.to_owned(), ..Config::default() };
    config.limits.concurrency = CONCURRENCY;
    config.erasure.window_ms = window.unwrap_or(config.erasure.window_ms);
    let started = server::start(config).await;
    let mut running = started.map_err(|error| Error::invalid(format!("the vault does not start: {error}")))?;
    if let Some(key) = running.take_operator_key() {
        println!("{KEY}{}", *key);
    }
    println!("{READY}http://{}", running.address());
    terminate.recv().await;
    running.shutdown().await;
    Ok(())
}

/// A running vault with one tenant.
pub struct Vault {
    /// Gone before its folder is removed.
    child: Child,
    folder: Folder,
    client: Arc<Client>,
    login: Arc<Client>,
    keys: Keys,
    dimension: usize,
}

/// Where a vault is.
enum Folder {
    /// Removed with it.
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl Vault {
    /// Founds a vault below `scratch`, with the tenant and the model profile that everything is measured
    /// on.
    ///
    /// # Errors
    /// What starting and calling give.
    pub async fn found(scratch: &Path, dimension: usize, sketch_bits: u8) -> Result<Self, Error> {
        let folder = TempDir::new_in(scratch).map_err(Error::io(scratch.display().to_string()))?;
        Self::found_in(Folder::Temporary(folder), dimension, sketch_bits).await
    }

    async fn found_in(folder: Folder, dimension: usize, sketch_bits: u8) -> Result<Self, Error> {
        let child = Child::start(&arguments(folder.path(), None), None)?;
        let operator = child.key().ok_or_else(|| Error::invalid("a new vault gave no operator's key"))?;
        let client = Client::connect(child.endpoint(), operator, dimension).await?;
        let keys = client.set_up(&model(dimension), sketch_bits).await?;
        Self::of_parts(folder, child, &client, keys, dimension)
    }

    fn of_parts(folder: Folder, child: Child, any: &Client, keys: Keys, dimension: usize) -> Result<Self, Error> {
        let (client, login) = (Arc::new(any.with_key(&keys.all)?), Arc::new(any.with_key(&keys.login)?));
        Ok(Self { folder, child, client, login, keys, dimension })
    }

    /// Founds a vault and enrolls the first capture of `people`.
    ///
    /// # Errors
    /// As [`Vault::found`].
    pub async fn of(scratch: &Path, population: &Population, sketch_bits: u8, people: u64) -> Result<Self, Error> {
        let vault = Self::found(scratch, population.dimension(), sketch_bits).await?;
        vault.enroll(population, 0..people).await?;
        Ok(vault)
    }

    /// The vault that is kept in a folder; made as [`Vault::of`] makes one, where none is.
    ///
    /// # Errors
    /// As [`Vault::of`]; [`Error::Invalid`] for a folder that has something else in it, as a vault that was not filled to its end.
    pub async fn kept(folder: &Path, population: &Population, sketch_bits: u8, people: u64) -> Result<Self, Error> {
        let (file, dimension) = (folder.join("keys.json"), population.dimension());
        let named = |what: &Path| Error::io(what.display().to_string());
        if !file.exists() {
            std::fs::create_dir_all(folder).map_err(named(folder))?;
            if std::fs::read_dir(folder).map_err(named(folder))?.next().is_some() {
                let what = "has something else in it, as a vault that was not filled to its end: remove it";
                return Err(Error::invalid(format!("{} {what}", folder.display())));
            }
            let vault = Self::found_in(Folder::Kept(folder.to_owned()), dimension, sketch_bits).await?;
            vault.enroll(population, 0..people).await?;
            let keys = serde_json::to_vec(&vault.keys).map_err(|error| named(&file)(error.into()))?;
            std::fs::write(&file, keys).map_err(named(&file))?;
            return vault.restart().await;
        }
        let keys = std::fs::read(&file).map_err(named(&file))?;
        let keys: Keys = serde_json::from_slice(&keys).map_err(|error| named(&file)(error.into()))?;
        let child = Child::start(&arguments(folder, None), None)?;
        let client = Client::connect(child.endpoint(), &keys.all, dimension).await?;
        Self::of_parts(Folder::Kept(folder.to_owned()), child, &client, keys, dimension)
    }

    /// Enrolls the first capture of each of `people`.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub async fn enroll(&self, population: &Population, people: Range<u64>) -> Result<(), Error> {
        for (first, batch) in population.batches(people, 0, BATCH) {
            self.client.import(first, batch).await?;
        }
        Ok(())
    }

    /// Ends the process and starts it again on the same folder, on all cores.
    ///
    /// # Errors
    /// What stopping and starting give.
    pub async fn restart(self) -> Result<Self, Error> {
        self.restart_as(None, None).await
    }

    /// The same, with another `erasure.window_ms`.
    ///
    /// # Errors
    /// As [`Vault::restart`].
    pub async fn restart_with_window(self, window: u64) -> Result<Self, Error> {
        self.restart_as(None, Some(window)).await
    }

    /// The same on some cores, as `taskset` takes them.
    ///
    /// # Errors
    /// As [`Vault::restart`].
    pub async fn restart_on(self, cores: Option<&str>) -> Result<Self, Error> {
        self.restart_as(cores, None).await
    }

    async fn restart_as(self, cores: Option<&str>, window: Option<u64>) -> Result<Self, Error> {
        let Self { folder, child, keys, dimension, client, login } = self;
        drop((client, login));
        child.stop().await?;
        let child = Child::start(&arguments(folder.path(), window), cores)?;
        let client = Client::connect(child.endpoint(), &keys.all, dimension).await?;
        Self::of_parts(folder, child, &client, keys, dimension)
    }

    /// The way in, with the roles that the scenarios need.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same, to be shared by concurrent callers.
    #[must_use]
    pub fn client_shared(&self) -> Arc<Client> {
        self.client.clone()
    }

    /// The way in of a login service: it verifies, and sees no scores.
    #[must_use]
    pub fn login(&self) -> &Arc<Client> {
        &self.login
    }

    /// The process.
    #[must_use]
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// The vault's files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

fn arguments(folder: &Path, window: Option<u64>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["child".into(), "vault".into(), folder.join("data").into()];
    arguments.extend(window.map(|window| OsString::from(format!("--window={window}"))));
    arguments
}
