//! `lethe-bench`: how fast the vault is, always against something.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lethe_benches::host::{Host, busy, is_in_memory};
use lethe_benches::peers::{Kind, serve_echo};
use lethe_benches::record::{Lines, Record, Sink, Table};
use lethe_benches::report::{self, Store};
use lethe_benches::scenario::{Scenario, Settings};
use lethe_benches::{Error, bytes, child, vault};
use lethe_dataset::{Model, Population};
use tokio::net::TcpListener;

/// Measures the vault against peers and physical limits: ratios of neighbouring runs, medians, spread.
#[derive(Debug, Parser)]
#[command(name = "lethe-bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 1:N search, against FAISS, memory bandwidth and the exact answer.
    Search(Options),
    /// 1:1 verification, against a tonic echo and raw reads.
    Verify(Options),
    /// Enrolment, against raw RocksDB.
    Enroll(Options),
    /// Erasure, against a small gallery, re-encryption and plain deletion.
    Erase(Options),
    /// Starting, against reading and opening every row.
    Start(Options),
    /// A sweep for duplicates, against FAISS's exact search by matrix multiplication.
    Sweep(Options),
    /// Judging who ends, of everybody, against reading and opening what is known of them.
    Retention(Options),
    /// Everything above.
    All(Options),
    /// Where the bytes of an erasure go, by file and by kind of row: a page of tables on standard output.
    Bytes(BytesOptions),
    /// Turns stored results into pages with plots.
    Report {
        /// Folder that results were stored in.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Folder for the pages.
        #[arg(long, value_name = "DIR", default_value = "docs/benchmarks")]
        to: PathBuf,
    },
    /// A server for a measurement; this program starts it itself.
    #[command(subcommand, hide = true)]
    Child(ChildCommand),
}

#[derive(Debug, Subcommand)]
enum ChildCommand {
    Echo,
    Vault {
        folder: PathBuf,
        #[arg(long)]
        window: Option<u64>,
    },
}

#[derive(Debug, Args)]
struct Options {
    /// Templates in the gallery; several sizes give exponents of growth in the report.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "10000")]
    #[arg(value_parser = clap::value_parser!(u64).range(1000..))]
    size: Vec<u64>,

    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,

    /// Also add the results to this folder, for `report`.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    /// Pairs of runs, at least 5.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(5..))]
    runs: u32,

    /// Threads of the scan and of the peers that take a number; all cores if not given.
    #[arg(long)]
    threads: Option<usize>,

    /// Values of an embedding.
    #[arg(long, default_value_t = 512, value_parser = dimension)]
    dimension: usize,

    /// Bits that the vault keeps of each coordinate for searches, 1 or 2.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    sketch_bits: u8,

    /// Seed of the generated people.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Seconds that a run of load lasts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,

    /// Where databases are made for the time of the measurement; created if missing.
    #[arg(long, value_name = "DIR", default_value = "lethe-data/bench")]
    scratch: PathBuf,

    /// Keep the vaults that are searched below this folder, and use those that are there, with the few thousand people that each run
    /// leaves: to import ten million takes half an hour.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,

    /// Further indexes to compare searches with, beside FAISS flat on one thread and on all.
    #[arg(long, value_enum)]
    peer: Vec<Peer>,

    /// Python interpreter that has the package qdrant-edge-py, for `--peer qdrant`.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    qdrant_python: PathBuf,
}

#[derive(Debug, Args)]
struct BytesOptions {
    /// People in the gallery.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    size: u64,

    /// Where the database is made for the time of the measurement; created if missing.
    #[arg(long, value_name = "DIR", default_value = "lethe-data/bench")]
    scratch: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peer {
    /// Approximate; takes minutes to build at 100,000 and over an hour at 1,000,000.
    Hnsw,
    /// Qdrant Edge with binary quantization and rescoring, approximate; needs Python and a package of it.
    Qdrant,
}

fn dimension(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(dimension @ (128 | 512 | 1024)) => Ok(dimension),
        Ok(_) | Err(_) => Err("128, 512 or 1024".into()),
    }
}

/// Has OpenBLAS, which FAISS multiplies matrices with, use what this processor has. It reads the variable as it is loaded, before any
/// code of ours runs, and does not know processors that are newer than itself: those get its oldest code, many times slower.
fn begin_with_fast_blas() {
    const VARIABLE: &str = "OPENBLAS_CORETYPE";
    let core = match () {
        () if std::env::var_os(VARIABLE).is_some() => return,
        #[cfg(target_arch = "x86_64")]
        () if is_x86_feature_detected!("avx512f") => "SkylakeX",
        #[cfg(target_arch = "x86_64")]
        () if is_x86_feature_detected!("avx2") => "Haswell",
        () => return,
    };
    let Ok(program) = std::env::current_exe() else { return };
    // Does not return, unless it cannot.
    let refused = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(VARIABLE, core).exec();
    eprintln!("lethe-bench: OpenBLAS may be slow, as the program cannot begin again with {VARIABLE}={core}: {refused}");
}

