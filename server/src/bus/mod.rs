//! Redis between gateways: a stream that all of them read, and leases of who is where.
//!
//! It carries hints; the database holds the truth. While it is away each gateway's own users go on,
//! and everything else is found by polling the database.

mod entry;
mod leases;
mod listening;
mod speaking;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use crate::core::{FromPeers, ToPeers};
use crate::finding::Finding;

/// A server that does not take a connection by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A server that does not answer by then is lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// It is tried again after so long at first …
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// … and after so long at most.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A connection that lasted so long was a good one: what fails after it is tried again soon.
const STABLE: Duration = Duration::from_secs(10);
/// What waits to be told; more is dropped, and looked for by the others.
const WAITING_MAX: usize = 4096;
/// What was heard and waits for the gateway; more waits in the stream.
const HEARD_MAX: usize = 1024;

/// How other gateways are reached.
#[derive(Clone)]
pub struct Bus {
    client: redis::Client,
    prefix: Arc<str>,
    /// This start of this gateway: no other has its name.
    node: Arc<str>,
}

/// Says nothing about the password.
impl std::fmt::Debug for Bus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Bus");
        shown
            .field("prefix", &self.prefix)
            .field("node", &self.node);
        shown.finish_non_exhaustive()
    }
}

/// Why a bus cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The server does not answer as it should.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The stream is not what this gateway writes into it.
    #[error("Redis: {0}")]
    Stream(&'static str),
    /// The server does not answer.
    #[error("Redis does not answer")]
    Timeout(#[from] tokio::time::error::Elapsed),
}

impl Bus {
    /// Reads a URL such as `redis://user:secret@host:6379/0`, or `rediss://` for TLS.
    ///
    /// `prefix` begins the name of every key. `node_id` is how this gateway is called in the stream.
    ///
    /// # Errors
    ///
    /// [`BusError::Redis`] if it is no such URL. Nothing is connected yet.
    pub fn new(url: &str, prefix: &str, node_id: &str) -> Result<Self, BusError> {
        let start = Uuid::now_v7().simple();
        Ok(Self {
            client: redis::Client::open(url)?,
            prefix: prefix.into(),
            node: format!("{node_id}.{start}").into(),
        })
    }

    /// Looks at everything that a gateway needs of the server.
    pub async fn check(&self) -> Finding {
        const NAME: &str = "Redis";
        match self.connect().await {
            Ok(_) => Finding::good(NAME, format!("it can be used, under `{}:`", self.prefix)),
            Err(error) => {
                let remedy = "check REDIS_URL, that this machine may connect, that it is Redis 7 or \
                              later, and what its user may do (docs/several-gateways.md)";
                Finding::bad(NAME, error.to_string(), remedy)
            }
        }
    }

    /// Connects, and again whenever the connection is lost, until what is returned is dropped.
    #[must_use]
    pub fn start(self) -> (Speaker, mpsc::Receiver<FromPeers>) {
        let (orders, ordered) = mpsc::channel(WAITING_MAX);
        let (tell, heard) = mpsc::channel(HEARD_MAX);
        let told = Arc::new(Mutex::new(0));
        let speaker = Speaker {
            orders,
            told: Arc::clone(&told),
        };
        tokio::spawn(run(self, ordered, told, tell));
        (speaker, heard)
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    fn stream(&self) -> String {
        self.key("news")
    }

    async fn connect(&self) -> Result<Connected, BusError> {
        let mut speaking = self.connection(Some(ANSWER_TIMEOUT)).await?;
        // A blocking read answers when there is something, and has a deadline of its own.
        let mut listening = self.connection(None).await?;
        let cursor = listening::tail(self, &mut listening).await?;
        let settled_in_ms = leases::settled_in_ms(self, &mut speaking, &cursor).await?;
        Ok(Connected {
            speaking,
            listening,
            cursor,
            settled_in_ms,
        })
    }

    async fn connection(
        &self,
        answer_timeout: Option<Duration>,
    ) -> Result<MultiplexedConnection, BusError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(answer_timeout);
        let client = &self.client;
        Ok(client
            .get_multiplexed_async_connection_with_config(&config)
            .await?)
    }
}

/// Both connections, where the stream ended, and when leases that are not there can be believed.
struct Connected {
    speaking: MultiplexedConnection,
    listening: MultiplexedConnection,
    cursor: String,
    settled_in_ms: u64,
}

/// What is to be done in its turn.
#[derive(Debug)]
enum Order {
    /// Say that everything before it is done.
    Finish(oneshot::Sender<()>),
    /// Something for other gateways, with how many news were told so far.
    Speak(u64, ToPeers),
}

/// Takes what other gateways are to be told or asked. Never waits.
#[derive(Clone, Debug)]
pub struct Speaker {
    orders: mpsc::Sender<Order>,
    /// Counts news from the moment they are handed over, so that others notice those that are lost
    /// on their way.
    told: Arc<Mutex<u64>>,
}

impl Speaker {
    /// Hands something over; returns whether it found a place. Otherwise it is dropped.
    pub fn speak(&self, order: ToPeers) -> bool {
        // Held until it is in the queue: numbers are in the order of what they number.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told += u64::from(matches!(order, ToPeers::Tell(_)));
        let number = *told;
        let is_taken = self.orders.try_send(Order::Speak(number, order)).is_ok();
        if !is_taken {
            tracing::debug!("other gateways are not told: too much waits");
        }
        is_taken
    }

    /// Waits until what was handed over before is done, or is dropped since the server is away.
    pub async fn finish(&self) {
        let (finish, finished) = oneshot::channel();
        if self.orders.send(Order::Finish(finish)).await.is_ok() {
            let _ = finished.await;
        }
    }

    /// Returns how much waits to be told.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.orders.max_capacity() - self.orders.capacity()
    }
}

