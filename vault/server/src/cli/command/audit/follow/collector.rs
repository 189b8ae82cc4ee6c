//! A collector of OpenTelemetry, which takes log records over gRPC (OTLP 1.10).

use std::error::Error as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use ring::rand::{SecureRandom as _, SystemRandom};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::cli::connection::Peer;
use crate::cli::exit::{Failure, causes};
use crate::cli::output::remark;

/// Longest that one call may take.
const CALL: Duration = Duration::from_secs(10);

/// The first wait after a call that failed; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Longest wait that a collector may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Send the entries to this OpenTelemetry collector, as OTLP over gRPC, instead of printing them. Plain http is for
    /// loopback alone.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,

    /// Authorities to trust the collector's certificate by, PEM. Needed with https: the system's are not used.
    #[arg(long, value_name = "FILE", requires = "otlp")]
    otlp_ca_cert: Option<PathBuf>,

    /// Client certificate, PEM, for a collector that asks for one.
    #[arg(long, value_name = "FILE", requires_all = ["otlp", "otlp_client_key"])]
    otlp_client_cert: Option<PathBuf>,

    /// Private key of that client certificate, PEM.
    #[arg(long, value_name = "FILE", requires_all = ["otlp", "otlp_client_cert"])]
    otlp_client_key: Option<PathBuf>,

    /// Let plain http cross a network. Whoever is on the way reads what was asked of the vault, by which credentials and
    /// when, and can leave out or change what arrives.
    #[arg(long, requires = "otlp")]
    otlp_plain: bool,
}

impl Options {
    /// The collector that was named. It need not be there yet.
    ///
    /// # Errors
    /// What the options have wrong.
    pub(super) fn open(&self) -> Result<Option<Collector>, Failure> {
        let Some(url) = &self.otlp else { return Ok(None) };
        let peer = Peer {
            what: "the collector",
            url,
            authorities: ("--otlp-ca-cert", self.otlp_ca_cert.as_deref()),
            identity: self.otlp_client_cert.as_deref().zip(self.otlp_client_key.as_deref()),
            plain: self.otlp_plain,
        };
        let client = LogsServiceClient::new(peer.endpoint()?.connect_lazy());
        Ok(Some(Collector { url: url.clone(), client }))
    }
}

/// A collector.
pub(super) struct Collector {
    url: String,
    client: LogsServiceClient<Channel>,
}

/// What is to be done after a call that failed.
#[derive(Debug, PartialEq, Eq)]
enum After {
    /// It is made again, not before the time that the collector asks for.
    Again(Option<Duration>),
    /// It would fail again.
    GiveUp,
}

impl Collector {
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Gives records to the collector until it acknowledges them; whether that took more than one call.
    ///
    /// # Errors
    /// The collector refuses them, or some of them, for good.
    pub(super) async fn deliver(&mut self, records: &ExportLogsServiceRequest) -> Result<bool, Failure> {
        let mut wait = Wait(FIRST_WAIT);
        let (mut waited, began) = (false, Instant::now());
        loop {
            let mut request = Request::new(records.clone());
            request.set_timeout(CALL);
            let failed = match self.client.export(request).await {
                Ok(answer) => {
                    self.acknowledged(&answer.into_inner())?;
                    if waited {
                        remark(&format!("the collector {} takes entries again", self.url));
                    }
                    // A slow answer keeps the server waiting, too.
                    return Ok(waited || began.elapsed() > FIRST_WAIT);
                }
                Err(failed) => failed,
            };
            let After::Again(asked) = after(&failed) else {
                return Err(Failure::failed(format!("the collector {} refuses entries: {}", self.url, words(&failed))));
            };
            if !waited {
                let why = words(&failed);
                remark(&format!("the collector {} takes no entries now, and is asked again: {why}", self.url));
            }
            waited = true;
            tokio::time::sleep(wait.next(asked)?).await;
        }
    }

    /// Whether all that was sent was taken. What was not must not be sent again as it is, so that is no success.
    fn acknowledged(&self, answer: &ExportLogsServiceResponse) -> Result<(), Failure> {
        let Some(partial) = &answer.partial_success else { return Ok(()) };
        let (rejected, message) = (partial.rejected_log_records, partial.error_message.as_str());
        if rejected != 0 {
            let why = format!("the collector {} rejected {rejected} entries: {message}", self.url);
            return Err(Failure::failed(why).detail("rejected", rejected.to_string()));
        }
        if !message.is_empty() {
            remark(&format!("the collector {} took the entries, and says: {message}", self.url));
        }
        Ok(())
    }
}

