//! One thread that owns a device: what speaks to it is neither shared nor moved, calls wait in a row, and one
//! that takes too long is given up by its caller, not by the thread.

use std::sync::Arc;
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

/// Makes the state, on the thread that owns it.
type Make<S> = Arc<dyn Fn() -> Result<S> + Send + Sync>;

/// A thread and the state it owns. One that panicked is replaced by the next call.
pub(crate) struct Worker<S> {
    name: &'static str,
    thread: Mutex<Option<Thread<S>>>,
    /// Held by who replaces it.
    replacing: tokio::sync::Mutex<()>,
    make: Make<S>,
    timeout: Duration,
}

struct Thread<S> {
    jobs: SyncSender<Job<S>>,
    ended: Receiver<()>,
}

impl<S: 'static> Thread<S> {
    /// Starts it; `ready` hears whether there is a state.
    fn start(name: &'static str, make: Make<S>, ready: impl FnOnce(Result<()>) + Send + 'static) -> Result<Self> {
        let (jobs, queue) = sync_channel::<Job<S>>(QUEUE);
        let (end, ended) = sync_channel(1);
        let thread = move || {
            match make() {
                Ok(mut state) => {
                    // Nobody waits any more if making it took too long: then nobody sends jobs, either.
                    ready(Ok(()));
                    while let Ok(job) = queue.recv() {
                        job(&mut state);
                    }
                    drop(state);
                }
                Err(error) => ready(Err(error)),
            }
            let _ = end.send(());
        };
        thread::Builder::new().name(name.to_owned()).spawn(thread).map_err(|_| Error::Stopped.during("opening"))?;
        Ok(Self { jobs, ended })
    }
}

impl<S: 'static> Worker<S> {
    /// Starts the thread. `make` runs on it, within `timeout`, and gives the state and whatever the caller
    /// wants to know of it. It runs again if the thread must be replaced.
    pub(crate) fn start<T: Send + 'static>(
        name: &'static str,
        timeout: Duration,
        make: impl Fn() -> Result<(S, T)> + Send + Sync + 'static,
    ) -> Result<(Self, T)> {
        let (tell, told) = sync_channel(QUEUE);
        let make: Make<S> = Arc::new(move || {
            let (state, telling) = make()?;
            // Only the first is heard.
            let _ = tell.try_send(telling);
            Ok(state)
        });
        let (ready, made) = sync_channel(1);
        let thread = Thread::start(name, Arc::clone(&make), move |made| drop(ready.send(made)))?;
        match made.recv_timeout(timeout) {
            Ok(made) => made?,
            Err(RecvTimeoutError::Timeout) => return Err(Error::Timeout(timeout).during("opening")),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped.during("opening")),
        }
        let telling = told.try_recv().map_err(|_| Error::Stopped.during("opening"))?;
        let (thread, replacing) = (Mutex::new(Some(thread)), tokio::sync::Mutex::new(()));
        Ok((Self { name, thread, replacing, make, timeout }, telling))
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
                let result = {
                    let _wipe = WipeStack;
                    apart(job, state)
                };
                let _ = answer.send(result);
            }
        });
        if let Some(job) = self.send(action, job)? {
            self.replace(action).await?;
            if self.send(action, job)?.is_some() {
                return Err(Error::Stopped.during(action));
            }
        }
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::Stopped.during(action)),
            Err(_) => Err(Error::Timeout(self.timeout).during(action)),
        }
    }

    /// Gives the job back if the thread is gone.
    fn send(&self, action: &'static str, job: Job<S>) -> Result<Option<Job<S>>> {
        let thread = self.thread.lock();
        let Some(thread) = &*thread else { return Ok(Some(job)) };
        match thread.jobs.try_send(job) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(_)) => Err(Error::Busy("too many calls wait").during(action)),
            Err(TrySendError::Disconnected(job)) => Ok(Some(job)),
        }
    }

    /// Another thread in the place of one that panicked.
    async fn replace(&self, action: &'static str) -> Result<()> {
        let _one = self.replacing.lock().await;
        let probe: Job<S> = Box::new(|_| ());
        if self.send(action, probe)?.is_none() {
            return Ok(());
        }
        tracing::warn!(
            thread = self.name,
            "the thread that speaks to the root store panicked; another takes its place"
        );
        let (ready, made) = oneshot::channel();
        let thread = Thread::start(self.name, Arc::clone(&self.make), move |made| drop(ready.send(made)))?;
        match tokio::time::timeout(self.timeout, made).await {
            Ok(Ok(made)) => made?,
            Ok(Err(_)) => return Err(Error::Stopped.during(action)),
            Err(_) => return Err(Error::Timeout(self.timeout).during(action)),
        }
        *self.thread.lock() = Some(thread);
        Ok(())
    }
}

/// Runs a job in a frame of its own, which is no part of its caller's: so what it leaves lies where the stack is wiped.
#[inline(never)]
fn apart<S, T>(job: impl FnOnce(&mut S) -> T, state: &mut S) -> T {
    job(state)
}

/// Overwrites the stack when it is dropped: also after a job that panicked, as the thread's stack may be given to another.
struct WipeStack;

impl Drop for WipeStack {
    fn drop(&mut self) {
        wipe_stack();
    }
}

/// Overwrites the stack that a job has used: libraries of devices pass roots and keys by value, and leave them there.
#[inline(never)]
fn wipe_stack() {
    // The black box reads the zeros, so they are really written.
    std::hint::black_box(&mut [0_u8; WIPED_STACK]);
}

/// More than any call into such a library was seen to use, bytes: the buffers that they pass have 2 KiB each.
const WIPED_STACK: usize = 128 << 10;

impl<S> Drop for Worker<S> {
    /// Lets the thread close the device, so that it can be opened again at once; but waits no longer than for
    /// any call.
    fn drop(&mut self) {
        if let Some(Thread { jobs, ended }) = self.thread.lock().take() {
            drop(jobs);
            let _ = ended.recv_timeout(self.timeout);
        }
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
        let (worker, ()) = Worker::start("test", Duration::from_secs(2), || Ok((0, ()))).unwrap();
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
        let (worker, ()) = Worker::start("test", LONG, move || Ok((Device(closed.clone()), ()))).unwrap();
        drop(worker);
        assert!(is_closed.try_recv().is_ok());
    }

    #[test]
    fn a_thread_that_panicked_says_so_and_is_replaced() {
        let made = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&made);
        let make = move || match counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            // The device is away when it is looked for anew.
            1 => Err(Error::Busy("on purpose").during("opening")),
            state => Ok((state, state)),
        };
        let (worker, told) = Worker::start("test", LONG, make).unwrap();
        assert_eq!(told, 0);
        let panicked: Result<()> = wait(worker.call("panicking", |_| panic!("on purpose")));
        assert!(matches!(panicked, Err(lethe_crypto::Error::RootStore { action: "panicking", .. })));
        // The thread may still be unwinding.
        let after = (0..100).find_map(|_| wait(worker.call("going on", |state| Ok(*state))).ok());
        assert_eq!(after, Some(2), "the first attempt to replace it failed");
        assert_eq!(wait(worker.call("going on", |state| Ok(*state))).unwrap(), 2);
        let failed = Worker::<()>::start("test", LONG, || Err::<((), ()), _>(Error::Stopped.during("opening")));
        assert!(failed.is_err());
    }
}
