//! A collector of OpenTelemetry that does as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lethe_tests::PATIENCE;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, async_trait};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What a collector does with the next call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Next {
    /// Takes nothing, and asks for that much time.
    Later(Duration),
    /// Takes nothing: this status.
    Refuse(Code),
    /// Takes everything, and answers with this status: the acknowledgement is lost.
    Lose(Code),
    /// Takes everything, and never answers.
    Hang,
    /// Takes all but so many.
    Reject(i64),
}

/// A collector, which may be away. What it took is kept.
pub(crate) struct Collector {
    address: SocketAddr,
    tls: Option<Identity>,
    desk: Desk,
    runtime: Option<Runtime>,
}

/// What there is to do, and what was done.
#[derive(Clone)]
struct Desk {
    next: Arc<std::sync::Mutex<VecDeque<Next>>>,
    calls: Arc<watch::Sender<Vec<Vec<LogRecord>>>>,
}

impl Collector {
    /// One that is not there yet, at an address where nobody is.
    pub(crate) fn away() -> Self {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let desk = Desk { next: Arc::default(), calls: Arc::new(watch::channel(Vec::new()).0) };
        Self { address, tls: None, desk, runtime: None }
    }

    /// With a certificate for `localhost` and its key.
    pub(crate) fn with_tls(mut self, certificate: &str, key: &str) -> Self {
        self.tls = Some(Identity::from_pem(certificate, key));
        self
    }

    pub(crate) fn url(&self) -> String {
        match &self.tls {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// It is there.
    pub(crate) async fn come(&mut self) {
        // The one before may not have let go of its address yet.
        let bind = async {
            loop {
                match std::net::TcpListener::bind(self.address) {
                    Ok(listener) => return listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let listener = timeout(PATIENCE, bind).await.expect("the address is free");
        listener.set_nonblocking(true).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (desk, tls) = (self.desk.clone(), self.tls.clone());
        runtime.spawn(async move {
            let mut server = Server::builder();
            if let Some(identity) = tls {
                server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
            }
            let incoming = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
            server.add_service(LogsServiceServer::new(desk)).serve_with_incoming(incoming).await.unwrap();
        });
        self.runtime = Some(runtime);
    }

    /// It is gone, with its connections.
    pub(crate) fn go(&mut self) {
        self.runtime.take().expect("it is there").shutdown_background();
    }

    /// What it does with the next calls; those after them succeed.
    pub(crate) fn does(&self, next: impl IntoIterator<Item = Next>) {
        self.desk.next.lock().unwrap().extend(next);
    }

    /// Waits until it took an entry of an operation after so many calls; all that it took.
    pub(crate) async fn took(&self, operation: &str, after: usize) -> Vec<LogRecord> {
        let mut calls = self.desk.calls.subscribe();
        let has = |calls: &Vec<Vec<LogRecord>>| {
            calls.iter().skip(after).flatten().any(|record| record.event_name == operation)
        };
        timeout(PATIENCE, calls.wait_for(has)).await.expect("the entries come").unwrap();
        self.all()
    }

    /// How many calls gave it something.
    pub(crate) fn calls(&self) -> usize {
        self.desk.calls.borrow().len()
    }

    /// All that it took, in its order.
    pub(crate) fn all(&self) -> Vec<LogRecord> {
        self.desk.calls.borrow().iter().flatten().cloned().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[async_trait]
impl LogsService for Desk {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
        let records: Vec<_> = scopes.flat_map(|scope| scope.log_records).collect();
        let next = self.next.lock().unwrap().pop_front();
        let mut rejected = 0;
        let answer = match next {
            None => Ok(()),
            Some(Next::Later(delay)) => {
                let details = ErrorDetails::with_retry_info(Some(delay));
                return Err(Status::with_error_details(Code::ResourceExhausted, "full", details));
            }
            Some(Next::Refuse(code)) => return Err(Status::new(code, "not like that")),
            Some(Next::Lose(code)) => Err(Status::new(code, "lost")),
            Some(Next::Hang) => {
                self.calls.send_modify(|calls| calls.push(records));
                return std::future::pending().await;
            }
            Some(Next::Reject(count)) => {
                rejected = count;
                Ok(())
            }
        };
        if rejected == 0 {
            self.calls.send_modify(|calls| calls.push(records));
        }
        answer?;
        let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: "too old".to_owned() };
        Ok(Response::new(ExportLogsServiceResponse { partial_success: (rejected != 0).then_some(partial) }))
    }
}

/// What a record says by this name, as text.
pub(crate) fn attribute(record: &LogRecord, key: &str) -> Option<String> {
    record.attributes.iter().find(|attribute| attribute.key == key).map(value)
}

fn value(attribute: &KeyValue) -> String {
    match &attribute.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text.clone(),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.to_string(),
        other => panic!("{other:?}"),
    }
}
