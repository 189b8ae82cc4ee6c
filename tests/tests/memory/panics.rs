use lethe_tests::failpoints::FAILPOINTS;
use lethe_tests::residue::{Needles, Subject};
use lethe_tests::{Vault, lethe_failpoints};

/// A panic's message may quote anything, and goes to the log: so none is written there, only where it happened.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_says_where_and_not_what() {
    let subject = Subject::strangers(1, 31).remove(0);
    let vault = Vault::setup().binary(lethe_failpoints()).start().await;
    let bank = vault.tenant("bank").await;
    vault.stop().await;
    // What panics here quotes an applicant id.
    let panics = format!("commit-before-write=panic({})", subject.id);
    vault.reconfigure(|setup| setup.env(FAILPOINTS, &panics));
    // A start commits: its claim of the root store.
    let exited = match vault.try_start().await {
        Err(exited) => exited,
        Ok(()) => {
            bank.enroller().enroll(&subject.id, &subject.face(0)).await.unwrap_err();
            vault.died().await
        }
    };
    assert!(!exited.status.success());
    assert!(exited.log.contains("panic; the message is withheld"), "{}", exited.log);
    let mut needles = Needles::new();
    subject.look_for(&mut needles, "subject", 1);
    assert!(needles.scanner().scan("the log", exited.log.as_bytes()).is_empty(), "{}", exited.log);
}
