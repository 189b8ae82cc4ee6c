//! The crate's one error.

use std::path::PathBuf;

use crate::root::RootId;
use crate::tree::{SlotRef, TreeId};

/// An error of whoever implements one of this crate's traits.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes off a disk are not what they must be.
    #[error("corrupt {what}: {why}")]
    Corrupt {
        /// What was being read.
        what: &'static str,
        /// What is wrong with it, and where it is.
        why: String,
    },

    /// A sealed message does not open: another key, another context, or changed bytes. Which of them
    /// is not told, and cannot be.
    #[error("sealed message is not authentic under this key and context")]
    NotAuthentic,

    /// A plaintext beyond what AES-GCM may encrypt under one nonce.
    #[error("plaintext too long to be sealed")]
    TooLong,

    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system")]
    Random,

    /// A record's keys and its context name different things.
    #[error("record context does not fit its keys: {0}")]
    Context(&'static str),

    /// A vector has the wrong dimension.
    #[error("vector has {found} dimensions, not {expected}")]
    Dimension {
        /// What the transform was made for.
        expected: usize,
        /// What it was given.
        found: usize,
    },

    /// Slot 0 of the vault tree is the vault's own: it is no tenant, and only it is a slot key.
    #[error(
        "slot {0} of the vault tree cannot be used so: slot 0 is the vault's own, others are roots of tenants' trees"
    )]
    VaultSlot(u64),

    /// The tree belongs to a tenant that was erased.
    #[error("{0} was erased")]
    TreeErased(TreeId),

    /// A generation that the tree has not reached yet: the reference is not from this vault's past.
    #[error("{slot} of {tree} is from a generation yet to come")]
    FutureGeneration {
        /// The tree.
        tree: TreeId,
        /// The slot as it was asked for.
        slot: SlotRef,
    },

    /// A counter that cannot wrap would have to.
    #[error("{0} exhausted")]
    Exhausted(&'static str),

    /// Whoever keeps the pages failed to give one.
    #[error("reading a page of the key tree")]
    Pages(#[source] BoxError),

    /// Whoever keeps the epoch's state failed; what is on disk is only known after opening anew.
    #[error("{action} the epoch journal")]
    Journal {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: BoxError,
    },

    /// An earlier failure left open what is on disk: open the vault anew, which recovers.
    #[error("an epoch commit failed in the middle; open the vault again to recover")]
    MustReopen,

    /// Another writer claimed the vault since: a clone, a restored snapshot, a second server.
    #[error(
        "fenced out: the root store was claimed by another incarnation of this vault. If that was a clone that is gone for good, take the vault over explicitly"
    )]
    Fenced,

    /// The root store is one that this vault is on its way to, and the one it comes from is not at hand: what is left in
    /// that one would be forgotten.
    #[error(
        "fenced out: the root store is claimed for a vault that is on its way to it from another root store; nothing was destroyed. Name that one, too, and see that it is there"
    )]
    UnderWay,

    /// The vault has arrived in the root store it is told to move to, and lives there: these data, and the store that it is
    /// told to move from, are from before.
    #[error(
        "fenced out: the vault lives in the root store that it is told to move to, so these data and the root store that it would come from are copies from before it moved; nothing was changed. Go on with the newest data, in the root store that it moved to alone"
    )]
    Superseded,

    /// The root store belongs to another vault.
    #[error("the root store belongs to another vault")]
    ForeignVault,

    /// Nobody has claimed the root store, but this vault has claimed its own.
    #[error(
        "nobody has claimed the root store, so it is not the one that this vault had, or its claim was deleted; nothing was destroyed"
    )]
    Unclaimed,

    /// The committed epoch's root is not in the store. Nothing was destroyed.
    #[error(
        "the root store does not hold root {root} of epoch {epoch}, and {held} that these data know nothing of; nothing was destroyed. This data directory is older than the vault's last epoch, or the vault lives in another root store: attach the right root store, or adopt a mirror of the current tree"
    )]
    RootMissing {
        /// The root that the committed state names.
        root: RootId,
        /// The committed epoch.
        epoch: u64,
        /// How many roots the store holds that this data does not know of.
        held: usize,
    },

    /// Roots are left that should be gone: nothing may be reported as shredded.
    #[error("{0} roots besides the current one are still in the root store")]
    RootsRemain(usize),

    /// A root has wrapped its one blob already (rule 1 of the epoch's root).
    #[error("root {0} has already wrapped its one key")]
    AlreadyWrapped(RootId),

    /// The root store has no such root.
    #[error("no root {0} in the root store")]
    NoSuchRoot(RootId),

    /// No room for another root.
    #[error("the root store has no free slot for another root")]
    RootStoreFull,

    /// A root store refused or failed for a reason of its own.
    #[error("root store: {action}")]
    RootStore {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: BoxError,
    },

    /// Another process has the file open.
    #[error("{} is locked by another process", .0.display())]
    Locked(PathBuf),

    /// A secret's file can be read by others.
    #[error("{} has mode {mode:03o}; it must be accessible to its owner only (600)", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// A replica is missing while others exist.
    #[error("root store replica {} is missing while others exist: bring its medium back, or abandon it explicitly, which every later receipt will say", .0.display())]
    ReplicaMissing(PathBuf),

    /// A replica is to be abandoned, and can be opened.
    #[error("{} can be opened: it is not lost, and its roots would go on existing beside a vault that does not destroy them any more", .0.display())]
    ReplicaPresent(PathBuf),

    /// All replicas are to be abandoned.
    #[error("no replica of the root store would be left: who gives up the last one gives up the vault")]
    LastReplica,

    /// Replicas are to be abandoned, and those that are left are not all the others.
    #[error("the root store has {held} replicas, and {named} are named")]
    ReplicaCount {
        /// How many it has.
        held: usize,
        /// How many are named, those among them that are to be abandoned.
        named: usize,
    },

    /// A replica belongs to another root store.
    #[error("{} is not a replica of this root store", .0.display())]
    ReplicaForeign(PathBuf),

    /// The root store is sealed under another credential, or under none, or needs one.
    #[error("the root store's credential is {0}")]
    Credential(&'static str),

    /// The root store is sealed under another passphrase, or under none, or needs one; or it is no good one.
    #[error("the root store's passphrase is {0}")]
    Passphrase(&'static str),

    /// A file operation failed.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn corrupt(what: &'static str, why: impl Into<String>) -> Self {
        Self::Corrupt { what, why: why.into() }
    }
}
