//! What waits to be written to one client: bounded, and never awaited by anybody.

use std::collections::VecDeque;
use std::sync::Arc;

use rejoinder_protocol::CloseCode;

use super::config::{
    BATCH_BYTES_MAX, CHANGES_BYTES_MAX, CHANGES_MAX, CONTROL_MAX, EPHEMERAL_MAX, REPLY_BYTES_MAX,
    REQUESTS_MAX, STALL_MS,
};
use super::{Measure, Millis};

/// No place is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no place is left")]
pub struct Full;

/// What kind of frame it is; each kind has its own bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// `change` and `thread`: when full, the session falls back to reading.
    Change,
    /// What keeps a subscription's order, and is sent once per event of its own.
    Control,
    /// `typing`: when full, the oldest makes place.
    Ephemeral,
    /// An answer, whose place was reserved before its request was read.
    Reply,
}

/// Frames to write at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// The frames, in order.
    pub frames: Vec<Arc<str>>,
    /// Close the socket with this code afterwards.
    pub close: Option<CloseCode>,
}

/// A frame that waits.
#[derive(Debug)]
struct Waiting {
    lane: Lane,
    frame: Arc<str>,
    /// When the message that it answers or tells was taken, if that is measured.
    since: Option<Millis>,
}

/// The queue of one client, in one order, with a bound per kind.
#[derive(Debug)]
pub struct Outbound {
    queue: VecDeque<Waiting>,
    /// What is being written and measured.
    measured: Vec<(Lane, Millis)>,
    /// Frames of each lane, by its discriminant, that are queued or being written.
    counts: [usize; 4],
    change_bytes: usize,
    reply_bytes: usize,
    requests: usize,
    writing: bool,
    progress_at: Millis,
}

impl Outbound {
    /// Starts empty.
    #[must_use]
    pub fn new(now: Millis) -> Self {
        Self {
            queue: VecDeque::new(),
            measured: Vec::new(),
            counts: [0; 4],
            change_bytes: 0,
            reply_bytes: 0,
            requests: 0,
            writing: false,
            progress_at: now,
        }
    }

    fn count(&mut self, lane: Lane) -> &mut usize {
        let [change, control, ephemeral, reply] = &mut self.counts;
        match lane {
            Lane::Change => change,
            Lane::Control => control,
            Lane::Ephemeral => ephemeral,
            Lane::Reply => reply,
        }
    }

    /// Returns whether another request may be read: its reply has a place.
    #[must_use]
    pub fn may_read(&self) -> bool {
        let [_, _, _, replies] = self.counts;
        self.requests + replies < REQUESTS_MAX && self.reply_bytes < REPLY_BYTES_MAX
    }

    /// Reserves the place of a reply.
    ///
    /// # Errors
    ///
    /// [`Full`]: as many are under way as may be.
    pub fn reserve(&mut self) -> Result<(), Full> {
        let [_, _, _, replies] = self.counts;
        if self.requests + replies >= REQUESTS_MAX {
            return Err(Full);
        }
        self.requests += 1;
        Ok(())
    }

    /// Gives back the place of a request that is not answered.
    pub fn release(&mut self) {
        self.requests = self.requests.saturating_sub(1);
    }

    /// Returns whether no request waits for its reply.
    #[must_use]
    pub fn all_answered(&self) -> bool {
        self.requests == 0
    }

    /// Adds a frame. A reply takes the place that was reserved for it.
    ///
    /// # Errors
    ///
    /// [`Full`]; the frame is not taken.
    pub fn push(&mut self, now: Millis, lane: Lane, frame: Arc<str>) -> Result<(), Full> {
        self.push_measured(now, lane, frame, None)
    }

    /// The same for a frame that answers or tells a message, with the moment when that was taken.
    ///
    /// # Errors
    ///
    /// [`Full`]; the frame is not taken.
    pub fn push_measured(
        &mut self,
        now: Millis,
        lane: Lane,
        frame: Arc<str>,
        since: Option<Millis>,
    ) -> Result<(), Full> {
        match lane {
            Lane::Change => {
                let bytes = self.change_bytes.saturating_add(frame.len());
                // A single frame longer than the bound passes when nothing waits before it.
                let too_long = bytes > CHANGES_BYTES_MAX && self.change_bytes > 0;
                if *self.count(lane) >= CHANGES_MAX || too_long {
                    return Err(Full);
                }
                self.change_bytes = bytes;
            }
            Lane::Control => {
                if *self.count(lane) >= CONTROL_MAX {
                    return Err(Full);
                }
            }
            Lane::Ephemeral => {
                if *self.count(lane) >= EPHEMERAL_MAX {
                    self.drop_oldest_ephemeral();
                }
            }
            Lane::Reply => {
                self.release();
                self.reply_bytes = self.reply_bytes.saturating_add(frame.len());
            }
        }
        if self.is_idle() {
            self.progress_at = now;
        }
        *self.count(lane) += 1;
        self.queue.push_back(Waiting { lane, frame, since });
        Ok(())
    }

