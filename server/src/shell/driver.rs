//! The cores behind one lock, and the effects they ask for.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use rejoinder_protocol::{Epoch, Resume, Token, UserId};
use tokio::sync::{Notify, mpsc, oneshot};

use super::clock::Clock;
use super::metrics::{Health, Metrics};
use crate::bus::Speaker;
use crate::core::{
    Batch, Effect, FromPeers, Gateway, Identity, Input, NextBatch, Now, ReadDone, Refusal,
    RequestId, SessionKey,
};
use crate::store::{Answer, Command, Heard, Locked, Read, ReadAnswer, Store, StoreError};
use crate::tokens::Tokens;

/// How often deadlines are looked at. The shortest of them is one second.
const TICK: Duration = Duration::from_millis(200);
/// A store that does not answer by then is down.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// A store that failed to write counts as down for so long, unless it writes before: without clients
/// it is asked to write nothing.
const FAILED_FOR: Duration = Duration::from_secs(30);

/// The cores of one process. The lock is never held across an await.
#[derive(Debug)]
pub(super) struct Driver<S> {
    gateway: Mutex<Gateway>,
    store: S,
    tokens: Tokens,
    /// To other gateways, if there may be any.
    speaker: Option<Speaker>,
    clock: Clock,
    metrics: Metrics,
    /// When the store last failed to write, if it has not written since.
    commit_failed_at: Mutex<Option<Instant>>,
    /// Who waits to be flushed. Looked up only, so its order decides nothing.
    sockets: Mutex<HashMap<SessionKey, Arc<Notify>>>,
    requests: Mutex<HashMap<RequestId, oneshot::Sender<Answer>>>,
    commits: [mpsc::Sender<NextBatch>; 2],
    last_key: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under the lock ends the task that caused it. The others go on: every step leaves the
    // indexes usable, at worst with one session that is no longer served and soon closed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the store. A panic in it, which is a bug, costs what was asked, and not the task that asks
/// for everybody.
async fn contain<T>(
    asked: impl Future<Output = Result<T, StoreError>>,
    failed: fn(String) -> StoreError,
) -> Result<T, StoreError> {
    let answered = AssertUnwindSafe(asked).catch_unwind().await;
    answered.unwrap_or_else(|_| Err(failed("it panicked; please report the lines above".into())))
}

impl<S: Store> Driver<S> {
    pub(super) fn start(
        gateway: Gateway,
        store: S,
        tokens: Tokens,
        speaker: Option<Speaker>,
    ) -> Arc<Self> {
        // Only one batch of each kind is under way at a time.
        let (skipping, skips) = mpsc::channel(1);
        let (patient, waits) = mpsc::channel(1);
        let metrics = Metrics::new(speaker.is_some());
        let driver = Arc::new(Self {
            gateway: Mutex::new(gateway),
            store,
            tokens,
            speaker,
            clock: Clock::start(),
            metrics,
            commit_failed_at: Mutex::default(),
            sockets: Mutex::default(),
            requests: Mutex::default(),
            commits: [skipping, patient],
            last_key: AtomicU64::new(0),
        });
        tokio::spawn(Arc::clone(&driver).commit(skips));
        tokio::spawn(Arc::clone(&driver).commit(waits));
        tokio::spawn(Arc::clone(&driver).tick());
        let prepared = Arc::clone(&driver);
        tokio::spawn(async move { prepared.tokens.prepare(prepared.clock.now()).await });
        driver
    }

    /// A commit task. There is one for each kind of batch: the outcomes of a thread reach the hub in
    /// the order of their commits.
    async fn commit(self: Arc<Self>, mut waiting: mpsc::Receiver<NextBatch>) {
        while let Some(next) = waiting.recv().await {
            let NextBatch {
                batch,
                asked_in,
                commands,
                locked,
            } = next;
            let now = self.clock.now().wall;
            let (count, began) = (commands.len(), Instant::now());
            let applied = self.store.apply(asked_in, now, commands, locked);
            let result = contain(applied, StoreError::UnknownFate).await;
            let took = began.elapsed();
            self.metrics.committed(count, took, result.as_ref().err());
            *lock(&self.commit_failed_at) = result.is_err().then(Instant::now);
            if let Err(error) = &result {
                tracing::error!(%error, "a batch was not committed");
            }
            self.survive(Input::Committed { batch, result });
        }
    }

    /// Passes on what others write into the store.
    pub(super) async fn hear(self: Arc<Self>, mut heard: mpsc::Receiver<Heard>) {
        while let Some(heard) = heard.recv().await {
            self.survive(match heard {
                Heard::Changed(thread_id) => Input::Hint {
                    thread_id,
                    revision: None,
                },
                Heard::Everything => Input::Heard { is_heard: true },
                Heard::Nothing => Input::Heard { is_heard: false },
            });
        }
    }

