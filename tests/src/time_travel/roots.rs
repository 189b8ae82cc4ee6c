//! Roots, whatever store they are in, and what they unwrap.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::crypto::{Key, canonical, derive, gcm_open, unseal};
use super::rows::Wrapped;
use crate::Device;
use crate::failpoints::{AT_START, AT_WORK};
use crate::media::{self, Root, Wrapping};

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

    /// Durable steps of an epoch and of a start that this kind of store takes, its own before the others.
    pub(super) fn steps(&self) -> Vec<&'static str> {
        let all = AT_START.into_iter().chain(AT_WORK);
        match self {
            Self::File(_) => all.collect(),
            Self::On(device) => {
                device.steps().iter().copied().chain(all.filter(|step| !step.starts_with("root-"))).collect()
            }
        }
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
