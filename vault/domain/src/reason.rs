macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why a call was refused or failed: the stable codes of `google.rpc.ErrorInfo.reason`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code on the wire and in the log.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

reasons! {
    /// The vector's length is not the model's dimension.
    EmbeddingDimension = "EMBEDDING_DIMENSION",
    /// The vector has a component that is not a number.
    EmbeddingNan = "EMBEDDING_NAN",
    /// The vector has an infinite component.
    EmbeddingInfinite = "EMBEDDING_INFINITE",
    /// The vector has no direction.
    EmbeddingZeroNorm = "EMBEDDING_ZERO_NORM",
    /// The applicant id is empty.
    SubjectIdEmpty = "SUBJECT_ID_EMPTY",
    /// The applicant id is longer than 128 characters.
    SubjectIdTooLong = "SUBJECT_ID_TOO_LONG",
    /// The applicant id has a character outside `A-Z a-z 0-9 . _ ~ -`.
    SubjectIdMalformed = "SUBJECT_ID_MALFORMED",
    /// The applicant id has the shape of an e-mail address, a phone or a national id number (O5).
    SubjectIdPersonalData = "SUBJECT_ID_PERSONAL_DATA",
    /// The tenant id is malformed.
    TenantIdMalformed = "TENANT_ID_MALFORMED",
    /// A resource name is malformed.
    NameMalformed = "NAME_MALFORMED",
    /// A required field is missing.
    FieldMissing = "FIELD_MISSING",
    /// A field's value lies outside its range.
    FieldOutOfRange = "FIELD_OUT_OF_RANGE",
    /// The tenant has no profile of this model.
    ModelUnknown = "MODEL_UNKNOWN",
    /// The tenant already has a profile of this model.
    ModelExists = "MODEL_EXISTS",
    /// The request id was used for another request.
    RequestIdReused = "REQUEST_ID_REUSED",
    /// The request id is not a version 4 UUID.
    RequestIdMalformed = "REQUEST_ID_MALFORMED",
    /// The page token was not given out by this method.
    PageTokenMalformed = "PAGE_TOKEN_MALFORMED",
    /// The call states no purpose (O2).
    PurposeUnspecified = "PURPOSE_UNSPECIFIED",
    /// The purpose does not fit the operation, or the tenant has no basis for it (O1, O2).
    PurposeNotAllowed = "PURPOSE_NOT_ALLOWED",
    /// The capture needs an attestation of the service that made it, and has none (O6).
    AttestationRequired = "ATTESTATION_REQUIRED",
    /// The attestation is none, of a key that is not trusted, or of another capture (O6).
    AttestationInvalid = "ATTESTATION_INVALID",
    /// The attestation's time is over, or the face was captured too long ago, or in the future (O6).
    AttestationExpired = "ATTESTATION_EXPIRED",
    /// The attestation was used before (O6).
    AttestationReplayed = "ATTESTATION_REPLAYED",
    /// Nobody who may say so says that the face is that of a living person who was there (O6).
    LivenessInsufficient = "LIVENESS_INSUFFICIENT",
    /// The person's law asks for a written consent first, and there is none (O16).
    WrittenConsentRequired = "WRITTEN_CONSENT_REQUIRED",
    /// The purpose rests on consent, and none was recorded (O2).
    ConsentMissing = "CONSENT_MISSING",
    /// The person's consent was withdrawn (O23).
    ConsentWithdrawn = "CONSENT_WITHDRAWN",
    /// The person's consent is over (O2).
    ConsentExpired = "CONSENT_EXPIRED",
    /// The person objected to the purpose (O39).
    PurposeObjected = "PURPOSE_OBJECTED",
    /// A minor without a guardian's consent (O15).
    MinorWithoutGuardian = "MINOR_WITHOUT_GUARDIAN",
    /// The tenant processes nobody of unknown age (O15).
    AgeUnknown = "AGE_UNKNOWN",
    /// Processing of the person's data is restricted (O22).
    SubjectRestricted = "SUBJECT_RESTRICTED",
    /// The person's data are under a litigation hold (O42).
    LegalHold = "LEGAL_HOLD",
    /// The person's data are past their time, and about to be erased or storage only (O17).
    RetentionExpired = "RETENTION_EXPIRED",
    /// A statute wants the person's data kept (O17).
    StatutoryMinimum = "STATUTORY_MINIMUM",
    /// An erasure that was asked for is put off: meanwhile the data are storage only (O21).
    ErasureDeferred = "ERASURE_DEFERRED",
    /// The person is dead (O28).
    SubjectDeceased = "SUBJECT_DECEASED",
    /// The purpose has no place in the tenant's environment (O3).
    EnvironmentMismatch = "ENVIRONMENT_MISMATCH",
    /// The person's law does not allow the purpose (O3).
    JurisdictionForbids = "JURISDICTION_FORBIDS",
    /// The tenant's data live in another region than this node (O32).
    RegionMismatch = "REGION_MISMATCH",
    /// What the tenant's policy says contradicts itself, or a law that it names (O1).
    PolicyContradiction = "POLICY_CONTRADICTION",
    /// No such consent.
    ConsentNotFound = "CONSENT_NOT_FOUND",
    /// No such hold.
    HoldNotFound = "HOLD_NOT_FOUND",
    /// No such objection.
    ObjectionNotFound = "OBJECTION_NOT_FOUND",
    /// Two persons decide on it, and no proposal that was approved is named (O27, O33).
    ApprovalRequired = "APPROVAL_REQUIRED",
    /// Who approves may not be who proposed, nor a credential that one of the two made (O31).
    ApproverNotIndependent = "APPROVER_NOT_INDEPENDENT",
    /// No such proposal.
    ProposalNotFound = "PROPOSAL_NOT_FOUND",
    /// The proposal's time is over.
    ProposalExpired = "PROPOSAL_EXPIRED",
    /// The proposal was approved, rejected or carried out before.
    ProposalClosed = "PROPOSAL_CLOSED",
    /// The proposal is about something else than what is to be approved or done.
    ProposalMismatch = "PROPOSAL_MISMATCH",
    /// The tenant's data were not handed over, and nobody waived it (O27).
    HandoverPending = "HANDOVER_PENDING",
    /// The digest is not that of the archive that was handed over last (O27).
    ArchiveMismatch = "ARCHIVE_MISMATCH",
    /// Neither the person's approval nor a legal order (O33).
    DisclosureGroundMissing = "DISCLOSURE_GROUND_MISSING",
    /// It would cross a border, and a safeguard that is needed is not recorded (O32).
    SafeguardMissing = "SAFEGUARD_MISSING",
    /// As many are recorded about the person as may be.
    RecordsLimited = "RECORDS_LIMITED",
    /// No such request of a data subject.
    RequestNotFound = "REQUEST_NOT_FOUND",
    /// The request is answered already.
    RequestClosed = "REQUEST_CLOSED",
    /// The request has been given more time already, is of a kind that is not, or its first time is over (O26).
    RequestNotExtendable = "REQUEST_NOT_EXTENDABLE",
    /// The person asked as often in twelve months as the law grants (O25).
    RequestsExhausted = "REQUESTS_EXHAUSTED",
    /// A request is not fulfilled before the requester is verified (O26).
    RequesterUnverified = "REQUESTER_UNVERIFIED",
    /// No such notification.
    NotificationNotFound = "NOTIFICATION_NOT_FOUND",
    /// What came of the notification is recorded already, and is something else (O41).
    NotificationClosed = "NOTIFICATION_CLOSED",
    /// No such case (O11).
    CaseNotFound = "CASE_NOT_FOUND",
    /// Somebody decided on the case already (O11).
    CaseClosed = "CASE_CLOSED",
    /// Nobody decided on the case yet: there is nothing to contest (O11).
    CaseUndecided = "CASE_UNDECIDED",
    /// Who made something, or decided on it before, does not review it (O11, O40).
    ReviewerNotIndependent = "REVIEWER_NOT_INDEPENDENT",
    /// No such evidence of a consent, or its time is over (O29).
    EvidenceNotFound = "EVIDENCE_NOT_FOUND",
    /// The call carries no credential.
    CredentialMissing = "CREDENTIAL_MISSING",
    /// The credential is unknown, revoked or malformed.
    CredentialInvalid = "CREDENTIAL_INVALID",
    /// The credential has expired, or the login that shows it.
    CredentialExpired = "CREDENTIAL_EXPIRED",
    /// The credential lacks the role the method needs (O31).
    RoleRequired = "ROLE_REQUIRED",
    /// Only roles that people hold would do, and the call shows no second factor of who holds the credential (O31).
    SecondFactorRequired = "SECOND_FACTOR_REQUIRED",
    /// The credential belongs to another tenant (O4).
    TenantMismatch = "TENANT_MISMATCH",
    /// No such tenant.
    TenantNotFound = "TENANT_NOT_FOUND",
    /// The tenant exists already.
    TenantExists = "TENANT_EXISTS",
    /// No such subject.
    SubjectNotFound = "SUBJECT_NOT_FOUND",
    /// No such template.
    TemplateNotFound = "TEMPLATE_NOT_FOUND",
    /// No such credential.
    CredentialNotFound = "CREDENTIAL_NOT_FOUND",
    /// The login is another credential's already.
    LoginTaken = "LOGIN_TAKEN",
    /// No identity provider of this issuer may speak for whom the credential is to be.
    IdentityProviderUnknown = "IDENTITY_PROVIDER_UNKNOWN",
    /// No such signing key.
    SigningKeyNotFound = "SIGNING_KEY_NOT_FOUND",
    /// There is, or was, another signing key of that id.
    SigningKeyExists = "SIGNING_KEY_EXISTS",
    /// The tenant has as many signing keys as it may.
    SigningKeysLimited = "SIGNING_KEYS_LIMITED",
    /// The last credential that can make others; without it nobody could.
    LastAdministrator = "LAST_ADMINISTRATOR",
    /// The subject has as many templates of the model as it may.
    TemplatesLimited = "TEMPLATES_LIMITED",
    /// No such watch list.
    WatchlistNotFound = "WATCHLIST_NOT_FOUND",
    /// There is a watch list of that id, of another kind.
    WatchlistExists = "WATCHLIST_EXISTS",
    /// The watch list has entries.
    WatchlistNotEmpty = "WATCHLIST_NOT_EMPTY",
    /// The tenant has as many watch lists or entries as it may, or the person has.
    WatchlistLimited = "WATCHLIST_LIMITED",
    /// No such entry of the watch list.
    WatchlistEntryNotFound = "WATCHLIST_ENTRY_NOT_FOUND",
    /// Nobody contests the entry.
    WatchlistEntryNotContested = "WATCHLIST_ENTRY_NOT_CONTESTED",
    /// An entry that was made from the person's templates is contested: none is added until that is decided.
    WatchlistEntryContested = "WATCHLIST_ENTRY_CONTESTED",
    /// A list of this kind takes entries of another source.
    WatchlistSourceMismatch = "WATCHLIST_SOURCE_MISMATCH",
    /// An entry must rest on nothing that its person could take back (O40).
    WatchlistBasisRevocable = "WATCHLIST_BASIS_REVOCABLE",
    /// No minor is put on a watch list (O40).
    MinorNotListed = "MINOR_NOT_LISTED",
    /// No such receipt.
    ReceiptNotFound = "RECEIPT_NOT_FOUND",
    /// No such log, or no such leaf in it.
    LogNotFound = "LOG_NOT_FOUND",
    /// A message is larger than the configured limit.
    MessageTooLarge = "MESSAGE_TOO_LARGE",
    /// A message is no valid protobuf of its type.
    MessageMalformed = "MESSAGE_MALFORMED",
    /// The server is at its limit; try again after the delay given.
    Overloaded = "OVERLOADED",
    /// The call took longer than it may, or its stream was idle for so long.
    DeadlineExceeded = "DEADLINE_EXCEEDED",
    /// Too many failed attempts on this subject; try again after the delay given.
    AttemptsLimited = "ATTEMPTS_LIMITED",
    /// The server is shutting down.
    ShuttingDown = "SHUTTING_DOWN",
    /// The gallery is still loading, or failed to load; no answer is given from part of it.
    GalleryNotReady = "GALLERY_NOT_READY",
    /// The search could not be completed; no partial answer is given.
    SearchIncomplete = "SEARCH_INCOMPLETE",
    /// The erasure is accepted; its receipt exists once the old root is destroyed.
    ErasurePending = "ERASURE_PENDING",
    /// The disk is full; nothing was changed.
    StorageFull = "STORAGE_FULL",
    /// A mirror of the vault cannot be written; what depends on it waits.
    MirrorFailing = "MIRROR_FAILING",
    /// The configuration names no folder of backups.
    BackupNotConfigured = "BACKUP_NOT_CONFIGURED",
    /// The folder of backups cannot be used now.
    BackupFolderUnusable = "BACKUP_FOLDER_UNUSABLE",
    /// Backups are made, verified and pruned one at a time.
    BackupBusy = "BACKUP_BUSY",
    /// No such backup.
    BackupNotFound = "BACKUP_NOT_FOUND",
    /// A fault on the server's side; the log has the details.
    Internal = "INTERNAL",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn codes_are_distinct_upper_snake_case() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
        codes.sort_unstable();
        let total = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), total);
    }
}
