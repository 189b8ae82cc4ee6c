//! The steps at which a server that was built with failpoints can be told to die.

/// The variable that says which of them do what.
pub const FAILPOINTS: &str = "FAILPOINTS";
/// Durable steps that clients reach.
pub const AT_WORK: [&str; 16] = [
    "commit-before-write",
    "commit-before-follow",
    "commit-before-sync",
    "commit-synced",
    "epoch-beginning",
    "epoch-root-created",
    "epoch-key-wrapped",
    "epoch-committed",
    "epoch-published",
    "epoch-authenticated",
    "epoch-root-destroyed",
    "epoch-destruction-logged",
    "root-file-before-sync",
    "root-file-overwritten",
    "root-file-replica-written",
    "root-file-replica-wiped",
];
/// Durable steps of the copies of a vault's rows.
pub const OF_MIRRORS: [&str; 5] =
    ["mirror-before-copy", "mirror-copied", "mirror-before-write", "mirror-before-sync", "mirror-synced"];
/// Durable steps of backups.
pub const OF_BACKUPS: [&str; 4] = ["backup-beginning", "backup-made", "backup-before-prune", "backup-pruned"];
/// Durable steps of a restore; those of the epoch that it ends with are [`AT_WORK`].
pub const OF_RESTORES: [&str; 9] = [
    "restore-before-files",
    "restore-files-marked",
    "restore-renamed",
    "restore-before-copy",
    "restore-copied",
    "restore-adopted",
    "restore-rows-removed",
    "restore-redrawn",
    "restore-finished",
];
/// Durable steps of a move to another root store; those of its epoch are [`AT_WORK`].
pub const OF_MOVES: [&str; 3] = ["root-migrating-claimed", "root-migrating-destroyed", "root-migrating-completed"];
/// Durable steps of a root store's file that is made.
pub const OF_FILES: [&str; 2] = ["root-file-before-name", "root-file-created"];
/// Durable steps of a root store in a token: of a start, then of an epoch.
pub const OF_TOKENS: [&str; 6] = [
    "root-pkcs11-claimed-beside",
    "root-pkcs11-generated",
    "root-pkcs11-marked",
    "root-pkcs11-wrapped",
    "root-pkcs11-before-removal",
    "root-pkcs11-removed",
];
/// Durable steps of a root store in a key server.
pub const OF_SERVERS: [&str; 6] = [
    "root-transit-registered",
    "root-transit-made",
    "root-transit-marked",
    "root-transit-given-up",
    "root-transit-deletion-allowed",
    "root-transit-deleted",
];
/// Durable steps of a root store in a TPM.
pub const OF_TPMS: [&str; 5] =
    ["root-tpm-defined", "root-tpm-written", "root-tpm-marked", "root-tpm-overwritten", "root-tpm-undefined"];
/// Durable steps of a start.
pub const AT_START: [&str; 3] = ["epoch-claiming", "epoch-claimed", "root-file-replica-claimed"];
/// Durable steps of the first start.
pub const AT_FOUNDING: [&str; 4] =
    ["epoch-founding", "epoch-founding-claimed", "epoch-founding-root-created", "epoch-founded"];
/// Durable steps of giving up a replica of a root store's file. No life of the crash matrix loses one.
pub const OF_ABANDONMENTS: [&str; 2] = ["root-abandonment-logged", "root-file-replica-abandoned"];

/// All that a vault on files has, but [`OF_ABANDONMENTS`].
#[must_use]
pub fn all() -> Vec<&'static str> {
    [&AT_WORK[..], &OF_MIRRORS, &OF_BACKUPS, &OF_RESTORES, &OF_MOVES, &OF_FILES, &AT_START, &AT_FOUNDING].concat()
}

/// What has the process die at a step: a panic, but for the steps of devices. Those are taken by threads that a panic ends
/// alone, so they are told to return, and abort.
#[must_use]
pub fn deadly(step: &str) -> &'static str {
    let of_device = OF_TOKENS.iter().chain(&OF_SERVERS).chain(&OF_TPMS).any(|name| *name == step);
    if of_device { "return" } else { "panic" }
}

/// All of them, each with the same action of the crate `fail`.
#[must_use]
pub fn every(action: &str) -> String {
    all().iter().map(|step| format!("{step}={action}")).collect::<Vec<_>>().join(";")
}
