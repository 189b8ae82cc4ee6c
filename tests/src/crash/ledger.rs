use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lethe_crypto::log::merkle::Hash;
use lethe_proto::v1;

use super::history::{Answer, Call, Face, Op, RequestNumber, State};
use crate::disk::Recorder;

/// Everything the clients know: what they asked, what they were answered, and what they hold as proof.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) accounts: Vec<Account>,
    pub(super) requests: Vec<Request>,
    /// Rotations that were asked for.
    pub(super) rotations: Vec<Rotation>,
    /// Other tenants, which are shredded.
    pub(super) silos: Vec<Silo>,
    /// Receipts by name; the proof of those that are shredded.
    pub(super) receipts: BTreeMap<String, Option<Proof>>,
    pub(super) checkpoints: Vec<Held>,
    pub(super) counts: Counts,
    /// The first request of this life.
    pub(super) life: usize,
    clock: u64,
    /// Told of each tick of the clock.
    pub(super) recorder: Option<Recorder>,
}

/// One applicant id.
#[derive(Clone, Default)]
pub(super) struct Account {
    pub(super) id: String,
    /// What may have been known of it when this life began.
    pub(super) before: BTreeSet<State>,
    /// What was asked of it in this life.
    pub(super) calls: Vec<Call>,
}

/// A tenant that is there to be shredded.
#[derive(Clone)]
pub(super) struct Silo {
    pub(super) id: String,
    /// An API key of it.
    pub(super) key: String,
    /// When it was known to be there.
    pub(super) created: u64,
    /// The names of people's templates in it.
    pub(super) templates: Vec<String>,
    pub(super) shredding: v1::ShredTenantRequest,
    /// When that was asked for first.
    pub(super) asked: Option<u64>,
    /// The receipt that it was answered with, and when.
    pub(super) receipt: Option<(String, u64)>,
    /// It was asked for in the life that goes on.
    pub(super) fresh: bool,
}

/// A rotation of keys.
#[derive(Clone)]
pub(super) struct Rotation {
    pub(super) request: v1::RotateKeysRequest,
    /// When it was asked for first.
    pub(super) asked: u64,
    /// The receipt that it was answered with, and when.
    pub(super) receipt: Option<(String, u64)>,
}

/// A request that changes something. The face that it enrolls has its number.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) account: usize,
    pub(super) op: Op,
    pub(super) message: Message,
    /// The first answer.
    pub(super) answer: Option<Acknowledged>,
    /// The template's name, from whoever told it first.
    pub(super) template: Option<String>,
}

/// What goes over the wire, and again at each repeat.
#[derive(Clone)]
pub(super) enum Message {
    Enroll(v1::EnrollRequest),
    Replace(v1::ReplaceTemplateRequest),
    Delete(v1::DeleteTemplateRequest),
    Erase(v1::EraseSubjectRequest),
}

/// What an acknowledgement promised for ever.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Acknowledged {
    pub(super) template: Option<v1::Template>,
    pub(super) receipt: Option<String>,
}

/// A verified receipt.
#[derive(Clone)]
pub(super) struct Proof {
    /// When it was told.
    pub(super) at: u64,
    /// The root that it says is destroyed.
    pub(super) root: [u8; 16],
}

/// A checkpoint that was given out.
#[derive(Clone)]
pub(super) struct Held {
    /// When it was told.
    pub(super) at: u64,
    pub(super) log: String,
    pub(super) size: u64,
    pub(super) root: Hash,
}

/// What happened, in numbers.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// Processes killed at work.
    pub kills: usize,
    /// Processes killed while they recovered.
    pub kills_in_recovery: usize,
    /// Writes acknowledged: enrolments, replacements, deletions, erasures.
    pub acknowledged: usize,
    /// Writes of which nobody heard.
    pub unknown: usize,
    /// Acknowledged faces that were not found after a restart.
    pub lost: usize,
    /// Faces acknowledged as erased, replaced or deleted.
    pub erased: usize,
    /// Those of them that were found after a restart.
    pub back: usize,
    /// Receipts that were verified, and those of them that were pending after a crash.
    pub receipts: (usize, usize),
    /// Requests repeated after a restart.
    pub repeated: usize,
    /// Faces that were looked for after a restart.
    pub looked: usize,
    /// Tenants shredded, and wrappings rotated.
    pub silos: (usize, usize),
    /// Inclusion proofs verified against checkpoints from before a crash.
    pub proofs: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (receipts, pending) = self.receipts;
        let (shredded, rotated) = self.silos;
        write!(
            f,
            "{} kills at work, {} in recovery; {} acknowledged writes, {} of unknown outcome; {} lost; {} faces erased, \
             {} back; {receipts} receipts verified, {pending} of them pending after a crash; {} requests repeated, \
             {} faces looked for, {shredded} tenants shredded, {rotated} wrappings rotated, {} proofs against old checkpoints",
            self.kills,
            self.kills_in_recovery,
            self.acknowledged,
            self.unknown,
            self.lost,
            self.erased,
            self.back,
            self.repeated,
            self.looked,
            self.proofs
        )
    }
}

/// Requests before a moment that clients go on with after it.
const REPEATED: usize = 24;

