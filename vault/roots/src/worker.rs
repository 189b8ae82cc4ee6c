//! One thread that owns a device: what speaks to it is neither shared nor moved, calls wait in a row, and one
//! that takes too long is given up by its caller, not by the thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use lethe_crypto::Result;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::Error;

/// How many calls may wait.
const QUEUE: usize = 64;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread and the state it owns.
pub(crate) struct Worker<S> {
    jobs: Option<SyncSender<Job<S>>>,
    ended: Mutex<Receiver<()>>,
    timeout: Duration,
}

impl<S: 'static> Worker<S> {
    /// Starts the thread. `make` runs on it, within `timeout`, and gives the state and whatever the caller
    /// wants to know of it.
    pub(crate) fn start<T: Send + 'static>(
        name: &'static str,
        timeout: Duration,
        make: impl FnOnce() -> Result<(S, T)> + Send + 'static,
    ) -> Result<(Self, T)> {
        let (jobs, queue) = sync_channel::<Job<S>>(QUEUE);
        let (ready, made) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let thread = move || {
            match make() {
                Ok((mut state, told)) => {
                    // Nobody waits any more if making it took too long: then nobody sends jobs, either.
                    let _ = ready.send(Ok(told));
                    while let Ok(job) = queue.recv() {
                        job(&mut state);
                    }
                    drop(state);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
            let _ = end.send(());
        };
        thread::Builder::new().name(name.to_owned()).spawn(thread).map_err(|_| Error::Stopped.during("opening"))?;
        let told = match made.recv_timeout(timeout) {
            Ok(made) => made?,
            Err(RecvTimeoutError::Timeout) => return Err(Error::Timeout(timeout).during("opening")),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped.during("opening")),
        };
        Ok((Self { jobs: Some(jobs), ended: Mutex::new(ended), timeout }, told))
    }

    /// Has the thread do something and waits for the answer, within the deadline.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        action: &'static str,
        job: impl FnOnce(&mut S) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job<S> = Box::new(move |state| {
            // Who asked has given up, and will ask again: nothing is done behind its back that need not be.
            if !answer.is_closed() {
                let _ = answer.send(job(state));
            }
        });
        let jobs = self.jobs.as_ref().ok_or_else(|| Error::Stopped.during(action))?;
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy("too many calls wait").during(action),
            TrySendError::Disconnected(_) => Error::Stopped.during(action),
        })?;
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::Stopped.during(action)),
            Err(_) => Err(Error::Timeout(self.timeout).during(action)),
        }
    }
}

impl<S> Drop for Worker<S> {
    /// Lets the thread close the device, so that it can be opened again at once; but waits no longer than for
    /// any call.
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.ended.lock().recv_timeout(self.timeout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn calls_run_on_the_one_thread_in_their_order() {
        let (worker, told) = Worker::start("test", LONG, || Ok((Vec::new(), thread::current().id()))).unwrap();
        for number in 0..10 {
            let id = wait(worker.call("adding", move |numbers: &mut Vec<i32>| {
                numbers.push(number);
                Ok(thread::current().id())
            }));
            assert_eq!(id.unwrap(), told);
        }
        let numbers = wait(worker.call("reading", |numbers| Ok(numbers.clone()))).unwrap();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_device_that_hangs_is_given_up_and_what_waited_behind_it_is_never_done() {
        let (worker, ()) = Worker::start("test", Duration::from_millis(50), || Ok((0, ()))).unwrap();
        let (release, released) = sync_channel::<()>(1);
        let hangs = wait(worker.call("hanging", move |_| {
            let _ = released.recv();
            Ok(())
        }));
        let source = |result: Result<()>| std::error::Error::source(&result.unwrap_err()).unwrap().to_string();
        assert!(source(hangs).starts_with("no answer within"));
        let behind = wait(worker.call("waiting", |count| {
            *count += 1;
            Ok(())
        }));
        assert!(source(behind).starts_with("no answer within"));
        release.send(()).unwrap();
        // The thread is free again; whether this call is the first to find it so does not matter.
        let count = loop {
            match wait(worker.call("reading", |count| Ok(*count))) {
                Ok(count) => break count,
                Err(lethe_crypto::Error::RootStore { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(count, 0);
    }

    #[test]
    fn dropping_waits_until_the_device_is_closed() {
        struct Device(SyncSender<()>);
        impl Drop for Device {
            fn drop(&mut self) {
                self.0.send(()).unwrap();
            }
        }
        let (closed, is_closed) = sync_channel(1);
        let (worker, ()) = Worker::start("test", LONG, move || Ok((Device(closed), ()))).unwrap();
        drop(worker);
        assert!(is_closed.try_recv().is_ok());
    }

    #[test]
    fn a_thread_that_panicked_says_so() {
        let (worker, ()) = Worker::start("test", LONG, || Ok(((), ()))).unwrap();
        let panicked: Result<()> = wait(worker.call("panicking", |()| panic!("on purpose")));
        assert!(matches!(panicked, Err(lethe_crypto::Error::RootStore { action: "panicking", .. })));
        let after = wait(worker.call("going on", |()| Ok(())));
        assert!(after.unwrap_err().to_string().contains("going on"));
        let failed = Worker::<()>::start("test", LONG, || Err::<((), ()), _>(Error::Stopped.during("opening")));
        assert!(failed.is_err());
    }
}
