//! What is counted, under which name, and what it means. The dashboard and `docs/operations.md` list
//! the same.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use super::Health;
use crate::core::Levels;

/// What is counted of those who are not let in.
#[derive(Clone, Debug)]
pub(in crate::shell) struct OfStrangers {
    pub(in crate::shell) connections: Counter,
    pub(in crate::shell) handshakes: Counter,
}

impl OfStrangers {
    pub(super) fn register() -> Self {
        describe(
            "rejoinder_refused_total",
            "What one address had too much of, by `what`, and was refused",
        );
        let of = |what| counter!("rejoinder_refused_total", "what" => what);
        Self {
            connections: of("connections"),
            handshakes: of("handshakes"),
        }
    }
}

/// What is counted of clients.
#[derive(Debug)]
pub(super) struct OfClients {
    pub(super) acked: Histogram,
    pub(super) duplicates: Counter,
    pub(super) fallbacks: Counter,
    pub(super) fanned_out: Histogram,
    pub(super) opened: Counter,
    pub(super) page_bytes: Counter,
    pub(super) page_changes: Counter,
    pub(super) pages: Counter,
    pub(super) reset_bytes: Counter,
    pub(super) reset_objects: Counter,
    pub(super) resumed_threads: Counter,
    pub(super) resumes: Counter,
}

impl OfClients {
    pub(super) fn register() -> Self {
        // Rates need a first value: what never happened is counted as nothing.
        for code in ["client", "draining", "internal", "limited", "slow_consumer"] {
            closed(code).increment(0);
        }
        for code in ["busy", "internal", "rate_limited"] {
            error(code).increment(0);
        }
        for had_cursor in [false, true] {
            reset(had_cursor).increment(0);
        }
        describe(
            "rejoinder_connections_closed_total",
            "Sockets that ended, by the close code; `client`: the client went",
        );
        describe(
            "rejoinder_errors_total",
            "Errors that clients were answered, by their code",
        );
        describe(
            "rejoinder_resets_total",
            "Newest windows for clients; `void`: instead of what follows a cursor",
        );
        Self {
            acked: time(
                "rejoinder_ack_seconds",
                "From a message taken to its answer written",
            ),
            duplicates: count(
                "rejoinder_duplicates_total",
                "Messages that came again and were answered with their originals",
            ),
            fallbacks: count(
                "rejoinder_fallbacks_total",
                "Clients with too much waiting, which read pages until they have caught up",
            ),
            fanned_out: time(
                "rejoinder_fanout_seconds",
                "From a message taken to its change written, for each who watches here",
            ),
            opened: count(
                "rejoinder_connections_opened_total",
                "Sockets that were accepted",
            ),
            page_bytes: count("rejoinder_page_bytes_total", "Bytes of pages of changes"),
            page_changes: count("rejoinder_page_changes_total", "Changes in pages"),
            pages: count("rejoinder_pages_total", "Pages of changes for clients"),
            reset_bytes: count("rejoinder_reset_bytes_total", "Bytes of newest windows"),
            reset_objects: count(
                "rejoinder_reset_objects_total",
                "Messages and participants in newest windows",
            ),
            resumed_threads: count(
                "rejoinder_resumed_threads_total",
                "Threads for which clients that came back had a cursor",
            ),
            resumes: count(
                "rejoinder_resumes_total",
                "Clients that came back with cursors",
            ),
        }
    }
}

/// What is counted of the store.
#[derive(Debug)]
pub(super) struct OfStore {
    pub(super) batches: Histogram,
    pub(super) commits: Histogram,
    pub(super) reads: Histogram,
}