/// Connects again and again until nobody listens any more.
async fn run(
    bus: Bus,
    mut orders: mpsc::Receiver<Order>,
    told: Arc<Mutex<u64>>,
    tell: mpsc::Sender<FromPeers>,
) {
    let mut backoff = BACKOFF_MIN;
    loop {
        let began = Instant::now();
        let Err(ended) = once(&bus, &mut orders, &told, &tell).await;
        match ended {
            Ended::Dropped => return,
            Ended::Lost(error) => {
                if began.elapsed() > STABLE {
                    backoff = BACKOFF_MIN;
                }
                tracing::warn!(%error, "other gateways are not reached");
            }
        }
        if tell.send(FromPeers::Down).await.is_err() {
            return;
        }
        let wait = backoff.mul_f32(0.5 + fastrand::f32() / 2.0);
        backoff = (backoff * 2).min(BACKOFF_MAX);
        // What is ordered meanwhile is too late: nobody can be told or asked.
        let dropping = async { while orders.recv().await.is_some() {} };
        tokio::select! {
            () = dropping => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Why nothing is told or heard any more.
enum Ended {
    /// The gateway is gone.
    Dropped,
    Lost(BusError),
}

impl<E: Into<BusError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Lost(error.into())
    }
}

/// Tells the gateway; it may be gone.
async fn hand_over(tell: &mpsc::Sender<FromPeers>, heard: FromPeers) -> Result<(), Ended> {
    tell.send(heard).await.map_err(|_| Ended::Dropped)
}

async fn once(
    bus: &Bus,
    orders: &mut mpsc::Receiver<Order>,
    told: &Mutex<u64>,
    tell: &mpsc::Sender<FromPeers>,
) -> Result<Infallible, Ended> {
    let Connected {
        speaking,
        listening,
        cursor,
        settled_in_ms,
    } = bus.connect().await?;
    hand_over(tell, FromPeers::Up { settled_in_ms }).await?;
    tracing::info!(node = %bus.node, "other gateways are reached");
    tokio::select! {
        ended = speaking::speak(bus, speaking, orders, told, tell) => ended,
        ended = listening::listen(bus, listening, cursor, tell) => ended,
    }
}
