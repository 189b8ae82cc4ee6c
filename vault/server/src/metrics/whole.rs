use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lethe_domain::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::backup::State;
use crate::grpc::Node;
use crate::server::Places;
use crate::silo::Pressing;
use crate::store::{MirrorStanding, MirrorState};
use crate::vault::Vault;

/// What is looked at when somebody asks.
pub(super) struct Whole {
    pub(super) places: Arc<Places>,
    pub(super) node: Node,
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").finish_non_exhaustive()
    }
}

impl Collector for Whole {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.info("build", "The server's version.", &[("version", env!("CARGO_PKG_VERSION"))])?;
        let (taken, most) = self.places.taken();
        page.count("connections", "Connections that are open.", taken)?;
        page.count("connections_limit", "Connections that may be open (limits.connections).", most)?;
        let vault = self.node.vault().ok();
        page.flag("serving", "Whether the vault is open: while it loads there is nothing more.", vault.is_some())?;
        let Some(vault) = vault else { return Ok(()) };
        people(&mut page, vault)?;
        providers(&mut page, vault)?;
        let passes = "Passes over galleries since the start: searches that come together share one.";
        page.counter("search_passes", passes, vault.passes.begun())?;
        erasures(&mut page, vault)?;
        sweeps(&mut page, vault)?;
        mirrors(&mut page, &vault.store.mirrors())?;
        let shed = "Changes that were refused because too many waited to be committed (limits.queue).";
        page.counter("commits_shed", shed, vault.store.shed())?;
        backups(&mut page, vault)
    }
}

fn people(page: &mut Page<'_>, vault: &Vault) -> fmt::Result {
    let (mut subjects, mut templates, mut failing) = (0, 0, 0);
    let (mut galleries, mut in_memory, mut bytes) = (0, 0, 0);
    let (mut unanswered, now) = (Pressing::default(), Timestamp::now());
    for silo in vault.silos.all() {
        subjects += silo.subject_count();
        unanswered += silo.unanswered.pressing(now);
        for model in silo.models() {
            templates += model.rows();
            failing += usize::from(model.fault().is_some());
            galleries += 1;
            in_memory += usize::from(model.is_in_memory());
            bytes += model.bytes();
        }
    }
    page.count("subjects", "Subjects, of the whole vault.", subjects)?;
    page.count("templates", "Templates, of the whole vault.", templates)?;
    page.count("galleries", "Galleries: models of tenants.", galleries)?;
    page.count("galleries_in_memory", "Galleries that are in memory; others come when they are searched.", in_memory)?;
    page.count("galleries_bytes", "Bytes of memory that they take (search.memory_mib).", bytes)?;
    page.count("galleries_failing", "Galleries that cannot answer.", failing)?;
    page.count("requests_unanswered", "Requests of data subjects that are not answered.", unanswered.all)?;
    page.count("requests_due_soon", "Of them, those that are due within a week.", unanswered.soon)?;
    page.count("requests_overdue", "Of them, those whose time is over.", unanswered.overdue)
}

fn providers(page: &mut Page<'_>, vault: &Vault) -> fmt::Result {
    let Some(standing) = vault.logins.standing() else { return Ok(()) };
    page.count("identity_providers", "Identity providers whose logins are believed.", standing.providers)?;
    let stale = "Whether one of their files cannot be used as it is: what it said before counts.";
    page.flag("identity_providers_stale", stale, standing.is_stale)
}

fn erasures(page: &mut Page<'_>, vault: &Vault) -> fmt::Result {
    let standing = vault.eraser.standing();
    page.count("erasures_pending", "Erasures and rotations whose old root is not destroyed.", standing.pending)?;
    let age = standing.oldest.map_or(Duration::ZERO, since);
    page.seconds("erasures_oldest_pending", "Age of the oldest of them; 0 if there is none.", age)?;
    page.count("epoch", "The epoch that is committed.", standing.epoch)?;
    page.counter("epochs_ended", "Epochs that ended since the start: their roots are destroyed.", standing.ended)?;
    let help = "Tries since the start to commit or end an epoch that failed, whatever at.";
    page.counter("epoch_failures", help, standing.failed)?;
    let roots = standing.roots;
    page.flag("root_store_failing", "Whether the root store cannot be used.", roots.failing.is_some())?;
    let lasts = roots.failing.map_or(Duration::ZERO, |failing| failing.lasts);
    page.seconds("root_store_failing_for", "How long that has been so; 0 if it is not.", lasts)?;
    page.counter("root_store_failures", "Calls that the root store failed since the start.", roots.failures)?;
    page.flag("root_store_ours", "Whether the root store is claimed for this run of the vault.", roots.is_ours)?;
    let orphans = "Roots that belong to no epoch, when the root store was last looked at.";
    page.count("root_store_orphans", orphans, roots.orphans)?;
    page.flag("root_store_moving", "Whether the vault is on its way from another root store.", roots.moving)
}

