//! One measured ratio, as it is printed and stored.

use std::fmt;
use std::io::Write;

use serde::{Deserialize, Serialize};

/// One line of `--json`. Names never change: plots over years are drawn from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What was done: `search`, `start`, `enroll`, `verify`, `erase`.
    pub scenario: String,
    /// What was measured about it.
    pub metric: String,
    /// Median over the runs, in `unit`.
    pub value: f64,
    /// Unit of `value` and `peer_value`.
    pub unit: String,
    /// What it is compared with.
    pub peer: String,
    /// The peer's median, in `unit`.
    pub peer_value: f64,
    /// How well we do: the median over neighbouring runs of how many times better than the peer. At
    /// least 1 is at least as good; 30 is thirty times faster; 0.7 is seven tenths of its throughput.
    pub ratio: f64,
    /// Templates in the gallery.
    pub n: u64,
    /// Pairs of runs, warm-up excluded.
    pub runs: u32,
    /// (largest − smallest) / median of the ratios of single pairs.
    pub spread: f64,
}

/// Where records go while a scenario runs.
pub trait Sink {
    /// Takes one record.
    ///
    /// # Errors
    /// If it cannot be written.
    fn put(&mut self, record: &Record) -> std::io::Result<()>;
}

/// One JSON object a line.
#[derive(Debug)]
pub struct Lines<W>(pub W);

impl<W: Write> Sink for Lines<W> {
    fn put(&mut self, record: &Record) -> std::io::Result<()> {
        writeln!(self.0, "{}", serde_json::to_string(record)?)?;
        self.0.flush()
    }
}

/// A table for people.
#[derive(Debug)]
pub struct Table<W> {
    out: W,
    headed: bool,
}

impl<W: Write> Table<W> {
    /// An empty table on `out`.
    pub fn new(out: W) -> Self {
        Self { out, headed: false }
    }
}

impl<W: Write> Sink for Table<W> {
    fn put(&mut self, record: &Record) -> std::io::Result<()> {
        if !self.headed {
            self.headed = true;
            writeln!(
                self.out,
                "{:<8} {:<20} {:>10} {:>14} {:>14} {:<10} {:>9}  {:<20} {:>5} {:>7}",
                "scenario", "metric", "n", "lethe", "peer", "unit", "ratio", "peer is", "runs", "spread"
            )?;
        }
        writeln!(
            self.out,
            "{:<8} {:<20} {:>10} {:>14} {:>14} {:<10} {:>8}×  {:<20} {:>5} {:>6.0}%",
            record.scenario,
            record.metric,
            record.n,
            Figure(record.value).to_string(),
            Figure(record.peer_value).to_string(),
            record.unit,
            Figure(record.ratio).to_string(),
            record.peer,
            record.runs,
            record.spread * 100.0
        )?;
        self.out.flush()
    }
}

/// A number with three significant digits, or none lost where it is an integer of more.
#[derive(Debug, Clone, Copy)]
pub struct Figure(pub f64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        let decimals = match magnitude {
            x if x >= 100.0 => 0,
            x if x >= 10.0 => 1,
            x if x >= 1.0 => 2,
            x if x >= 0.1 => 3,
            x if x >= 0.01 => 4,
            x if x > 0.0 => return write!(f, "{:.2e}", self.0),
            _ => 0,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            scenario: "search".into(),
            metric: "grpc_p50".into(),
            value: 4.0,
            unit: "ms".into(),
            peer: "faiss_flat".into(),
            peer_value: 120.0,
            ratio: 30.0,
            n: 1_000_000,
            runs: 5,
            spread: 0.1,
        }
    }

    #[test]
    fn a_line_has_the_documented_fields_in_order_and_no_other() {
        let mut line = Vec::new();
        Lines(&mut line).put(&record()).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"scenario\":\"search\",\"metric\":\"grpc_p50\",\"value\":4.0,\"unit\":\"ms\",\
             \"peer\":\"faiss_flat\",\"peer_value\":120.0,\"ratio\":30.0,\"n\":1000000,\"runs\":5,\
             \"spread\":0.1}\n"
        );
    }

    #[test]
    fn a_line_reads_back_and_unknown_fields_are_refused() {
        let text = serde_json::to_string(&record()).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record());
        assert!(serde_json::from_str::<Record>(&text.replace("\"n\"", "\"m\"")).is_err());
    }

    #[test]
    fn the_table_has_one_heading() {
        let mut table = Vec::new();
        let mut sink = Table::new(&mut table);
        sink.put(&record()).unwrap();
        sink.put(&record()).unwrap();
        let table = String::from_utf8(table).unwrap();
        assert_eq!(table.lines().count(), 3);
        assert!(table.lines().nth(1).unwrap().contains("30.0×"), "{table}");
    }

    #[test]
    fn figures_keep_three_digits() {
        let shown: Vec<String> =
            [0.0, 0.004, 0.0449, 0.71, 4.2, 31.25, 412.4, 1e6].iter().map(|&x| Figure(x).to_string()).collect();
        assert_eq!(shown, ["0", "4.00e-3", "0.0449", "0.710", "4.20", "31.2", "412", "1000000"]);
    }
}
