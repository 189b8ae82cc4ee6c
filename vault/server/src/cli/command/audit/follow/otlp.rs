//! Entries as log records of OpenTelemetry (OTLP 1.10, the log data model), as `docs/FORMAT.md` says: nothing but what the
//! entry's line of JSON has, but for the name of the log's key.

use std::time::{SystemTime, UNIX_EPOCH};

use lethe_crypto::log::text::Origin;
use lethe_proto::v1::LogEntry;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::Value;

use crate::cli::command::audit::entries::{no_entry, object};
use crate::cli::exit::Failure;

/// Fields of an entry that are attributes of its record, `lethe.` before them.
const ATTRIBUTES: [&str; 6] = ["outcome", "reason", "credential", "purpose", "basis", "pseudonym"];

/// How much goes at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    records: usize,
    /// Of records as they are encoded; one more may be longer than is left.
    bytes: usize,
}

impl Bounds {
    /// What a collector takes in a call: 4 MiB, if nobody changed that.
    pub(super) const OF_CALLS: Self = Self { records: 512, bytes: 1 << 20 };

    /// What a collector reads as one line: 1 MiB, if nobody changed that; what is text in text is longer there.
    pub(super) const OF_LINES: Self = Self { records: 64, bytes: 128 << 10 };
}

/// The log that entries are of.
pub(super) struct Source {
    log: String,
    origin: Origin,
}

/// Some records, and the index after the last of them.
pub(super) struct Batch {
    request: ExportLogsServiceRequest,
    next: i64,
}

impl Batch {
    pub(super) fn request(&self) -> &ExportLogsServiceRequest {
        &self.request
    }

    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// In the JSON encoding of OTLP.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        serde_json::to_value(&self.request).map_err(|error| Failure::failed(format!("cannot be told as JSON: {error}")))
    }
}

impl Source {
    pub(super) fn new(log: &str, origin: Origin) -> Self {
        Self { log: log.to_owned(), origin }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Entries in their order, as records, in batches.
    ///
    /// # Errors
    /// One that is no entry.
    pub(super) fn batches(&self, entries: &[LogEntry], bounds: Bounds) -> Result<Vec<Batch>, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let observed = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let (mut batches, mut records, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut next = 0;
        for entry in entries {
            let record = self.record(entry, observed)?;
            let length = record.encoded_len();
            if !records.is_empty() && (records.len() == bounds.records || bytes + length > bounds.bytes) {
                batches.push(Batch { request: self.request(std::mem::take(&mut records)), next });
                bytes = 0;
            }
            bytes += length;
            next = entry.leaf_index + 1;
            records.push(record);
        }
        if !records.is_empty() {
            batches.push(Batch { request: self.request(records), next });
        }
        Ok(batches)
    }

    fn record(&self, entry: &LogEntry, observed: u64) -> Result<LogRecord, Failure> {
        let fields = object(&self.log, entry)?;
        let text = |name: &str| fields[name].as_str();
        let required = || no_entry(entry);
        let time = fields["time"].as_u64().ok_or_else(required)?;
        let operation = text("operation").ok_or_else(required)?;
        let (severity, severity_text) = match text("outcome").ok_or_else(required)? {
            "denied" => (SeverityNumber::Warn, "WARN"),
            _ => (SeverityNumber::Info, "INFO"),
        };
        let (origin, index) = (self.origin.as_str(), entry.leaf_index);
        let mut attributes = vec![
            // What has the same is the same entry: it may come again after a crash.
            attribute("log.record.uid", string(&format!("{origin}#{index}"))),
            attribute("lethe.log.name", string(&self.log)),
            attribute("lethe.log.origin", string(origin)),
            attribute("lethe.log.index", Any::IntValue(index)),
        ];
        for name in ATTRIBUTES {
            attributes.extend(text(name).map(|value| attribute(&format!("lethe.{name}"), string(value))));
        }
        attributes.extend(fields["event"]["type"].as_str().map(|kind| attribute("lethe.event.type", string(kind))));
        // The line as it is a leaf of the log's tree: who has a proof can check it.
        let line = std::str::from_utf8(&entry.entry).map_err(|_| no_entry(entry))?;
        Ok(LogRecord {
            time_unix_nano: time.saturating_mul(1_000_000),
            observed_time_unix_nano: observed,
            severity_number: severity.into(),
            severity_text: severity_text.to_owned(),
            body: Some(AnyValue { value: Some(string(line)) }),
            attributes,
            event_name: operation.to_owned(),
            ..LogRecord::default()
        })
    }

    fn request(&self, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
        let version = env!("CARGO_PKG_VERSION");
        let resource = vec![
            attribute("service.name", string("lethe")),
            attribute("service.version", string(version)),
            attribute("service.instance.id", string(self.origin.as_str())),
        ];
        let scope = InstrumentationScope {
            name: "lethe.audit".to_owned(),
            version: version.to_owned(),
            ..InstrumentationScope::default()
        };
        let resource = Some(Resource { attributes: resource, ..Resource::default() });
        let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, schema_url: String::new() }];
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs { resource, scope_logs, schema_url: String::new() }],
        }
    }
}

