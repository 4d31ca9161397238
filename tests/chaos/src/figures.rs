//! What is counted on the way, and printed in the end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// One count, which anybody may raise.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the clients did.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Messages that users wrote.
    pub(crate) queued: Count,
    /// Messages that users took back.
    pub(crate) discards: Count,
    /// `send` frames whose key the client had sent before.
    pub(crate) resends: Count,
    /// Acks that say "I had it already".
    pub(crate) duplicates: Count,
    /// Connections that were welcomed, by a WebSocket …
    pub(crate) sockets: Count,
    /// … and by a stream.
    pub(crate) streams: Count,
    /// Clients that lost everything but what they had stored.
    pub(crate) crashes: Count,
}

/// What became of all that was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fates {
    /// It is in the database.
    pub(crate) committed: usize,
    /// It was taken back before it could be.
    pub(crate) taken_back: usize,
    /// Its client crashed before it was called safe.
    pub(crate) unsafe_lost: usize,
}

/// What a whole run came to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) rounds: u32,
    pub(crate) faults: BTreeMap<&'static str, u32>,
    /// Processes that were ended by `kill -9`.
    pub(crate) gateways_killed: usize,
    pub(crate) fates: Fates,
    /// Milliseconds from the end of all trouble until everybody saw the same, and in which round.
    pub(crate) converging: Vec<(u64, u32)>,
    /// Milliseconds from the end of all rounds until everybody was shown as online.
    pub(crate) presence: u64,
    pub(crate) seconds: u64,
}

impl Figures {
    /// Puts them into words.
    pub(crate) fn tell(&self, counts: &Counts) -> String {
        let mut times = self.converging.clone();
        times.sort_unstable();
        let (median, _) = times.get(times.len() / 2).copied().unwrap_or_default();
        let (longest, round) = times.last().copied().unwrap_or_default();
        let faults = self.faults.iter();
        let faults: Vec<_> = faults
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let all_faults: u32 = self.faults.values().sum();
        let fates = self.fates;
        let sockets = counts.sockets.get();
        [
            format!("{} rounds in {} s, {} gateways killed, {all_faults} faults:", self.rounds, self.seconds, self.gateways_killed),
            format!("  {}", faults.join(", ")),
            format!(
                "{} messages written: {} committed, {} taken back in time, {} gone with a client that \
                 had not called them safe",
                counts.queued.get(),
                fates.committed,
                fates.taken_back,
                fates.unsafe_lost
            ),
            format!(
                "{} wanted back; {} sent again; {} answered as duplicates",
                counts.discards.get(),
                counts.resends.get(),
                counts.duplicates.get()
            ),
            format!(
                "{} WebSockets and {} streams welcomed; {} crashes of clients",
                sockets,
                counts.streams.get(),
                counts.crashes.get()
            ),
            format!(
                "until everybody saw the same: {median} ms in the median, {longest} ms at most, in \
                 round {round}"
            ),
            format!("until everybody was shown as online in the end: {} ms", self.presence),
        ]
        .join("\n")
    }
}
