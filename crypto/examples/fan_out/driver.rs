//! Asks one worker after the other, and writes the page that `docs/benchmarks` has.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lethe_crypto::BoxError;

/// The format's fan-out, which the others are compared with.
const FORMAT: usize = 64;
const PEOPLE: [u64; 5] = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
/// Erasures that share an epoch, and epochs of one run.
const CROWDS: [(u64, u64); 3] = [(1, 40), (100, 5), (1000, 2)];
/// Runs that count; one before them warms up.
const RUNS: usize = 7;
/// Where keys are looked up, and all pages taken into memory.
const MIDDLE: u64 = 1_000_000;
/// Leaves that the product keeps in memory.
const LEAVES: f64 = 16_384.0;
const MIB: f64 = 1_048_576.0;

/// A process with a fan-out of its own.
struct Worker {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    fan_out: usize,
}

impl Worker {
    fn start(program: &Path) -> Result<Self, BoxError> {
        let mut command = Command::new(program);
        let mut process = command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (questions, answers) = pipes.ok_or("a worker without pipes")?;
        let mut worker = Self { process, questions, answers: BufReader::new(answers), fan_out: 0 };
        worker.fan_out = worker.answer::<1>()?[0] as usize;
        Ok(worker)
    }

    fn ask<const N: usize>(&mut self, question: &str) -> Result<[f64; N], BoxError> {
        writeln!(self.questions, "{question}")?;
        self.answer()
    }

