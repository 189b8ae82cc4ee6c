//! What `grpc.health.v1` says, and to whom it must be said aloud.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::vault::Vault;

/// How often health looks for what cannot answer.
const EVERY: Duration = Duration::from_secs(1);
/// The service whose health follows the galleries.
const IDENTIFICATION: &str = "lethe.v1.IdentificationService";
/// Not a service of ours, and in health all the same: erasures stay pending while it does not serve.
const MIRRORS: &str = "lethe.v1.Mirrors";
/// As that.
const ROOTS: &str = "lethe.v1.Roots";
/// How long a mirror, or the root store, may fail before health says so: what is cut off for a moment is tried again by
/// itself.
const FAILS: Duration = Duration::from_secs(10);
/// All there are; those that nothing above is said of are healthy when the vault is open.
const SERVICES: [&str; 20] = [
    "",
    "lethe.v1.TenantService",
    "lethe.v1.EnrollmentService",
    "lethe.v1.AuthenticationService",
    IDENTIFICATION,
    "lethe.v1.WatchlistService",
    "lethe.v1.SigningKeyService",
    "lethe.v1.SubjectService",
    "lethe.v1.ConsentService",
    "lethe.v1.HoldService",
    "lethe.v1.NotificationService",
    "lethe.v1.CaseService",
    "lethe.v1.RequestService",
    "lethe.v1.DisclosureService",
    "lethe.v1.ApprovalService",
    "lethe.v1.AuditService",
    "lethe.v1.BackupService",
    "lethe.v1.RootService",
    MIRRORS,
    ROOTS,
];

/// Says of all that they serve, or that they do not.
pub(super) async fn all(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// Says when a gallery cannot answer, and when a mirror has not been written, or the root store not been of use, for a while.
pub(super) async fn watch(vault: Arc<Vault>, health: HealthReporter) {
    let [mut galleries, mut mirrors, mut roots] = [IDENTIFICATION, MIRRORS, ROOTS].map(Light::of);
    let mut failing_since = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let whole = vault.silos.all().iter().all(|silo| silo.models().iter().all(|model| model.fault().is_none()));
        galleries.show(&health, whole).await;
        if vault.store.mirrors().iter().any(|mirror| mirror.fault().is_some()) {
            failing_since.get_or_insert_with(Instant::now);
        } else {
            failing_since = None;
        }
        let fails = failing_since.is_some_and(|since| since.elapsed() >= FAILS);
        if mirrors.show(&health, !fails).await && fails {
            tracing::error!(
                "a mirror has not been written for a while: erasures stay pending, and what is accepted would be lost with the data's disk"
            );
        }
        let failing = vault.eraser.standing().roots.failing.filter(|failing| failing.lasts >= FAILS);
        if roots.show(&health, failing.is_none()).await
            && let Some(failing) = failing
        {
            tracing::error!(why = failing.why, "the root store has been of no use for a while: erasures stay pending");
        }
    }
}

/// What health says of a service.
struct Light {
    service: &'static str,
    serves: bool,
}

impl Light {
    fn of(service: &'static str) -> Self {
        Self { service, serves: true }
    }

    /// Whether that is something new.
    async fn show(&mut self, health: &HealthReporter, serves: bool) -> bool {
        if serves == self.serves {
            return false;
        }
        self.serves = serves;
        let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status(self.service, status).await;
        true
    }
}
