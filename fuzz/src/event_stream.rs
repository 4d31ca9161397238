//! Whatever comes as a stream of events, in whatever pieces: it is read as it would be in one piece,
//! and as a plain reading of the standard says; no more is held than one event.

use rejoinder::event_stream::{Event, EventStream, TooLong};
use rejoinder_protocol::SERVER_FRAME_BYTES_MAX;

use crate::choices::Choices;

/// What streams are made of.
const PARTS: [&str; 12] = [
    "data: ",
    "data:",
    "data",
    ": ping",
    "id: 7",
    ":",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "{\"a\":1}",
    "é",
];
/// Longer streams find nothing new, and take their time. Several events of the longest fit.
const BYTES_MAX: usize = 4 * SERVER_FRAME_BYTES_MAX;
/// What stands before the data of an event, in bytes.
const FIELD_BYTES: usize = 6;

/// Reads what the bytes mean.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let bytes = stream(&mut choices);
    let whole = read(&mut |stream, events| stream.push(&bytes, events));
    if whole.1.is_ok() {
        assert_eq!(whole.0, by_the_standard(&bytes));
    }
    let cut = read(&mut |stream, events| {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let longest = choices.of(&[1, 2, 7, 1 << 16]);
            let length = choices.below(longest) + 1;
            let (piece, after) = rest.split_at(rest.len().min(usize::try_from(length).unwrap()));
            stream.push(piece, events)?;
            assert!(stream.held_bytes() <= SERVER_FRAME_BYTES_MAX + FIELD_BYTES);
            rest = after;
            if choices.is_over() {
                stream.push(std::mem::take(&mut rest), events)?;
            }
        }
        Ok(())
    });
    assert_eq!(cut, whole);
}

/// Parts and any bytes, some of them many times over.
fn stream(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..choices.below(64) {
        let part = match choices.one_in(4) {
            true => choices.bytes(40).to_vec(),
            false => choices.of(&PARTS).as_bytes().to_vec(),
        };
        // Long ones take long: few inputs have any.
        let times = match choices.one_in(8) {
            true if choices.one_in(32) => choices.below(1 << 20),
            true => choices.below(64),
            false => 1,
        };
        let room = BYTES_MAX.saturating_sub(bytes.len()) / part.len().max(1);
        let times = usize::try_from(times).unwrap().min(room);
        bytes.extend(part.repeat(times));
    }
    bytes
}

type Push<'a> = dyn FnMut(&mut EventStream, &mut Vec<Event>) -> Result<(), TooLong> + 'a;

fn read(push: &mut Push<'_>) -> (Vec<Event>, Result<(), TooLong>) {
    let (mut stream, mut events) = (EventStream::default(), Vec::new());
    let result = push(&mut stream, &mut events);
    (events, result)
}

/// The events of a stream that is there as a whole, line by line.
fn by_the_standard(bytes: &[u8]) -> Vec<Event> {
    let mut lines = vec![Vec::new()];
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte == b'\r' {
            rest.next_if_eq(&b'\n');
        }
        match byte {
            b'\r' | b'\n' => lines.push(Vec::new()),
            byte => lines.last_mut().unwrap().push(byte),
        }
    }
    // The last one is not complete.
    lines.pop();
    let mut events = Vec::new();
    let mut data: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        if line.is_empty() && !data.is_empty() {
            let joined = std::mem::take(&mut data).join(&b'\n');
            events.push(Event::Data(String::from_utf8_lossy(&joined).into_owned()));
        } else if line.starts_with(b":") {
            events.push(Event::Comment);
        } else if line == b"data" {
            data.push(Vec::new());
        } else if let Some(value) = line.strip_prefix(b"data:") {
            data.push(value.strip_prefix(b" ").unwrap_or(value).to_vec());
        }
    }
    events
}