impl OfStore {
    pub(super) fn register() -> Self {
        for on in ["commit", "read"] {
            for kind in ["unavailable", "unknown_fate"] {
                store_error(on, kind).increment(0);
            }
        }
        describe(
            "rejoinder_store_errors_total",
            "Transactions and questions that failed",
        );
        describe_histogram!(
            "rejoinder_store_batch_commands",
            Unit::Count,
            "Commands of each transaction that writes"
        );
        Self {
            batches: histogram!("rejoinder_store_batch_commands"),
            commits: time("rejoinder_store_commit_seconds", "Transactions that write"),
            reads: time("rejoinder_store_read_seconds", "Questions to the store"),
        }
    }
}

/// What is counted of the bus.
#[derive(Debug)]
pub(super) struct OfBus {
    pub(super) dropped: Counter,
    pub(super) heard: Counter,
    pub(super) missed: Counter,
    pub(super) told: Counter,
    up: Gauge,
    waiting: Gauge,
}

impl OfBus {
    pub(super) fn register() -> Self {
        Self {
            dropped: count(
                "rejoinder_bus_dropped_total",
                "What found no place to be told, and is found by asking the database",
            ),
            heard: count(
                "rejoinder_bus_heard_total",
                "What was heard of other gateways",
            ),
            missed: count(
                "rejoinder_bus_missed_total",
                "How often some of it was missed, and looked up",
            ),
            told: count(
                "rejoinder_bus_told_total",
                "What other gateways were told or asked",
            ),
            up: level("rejoinder_bus_up", "1 while other gateways are reached"),
            waiting: level("rejoinder_bus_waiting", "What waits to be told to them"),
        }
    }

    pub(super) fn set_levels(&self, health: Health, waiting: usize) {
        self.up.set(flag(health.is_bus_up == Some(true)));
        self.waiting.set(number(waiting));
    }
}

/// Sets what is so now.
pub(super) fn set_levels(health: Health, levels: Levels) {
    let set = |name, meaning, value: f64| level(name, meaning).set(value);
    let many = |name, meaning, value| set(name, meaning, number(value));
    many("rejoinder_connections", "Connections", levels.sessions);
    many("rejoinder_users", "Users with a connection", levels.users);
    many(
        "rejoinder_threads",
        "Threads that somebody here watches",
        levels.threads,
    );
    many(
        "rejoinder_waiting_commands",
        "Commands that wait for a transaction; from 8192 on they are refused as busy",
        levels.waiting_commands,
    );
    many(
        "rejoinder_waiting_frames",
        "Frames that wait to be written, of all clients",
        levels.waiting_frames,
    );
    many(
        "rejoinder_waiting_reads",
        "Questions to the store that are not answered",
        levels.reads,
    );
    set(
        "rejoinder_draining",
        "1 while the gateway is being stopped",
        flag(health.is_draining),
    );
    set(
        "rejoinder_store_up",
        "1 while the store reads and writes",
        flag(health.is_store_up),
    );
}

pub(super) fn closed(code: &'static str) -> Counter {
    counter!("rejoinder_connections_closed_total", "code" => code)
}

pub(super) fn error(code: &'static str) -> Counter {
    counter!("rejoinder_errors_total", "code" => code)
}

pub(super) fn reset(had_cursor: bool) -> Counter {
    let cursor = if had_cursor { "void" } else { "none" };
    counter!("rejoinder_resets_total", "cursor" => cursor)
}

pub(super) fn store_error(on: &'static str, kind: &'static str) -> Counter {
    counter!("rejoinder_store_errors_total", "on" => on, "kind" => kind)
}

fn count(name: &'static str, meaning: &'static str) -> Counter {
    describe(name, meaning);
    counter!(name)
}

fn describe(name: &'static str, meaning: &'static str) {
    describe_counter!(name, meaning);
}

fn level(name: &'static str, meaning: &'static str) -> Gauge {
    describe_gauge!(name, meaning);
    gauge!(name)
}

fn time(name: &'static str, meaning: &'static str) -> Histogram {
    describe_histogram!(name, Unit::Seconds, meaning);
    histogram!(name)
}

fn flag(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

fn number(count: usize) -> f64 {
    // Exact far beyond what a process can hold.
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
