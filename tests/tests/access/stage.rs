//! What the calls are aimed at.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use lethe_proto::v1::{self, Purpose, RightsRequestKind, Role};
use sha2::{Digest as _, Sha256};

use lethe_tests::{Camera, Face, Faces, Tenant, Vault};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use prost::Message as _;
use prost_types::FileDescriptorProto;

/// All purposes a request can state.
pub(crate) const PURPOSES: [Purpose; 11] = [
    Purpose::Authentication,
    Purpose::DocumentCheck,
    Purpose::DuplicateDetection,
    Purpose::FraudPrevention,
    Purpose::KycSharing,
    Purpose::RequesterIdentification,
    Purpose::LegalClaims,
    Purpose::ServiceDevelopment,
    Purpose::Administration,
    Purpose::DataSubjectRequest,
    Purpose::Audit,
];

/// Names for a request of each kind.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) tenant: String,
    pub(crate) log: String,
    pub(crate) subject: String,
    pub(crate) subject_id: String,
    pub(crate) template: String,
    pub(crate) credential: String,
    pub(crate) profile: String,
    pub(crate) receipt: String,
    pub(crate) consent: String,
    pub(crate) hold: String,
    pub(crate) request: String,
    pub(crate) notification: String,
    /// Somebody else, who does not look like the subject.
    pub(crate) other: String,
    /// A case about the subject, which is contested.
    pub(crate) case: String,
    pub(crate) watchlist: String,
    pub(crate) watchlist_entry: String,
    /// A public key that no tenant has, and the name of one that the tenant has.
    pub(crate) jwk: String,
    pub(crate) signing_key: String,
    /// Whom archives are sealed to.
    pub(crate) recipient: String,
    pub(crate) backup: String,
    pub(crate) unused_tenant: String,
    /// A tenant that may be destroyed.
    pub(crate) spare_tenant: String,
    /// What two persons agreed on of that.
    pub(crate) agreed: String,
    /// Something that two persons decide, and the digest that goes with it.
    pub(crate) proposal: String,
    pub(crate) content: String,
    pub(crate) face: Face,
}

