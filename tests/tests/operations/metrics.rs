//! What a server says of itself to whoever watches it: quantities, and nobody's.

use std::net::TcpStream;

use lethe_proto::v1::ErrorReason;
use lethe_tests::metrics::ask;
use lethe_tests::{Faces, Refused as _, Vault};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_quantities_and_nobodys_name() {
    let vault = Vault::setup().apart().metrics().start().await;
    let (bank, casino) = (vault.tenant("bank-of-quentin").await, vault.tenant("casino-royale").await);
    let faces = Faces::seeded(83);
    let (ada, bob) = (faces.person(0), faces.person(1));
    for tenant in [&bank, &casino] {
        tenant.enroller().enroll("ada-lovelace", &ada.selfie()).await.unwrap();
    }
    let template = bank.enroller().enroll("bob-ross", &bob.selfie()).await.unwrap().template.unwrap().name;
    bank.authenticator().verify("ada-lovelace", &ada.again()).await.unwrap();
    bank.analyst().search(&ada.again()).await.unwrap();
    bank.auditor().verify("ada-lovelace", &ada.again()).await.refused();
    let stranger = vault.caller(None).on("bank-of-quentin").verify("ada-lovelace", &ada.again()).await.refused();
    stranger.assert_is(Code::Unauthenticated, ErrorReason::CredentialMissing);
    vault.caller(None).ask_raw("/lethe.v1.Oracle/bob-ross", Vec::new()).await.refused();
    bank.privacy_officer().erase("ada-lovelace").await.unwrap();
    vault.operator().root_status().await.unwrap();
    vault.health("").await;
    vault.operator().back_up().await.unwrap();

    let metrics = vault.metrics().await;
    let verify = r#"service="lethe.v1.AuthenticationService",method="Verify""#;
    for (sample, value) in [
        ("lethe_serving", 1.0),
        ("lethe_subjects", 2.0),
        ("lethe_templates", 2.0),
        ("lethe_galleries", 2.0),
        ("lethe_galleries_in_memory", 2.0),
        ("lethe_galleries_failing", 0.0),
        ("lethe_erasures_pending", 0.0),
        ("lethe_erasures_oldest_pending_seconds", 0.0),
        ("lethe_epoch", 1.0),
        ("lethe_epochs_ended_total", 1.0),
        ("lethe_epoch_failures_total", 0.0),
        ("lethe_root_store_failing", 0.0),
        ("lethe_root_store_failures_total", 0.0),
        ("lethe_root_store_ours", 1.0),
        ("lethe_root_store_orphans", 0.0),
        ("lethe_root_store_moving", 0.0),
        (r#"lethe_mirrors{state="following"}"#, 1.0),
        (r#"lethe_mirrors{state="failing"}"#, 0.0),
        ("lethe_commits_shed_total", 0.0),
        ("lethe_backups", 1.0),
        ("lethe_backups_damaged", 0.0),
        ("lethe_backup_running", 0.0),
        ("lethe_backup_failed", 0.0),
        ("lethe_connections_limit", 512.0),
        (format!("lethe_calls_total{{{verify},code=\"OK\"}}").as_str(), 1.0),
        (format!("lethe_calls_total{{{verify},code=\"PERMISSION_DENIED\"}}").as_str(), 1.0),
        (format!("lethe_calls_total{{{verify},code=\"UNAUTHENTICATED\"}}").as_str(), 1.0),
        (format!("lethe_call_duration_seconds_count{{{verify}}}").as_str(), 3.0),
        (r#"lethe_calls_total{service="other",method="other",code="UNAUTHENTICATED"}"#, 1.0),
        (r#"lethe_calls_total{service="grpc.health.v1.Health",method="Check",code="OK"}"#, 1.0),
    ] {
        assert_eq!(metrics.value(sample), value, "{sample} in\n{}", metrics.text());
    }
    assert!(metrics.value("lethe_connections") >= 1.0);

    // Nobody's: also not where a caller made a path up.
    let told = metrics.text().to_lowercase();
    let key = bank.enroller().key().unwrap().to_lowercase();
    let ids = [template.rsplit('/').next().unwrap(), &key, &vault.operator_key().to_lowercase()].map(str::to_owned);
    let places = [vault.home().path().display().to_string().to_lowercase()];
    let names = ["quentin", "casino", "royale", "lovelace", "bob-ross", "oracle", "face@"].map(str::to_owned);
    for name in ids.iter().chain(&places).chain(&names) {
        assert!(!told.contains(name.as_str()), "{name} in\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_read_and_nothing_else() {
    let vault = Vault::setup().metrics().start().await;
    let address = vault.metrics_address().await;
    assert_eq!(ask(address, "GET /").0, "HTTP/1.1 404 Not Found");
    assert_eq!(ask(address, "GET /metrics/x").0, "HTTP/1.1 404 Not Found");
    let (status, head, _) = ask(address, "POST /metrics");
    assert!(status == "HTTP/1.1 405 Method Not Allowed" && head.contains("allow: get, head"), "{status} {head}");
    let (status, _, body) = ask(address, "HEAD /metrics");
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ""));
    let (again, _, _) = ask(address, "GET /metrics?match=everything");
    assert_eq!(again, "HTTP/1.1 200 OK");
    vault.stop().await;
    TcpStream::connect(address).unwrap_err();

    // Not unless somebody wants them; never beyond this machine; and a place that is taken is named.
    vault.reconfigure(|setup| setup.unset("metrics.listen"));
    vault.start().await;
    assert!(vault.told().await["metrics"].is_null());
    let taken = vault.address().await;
    let refused = Vault::setup().set("metrics.listen", taken).refuses_to_start_in(lethe_tests::Home::new()).await;
    assert!(refused.log.contains(&format!("cannot listen on {taken}")), "{}", refused.log);
    vault.stop().await;
    vault.reconfigure(|setup| setup.set("metrics.listen", "0.0.0.0:0"));
    let refused = vault.refuses_to_start().await;
    assert!(refused.log.contains("metrics.listen") && refused.log.contains("loopback"), "{}", refused.log);
}
