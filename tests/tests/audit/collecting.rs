//! Logs on their way to a collector of OpenTelemetry.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lethe_proto::v1::EntryFilter;
use lethe_tests::{Cli, Face, Faces, Running, Tenant, Vault};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use rcgen::generate_simple_self_signed;
use serde_json::{Value as Json, json};
use tonic::Code;

use crate::collector::{Collector, Next, attribute};

/// Whoever has a log followed, and by what.
struct Stage {
    vault: Vault,
    bank: Tenant,
    face: Face,
}

impl Stage {
    async fn new() -> Self {
        let vault = Vault::fresh().await;
        let bank = vault.tenant("bank").await;
        let face = Faces::seeded(64).person(0).selfie();
        bank.enroller().enroll("ada", &face).await.unwrap();
        Self { vault, bank, face }
    }

    async fn follow(&self, collector: &Collector, more: &[&str]) -> Cli {
        let key = self.bank.auditor().key().unwrap().to_owned();
        let url = collector.url();
        let follow = ["audit", "follow", "--tenant", "bank", "--otlp", &url];
        Cli::new(follow).holding(&self.vault, &key).await.args(more)
    }

    async fn remembering(&self, collector: &Collector, position: &Path) -> Running {
        self.follow(collector, &["--position", position.to_str().unwrap()]).await.start()
    }

    async fn verify(&self) {
        self.bank.authenticator().verify("ada", &self.face).await.unwrap();
    }

    /// The log's entries, as it has them.
    async fn log(&self) -> Vec<Vec<u8>> {
        let entries = self.bank.auditor().entries(&self.bank.log(), EntryFilter::default()).await.unwrap();
        entries.into_iter().map(|entry| entry.entry).collect()
    }
}

/// What is remembered: which entry comes next.
fn remembered(position: &Path) -> Option<i64> {
    let text = std::fs::read_to_string(position).ok()?;
    let content: Json = serde_json::from_str(&text).unwrap();
    assert_eq!((&content["format"], &content["version"]), (&json!("lethe-log-position"), &json!(1)));
    content["next"].as_i64()
}

