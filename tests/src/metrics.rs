//! What a server counts, as a scraper sees it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// What a server says of itself, as OpenMetrics text.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    /// The value of a sample, by its name and its labels as they stand there.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn value(&self, sample: &str) -> f64 {
        let found = self.0.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("there is no {sample} in\n{}", self.0)).parse().unwrap()
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Status line, head and body of an answer to a request of one line, such as `GET /metrics`.
///
/// # Panics
/// If nothing answers there.
#[must_use]
pub fn ask(address: SocketAddr, request: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(crate::PATIENCE)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, head) = head.split_once("\r\n").unwrap();
    (status.to_owned(), head.to_lowercase(), body.to_owned())
}

/// What is to be read there.
pub(crate) fn read(address: SocketAddr) -> Metrics {
    let (status, head, body) = ask(address, "GET /metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    Metrics(body)
}
