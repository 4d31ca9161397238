//! Writing the stream and the leases, in the order in which it was asked.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use rejoinder_protocol::UserId;
use tokio::sync::{mpsc, oneshot};
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
        for order in taken.drain(..) {
            batch.add(bus, order);
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
    let number = |order: &Order| match order {
        Order::Finish(_) => None,
        Order::Speak(number, _) => Some(*number),
    };
    if let Some(number) = taken.iter().rev().find_map(number) {
        let is_news = |order: &Order| matches!(order, Order::Speak(_, ToPeers::Tell(_)));
        return (!taken.iter().any(is_news)).then_some(number);
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
    finished: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn add(&mut self, bus: &Bus, order: Order) {
        let pipeline = &mut self.pipeline;
        let (number, order) = match order {
            Order::Finish(finished) => return self.finished.push(finished),
            Order::Speak(number, order) => (number, order),
        };
        match order {
            ToPeers::Hold(users) => leases::hold(bus, pipeline, &users),
            ToPeers::Leave(users) => leases::leave(bus, pipeline, &users),
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
        let mut answers = Vec::new();
        if !self.pipeline.is_empty() {
            let exchange = self.pipeline.query_async::<Vec<Value>>(connection);
            answers = timeout(ANSWER_TIMEOUT, exchange).await??;
        }
        for finished in self.finished {
            // Whoever waited may have given up.
            let _ = finished.send(());
        }
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