    fn answer<const N: usize>(&mut self) -> Result<[f64; N], BoxError> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers = line.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        numbers.try_into().map_err(|_| format!("a worker answered {line:?}").into())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Already gone is as good as gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What one fan-out took, run by run.
type Runs<const N: usize> = Vec<[f64; N]>;

pub(crate) fn measure(programs: &[PathBuf]) -> Result<(), BoxError> {
    let mut workers = programs.iter().map(|program| Worker::start(program)).collect::<Result<Vec<_>, _>>()?;
    workers.sort_by_key(|worker| worker.fan_out);
    let format = workers.iter().position(|worker| worker.fan_out == FORMAT);
    let format = format.ok_or("one of the programs must have the fan-out of the format")?;
    let heading = |first: &str| {
        let columns: Vec<String> = workers.iter().map(|worker| worker.fan_out.to_string()).collect();
        format!("| {first} | {} |\n|---|{}\n", columns.join(" | "), "--:|".repeat(workers.len()))
    };
    let (by_people, by_fan_out) = (heading("people, erased in one epoch"), heading("fan-out"));

    let (mut bytes, mut rewriting, mut epochs) = (by_people.clone(), by_people.clone(), by_people);
    for people in PEOPLE {
        for (crowd, many) in CROWDS {
            eprintln!("{people} people, {crowd} in one epoch");
            let runs = in_turns::<4>(&mut workers, &format!("erase {people} {crowd} {many}"), RUNS)?;
            let name = format!("{}, {crowd}", thousands(people));
            let written = runs.iter().map(|runs| format!("{:.0} B, {:.1} pages", mean(runs, 0), mean(runs, 1)));
            bytes += &row(&name, written);
            rewriting += &row(&name, ratios(&runs, format, 2));
            epochs += &row(&name, ratios(&runs, format, 3));
        }
    }

    eprintln!("looking up");
    let runs = in_turns::<9>(&mut workers, &format!("look-up {MIDDLE}"), RUNS)?;
    let mut look_ups = by_fan_out.clone();
    for (kind, at) in [("no page in memory", 0), ("inner pages in memory", 3), ("nothing ever written", 6)] {
        let read = runs.iter().map(|runs| format!("{:.1} pages, {:.0} B", mean(runs, at), mean(runs, at + 1)));
        look_ups += &row(&format!("{kind}: reads"), read);
        look_ups += &row(&format!("{kind}: time, {FORMAT} = 1"), ratios(&runs, format, at + 2));
    }

    eprintln!("filling caches");
    let mut memory = by_fan_out;
    let mut page = Vec::new();
    for worker in &mut workers {
        let [_, bytes] = worker.ask(&format!("memory {MIDDLE}"))?;
        page.push(bytes);
    }
    memory += &row("a page in memory", page.iter().map(|bytes| format!("{bytes:.0} B")));
    for people in PEOPLE {
        let mut cells = Vec::new();
        for (worker, page) in workers.iter_mut().zip(&page) {
            let [inner] = worker.ask(&format!("inner {people}"))?;
            cells.push(format!("{inner:.0}, {:.2} MiB", inner * page / MIB));
        }
        memory += &row(&format!("inner pages, {} people", thousands(people)), cells.into_iter());
    }
    memory += &row("16,384 leaves", page.iter().map(|bytes| format!("{:.1} MiB", LEAVES * bytes / MIB)));
    let covered = workers.iter().map(|worker| thousands((LEAVES as usize * worker.fan_out / 2) as u64));
    memory += &row("people below them", covered);

    print(&[&bytes, &rewriting, &epochs, &look_ups, &memory])
}

/// The same question to all, A B C A B C; the first round is not kept.
fn in_turns<const N: usize>(workers: &mut [Worker], question: &str, runs: usize) -> Result<Vec<Runs<N>>, BoxError> {
    let mut kept: Vec<Runs<N>> = vec![Vec::new(); workers.len()];
    for round in 0..=runs {
        for (worker, kept) in workers.iter_mut().zip(&mut kept) {
            let answer = worker.ask(question)?;
            if round > 0 {
                kept.push(answer);
            }
        }
    }
    Ok(kept)
}

/// For each fan-out the median of its ratios to the format's in the same round, and their spread.
fn ratios<const N: usize>(runs: &[Runs<N>], format: usize, at: usize) -> impl Iterator<Item = String> {
    runs.iter().map(move |these| {
        let mut ratios: Vec<f64> =
            these.iter().zip(&runs[format]).map(|(this, format)| this[at] / format[at]).collect();
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        let spread = (ratios[ratios.len() - 1] - ratios[0]) / median;
        format!("{median:.2} ± {:.0} %", spread * 50.0)
    })
}

fn mean<const N: usize>(runs: &Runs<N>, at: usize) -> f64 {
    runs.iter().map(|run| run[at]).sum::<f64>() / runs.len() as f64
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {name} | {} |\n", cells.join(" | "))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

fn print(tables: &[&str; 5]) -> Result<(), BoxError> {
    let [bytes, rewriting, epochs, look_ups, memory] = tables;
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let text = format!(
        "# The fan-out of the key tree

Made by `make fan-out`. What was decided by it: [ADR 28](../adr/0028-the-fan-out-is-64.md).

The tree, its rewriting, the epoch writer and the file root store are the product's, built for each fan-out; the journal is in
memory. One tenant; a person has two slots, one after the other. Who is erased is drawn at random. Times are medians of {RUNS} ratios
to the fan-out of {FORMAT}, each of two runs of the same round, ± half of what lies between the smallest and the largest. {cpu}, load {load}
at the end.

## Written for one erasure

Pages, their keys, the epoch's state twice, and the keys of deleted pages: what one database is given. A mirror gets the same
again. Beside it an epoch overwrites four blocks of the root store, 16 KiB, whatever the fan-out.

{bytes}
## Rewriting the tree, in memory, for one erasure

{FORMAT} = 1.

{rewriting}
## An epoch, for one erasure

With the root store's four syncs, and the new tree read back and authenticated; without a database. {FORMAT} = 1.

{epochs}
## Looking a key up

{people} people. Those who were erased, as every page on their way is written.

{look_ups}
## Memory

Where every page is written: after so many erasures, everywhere, that each leaf had one. A page was measured with {people}
people, the number of inner pages is counted.

{memory}",
        cpu = cpu.trim_start_matches([' ', '\t', ':']),
        people = thousands(MIDDLE),
    );
    print!("{text}");
    Ok(std::io::stdout().flush()?)
}
