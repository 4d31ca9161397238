//! Reads `text/event-stream`, the format of server-sent events.
//!
//! The rules are those of the HTML standard, section 9.2.6
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), as far as a gateway needs
//! them: `data` and comments. Other fields are skipped.

use rejoinder_protocol::SERVER_FRAME_BYTES_MAX;

/// Something that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A comment: a sign of life.
    Comment,
    /// The data of an event.
    Data(String),
}

/// An event that is longer than any frame: whatever sends it is no gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an event is longer than {SERVER_FRAME_BYTES_MAX} bytes")]
pub struct TooLong;

/// A stream that is being read, however it was cut into pieces on its way.
#[derive(Debug, Default)]
pub struct EventStream {
    line: Vec<u8>,
    /// Of the event that is not complete, its lines joined.
    data: Option<Vec<u8>>,
    /// The line feed of a `\r\n` may still come.
    after_return: bool,
}

impl EventStream {
    /// Takes the next piece, and appends what it completes.
    ///
    /// # Errors
    ///
    /// [`TooLong`]; nothing more can be read from this stream.
    pub fn push(&mut self, piece: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        for byte in piece {
            let was_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if was_return => {}
                b'\n' => self.end_line(events),
                b'\r' => {
                    self.after_return = true;
                    self.end_line(events);
                }
                byte => {
                    if self.held_bytes() >= SERVER_FRAME_BYTES_MAX + FIELD_BYTES {
                        return Err(TooLong);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    /// Returns how many bytes wait for the rest of their event: never more than the longest frame
    /// and the 6 of `data: `.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.data.as_ref().map_or(0, Vec::len) + self.line.len()
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            if let Some(data) = self.data.take() {
                events.push(Event::Data(String::from_utf8_lossy(&data).into_owned()));
            }
            return;
        }
        if line.starts_with(b":") {
            return events.push(Event::Comment);
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => line.split_at(at),
            None => (&line[..], &b""[..]),
        };
        if field != b"data" {
            return;
        }
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
    }
}

/// `data: ` before a frame.
const FIELD_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Event> {
        let (mut stream, mut events) = (EventStream::default(), Vec::new());
        for piece in pieces {
            stream.push(piece, &mut events).unwrap();
        }
        events
    }

    fn data(text: &str) -> Event {
        Event::Data(text.to_owned())
    }

    #[test]
    fn a_stream_is_read_however_it_was_cut() {
        let text = "data: {\"a\":1}\n\n: ping\n\ndata:é\r\n\r\nid: 7\rdata: x\rdata: y\r\r\n";
        let expected = [data("{\"a\":1}"), Event::Comment, data("é"), data("x\ny")];
        let bytes = text.as_bytes();
        assert_eq!(read(&[bytes]), expected);
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(read(&[head, tail]), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), expected);
    }

    #[test]
    fn what_is_not_complete_is_not_told() {
        assert_eq!(read(&[b"data: half"]), []);
        assert_eq!(read(&[b"data: half\n"]), []);
        assert_eq!(read(&[b"\n\n\nevent: x\n\n"]), []);
        assert_eq!(read(&[b"data\n\n"]), [data("")]);
    }

    #[test]
    fn the_longest_frame_passes_and_nothing_longer() {
        let longest = "x".repeat(SERVER_FRAME_BYTES_MAX);
        let event = format!("data: {longest}\n\n");
        assert_eq!(read(&[event.as_bytes()]), [data(&longest)]);
        for endless in ["data: xy", ": comment", "\u{0}\u{1}", "data: x\n"] {
            let (mut stream, mut events) = (EventStream::default(), Vec::new());
            let more = endless.repeat(SERVER_FRAME_BYTES_MAX);
            let read = stream.push(more.as_bytes(), &mut events);
            assert_eq!(read, Err(TooLong), "{endless}");
        }
    }
}
