//! Where WebSocket frames and messages begin and end in what arrives, and how long they are; never
//! what they say.
//!
//! tungstenite reads frames, and holds each to one limit. It does not tell a connection on which
//! nothing is said from one on which a message never ends, and takes any number of empty fragments.
//! So every byte passes here first.

/// What arrived is more than anybody may make us hold, or wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Breach {
    /// The first message is longer than its limit.
    #[error("the first message is too long")]
    FirstTooLong,
    /// A later message is longer than its limit.
    #[error("a message is too long")]
    TooLong,
    /// A message comes in so many pieces that it is mostly their heads.
    #[error("a message has too many fragments")]
    TooManyFragments,
    /// A message was begun and not finished in time.
    #[error("a message was not finished in time")]
    TooSlow,
}

/// How long messages may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageLimits {
    /// The first one, before it is known who speaks.
    pub(crate) first_bytes_max: usize,
    /// Each after that.
    pub(crate) bytes_max: usize,
}

/// The longest head of a frame: two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;
/// What heads and control frames may add to a message of its greatest length, beside as much again.
const HEADS_BYTES_MAX: u64 = 4 * 1024;

/// Follows a connection from frame to frame.
#[derive(Debug)]
pub(super) struct Framing {
    limits: MessageLimits,
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: usize,
    /// Of the frame under way, what is still to come.
    payload_left: u64,
    /// Whether the frame under way is a part of a message: pings and pongs may stand between.
    is_data: bool,
    /// Whether a fragment came and the last one did not.
    in_message: bool,
    is_first: bool,
    /// Payload of the message under way.
    message_bytes: u64,
    /// All bytes since the message under way began.
    arrived_bytes: u64,
    /// How often nothing was under way.
    rests: u64,
}

impl Framing {
    pub(super) fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            head: [0; HEAD_BYTES_MAX],
            head_bytes: 0,
            payload_left: 0,
            is_data: false,
            in_message: false,
            is_first: true,
            message_bytes: 0,
            arrived_bytes: 0,
            rests: 0,
        }
    }

    /// Returns a number for the message under way, another one for each; `None` between messages.
    pub(super) fn under_way(&self) -> Option<u64> {
        (!self.is_at_rest()).then_some(self.rests)
    }

    fn is_at_rest(&self) -> bool {
        self.head_bytes == 0 && self.payload_left == 0 && !self.in_message
    }

    /// Follows what arrived.
    ///
    /// # Errors
    ///
    /// How many of the bytes are before the breach.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), (usize, Breach)> {
        let mut taken = 0;
        while let Some((first, rest)) = bytes.get(taken..).and_then(<[u8]>::split_first) {
            let step = if self.payload_left > 0 {
                let left = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let step = left.min(rest.len() + 1);
                self.payload_left -= step as u64;
                step
            } else {
                self.take_head(*first).map_err(|breach| (taken, breach))?;
                1
            };
            self.arrived_bytes += step as u64;
            if self.arrived_bytes > 2 * self.bytes_max() + HEADS_BYTES_MAX {
                return Err((taken, Breach::TooManyFragments));
            }
            taken += step;
            if self.is_at_rest() {
                self.is_first &= !self.is_data;
                self.message_bytes = 0;
                self.arrived_bytes = 0;
                self.rests += 1;
            }
        }
        Ok(())
    }

    fn bytes_max(&self) -> u64 {
        let MessageLimits {
            first_bytes_max,
            bytes_max,
        } = self.limits;
        let bytes = if self.is_first {
            first_bytes_max
        } else {
            bytes_max
        };
        bytes as u64
    }

    /// Takes a byte of a frame's head. After the last one the head is forgotten.
    fn take_head(&mut self, byte: u8) -> Result<(), Breach> {
        if let Some(next) = self.head.get_mut(self.head_bytes) {
            *next = byte;
            self.head_bytes += 1;
        }
        let head = self.head.get(..self.head_bytes).unwrap_or_default();
        let Some((payload_bytes, head_bytes)) = measure(head) else {
            return Ok(());
        };
        let is_data = head.first().is_some_and(|first| first & 0x08 == 0);
        let is_last = head.first().is_some_and(|first| first & 0x80 != 0);
        let before = if is_data { self.message_bytes } else { 0 };
        if before.saturating_add(payload_bytes) > self.bytes_max() {
            return Err(if self.is_first {
                Breach::FirstTooLong
            } else {
                Breach::TooLong
            });
        }
        if self.head_bytes < head_bytes {
            return Ok(());
        }
        self.head_bytes = 0;
        self.payload_left = payload_bytes;
        self.is_data = is_data;
        if is_data {
            self.message_bytes = before + payload_bytes;
            self.in_message = !is_last;
        }
        Ok(())
    }
}

