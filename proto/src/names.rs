//! Resource names of package `lethe.v1` (AIP-122): strict parsing, exact formatting.
//!
//! A name that parses formats to the very same text. `Debug` and errors never show a subject's
//! segment: it is the client's applicant id.

mod error;
mod segment;

use std::fmt;
use std::str::FromStr;

pub use error::{NameError, Part, Problem};

/// The name of the vault itself, as a parent.
const VAULT: &str = "vault";

/// Defines a name of the form `literal/{segment}/literal/{segment}…`.
macro_rules! resource_name {
    (
        $(#[$doc:meta])*
        $name:ident = $form:literal { $( $literal:literal / $field:ident: $part:ident ),+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name { $( $field: String, )+ }

        impl $name {
            /// The form of the name.
            pub const FORM: &'static str = $form;

            /// Makes a name of its variable segments.
            ///
            /// # Errors
            /// A segment that is not of its form, by name.
            pub fn new( $( $field: &str ),+ ) -> Result<Self, NameError> {
                $( segment::check(Part::$part, $field).map_err(|problem| {
                    NameError::new(Self::FORM, Part::$part, problem)
                })?; )+
                Ok(Self { $( $field: $field.to_owned(), )+ })
            }

            $(
                /// This segment.
                #[must_use]
                pub fn $field(&self) -> &str {
                    &self.$field
                }
            )+
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let mut segments = text.split('/');
                $(
                    segment::literal(Self::FORM, $literal, segments.next())?;
                    let $field = segments
                        .next()
                        .ok_or(NameError::new(Self::FORM, Part::$part, Problem::Missing))?;
                )+
                segment::end(Self::FORM, segments.next())?;
                Self::new( $( $field ),+ )
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                segment::write(f, &[ $( ($literal, &self.$field) ),+ ])
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                segment::write(f, &[ $( ($literal, Part::$part.shown(&self.$field)) ),+ ])?;
                f.write_str(")")
            }
        }
    };
}

resource_name! {
    /// A tenant.
    TenantName = "tenants/{tenant}" { "tenants" / tenant: Tenant }
}

resource_name! {
    /// A data subject; the segment is the client's applicant id.
    SubjectName = "tenants/{tenant}/subjects/{subject}" {
        "tenants" / tenant: Tenant, "subjects" / subject: Subject
    }
}

resource_name! {
    /// A template, in one version.
    TemplateName = "tenants/{tenant}/subjects/{subject}/templates/{template}" {
        "tenants" / tenant: Tenant, "subjects" / subject: Subject, "templates" / template: Template
    }
}

resource_name! {
    /// A consent of a subject.
    ConsentName = "tenants/{tenant}/subjects/{subject}/consents/{consent}" {
        "tenants" / tenant: Tenant, "subjects" / subject: Subject, "consents" / consent: Consent
    }
}

resource_name! {
    /// A litigation hold on a subject.
    HoldName = "tenants/{tenant}/subjects/{subject}/holds/{hold}" {
        "tenants" / tenant: Tenant, "subjects" / subject: Subject, "holds" / hold: Hold
    }
}

resource_name! {
    /// A request of a data subject.
    RequestName = "tenants/{tenant}/requests/{request}" { "tenants" / tenant: Tenant, "requests" / request: Request }
}

resource_name! {
    /// Somebody who has to be told what became of a person's data.
    NotificationName = "tenants/{tenant}/notifications/{notification}" {
        "tenants" / tenant: Tenant, "notifications" / notification: Notification
    }
}

resource_name! {
    /// A question about a subject that people answer.
    CaseName = "tenants/{tenant}/subjects/{subject}/cases/{case}" {
        "tenants" / tenant: Tenant, "subjects" / subject: Subject, "cases" / case: Case
    }
}

resource_name! {
    /// A watch list; the segment is the client's id of it.
    WatchlistName = "tenants/{tenant}/watchlists/{watchlist}" {
        "tenants" / tenant: Tenant, "watchlists" / watchlist: Watchlist
    }
}

resource_name! {
    /// An entry of a watch list.
    WatchlistEntryName = "tenants/{tenant}/watchlists/{watchlist}/entries/{entry}" {
        "tenants" / tenant: Tenant, "watchlists" / watchlist: Watchlist, "entries" / entry: WatchlistEntry
    }
}

resource_name! {
    /// The evidence of a consent, by the consent's id.
    EvidenceName = "tenants/{tenant}/evidence/{consent}" { "tenants" / tenant: Tenant, "evidence" / consent: Consent }
}

resource_name! {
    /// A public key of a capture or document service, by its `kid`.
    SigningKeyName = "tenants/{tenant}/signingKeys/{kid}" {
        "tenants" / tenant: Tenant, "signingKeys" / kid: SigningKey
    }
}

resource_name! {
    /// A backup, by its number.
    BackupName = "backups/{backup}" { "backups" / backup: Backup }
}

resource_name! {
    /// A mirror of the vault.
    MirrorName = "mirrors/{mirror}" { "mirrors" / mirror: Mirror }
}

impl SubjectName {
    /// The tenant it belongs to.
    #[must_use]
    pub fn parent(&self) -> TenantName {
        TenantName { tenant: self.tenant.clone() }
    }
}

impl TemplateName {
    /// The subject it belongs to.
    #[must_use]
    pub fn parent(&self) -> SubjectName {
        SubjectName { tenant: self.tenant.clone(), subject: self.subject.clone() }
    }
}

/// A model version as a tenant uses it: `tenants/{tenant}/modelProfiles/{model}@{version}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelProfileName {
    tenant: String,
    model: String,
    version: String,
}

