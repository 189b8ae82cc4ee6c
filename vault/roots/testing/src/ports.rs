use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::ops::Range;

/// Where servers listen that find a port taken and try another, so often.
pub(crate) const TRIES: usize = 10;

/// The first of two free ports in a row, of this range. Ranges are below the ports that outgoing connections get, and pairs
/// do not overlap, as tests run side by side. Somebody may take it all the same before it is used.
pub(crate) fn free(range: Range<u16>) -> u16 {
    let pairs = u64::from((range.end - range.start) / 2);
    loop {
        let random = RandomState::new().hash_one(std::process::id());
        let port = range.start + 2 * u16::try_from(random % pairs).unwrap();
        if [port, port + 1].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
            return port;
        }
    }
}
