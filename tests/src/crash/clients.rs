use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::entry::Scope;
use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::receipt::Receipt;
use lethe_proto::v1::{self, DecisionBand, ErasureState, ErrorReason, batch_enroll_response};

use super::history::{Answer, Face, Op, RequestNumber};
use super::ledger::{Acknowledged, Held, Ledger, Message, Proof, Rotation, Silo};
use crate::{Caller, Refusal, Tenant, Vault};

/// Who calls the vault, and what they know together.
pub(super) struct Clients {
    enroller: Caller,
    officer: Caller,
    pub(super) analyst: Caller,
    pub(super) authenticator: Caller,
    pub(super) auditor: Caller,
    pub(super) operator: Caller,
    pub(super) tenant_log: String,
    tenant_key: VerifierKey,
    vault_key: VerifierKey,
    ledger: Mutex<Ledger>,
    /// The server was killed, or ends where it is told to.
    pub(super) may_end: AtomicBool,
    seed: u64,
}

/// The server is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// The vault's own log.
pub(super) const VAULT_LOG: &str = "vault/log";

impl Clients {
    pub(super) async fn of(vault: &Vault, tenant: &Tenant, ledger: Ledger, seed: u64) -> Self {
        let tenant_log = tenant.log();
        let checkpoint = tenant.auditor().checkpoint(&tenant_log).await.unwrap();
        Self {
            enroller: tenant.enroller(),
            officer: tenant.privacy_officer(),
            analyst: tenant.analyst(),
            authenticator: tenant.authenticator(),
            auditor: tenant.auditor(),
            operator: vault.operator(),
            tenant_log,
            tenant_key: checkpoint.verifier_key.parse().unwrap(),
            vault_key: vault.verifier_key().await,
            ledger: Mutex::new(ledger),
            may_end: AtomicBool::new(false),
            seed,
        }
    }

    /// The same people, with the keys that they have, before another server; they know what `ledger` says.
    pub(super) fn before(&self, vault: &Vault, ledger: Ledger) -> Self {
        let same = |caller: &Caller| vault.caller(caller.key().map(str::to_owned)).on(super::TENANT);
        Self {
            enroller: same(&self.enroller),
            officer: same(&self.officer),
            analyst: same(&self.analyst),
            authenticator: same(&self.authenticator),
            auditor: same(&self.auditor),
            operator: same(&self.operator),
            tenant_log: self.tenant_log.clone(),
            tenant_key: self.tenant_key.clone(),
            vault_key: self.vault_key.clone(),
            ledger: Mutex::new(ledger),
            may_end: AtomicBool::new(false),
            seed: self.seed,
        }
    }

    /// What happened, also if somebody found a contradiction and panicked.
    pub(super) fn counts(&self) -> super::Counts {
        self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner).counts.clone()
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// The vector of a face: any two are far from alike.
    pub(super) fn vector(&self, face: Face) -> Vec<f32> {
        use rand::{Rng, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(u64::from(face));
        (0..super::DIMENSION).map(|_| random.random_range(-1.0..1.0)).collect()
    }

    // ── requests ────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn new_enrolment(&self, account: usize) -> RequestNumber {
        let mut ledger = self.ledger();
        let face = ledger.next();
        let message = self.enroller.enrolment(&ledger.accounts[account].id, &self.vector(face));
        ledger.add(account, Op::Enroll(face), Message::Enroll(message))
    }

    pub(super) fn new_replacement(&self, account: usize, old: Face, name: &str, no_wait: bool) -> RequestNumber {
        let mut ledger = self.ledger();
        let new = ledger.next();
        let message = self.enroller.replacement(name, &self.vector(new));
        let message = v1::ReplaceTemplateRequest { no_wait, ..message };
        ledger.add(account, Op::Replace { old, new }, Message::Replace(message))
    }

