//! What the clients do until the server is killed under them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;

use super::clients::{Clients, Gone};
use super::history::{Face, Op};
use super::{KEPT, SUBJECTS};

/// Clients at work at the same time.
const CLIENTS: u64 = 6;
/// Items of a batch, at most.
const BATCH: usize = 8;

/// How the server ends.
pub(super) enum Death {
    /// Killed: the process, after a while.
    Killed(u32, Duration),
    /// By itself, where it is told to.
    OfItself,
}

/// Lets clients work until the server ends, and all have noticed.
pub(super) async fn until_the_end(clients: &Arc<Clients>, seed: u64, death: Death) {
    clients.may_end.store(matches!(death, Death::OfItself), Ordering::SeqCst);
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let clients = Arc::clone(clients);
        let random = ChaCha8Rng::seed_from_u64(seed ^ number);
        tasks.spawn(async move { Client { clients, random }.work().await });
    }
    if let Death::Killed(process, after) = death {
        tokio::time::sleep(after).await;
        clients.may_end.store(true, Ordering::SeqCst);
        let process = i32::try_from(process).ok().and_then(Pid::from_raw).unwrap();
        kill_process(process, Signal::KILL).unwrap();
    }
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap()
        }
    };
    tokio::time::timeout(crate::PATIENCE, all).await.expect("the server does not end");
    clients.may_end.store(false, Ordering::SeqCst);
}

/// Lets clients work until each has taken so many steps.
pub(super) async fn for_a_while(clients: &Arc<Clients>, seed: u64, steps: usize) {
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let (clients, random) = (Arc::clone(clients), ChaCha8Rng::seed_from_u64(seed ^ number));
        tasks.spawn(async move {
            let mut client = Client { clients, random };
            for _ in 0..steps {
                client.step().await.expect("nobody kills the server now");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap()
    }
}

struct Client {
    clients: Arc<Clients>,
    random: ChaCha8Rng,
}

impl Client {
    async fn work(mut self) {
        while self.step().await.is_ok() {}
    }

    async fn step(&mut self) -> Result<(), Gone> {
        let account = self.random.random_range(0..SUBJECTS);
        let faces = self.faces(account);
        // What a subject has stays a handful.
        let growth = if faces.len() < KEPT { 40 } else { 4 };
        let face = faces.choose(&mut self.random).cloned();
        let no_wait = self.random.random_bool(0.5);
        match (self.random.random_range(0..63 + growth), face) {
            (0..6, _) => {
                let request = self.clients.new_erasure(account, no_wait);
                self.change(request).await
            }
            (6..16, Some((face, name))) => {
                let request = self.clients.new_deletion(account, face, &name, no_wait);
                self.change(request).await
            }
            (16..30, Some((face, name))) => {
                let request = self.clients.new_replacement(account, face, &name, no_wait);
                self.change(request).await
            }
            (30..42, Some((face, _))) => {
                let by_search = self.random.random_bool(0.5);
                self.clients.look(account, face, by_search).await
            }
            (42..46, _) => self.read_receipt().await,
            (46..50, _) => self.repeat().await,
            (50..53, _) => {
                let of_vault = self.random.random_bool(0.5);
                self.clients.take_checkpoint(of_vault).await
            }
            (53..60, _) => {
                let items = self.random.random_range(1..=BATCH);
                let accounts = (0..items).map(|_| self.random.random_range(0..SUBJECTS)).collect::<Vec<_>>();
                let requests = accounts.into_iter().map(|account| self.clients.new_enrolment(account));
                let requests = requests.collect::<Vec<_>>();
                self.clients.send_batch(&requests).await
            }
            (60, _) => {
                let number = self.random.random();
                self.clients.shred_another(number, no_wait).await
            }
            (61..63, _) => {
                let of_vault = self.random.random_bool(0.5);
                self.clients.rotate_another(of_vault, no_wait).await
            }
            _ => {
                let request = self.clients.new_enrolment(account);
                self.change(request).await
            }
        }
    }

    /// Sends a request; now and then without waiting for its answer.
    async fn change(&mut self, request: u32) -> Result<(), Gone> {
        let impatient = self.random.random_bool(0.04);
        let patience = impatient.then(|| Duration::from_micros(self.random.random_range(0..3000)));
        self.clients.send(request, patience).await
    }

    /// Faces of an account that a client would think are there, and some that just went.
    fn faces(&mut self, account: usize) -> Vec<(Face, String)> {
        let ledger = self.clients.ledger();
        ledger.named(account).take(KEPT).map(|(face, name)| (face, name.to_owned())).collect()
    }

    async fn read_receipt(&mut self) -> Result<(), Gone> {
        let name = {
            let ledger = self.clients.ledger();
            let newest: Vec<_> = ledger.requests.iter().rev().take(200).collect();
            let receipts: Vec<_> =
                newest.iter().filter_map(|request| request.answer.as_ref()?.receipt.clone()).collect();
            receipts.choose(&mut self.random).cloned()
        };
        match name {
            Some(name) => self.clients.read_receipt(&name).await.map(drop),
            None => Ok(()),
        }
    }

    /// Repeats an erasing request of this life. (A repeated enrolment of a face that was erased meanwhile is a new
    /// one, under a new name; enrolments are repeated when nobody else is at work.)
    async fn repeat(&mut self) -> Result<(), Gone> {
        let request = {
            let ledger = self.clients.ledger();
            let of_this_life = (0..ledger.next()).zip(&ledger.requests).skip(ledger.life).rev().take(40);
            let erasing = of_this_life.filter(|(_, request)| !matches!(request.op, Op::Enroll(_)));
            let erasing: Vec<_> = erasing.map(|(number, _)| number).collect();
            erasing.choose(&mut self.random).copied()
        };
        match request {
            Some(request) => self.change(request).await,
            None => Ok(()),
        }
    }
}