    /// Passes on what other gateways tell.
    pub(super) async fn hear_peers(self: Arc<Self>, mut heard: mpsc::Receiver<FromPeers>) {
        while let Some(heard) = heard.recv().await {
            match heard {
                FromPeers::Down | FromPeers::Up { .. } => {}
                FromPeers::Missed => self.metrics.missed(),
                FromPeers::Leases(_) | FromPeers::News(_) => self.metrics.heard(),
            }
            self.survive(Input::Peers(heard));
        }
    }

    async fn tick(self: Arc<Self>) {
        loop {
            tokio::time::sleep(TICK).await;
            self.survive(Input::Tick);
        }
    }

    /// Like [`Self::feed`], for the tasks that everybody depends on: a panic, which is a bug, costs
    /// this step and not the gateway.
    fn survive(self: &Arc<Self>, input: Input) {
        if catch_unwind(AssertUnwindSafe(|| self.feed(input))).is_err() {
            tracing::error!("a step panicked; please report the lines above");
        }
    }

    /// Hands an input to the cores and does what they ask for.
    pub(super) fn feed(self: &Arc<Self>, input: Input) {
        let mut effects = Vec::new();
        self.with_gateway(|gateway, now| {
            gateway.handle(now, input, &mut effects);
            self.speak(&mut effects);
        });
        self.execute(effects);
    }

    /// Hands over what other gateways are to be told, under the lock: a lease that is given back must
    /// not overtake one that is taken after it. Never waits.
    fn speak(&self, effects: &mut Vec<Effect>) {
        if let Some(speaker) = &self.speaker {
            let orders = effects.extract_if(.., |one| matches!(one, Effect::Peers(_)));
            for order in orders {
                if let Effect::Peers(order) = order {
                    self.metrics.told(speaker.speak(order));
                }
            }
        }
    }

    fn with_gateway<T>(&self, step: impl FnOnce(&mut Gateway, Now) -> T) -> T {
        let mut gateway = lock(&self.gateway);
        // Asked under the lock, so that time never goes back between steps.
        let now = self.clock.now();
        step(&mut gateway, now)
    }

