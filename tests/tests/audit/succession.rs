//! Keys of logs that are succeeded by others (O31): by two persons, in one change, so that whoever keeps an old key follows to
//! the new one without the vault, and from then on takes nobody's word but the new one's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::merkle::{Hash, verify_consistency};
use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::receipt::Receipt;
use lethe_crypto::log::succession::{Keys, Signer, Succession};
use lethe_proto::v1::{self, ErrorReason, ProposalState, Purpose, Role};
use lethe_tests::failpoints::FAILPOINTS;
use lethe_tests::{Caller, Cli, Faces, Refused, Tenant, Told, Vault, lethe_failpoints, request_id};
use tonic::Code;

async fn operator_made_by(operator: &Caller) -> Caller {
    let made = operator.ask(v1::CreateCredentialRequest {
        parent: "vault".to_owned(),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        credential: Some(v1::Credential { roles: vec![Role::Operator.into()], ..v1::Credential::default() }),
    });
    operator.with_key(Some(&made.await.unwrap().api_key))
}

/// Two who are not one, and how they give a log another key.
struct Pair {
    log: String,
    proposer: Caller,
    approver: Caller,
}

impl Pair {
    async fn of(bank: &Tenant) -> Self {
        let proposer = bank.with_roles(&[Role::TenantAdmin]).await;
        Self { log: bank.log(), proposer, approver: bank.auditor() }
    }

    async fn of_vault(vault: &Vault) -> Self {
        let (proposer, approver) =
            (operator_made_by(&vault.operator()).await, operator_made_by(&vault.operator()).await);
        Self { log: "vault/log".to_owned(), proposer, approver }
    }

    async fn propose(&self) -> v1::Proposal {
        self.proposer.ask(self.proposer.key_rotation(&self.log)).await.unwrap()
    }

    async fn rotate(&self) {
        let done = self.approver.approve(&self.propose().await).await.unwrap();
        assert_eq!(done.state(), ProposalState::Done);
    }
}

async fn key_of(reader: &Caller, log: &str) -> VerifierKey {
    reader.checkpoint(log).await.unwrap().verifier_key.parse().unwrap()
}

/// The keys of a log as somebody finds them who keeps one.
async fn keys(reader: &Caller, log: &str, kept: &VerifierKey) -> Keys {
    let documents = reader.successions(log).await.unwrap();
    let successions: Vec<_> = documents.iter().map(|each| Succession::decode(each).unwrap()).collect();
    Keys::follow(kept, &successions).unwrap()
}