/// What OTLP says of a status (Specification 1.10, "Failures" of OTLP/gRPC).
fn after(status: &Status) -> After {
    let info = status.get_details_retry_info();
    let asked = info.as_ref().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => After::Again(asked),
        Code::ResourceExhausted if info.is_some() => After::Again(asked),
        // The status is this side's: the connection broke, and nobody answered.
        _ if status.source().is_some() => After::Again(None),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => After::GiveUp,
    }
}

fn words(status: &Status) -> String {
    let code = status.code();
    match status.source() {
        Some(source) => format!("{code:?}: {}", causes(source)),
        None => format!("{code:?}: {}", status.message()),
    }
}

/// The next wait, before chance has shortened it.
struct Wait(Duration);

impl Wait {
    /// How long to wait: between half of the time and all of it, so that many who wait do not come back at once; not less than
    /// the collector asks for, within reason.
    fn next(&mut self, asked: Option<Duration>) -> Result<Duration, Failure> {
        let mut chance = [0; 4];
        SystemRandom::new().fill(&mut chance).map_err(|_| Failure::failed("the system gives no random bytes"))?;
        let share = 0.5 + f64::from(u32::from_be_bytes(chance)) / f64::from(u32::MAX) / 2.0;
        let wait = self.0.mul_f64(share);
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
        Ok(asked.map_or(wait, |asked| wait.max(asked.min(LONGEST_ASKED))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn what_may_be_asked_again_is_what_otlp_says() {
        let again = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for code in (0..17).map(Code::from) {
            let expected = if again.contains(&code) { After::Again(None) } else { After::GiveUp };
            assert_eq!(after(&Status::new(code, "no")), expected, "{code:?}");
        }
        let delay = Some(Duration::from_secs(3));
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let status = Status::with_error_details(code, "later", ErrorDetails::with_retry_info(delay));
            assert_eq!(after(&status), After::Again(delay), "{code:?}");
        }
        let broken = Status::from_error(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
        assert_eq!(after(&broken), After::Again(None), "nobody answered");
    }

    #[test]
    fn waits_grow_up_to_the_longest_and_are_shortened_by_chance() {
        let mut wait = Wait(FIRST_WAIT);
        let mut most = FIRST_WAIT;
        for _ in 0..12 {
            let next = wait.next(None).unwrap();
            assert!(most / 2 <= next && next <= most, "{next:?} of {most:?}");
            most = (most * 2).min(LONGEST_WAIT);
        }
        assert_eq!(most, LONGEST_WAIT);
        assert_eq!(wait.next(Some(Duration::from_secs(60))).unwrap(), Duration::from_secs(60));
        assert_eq!(wait.next(Some(Duration::from_secs(1 << 40))).unwrap(), LONGEST_ASKED, "within reason");
        let mut wait = Wait(FIRST_WAIT);
        assert!(wait.next(Some(Duration::ZERO)).unwrap() >= FIRST_WAIT / 2);
    }

    #[tokio::test]
    async fn what_was_rejected_is_no_success() {
        let options = Options {
            otlp: Some("http://127.0.0.1:1".into()),
            otlp_ca_cert: None,
            otlp_client_cert: None,
            otlp_client_key: None,
            otlp_plain: false,
        };
        let collector = options.open().unwrap().unwrap();
        let answer = |rejected_log_records: i64, error_message: &str| ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records,
                error_message: error_message.into(),
            }),
        };
        collector.acknowledged(&ExportLogsServiceResponse { partial_success: None }).unwrap();
        collector.acknowledged(&answer(0, "look at this")).unwrap();
        let failure = collector.acknowledged(&answer(3, "too long")).unwrap_err();
        assert!(failure.message.contains("3 entries: too long"), "{failure}");

        let far = |plain| Options { otlp: Some("http://collector:4317".into()), otlp_plain: plain, ..options };
        let failure = far(false).open().err().unwrap();
        assert!(failure.message.contains("--otlp-ca-cert"), "{failure}");
    }
}