    fn execute(self: &Arc<Self>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer { request, answer } => {
                    let asker = lock(&self.requests).remove(&request);
                    // Whoever asked may be gone.
                    let _ = asker.map(|asker| asker.send(answer));
                }
                Effect::Commit(next) => {
                    let [skipping, patient] = &self.commits;
                    let way = match next.locked {
                        Locked::Skip => skipping,
                        Locked::Wait => patient,
                    };
                    if way.try_send(next).is_err() {
                        tracing::error!("two batches at once, or no commit task");
                    }
                }
                Effect::Flush { session } => {
                    if let Some(socket) = lock(&self.sockets).get(&session) {
                        socket.notify_one();
                    }
                }
                Effect::Measure(measure) => self.metrics.record(measure),
                // Handed over under the lock, if there are any.
                Effect::Peers(_) => {}
                Effect::Read { read, question } => {
                    let driver = Arc::clone(self);
                    tokio::spawn(async move {
                        let result = driver.read(question).await.map(ReadDone::from);
                        driver.feed(Input::Read { read, result });
                    });
                }
                Effect::Verify { session, token } => {
                    let driver = Arc::clone(self);
                    tokio::spawn(async move {
                        let result = driver.verify(&token).await;
                        driver.feed(Input::Verified { session, result });
                    });
                }
            }
        }
    }

    /// Begins the session of a socket.
    pub(super) fn open(self: &Arc<Self>) -> Opened<S> {
        self.begin(|session| Input::Opened { session })
    }

    /// Begins the session of a stream.
    pub(super) fn open_stream(
        self: &Arc<Self>,
        identity: Identity,
        resume: Vec<Resume>,
    ) -> Opened<S> {
        self.begin(|session| Input::Streamed {
            session,
            identity,
            resume,
        })
    }

    /// Begins the session of a request of one frame.
    pub(super) fn open_post(
        self: &Arc<Self>,
        identity: Identity,
        epoch: Option<Epoch>,
    ) -> Opened<S> {
        self.begin(|session| Input::Posted {
            session,
            identity,
            epoch,
        })
    }

    /// Begins a session. It ends when what is returned is dropped, also by a panic.
    fn begin(self: &Arc<Self>, how: impl FnOnce(SessionKey) -> Input) -> Opened<S> {
        let session = SessionKey(self.last_key.fetch_add(1, Ordering::Relaxed));
        let flush = Arc::new(Notify::new());
        lock(&self.sockets).insert(session, Arc::clone(&flush));
        self.metrics.opened();
        self.feed(how(session));
        Opened {
            driver: Arc::clone(self),
            session,
            flush,
        }
    }

    /// Counts a request of a user that came by no connection; `Err`: one too many, with how long it
    /// takes until another one may come.
    pub(super) fn admit(&self, user_id: &UserId) -> Result<(), Duration> {
        let admitted = self.with_gateway(|gateway, now| gateway.admit(now, user_id));
        admitted.map_err(Duration::from_millis)
    }

    /// Finds out whom a token names.
    pub(super) async fn verify(&self, token: &Token) -> Result<Identity, Refusal> {
        self.tokens.verify(self.clock.now(), token).await
    }

    /// Asks the store.
    pub(super) async fn read(&self, question: Read) -> Result<ReadAnswer, StoreError> {
        let began = Instant::now();
        let result = contain(self.store.read(question), StoreError::Unavailable).await;
        self.metrics.read(began.elapsed(), result.as_ref().err());
        result
    }

    /// Returns what was counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Finds out whether the gateway can do its work.
    pub(super) async fn health(&self) -> Health {
        let nothing = Read::Heads {
            thread_ids: Vec::new(),
        };
        let reads = tokio::time::timeout(PROBE_TIMEOUT, self.store.read(nothing)).await;
        let failed_at = *lock(&self.commit_failed_at);
        let writes = failed_at.is_none_or(|at| at.elapsed() > FAILED_FOR);
        self.with_gateway(|gateway, _| Health {
            is_draining: gateway.is_draining(),
            is_store_up: writes && matches!(reads, Ok(Ok(_))),
            is_bus_up: gateway.are_peers_up(),
        })
    }

    /// Returns everything that was counted as text.
    pub(super) fn render(&self, health: Health) -> String {
        let levels = self.with_gateway(|gateway, _| gateway.levels());
        let waiting = self.speaker.as_ref().map_or(0, Speaker::waiting);
        self.metrics.render(health, levels, waiting)
    }

    /// Runs a command from outside the sockets; `None` if the gateway is being stopped.
    pub(super) async fn command(self: &Arc<Self>, command: Command) -> Option<Answer> {
        let request = RequestId(self.last_key.fetch_add(1, Ordering::Relaxed));
        let (asker, answer) = oneshot::channel();
        lock(&self.requests).insert(request, asker);
        self.feed(Input::Command { request, command });
        answer.await.ok()
    }

    /// Waits until no session and no command is left.
    pub(super) async fn idle(&self) {
        while !self.with_gateway(|gateway, _| gateway.is_idle()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until other gateways are told what was handed over for them, or cannot be.
    pub(super) async fn told(&self) {
        if let Some(speaker) = &self.speaker {
            speaker.finish().await;
        }
    }
}

/// A client's side of its session.
pub(super) struct Opened<S: Store> {
    driver: Arc<Driver<S>>,
    session: SessionKey,
    flush: Arc<Notify>,
}

impl<S: Store> Opened<S> {
    pub(super) fn frame(&self, text: &str) {
        // Decoded before the lock is taken: nobody waits for another's parsing.
        let frame = rejoinder_protocol::decode_client_frame(text);
        self.driver.feed(Input::Frame {
            session: self.session,
            bytes: text.len(),
            frame,
        });
    }

    pub(super) fn take(&self) -> Option<Batch> {
        let mut effects = Vec::new();
        let batch = self.driver.with_gateway(|gateway, now| {
            let batch = gateway.take(now, self.session, &mut effects);
            self.driver.speak(&mut effects);
            batch
        });
        self.driver.execute(effects);
        batch
    }

    pub(super) fn may_read(&self) -> bool {
        self.driver
            .with_gateway(|gateway, _| gateway.may_read(self.session))
    }

    pub(super) fn is_answered(&self) -> bool {
        self.driver
            .with_gateway(|gateway, _| gateway.is_answered(self.session))
    }

    pub(super) fn flush_again(&self) {
        self.flush.notify_one();
    }

    pub(super) async fn flush_wanted(&self) {
        self.flush.notified().await;
    }
}

impl<S: Store> Drop for Opened<S> {
    fn drop(&mut self) {
        // Perhaps in the middle of a panic; a second one must not leave here.
        lock(&self.driver.sockets).remove(&self.session);
        self.driver.survive(Input::Closed {
            session: self.session,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Config;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn a_panic_under_the_lock_ends_one_session_and_no_other() {
        let epoch = "e1".parse().unwrap();
        let store = SqliteStore::memory(&epoch).unwrap();
        let gateway = Gateway::new(Config::new(epoch, 1));
        let driver = Driver::start(gateway, store, Tokens::new().with_dev(), None);
        let healthy = driver.open();
        let broken = Arc::clone(&driver);
        let ended = tokio::spawn(async move {
            let session = broken.open();
            session.driver.with_gateway(|_, _| panic!("a planted bug"));
        });
        assert!(ended.await.unwrap_err().is_panic());
        healthy.frame(r#"{"type":"hello","protocol_version":1,"token":"dev:alice"}"#);
        healthy.flush_wanted().await;
        let batch = healthy.take().unwrap();
        assert!(batch.frames[0].contains("welcome"));
        assert_eq!(driver.with_gateway(|gateway, _| gateway.session_count()), 1);
    }
}