fn string(text: &str) -> Any {
    Any::StringValue(text.to_owned())
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENIED: &str = concat!(
        r#"{"version":1,"time":1767225600123,"operation":"authentication.verify","#,
        r#""credential":"00112233445566778899aabbccddeeff","purpose":"AUTHENTICATION","basis":"EXPLICIT_CONSENT","#,
        r#""outcome":"denied","reason":"CONSENT_WITHDRAWN","#,
        r#""pseudonym":"ab12","sealed":"c2VjcmV0","blind":"0123","event":{"type":"REQUEST_OPENED","request":"77"}}"#,
    );
    const PLAIN: &str = r#"{"version":1,"time":5,"operation":"audit.watch","outcome":"allowed","blind":"4567"}"#;

    fn source() -> Source {
        Source::new("tenants/acme/log", "lethe/3f0c/acme/log".parse().unwrap())
    }

    fn entry(leaf_index: i64, line: &str) -> LogEntry {
        LogEntry { leaf_index, entry: line.as_bytes().to_vec() }
    }

    #[test]
    fn a_record_has_the_fields_of_its_entry_and_no_other() {
        let entries = [entry(7, DENIED), entry(8, PLAIN)];
        let batches = source().batches(&entries, Bounds::OF_CALLS).unwrap();
        assert_eq!((batches.len(), batches[0].next()), (1, 9));
        let told = batches[0].json().unwrap();
        let records = &told["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let denied = &records[0];
        // 64-bit numbers are text, as proto3 maps them.
        assert_eq!(denied["timeUnixNano"], "1767225600123000000");
        assert!(denied["observedTimeUnixNano"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000_000_000);
        assert_eq!((&denied["severityNumber"], &denied["severityText"]), (&json!(13), &json!("WARN")));
        assert_eq!(denied["eventName"], "authentication.verify");
        assert_eq!(denied["body"], json!({ "stringValue": DENIED }));
        let expected = json!([
            text("log.record.uid", "lethe/3f0c/acme/log#7"),
            text("lethe.log.name", "tenants/acme/log"),
            text("lethe.log.origin", "lethe/3f0c/acme/log"),
            { "key": "lethe.log.index", "value": { "intValue": "7" } },
            text("lethe.outcome", "denied"),
            text("lethe.reason", "CONSENT_WITHDRAWN"),
            text("lethe.credential", "00112233445566778899aabbccddeeff"),
            text("lethe.purpose", "AUTHENTICATION"),
            text("lethe.basis", "EXPLICIT_CONSENT"),
            text("lethe.pseudonym", "ab12"),
            text("lethe.event.type", "REQUEST_OPENED"),
        ]);
        assert_eq!(denied["attributes"], expected);
        let plain = &records[1];
        assert_eq!((&plain["severityNumber"], &plain["timeUnixNano"]), (&json!(9), &json!("5000000")));
        assert_eq!(plain["attributes"].as_array().unwrap().len(), 5, "{plain}");
        let resource = &told["resourceLogs"][0]["resource"]["attributes"];
        assert!(resource.as_array().unwrap().contains(&text("service.name", "lethe")), "{resource}");
        assert!(resource.as_array().unwrap().contains(&text("service.instance.id", "lethe/3f0c/acme/log")));
        // What reads OTLP reads it.
        let read: ExportLogsServiceRequest = serde_json::from_value(told).unwrap();
        assert_eq!(&read, batches[0].request());
    }

    #[test]
    fn batches_are_bounded_by_records_and_by_bytes() {
        let entries: Vec<_> = (0..10).map(|index| entry(index, PLAIN)).collect();
        let sizes = |bounds: Bounds| -> Vec<usize> {
            let batches = source().batches(&entries, bounds).unwrap();
            assert_eq!(batches.last().unwrap().next(), 10);
            batches.iter().map(|batch| batch.request().resource_logs[0].scope_logs[0].log_records.len()).collect()
        };
        assert_eq!(sizes(Bounds { records: 4, bytes: 1 << 20 }), [4, 4, 2]);
        let one = source().record(&entries[0], u64::MAX).unwrap().encoded_len();
        assert_eq!(sizes(Bounds { records: 100, bytes: 3 * one }), [3, 3, 3, 1]);
        assert_eq!(sizes(Bounds { records: 100, bytes: 1 }), [1; 10], "one goes, however long");
        assert!(source().batches(&[], Bounds::OF_CALLS).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for line in ["", "{}", r#"{"version":1,"time":"5","operation":"x","outcome":"allowed"}"#, "[1]"] {
            assert!(source().batches(&[entry(0, line)], Bounds::OF_CALLS).is_err(), "{line}");
        }
    }
}