    pub(super) fn new_deletion(&self, account: usize, face: Face, name: &str, no_wait: bool) -> RequestNumber {
        let mut ledger = self.ledger();
        let message = v1::DeleteTemplateRequest { no_wait, ..self.enroller.deletion(name) };
        let number = ledger.next();
        ledger.add(account, Op::Delete(number, face), Message::Delete(message))
    }

    pub(super) fn new_erasure(&self, account: usize, no_wait: bool) -> RequestNumber {
        let mut ledger = self.ledger();
        let message = v1::EraseSubjectRequest { no_wait, ..self.officer.erasure(&ledger.accounts[account].id) };
        let number = ledger.next();
        ledger.add(account, Op::Erase(number), Message::Erase(message))
    }

    /// Sends a request, or repeats it. With a `patience` the client hangs up after it.
    pub(super) async fn send(&self, number: RequestNumber, patience: Option<Duration>) -> Result<(), Gone> {
        let (call, message) = {
            let mut ledger = self.ledger();
            let request = &ledger.requests[number as usize];
            let (account, op, message) = (request.account, request.op, request.message.clone());
            (ledger.begin(account, op), message)
        };
        let answer = match patience {
            None => self.ask(message).await,
            Some(patience) => match tokio::time::timeout(patience, self.ask(message)).await {
                Ok(answer) => answer,
                Err(_) => return Ok(()),
            },
        };
        match self.judge(answer)? {
            Some(Ok(answer)) => {
                let mut ledger = self.ledger();
                ledger.end(call, Answer::Done);
                ledger.acknowledge(number, answer);
            }
            Some(Err(answer)) => self.ledger().end(call, answer),
            None => {}
        }
        Ok(())
    }

    // ── silos and their keys ────────────────────────────────────────────────────────────────────────

    /// Creates another tenant and shreds it.
    pub(super) async fn shred_another(&self, number: u64, no_wait: bool) -> Result<(), Gone> {
        let id = format!("silo-{number:016x}");
        let created = self.judge(self.operator.ask(self.operator.creation(&id)).await)?;
        let Some(created) = created.map(|answer| answer.expect("a new tenant has a name of its own")) else {
            return Ok(());
        };
        let key = created.credential.expect("a tenant has an administrator").api_key;
        let place = self.new_silo(id, key, Vec::new(), no_wait);
        self.shred(place).await
    }

    /// Knows a tenant that is there to be shredded, with the names of people's templates in it.
    pub(super) fn new_silo(&self, id: String, key: String, templates: Vec<String>, no_wait: bool) -> usize {
        let shredding = v1::ShredTenantRequest { no_wait, ..self.operator.shredding(&id) };
        let mut ledger = self.ledger();
        let created = ledger.tick();
        ledger.silos.push(Silo { id, key, created, templates, shredding, asked: None, receipt: None, fresh: true });
        ledger.silos.len() - 1
    }

    /// Asks for the shredding of a tenant, or asks again.
    pub(super) async fn shred(&self, place: usize) -> Result<(), Gone> {
        if !self.agree(place).await? {
            return Ok(());
        }
        let request = {
            let mut ledger = self.ledger();
            let now = ledger.tick();
            let silo = &mut ledger.silos[place];
            silo.asked.get_or_insert(now);
            silo.shredding.clone()
        };
        let waits = !request.no_wait;
        let Some(answer) = self.judge(self.operator.ask(request).await)? else { return Ok(()) };
        let receipt = shredded(answer.expect("a tenant that is there, or was asked for, is shredded"), waits);
        let mut ledger = self.ledger();
        ledger.receipts.entry(receipt.clone()).or_default();
        let now = ledger.tick();
        let (known, _) = ledger.silos[place].receipt.get_or_insert_with(|| (receipt.clone(), now));
        assert_eq!(*known, receipt, "a repeat gives the first answer");
        Ok(())
    }

