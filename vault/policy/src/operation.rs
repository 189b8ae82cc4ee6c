//! One marker type an operation: `Authorized<Search>` is no `Authorized<Enroll>`.

use crate::table::Operation;

/// A marker type of an operation.
pub trait Kind: Send + Sync + 'static {
    /// The operation it stands for.
    const OPERATION: Operation;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl Kind for $name {
                const OPERATION: Operation = Operation::$name;
            }
        )*
    };
}

kinds! {
    /// Creates a tenant.
    CreateTenant,
    /// Reads a tenant.
    GetTenant,
    /// Changes what a client allows: its purposes, its law (O1).
    UpdateTenantPolicy,
    /// Proposes that a tenant's contract ends: that its silo is handed over and shredded (O27).
    OffboardTenant,
    /// Hands a tenant's silo over, sealed to its own key (O27).
    ExportSilo,
    /// Confirms that the silo was received.
    ConfirmHandover,
    /// Shreds a tenant: its whole silo (O27).
    ShredTenant,
    /// Replaces the keys that wrap a tenant's keys, or the vault's.
    RotateKeys,
    /// Creates a credential of a tenant.
    CreateCredential,
    /// Lists a tenant's credentials.
    ListCredentials,
    /// Revokes a tenant's credential.
    RevokeCredential,
    /// Creates a credential of a tenant's administrator, by the operator: for a tenant whose last one is lost.
    AppointAdministrator,
    /// Registers the public key of a capture or document service (O6).
    CreateSigningKey,
    /// Lists a tenant's signing keys.
    ListSigningKeys,
    /// Revokes a signing key: what it signed is believed no more.
    RevokeSigningKey,
    /// Creates an operator's credential.
    CreateOperator,
    /// Lists the operators' credentials.
    ListOperators,
    /// Revokes an operator's credential.
    RevokeOperator,
    /// Registers a model for a tenant.
    CreateModelProfile,
    /// Reads a model profile.
    GetModelProfile,
    /// Lists a tenant's model profiles.
    ListModelProfiles,
    /// Changes the thresholds of a model.
    UpdateModelProfile,
    /// Adds a template.
    Enroll,
    /// Replaces a template; the old version is shredded (O24).
    ReplaceTemplate,
    /// Deletes a template; it is shredded.
    DeleteTemplate,
    /// Lists a subject's templates, without embeddings.
    ListTemplates,
    /// Compares a probe with one subject.
    Verify,
    /// Searches a gallery for a probe.
    Search,
    /// Compares a gallery with itself.
    SweepDuplicates,
    /// Creates a watch list (O9, O40).
    CreateWatchlist,
    /// Deletes a watch list that is empty.
    DeleteWatchlist,
    /// Lists a tenant's watch lists.
    ListWatchlists,
    /// Adds an entry to a watch list: of a subject's template, or of a mask.
    AddWatchlistEntry,
    /// Reads an entry of a watch list, without its embedding.
    GetWatchlistEntry,
    /// Lists the entries of a watch list.
    ListWatchlistEntries,
    /// Records that an entry is contested: it is not compared until somebody decides.
    ContestWatchlistEntry,
    /// Decides on an entry that is contested: it is upheld, or shredded.
    DecideWatchlistEntry,
    /// Removes an entry: it is shredded.
    RemoveWatchlistEntry,
    /// Reads what is held about a subject, without embeddings.
    GetSubject,
    /// Records whose law counts for a subject, and how old it is.
    UpdateSubject,
    /// Stops all processing of a subject's data, which are kept (O22).
    RestrictSubject,
    /// Ends a restriction.
    LiftRestriction,
    /// Records that a subject objects to a purpose, which stops (O39).
    ObjectSubject,
    /// Records that an objection ended, or that compelling grounds outweigh it.
    LiftObjection,
    /// Erases a subject.
    EraseSubject,
    /// Tells who is about to be erased for its age (O17).
    PreviewErasures,
    /// Hands over all that is held about a subject (O25).
    ExportSubject,
    /// Records a consent.
    RecordConsent,
    /// Records that a consent was withdrawn (O23).
    WithdrawConsent,
    /// Lists a subject's consents.
    ListConsents,
    /// Gives a subject's consents as records (O23).
    ExportConsents,
    /// Reads the evidence of a consent (O29).
    GetEvidence,
    /// Places a litigation hold on a subject (O42).
    PlaceHold,
    /// Keeps a litigation hold after a review.
    RenewHold,
    /// Releases a litigation hold.
    ReleaseHold,
    /// Lists a tenant's litigation holds.
    ListHolds,
    /// Records a request of a data subject (O26).
    OpenRequest,
    /// Takes more time for a request.
    ExtendRequest,
    /// Answers a request.
    CloseRequest,
    /// Reads a request.
    GetRequest,
    /// Lists requests.
    ListRequests,
    /// Counts requests.
    CountRequests,
    /// Proposes a disclosure about a subject to an authority or a third party (O33).
    ProposeDisclosure,
    /// Lists the disclosures about a subject.
    ListDisclosures,
    /// Reads whom to tell what became of somebody's data (O41).
    GetNotification,
    /// Lists whom to tell.
    ListNotifications,
    /// Records what came of it.
    CloseNotification,
    /// Asks whether two persons are one, which the vault compares (O8, O11).
    CreatePairCase,
    /// Asks whether what was decided automatically about a person is right, for a person who contests it (O11).
    CreateContestedCase,
    /// Reads a case.
    GetCase,
    /// Lists cases.
    ListCases,
    /// Answers a case (O11).
    DecideCase,
    /// Opens a case again that was decided, for a person who contests it (O11).
    ContestCase,
    /// Reads a proposal.
    GetProposal,
    /// Lists a tenant's proposals.
    ListProposals,
    /// Approves what somebody else proposed.
    ApproveProposal,
    /// Rejects a proposal, or takes one's own back.
    RejectProposal,
    /// Reads a proposal of the vault's own.
    GetVaultProposal,
    /// Lists the vault's own proposals.
    ListVaultProposals,
    /// Approves what another operator proposed of the vault itself.
    ApproveVaultProposal,
    /// Rejects a proposal of the vault's own, or takes one's own back.
    RejectVaultProposal,
    /// Proposes that the key of a tenant's log is succeeded by another one (O31).
    ProposeKeyRotation,
    /// Proposes that of the vault's own log.
    ProposeVaultKeyRotation,
    /// Lists the successions of a log's key: what leads from the key that somebody keeps to today's.
    ListKeySuccessions,
    /// Reads an erasure receipt.
    GetReceipt,
    /// Reads the receipt of a tenant that was shredded, or of a rotation.
    GetVaultReceipt,
    /// Reads a log's checkpoint.
    GetCheckpoint,
    /// Reads an entry of a tenant's log with its proof.
    GetInclusionProof,
    /// Reads an entry of the vault's log with its proof: entries are about all clients (O35).
    GetVaultInclusionProof,
    /// Reads the proof that a log's tree begins with an earlier one: hashes alone.
    GetConsistencyProof,
    /// Lists entries of a tenant's log (O31).
    ListEntries,
    /// Lists the entries about one person, who is named and not erased (O29).
    ListSubjectEntries,
    /// Lists entries of the vault's log: they are about all clients (O35).
    ListVaultEntries,
    /// Follows a tenant's log.
    WatchEntries,
    /// Follows the vault's log.
    WatchVaultEntries,
    /// Compiles what was touched of a tenant (O34).
    ReportBreach,
    /// Compiles what was touched of all clients, from counts of their logs alone (O34).
    ReportVaultBreach,
    /// Counts a tenant's calls (O35).
    CountUsage,
    /// Counts the calls of all clients, for billing (O35).
    CountVaultUsage,
    /// Makes a backup of the vault (O38).
    CreateBackup,
    /// Lists the backups.
    ListBackups,
    /// Reads a backup's state.
    GetBackup,
    /// Restores a backup aside and reads it (O38).
    VerifyBackup,
    /// Deletes old backups.
    PruneBackups,
    /// Lists the vault's mirrors.
    ListMirrors,
    /// Reads how the root store stands.
    GetRootStatus,
}