/// What a log signs now is by the last of the keys that lead from the one that is kept.
async fn is_followed(reader: &Caller, log: &str, kept: &VerifierKey, number: usize) -> Checkpoint {
    let keys = keys(reader, log, kept).await;
    assert_eq!(keys.all().count(), number);
    let newest = reader.checkpoint(log).await.unwrap();
    assert_eq!(keys.newest().to_string(), newest.verifier_key);
    let (head, signer) = keys.open(newest.note.as_bytes()).unwrap();
    assert_eq!(signer == Signer::Kept, keys.newest() == kept);
    assert!(number == 1 || Checkpoint::open(newest.note.as_bytes(), keys.all().next().unwrap()).is_err());
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_succeeded_by_two_persons_and_followed_by_who_keeps_the_old_one() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let pair = Pair::of(&bank).await;
    let (log, reader) = (bank.log(), bank.auditor());
    let first = key_of(&reader, &log).await;
    let before = reader.checkpoint(&log).await.unwrap();

    let request = pair.proposer.key_rotation(&log);
    let proposal = pair.proposer.ask(request.clone()).await.unwrap();
    assert_eq!(pair.proposer.ask(request.clone()).await.unwrap(), proposal, "a repeat finds the same");
    let Some(v1::proposal::Content::LogKeyRotation(content)) = &proposal.content else { panic!("{proposal:?}") };
    assert_eq!((&content.log, &content.retired_key), (&log, &first.to_string()));
    // Who proposed it, the maker of that key, one made since, an operator, and who has nothing to do with logs.
    let late = bank.with_roles(&[Role::TenantAdmin]).await;
    for who in [&pair.proposer, &bank.admin(), &late] {
        let refusal = who.approve(&proposal).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::ApproverNotIndependent);
    }
    let operator = vault.operator();
    operator.approve(&proposal).await.refused().assert_is(Code::NotFound, ErrorReason::ProposalNotFound);
    bank.analyst().approve(&proposal).await.refused().assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    // There is one about a key at a time, whoever asks.
    assert_eq!(pair.propose().await, proposal);
    assert_eq!(late.ask(late.key_rotation(&log)).await.unwrap(), proposal);
    assert_eq!(key_of(&reader, &log).await, first, "nothing was decided by any of these");
    assert_eq!(reader.successions(&log).await.unwrap().len(), 0);

    let done = pair.approver.approve(&proposal).await.unwrap();
    assert_eq!(done.state(), ProposalState::Done);
    assert_eq!(pair.approver.approve(&proposal).await.unwrap(), done, "a repeat gives the first answer");
    assert_eq!(pair.proposer.ask(request).await.unwrap(), done, "and to who proposed it");
    is_followed(&reader, &log, &first, 2).await;
    let second = key_of(&reader, &log).await;
    // The old checkpoint counts, and leads to the new one.
    let keys = keys(&reader, &log, &second).await;
    assert_eq!(keys.open(before.note.as_bytes()).unwrap().1, Signer::Predecessor);
    // The tree ends with the entry, which the vault's own log, of another key, has, too.
    let succession = Succession::decode(&reader.successions(&log).await.unwrap()[0]).unwrap();
    let size = i64::try_from(succession.checkpoint().size).unwrap();
    let entry = reader.proof(&log, size - 1, size).await.unwrap().entry;
    assert_eq!(entry, succession.entry().encode());
    assert!(String::from_utf8(entry).unwrap().contains(&proposal.name.rsplit_once('/').unwrap().1.to_owned()));
    let vaults = operator.entries("vault/log", v1::EntryFilter::default()).await.unwrap();
    let told = vaults.iter().filter(|entry| String::from_utf8_lossy(&entry.entry).contains("TENANT_LOG_KEY_ROTATED"));
    let told: Vec<_> = told.map(|entry| String::from_utf8_lossy(&entry.entry).into_owned()).collect();
    assert!(told.len() == 1 && told[0].contains(&second.to_string()), "{told:?}");
    assert!(!told[0].contains("\"policy\""), "the version of a tenant's policy is no affair of the vault's: {told:?}");

    for place in ["stopped", "killed"] {
        if place == "stopped" {
            vault.restart().await;
        } else {
            vault.crash().await;
        }
        is_followed(&reader, &log, &first, 2).await;
    }
    pair.rotate().await;
    is_followed(&reader, &log, &first, 3).await;
    is_followed(&reader, &log, &second, 3).await;
    // The vault's own log is another's to decide on.
    let of_vault = Pair::of_vault(&vault).await;
    let kept = key_of(&operator, "vault/log").await;
    let refusal = pair.proposer.ask(pair.proposer.key_rotation("vault/log")).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    let refusal = operator.ask(operator.key_rotation(&log)).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let proposal = of_vault.propose().await;
    assert!(proposal.name.starts_with("vault/proposals/"), "{proposal:?}");
    for who in [&of_vault.proposer, &operator] {
        let refusal = who.approve(&proposal).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::ApproverNotIndependent);
    }
    reader.approve(&proposal).await.refused().assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    of_vault.approver.approve(&proposal).await.unwrap();
    is_followed(&operator, "vault/log", &kept, 2).await;
    is_followed(&reader, "vault/log", &kept, 2).await;
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_nobody_approves_ends_by_itself() {
    let vault = Vault::setup().set("approvals.lifetime_ms", 1000).start().await;
    let bank = vault.tenant("bank").await;
    let pair = Pair::of(&bank).await;
    let first = key_of(&pair.approver, &pair.log).await;
    let rejected = pair.propose().await;
    assert_eq!(pair.approver.reject(&rejected.name).await.unwrap().state(), ProposalState::Rejected);
    let refusal = pair.approver.approve(&rejected).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ProposalClosed);
    let late = pair.propose().await;
    assert_ne!(late.name, rejected.name);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let refusal = pair.approver.approve(&late).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ProposalExpired);
    assert_eq!(pair.approver.proposal(&late.name).await.unwrap().state(), ProposalState::Expired);
    assert_ne!(pair.propose().await.name, late.name, "what is over is in nobody's way");
    is_followed(&pair.approver, &pair.log, &first, 1).await;
}

struct Folders<'a> {
    vault: &'a Vault,
    bank: &'a Tenant,
}

