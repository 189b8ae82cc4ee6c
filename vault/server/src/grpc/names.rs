//! Resource names, parsed into domain types.

use std::str::FromStr;

use lethe_attestation::KeyId;
use lethe_domain::{
    CaseId, ConsentId, CredentialId, HoldId, Invalid, ModelId, NotificationId, ProposalId, Reason, ReceiptId,
    RightsRequestId, SubjectId, TemplateId, TenantId, WatchlistEntryId, WatchlistId,
};
use lethe_proto::names::{
    BackupName, CaseName, ConsentName, CredentialName, CredentialParent, EvidenceName, HoldName, LogName,
    ModelProfileName, NameError, NotificationName, ProposalName, ReceiptName, RequestName, SigningKeyName, SubjectName,
    TemplateName, TenantName, WatchlistEntryName, WatchlistName,
};

use crate::error::Result;

fn parse<N: FromStr<Err = NameError>>(field: &str, text: &str) -> Result<N> {
    if text.is_empty() {
        return Err(Invalid::new(field, Reason::FieldMissing, "is empty").into());
    }
    text.parse().map_err(|fault: NameError| Invalid::new(field, Reason::NameMalformed, fault.to_string()).into())
}

pub(super) fn tenant(field: &str, text: &str) -> Result<TenantId> {
    let name: TenantName = parse(field, text)?;
    Ok(TenantId::parse(name.tenant())?)
}

/// A subject's name. Its segment is checked as an applicant id, so that a refusal says what is wrong with the id.
pub(super) fn subject(field: &str, text: &str) -> Result<(TenantId, SubjectId)> {
    if let Some((before, id)) = text.split_once("/subjects/")
        && !id.contains('/')
    {
        let tenant = tenant(field, before)?;
        return Ok((tenant, SubjectId::parse(id).map_err(|refusal| Invalid { field: field.to_owned(), ..refusal })?));
    }
    let name: SubjectName = parse(field, text)?;
    Ok((TenantId::parse(name.tenant())?, SubjectId::parse(name.subject())?))
}

pub(super) fn consent(field: &str, text: &str) -> Result<(TenantId, SubjectId, ConsentId)> {
    let name: ConsentName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the consent is not 32 hexadecimal digits");
    let consent = ConsentId::parse(name.consent()).ok_or_else(malformed)?;
    let subject = SubjectId::parse(name.subject()).map_err(|refusal| Invalid { field: field.to_owned(), ..refusal })?;
    Ok((TenantId::parse(name.tenant())?, subject, consent))
}

pub(super) fn hold(field: &str, text: &str) -> Result<(TenantId, SubjectId, HoldId)> {
    let name: HoldName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the hold is not 32 hexadecimal digits");
    let hold = HoldId::parse(name.hold()).ok_or_else(malformed)?;
    let subject = SubjectId::parse(name.subject()).map_err(|refusal| Invalid { field: field.to_owned(), ..refusal })?;
    Ok((TenantId::parse(name.tenant())?, subject, hold))
}

pub(super) fn evidence(field: &str, text: &str) -> Result<(TenantId, ConsentId)> {
    let name: EvidenceName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the consent is not 32 hexadecimal digits");
    Ok((TenantId::parse(name.tenant())?, ConsentId::parse(name.consent()).ok_or_else(malformed)?))
}

pub(super) fn request(field: &str, text: &str) -> Result<(TenantId, RightsRequestId)> {
    let name: RequestName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the request is not 32 hexadecimal digits");
    Ok((TenantId::parse(name.tenant())?, RightsRequestId::parse(name.request()).ok_or_else(malformed)?))
}

pub(super) fn notification(field: &str, text: &str) -> Result<(TenantId, NotificationId)> {
    let name: NotificationName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the notification is not 32 hexadecimal digits");
    let notification = NotificationId::parse(name.notification()).ok_or_else(malformed)?;
    Ok((TenantId::parse(name.tenant())?, notification))
}

pub(super) fn case(field: &str, text: &str) -> Result<(TenantId, SubjectId, CaseId)> {
    let name: CaseName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the case is not 32 hexadecimal digits");
    let case = CaseId::parse(name.case()).ok_or_else(malformed)?;
    let subject = SubjectId::parse(name.subject()).map_err(|refusal| Invalid { field: field.to_owned(), ..refusal })?;
    Ok((TenantId::parse(name.tenant())?, subject, case))
}

/// A request of a tenant's data subject, if one is named.
pub(super) fn request_of(tenant: &TenantId, field: &str, text: &str) -> Result<Option<RightsRequestId>> {
    if text.is_empty() {
        return Ok(None);
    }
    let (of, request) = request(field, text)?;
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "must be a request of the tenant");
    if of == *tenant { Ok(Some(request)) } else { Err(refuse().into()) }
}

/// A watch list's name. Its segment is checked as an id of one, so that a refusal says what is wrong with it.
pub(super) fn signing_key(field: &str, text: &str) -> Result<(TenantId, KeyId)> {
    let name: SigningKeyName = parse(field, text)?;
    let malformed = |_| Invalid::new(field, Reason::NameMalformed, "is no name of a signing key");
    Ok((TenantId::parse(name.tenant())?, KeyId::parse(name.kid()).map_err(malformed)?))
}