/// The entries that came, by index: in their order, none left out, and those that came again as they were.
fn in_order(records: &[LogRecord]) -> Vec<Vec<u8>> {
    let mut seen: BTreeMap<usize, (String, Vec<u8>)> = BTreeMap::new();
    for record in records {
        let index: usize = attribute(record, "lethe.log.index").unwrap().parse().unwrap();
        let Some(Value::StringValue(line)) = &record.body.as_ref().unwrap().value else { panic!("{record:?}") };
        let this = (attribute(record, "log.record.uid").unwrap(), line.clone().into_bytes());
        match seen.get(&index) {
            Some(known) => assert_eq!(*known, this, "one entry, one identity"),
            None => {
                assert_eq!(index, seen.len(), "in order");
                seen.insert(index, this);
            }
        }
    }
    seen.into_values().map(|(_, line)| line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_reaches_a_collector_that_comes_and_goes() {
    let stage = Stage::new().await;
    let position = stage.vault.home().path().join("bank.position");
    let mut collector = Collector::away();

    // Nobody is there: it waits, and remembers nothing.
    let mut follower = stage.remembering(&collector, &position).await;
    follower.says("takes no entries now").await;
    assert_eq!(remembered(&position), None);
    // Refusals that pass, and an acknowledgement that is lost on the way.
    collector.does([
        Next::Later(Duration::from_millis(50)),
        Next::Refuse(Code::Unavailable),
        Next::Lose(Code::DeadlineExceeded),
    ]);
    collector.come().await;
    follower.says("takes entries again").await;
    collector.took("enrollment.enroll", 1).await;

    // The follower dies when the collector has entries and has not said so: they come again.
    stage.verify().await;
    collector.took("authentication.verify", 0).await;
    let (before, calls) = (settled(&position, in_order(&collector.all()).len()).await, collector.calls());
    collector.does([Next::Hang]);
    stage.verify().await;
    collector.took("authentication.verify", calls).await;
    follower.kill();
    assert_eq!(remembered(&position), Some(before), "what was not acknowledged is not remembered");
    let calls = collector.calls();
    let mut follower = stage.remembering(&collector, &position).await;
    collector.took("authentication.verify", calls).await;

    // The collector dies, with its connections.
    let calls = collector.calls();
    collector.go();
    stage.verify().await;
    follower.says("takes no entries now").await;
    collector.come().await;
    collector.took("authentication.verify", calls).await;

    // Some are rejected: that is no success, and is not remembered as one.
    follower.says("takes entries again").await;
    let before = settled(&position, in_order(&collector.all()).len()).await;
    let calls = collector.calls();
    collector.does([Next::Reject(1)]);
    stage.verify().await;
    let failure = follower.ended().await;
    assert_eq!(failure.code(), 1);
    let told: Json = serde_json::from_str(failure.errors.lines().last().unwrap()).unwrap();
    assert!(told["error"]["message"].as_str().unwrap().contains("rejected 1 entries: too old"), "{told}");
    assert_eq!((&told["error"]["rejected"], &told["error"]["next"]), (&json!("1"), &json!(before.to_string())));
    assert_eq!(remembered(&position), Some(before));

    let _follower = stage.remembering(&collector, &position).await;
    let records = collector.took("authentication.verify", calls).await;
    let (came, log) = (in_order(&records), stage.log().await);
    assert!(came.len() > 10 && came == log[..came.len()], "{} of {}", came.len(), log.len());
    assert!(records.len() > came.len(), "what was sent and not acknowledged came again");
}

/// Waits until so many are remembered.
async fn settled(position: &Path, count: usize) -> i64 {
    let wait = async {
        while remembered(position) < Some(i64::try_from(count).unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(lethe_tests::PATIENCE, wait).await.expect("it is remembered");
    remembered(position).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waited_for_a_collector_asks_the_server_again() {
    let stage = Stage::new().await;
    let address = stage.vault.address().await.to_string();
    let mut collector = Collector::away();
    let mut follower = stage.follow(&collector, &[]).await.start();
    follower.says("takes no entries now").await;
    // The stream ends meanwhile, as it does for whoever takes nothing for long.
    stage.vault.reconfigure(|setup| setup.listen(&address));
    stage.vault.crash().await;
    collector.come().await;
    collector.took("enrollment.enroll", 0).await;
    stage.verify().await;
    let records = collector.took("authentication.verify", 0).await;
    let (came, log) = (in_order(&records), stage.log().await);
    assert_eq!(came, log[..came.len()]);
    // Nobody waits for a collector now: with the server, it ends, and says where to go on.
    stage.vault.kill().await;
    let told = follower.ended().await;
    assert!(!told.status.success());
    let told: Json = serde_json::from_str(told.errors.lines().last().unwrap()).unwrap();
    assert_eq!(told["error"]["next"], came.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_over_tls_takes_a_log_to_its_end() {
    let stage = Stage::new().await;
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let authority = stage.vault.home().path().join("collector.pem");
    std::fs::write(&authority, made.cert.pem()).unwrap();
    let mut collector = Collector::away().with_tls(&made.cert.pem(), &made.signing_key.serialize_pem());
    collector.come().await;
    let position = stage.vault.home().path().join("bank.position");
    let more = ["--once", "--otlp-ca-cert", authority.to_str().unwrap(), "--position", position.to_str().unwrap()];
    let told = stage.follow(&collector, &more).await.run().one();
    let records = collector.all();
    assert_eq!((&told["sent"], &told["next"]), (&json!(records.len()), &json!(records.len())));
    assert_eq!(in_order(&records), stage.log().await[..records.len()]);
    let verified = records.iter().find(|record| record.event_name == "enrollment.enroll").unwrap();
    assert_eq!(attribute(verified, "lethe.outcome").unwrap(), "allowed");
    assert_eq!(attribute(verified, "lethe.log.name").unwrap(), "tenants/bank/log");
    assert!(attribute(verified, "lethe.pseudonym").is_some());
    // Again: what was acknowledged does not come again.
    let again = stage.follow(&collector, &more).await.run().one();
    assert_eq!(again["next"].as_i64().unwrap() - again["sent"].as_i64().unwrap(), told["next"].as_i64().unwrap());
    // The position is of this log, and of no other.
    let other = ["--vault", "--once", "--otlp", &collector.url(), "--otlp-ca-cert", authority.to_str().unwrap()];
    let other = Cli::new(["audit", "follow"]).operator(&stage.vault).await.args(other).arg("--position").arg(&position);
    assert_eq!(other.run().failure()["exit"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_for_good_ends_the_command() {
    let stage = Stage::new().await;
    let mut collector = Collector::away();
    collector.come().await;
    // Without saying when to come again, being exhausted is for good.
    for code in [Code::InvalidArgument, Code::ResourceExhausted, Code::Unimplemented] {
        collector.does([Next::Refuse(code)]);
        let failure = stage.follow(&collector, &["--once", "--from", "2"]).await.run().failure();
        let message = failure["message"].as_str().unwrap();
        assert!(
            message.contains("refuses entries") && message.contains(&format!("{code:?}: not like that")),
            "{failure}"
        );
        assert_eq!((&failure["exit"], &failure["next"]), (&json!(1), &json!("2")));
    }
    assert_eq!(collector.calls(), 0);
    let plain = Cli::new(["audit", "follow", "--tenant", "bank", "--otlp", "http://collector.example:4317"]);
    assert_eq!(plain.asking(&stage.vault).await.run().failure()["exit"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_otlp_are_requests_as_a_collector_reads_them() {
    let stage = Stage::new().await;
    let key = stage.bank.auditor().key().unwrap().to_owned();
    let follow = ["audit", "follow", "--once", "--tenant", "bank", "--format", "otlp-json"];
    let told = Cli::new(follow).holding(&stage.vault, &key).await.run();
    assert!(told.status.success(), "{told:?}");
    let mut records = Vec::new();
    for line in &told.said {
        let request: ExportLogsServiceRequest = serde_json::from_value(line.clone()).unwrap();
        records.extend(request.resource_logs[0].scope_logs[0].log_records.clone());
        assert!(line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"].is_string(), "{line}");
    }
    assert_eq!(in_order(&records), stage.log().await[..records.len()]);
}