/// A vault with a tenant, of which there is one thing of each kind.
pub(crate) struct Stage {
    pub(crate) vault: Vault,
    pub(crate) bank: Tenant,
    receipt: String,
    backup: String,
    face: Face,
    stranger: Face,
    used: AtomicU32,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let vault = Vault::setup().apart().start().await;
        let bank = vault.tenant("bank").await;
        let faces = Faces::seeded(61);
        let [face, stranger] = [faces.person(0).selfie(), faces.person(1).selfie()];
        bank.enroller().enroll("once-here", &face).await.unwrap();
        let receipt = bank.privacy_officer().erase("once-here").await.unwrap().receipt;
        bank.analyst().keep_watchlist("fraud", v1::WatchlistKind::ConfirmedFraud).await.unwrap();
        let backup = vault.operator().back_up().await.unwrap().name;
        Self { vault, bank, receipt, backup, face, stranger, used: AtomicU32::new(0) }
    }

    /// Things that exist, used by no call before.
    pub(crate) async fn existing(&self) -> Target {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        let subject_id = format!("subject-{number}");
        let enrolled = self.bank.enroller().enroll(&subject_id, &self.face).await.unwrap();
        let consent = self.bank.enroller().consents_to(&subject_id, Purpose::Authentication).await.unwrap();
        let officer = self.bank.privacy_officer();
        officer.object(&subject_id, Purpose::FraudPrevention).await.unwrap();
        officer.lift_objection(&subject_id, Purpose::FraudPrevention, "grounds-1").await.unwrap();
        let held = format!("held-{number}");
        self.bank.enroller().consents_to(&held, Purpose::Authentication).await.unwrap();
        let hold = officer.hold(&held).await.unwrap();
        let request = officer.opens(RightsRequestKind::Access, None).await.unwrap();
        let other = format!("other-{number}");
        self.bank.enroller().enroll(&other, &self.stranger).await.unwrap();
        let case = officer.ask(officer.contesting(&subject_id)).await.unwrap();
        let operator = self.vault.operator();
        let spare = operator.ask(operator.creation(&format!("spare-{number}"))).await.unwrap();
        let issued = self.bank.issue(&[Role::Auditor], None).await;
        let camera = Camera::stranger(&self.bank, &format!("camera-{number}"));
        camera.register(&self.bank).await.unwrap();
        // No more are trusted than may be.
        camera.revoke(&self.bank).await.unwrap();
        Target {
            tenant: self.bank.name(),
            log: self.bank.log(),
            subject: self.bank.enroller().subject_name(&subject_id),
            subject_id,
            template: enrolled.template.unwrap().name,
            credential: issued.credential.unwrap().name,
            profile: format!("{}/modelProfiles/face@1", self.bank.name()),
            receipt: self.receipt.clone(),
            consent: consent.name,
            hold: hold.name,
            request: request.name,
            notification: format!("{}/notifications/{}", self.bank.name(), "0".repeat(32)),
            other: officer.subject_name(&other),
            case: case.name,
            watchlist: format!("{}/watchlists/fraud", self.bank.name()),
            watchlist_entry: format!("{}/watchlists/fraud/entries/{}", self.bank.name(), "0".repeat(32)),
            jwk: Camera::stranger(&self.bank, &format!("new-{number}")).signer().public().to_jwk(),
            signing_key: format!("{}/signingKeys/{}", self.bank.name(), camera.signer().public().id()),
            recipient: recipient(),
            backup: self.backup.clone(),
            unused_tenant: format!("tenant-{number}"),
            agreed: format!("{}/proposals/{}", spare.tenant.as_ref().unwrap().name, "0".repeat(32)),
            spare_tenant: spare.tenant.unwrap().name,
            proposal: format!("{}/proposals/{}", self.bank.name(), "0".repeat(32)),
            content: "0".repeat(64),
            face: self.face.clone(),
        }
    }

    /// Things that exist, for a method that decides on something, or does what was decided, as somebody of a role asks for it.
    pub(crate) async fn decided(&self, method: &str, role: Option<Role>) -> Target {
        let mut target = self.existing().await;
        let operator = self.vault.operator();
        match method {
            "TenantService/Shred" => {
                let spare = self.vault.tenant(&format!("{}-2", target.unused_tenant)).without_model().await;
                target.spare_tenant = spare.name();
                target.agreed = operator.agreed(&spare).await.proposal;
            }
            "TenantService/ExportSilo" | "TenantService/ConfirmHandover" => {
                let director = self.bank.with_roles(&[Role::TenantAdmin]).await;
                let recipient = age::x25519::Identity::generate().to_public().to_string();
                let proposal = director.ask(director.offboarding(Some(&recipient))).await.unwrap();
                operator.approve(&proposal).await.unwrap();
                if method == "TenantService/ConfirmHandover" {
                    target.content = hex::encode(Sha256::digest(director.export_silo(&proposal.name).await.unwrap()));
                }
                target.proposal = proposal.name;
            }
            "NotificationService/Get" | "NotificationService/Close" => {
                let [officer, second] =
                    [self.bank.privacy_officer(), self.bank.with_roles(&[Role::PrivacyOfficer]).await];
                let order = v1::disclosure::Ground::LegalOrderReference("order-1".to_owned());
                let proposal = officer.ask(officer.disclosing(&target.subject_id, Some(order))).await.unwrap();
                second.approve(&proposal).await.unwrap();
                officer.restrict(&target.subject_id, v1::RestrictionGround::AccuracyContested).await.unwrap();
                target.notification = officer.notifications(true).await.unwrap().remove(0).name;
            }
            "WatchlistService/Delete" => {
                let list = format!("list-{}", target.subject_id);
                target.watchlist =
                    self.bank.analyst().keep_watchlist(&list, v1::WatchlistKind::KnownSpoof).await.unwrap().name;
            }
            "WatchlistService/GetEntry"
            | "WatchlistService/ContestEntry"
            | "WatchlistService/DecideEntry"
            | "WatchlistService/RemoveEntry" => {
                let analyst = self.bank.analyst();
                let entry = analyst.ask(analyst.listing_of("fraud", &target.template)).await.unwrap();
                self.bank.privacy_officer().contest_entry(&entry.name).await.unwrap();
                target.watchlist_entry = entry.name;
            }
            _ if method.starts_with("ApprovalService/") => {
                let proposed = if role == Some(Role::Auditor) {
                    let director = self.bank.with_roles(&[Role::TenantAdmin]).await;
                    // One that somebody else left open would be given in its place.
                    let open = director.ask(director.key_rotation(&target.log)).await.unwrap();
                    director.reject(&open.name).await.unwrap();
                    director.ask(director.key_rotation(&target.log)).await.unwrap()
                } else if role == Some(Role::PrivacyOfficer) {
                    let officer = self.bank.with_roles(&[Role::PrivacyOfficer]).await;
                    let order = v1::disclosure::Ground::LegalOrderReference("order-1".to_owned());
                    officer.ask(officer.disclosing(&target.subject_id, Some(order))).await.unwrap()
                } else {
                    let director = self.bank.with_roles(&[Role::TenantAdmin]).await;
                    director.ask(director.offboarding(None)).await.unwrap()
                };
                (target.proposal, target.content) = (proposed.name, proposed.content_sha256);
            }
            _ => {}
        }
        target
    }

    /// Things that never existed, of the same tenant.
    pub(crate) fn nowhere(&self) -> Target {
        let nothing = "0".repeat(32);
        let tenant = self.bank.name();
        Target {
            log: self.bank.log(),
            subject: format!("{tenant}/subjects/nobody"),
            subject_id: "nobody".to_owned(),
            template: format!("{tenant}/subjects/nobody/templates/{nothing}"),
            credential: format!("{tenant}/credentials/{nothing}"),
            profile: format!("{tenant}/modelProfiles/none@0"),
            receipt: format!("{tenant}/receipts/{nothing}"),
            consent: format!("{tenant}/subjects/nobody/consents/{nothing}"),
            hold: format!("{tenant}/subjects/nobody/holds/{nothing}"),
            request: format!("{tenant}/requests/{nothing}"),
            notification: format!("{tenant}/notifications/{nothing}"),
            other: format!("{tenant}/subjects/nobody-else"),
            case: format!("{tenant}/subjects/nobody/cases/{nothing}"),
            watchlist: format!("{tenant}/watchlists/none"),
            watchlist_entry: format!("{tenant}/watchlists/none/entries/{nothing}"),
            jwk: Camera::stranger(&self.bank, "nowhere").signer().public().to_jwk(),
            signing_key: format!("{tenant}/signingKeys/none"),
            recipient: recipient(),
            backup: "backups/999".to_owned(),
            unused_tenant: "tenant-nowhere".to_owned(),
            spare_tenant: "tenants/spare-nowhere".to_owned(),
            agreed: format!("tenants/spare-nowhere/proposals/{nothing}"),
            proposal: format!("{tenant}/proposals/{nothing}"),
            content: "0".repeat(64),
            face: self.face.clone(),
            tenant,
        }
    }

    /// Every method of package `lethe.v1` that the server's own reflection lists, without the package.
    pub(crate) async fn served_methods(&self) -> BTreeSet<String> {
        let mut client = ServerReflectionClient::new(self.vault.channel());
        let mut methods = BTreeSet::new();
        let listed = ask(&mut client, MessageRequest::ListServices(String::new())).await;
        let Some(MessageResponse::ListServicesResponse(services)) = listed.message_response else {
            panic!("reflection does not list services: {listed:?}")
        };
        for service in services.service.into_iter().filter(|service| service.name.starts_with("lethe.v1.")) {
            let described = ask(&mut client, MessageRequest::FileContainingSymbol(service.name.clone())).await;
            let Some(MessageResponse::FileDescriptorResponse(files)) = described.message_response else {
                panic!("reflection does not describe {}: {described:?}", service.name)
            };
            let short = service.name.strip_prefix("lethe.v1.").unwrap();
            for file in files.file_descriptor_proto {
                let file = FileDescriptorProto::decode(file.as_slice()).unwrap();
                let found = file.service.iter().filter(|found| found.name() == short);
                methods
                    .extend(found.flat_map(|found| &found.method).map(|method| format!("{short}/{}", method.name())));
            }
        }
        methods
    }
}

fn recipient() -> String {
    age::x25519::Identity::generate().to_public().to_string()
}

async fn ask(
    client: &mut ServerReflectionClient<tonic::transport::Channel>,
    question: MessageRequest,
) -> ServerReflectionResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap()
}
