//! Writing the stream and the leases, in the order in which it was asked.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use rejoinder_protocol::UserId;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{ANSWER_TIMEOUT, Bus, BusError, Ended, Order, hand_over, leases};
use crate::core::{FromPeers, News, ToPeers};

/// Entries that the stream keeps, about: a reader that is further behind looks into the database.
const ENTRIES: usize = 8_192;
/// News longer than this, in bytes, are told without what changed: whoever is concerned looks.
const ENTRY_BYTES_MAX: usize = 16 * 1024;
/// Orders that are taken together …
const ORDERS_MAX: usize = 256;
/// … and commands after which they are written: each exchange must end within its time.
const COMMANDS_MAX: usize = 500;
/// A gateway with nothing to say says so.
const BEAT: Duration = Duration::from_secs(5);

/// Does what is ordered.
pub(super) async fn speak(
    bus: &Bus,
    mut connection: MultiplexedConnection,
    orders: &mut mpsc::Receiver<Order>,
    told: &Mutex<u64>,
    tell: &mpsc::Sender<FromPeers>,
) -> Result<Infallible, Ended> {
    let mut taken = Vec::new();
    loop {
        let ordered = timeout(BEAT, orders.recv_many(&mut taken, ORDERS_MAX)).await;
        if ordered == Ok(0) {
            return Err(Ended::Dropped);
        }
        let beat = beat(&taken, orders, told);
        let mut batch = Batch::default();
        for (number, order) in taken.drain(..) {
            batch.add(bus, number, order);
            if batch.pipeline.len() >= COMMANDS_MAX {
                std::mem::take(&mut batch)
                    .run(&mut connection, tell)
                    .await?;
            }
        }
        if let Some(number) = beat {
            add(bus, &mut batch.pipeline, number, None);
        }
        batch.run(&mut connection, tell).await?;
    }
}

/// Returns how many news were told, where none of what was taken says it.
fn beat(taken: &[Order], orders: &mpsc::Receiver<Order>, told: &Mutex<u64>) -> Option<u64> {
    if let Some((number, _)) = taken.last() {
        let is_news = |(_, order): &Order| matches!(order, ToPeers::Tell(_));
        return (!taken.iter().any(is_news)).then_some(*number);
    }
    // What is handed over meanwhile waits for its turn, and has a number of its own.
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    orders.is_empty().then_some(*told)
}

/// What is written in one exchange with the server.
#[derive(Default)]
struct Batch {
    pipeline: Pipeline,
    asked: Vec<UserId>,
}

impl Batch {
    fn add(&mut self, bus: &Bus, number: u64, order: ToPeers) {
        let pipeline = &mut self.pipeline;
        match order {
            ToPeers::Hold(users) => leases::hold(bus, pipeline, &users),
            ToPeers::Look(users) => {
                leases::look(bus, pipeline, &users);
                self.asked.extend(users);
            }
            ToPeers::Release(user_id) => leases::release(bus, pipeline, &user_id),
            ToPeers::Tell(news) => add(bus, pipeline, number, Some(news)),
        }
    }

    async fn run(
        self,
        connection: &mut MultiplexedConnection,
        tell: &mpsc::Sender<FromPeers>,
    ) -> Result<(), Ended> {
        if self.pipeline.is_empty() {
            return Ok(());
        }
        let answers = self.pipeline.query_async::<Vec<Value>>(connection);
        let answers = timeout(ANSWER_TIMEOUT, answers).await??;
        if self.asked.is_empty() {
            return Ok(());
        }
        let leases = self.asked.into_iter().zip(answers);
        let leases = leases.map(|(user_id, answer)| Ok((user_id, leases::read(answer)?)));
        let leases = leases.collect::<Result<Vec<(UserId, _)>, BusError>>()?;
        hand_over(tell, FromPeers::Leases(leases)).await
    }
}

/// Adds an entry to the stream. Its answer is of no use.
fn add(bus: &Bus, pipeline: &mut Pipeline, number: u64, news: Option<News>) {
    let add = pipeline.cmd("XADD").arg(bus.stream());
    add.arg("MAXLEN").arg("~").arg(ENTRIES).arg("*");
    add.arg("node").arg(&*bus.node).arg("number").arg(number);
    if let Some(json) = news.and_then(written) {
        add.arg("news").arg(json);
    }
    add.ignore();
}

/// Returns news as the stream has them.
fn written(news: News) -> Option<String> {
    let json = serde_json::to_string(&news).ok()?;
    match json.len() > ENTRY_BYTES_MAX {
        true => serde_json::to_string(&news.shortened()).ok(),
        false => Some(json),
    }
}
