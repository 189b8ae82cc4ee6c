//! The steps at which a server that was built with failpoints can be told to die.

/// The variable that says which of them do what.
pub const FAILPOINTS: &str = "FAILPOINTS";
/// Durable steps that clients reach.
pub const AT_WORK: [&str; 13] = [
    "commit-before-write",
    "commit-before-follow",
    "commit-before-sync",
    "epoch-root-created",
    "epoch-key-wrapped",
    "epoch-committed",
    "epoch-published",
    "epoch-authenticated",
    "epoch-root-destroyed",
    "epoch-destruction-logged",
    "root-file-overwritten",
    "root-file-replica-written",
    "root-file-replica-wiped",
];
/// Durable steps of a start.
pub const AT_START: [&str; 3] = ["epoch-claiming", "epoch-claimed", "root-file-replica-claimed"];
/// Durable steps of the first start.
pub const AT_FOUNDING: [&str; 4] =
    ["epoch-founding", "epoch-founding-claimed", "epoch-founding-root-created", "epoch-founded"];