/// Returns how long payload and head of a frame are, once its head says so.
fn measure(head: &[u8]) -> Option<(u64, usize)> {
    let [_, second, length @ ..] = head else {
        return None;
    };
    let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
    match (second & 0x7f, length) {
        (126, [a, b, ..]) => Some((u16::from_be_bytes([*a, *b]).into(), 4 + mask_bytes)),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
            Some((length, 10 + mask_bytes))
        }
        (126 | 127, _) => None,
        (length, _) => Some((length.into(), 2 + mask_bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MessageLimits = MessageLimits {
        first_bytes_max: 200,
        bytes_max: 70_000,
    };
    const TEXT: u8 = 0x81;
    const BEGINNING: u8 = 0x01;
    const MORE: u8 = 0x00;
    const LAST: u8 = 0x80;
    const PING: u8 = 0x89;

    /// A masked frame that says how long it is, and so much of it.
    fn frame(first: u8, says: u64, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match says {
            0..126 => bytes.push(0x80 | u8::try_from(says).unwrap()),
            126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(says).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend(says.to_be_bytes());
            }
        }
        bytes.extend([7; 4]);
        bytes.extend(vec![0xff; payload]);
        bytes
    }

    fn whole(first: u8, payload: usize) -> Vec<u8> {
        frame(first, payload as u64, payload)
    }

    /// Takes the same bytes in pieces of every length up to some; each must be met in the same way.
    fn take(parts: &[Vec<u8>]) -> (Result<(), Breach>, Option<u64>) {
        let bytes = parts.concat();
        let mut met = Vec::new();
        for step in [1, 2, 3, 5, 13, 14, 4_096, bytes.len()] {
            let mut framing = Framing::new(LIMITS);
            let mut result = Ok(());
            let mut passed = 0;
            for piece in bytes.chunks(step) {
                match framing.take(piece) {
                    Ok(()) => passed += piece.len(),
                    Err((taken, breach)) => {
                        passed += taken;
                        result = Err(breach);
                        break;
                    }
                }
            }
            // Where a breach is noticed does not depend on the pieces; of a payload in too many
            // fragments, the whole piece is kept back.
            let passed = (result != Err(Breach::TooManyFragments)).then_some(passed);
            met.push((result, framing.under_way(), passed));
        }
        assert!(met.iter().all(|one| *one == met[0]), "{met:?}");
        (met[0].0, met[0].1)
    }

    #[test]
    fn messages_and_what_stands_between_are_told_apart() {
        let all = [
            whole(PING, 125),
            whole(TEXT, 200),
            whole(BEGINNING, 30_000),
            whole(PING, 3),
            whole(MORE, 0),
            whole(LAST, 40_000),
            whole(TEXT, 0),
            whole(TEXT, 70_000),
        ];
        assert_eq!(take(&all), (Ok(()), None));
        let mut half = all.to_vec();
        half.push(frame(TEXT, 70_000, 1));
        assert_eq!(take(&half), (Ok(()), Some(5)));
        half.pop();
        half.extend([whole(BEGINNING, 1), whole(PING, 1)]);
        assert_eq!(take(&half), (Ok(()), Some(5)), "a ping ends no message");
        assert_eq!(take(&[vec![TEXT]]), (Ok(()), Some(0)));
    }

    #[test]
    fn what_says_that_it_is_too_long_is_not_waited_for() {
        let first = |says| take(&[frame(TEXT, says, 0)]).0;
        assert_eq!(first(200), Ok(()));
        for says in [201, 65_536, 1 << 62, u64::MAX] {
            assert_eq!(first(says), Err(Breach::FirstTooLong), "{says}");
        }
        let later = |says| take(&[whole(TEXT, 0), frame(TEXT, says, 0)]).0;
        assert_eq!(later(70_000), Ok(()));
        for says in [70_001, 1 << 62, u64::MAX] {
            assert_eq!(later(says), Err(Breach::TooLong), "{says}");
        }
        let parts = [
            whole(TEXT, 0),
            whole(BEGINNING, 60_000),
            frame(LAST, 10_001, 0),
        ];
        assert_eq!(take(&parts).0, Err(Breach::TooLong));
        assert_eq!(
            take(&[whole(PING, 5), frame(TEXT, 201, 0)]).0,
            Err(Breach::FirstTooLong),
            "a ping is not the first message"
        );
    }

    #[test]
    fn what_came_before_a_breach_is_passed_on() {
        let good = [whole(TEXT, 3), whole(TEXT, 70_000)].concat();
        let mut framing = Framing::new(LIMITS);
        let all = [good.clone(), frame(TEXT, 70_001, 5)].concat();
        let Err((taken, Breach::TooLong)) = framing.take(&all) else {
            panic!("it was taken");
        };
        // The head of the one that is too long is not complete.
        assert!((good.len()..good.len() + 14).contains(&taken), "{taken}");
    }

    #[test]
    fn a_message_of_nothing_but_fragments_ends() {
        let mut parts = vec![whole(TEXT, 0), whole(BEGINNING, 1)];
        parts.extend((0..100_000).map(|_| whole(MORE, 0)));
        assert_eq!(take(&parts).0, Err(Breach::TooManyFragments));
        let bytes_max = 2 * 70_000 + 4 * 1024;
        let enough = bytes_max / whole(MORE, 0).len();
        parts.truncate(enough);
        assert_eq!(take(&parts).0, Ok(()));
    }
}
