//! Rounds: people work while something goes wrong, everything is mended, everybody comes to rest, and
//! the checker looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::{self, Future};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rejoinder_protocol::ThreadId;
use rejoinder_simulation::random::stream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::checker::{Evidence, check};
use crate::fault::{Planned, Size, plan};
use crate::figures::{Fates, Figures};
use crate::ledger::Sent;
use crate::options::Options;
use crate::people::People;
use crate::records::{Database, Head, Records};
use crate::servers::Servers;
use crate::work::Person;
use crate::world::World;

/// People go on for so long when the last fault is over.
const TAIL: Duration = Duration::from_millis(300);
/// Between two looks at whether everybody has come to rest.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// So often whoever is not connected is told not to wait.
const HURRY_PAUSE: Duration = Duration::from_secs(1);
/// Whatever is not quiet by then is stuck. What is slowest by design takes 20 s: a subscription that
/// is asked for again, and a poll of the database.
const REST_TIMEOUT: Duration = Duration::from_secs(60);
/// Who is here is shown by then: leases of a gateway that died end within a minute.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(90);
/// A line of progress, after so many rounds.
const TOLD_EVERY: u32 = 10;
/// So many things that are wrong are told.
const WRONG_MAX: usize = 20;

/// A whole run, which goes on from round to round.
struct Run {
    world: Arc<World>,
    people: Vec<Person>,
    database: Database,
    size: Size,
    seed: u64,
}

/// Runs everything; returns what to print in the end.
///
/// # Errors
///
/// What is wrong, and in which round.
pub(crate) async fn run(options: &Options, folder: &Path) -> Result<String, String> {
    let size = Size {
        gateways: options.gateways.into(),
        clients: options.clients.into(),
    };
    let started = Instant::now();
    let servers = Servers::start(options.gateway()?, size.gateways, folder.to_owned());
    let servers = servers.await?;
    let database = Database::new(servers.database().to_owned());
    let world = World::open(servers, People::new(size.clients), options.seed).await?;
    let people = world.people.devices.iter().map(|device| Person {
        device: device.clone(),
        rng: stream(options.seed, "person", device.number as u64),
        written: 0,
    });
    let mut run = Run {
        people: people.collect(),
        world: Arc::new(world),
        database,
        size,
        seed: options.seed,
    };
    println!(
        "{} gateways, {} clients, ready after {} s",
        size.gateways,
        size.clients,
        started.elapsed().as_secs()
    );
    let mut figures = Figures::default();
    for round in options.first..options.first.saturating_add(options.rounds) {
        let planned = plan(run.seed, round, run.size);
        let outcome = run.round(round, &planned, &mut figures).await;
        outcome.map_err(|why| failure(round, options.seed, &planned, &why))?;
        figures.rounds += 1;
        if figures.rounds.is_multiple_of(TOLD_EVERY) {
            println!(
                "round {round}: {} messages committed, {} s",
                figures.fates.committed,
                started.elapsed().as_secs()
            );
        }
    }
    figures.presence = run.presence_heals().await?;
    figures.seconds = started.elapsed().as_secs();
    Ok(figures.tell(&run.world.counts))
}

fn failure(round: u32, seed: u64, planned: &[Planned], why: &str) -> String {
    let mut text = format!("round {round} of seed {seed}, in which went wrong:\n");
    for Planned { at_ms, fault } in planned {
        let _ = writeln!(text, "  {at_ms} ms: {fault:?}");
    }
    let _ = write!(
        text,
        "{why}\nthe same troubles again: --seed {seed} --first {round} --rounds 1"
    );
    text
}

impl Run {
    async fn round(
        &mut self,
        number: u32,
        planned: &[Planned],
        figures: &mut Figures,
    ) -> Result<(), String> {
        for one in planned {
            *figures.faults.entry(one.fault.name()).or_default() += 1;
            figures.gateways_killed += one.fault.kills(self.size.gateways);
        }
        self.suffer(planned).await?;
        let mended = Instant::now();
        self.world.heal();
        self.come_to_rest().await?;
        figures.converging.push((milliseconds(mended), number));
        self.look(figures).await
    }

    /// Everybody works until all faults are over, and a little longer.
    async fn suffer(&mut self, planned: &[Planned]) -> Result<(), String> {
        let (stop, is_stopped) = watch::channel(false);
        let mut faults = JoinSet::new();
        for one in planned {
            faults.spawn(Arc::clone(&self.world).suffer(one.clone()));
        }
        let ended = async {
            let mut result = Ok(());
            while let Some(ended) = faults.join_next().await {
                let ended = ended.map_err(|error| format!("a fault of its own: {error}"));
                result = result.and(ended.and_then(|ended| ended));
            }
            sleep(TAIL).await;
            stop.send_replace(true);
            result
        };
        let clients = self.world.clients.iter();
        let people = self.people.iter_mut().zip(clients);
        let working = people.map(|(person, client)| person.work(client, is_stopped.clone()));
        let (result, _) = tokio::join!(ended, futures_util::future::join_all(working));
        result
    }