impl Folders<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.vault.home().path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    async fn as_auditor(&self, arguments: &[&str]) -> Told {
        let auditor = self.bank.auditor();
        Cli::new(arguments).args(["--tenant", "bank"]).holding(self.vault, auditor.key().unwrap()).await.run()
    }

    async fn export(&self, name: &str) -> Told {
        self.as_auditor(&["audit", "export", self.path(name).to_str().unwrap()]).await
    }

    fn verify(&self, name: &str, key: &VerifierKey, earlier: &[&str]) -> Told {
        let command = Cli::new(["audit", "verify"]).arg(self.path(name)).args(["--verifier", &key.to_string()]);
        earlier.iter().fold(command, |command, earlier| command.arg("--earlier").arg(self.path(earlier))).run()
    }

    /// Runs a verifier that was written from the format alone: did it accept, and what did it say?
    fn another(&self, script: &str, arguments: &[&str]) -> (bool, String) {
        let script = format!("{}/../docs/{script}", env!("CARGO_MANIFEST_DIR"));
        let read = Command::new("python3").arg(script).args(arguments).output().unwrap();
        (read.status.success(), String::from_utf8_lossy(&[read.stdout, read.stderr].concat()).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_and_checkpoints_go_on_over_a_succession() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let (pair, folders) = (Pair::of(&bank).await, Folders { vault: &vault, bank: &bank });
    bank.enroller().enroll("ada", &Faces::seeded(93).person(0).selfie()).await.unwrap();
    for _ in 0..250 {
        bank.privacy_officer().subject("ada").await.unwrap();
    }
    let first = key_of(&bank.auditor(), &bank.log()).await;
    for name in ["before", "goes-on"] {
        folders.export(name).await.one();
    }
    pair.rotate().await;
    let second = key_of(&bank.auditor(), &bank.log()).await;
    let went_on = folders.export("goes-on").await.one();
    assert_eq!(went_on["signed_by"], "successor", "{went_on}");
    pair.rotate().await;
    let third = key_of(&bank.auditor(), &bank.log()).await;
    folders.export("goes-on").await.one();
    folders.export("fresh").await.one();
    for key in [&first, &second, &third] {
        for name in ["goes-on", "fresh"] {
            let verified = folders.verify(name, key, &["before"]).one();
            let by = if *key == third { "kept" } else { "successor" };
            assert_eq!((&verified["signed_by"], &verified["earlier"]["relation"]), (&by.into(), &"extended".into()));
            let verified = folders.verify(name, key, &["before/checkpoint"]).one();
            assert_eq!(verified["earlier"]["relation"], "extended");
            let path = |name| folders.path(name).display().to_string();
            let arguments = [&path(name), &key.to_string(), &path("before")].map(|argument| argument.to_owned());
            let (accepted, said) = folders.another("verify_log.py", &arguments.each_ref().map(|text| text.as_str()));
            assert!(accepted, "{name}: {said}");
        }
        let asked = folders.as_auditor(&["audit", "checkpoint", "--verifier", &key.to_string()]).await.one();
        assert_eq!(asked["verifier_key"], third.to_string());
        let listed = folders.as_auditor(&["audit", "keys", "--verifier", &key.to_string()]).await.one();
        let listed: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|row| row["verifier_key"].clone()).collect();
        assert_eq!(listed, [&first, &second, &third].map(|key| serde_json::Value::from(key.to_string())));
    }
    // Without what leads from the one to the other, or with another row of it, nobody is led.
    let lines = fs::read(folders.path("fresh/successions")).unwrap();
    let cut = lines.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for (why, forged) in [("none", &b""[..]), ("the first alone", &lines[..cut]), ("the second alone", &lines[cut..])] {
        fs::write(folders.path("fresh/successions"), forged).unwrap();
        for key in [&first, &second, &third] {
            assert_eq!(folders.verify("fresh", key, &[]).code(), 5, "{why}");
            let path = folders.path("fresh").display().to_string();
            let (accepted, said) = folders.another("verify_log.py", &[&path, &key.to_string()]);
            assert!(!accepted && said.contains("refused"), "{why}: {said}");
        }
    }
    // A copy whose successions were others is not gone on with.
    let other = vault.tenant("shop").await;
    let theirs = Pair::of(&other).await;
    theirs.rotate().await;
    fs::write(
        folders.path("goes-on/successions"),
        [&other.auditor().successions(&other.log()).await.unwrap()[0][..], b"\n"].concat(),
    )
    .unwrap();
    assert_eq!(folders.export("goes-on").await.code(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_verified_by_whichever_key_is_kept() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let folders = Folders { vault: &vault, bank: &bank };
    let faces = Faces::seeded(94);
    let mut documents = Vec::new();
    let pair = Pair::of_vault(&vault).await;
    let first = vault.verifier_key().await;
    for (number, person) in (0..).zip(["ada", "ben"]) {
        bank.enroller().enroll(person, &faces.person(number).selfie()).await.unwrap();
        let receipt = bank.privacy_officer().erase(person).await.unwrap().receipt;
        documents.push((receipt.clone(), bank.auditor().receipt(&receipt).await.unwrap().document));
        if number == 0 {
            pair.rotate().await;
        }
    }
    let second = vault.verifier_key().await;
    assert_ne!(first, second);
    let chain = folders.path("successions").display().to_string();
    folders.as_auditor(&["audit", "keys", "--vault", "--verifier", &first.to_string(), "--out", &chain]).await.one();
    for (at, (receipt, document)) in documents.iter().enumerate() {
        fs::write(folders.path("receipt"), document).unwrap();
        let path = folders.path("receipt").display().to_string();
        for (keeps, key) in [&first, &second].into_iter().enumerate() {
            let alone = Cli::new(["receipt", "verify", &path, "--verifier", &key.to_string()]).run();
            assert_eq!(alone.code() == 0, at == keeps, "{alone:?}");
            assert_eq!(Receipt::verify(document, key).is_ok(), at == keeps);
            let (accepted, said) = folders.another("verify_receipt.py", &[&path, &key.to_string()]);
            assert_eq!(accepted, at == keeps, "{said}");
            let led = ["receipt", "verify", &path, "--verifier", &key.to_string(), "--successions", &chain];
            let by = ["predecessor", "kept", "successor"][at + 1 - keeps];
            assert_eq!(Cli::new(led).run().one()["signed_by"], by);
            let (accepted, said) = folders.another("verify_receipt.py", &[&path, &key.to_string(), &chain]);
            assert!(accepted, "{said}");
        }
        // Asked for again it is made anew, by the key of today.
        let again = bank.auditor().receipt(receipt).await.unwrap().document;
        Receipt::verify(&again, &second).unwrap();
    }
    let empty = folders.file("none", "");
    let led = ["receipt", "verify", &folders.path("receipt").display().to_string(), "--verifier", &first.to_string()]
        .map(str::to_owned);
    assert_eq!(Cli::new(led).arg("--successions").arg(empty).run().code(), 5);
}

/// Whoever asks while a key is succeeded gets what is signed by the key whose time it is for that very tree.
#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_under_way_are_by_the_key_whose_time_it_is() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let pair = Pair::of(&bank).await;
    let first = key_of(&bank.auditor(), &bank.log()).await;
    let over = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (over, reader, log) = (Arc::clone(&over), bank.auditor(), bank.log());
            tokio::spawn(async move {
                let mut notes = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    notes.push(reader.checkpoint(&log).await.unwrap().note);
                }
                notes
            })
        })
        .collect();
    for _ in 0..20 {
        pair.rotate().await;
    }
    over.store(true, Ordering::Relaxed);
    let keys = keys(&bank.auditor(), &bank.log(), &first).await;
    assert_eq!(keys.all().count(), 21);
    let mut seen = 0;
    for asked in asking {
        for note in asked.await.unwrap() {
            keys.open(note.as_bytes()).unwrap();
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

/// From before it is on the disk until it is told.
const STEPS: [&str; 4] = ["commit-before-write", "commit-before-follow", "commit-before-sync", "commit-synced"];

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_leaves_the_old_key_or_the_whole_succession() {
    let vault = Vault::setup().apart().binary(lethe_failpoints()).start().await;
    let bank = vault.tenant("bank").await;
    let pair = Pair::of(&bank).await;
    let first = key_of(&pair.approver, &pair.log).await;
    let (mut number, mut kept, mut done) = (1, 0, 0);
    for step in STEPS {
        // Some commits are the start's; where the approval's own is, nobody needs to know.
        for nth in 0..40 {
            let proposal = pair.propose().await;
            vault.stop().await;
            vault.reconfigure(|setup| setup.env(FAILPOINTS, &format!("{step}={nth}*off->panic")));
            let answered = match vault.try_start().await {
                Ok(()) => {
                    let answered = pair.approver.approve(&proposal).await.is_ok();
                    if !answered {
                        vault.died().await;
                    }
                    answered
                }
                // It died on its way.
                Err(_) => false,
            };
            vault.reconfigure(|setup| setup.without_env(FAILPOINTS));
            if answered && vault.is_running().await {
                vault.kill().await;
            }
            vault.start().await;
            let state = pair.approver.proposal(&proposal.name).await.unwrap().state();
            if state == ProposalState::Done {
                (number, done) = (number + 1, done + 1);
            } else {
                kept += 1;
            }
            assert!(!answered || state == ProposalState::Done, "{step} {nth}: what was answered is done");
            is_followed(&pair.approver, &pair.log, &first, number).await;
            if answered {
                break;
            }
            if state != ProposalState::Done {
                pair.approver.reject(&proposal.name).await.unwrap();
            }
        }
    }
    println!("{kept} times the old key, {done} times the new one");
    assert!(kept > 3 && done > STEPS.len(), "each step was reached by an approval: {kept}, {done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_an_older_backup_has_the_newest_key() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(95).person(0).selfie()).await.unwrap();
    let (pair, of_vault) = (Pair::of(&bank).await, Pair::of_vault(&vault).await);
    let first = key_of(&bank.auditor(), &bank.log()).await;
    let vaults = vault.verifier_key().await;
    pair.rotate().await;
    vault.operator().back_up().await.unwrap();
    pair.rotate().await;
    of_vault.rotate().await;
    let heads = [
        is_followed(&bank.auditor(), &bank.log(), &first, 3).await,
        is_followed(&vault.operator(), "vault/log", &vaults, 2).await,
    ];
    vault.kill().await;
    vault.home().lose_data();
    let restored = Cli::new(["restore", "--backup"]).arg(vault.home().backups()).offline(vault.home()).run();
    assert_eq!(restored.code(), 0, "{restored:?}");
    vault.start().await;
    let again = [
        is_followed(&bank.auditor(), &bank.log(), &first, 3).await,
        is_followed(&vault.operator(), "vault/log", &vaults, 2).await,
    ];
    for (then, now) in heads.iter().zip(&again) {
        assert!(now.size > then.size);
        let log = if now.origin.as_str().ends_with("/vault") { "vault/log".to_owned() } else { bank.log() };
        let (old, new) = (i64::try_from(then.size).unwrap(), i64::try_from(now.size).unwrap());
        let proof = vault.operator().growth(&log, old, new).await.unwrap();
        let hashes = proof.hashes.iter().map(|hash| Hash::from_bytes(hash.as_slice().try_into().unwrap()));
        let hashes: Vec<_> = hashes.collect();
        verify_consistency(then.size, &then.root, now.size, &now.root, &hashes).unwrap();
    }
    pair.rotate().await;
    is_followed(&bank.auditor(), &bank.log(), &first, 4).await;
}

/// Both keys signed a tree that this disk alone has: nobody is told before it cannot be lost with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_succession_that_is_in_no_mirror_is_told_to_nobody() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let pair = Pair::of(&bank).await;
    let first = key_of(&bank.auditor(), &bank.log()).await;
    vault.stop().await;
    let aside = vault.home().path().join("aside");
    fs::rename(vault.home().mirror(), &aside).unwrap();
    vault.start().await;
    let proposal = pair.propose().await;
    for _ in 0..2 {
        let refusal = pair.approver.approve(&proposal).await.refused();
        refusal.assert_is(Code::Unavailable, ErrorReason::MirrorFailing);
    }
    let refusal = bank.auditor().successions(&bank.log()).await.refused();
    refusal.assert_is(Code::Unavailable, ErrorReason::MirrorFailing);
    let refusal = bank.auditor().checkpoint(&bank.log()).await.refused();
    refusal.assert_is(Code::Unavailable, ErrorReason::MirrorFailing);
    fs::rename(&aside, vault.home().mirror()).unwrap();
    let back = async {
        while bank.auditor().checkpoint(&bank.log()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(lethe_tests::PATIENCE, back).await.expect("the mirror is back");
    assert_eq!(
        pair.approver.approve(&proposal).await.unwrap().state(),
        ProposalState::Done,
        "a repeat says what was done"
    );
    is_followed(&bank.auditor(), &bank.log(), &first, 2).await;
}