impl ModelProfileName {
    /// The form of the name.
    pub const FORM: &'static str = "tenants/{tenant}/modelProfiles/{model}@{version}";

    /// Makes a name of its variable segments.
    ///
    /// # Errors
    /// A segment that is not of its form, by name.
    pub fn new(tenant: &str, model: &str, version: &str) -> Result<Self, NameError> {
        for (part, text) in [(Part::Tenant, tenant), (Part::Model, model), (Part::Version, version)] {
            segment::check(part, text).map_err(|problem| NameError::new(Self::FORM, part, problem))?;
        }
        Ok(Self { tenant: tenant.to_owned(), model: model.to_owned(), version: version.to_owned() })
    }

    /// The tenant's id.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The model's id.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The model's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl FromStr for ModelProfileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let missing = |part| NameError::new(Self::FORM, part, Problem::Missing);
        let mut segments = text.split('/');
        segment::literal(Self::FORM, "tenants", segments.next())?;
        let tenant = segments.next().ok_or(missing(Part::Tenant))?;
        segment::literal(Self::FORM, "modelProfiles", segments.next())?;
        let profile = segments.next().ok_or(missing(Part::Model))?;
        segment::end(Self::FORM, segments.next())?;
        let (model, version) = profile.split_once('@').ok_or(missing(Part::Version))?;
        Self::new(tenant, model, version)
    }
}

impl fmt::Display for ModelProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenants/{}/modelProfiles/{}@{}", self.tenant, self.model, self.version)
    }
}

/// Whose credentials or receipts: a tenant's, or the vault's own, which are its operators'.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialParent {
    /// `vault`.
    Vault,
    /// `tenants/{tenant}`.
    Tenant(TenantName),
}

impl CredentialParent {
    /// The forms of the name.
    pub const FORM: &'static str = "tenants/{tenant} or vault";
}

impl FromStr for CredentialParent {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == VAULT {
            return Ok(Self::Vault);
        }
        let tenant = text.parse().map_err(|fault: NameError| NameError::new(Self::FORM, fault.part(), fault.problem()));
        Ok(Self::Tenant(tenant?))
    }
}

impl fmt::Display for CredentialParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault => f.write_str(VAULT),
            Self::Tenant(tenant) => write!(f, "{tenant}"),
        }
    }
}

/// A credential; the name is no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialName {
    parent: CredentialParent,
    credential: String,
}

impl CredentialName {
    /// The forms of the name.
    pub const FORM: &'static str = "tenants/{tenant}/credentials/{credential} or vault/credentials/{credential}";

    /// Makes a name of its parts.
    ///
    /// # Errors
    /// A credential that is not 32 lower-case hexadecimal digits.
    pub fn new(parent: CredentialParent, credential: &str) -> Result<Self, NameError> {
        let wrong = |problem| NameError::new(Self::FORM, Part::Credential, problem);
        segment::check(Part::Credential, credential).map_err(wrong)?;
        Ok(Self { parent, credential: credential.to_owned() })
    }

    /// Whose it is.
    #[must_use]
    pub fn parent(&self) -> &CredentialParent {
        &self.parent
    }

    /// Its id.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.credential
    }
}

impl FromStr for CredentialName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (parent, credential) = of_parent(Self::FORM, "credentials", Part::Credential, text)?;
        Self::new(parent, credential)
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/credentials/{}", self.parent, self.credential)
    }
}

/// A receipt: of an erasure in a tenant; or, of the vault, of a tenant that was shredded or of keys that were rotated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptName {
    parent: CredentialParent,
    receipt: String,
}

