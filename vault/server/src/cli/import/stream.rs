//! A stream of enrolments with a window: so many items on their way and no more, each answered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lethe_proto::v1::batch_enroll_response::Result as ItemResult;
use lethe_proto::v1::{BatchEnrollRequest, BatchEnrollResponse, ItemError};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::cli::client::Client;
use crate::cli::exit::Failure;
use crate::cli::status;

/// Failed items that are remembered one by one; all are counted.
const REMEMBERED: usize = 20;

/// How often an item is sent before an overloaded server is believed.
const ATTEMPTS: u32 = 8;

/// The first pause before an item is sent again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// An item to be enrolled.
#[derive(Debug, PartialEq)]
pub(in crate::cli) struct Item {
    /// Its number; no two alike.
    pub(in crate::cli) row: u64,
    /// What is sent; `item_id` is the number.
    pub(in crate::cli) request: BatchEnrollRequest,
}

/// An item that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Rejected {
    pub(in crate::cli) row: u64,
    pub(in crate::cli) subject: String,
    pub(in crate::cli) status: &'static str,
    pub(in crate::cli) reason: &'static str,
    pub(in crate::cli) message: String,
}

/// What became of all items.
#[derive(Debug, Default)]
pub(in crate::cli) struct Outcome {
    /// Items stored, now or by an earlier run with the same request ids.
    pub(in crate::cli) stored: u64,
    /// Items refused.
    pub(in crate::cli) failed: u64,
    /// The first of them, by row.
    pub(in crate::cli) rejected: Vec<Rejected>,
    /// How many by reason.
    pub(in crate::cli) reasons: BTreeMap<&'static str, u64>,
    /// The first item that was sent and not answered; set only when the stream broke.
    pub(in crate::cli) first_unanswered: Option<u64>,
    /// How many such items there are.
    pub(in crate::cli) unanswered: u64,
    /// The item after the last one that was taken from the source.
    pub(in crate::cli) next: Option<u64>,
    /// The highest sequence number given.
    pub(in crate::cli) sequence: i64,
    /// Why it ended early, if it did.
    pub(in crate::cli) broken: Option<Failure>,
}

/// An item on its way.
struct Flying {
    request: BatchEnrollRequest,
    attempts: u32,
}

/// What there is to do next.
enum Step {
    Send(Box<Item>),
    SendAgain,
    Exhausted,
    Unreadable(Failure),
    Answer(BatchEnrollResponse),
    Closed,
}