    /// Has two persons agree on a tenant's end, once. Nobody asks for it before.
    async fn agree(&self, place: usize) -> Result<bool, Gone> {
        let (admin, agreed) = {
            let silo = &self.ledger().silos[place];
            (self.operator.with_key(Some(&silo.key)).on(&silo.id), !silo.shredding.proposal.is_empty())
        };
        if agreed {
            return Ok(true);
        }
        let Some(proposal) = self.judge(admin.waive(&self.operator).await)? else { return Ok(false) };
        let proposal = proposal.expect("two persons agree");
        self.ledger().silos[place].shredding.proposal = proposal;
        Ok(true)
    }

    /// Nobody gets in with a key of a tenant whose shredding was accepted, and its name is not given again.
    pub(super) async fn expect_shredded(&self, silo: &Silo) {
        let of_tenant = self.operator.with_key(Some(&silo.key));
        let name = format!("tenants/{}", silo.id);
        let request = v1::GetTenantRequest { name, purpose: v1::Purpose::Administration.into() };
        let refusal = of_tenant.ask(request.clone()).await.expect_err("the tenant is shredded");
        assert_eq!(refusal.reason(), Some(ErrorReason::CredentialInvalid), "{refusal}");
        let refusal = self.operator.ask(request).await.expect_err("the tenant is shredded");
        assert_eq!(refusal.reason(), Some(ErrorReason::TenantNotFound), "{refusal}");
        let again = self.operator.ask(self.operator.creation(&silo.id)).await.expect_err("a name is given once");
        assert_eq!(again.reason(), Some(ErrorReason::TenantExists), "{again}");
    }

    /// Whoever has a key of a tenant that nobody asked to shred gets in.
    pub(super) async fn expect_there(&self, silo: &Silo) {
        let name = format!("tenants/{}", silo.id);
        let request = v1::GetTenantRequest { name, purpose: v1::Purpose::Administration.into() };
        let answer = self.operator.with_key(Some(&silo.key)).ask(request).await;
        assert!(answer.is_ok(), "{} was created, and is lost: {answer:?}", silo.id);
    }

    /// Rotates the wrapping of the tenant's keys, or of the vault's.
    pub(super) async fn rotate_another(&self, of_vault: bool, no_wait: bool) -> Result<(), Gone> {
        let name = if of_vault { "vault".to_owned() } else { self.officer.tenant_name() };
        let request = v1::RotateKeysRequest { no_wait, ..self.operator.rotation(&name) };
        let place = {
            let mut ledger = self.ledger();
            let asked = ledger.tick();
            ledger.rotations.push(Rotation { request, asked, receipt: None });
            ledger.rotations.len() - 1
        };
        self.rotate(place).await
    }

    /// Asks for a rotation, or asks again.
    pub(super) async fn rotate(&self, place: usize) -> Result<(), Gone> {
        let request = self.ledger().rotations[place].request.clone();
        let waits = !request.no_wait;
        let Some(answer) = self.judge(self.operator.ask(request).await)? else { return Ok(()) };
        let v1::KeyRotation { receipt, state } = answer.expect("a rotation is carried out");
        let receipt = shredded(v1::Erasure { receipt, state, erase_time: None }, waits);
        let mut ledger = self.ledger();
        ledger.receipts.entry(receipt.clone()).or_default();
        let now = ledger.tick();
        let (known, _) = ledger.rotations[place].receipt.get_or_insert_with(|| (receipt.clone(), now));
        assert_eq!(*known, receipt, "a repeat gives the first answer");
        Ok(())
    }

    async fn ask(&self, message: Message) -> Result<Acknowledged, Refusal> {
        match message {
            Message::Enroll(message) => self.enroller.ask(message).await.map(enrolled),
            Message::Replace(message) => {
                let waits = !message.no_wait;
                let answer = self.enroller.ask(message).await?;
                let receipt = Some(shredded(answer.erasure.unwrap(), waits));
                Ok(Acknowledged { template: answer.template, receipt })
            }
            Message::Delete(message) => {
                let waits = !message.no_wait;
                let receipt = Some(shredded(self.enroller.ask(message).await?, waits));
                Ok(Acknowledged { template: None, receipt })
            }
            Message::Erase(message) => {
                let waits = !message.no_wait;
                let receipt = Some(shredded(self.officer.ask(message).await?, waits));
                Ok(Acknowledged { template: None, receipt })
            }
        }
    }

