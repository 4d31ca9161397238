//! What an operator reads: counters, histograms and levels, in the text form of Prometheus. Their
//! labels are closed lists; none names a user, a thread or an address.

mod names;

use std::time::Duration;

use metrics::with_local_recorder;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use rejoinder_protocol::{CloseCode, ErrorCode};

use crate::core::{Levels, Measure};
use crate::store::StoreError;
pub(super) use names::OfStrangers;
use names::{OfBus, OfClients, OfStore, closed, error, reset, store_error};

/// Upper bounds of the buckets of times, in seconds: from a commit to a memory to a client that is
/// about to be closed.
const SECONDS: [f64; 13] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];
/// Upper bounds of the buckets of batches, in commands; a batch holds 256 at most.
const COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Whether the gateway can do its work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    pub(super) is_draining: bool,
    pub(super) is_store_up: bool,
    /// `None` without a bus.
    pub(super) is_bus_up: Option<bool>,
}

impl Health {
    /// Returns whether new clients are welcome. Without the bus they are: each finds by asking the
    /// database what others would have told, and all gateways lose it at once.
    pub(super) fn is_ready(self) -> bool {
        self.is_store_up && !self.is_draining
    }
}

/// What one gateway counts.
#[derive(Debug)]
pub(super) struct Metrics {
    recorder: PrometheusRecorder,
    of_clients: OfClients,
    of_store: OfStore,
    of_strangers: OfStrangers,
    /// Absent where there can be no other gateways.
    of_bus: Option<OfBus>,
}

impl Metrics {
    /// Begins to count; `has_bus` says whether there may be other gateways.
    pub(super) fn new(has_bus: bool) -> Self {
        let recorder = recorder();
        let of_bus = has_bus.then(|| with_local_recorder(&recorder, OfBus::register));
        Self {
            of_clients: with_local_recorder(&recorder, OfClients::register),
            of_store: with_local_recorder(&recorder, OfStore::register),
            of_strangers: with_local_recorder(&recorder, OfStrangers::register),
            of_bus,
            recorder,
        }
    }

    /// Counts what the cores say.
    pub(super) fn record(&self, measure: Measure) {
        match measure {
            Measure::Acked { after_ms } => self
                .of_clients
                .acked
                .record(Duration::from_millis(after_ms)),
            Measure::Duplicate => self.of_clients.duplicates.increment(1),
            Measure::Ended { code } => {
                let code = code.map_or("client", CloseCode::as_str);
                with_local_recorder(&self.recorder, || closed(code).increment(1));
            }
            Measure::FannedOut { after_ms } => {
                self.of_clients
                    .fanned_out
                    .record(Duration::from_millis(after_ms));
            }
            Measure::FellBack => self.of_clients.fallbacks.increment(1),
            Measure::Page { changes, bytes } => {
                self.of_clients.pages.increment(1);
                self.of_clients.page_changes.increment(changes as u64);
                self.of_clients.page_bytes.increment(bytes as u64);
            }
            Measure::Refused { code } => {
                let code = ErrorCode::as_str(code);
                with_local_recorder(&self.recorder, || error(code).increment(1));
            }
            Measure::Reset {
                had_cursor,
                objects,
                bytes,
            } => {
                with_local_recorder(&self.recorder, || reset(had_cursor).increment(1));
                self.of_clients.reset_objects.increment(objects as u64);
                self.of_clients.reset_bytes.increment(bytes as u64);
            }
            Measure::Resumed { threads } => {
                self.of_clients.resumes.increment(1);
                self.of_clients.resumed_threads.increment(threads as u64);
            }
        }
    }

    /// Returns what counts those who are not let in.
    pub(super) fn of_strangers(&self) -> &OfStrangers {
        &self.of_strangers
    }

    /// Counts a connection.
    pub(super) fn opened(&self) {
        self.of_clients.opened.increment(1);
    }

    /// Counts a transaction of so many commands.
    pub(super) fn committed(&self, commands: usize, took: Duration, error: Option<&StoreError>) {
        self.of_store.commits.record(took);
        self.of_store.batches.record(commands as f64);
        self.store_failed("commit", error);
    }

    /// Counts a question to the store.
    pub(super) fn read(&self, took: Duration, error: Option<&StoreError>) {
        self.of_store.reads.record(took);
        self.store_failed("read", error);
    }

    fn store_failed(&self, on: &'static str, error: Option<&StoreError>) {
        let kind = match error {
            None => return,
            Some(StoreError::Unavailable(_)) => "unavailable",
            Some(StoreError::UnknownFate(_)) => "unknown_fate",
        };
        with_local_recorder(&self.recorder, || store_error(on, kind).increment(1));
    }

    /// Counts what other gateways are told; `false`: it found no place.
    pub(super) fn told(&self, is_told: bool) {
        if let Some(bus) = &self.of_bus {
            let which = if is_told { &bus.told } else { &bus.dropped };
            which.increment(1);
        }
    }

    /// Counts what is heard of other gateways.
    pub(super) fn heard(&self) {
        self.of_bus.iter().for_each(|bus| bus.heard.increment(1));
    }

    /// Counts that something of theirs was missed.
    pub(super) fn missed(&self) {
        self.of_bus.iter().for_each(|bus| bus.missed.increment(1));
    }

    /// Takes in what was counted since; to be called every few seconds.
    pub(super) fn upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }

    /// Returns everything as text, with what is so now.
    pub(super) fn render(&self, health: Health, levels: Levels, bus_waiting: usize) -> String {
        with_local_recorder(&self.recorder, || names::set_levels(health, levels));
        if let Some(bus) = &self.of_bus {
            bus.set_levels(health, bus_waiting);
        }
        self.recorder.handle().render()
    }
}

/// Histograms of times and of batches have buckets, so that several gateways can be added up.
fn recorder() -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for (suffix, bounds) in [("_seconds", &SECONDS[..]), ("_commands", &COMMANDS)] {
        let matcher = Matcher::Suffix(suffix.to_owned());
        // It refuses nothing but an empty list.
        builder = match builder.set_buckets_for_metric(matcher, bounds) {
            Ok(builder) => builder,
            Err(_) => PrometheusBuilder::new(),
        };
    }
    builder.build_recorder()
}