    fn drop_oldest_ephemeral(&mut self) {
        let oldest = self
            .queue
            .iter()
            .position(|one| one.lane == Lane::Ephemeral);
        if oldest.and_then(|index| self.queue.remove(index)).is_some() {
            *self.count(Lane::Ephemeral) -= 1;
        }
    }

    /// Returns whether nothing waits and everything taken was written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.writing
    }

    /// Returns whether something can be taken.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Returns how many frames wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes how long what was taken before has taken, now that it is written.
    pub fn written(&mut self, now: Millis) -> Vec<Measure> {
        let written = std::mem::take(&mut self.measured).into_iter();
        let measure = |(lane, since): (Lane, Millis)| {
            let after_ms = now.since(since);
            match lane {
                Lane::Reply => Measure::Acked { after_ms },
                Lane::Change | Lane::Control | Lane::Ephemeral => Measure::FannedOut { after_ms },
            }
        };
        written.map(measure).collect()
    }

    /// Takes what to write next; asking means that what was taken before is written.
    pub fn take(&mut self, now: Millis) -> Vec<Arc<str>> {
        if self.writing {
            self.progress_at = now;
        }
        let (mut frames, mut bytes) = (Vec::new(), 0_usize);
        while let Some(next) = self.queue.front() {
            bytes = bytes.saturating_add(next.frame.len());
            if bytes > BATCH_BYTES_MAX && !frames.is_empty() {
                break;
            }
            let Some(Waiting { lane, frame, since }) = self.queue.pop_front() else {
                break;
            };
            self.measured.extend(since.map(|since| (lane, since)));
            let count = self.count(lane);
            *count = count.saturating_sub(1);
            match lane {
                Lane::Change => {
                    self.change_bytes = self.change_bytes.saturating_sub(frame.len());
                }
                Lane::Reply => {
                    self.reply_bytes = self.reply_bytes.saturating_sub(frame.len());
                }
                Lane::Control | Lane::Ephemeral => {}
            }
            frames.push(frame);
        }
        self.writing = !frames.is_empty();
        if self.queue.is_empty() {
            // An idle client holds no memory.
            self.queue.shrink_to(8);
        }
        frames
    }

    /// Drops everything that waits.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.counts = [0; 4];
        self.change_bytes = 0;
        self.reply_bytes = 0;
    }

    /// Returns when the client will count as stalled; `None` if nothing waits.
    #[must_use]
    pub fn stalls_at(&self) -> Option<Millis> {
        (!self.is_idle()).then(|| self.progress_at.after(STALL_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(0);

    fn push(outbound: &mut Outbound, lane: Lane, text: &str) -> Result<(), Full> {
        outbound.push(START, lane, text.into())
    }

    #[test]
    fn a_reply_always_finds_the_place_that_was_reserved_for_it() {
        let mut outbound = Outbound::new(START);
        for _ in 0..REQUESTS_MAX {
            outbound.reserve().unwrap();
        }
        assert_eq!(outbound.reserve(), Err(Full));
        while push(&mut outbound, Lane::Change, "c").is_ok() {}
        for _ in 0..REQUESTS_MAX {
            push(&mut outbound, Lane::Reply, "r").unwrap();
        }
        assert!(
            !outbound.may_read(),
            "replies that wait still hold their places"
        );
        while !outbound.take(START).is_empty() {}
        assert!(outbound.may_read());
    }

    #[test]
    fn changes_are_bounded_in_number_and_bytes() {
        let mut outbound = Outbound::new(START);
        for _ in 0..CHANGES_MAX {
            push(&mut outbound, Lane::Change, "c").unwrap();
        }
        assert_eq!(push(&mut outbound, Lane::Change, "c"), Err(Full));
        outbound.clear();
        let half = "x".repeat(CHANGES_BYTES_MAX / 2 + 1);
        push(&mut outbound, Lane::Change, &half).unwrap();
        assert_eq!(push(&mut outbound, Lane::Change, &half), Err(Full));
    }

    #[test]
    fn the_newest_ephemeral_frames_stay() {
        let mut outbound = Outbound::new(START);
        push(&mut outbound, Lane::Change, "kept").unwrap();
        for number in 0..EPHEMERAL_MAX + 2 {
            push(&mut outbound, Lane::Ephemeral, &number.to_string()).unwrap();
        }
        let frames = outbound.take(START);
        assert_eq!(frames.len(), 1 + EPHEMERAL_MAX);
        assert_eq!(&*frames[0], "kept");
        assert_eq!(&*frames[1], "2");
    }

    #[test]
    fn a_client_stalls_only_while_something_waits() {
        let mut outbound = Outbound::new(START);
        assert_eq!(outbound.stalls_at(), None);
        outbound
            .push(Millis(5_000), Lane::Change, "c".into())
            .unwrap();
        assert_eq!(outbound.stalls_at(), Some(Millis(15_000)));
        outbound.take(Millis(6_000));
        assert_eq!(
            outbound.stalls_at(),
            Some(Millis(15_000)),
            "taken is not written"
        );
        outbound.take(Millis(7_000));
        assert_eq!(outbound.stalls_at(), None);
    }
}