pub(super) fn watchlist(field: &str, text: &str) -> Result<(TenantId, WatchlistId)> {
    let name: WatchlistName = parse(field, text)?;
    let list =
        WatchlistId::parse(name.watchlist()).map_err(|refusal| Invalid { field: field.to_owned(), ..refusal })?;
    Ok((TenantId::parse(name.tenant())?, list))
}

pub(super) fn watchlist_entry(field: &str, text: &str) -> Result<(TenantId, WatchlistId, WatchlistEntryId)> {
    let name: WatchlistEntryName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the entry is not 32 hexadecimal digits");
    let entry = WatchlistEntryId::parse(name.entry()).ok_or_else(malformed)?;
    let list =
        WatchlistId::parse(name.watchlist()).map_err(|refusal| Invalid { field: field.to_owned(), ..refusal })?;
    Ok((TenantId::parse(name.tenant())?, list, entry))
}

/// Somebody of a tenant, if anybody is named.
pub(super) fn subject_of(tenant: &TenantId, field: &str, text: &str) -> Result<Option<SubjectId>> {
    if text.is_empty() {
        return Ok(None);
    }
    let (of, subject) = self::subject(field, text)?;
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "must be a subject of the tenant");
    if of == *tenant { Ok(Some(subject)) } else { Err(refuse().into()) }
}

/// Whose proposal; `None` is the vault.
pub(super) fn proposal(field: &str, text: &str) -> Result<(Option<TenantId>, ProposalId)> {
    let name: ProposalName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the proposal is not 32 hexadecimal digits");
    Ok((owner(name.parent())?, ProposalId::parse(name.proposal()).ok_or_else(malformed)?))
}

/// A proposal of a tenant.
pub(super) fn tenants_proposal(field: &str, text: &str) -> Result<(TenantId, ProposalId)> {
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "must be a proposal of a tenant");
    let (tenant, id) = proposal(field, text)?;
    Ok((tenant.ok_or_else(refuse)?, id))
}

pub(super) fn template(field: &str, text: &str) -> Result<(TenantId, SubjectId, TemplateId)> {
    let name: TemplateName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the template is not 32 hexadecimal digits");
    let template = TemplateId::parse(name.template()).ok_or_else(malformed)?;
    let subject = SubjectId::parse(name.subject()).map_err(|refusal| Invalid { field: field.to_owned(), ..refusal })?;
    Ok((TenantId::parse(name.tenant())?, subject, template))
}

/// Whose credentials, or keys; `None` is the vault.
pub(super) fn tenant_or_vault(field: &str, text: &str) -> Result<Option<TenantId>> {
    owner(&parse(field, text)?)
}

pub(super) fn credential(field: &str, text: &str) -> Result<(Option<TenantId>, CredentialId)> {
    let name: CredentialName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the credential is not 32 hexadecimal digits");
    Ok((owner(name.parent())?, CredentialId::parse(name.credential()).ok_or_else(malformed)?))
}

fn owner(parent: &CredentialParent) -> Result<Option<TenantId>> {
    match parent {
        CredentialParent::Vault => Ok(None),
        CredentialParent::Tenant(name) => Ok(Some(TenantId::parse(name.tenant())?)),
    }
}

/// Whose receipt; `None` is the vault.
pub(super) fn receipt(field: &str, text: &str) -> Result<(Option<TenantId>, ReceiptId)> {
    let name: ReceiptName = parse(field, text)?;
    let malformed = || Invalid::new(field, Reason::NameMalformed, "the receipt is not 32 hexadecimal digits");
    Ok((owner(name.parent())?, ReceiptId::parse(name.receipt()).ok_or_else(malformed)?))
}

pub(super) fn profile(field: &str, text: &str) -> Result<(TenantId, ModelId)> {
    let name: ModelProfileName = parse(field, text)?;
    Ok((TenantId::parse(name.tenant())?, ModelId::parse(name.model(), name.version())?))
}

/// A log's name; `None` is the vault's.
pub(super) fn log(field: &str, text: &str) -> Result<Option<TenantId>> {
    match parse(field, text)? {
        LogName::Vault => Ok(None),
        LogName::Tenant(name) => Ok(Some(TenantId::parse(name.tenant())?)),
    }
}

/// A backup's number.
pub(super) fn backup(field: &str, text: &str) -> Result<u32> {
    let name: BackupName = parse(field, text)?;
    let malformed = |_| Invalid::new(field, Reason::NameMalformed, "the backup is no number of one");
    Ok(name.backup().parse().map_err(malformed)?)
}

/// The one root status that there is.
pub(super) const ROOT_STATUS: &str = "vault/rootStatus";

/// Whose root status: there is only the vault's.
pub(super) fn root_status(field: &str, text: &str) -> Result<()> {
    match text {
        ROOT_STATUS => Ok(()),
        "" => Err(Invalid::new(field, Reason::FieldMissing, "is empty").into()),
        _ => Err(Invalid::new(field, Reason::NameMalformed, format!("the name is {ROOT_STATUS}")).into()),
    }
}
