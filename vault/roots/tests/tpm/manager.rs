//! Two stores on one TPM, over a resource manager, as several programs use a real one.

use std::process::{Child, Command, Stdio};

use lethe_crypto::Error;
use lethe_crypto::root::{Incarnation, RootStore as _};
use lethe_roots::tpm::{TpmOptions, TpmRootStore};

use lethe_roots_testing::program;

use crate::conformance::*;
use crate::swtpm::Swtpm;

const NAME: &str = "manager::two_stores_over_a_resource_manager";

/// Tells the test's own process, started again, that it has a message bus of its own.
const BUS: &str = "LETHE_TEST_BUS";

/// `tpm2-abrmd` on a software TPM.
struct Manager {
    child: Child,
    tpm: Swtpm,
}

impl Manager {
    fn start() -> Self {
        let tpm = Swtpm::new();
        let mut command = Command::new(program("tpm2-abrmd"));
        command.args(["--session", "--allow-root", "--logger=stdout", &format!("--tcti={}", tpm.tcti())]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut manager = Self { child, tpm };
        while TpmRootStore::open(manager.options()).is_err() {
            assert!(manager.child.try_wait().unwrap().is_none(), "tpm2-abrmd did not start");
        }
        manager
    }

    fn options(&self) -> TpmOptions {
        let tcti = "tabrmd:bus_name=com.intel.tss2.Tabrmd,bus_type=session".to_owned();
        TpmOptions { tcti, ..self.tpm.options() }
    }

    fn store(&self) -> TpmRootStore {
        TpmRootStore::open(self.options()).unwrap()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_stores_over_a_resource_manager() {
    if skipped() {
        return;
    }
    if std::env::var(BUS).is_err() {
        let run = Command::new(program("dbus-run-session"))
            .arg("--")
            .arg(std::env::current_exe().unwrap())
            .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
            .env(BUS, "1")
            .output()
            .unwrap();
        let said = [run.stdout, run.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        return assert!(run.status.success() && said.contains("1 passed"), "{said}");
    }
    let manager = Manager::start();
    let (one, two) = (manager.store(), manager.store());
    wait(one.claim(VAULT, &[], FIRST)).unwrap();
    let root = wait(one.create(&claim(FIRST))).unwrap();
    let wrapped = wait(one.wrap(&claim(FIRST), root, &vault_key(7), b"")).unwrap();
    assert_eq!(wait(two.unwrap(root, &wrapped, b"")).unwrap().to_root_store(), &[7; 32]);
    neither_starves_the_other(&one, &two);
    let last = of_two_who_claim_at_once_one_wins(&one, &two);
    assert!(matches!(wait(one.destroy(&claim(FIRST), root)), Err(Error::Fenced)));
    assert!(!wait(two.destroy(&claim(last), root)).unwrap().was_absent);
    assert!(wait(one.epochs()).unwrap().is_empty());
}

/// Every command of the one disturbs the other.
fn neither_starves_the_other(one: &TpmRootStore, two: &TpmRootStore) {
    let held = wait(two.epochs()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10 {
                let root = wait(one.create(&claim(FIRST))).unwrap();
                wait(one.destroy(&claim(FIRST), root)).unwrap();
            }
        });
        for _ in 0..20 {
            assert!(wait(two.epochs()).unwrap().contains(&held[0]));
        }
    });
    assert_eq!(wait(two.epochs()).unwrap(), held);
}

fn of_two_who_claim_at_once_one_wins(one: &TpmRootStore, two: &TpmRootStore) -> Incarnation {
    let mut current = FIRST;
    for round in 0..20_u8 {
        let start = std::sync::Barrier::new(2);
        let claimants = [(one, 16 + 2 * round), (two, 17 + 2 * round)];
        let winners: Vec<Incarnation> = std::thread::scope(|scope| {
            let claimants = claimants.map(|(store, who)| {
                let (next, start) = (Incarnation::from_bytes([who; 16]), &start);
                scope.spawn(move || {
                    start.wait();
                    wait(store.claim(VAULT, &[current], next)).is_ok().then_some(next)
                })
            });
            claimants.into_iter().filter_map(|claimant| claimant.join().unwrap()).collect()
        });
        assert_eq!(winners.len(), 1, "round {round}");
        current = winners[0];
        assert_eq!(wait(one.claimed()).unwrap(), Some(claim(current)));
    }
    current
}
