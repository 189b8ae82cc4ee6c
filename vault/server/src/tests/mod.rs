//! Tests that look inside: the production code on a real store, without the wire in between.

mod attested;
mod cases;
mod damage;
mod evidence;
mod faces;
mod founding;
mod histories;
mod judged;
mod logins;
mod mirrors;
mod notifications;
mod requests;
mod restoring;
mod retention;
mod rights;
mod room;
mod searching;
mod shredding;
mod succession;
mod swap;
mod unlinked;
mod watchlists;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lethe_attestation::{Claims, Nonce, Signer, digest};
use lethe_domain::{
    AgeBand, AttestationPolicy, CaptureKind, CaptureUse, CaseId, Consent, ConsentId, Country, DisclosureId,
    Environment, Giver, Ground, Jurisdiction, Label, LawfulBasis, Liveness, Manner, ModelId, ModelProfile, Notice,
    PadLevel, ProposalId, Purpose, PurposeBasis, Quality, RequestId, RequestKind, Requester, RestrictionGround, Role,
    Roles, Safeguard, SafeguardKind, Sketching, SubjectId, TenantId, TenantPolicy, Thresholds, Timestamp, Told,
    Transfer, WatchlistId, WatchlistKind,
};
use lethe_policy::operation::{
    AddWatchlistEntry, ApproveProposal, CreateContestedCase, CreateCredential, CreateModelProfile, CreateOperator,
    CreateSigningKey, CreateTenant, CreateWatchlist, Enroll, Kind, OffboardTenant, OpenRequest, ProposeDisclosure,
    RecordConsent, RestrictSubject, UpdateSubject,
};
use lethe_policy::{Authorized, Owner, Principal};
use tokio::time::Instant;

use crate::approval::Facts;
use crate::config::{Config, Limits};
use crate::disclosure::{self, Wish};
use crate::enrollment::{Enrolled, Enrolment, enroll};
use crate::opening;
use crate::templates::{self, Capture};
use crate::tenant::{Asked, Handover};
use crate::vault::{Aim, Vault};
use crate::{approval, attestation, case, consent, request, silo::Silo, subject, tenant, watchlist};

/// How long anything may be waited for: far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(180);

async fn outlasting(vault: &Arc<Vault>, tenant: &TenantId, subject: &str) -> (Consent, request::Filed) {
    let subject = SubjectId::parse(subject).unwrap();
    let call = may::<RecordConsent>(vault, tenant, Role::Enroller, Purpose::Administration).await;
    let consent = consent::record(vault, call, &subject, agreed(), RequestId::random()).await.unwrap();
    let call = may::<OpenRequest>(vault, tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let wanted = request::Wanted {
        kind: RequestKind::Access,
        requester: Requester::Subject,
        verification: None,
        jurisdiction: None,
        received_at: None,
        subject: Some(subject),
    };
    (consent, request::open(vault, call, wanted, RequestId::random()).await.unwrap())
}

/// A disclosure to a court, by its order.
pub(crate) fn ordered() -> Wish {
    let label = |text| Label::parse("label", text).unwrap();
    let safeguard = Some(Safeguard { kind: SafeguardKind::AdequacyDecision, reference: label("d-1") });
    let transfer = Transfer { destination: Country::parse("country", "DE").unwrap(), safeguard, contract: None };
    let ground = Some(Ground::Order(label("order-1")));
    Wish { recipient: label("court"), ground, scope: vec![Told::Existence], transfer }
}

/// A consent that is given now.
pub(crate) fn agreed() -> Consent {
    Consent {
        id: ConsentId::from_bytes([0; 16]),
        purpose: Purpose::Authentication,
        notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [7; 32] },
        manner: Manner::Written,
        giver: Giver::Subject,
        recipients: Vec::new(),
        countries: Vec::new(),
        given_at: Timestamp::now(),
        expires_at: None,
        withdrawn_at: None,
    }
}

/// Until then.
fn soon() -> Option<Instant> {
    Some(Instant::now() + PATIENCE)
}

/// A vault in a folder that goes with it.
pub(crate) struct Open {
    pub(crate) vault: Arc<Vault>,
    folder: tempfile::TempDir,
}

