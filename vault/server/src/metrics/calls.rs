use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;

use crate::grpc::code_name;

/// Bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];

/// Services beside those of the API.
const OTHERS: [(&str, &str); 3] = [
    ("grpc.health.v1.Health", "Check"),
    ("grpc.health.v1.Health", "Watch"),
    ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    service: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    service: &'static str,
    method: &'static str,
    code: &'static str,
}

/// Counts calls by method and status, and how long they took until they began to answer: a stream counts as soon as its
/// answer begins, with the status that it has then.
#[derive(Clone)]
pub(crate) struct Calls {
    methods: Arc<HashMap<String, Of>>,
    ended: Family<Ended, Counter>,
    lasted: Family<Of, Histogram>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        let api = lethe_proto::methods().iter().map(|method| (method.service, method.method));
        let methods =
            api.chain(OTHERS).map(|(service, method)| (format!("/{service}/{method}"), Of { service, method }));
        let lasted = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        Self { methods: Arc::new(methods.collect()), ended: Family::default(), lasted }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("calls", "Calls by method and status", self.ended.clone());
        let help = "How long calls took until they began to answer";
        registry.register_with_unit("call_duration", help, Unit::Seconds, self.lasted.clone());
    }

    /// A call of a method begins. Paths that are no method's are one to the metrics: callers make them up.
    pub(crate) fn begin(&self, path: &str) -> Call {
        let unknown = Of { service: "other", method: "other" };
        let of = self.methods.get(path).copied().unwrap_or(unknown);
        Call { calls: self.clone(), of, began: Instant::now(), code: Code::Cancelled }
    }
}

/// A call at work. One that is dropped without an end was cancelled by its caller.
pub(crate) struct Call {
    calls: Calls,
    of: Of,
    began: Instant,
    code: Code,
}

impl Call {
    pub(crate) fn end(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Of { service, method } = self.of;
        let ended = Ended { service, method, code: code_name(self.code) };
        self.calls.ended.get_or_create(&ended).inc();
        self.calls.lasted.get_or_create(&self.of).observe(self.began.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn calls_are_told_apart_by_method_and_status_and_by_nothing_that_a_caller_makes_up() {
        let calls = Calls::new();
        calls.begin("/lethe.v1.SubjectService/Erase").end(Code::Ok);
        calls.begin("/lethe.v1.SubjectService/Erase").end(Code::PermissionDenied);
        drop(calls.begin("/lethe.v1.SubjectService/Erase"));
        for path in ["/lethe.v1.SubjectService/quentin@example.org", "/", "*"] {
            calls.begin(path).end(Code::Unimplemented);
        }
        let (mut registry, mut text) = (Registry::with_prefix("lethe"), String::new());
        calls.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        let erase = r#"service="lethe.v1.SubjectService",method="Erase""#;
        for line in [
            format!("lethe_calls_total{{{erase},code=\"OK\"}} 1"),
            format!("lethe_calls_total{{{erase},code=\"PERMISSION_DENIED\"}} 1"),
            format!("lethe_calls_total{{{erase},code=\"CANCELLED\"}} 1"),
            r#"lethe_calls_total{service="other",method="other",code="UNIMPLEMENTED"} 3"#.to_owned(),
            format!("lethe_call_duration_seconds_count{{{erase}}} 3"),
        ] {
            assert!(text.lines().any(|found| found == line.as_str()), "{line}\n{text}");
        }
        assert!(!text.contains("quentin"), "{text}");
    }
}