    /// Sends enrolments over one stream.
    pub(super) async fn send_batch(&self, numbers: &[RequestNumber]) -> Result<(), Gone> {
        let mut calls = std::collections::HashMap::new();
        let mut items = Vec::new();
        {
            let mut ledger = self.ledger();
            for &number in numbers {
                let request = &ledger.requests[number as usize];
                let Message::Enroll(message) = request.message.clone() else { panic!("only enrolments are batched") };
                let (account, op) = (request.account, request.op);
                calls.insert(number, ledger.begin(account, op));
                items.push(v1::BatchEnrollRequest {
                    parent: message.parent,
                    purpose: message.purpose,
                    request_id: message.request_id,
                    subject_id: message.subject_id,
                    template: message.template,
                    item_id: number.to_string(),
                });
            }
        }
        let mut answers = match self.enroller.batch(tokio_stream::iter(items)).await {
            Ok(answers) => answers,
            Err(refusal) => return self.lost(&refusal),
        };
        while let Some(answer) = answers.next().await {
            let answer = match answer {
                Ok(answer) => answer,
                Err(status) => return self.lost(&status.into()),
            };
            let number: RequestNumber = answer.item_id.parse().unwrap();
            let call = calls.remove(&number).expect("an item is answered once");
            match answer.result.unwrap() {
                batch_enroll_response::Result::Enrolled(answer) => {
                    let mut ledger = self.ledger();
                    ledger.end(call, Answer::Done);
                    ledger.acknowledge(number, enrolled(answer));
                }
                batch_enroll_response::Result::Error(error) if error.reason() == ErrorReason::TemplatesLimited => {
                    self.ledger().end(call, Answer::NoRoom);
                }
                batch_enroll_response::Result::Error(error)
                    if error.reason() == ErrorReason::ShuttingDown && self.may_have_ended() =>
                {
                    return Err(Gone);
                }
                batch_enroll_response::Result::Error(error) => panic!("an item of a batch was refused: {error:?}"),
            }
        }
        assert!(calls.is_empty() || self.may_have_ended(), "a batch ended with items unanswered");
        if calls.is_empty() { Ok(()) } else { Err(Gone) }
    }

    /// Done; refused for a reason that the model knows; or, without an answer, neither.
    fn judge<T>(&self, answer: Result<T, Refusal>) -> Result<Option<Result<T, Answer>>, Gone> {
        let refusal = match answer {
            Ok(answer) => return Ok(Some(Ok(answer))),
            Err(refusal) => refusal,
        };
        match refusal.reason() {
            Some(ErrorReason::SubjectNotFound | ErrorReason::TemplateNotFound | ErrorReason::RequestIdReused) => {
                Ok(Some(Err(Answer::Refused)))
            }
            Some(ErrorReason::TemplatesLimited) => Ok(Some(Err(Answer::NoRoom))),
            Some(ErrorReason::AttemptsLimited) => Ok(None),
            // What a server says while it dies.
            Some(ErrorReason::ShuttingDown) => self.lost(&refusal).map(|()| None),
            Some(_) => panic!("refused: {refusal}"),
            None => self.lost(&refusal).map(|()| None),
        }
    }

    fn lost(&self, refusal: &Refusal) -> Result<(), Gone> {
        let died = matches!(refusal.reason(), None | Some(ErrorReason::ShuttingDown));
        assert!(self.may_have_ended() && died, "the server failed by itself: {refusal}");
        Err(Gone)
    }

    fn may_have_ended(&self) -> bool {
        self.may_end.load(Ordering::SeqCst)
    }

    // ── reading ─────────────────────────────────────────────────────────────────────────────────────

