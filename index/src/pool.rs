use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Error;

/// The threads that scan galleries, apart from any async runtime.
///
/// Made once and shared: clones are handles on the same threads. Its size bounds the processor time
/// that searches take from everything else.
#[derive(Clone, Debug)]
pub struct Pool {
    threads: Arc<ThreadPool>,
}

impl Pool {
    /// Starts `threads` threads, or one for each core that the process may use.
    ///
    /// # Errors
    /// [`Error::Pool`] if the operating system starts none.
    pub fn new(threads: Option<usize>) -> Result<Self, Error> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or_else(cores).max(1))
            .thread_name(|i| format!("lethe-scan-{i}"))
            .build()
            .map_err(|e| Error::Pool { reason: e.to_string() })?;
        Ok(Self { threads: Arc::new(pool) })
    }

    /// Number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Runs a job on one of the threads and returns at once. A search that the job makes on this pool
    /// uses the other threads too.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.threads.spawn(job);
    }

    /// Runs a job on the threads and waits for it.
    pub fn run<R: Send>(&self, job: impl FnOnce() -> R + Send) -> R {
        self.threads.install(job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_run_on_threads_of_the_pool() {
        let pool = Pool::new(Some(2)).unwrap();
        assert_eq!(pool.threads(), 2);
        let (send, receive) = mpsc::sync_channel(1);
        pool.spawn(move || send.send(std::thread::current().name().map(str::to_owned)).unwrap());
        assert!(receive.recv().unwrap().unwrap().starts_with("lethe-scan-"));
        assert!(Pool::new(None).unwrap().threads() >= 1);
    }
}
