//! Where the frames of HTTP/2 begin and end in what a client sends (RFC 9113, sections 3.4 and 4.1).

/// Bytes of a frame's header.
pub(super) const FRAME_HEADER: usize = 9;

/// Bytes that a client sends before its first frame.
const PREFACE: usize = 24;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// How far a client is with what it sends.
#[derive(Default)]
pub(super) struct Frames {
    /// Bytes of the preface that came.
    preface: usize,
    header: [u8; FRAME_HEADER],
    /// Bytes of a header that came.
    came: usize,
    /// Bytes of a payload that did not.
    left: usize,
    /// Whether there was a frame: the first one is the client's settings.
    begun: bool,
    /// The next frame must be the rest of these headers.
    headers_go_on: bool,
}

impl Frames {
    /// Takes note of what a client sent.
    pub(super) fn follow(&mut self, mut sent: &[u8]) {
        while !sent.is_empty() {
            let part = if self.preface < PREFACE {
                let part = sent.len().min(PREFACE - self.preface);
                self.preface += part;
                part
            } else if self.left > 0 {
                let part = sent.len().min(self.left);
                self.left -= part;
                part
            } else {
                let part = sent.len().min(FRAME_HEADER - self.came);
                self.header[self.came..self.came + part].copy_from_slice(&sent[..part]);
                self.came += part;
                if self.came == FRAME_HEADER {
                    self.begin();
                }
                part
            };
            sent = &sent[part..];
        }
    }

    /// May a frame be put here that the client did not send?
    pub(super) fn may_be_interrupted(&self) -> bool {
        self.begun && self.came == 0 && self.left == 0 && !self.headers_go_on
    }

    fn begin(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
        self.came = 0;
        self.begun = true;
        if [HEADERS, CONTINUATION].contains(&kind) {
            self.headers_go_on = flags & END_HEADERS == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames by type, flags and length.
    fn bytes(frames: &[(u8, u8, usize)]) -> Vec<u8> {
        let mut bytes = vec![b'p'; PREFACE];
        for &(kind, flags, length) in frames {
            bytes.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
            bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
            bytes.resize(bytes.len() + length, 0xff);
        }
        bytes
    }

    #[test]
    fn frames_may_be_put_between_frames_alone_however_they_are_cut() {
        let sent = bytes(&[(4, 0, 0), (HEADERS, 0, 30), (CONTINUATION, END_HEADERS, 5), (0, 1, 700), (8, 0, 4)]);
        let ends = [PREFACE + 9, PREFACE + 9 + 39 + 14, PREFACE + 9 + 39 + 14 + 709, sent.len()];
        for step in [1, 2, 7, 100, 2000] {
            let mut frames = Frames::default();
            let mut at = 0;
            for part in sent.chunks(step) {
                frames.follow(part);
                at += part.len();
                assert_eq!(frames.may_be_interrupted(), ends.contains(&at), "after {at}, by {step}");
            }
        }
    }
}