    /// Waits until nothing is under way: everybody is connected and live, nothing waits, and the
    /// newest message of each thread is shown.
    async fn come_to_rest(&mut self) -> Result<(), String> {
        let until = Instant::now() + REST_TIMEOUT;
        let mut hurried = Instant::now();
        loop {
            let busy = self.busy().await?;
            if busy.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!(
                    "not at rest after {} s:\n  {}",
                    REST_TIMEOUT.as_secs(),
                    busy.join("\n  ")
                ));
            }
            if hurried.elapsed() > HURRY_PAUSE {
                hurried = Instant::now();
                self.world.clients.iter().for_each(|client| client.hurry());
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// Returns who is busy, and with what.
    async fn busy(&mut self) -> Result<Vec<String>, String> {
        let mut busy = Vec::new();
        let mut seen: Vec<BTreeMap<ThreadId, u64>> = Vec::new();
        for (number, client) in self.world.clients.iter().enumerate() {
            let progress = client.progress().await;
            let progress = progress.ok_or_else(|| format!("client {number} is dead: a panic?"))?;
            busy.extend(progress.busy.map(|what| format!("client {number} {what}")));
            seen.push(progress.newest);
        }
        if !busy.is_empty() {
            return Ok(busy);
        }
        // Asked last: what was committed before is to be seen.
        let heads = self.database.heads().await;
        let heads = match heads {
            Ok(heads) => heads,
            Err(error) => return Ok(vec![format!("the database says {error}")]),
        };
        for (number, newest) in seen.iter().enumerate() {
            for (thread_id, place) in newest {
                let head: Head = heads.get(thread_id).copied().unwrap_or_default();
                if *place != head.sequence_number {
                    busy.push(format!(
                        "client {number} sees {thread_id} up to {place} of {}",
                        head.sequence_number
                    ));
                }
            }
        }
        Ok(busy)
    }

    /// Waits until everybody shows everybody as online, and nobody as writing; returns how long that
    /// took, in milliseconds.
    async fn presence_heals(&self) -> Result<u64, String> {
        let started = Instant::now();
        loop {
            let mut misjudged = Vec::new();
            for (number, client) in self.world.clients.iter().enumerate() {
                let progress = client.progress().await.unwrap_or_default();
                misjudged.extend(
                    progress
                        .misjudged
                        .map(|what| format!("client {number} {what}")),
                );
            }
            if misjudged.is_empty() {
                return Ok(milliseconds(started));
            }
            if started.elapsed() > PRESENCE_TIMEOUT {
                let seconds = PRESENCE_TIMEOUT.as_secs();
                return Err(format!(
                    "still after {seconds} s:\n  {}",
                    misjudged.join("\n  ")
                ));
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// Compares everything.
    async fn look(&mut self, figures: &mut Figures) -> Result<(), String> {
        let records = self
            .database
            .records()
            .await
            .map_err(|error| error.to_string())?;
        let mut views = Vec::new();
        for (number, client) in self.world.clients.iter().enumerate() {
            let view = client.view().await;
            views.push(view.ok_or_else(|| format!("client {number} is dead: a panic?"))?);
        }
        let (sent, mut wrong) = self.world.ledger.read();
        figures.fates = fates(&records, &sent);
        wrong.extend(self.world.servers.troubles().await);
        wrong.extend(check(&Evidence {
            records,
            sent,
            views,
        }));
        if wrong.is_empty() {
            return Ok(());
        }
        let count = wrong.len();
        wrong.truncate(WRONG_MAX);
        Err(format!("wrong, {count} in all:\n  {}", wrong.join("\n  ")))
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn fates(records: &Records, sent: &[Sent]) -> Fates {
    let committed = records.messages.values().map(Vec::len).sum();
    let keys = records.messages.values().flatten();
    let keys: BTreeSet<_> = keys.map(|one| one.client_msg_id).collect();
    let others = sent.iter().filter(|one| !keys.contains(&one.client_msg_id));
    let taken_back = others.clone().filter(|one| one.is_discarded).count();
    Fates {
        committed,
        taken_back,
        unsafe_lost: others.count() - taken_back,
    }
}

/// Ends early, with nothing, when this program is asked to.
pub(crate) async fn unless_stopped<T>(work: impl Future<Output = T>) -> Option<T> {
    use tokio::signal::unix::{SignalKind, signal};
    // Where signals cannot be heard they end this program by themselves.
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await,
            Err(_) => future::pending().await,
        }
    };
    tokio::select! {
        done = work => Some(done),
        _ = terminated => None,
        _ = tokio::signal::ctrl_c() => None,
    }
}