impl ReceiptName {
    /// The forms of the name.
    pub const FORM: &'static str = "tenants/{tenant}/receipts/{receipt} or vault/receipts/{receipt}";

    /// Makes a name of its parts.
    ///
    /// # Errors
    /// A receipt that is not 32 lower-case hexadecimal digits.
    pub fn new(parent: CredentialParent, receipt: &str) -> Result<Self, NameError> {
        let wrong = |problem| NameError::new(Self::FORM, Part::Receipt, problem);
        segment::check(Part::Receipt, receipt).map_err(wrong)?;
        Ok(Self { parent, receipt: receipt.to_owned() })
    }

    /// Whose it is.
    #[must_use]
    pub fn parent(&self) -> &CredentialParent {
        &self.parent
    }

    /// Its id.
    #[must_use]
    pub fn receipt(&self) -> &str {
        &self.receipt
    }
}

impl FromStr for ReceiptName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (parent, receipt) = of_parent(Self::FORM, "receipts", Part::Receipt, text)?;
        Self::new(parent, receipt)
    }
}

impl fmt::Display for ReceiptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/receipts/{}", self.parent, self.receipt)
    }
}

/// What two persons decide together: of a tenant, or of the vault itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalName {
    parent: CredentialParent,
    proposal: String,
}

impl ProposalName {
    /// The forms of the name.
    pub const FORM: &'static str = "tenants/{tenant}/proposals/{proposal} or vault/proposals/{proposal}";

    /// Makes a name of its parts.
    ///
    /// # Errors
    /// A proposal that is not 32 lower-case hexadecimal digits.
    pub fn new(parent: CredentialParent, proposal: &str) -> Result<Self, NameError> {
        let wrong = |problem| NameError::new(Self::FORM, Part::Proposal, problem);
        segment::check(Part::Proposal, proposal).map_err(wrong)?;
        Ok(Self { parent, proposal: proposal.to_owned() })
    }

    /// Whose it is.
    #[must_use]
    pub fn parent(&self) -> &CredentialParent {
        &self.parent
    }

    /// Its id.
    #[must_use]
    pub fn proposal(&self) -> &str {
        &self.proposal
    }
}

impl FromStr for ProposalName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (parent, proposal) = of_parent(Self::FORM, "proposals", Part::Proposal, text)?;
        Self::new(parent, proposal)
    }
}

impl fmt::Display for ProposalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/proposals/{}", self.parent, self.proposal)
    }
}

/// Reads `{parent}/{collection}/{id}`; the id is still to be checked.
fn of_parent<'a>(
    form: &'static str,
    collection: &'static str,
    part: Part,
    text: &'a str,
) -> Result<(CredentialParent, &'a str), NameError> {
    let wrong = |part, problem| NameError::new(form, part, problem);
    let mut segments = text.split('/');
    let parent = match segments.next() {
        Some(VAULT) => CredentialParent::Vault,
        first => {
            segment::literal(form, "tenants", first)?;
            let tenant = segments.next().ok_or(wrong(Part::Tenant, Problem::Missing))?;
            segment::check(Part::Tenant, tenant).map_err(|problem| wrong(Part::Tenant, problem))?;
            CredentialParent::Tenant(TenantName { tenant: tenant.to_owned() })
        }
    };
    segment::literal(form, collection, segments.next())?;
    let id = segments.next().ok_or(wrong(part, Problem::Missing))?;
    segment::end(form, segments.next())?;
    Ok((parent, id))
}

/// A log: a tenant's own, or the vault's, which receipts are proved from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogName {
    /// `vault/log`.
    Vault,
    /// `tenants/{tenant}/log`.
    Tenant(TenantName),
}

impl LogName {
    /// The forms of the name.
    pub const FORM: &'static str = "tenants/{tenant}/log or vault/log";
}

impl FromStr for LogName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "vault/log" {
            return Ok(Self::Vault);
        }
        let mut segments = text.split('/');
        segment::literal(Self::FORM, "tenants", segments.next())?;
        let missing = NameError::new(Self::FORM, Part::Tenant, Problem::Missing);
        let tenant = segments.next().ok_or(missing)?;
        segment::literal(Self::FORM, "log", segments.next())?;
        segment::end(Self::FORM, segments.next())?;
        segment::check(Part::Tenant, tenant).map_err(|problem| NameError::new(Self::FORM, Part::Tenant, problem))?;
        Ok(Self::Tenant(TenantName { tenant: tenant.to_owned() }))
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault => f.write_str("vault/log"),
            Self::Tenant(tenant) => write!(f, "{tenant}/log"),
        }
    }
}

#[cfg(test)]
mod tests;
