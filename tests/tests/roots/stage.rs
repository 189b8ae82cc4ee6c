//! A vault on a root store, with people in it, and what must stay true of them.

use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::receipt::{Receipt, Verified};
use lethe_proto::v1::{DecisionBand, ErasureState, RootStatus, RootStoreState};
use lethe_tests::{Cli, Device, Faces, PATIENCE, Person, Setup, Tenant, Vault};
use tonic_health::pb::health_check_response::ServingStatus;

/// People that there are.
const PEOPLE: usize = 40;

pub(crate) struct Stage {
    pub(crate) vault: Vault,
    pub(crate) bank: Tenant,
    key: VerifierKey,
    people: Vec<Person>,
    enrolled: usize,
    /// Who is erased, and the name of the receipt.
    erased: Vec<(usize, String)>,
}

impl Stage {
    /// A vault that is founded on a store.
    pub(crate) async fn on(device: &Device) -> Self {
        Self::with(device.alone(Vault::setup())).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let vault = setup.start().await;
        let bank = vault.tenant("bank").await;
        let key = vault.verifier_key().await;
        Self { vault, bank, key, people: Faces::seeded(61).strangers(PEOPLE), enrolled: 0, erased: Vec::new() }
    }

    pub(crate) fn id(at: usize) -> String {
        format!("person-{at}")
    }

    /// Enrolls somebody new.
    pub(crate) async fn enroll(&mut self) -> usize {
        let at = self.enrolled;
        self.bank.enroller().enroll(&Self::id(at), &self.people[at].selfie()).await.unwrap();
        self.enrolled += 1;
        at
    }

    pub(crate) async fn finds(&self, at: usize) -> bool {
        self.bank.analyst().finds(&Self::id(at), &self.people[at].again()).await
    }

    pub(crate) async fn recognises(&self, at: usize) -> bool {
        let answer = self.bank.authenticator().verify(&Self::id(at), &self.people[at].again()).await.unwrap();
        answer.band() == DecisionBand::Match
    }

    /// Erases whoever came first of those who are there, and verifies the receipt offline.
    pub(crate) async fn erase(&mut self) -> Verified {
        let name = self.ask_to_erase(false).await;
        self.verified(&name).await
    }

    /// Asks for the erasure of whoever came first, and gives the receipt's name; without `no_wait`, shredded by then.
    pub(crate) async fn ask_to_erase(&mut self, no_wait: bool) -> String {
        let at = self.erased.len();
        assert!(self.finds(at).await);
        let mut request = self.bank.privacy_officer().erasure(&Self::id(at));
        request.no_wait = no_wait;
        let erasure = self.bank.privacy_officer().ask(request).await.unwrap();
        assert!(no_wait || erasure.state() == ErasureState::Shredded, "{erasure:?}");
        self.erased.push((at, erasure.receipt.clone()));
        assert!(!self.finds(at).await, "what is accepted is in effect");
        erasure.receipt
    }

    pub(crate) async fn state(&self, receipt: &str) -> ErasureState {
        let receipt = self.bank.auditor().receipt(receipt).await.unwrap();
        assert_eq!(receipt.document.is_empty(), receipt.state() == ErasureState::Pending);
        receipt.state()
    }

    /// Waits until an erasure is shredded.
    pub(crate) async fn shredded(&self, receipt: &str) -> Verified {
        let shredded = async {
            while self.state(receipt).await != ErasureState::Shredded {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, shredded).await.expect("an erasure stays pending");
        self.verified(receipt).await
    }

    /// Verifies a receipt with the public key alone.
    pub(crate) async fn verified(&self, name: &str) -> Verified {
        let receipt = self.bank.auditor().receipt(name).await.unwrap();
        let verified = Receipt::verify(&receipt.document, &self.key).unwrap();
        assert!(name.ends_with(&verified.step().receipt.to_string()));
        assert_eq!(verified.destruction.root, verified.step().from_root);
        for code in &verified.destruction.medium {
            assert!(verified.excludes.contains(code), "{code} is not repeated among what the receipt excludes");
        }
        verified
    }

    /// Everybody who is there is found and recognised, nobody who was erased, and their receipts verify.
    pub(crate) async fn everything_is_as_it_must_be(&self) {
        for (at, receipt) in &self.erased {
            assert!(!self.finds(*at).await, "{} is back", Self::id(*at));
            self.shredded(receipt).await;
        }
        for at in self.erased.len()..self.enrolled {
            assert!(self.finds(at).await && self.recognises(at).await, "{} is lost", Self::id(at));
        }
    }

    /// Waits until health says this of the root store.
    pub(crate) async fn roots_are(&self, status: ServingStatus) {
        let says = async {
            while self.vault.health("lethe.v1.Roots").await != status {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, says).await.unwrap_or_else(|_| panic!("the root store is never {status:?}"));
    }

    /// How the root store stands, which must be the same by all that tell it.
    pub(crate) async fn root_status(&self) -> RootStatus {
        let status = self.vault.operator().root_status().await.unwrap();
        let failing = status.state() == RootStoreState::Failing;
        assert_eq!(
            (failing, status.pending_count > 0),
            (status.fail_time.is_some(), status.oldest_pending_time.is_some())
        );
        assert!(!failing || !status.fault.is_empty(), "{status:?}");
        let told = Cli::new(["root", "status"]).operator(&self.vault).await.run();
        assert_eq!(told.code(), if failing { 5 } else { 0 }, "{told:?}");
        assert_eq!(told.said[0]["pending_count"], status.pending_count);
        status
    }

    /// Waits until it stands so.
    pub(crate) async fn root_status_is(&self, so: impl Fn(&RootStatus) -> bool) -> RootStatus {
        let stands = async {
            loop {
                let status = self.vault.operator().root_status().await.unwrap();
                if so(&status) {
                    return status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, stands).await.expect("the root store never stands so")
    }

    /// Waits until the log says something.
    pub(crate) async fn logs(&self, words: &str) {
        logs_again(&self.vault, words, 0).await;
    }

    /// Is the server's memory locked, as the kernel has it?
    pub(crate) async fn memory_is_locked(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.vault.pid().await)).unwrap();
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        locked.trim() != "0 kB"
    }
}

/// Waits until the log says something more often than so many times.
pub(crate) async fn logs_again(vault: &Vault, words: &str, before: usize) {
    let logs = async {
        while vault.log().matches(words).count() <= before {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, logs).await.unwrap_or_else(|_| panic!("the log never says {words:?}"));
}

/// What a receipt says of the store and the process.
pub(crate) fn statements(verified: &Verified) -> Vec<String> {
    let mut codes: Vec<_> = verified.destruction.medium.iter().map(ToString::to_string).collect();
    codes.sort();
    codes
}
