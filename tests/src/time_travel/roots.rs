//! Roots, whatever store they are in, and what they unwrap.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::crypto::{Key, canonical, derive, gcm_open, unseal};
use super::rows::Wrapped;
use crate::failpoints::{AT_START, AT_WORK, OF_BACKUPS, OF_MIRRORS, OF_RESTORES};
use crate::media::{self, Root, Wrapping};
use crate::{Device, Home, Setup};

/// Roots that somebody has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roots(HashSet<Root>);

/// Where a vault has its roots.
#[derive(Clone)]
pub(super) enum Place {
    /// In this file.
    File(PathBuf),
    /// In a store of any kind.
    On(Arc<Device>),
}

impl Place {
    /// What is there now.
    pub(super) fn now(&self) -> Roots {
        match self {
            Self::File(path) => Roots::read(&std::fs::read(path).unwrap()),
            Self::On(device) => Roots::on(device),
        }
    }

    /// What must be done after a process that used it was killed.
    pub(super) fn tidy(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        match self {
            Self::File(_) => None,
            Self::On(device) => device.tidy(),
        }
    }

    /// A copy of it, as of a snapshot, beside a copy of the vault's folder; and how a server there is told of it.
    pub(super) fn copy(&self, home: &Home, setup: &Setup) -> (Self, Setup) {
        match self {
            Self::File(_) => (Self::File(home.root(0)), setup.clone()),
            Self::On(device) => {
                let copy = device.copy();
                let setup = copy.alone(setup.clone());
                (Self::On(Arc::new(copy)), setup)
            }
        }
    }

    /// Durable steps that clients and restores reach with this kind of store, its own before the others.
    pub(super) fn at_work(&self) -> Vec<&'static str> {
        self.own().iter().copied().chain(AT_WORK).filter(|step| self.takes(step)).collect()
    }

    /// Durable steps of whatever happens in a history with this kind of store, its own before the others.
    pub(super) fn steps(&self) -> Vec<&'static str> {
        let all = [self.own(), &AT_START, &AT_WORK, &OF_MIRRORS, &OF_BACKUPS, &OF_RESTORES].concat();
        all.into_iter().filter(|step| self.takes(step)).collect()
    }

    fn own(&self) -> &'static [&'static str] {
        match self {
            Self::File(_) => &[],
            Self::On(device) => device.steps(),
        }
    }

    /// Steps of files are none of other stores.
    fn takes(&self, step: &str) -> bool {
        matches!(self, Self::File(_)) || !step.starts_with("root-file-")
    }
}

impl Roots {
    /// Those of a root store's file.
    pub(super) fn read(file: &[u8]) -> Self {
        Self(media::of_file(file).into_iter().collect())
    }

    /// Those of a store, whichever it is.
    pub(super) fn on(device: &Device) -> Self {
        Self(media::roots(device).into_iter().collect())
    }

    /// Everything that two hold.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|root| &root.key)
    }

    /// The vault key in a wrapped one, if any root here unwraps it, whatever root it says it is wrapped under.
    pub(super) fn unwrap(&self, wrapped: &Wrapped) -> Option<Key> {
        self.unwrapped(wrapped).map(|(_, key)| key)
    }

    /// Which root unwraps a vault key, and that key.
    pub(super) fn unwrapped(&self, wrapped: &Wrapped) -> Option<(Key, Key)> {
        self.0.iter().find_map(|root| Some((root.key, unwrap(root, wrapped)?)))
    }
}

fn unwrap(by: &Root, wrapped: &Wrapped) -> Option<Key> {
    let Wrapped { vault, epoch, root, blob } = wrapped;
    let context = canonical(&[b"lethe/v1/wrap", vault, &epoch.to_be_bytes(), root]);
    let (&version, sealed) = blob.split_first().unwrap();
    assert_eq!(version, 1, "version of a wrapped key");
    let opened = match by.wrapping {
        Wrapping::Derived(store) => {
            let key = derive(&[store, *root].concat(), &by.key, &[b"lethe/v1/wrap", &context]);
            unseal(&key, &context, sealed)?
        }
        Wrapping::Device => {
            let opened = gcm_open(&by.key, &context, sealed)?;
            opened.strip_prefix(&[0; 32]).expect("zeros precede the vault key").to_vec()
        }
    };
    Some(opened.try_into().expect("a vault key has 32 bytes"))
}
