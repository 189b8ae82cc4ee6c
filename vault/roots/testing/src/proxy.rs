//! Something between the store and the server that loses answers.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes requests on. Of those with a body (the changes), answers are lost after so many were passed back.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    left: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of the server on this port.
    #[must_use]
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let counter = Arc::clone(&left);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                pass(client, server, &counter);
            }
        });
        Self { port, left }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on passes so many answers to changes back, loses the next one, and all later ones.
    pub fn lose_after(&self, answers: usize) {
        self.left.store(answers, Ordering::SeqCst);
    }

    /// From now on passes everything back.
    pub fn lose_nothing(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }
}

fn pass(mut client: TcpStream, server: u16, left: &AtomicUsize) {
    // A request of the store is small, but its head and body may come apart.
    let mut request = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while !is_whole(&request) {
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
    let changes = request.starts_with(b"POST") || request.starts_with(b"DELETE");
    let mut upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
    upstream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    let _ = upstream.read_to_end(&mut answer);
    let lost = changes && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err();
    if !lost {
        let _ = client.write_all(&answer);
    }
}

fn take(left: usize) -> Option<usize> {
    if left == usize::MAX { Some(left) } else { left.checked_sub(1) }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    request.len() >= head.len() + 4 + length
}
