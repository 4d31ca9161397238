//! What will happen, and when.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rejoinder::engine::{Attempt, Input as PageInput};
use rejoinder_gateway::core::{Input as GatewayInput, NextBatch, ReadId};
use rejoinder_gateway::store::Read;

use super::network::Way;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Event {
    /// The schedule's step of this number.
    Step(usize),
    /// A tab is opened again.
    Open(usize),
    /// A page's timer fires.
    Wake(usize),
    /// A page wakes from its sleep.
    Thaw(usize),
    /// A page's next storage job is done.
    Storage(usize),
    /// A page learns of something.
    Page(usize, PageInput),
    /// A page's attempt reaches the other end.
    Dial(usize, Attempt),
    /// The first thing in a connection's pipe arrives.
    Arrive(usize, Way),
    /// The gateway writes to a connection.
    Pump(usize),
    /// A stalled connection is reset.
    Reset(usize),
    /// A process looks at its deadlines.
    Tick(u64),
    /// A process' batch is run; it was asked for at this moment.
    Commit(u64, NextBatch, u64),
    /// The gateway may be told again what others write.
    Hear,
    /// A process' question is read.
    Read(u64, ReadId, Read),
    /// A process learns of something.
    Gateway(u64, GatewayInput),
    /// A process that stood still goes on.
    Resume(u64),
    /// Gateways reach each other again.
    Meet,
    /// The gateway of a place is started.
    Start(usize),
}

#[derive(Debug)]
struct Entry {
    at: u64,
    order: u64,
    event: Event,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

/// What will happen, by time and then in the order in which it was decided.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

impl Queue {
    /// Adds an event.
    pub(super) fn push(&mut self, at: u64, event: Event) {
        self.order += 1;
        let order = self.order;
        self.heap.push(Reverse(Entry { at, order, event }));
    }

    /// Takes the next event up to a moment.
    pub(super) fn pop(&mut self, until: u64) -> Option<(u64, Event)> {
        if self
            .heap
            .peek()
            .is_none_or(|Reverse(entry)| entry.at > until)
        {
            return None;
        }
        self.heap
            .pop()
            .map(|Reverse(entry)| (entry.at, entry.event))
    }
}