fn main() -> ExitCode {
    begin_with_fast_blas();
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io { what: "starting the runtime".into(), source })
        .and_then(|runtime| runtime.block_on(run(arguments.command)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lethe-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Error> {
    let all = [
        Scenario::Search,
        Scenario::Verify,
        Scenario::Enroll,
        Scenario::Erase,
        Scenario::Start,
        Scenario::Sweep,
        Scenario::Retention,
    ];
    match command {
        Command::Search(options) => measure(&[Scenario::Search], &options).await,
        Command::Verify(options) => measure(&[Scenario::Verify], &options).await,
        Command::Enroll(options) => measure(&[Scenario::Enroll], &options).await,
        Command::Erase(options) => measure(&[Scenario::Erase], &options).await,
        Command::Start(options) => measure(&[Scenario::Start], &options).await,
        Command::Sweep(options) => measure(&[Scenario::Sweep], &options).await,
        Command::Retention(options) => measure(&[Scenario::Retention], &options).await,
        Command::All(options) => measure(&all, &options).await,
        Command::Bytes(options) => erase_bytes(&options).await,
        Command::Report { from, to } => {
            for file in report::write(&from, &to)? {
                println!("{}", to.join(file).display());
            }
            Ok(())
        }
        Command::Child(server) => {
            child::end_with_parent()?;
            match server {
                ChildCommand::Vault { folder, window } => vault::serve(&folder, window).await,
                ChildCommand::Echo => echo().await,
            }
        }
    }
}

async fn erase_bytes(options: &BytesOptions) -> Result<(), Error> {
    const DIMENSION: usize = 512;
    let BytesOptions { size, scratch } = options;
    std::fs::create_dir_all(scratch).map_err(|source| Error::Io { what: scratch.display().to_string(), source })?;
    preface(&Host::here(), scratch)?;
    let model = Model::for_dimension(DIMENSION).ok_or_else(|| Error::Invalid("no such people".into()))?;
    print!("{}", bytes::measure(scratch, &Population::new(model, 1), *size).await?);
    Ok(())
}

async fn echo() -> Result<(), Error> {
    let failed = |source| Error::Io { what: "listening".into(), source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    println!("{}http://{}", child::READY, listener.local_addr().map_err(failed)?);
    serve_echo(listener).await
}

async fn measure(scenarios: &[Scenario], options: &Options) -> Result<(), Error> {
    let host = Host::here();
    let scratch = options.scratch.clone();
    std::fs::create_dir_all(&scratch).map_err(|source| Error::Io { what: scratch.display().to_string(), source })?;
    preface(&host, &scratch)?;
    let mut faiss = vec![Kind::Flat, Kind::FlatSharded];
    faiss.extend(options.peer.iter().filter_map(|peer| match peer {
        Peer::Hnsw => Some(Kind::Hnsw),
        Peer::Qdrant => None,
    }));
    let qdrant = options.peer.iter().any(|peer| matches!(peer, Peer::Qdrant));
    let settings = Settings {
        runs: options.runs,
        threads: options.threads.unwrap_or(host.cores).max(1),
        dimension: options.dimension,
        sketch_bits: options.sketch_bits,
        seed: options.seed,
        duration: Duration::from_secs(options.seconds),
        scratch,
        keep: options.keep.clone(),
        faiss,
        qdrant: qdrant.then(|| options.qdrant_python.clone()),
        smallest: options.size.iter().copied().min().unwrap_or(u64::MAX),
    };
    let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name()).collect();
    let store = options.store.as_deref().map(|folder| Store::create(folder, &host, &names)).transpose()?;
    let stdout = std::io::stdout();
    let shown: Box<dyn Sink> = if options.json { Box::new(Lines(stdout)) } else { Box::new(Table::new(stdout)) };
    let mut sink = Both { shown, store };
    for scenario in scenarios {
        for &n in &options.size {
            warn_if_busy().await;
            scenario.run(&settings, n, &mut sink).await?;
        }
    }
    Ok(())
}

/// What a reader of the figures has to know, on standard error so that `--json` stays clean.
fn preface(host: &Host, scratch: &Path) -> Result<(), Error> {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(
        stderr,
        "{}, {} cores, Linux {}, {}\nThe vault, the peer servers and the load generator are separate processes on \
         these same cores. {}",
        host.cpu,
        host.cores,
        host.kernel,
        host.commit,
        report::PINNING
    );
    if is_in_memory(scratch)? {
        let _ = writeln!(
            stderr,
            "{} is held in memory: a synced write costs nothing there, so enroll and erase say little. \
             Choose another with --scratch.",
            scratch.display()
        );
    }
    Ok(())
}

/// On a busy machine figures are worse than noisy: a thread that slept waits for a whole tick of the scheduler,
/// and whether it is ours or the peer's decides the ratio.
async fn warn_if_busy() {
    const TOLERABLE: f64 = 0.1;
    if let Some(share) = busy().await.filter(|share| *share > TOLERABLE) {
        eprintln!("{:.0} % of the cores' time goes to other work: do not keep these figures.", share * 100.0);
    }
}

/// Shows a record and stores it.
struct Both {
    shown: Box<dyn Sink>,
    store: Option<Store>,
}

impl Sink for Both {
    fn put(&mut self, record: &Record) -> std::io::Result<()> {
        self.shown.put(record)?;
        self.store.as_mut().map_or(Ok(()), |store| store.put(record))
    }
}