fn sweeps(page: &mut Page<'_>, vault: &Vault) -> fmt::Result {
    let standing = vault.sweeps.standing();
    if let Some(swept_at) = standing.swept_at {
        page.seconds(
            "retention_swept",
            "How long ago the last sweep for what is past its time ended.",
            since(swept_at),
        )?;
    }
    let last = standing.last;
    page.count(
        "retention_kept",
        "Subjects past their time that a hold, a restriction or a statute kept, then.",
        last.kept,
    )?;
    if let Some(holds) = standing.holds {
        page.count("holds", "Litigation holds, when they were last counted.", holds.all)?;
        page.count("holds_review_overdue", "Of them, those that somebody has to look at again.", holds.overdue)?;
    }
    page.count("retention_failed", "Subjects that could not be read or erased, then.", last.failed)?;
    page.flag("retention_clock_doubted", "Whether the clock is not believed, and nobody erased by it.", standing.doubts)
}

fn mirrors(page: &mut Page<'_>, mirrors: &[MirrorState]) -> fmt::Result {
    let count = |is: fn(&MirrorStanding) -> bool| mirrors.iter().filter(|mirror| is(&mirror.standing)).count();
    let states = [
        ("catching_up", count(|standing| *standing == MirrorStanding::CatchingUp)),
        ("following", count(|standing| *standing == MirrorStanding::Following)),
        ("failing", count(|standing| matches!(standing, MirrorStanding::Failing(_)))),
    ];
    page.states("mirrors", "Mirrors by how they stand.", &states)?;
    let behind = mirrors.iter().map(|mirror| mirror.behind).max().unwrap_or_default();
    page.count("mirrors_behind_rows", "Rows that the mirror which is furthest behind has not got.", behind)
}

fn backups(page: &mut Page<'_>, vault: &Vault) -> fmt::Result {
    let reports = vault.backups.last_seen();
    let done = || reports.iter().filter(|report| matches!(report.state, State::Done { .. }));
    let is = |wanted: fn(&State) -> bool| reports.iter().any(|report| wanted(&report.state));
    page.count("backups", "Backups, when their folder was last looked into.", done().count())?;
    if let Some(newest) = done().filter_map(|report| report.at).max() {
        page.seconds("backup_newest_age", "Age of the newest of them.", since(newest))?;
    }
    let damaged = reports.iter().filter(|report| report.state == State::Damaged).count();
    page.count("backups_damaged", "Backups that cannot be restored any more, then.", damaged)?;
    page.flag("backup_running", "Whether one is being made.", is(|state| *state == State::Running))?;
    page.flag("backup_failed", "Whether the last one could not be made.", is(|state| matches!(state, State::Failed(_))))
}

fn since(then: Timestamp) -> Duration {
    let millis = Timestamp::now().millis().saturating_sub(then.millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// What is written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: &impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(value)
    }

    fn count(&mut self, name: &str, help: &str, value: impl TryInto<i64>) -> fmt::Result {
        self.gauge(name, help, &value.try_into().unwrap_or(i64::MAX))
    }

    fn flag(&mut self, name: &str, help: &str, value: bool) -> fmt::Result {
        self.gauge(name, help, &i64::from(value))
    }

    fn seconds(&mut self, name: &str, help: &str, value: Duration) -> fmt::Result {
        self.gauge(&format!("{name}_seconds"), help, &value.as_secs_f64())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn states(&mut self, name: &str, help: &str, states: &[(&str, usize)]) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (state, count) in states {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            encoder.encode_family(&[("state", *state)])?.encode_gauge(&count)?;
        }
        Ok(())
    }

    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str); 1]) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }
}
