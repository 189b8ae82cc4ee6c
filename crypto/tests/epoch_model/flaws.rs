//! Protocols that are wrong in one place: a claim that none of them breaks would claim nothing.

use crate::claims;

/// What is done wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The old root is destroyed as soon as the batch is synced.
    DestroyBeforeMirrors,
    /// The old root is destroyed when the batch was written.
    DestroyUnsynced,
    /// The old root stays, and the end of its epoch is logged.
    KeepTheOldRoot,
    /// The end of an epoch is logged first, then its root is destroyed.
    LogBeforeDestroying,
    /// Roots of commits that were never finished stay.
    KeepOrphans,
    /// A commit that was not finished is redone with the root it had made.
    RedoWithOrphan,
    /// A start takes the newest root for the vault's.
    TrustTheNewestRoot,
    /// A start claims the root store without having announced it.
    ClaimUnannounced,
    /// A start does not look for slots that a crash burnt.
    OverlookBurnt,
    /// The slot of a call that failed is not noted.
    OverlookFailed,
    /// A start does not take up intents.
    OverlookIntents,
    /// Rows are deleted, and no slot is redrawn.
    DeleteRowsOnly,
    /// Slots are handed out before their mark is synced.
    HandOutUnsynced,
    /// Slots are handed out before the mirror knows of their mark.
    HandOutUnmirrored,
    /// A start hands out again what no row owns.
    HandOutAgain,
    /// An erasure is accepted before its intent is synced.
    AcceptUnsynced,
    /// An enrolment is acknowledged before its row is synced.
    AcknowledgeUnsynced,
    /// Shredded is said when the epoch is committed.
    TellAtCommit,
    /// Shredded is said when the root is destroyed, before that is logged.
    TellUnlogged,
    /// Shredded is said when its end was written, before that is synced.
    TellUnsynced,
}

impl Flaw {
    /// Each flaw, with the claim that it breaks.
    pub(crate) const ALL: [(Self, &'static str); 20] = [
        (Self::DestroyBeforeMirrors, claims::MIRROR_OPENS),
        (Self::DestroyUnsynced, claims::SOMETHING_OPENS),
        (Self::KeepTheOldRoot, claims::GONE_FOR_GOOD),
        (Self::LogBeforeDestroying, claims::LOG_IS_TRUE),
        (Self::KeepOrphans, claims::ONE_ROOT),
        (Self::RedoWithOrphan, claims::GONE_FOR_GOOD),
        (Self::TrustTheNewestRoot, claims::SOMETHING_OPENS),
        (Self::ClaimUnannounced, claims::NEVER_REFUSED),
        (Self::OverlookBurnt, claims::BURNT_ARE_REDRAWN),
        (Self::OverlookFailed, claims::BURNT_ARE_REDRAWN),
        (Self::OverlookIntents, claims::ALL_ENDS_WELL),
        (Self::DeleteRowsOnly, claims::GONE_FOR_GOOD),
        (Self::HandOutUnsynced, claims::SLOTS_ARE_USED_ONCE),
        (Self::HandOutUnmirrored, claims::MIRROR_KNOWS_SLOTS),
        (Self::HandOutAgain, claims::SLOTS_ARE_USED_ONCE),
        (Self::AcceptUnsynced, claims::NOTHING_IS_LOST),
        (Self::AcknowledgeUnsynced, claims::NOTHING_IS_LOST),
        (Self::TellAtCommit, claims::GONE_FOR_GOOD),
        (Self::TellUnlogged, claims::BOTH_ENTRIES),
        (Self::TellUnsynced, claims::BOTH_ENTRIES),
    ];
}