impl Open {
    pub(crate) async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(folder.path()).await;
        Self { vault, folder }
    }

    /// A vault whose subjects may have hundreds of templates: some people's pictures are in every collection.
    async fn for_many_templates() -> Self {
        Self::configured(|config| config.limits.templates = 1024).await
    }

    async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        let vault = opening::open(&config).await.unwrap().vault;
        Self { vault, folder }
    }

    pub(crate) async fn reopen(self) -> Self {
        self.vault.close().await;
        self.reopen_closed().await
    }

    async fn reopen_closed(self) -> Self {
        drop(self.vault);
        let vault = open(self.folder.path()).await;
        Self { vault, folder: self.folder }
    }

    pub(crate) async fn tenant(&self, id: &str) -> TenantId {
        self.tenant_for(id, &[Purpose::Authentication, Purpose::DuplicateDetection]).await
    }

    /// A tenant that declares these purposes, on a legal obligation.
    pub(crate) async fn tenant_for(&self, id: &str, purposes: &[Purpose]) -> TenantId {
        let id = TenantId::parse(id).unwrap();
        let owner = Owner::Vault;
        let operator = principal(owner, Roles::only(Role::Operator));
        let basis = LawfulBasis::LegalObligation;
        let purposes = purposes.iter().map(|&purpose| PurposeBasis { purpose, basis });
        let call = self.vault.admit::<CreateTenant>(&operator, Aim::Vault, Some(Purpose::Administration)).await;
        let policy = TenantPolicy { attestation: exempt(), ..TenantPolicy::of(purposes.collect()) };
        tenant::create(&self.vault, call.unwrap(), id.clone(), policy, None, None).await.unwrap();
        id
    }

    /// Something that is known of a subject.
    pub(crate) async fn describe(&self, tenant: &TenantId, subject: &str) {
        let call = self.may::<UpdateSubject>(tenant, Role::Enroller, Purpose::Administration).await;
        let (subject, law) = (SubjectId::parse(subject).unwrap(), Some(Some(Jurisdiction::EuropeanUnion)));
        let said = subject::Description { jurisdiction: law, age: Some(AgeBand::Adult), ..Default::default() };
        subject::update(&self.vault, call, &subject, said).await.unwrap();
    }

    /// A consent of somebody, and a request: both outlive them.
    pub(crate) async fn outlasting(&self, tenant: &TenantId, subject: &str) -> (Consent, request::Filed) {
        outlasting(&self.vault, tenant, subject).await
    }

    /// One more credential of a tenant, under a request that is remembered.
    pub(crate) async fn credential(&self, tenant: &TenantId) {
        let call = self.may::<CreateCredential>(tenant, Role::TenantAdmin, Purpose::Administration).await;
        let (roles, request) = (Roles::only(Role::Auditor), Some(RequestId::random()));
        tenant::create_credential(&self.vault, call, Asked::of(roles), request).await.unwrap();
    }

    /// Somebody of a tenant who is on record, in one role.
    pub(crate) async fn person(&self, tenant: &TenantId, role: Role) -> Principal {
        let call = self.may::<CreateCredential>(tenant, Role::TenantAdmin, Purpose::Administration).await;
        let issued = tenant::create_credential(&self.vault, call, Asked::of(Roles::only(role)), None).await.unwrap();
        issued.credential.principal
    }

    /// What somebody of a tenant may do.
    pub(crate) async fn call<O: Kind>(&self, who: &Principal, tenant: &TenantId) -> Authorized<O> {
        let purpose =
            if who.roles.has(Role::PrivacyOfficer) { Purpose::DataSubjectRequest } else { Purpose::Administration };
        self.vault.admit::<O>(who, Aim::Tenant(tenant), Some(purpose)).await.unwrap()
    }

    /// Two persons agree that a tenant goes, and that nothing is handed over.
    pub(crate) async fn agree(&self, tenant: &TenantId) -> ProposalId {
        let approver = self.person(tenant, Role::TenantAdmin).await;
        let proposer = self.person(tenant, Role::TenantAdmin).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let call = self.call::<OffboardTenant>(&proposer, tenant).await;
        let proposed = tenant::offboard(&self.vault, call, Handover::Waived, RequestId::random()).await.unwrap();
        let proposal = proposed.stored.proposal;
        let call = self.call::<ApproveProposal>(&approver, tenant).await;
        approval::approve(&self.vault, call, proposal.id, proposal.digest).await.unwrap();
        proposal.id
    }

    /// A disclosure about a subject that is proposed.
    pub(crate) async fn disclose(&self, tenant: &TenantId, subject: &str) -> Facts {
        let officer = self.person(tenant, Role::PrivacyOfficer).await;
        let call = self.call::<ProposeDisclosure>(&officer, tenant).await;
        let subject = SubjectId::parse(subject).unwrap();
        disclosure::propose(&self.vault, call, &subject, ordered(), RequestId::random()).await.unwrap()
    }

    /// A disclosure about a subject that is made.
    pub(crate) async fn disclosed(&self, tenant: &TenantId, subject: &str) -> DisclosureId {
        let second = self.person(tenant, Role::PrivacyOfficer).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let facts = self.disclose(tenant, subject).await;
        let proposal = facts.stored.proposal;
        let call = self.call::<ApproveProposal>(&second, tenant).await;
        approval::approve(&self.vault, call, proposal.id, proposal.digest).await.unwrap();
        DisclosureId::from_bytes(*proposal.id.as_bytes())
    }

    /// A restriction of which somebody is to be told who received something.
    pub(crate) async fn notified(&self, tenant: &TenantId, subject: &str) {
        self.disclosed(tenant, subject).await;
        let call = self.may::<RestrictSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let subject = SubjectId::parse(subject).unwrap();
        subject::restrict(&self.vault, call, &subject, RestrictionGround::Other).await.unwrap();
    }

    /// A capture service whose key a tenant registered.
    pub(crate) async fn camera(&self, tenant: &TenantId) -> Signer {
        let camera = Signer::generate("camera").unwrap();
        let call = self.may::<CreateSigningKey>(tenant, Role::TenantAdmin, Purpose::Administration).await;
        attestation::create_key(&self.vault, call, camera.public().clone()).await.unwrap();
        camera
    }

    /// A capture of now that a service signed for.
    pub(crate) fn signed(
        &self,
        tenant: &TenantId,
        by: &Signer,
        model: &ModelId,
        embedding: &[f32],
        age: Option<AgeBand>,
    ) -> Capture {
        self.signed_at(tenant, by, model, embedding, age, self.vault.clock.now())
    }

    /// The same, of some moment.
    pub(crate) fn signed_at(
        &self,
        tenant: &TenantId,
        by: &Signer,
        model: &ModelId,
        embedding: &[f32],
        age: Option<AgeBand>,
        captured_at: Timestamp,
    ) -> Capture {
        let quality = Quality::parse("quality", 0.9).unwrap();
        let claims = Claims {
            tenant: tenant.clone(),
            audience: self.vault.audience.clone(),
            embedding: digest(embedding),
            model: model.clone(),
            kind: CaptureKind::Selfie,
            quality,
            captured_at,
            expires_at: Timestamp::from_millis(captured_at.millis() + 300_000),
            nonce: Nonce::random(),
            age,
            liveness: Some(Liveness { passed: true, level: PadLevel::Level1 }),
        };
        let capture = Capture::new(model.clone(), embedding.to_vec(), CaptureKind::Selfie, quality, captured_at);
        capture.attested(Some(by.sign(&claims).unwrap()))
    }

    /// Enrolls a capture that a service signed for.
    pub(crate) async fn attested(&self, tenant: &TenantId, by: &Signer, subject: &str, model: &ModelId) {
        let face: Vec<f32> = (0..64).map(|i| (i as f32).cos() + 0.1).collect();
        let call = self.may::<Enroll>(tenant, Role::Enroller, Purpose::Authentication).await;
        let capture = self.signed(tenant, by, model, &face, None);
        let enrolment = Enrolment { subject: SubjectId::parse(subject).unwrap(), capture, request: None };
        enroll(&self.vault, &call, enrolment).await.unwrap();
    }

    /// The same capture once more, with what was signed about it.
    pub(crate) fn resigned(&self, capture: &Capture, embedding: &[f32], signed: Option<String>) -> Capture {
        let Capture { model, kind, quality, captured_at, .. } = capture;
        Capture::new(model.clone(), embedding.to_vec(), *kind, *quality, *captured_at).attested(signed)
    }

    /// A case of somebody who contests a decision.
    pub(crate) async fn contested(&self, tenant: &TenantId, subject: &str) -> CaseId {
        let call = self.may::<CreateContestedCase>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let (subject, request) = (SubjectId::parse(subject).unwrap(), RequestId::random());
        case::create_contested(&self.vault, call, &subject, None, request).await.unwrap().filed.case.id
    }

    /// Two watch lists, if they are not there, and an entry of the first template of each of some subjects.
    pub(crate) async fn watched(&self, tenant: &TenantId, subjects: &[&str]) -> Vec<watchlist::Filed> {
        for (name, kind) in [("fraud", WatchlistKind::ConfirmedFraud), ("masks", WatchlistKind::KnownSpoof)] {
            let call = self.may::<CreateWatchlist>(tenant, Role::FraudAnalyst, Purpose::FraudPrevention).await;
            watchlist::create(&self.vault, call, WatchlistId::parse(name).unwrap(), kind).await.unwrap();
        }
        let (silo, mut added) = (self.silo(tenant), Vec::new());
        for subject in subjects {
            let subject = SubjectId::parse(subject).unwrap();
            let slot = silo.subject(&subject).unwrap();
            let found = templates::of_subject(&self.vault.store, &self.vault.keys, &silo, slot, None).unwrap();
            let call = self.may::<AddWatchlistEntry>(tenant, Role::FraudAnalyst, Purpose::FraudPrevention).await;
            let now = self.vault.clock.now();
            let wanted = watchlist::Wanted {
                list: WatchlistId::parse("fraud").unwrap(),
                source: watchlist::Source::Template(subject, found[0].record.facts.id),
                basis: LawfulBasis::LegalClaims,
                reference: Label::parse("reference", "case-1").unwrap(),
                confirmed_at: now,
                expires_at: Timestamp::from_millis(now.millis() + 86_400_000),
                request: RequestId::random(),
            };
            added.push(watchlist::add(&self.vault, call, wanted).await.unwrap());
        }
        added
    }

    /// One more operator, under a request that is remembered.
    pub(crate) async fn operator(&self) {
        let (owner, roles) = (Owner::Vault, Roles::only(Role::Operator));
        let operator = principal(owner, roles);
        let call = self.vault.admit::<CreateOperator>(&operator, Aim::Vault, Some(Purpose::Administration)).await;
        let request = Some(RequestId::random());
        tenant::create_credential(&self.vault, call.unwrap(), Asked::of(roles), request).await.unwrap();
    }

    pub(crate) async fn model(
        &self,
        tenant: &TenantId,
        name: &str,
        dimension: usize,
        centre: Option<Vec<f32>>,
    ) -> ModelId {
        self.model_of(tenant, name, dimension, Sketching::new(None, centre).unwrap()).await
    }

    pub(crate) async fn model_of(
        &self,
        tenant: &TenantId,
        name: &str,
        dimension: usize,
        sketching: Sketching,
    ) -> ModelId {
        let model = ModelId::parse(name, "1").unwrap();
        let thresholds = Thresholds::new(0.5, 0.3).unwrap();
        let profile = ModelProfile::new(model.clone(), dimension as u32, sketching, thresholds, 1e-4).unwrap();
        let call = self.may::<CreateModelProfile>(tenant, Role::TenantAdmin, Purpose::Administration).await;
        tenant::create_profile(&self.vault, call, profile, None).await.unwrap();
        model
    }

    pub(crate) async fn enroll(
        &self,
        tenant: &TenantId,
        subject: &str,
        model: &ModelId,
        embedding: &[f32],
    ) -> Enrolled {
        self.try_enroll(tenant, subject, model, embedding).await.unwrap()
    }

    pub(crate) async fn try_enroll(
        &self,
        tenant: &TenantId,
        subject: &str,
        model: &ModelId,
        embedding: &[f32],
    ) -> crate::Result<Enrolled> {
        let call = self.may::<Enroll>(tenant, Role::Enroller, Purpose::Authentication).await;
        let subject = SubjectId::parse(subject).unwrap();
        let request = Some(RequestId::random());
        let enrolment = Enrolment { subject, capture: capture(model, embedding), request };
        enroll(&self.vault, &call, enrolment).await
    }

    pub(crate) async fn may<O: Kind>(&self, tenant: &TenantId, role: Role, purpose: Purpose) -> Authorized<O> {
        may(&self.vault, tenant, role, purpose).await
    }

    /// Waits until the first mirror is tried again and found faulty, in these words; all of them.
    async fn found_out(&self, words: &str) -> String {
        let found = async {
            loop {
                match self.vault.store.mirrors().first().and_then(|mirror| mirror.fault()) {
                    Some(fault) if fault.contains(words) => return fault.to_owned(),
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the mirror's fault is not found out")
    }

    pub(crate) fn silo(&self, tenant: &TenantId) -> Arc<Silo> {
        self.vault.silos.find(tenant).unwrap()
    }
}

async fn may<O: Kind>(vault: &Vault, tenant: &TenantId, role: Role, purpose: Purpose) -> Authorized<O> {
    let who = principal(Owner::Tenant(tenant.clone()), Roles::only(role));
    let Ok(call) = vault.admit::<O>(&who, Aim::Tenant(tenant), Some(purpose)).await else {
        panic!("{role} may not");
    };
    call
}

async fn open(folder: &std::path::Path) -> Arc<Vault> {
    opening::open(&config(folder)).await.unwrap().vault
}

/// A copy of a database's folder, which may be at work: of a moment in which it wrote nothing. Opening one leaves files to be
/// dropped and a manifest to be written in the background, and half of that is no database.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let listed = || -> std::io::Result<BTreeMap<OsString, (u64, SystemTime)>> {
        let entries = std::fs::read_dir(from)?.map(|entry| {
            let entry = entry?;
            let about = entry.metadata()?;
            Ok((entry.file_name(), (about.len(), about.modified()?)))
        });
        entries.collect()
    };
    let copied = || -> std::io::Result<bool> {
        let before = listed()?;
        std::fs::create_dir_all(to)?;
        for name in before.keys() {
            std::fs::copy(from.join(name), to.join(name))?;
        }
        Ok(listed()? == before)
    };
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        match copied() {
            Ok(true) => return,
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => panic!("{}: {fault}", from.display()),
            Ok(false) | Err(_) => assert!(std::time::Instant::now() < until, "{} never rests", from.display()),
        }
        match std::fs::remove_dir_all(to) {
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => panic!("{}: {fault}", to.display()),
            _ => std::thread::yield_now(),
        }
    }
}

fn config(folder: &std::path::Path) -> Config {
    // Patient: a disk may take seconds to sync, and a test is not to fail for it.
    let limits = Limits { deadline_ms: 600_000, ..Limits::default() };
    Config { data_dir: folder.to_owned(), limits, ..Config::default() }
}

fn principal(owner: Owner, roles: Roles) -> Principal {
    let (credential, factor) = (lethe_domain::CredentialId::random(), lethe_policy::SecondFactor::NotAsked);
    Principal { credential, owner, roles, expires: None, factor }
}

pub(crate) fn capture(model: &ModelId, embedding: &[f32]) -> Capture {
    let quality = Quality::parse("quality", 0.9).unwrap();
    let captured_at = Timestamp::from_millis(1_700_000_000_000);
    Capture::new(model.clone(), embedding.to_vec(), CaptureKind::Selfie, quality, captured_at)
}

/// That no capture needs an attestation.
pub(crate) fn exempt() -> Option<AttestationPolicy> {
    Some(AttestationPolicy {
        exempt: CaptureUse::ALL.to_vec(),
        ..AttestationPolicy::default_of(Environment::Production)
    })
}
