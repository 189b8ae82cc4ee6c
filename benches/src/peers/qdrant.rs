//! Qdrant Edge, asked the same question, in a process of its own (`benches/qdrant/peer.py`).

use std::collections::BTreeSet;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// The program at the other end.
const PEER: &str = include_str!("../../qdrant/peer.py");

/// Efforts that tuning tries, one after the other: candidates of the graph, and how many times as many as are wanted are scored
/// with the original vectors.
const EFFORTS: [(u32, f32); 8] =
    [(64, 2.0), (128, 2.0), (128, 4.0), (256, 4.0), (512, 4.0), (1024, 8.0), (2048, 16.0), (4096, 32.0)];

/// An index with binary quantization and rescoring, over vectors numbered from 0.
#[derive(Debug)]
pub struct Qdrant {
    child: Child,
    probes: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
    effort: (u32, f32),
    built: Built,
}

/// What indexing took.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Built {
    /// Seconds.
    pub seconds: f64,
    /// Bytes that the process had grown by.
    pub resident: u64,
}

#[derive(Deserialize)]
struct Found {
    seconds: f64,
    ids: Vec<u64>,
    scores: Vec<f32>,
}

impl Qdrant {
    /// Indexes `count` vectors, given in batches, row-major, below `folder`, with this Python interpreter, which has
    /// `qdrant-edge-py`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Invalid`] if it does not run.
    pub fn build(
        python: &Path,
        folder: &Path,
        dimension: usize,
        count: u64,
        threads: usize,
        batches: impl Iterator<Item = Vec<f32>>,
    ) -> Result<Self, Error> {
        let arguments = [dimension.to_string(), count.to_string(), threads.to_string()];
        let started = Command::new(python)
            .args(["-c", PEER])
            .arg(folder.join("qdrant"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = started.map_err(Error::io(python.display().to_string()))?;
        let (Some(probes), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::invalid("Qdrant's process has no pipes"));
        };
        let (mut probes, mut answers) = (BufWriter::new(probes), BufReader::new(answers));
        for batch in batches {
            write(&mut probes, &batch)?;
        }
        probes.flush().map_err(Error::io("writing to Qdrant's process"))?;
        let built = read(&mut answers)?;
        Ok(Self { child, probes, answers, effort: EFFORTS[0], built })
    }

    /// What indexing took.
    #[must_use]
    pub fn built(&self) -> Built {
        self.built
    }

    /// Gives it the least effort with which it finds all that it should, as [`Faiss::tune`](super::Faiss::tune) does, or the most
    /// there is.
    ///
    /// # Errors
    /// As [`Qdrant::build`].
    pub fn tune(&mut self, probes: &[Vec<f32>], wanted: &[BTreeSet<u64>], k: u32) -> Result<(), Error> {
        for effort in EFFORTS {
            self.effort = effort;
            let mut misses = false;
            for (probe, wanted) in probes.iter().zip(wanted) {
                let found: BTreeSet<u64> = self.search(probe, k)?.0.into_iter().map(|(number, _)| number).collect();
                misses |= !wanted.is_subset(&found);
            }
            if !misses {
                break;
            }
        }
        Ok(())
    }

    /// The numbers and cosines of the `k` nearest to `probe`, best first, and the seconds that it took inside the process.
    ///
    /// # Errors
    /// As [`Qdrant::build`].
    pub fn search(&mut self, probe: &[f32], k: u32) -> Result<(Vec<(u64, f32)>, f64), Error> {
        let (candidates, oversampling) = self.effort;
        let head = [k.to_le_bytes(), candidates.to_le_bytes(), oversampling.to_le_bytes()].concat();
        self.probes.write_all(&head).map_err(Error::io("writing to Qdrant's process"))?;
        write(&mut self.probes, probe)?;
        self.probes.flush().map_err(Error::io("writing to Qdrant's process"))?;
        let Found { seconds, ids, scores } = read(&mut self.answers)?;
        Ok((ids.into_iter().zip(scores).collect(), seconds))
    }
}

impl Drop for Qdrant {
    fn drop(&mut self) {
        // It has nothing that is worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(to: &mut impl std::io::Write, vectors: &[f32]) -> Result<(), Error> {
    let bytes: Vec<u8> = vectors.iter().flat_map(|value| value.to_le_bytes()).collect();
    to.write_all(&bytes).map_err(Error::io("writing to Qdrant's process"))
}

fn read<T: DeserializeOwned>(from: &mut impl std::io::BufRead) -> Result<T, Error> {
    let mut line = String::new();
    from.read_line(&mut line).map_err(Error::io("reading from Qdrant's process"))?;
    let nothing = || Error::invalid("Qdrant's process ended; does its Python have qdrant-edge-py?");
    serde_json::from_str(&line).map_err(|_| nothing())
}