/// A call that was begun: its account, and its place there.
#[derive(Clone, Copy)]
pub(super) struct Begun(usize, usize);

impl Ledger {
    pub(super) fn of(ids: impl Iterator<Item = String>) -> Self {
        let account = |id| Account { id, before: BTreeSet::from([State::default()]), calls: Vec::new() };
        Self { accounts: ids.map(account).collect(), ..Self::default() }
    }

    /// The number the next request gets.
    pub(super) fn next(&self) -> RequestNumber {
        u32::try_from(self.requests.len()).unwrap()
    }

    pub(super) fn add(&mut self, account: usize, op: Op, message: Message) -> RequestNumber {
        let number = self.next();
        self.requests.push(Request { account, op, message, answer: None, template: None });
        number
    }

    /// What the clock shows.
    pub(super) const fn now(&self) -> u64 {
        self.clock
    }

    /// The next moment. Whoever records what the server does is told that it has come.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        if let Some(recorder) = &self.recorder {
            recorder.mark(self.clock);
        }
        self.clock
    }

    pub(super) fn begin(&mut self, account: usize, op: Op) -> Begun {
        let begun = self.tick();
        let calls = &mut self.accounts[account].calls;
        calls.push(Call { op, begun, ended: None });
        Begun(account, calls.len() - 1)
    }

    pub(super) fn end(&mut self, call: Begun, answer: Answer) {
        let now = self.tick();
        self.accounts[call.0].calls[call.1].ended = Some((now, answer));
    }

    /// Takes in an acknowledgement: the same one each time.
    pub(super) fn acknowledge(&mut self, number: RequestNumber, answer: Acknowledged) {
        if let Some(receipt) = &answer.receipt {
            self.receipts.entry(receipt.clone()).or_default();
        }
        let request = &mut self.requests[number as usize];
        if let Some(template) = &answer.template {
            let known = request.template.get_or_insert_with(|| template.name.clone());
            assert_eq!(known, &template.name, "the template of a request has one name");
        }
        match &request.answer {
            None => {
                self.counts.acknowledged += 1;
                request.answer = Some(answer);
            }
            Some(first) => assert_eq!(first, &answer, "a repeat gives the first answer"),
        }
    }

    /// Faces of an account that have a name, newest first.
    pub(super) fn named(&self, account: usize) -> impl Iterator<Item = (Face, &str)> {
        let newest = (0..self.next()).zip(&self.requests).rev().take(400);
        let of_account = newest.filter(move |(_, request)| request.account == account);
        of_account.filter_map(|(face, request)| Some((face, request.template.as_deref()?)))
    }

    /// What the clients knew at a moment.
    pub(super) fn as_of(&self, clock: u64) -> Self {
        let mut then = Self { clock, ..Self::default() };
        let mut answered = BTreeSet::new();
        for account in &self.accounts {
            let begun = account.calls.iter().filter(|call| call.begun <= clock);
            let known = begun.map(|call| Call { ended: call.ended.filter(|(at, _)| *at <= clock), ..*call });
            let calls: Vec<Call> = known.collect();
            let done = calls.iter().filter(|call| matches!(call.ended, Some((_, Answer::Done))));
            answered.extend(done.filter_map(|call| call.op.request()));
            then.accounts.push(Account { calls, ..account.clone() });
        }
        let begun = then.accounts.iter().flat_map(|account| &account.calls).filter_map(|call| call.op.request());
        let begun = begun.max().map_or(0, |last| last as usize + 1);
        then.life = begun.saturating_sub(REPEATED);
        for (number, request) in (0..).zip(&self.requests[..begun]) {
            let (answer, template) = match answered.contains(&number) {
                true => (request.answer.clone(), request.template.clone()),
                false => (None, None),
            };
            then.requests.push(Request { answer, template, ..request.clone() });
        }
        let told = |receipt: &Option<(String, u64)>| receipt.clone().filter(|(_, at)| *at <= clock);
        for silo in self.silos.iter().filter(|silo| silo.created <= clock) {
            let asked = silo.asked.filter(|at| *at <= clock);
            then.silos.push(Silo { asked, receipt: told(&silo.receipt), ..silo.clone() });
        }
        for rotation in self.rotations.iter().filter(|rotation| rotation.asked <= clock) {
            then.rotations.push(Rotation { receipt: told(&rotation.receipt), ..rotation.clone() });
        }
        let of_requests = then.requests.iter().filter_map(|request| request.answer.as_ref()?.receipt.as_ref());
        let of_silos = then.silos.iter().filter_map(|silo| silo.receipt.as_ref());
        let of_rotations = then.rotations.iter().filter_map(|rotation| rotation.receipt.as_ref());
        for name in of_requests.chain(of_silos.chain(of_rotations).map(|(name, _)| name)) {
            let proof = self.receipts.get(name).cloned().flatten();
            then.receipts.insert(name.clone(), proof.filter(|proof| proof.at <= clock));
        }
        then.checkpoints = self.checkpoints.iter().filter(|held| held.at <= clock).cloned().collect();
        then
    }

    /// Requests of this life.
    pub(super) fn of_this_life(&self) -> std::ops::Range<RequestNumber> {
        u32::try_from(self.life).unwrap()..self.next()
    }
}