/// Enrolls all items of a source, at most `window` at a time, and calls `answered` with their number.
pub(in crate::cli) async fn enroll_all(
    client: &Client,
    mut items: mpsc::Receiver<Result<Item, Failure>>,
    window: usize,
    answered: impl Fn(u64),
) -> Outcome {
    let mut stream = Stream::open(client, window);
    let mut outcome = Outcome::default();
    let mut reading = true;
    while reading || !stream.flying.is_empty() {
        let due = stream.resend.first_key_value().map(|((at, _), ())| *at);
        let step = tokio::select! {
            item = items.recv(), if reading && stream.flying.len() < window => match item {
                Some(Ok(item)) => Step::Send(Box::new(item)),
                Some(Err(failure)) => Step::Unreadable(failure),
                None => Step::Exhausted,
            },
            answer = stream.answers.recv() => answer.map_or(Step::Closed, Step::Answer),
            () = sleep_until(due) => Step::SendAgain,
        };
        match step {
            Step::Send(item) => {
                outcome.next = Some(item.row + 1);
                stream.send(item.row, item.request, 1).await;
            }
            Step::SendAgain => stream.send_again().await,
            Step::Exhausted => reading = false,
            Step::Unreadable(failure) => {
                outcome.broken = Some(failure);
                reading = false;
            }
            Step::Answer(answer) => {
                stream.take(answer, &mut outcome);
                answered(outcome.stored + outcome.failed);
            }
            Step::Closed => break,
        }
    }
    outcome.unanswered = stream.flying.len() as u64;
    outcome.first_unanswered = stream.flying.keys().min().copied();
    let cut_off = reading || outcome.unanswered > 0;
    let ended = stream.close().await;
    if cut_off {
        let failure = ended
            .err()
            .map_or_else(|| Failure::failed("the server closed the stream before it was done"), Failure::from);
        outcome.broken.get_or_insert(failure);
    }
    outcome
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The stream and what is on its way.
struct Stream {
    requests: mpsc::Sender<BatchEnrollRequest>,
    answers: mpsc::Receiver<BatchEnrollResponse>,
    call: tokio::task::JoinHandle<Result<(), Status>>,
    flying: HashMap<u64, Flying>,
    /// Items to be sent again, by time.
    resend: BTreeMap<(Instant, u64), ()>,
}

impl Stream {
    fn open(client: &Client, window: usize) -> Self {
        let (requests, outgoing) = mpsc::channel(window);
        // Room for every answer that can come: the call never waits for who reads them.
        let (incoming, answers) = mpsc::channel(window);
        let mut client = client.enrollment_stream();
        let call = tokio::spawn(async move {
            let outgoing = ReceiverStream::new(outgoing);
            let mut stream = client.batch_enroll(outgoing).await?.into_inner();
            while let Some(answer) = stream.message().await? {
                if incoming.send(answer).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Self { requests, answers, call, flying: HashMap::new(), resend: BTreeMap::new() }
    }

    async fn send(&mut self, row: u64, request: BatchEnrollRequest, attempts: u32) {
        self.flying.insert(row, Flying { request: request.clone(), attempts });
        // A stream that broke takes nothing; that its answers end tells so.
        let _ = self.requests.send(request).await;
    }

    async fn send_again(&mut self) {
        let now = Instant::now();
        while let Some(((at, row), ())) = self.resend.pop_first() {
            if at > now {
                self.resend.insert((at, row), ());
                return;
            }
            if let Some(Flying { request, attempts }) = self.flying.remove(&row) {
                self.send(row, request, attempts + 1).await;
            }
        }
    }

    fn take(&mut self, answer: BatchEnrollResponse, outcome: &mut Outcome) {
        let row = answer.item_id.parse().ok();
        let Some((row, flying)) = row.and_then(|row| self.flying.remove_entry(&row)) else {
            return;
        };
        match answer.result {
            Some(ItemResult::Enrolled(enrolled)) => {
                outcome.stored += 1;
                outcome.sequence = outcome.sequence.max(enrolled.sequence);
            }
            Some(ItemResult::Error(error)) if passing(&error) && flying.attempts < ATTEMPTS => {
                let pause = FIRST_PAUSE * 2_u32.pow(flying.attempts - 1);
                self.resend.insert((Instant::now() + pause, row), ());
                self.flying.insert(row, flying);
            }
            Some(ItemResult::Error(error)) => outcome.reject(row, &flying.request, &error),
            None => outcome.reject(row, &flying.request, &ItemError::default()),
        }
    }

    /// Ends the sending side and waits for the status.
    async fn close(self) -> Result<(), Status> {
        drop(self.requests);
        drop(self.answers);
        self.call.await.unwrap_or_else(|_| Err(Status::cancelled("the stream was cancelled")))
    }
}

/// Whether the same item may well be taken a moment later.
fn passing(error: &ItemError) -> bool {
    matches!(Code::from_i32(error.code), Code::ResourceExhausted | Code::Unavailable | Code::Aborted)
}

impl Outcome {
    fn reject(&mut self, row: u64, request: &BatchEnrollRequest, error: &ItemError) {
        self.failed += 1;
        let reason = error.reason().code();
        *self.reasons.entry(reason).or_default() += 1;
        // Answers come in any order: the first are those of the first rows.
        let at = self.rejected.partition_point(|other| other.row < row);
        if at < REMEMBERED {
            let rejected = Rejected {
                row,
                subject: request.subject_id.clone(),
                status: status::name(Code::from_i32(error.code)),
                reason,
                message: error.message.clone(),
            };
            self.rejected.insert(at, rejected);
            self.rejected.truncate(REMEMBERED);
        }
    }
}