    /// Asks whether a face is found, by a search or by a verification.
    pub(super) async fn look(&self, account: usize, face: Face, by_search: bool) -> Result<(), Gone> {
        let vector = self.vector(face);
        let (call, id) = {
            let mut ledger = self.ledger();
            (ledger.begin(account, Op::Look(face)), ledger.accounts[account].id.clone())
        };
        let found = if by_search {
            self.judge(self.analyst.search(&vector).await)?.map(|answer| !answer.unwrap().matches.is_empty())
        } else {
            let answer = self.judge(self.authenticator.verify(&id, &vector).await)?;
            answer.map(|answer| answer.unwrap().band() == DecisionBand::Match)
        };
        if let Some(found) = found {
            self.ledger().end(call, Answer::Found(found));
        }
        Ok(())
    }

    /// Takes a checkpoint and keeps it.
    pub(super) async fn take_checkpoint(&self, of_vault: bool) -> Result<(), Gone> {
        let (log, key) = match of_vault {
            true => (VAULT_LOG, &self.vault_key),
            false => (self.tenant_log.as_str(), &self.tenant_key),
        };
        let caller = if of_vault { &self.operator } else { &self.auditor };
        if let Some(answer) = self.judge(caller.checkpoint(log).await)? {
            let note = answer.unwrap().note;
            let checkpoint = Checkpoint::open(note.as_bytes(), key).expect("a checkpoint is signed by its log");
            self.ledger().hold(log, &checkpoint);
        }
        Ok(())
    }

    /// Reads a receipt; whether it is a proof by now.
    pub(super) async fn read_receipt(&self, name: &str) -> Result<bool, Gone> {
        let known = self.ledger().receipts[name].is_some();
        let of_vault = name.starts_with("vault/");
        let reader = if of_vault { &self.operator } else { &self.auditor };
        let Some(answer) = self.judge(reader.receipt(name).await)? else { return Ok(false) };
        let receipt = answer.expect("an accepted erasure has a receipt");
        if receipt.state() == ErasureState::Pending {
            assert!(!known, "{name} was shredded and is pending again");
            assert!(receipt.document.is_empty() && receipt.shred_time.is_none(), "{name} is a proof too early");
            return Ok(false);
        }
        assert_eq!(receipt.state(), ErasureState::Shredded);
        let verified = Receipt::verify(&receipt.document, &self.vault_key).expect("a receipt verifies");
        assert!(name.ends_with(&format!("/{}", verified.step().receipt)), "{name} is another erasure's");
        let scope = verified.erasure().map(|erasure| erasure.scope);
        match of_vault {
            true => assert!(matches!(scope, Some(Scope::Tenant) | None), "{scope:?}"),
            false => assert!(matches!(scope, Some(Scope::Subject | Scope::Template)), "{scope:?}"),
        }
        assert_eq!(verified.step().from_root, verified.destruction.root, "the root that was left is the destroyed one");
        let mut ledger = self.ledger();
        ledger.hold(VAULT_LOG, &verified.checkpoint);
        if !matches!(ledger.receipts.get(name), Some(Some(_))) {
            let proof = Proof { at: ledger.tick(), root: *verified.destruction.root.as_bytes() };
            ledger.receipts.insert(name.to_owned(), Some(proof));
            ledger.counts.receipts.0 += 1;
        }
        Ok(true)
    }
}

impl Ledger {
    fn hold(&mut self, log: &str, checkpoint: &Checkpoint) {
        let at = self.tick();
        self.checkpoints.push(Held { at, log: log.to_owned(), size: checkpoint.size, root: checkpoint.root });
    }
}

fn enrolled(answer: v1::EnrollResponse) -> Acknowledged {
    Acknowledged { template: answer.template, receipt: None }
}

fn shredded(erasure: v1::Erasure, waits: bool) -> String {
    assert!(!waits || erasure.state() == ErasureState::Shredded, "an erasure that was waited for is shredded");
    erasure.receipt
}
