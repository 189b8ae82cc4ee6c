//! Nothing that a client sent stays in the buffers that it was read into.
//!
//! TLS and HTTP/2 read into buffers that live as long as their connection and are used again and again. What was received
//! last, an embedding among it, would lie there until more is: on a connection that is idle, for as long as it is. The
//! allocator cannot help, as nothing is freed. But whoever reads hands over the free part of its buffer, at the latest
//! when it finds that there is nothing more to read; so it is wiped here, each time.
//!
//! HTTP/2 hands over only what lies behind what it has consumed. So when a client has nothing more to say, a frame of a
//! type that nobody knows is put between its frames, a little too long for what is left of the buffer: the reader then
//! begins at its front again, and hands over all of it. Such frames must be ignored (RFC 9113, sections 4.1 and 5.5).
//!
//! That buffers are used again in this way is how the libraries are made and nothing that they promise. If that changes,
//! nothing but this hygiene is lost, and `tests/tests/memory.rs` finds it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{FRAME_HEADER, Frames};

/// A frame type that is not in use, and is none that HTTP/2 reserves for tests of extensibility.
const UNKNOWN_FRAME: u8 = 0xf1;

/// The longest frame that may be sent to who has not said otherwise.
const LONGEST: usize = 16_384;

/// Frames that it may take to use a buffer up. None has that much room; this ends it, whatever the reader does.
const FRAMES: u8 = 8;

/// Wipes the free part of each buffer that is read into, whether there is anything to read or not.
pub(super) struct Wiped<T>(pub(super) T);

/// The same for HTTP/2, also of what lies before the part that it reads into.
pub(super) struct Unread<T> {
    inner: T,
    frames: Frames,
    /// How many frames may be put for what was received since the buffer was last wiped.
    due: u8,
    filler: Option<Filler>,
}

/// A frame that says nothing, while it is put between a client's.
struct Filler {
    header: [u8; FRAME_HEADER],
    /// Bytes of the header that were given.
    given: usize,
    /// Bytes of its payload that were not, zeros.
    left: usize,
}

impl<T> Unread<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, frames: Frames::default(), due: 0, filler: None }
    }

    pub(super) fn inner(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Unread<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        wipe(buf);
        if this.fill(buf) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        let received = &buf.filled()[before..];
        if polled.is_ready() {
            this.frames.follow(received);
            if !received.is_empty() {
                this.due = FRAMES;
            }
            return polled;
        }
        // Who reads will be woken by what comes next all the same: it is asked again after this, and has to wait then.
        if this.due > 0 && this.frames.may_be_interrupted() && buf.remaining() > 0 {
            let filler = Filler::longer_than(buf.remaining());
            this.due = if filler.left == LONGEST { this.due - 1 } else { 0 };
            this.filler = Some(filler);
            this.fill(buf);
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl<T> Unread<T> {
    /// Goes on with a frame of ours. Its header goes alone, so that the reader makes room for the rest with no more than
    /// that to move. False if there is none.
    fn fill(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let Some(filler) = &mut self.filler else { return false };
        if filler.given < FRAME_HEADER {
            let now = buf.remaining().min(FRAME_HEADER - filler.given);
            buf.put_slice(&filler.header[filler.given..filler.given + now]);
            filler.given += now;
        } else {
            // The room was wiped before, and zeros are what the payload is.
            let now = buf.remaining().min(filler.left);
            buf.advance(now);
            filler.left -= now;
        }
        if filler.given == FRAME_HEADER && filler.left == 0 {
            self.filler = None;
        }
        true
    }
}

impl Filler {
    /// A frame for which so much room is just too little.
    fn longer_than(room: usize) -> Self {
        let left = (room + 1).saturating_sub(FRAME_HEADER).min(LONGEST);
        // At most 16,384.
        let length = (left as u32).to_be_bytes();
        let header = [length[1], length[2], length[3], UNKNOWN_FRAME, 0, 0, 0, 0, 0];
        Self { header, given: 0, left }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wiped<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        wipe(buf);
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wiped<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

/// Overwrites what can still be read into, whoever has left something there.
fn wipe(buf: &mut ReadBuf<'_>) {
    buf.initialize_unfilled().fill(0);
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// Gives these pieces, then nothing.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
            match self.get_mut().0.pop_front() {
                Some(piece) => {
                    buf.put_slice(&piece);
                    Poll::Ready(Ok(()))
                }
                None => Poll::Pending,
            }
        }
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn read<'a>(stream: &mut (impl AsyncRead + Unpin), room: &'a mut [u8]) -> Option<&'a [u8]> {
        let mut buf = ReadBuf::new(room);
        let polled = Pin::new(stream).poll_read(&mut Context::from_waker(std::task::Waker::noop()), &mut buf);
        let length = buf.filled().len();
        match polled {
            Poll::Ready(read) => read.map(|()| &room[..length]).ok(),
            Poll::Pending => None,
        }
    }

    #[test]
    fn room_is_wiped_whether_there_is_anything_to_read_or_not() {
        let mut room = [7; 64];
        let mut stream = Wiped(Pieces(VecDeque::from([vec![1; 8]])));
        assert_eq!(read(&mut stream, &mut room), Some(&[1; 8][..]));
        assert_eq!(room[8..], [0; 56]);
        room.fill(7);
        assert_eq!(read(&mut stream, &mut room), None);
        assert_eq!(room, [0; 64]);
    }

    #[test]
    fn after_what_was_said_comes_one_frame_that_does_not_fit() {
        for room in [1, 8, 9, 10, 100, 4_000, 40_000] {
            let said = [PREFACE, &frame(4, 0, &[]), &frame(0, 1, b"a face")].concat();
            let mut stream = Unread::new(Pieces(VecDeque::from([said.clone()])));
            let mut all = vec![7; 50_000];
            assert_eq!(read(&mut stream, &mut all), Some(&said[..]));
            let mut between = Vec::new();
            while let Some(read) = read(&mut stream, &mut vec![7; room]) {
                assert!(!read.is_empty());
                between.extend_from_slice(read);
            }
            // Whole frames of the unknown type, of zeros, the last of which needs more room than there was.
            let mut rest = between.as_slice();
            let mut longest = 0;
            while let Some((header, after)) = rest.split_at_checked(FRAME_HEADER) {
                let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
                assert_eq!(header[3..], [UNKNOWN_FRAME, 0, 0, 0, 0, 0]);
                assert!(length <= LONGEST && after[..length].iter().all(|byte| *byte == 0));
                longest = longest.max(FRAME_HEADER + length);
                rest = &after[length..];
            }
            assert!(longest > room.min(LONGEST), "{longest} into {room}");
        }
    }

    #[test]
    fn nothing_is_put_where_it_would_be_wrong() {
        let headers = frame(1, 0, b"more to come");
        let data = frame(0, 0, b"a face");
        for said in [
            &PREFACE[..20],
            &[PREFACE, &data[..5]].concat(),
            &[PREFACE, &data[..12]].concat(),
            &[PREFACE, &headers].concat(),
        ] {
            let mut stream = Unread::new(Pieces(VecDeque::from([said.to_vec()])));
            let mut room = vec![7; 500];
            assert_eq!(read(&mut stream, &mut room), Some(said));
            assert_eq!(read(&mut stream, &mut room), None, "{said:?}");
        }
        let mut silent = Unread::new(Pieces(VecDeque::new()));
        assert_eq!(read(&mut silent, &mut [7; 500]), None);
    }
}
