//! Something between the store and the TPM that listens, and has commands of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::swtpm::free_ports;

/// `TPM2_GetRandom` of 8 bytes, without a session: somebody else's command.
const SOMEBODY_ELSES: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8];

/// `TPM_CC_NV_Write`, `TPM_CC_NV_DefineSpace`, `TPM_CC_NV_UndefineSpace`.
const CHANGES: [u32; 3] = [0x137, 0x12a, 0x122];

#[derive(Default)]
struct Shared {
    /// Before so many changes, somebody else's command comes first.
    disturb: AtomicUsize,
    disturbed: AtomicUsize,
    heard: Mutex<Vec<u8>>,
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// In front of a software TPM's data channel; the control channel is passed on.
    pub(crate) fn to(tpm: u16) -> Self {
        let (port, shared) = (free_ports(), Arc::new(Shared::default()));
        let data = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let control = TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
        let heard = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in data.incoming() {
                let upstream = TcpStream::connect(("127.0.0.1", tpm)).unwrap();
                // One connection after the other, as the TPM has it; the end of each is no error.
                let _ = pass_commands(client.unwrap(), upstream, &heard);
            }
        });
        std::thread::spawn(move || {
            for client in control.incoming() {
                let (mut client, mut upstream) = (client.unwrap(), TcpStream::connect(("127.0.0.1", tpm + 1)).unwrap());
                let (mut back, mut from) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut back));
                let _ = std::io::copy(&mut client, &mut upstream);
                let _ = upstream.shutdown(std::net::Shutdown::Both);
            }
        });
        Self { port, shared }
    }

    pub(crate) fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    pub(crate) fn disturb(&self, changes: usize) {
        self.shared.disturb.store(changes, Ordering::SeqCst);
    }

    pub(crate) fn disturbed(&self) -> usize {
        self.shared.disturbed.load(Ordering::SeqCst)
    }

    pub(crate) fn heard(&self, needle: &[u8]) -> bool {
        self.shared.heard.lock().unwrap().windows(needle.len()).any(|window| window == needle)
    }
}

fn pass_commands(mut client: TcpStream, mut upstream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    loop {
        let command = message(&mut client)?;
        let code = u32::from_be_bytes([command[6], command[7], command[8], command[9]]);
        let take = |left: usize| left.checked_sub(1);
        if CHANGES.contains(&code) && shared.disturb.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            upstream.write_all(&SOMEBODY_ELSES)?;
            message(&mut upstream)?;
            shared.disturbed.fetch_add(1, Ordering::SeqCst);
        }
        upstream.write_all(&command)?;
        let response = message(&mut upstream)?;
        client.write_all(&response)?;
        shared.heard.lock().unwrap().extend([command, response].concat());
    }
}

/// tag u16 ‖ length u32, of it all ‖ …
fn message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 6];
    stream.read_exact(&mut message)?;
    let length = u32::from_be_bytes([message[2], message[3], message[4], message[5]]) as usize;
    message.resize(length, 0);
    stream.read_exact(&mut message[6..])?;
    Ok(message)
}
