//! Rows of a file as items of a stream.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use lethe_dataset::npy::{MatrixReader, read_labels};
use lethe_proto::v1::{BatchEnrollRequest, Capture, CaptureKind, ModelVersion};
use prost_types::Timestamp;
use tokio::sync::mpsc;

use super::stream::Item;
use crate::cli::capture::attest;
use crate::cli::exit::Failure;
use crate::cli::request_id;

/// What all items have in common.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) parent: String,
    pub(super) purpose: i32,
    pub(super) import_id: String,
    pub(super) prefix: String,
    pub(super) model: ModelVersion,
    pub(super) kind: CaptureKind,
    pub(super) quality: f32,
    pub(super) captured_at: Timestamp,
    /// What a capture service signed about each row, in their order; empty where it did not, or about none.
    pub(super) attestations: Vec<String>,
}

/// Rows `first..end` of a file that is open.
pub(super) struct Rows {
    reader: MatrixReader<BufReader<File>>,
    labels: Option<Vec<i64>>,
    first: u64,
    end: u64,
}

impl Rows {
    /// Opens a file and its labels.
    pub(super) fn open(file: &Path, labels: Option<&Path>, skip: u64, limit: Option<u64>) -> Result<Self, Failure> {
        let unreadable = |error: lethe_dataset::Error| Failure::usage(error.to_string());
        let reader = MatrixReader::open(file).map_err(unreadable)?;
        let rows = reader.rows();
        let labels = labels.map(read_labels).transpose().map_err(unreadable)?;
        if let Some(labels) = labels.as_ref().filter(|labels| labels.len() as u64 != rows) {
            return Err(Failure::usage(format!(
                "{} has {rows} rows, but there are {} labels",
                file.display(),
                labels.len()
            )));
        }
        let end = limit.map_or(rows, |limit| rows.min(skip.saturating_add(limit)));
        if skip > rows {
            let file = file.display();
            return Err(Failure::usage(format!("{file} has {rows} rows; {skip} cannot be skipped")));
        }
        Ok(Self { reader, labels, first: skip, end })
    }

    /// How many the file has.
    pub(super) fn total(&self) -> u64 {
        self.reader.rows()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.end.saturating_sub(self.first)
    }

    /// Sends them one by one, until the end, the first fault of the file, or nobody takes them.
    pub(super) fn send(mut self, plan: &Plan, to: &mpsc::Sender<Result<Item, Failure>>) {
        let mut embedding = vec![0.0; self.reader.dimension()];
        for row in 0..self.end {
            let item = match self.reader.read_row(&mut embedding) {
                Ok(true) if row < self.first => continue,
                Ok(true) => self.item(plan, row, embedding.clone()),
                Ok(false) => return,
                Err(error) => Err(Failure::failed(error.to_string())),
            };
            let failed = item.is_err();
            if to.blocking_send(item).is_err() || failed {
                return;
            }
        }
    }

    fn item(&self, plan: &Plan, row: u64, embedding: Vec<f32>) -> Result<Item, Failure> {
        let label = self.labels.as_ref().and_then(|labels| labels.get(usize::try_from(row).ok()?));
        let subject_id = match label {
            Some(label) => format!("{}{label}", plan.prefix),
            None => format!("{}{row}", plan.prefix),
        };
        let mut capture = Capture {
            embedding,
            model: Some(plan.model.clone()),
            kind: plan.kind.into(),
            quality: Some(plan.quality),
            capture_time: Some(plan.captured_at),
            attestation: String::new(),
        };
        let signed = usize::try_from(row).ok().and_then(|row| plan.attestations.get(row));
        if let Some(text) = signed.filter(|text| !text.is_empty()) {
            attest(&mut capture, text)?;
        }
        Ok(Item {
            row,
            request: BatchEnrollRequest {
                parent: plan.parent.clone(),
                purpose: plan.purpose,
                request_id: request_id::of_row(&plan.import_id, row),
                subject_id,
                template: Some(capture),
                item_id: row.to_string(),
            },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lethe_dataset::npy::{MatrixWriter, write_labels};

    use super::*;

    fn plan() -> Plan {
        Plan {
            parent: "tenants/acme".into(),
            purpose: 1,
            import_id: "00000000-0000-4000-8000-000000000000".into(),
            prefix: "subject-".into(),
            model: ModelVersion { id: "m".into(), version: "1".into() },
            kind: CaptureKind::Selfie,
            quality: 0.5,
            captured_at: Timestamp::default(),
            attestations: Vec::new(),
        }
    }

    fn items(rows: Rows) -> Vec<Item> {
        let (sender, mut receiver) = mpsc::channel(64);
        rows.send(&plan(), &sender);
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).collect::<Result<_, _>>().unwrap()
    }

    fn matrix(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("m.npy");
        let mut writer = MatrixWriter::create(&path, 2).unwrap();
        for row in 0..5_u8 {
            writer.push(&[f32::from(row), 1.0]).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    #[test]
    fn rows_are_named_by_number_or_label() {
        let folder = tempfile::tempdir().unwrap();
        let file = matrix(folder.path());
        let plain = items(Rows::open(&file, None, 0, None).unwrap());
        assert_eq!(plain.len(), 5);
        assert_eq!(plain[3].request.subject_id, "subject-3");
        assert_eq!(plain[3].request.template.as_ref().unwrap().embedding, [3.0, 1.0]);

        let labels = folder.path().join("labels.npy");
        write_labels(&labels, &[7, 7, 8, -9, 7]).unwrap();
        let named = items(Rows::open(&file, Some(&labels), 0, None).unwrap());
        assert_eq!(named[1].request.subject_id, "subject-7");
        assert_eq!(named[3].request.subject_id, "subject--9");
        // Two rows of one person are two requests.
        assert_ne!(named[0].request.request_id, named[1].request.request_id);

        write_labels(&labels, &[7, 7]).unwrap();
        assert!(Rows::open(&file, Some(&labels), 0, None).is_err());
    }

    #[test]
    fn a_part_keeps_the_numbers_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = matrix(folder.path());
        let whole = items(Rows::open(&file, None, 0, None).unwrap());
        let rows = Rows::open(&file, None, 1, Some(2)).unwrap();
        assert_eq!(rows.count(), 2);
        let part = items(rows);
        assert_eq!(part.iter().map(|item| item.row).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(part[0].request, whole[1].request);
        assert_eq!(items(Rows::open(&file, None, 5, None).unwrap()), []);
        assert!(Rows::open(&file, None, 6, None).is_err());
    }
}
