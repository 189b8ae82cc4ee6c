use lethe_proto::v1;

/// A request of a method that takes one message and gives one.
pub trait Call: prost::Message + Send + Sync + 'static {
    /// What is answered.
    type Response: prost::Message + Default + Send + 'static;
    /// The method's path on the wire.
    const PATH: &'static str;
}

macro_rules! calls {
    ($( $request:ident -> $response:ident = $path:literal; )+) => { $(
        impl Call for v1::$request {
            type Response = v1::$response;
            const PATH: &'static str = concat!("/lethe.v1.", $path);
        }
    )+ };
}

calls! {
    CreateTenantRequest -> CreateTenantResponse = "TenantService/Create";
    GetTenantRequest -> Tenant = "TenantService/Get";
    UpdatePolicyRequest -> Tenant = "TenantService/UpdatePolicy";
    CreateCredentialRequest -> IssuedCredential = "TenantService/CreateCredential";
    ListCredentialsRequest -> ListCredentialsResponse = "TenantService/ListCredentials";
    RevokeCredentialRequest -> Credential = "TenantService/RevokeCredential";
    CreateSigningKeyRequest -> SigningKey = "SigningKeyService/CreateSigningKey";
    ListSigningKeysRequest -> ListSigningKeysResponse = "SigningKeyService/ListSigningKeys";
    RevokeSigningKeyRequest -> SigningKey = "SigningKeyService/RevokeSigningKey";
    CreateModelProfileRequest -> ModelProfile = "TenantService/CreateModelProfile";
    GetModelProfileRequest -> ModelProfile = "TenantService/GetModelProfile";
    ListModelProfilesRequest -> ListModelProfilesResponse = "TenantService/ListModelProfiles";
    UpdateModelProfileRequest -> ModelProfile = "TenantService/UpdateModelProfile";
    OffboardTenantRequest -> Proposal = "TenantService/Offboard";
    ConfirmHandoverRequest -> Proposal = "TenantService/ConfirmHandover";
    ShredTenantRequest -> Erasure = "TenantService/Shred";
    RotateKeysRequest -> KeyRotation = "TenantService/RotateKeys";
    EnrollRequest -> EnrollResponse = "EnrollmentService/Enroll";
    ReplaceTemplateRequest -> ReplaceTemplateResponse = "EnrollmentService/ReplaceTemplate";
    DeleteTemplateRequest -> Erasure = "EnrollmentService/DeleteTemplate";
    ListTemplatesRequest -> ListTemplatesResponse = "EnrollmentService/ListTemplates";
    VerifyRequest -> VerifyResponse = "AuthenticationService/Verify";
    SearchRequest -> SearchResponse = "IdentificationService/Search";
    GetSubjectRequest -> Subject = "SubjectService/Get";
    UpdateSubjectRequest -> Subject = "SubjectService/Update";
    RestrictSubjectRequest -> Subject = "SubjectService/Restrict";
    LiftRestrictionRequest -> Subject = "SubjectService/LiftRestriction";
    ObjectSubjectRequest -> Subject = "SubjectService/Object";
    LiftObjectionRequest -> Subject = "SubjectService/LiftObjection";
    RecordConsentRequest -> Consent = "ConsentService/Record";
    WithdrawConsentRequest -> WithdrawConsentResponse = "ConsentService/Withdraw";
    ListConsentsRequest -> ListConsentsResponse = "ConsentService/List";
    PlaceHoldRequest -> Hold = "HoldService/Place";
    RenewHoldRequest -> Hold = "HoldService/Renew";
    ReleaseHoldRequest -> Hold = "HoldService/Release";
    ListHoldsRequest -> ListHoldsResponse = "HoldService/List";
    ProposeDisclosureRequest -> Proposal = "DisclosureService/Propose";
    ListDisclosuresRequest -> ListDisclosuresResponse = "DisclosureService/List";
    GetProposalRequest -> Proposal = "ApprovalService/Get";
    ListProposalsRequest -> ListProposalsResponse = "ApprovalService/List";
    ApproveProposalRequest -> Proposal = "ApprovalService/Approve";
    RejectProposalRequest -> Proposal = "ApprovalService/Reject";
    EraseSubjectRequest -> Erasure = "SubjectService/Erase";
    PreviewErasuresRequest -> PreviewErasuresResponse = "SubjectService/PreviewErasures";
    ExportConsentsRequest -> ExportConsentsResponse = "ConsentService/Export";
    GetConsentEvidenceRequest -> ConsentEvidence = "ConsentService/GetEvidence";
    OpenRightsRequestRequest -> RightsRequest = "RequestService/Open";
    ExtendRightsRequestRequest -> RightsRequest = "RequestService/Extend";
    CloseRightsRequestRequest -> RightsRequest = "RequestService/Close";
    GetRightsRequestRequest -> RightsRequest = "RequestService/Get";
    ListRightsRequestsRequest -> ListRightsRequestsResponse = "RequestService/List";
    GetRequestStatisticsRequest -> RequestStatistics = "RequestService/GetStatistics";
    GetNotificationRequest -> Notification = "NotificationService/Get";
    ListNotificationsRequest -> ListNotificationsResponse = "NotificationService/List";
    CloseNotificationRequest -> Notification = "NotificationService/Close";
    CreatePairCaseRequest -> Case = "CaseService/CreatePair";
    CreateContestedCaseRequest -> Case = "CaseService/CreateContested";
    GetCaseRequest -> Case = "CaseService/Get";
    ListCasesRequest -> ListCasesResponse = "CaseService/List";
    DecideCaseRequest -> Case = "CaseService/Decide";
    ContestCaseRequest -> Case = "CaseService/Contest";
    CreateWatchlistRequest -> Watchlist = "WatchlistService/Create";
    DeleteWatchlistRequest -> DeleteWatchlistResponse = "WatchlistService/Delete";
    ListWatchlistsRequest -> ListWatchlistsResponse = "WatchlistService/List";
    AddWatchlistEntryRequest -> WatchlistEntry = "WatchlistService/AddEntry";
    GetWatchlistEntryRequest -> WatchlistEntry = "WatchlistService/GetEntry";
    ListWatchlistEntriesRequest -> ListWatchlistEntriesResponse = "WatchlistService/ListEntries";
    ContestWatchlistEntryRequest -> WatchlistEntry = "WatchlistService/ContestEntry";
    DecideWatchlistEntryRequest -> DecideWatchlistEntryResponse = "WatchlistService/DecideEntry";
    RemoveWatchlistEntryRequest -> Erasure = "WatchlistService/RemoveEntry";
    GetReceiptRequest -> Receipt = "AuditService/GetReceipt";
    GetCheckpointRequest -> Checkpoint = "AuditService/GetCheckpoint";
    GetInclusionProofRequest -> InclusionProof = "AuditService/GetInclusionProof";
    GetConsistencyProofRequest -> ConsistencyProof = "AuditService/GetConsistencyProof";
    ProposeKeyRotationRequest -> Proposal = "AuditService/ProposeKeyRotation";
    ListKeySuccessionsRequest -> ListKeySuccessionsResponse = "AuditService/ListKeySuccessions";
    ListEntriesRequest -> ListEntriesResponse = "AuditService/ListEntries";
    ReportBreachRequest -> BreachReport = "AuditService/ReportBreach";
    UsageRequest -> UsageResponse = "AuditService/Usage";
    CreateBackupRequest -> Backup = "BackupService/CreateBackup";
    ListBackupsRequest -> ListBackupsResponse = "BackupService/ListBackups";
    GetBackupRequest -> Backup = "BackupService/GetBackup";
    VerifyBackupRequest -> Backup = "BackupService/VerifyBackup";
    PruneBackupsRequest -> PruneBackupsResponse = "BackupService/PruneBackups";
    ListMirrorsRequest -> ListMirrorsResponse = "BackupService/ListMirrors";
    GetRootStatusRequest -> RootStatus = "RootService/GetRootStatus";
}
