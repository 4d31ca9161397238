//! Writing the stream and the leases, in the order in which it was asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use rejoinder_protocol::UserId;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{ANSWER_TIMEOUT, Bus, BusError, Order, leases};
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

/// Does what is ordered; returns when nobody orders any more.
pub(super) async fn speak(
    bus: &Bus,
    mut connection: MultiplexedConnection,
    orders: &mut mpsc::Receiver<Order>,
    told: &Mutex<u64>,
    tell: &mpsc::Sender<FromPeers>,
) -> Result<(), BusError> {
    let mut taken = Vec::new();
    loop {
        let ordered = timeout(BEAT, orders.recv_many(&mut taken, ORDERS_MAX)).await;
        if ordered == Ok(0) {
            return Ok(());
        }
        let mut number = taken.last().map(|(number, _)| *number);
        if number.is_none() {
            // What is handed over meanwhile waits for its turn, and has a number of its own.
            let told = told.lock().unwrap_or_else(PoisonError::into_inner);
            number = orders.is_empty().then_some(*told);
        }
        let has_told = taken
            .iter()
            .any(|(_, order)| matches!(order, ToPeers::Tell(_)));
        let mut batch = Batch::default();
        for (number, order) in taken.drain(..) {
            batch.add(bus, number, order);
            if batch.pipeline.len() >= COMMANDS_MAX {
                let batch = std::mem::take(&mut batch);
                if batch.run(&mut connection, tell).await? == Ended::NobodyListens {
                    return Ok(());
                }
            }
        }
        if let Some(number) = number.filter(|_| !has_told) {
            add(bus, &mut batch.pipeline, number, None);
        }
        if batch.run(&mut connection, tell).await? == Ended::NobodyListens {
            return Ok(());
        }
    }
}

/// Whether somebody wants to hear more.
#[derive(Eq, PartialEq)]
enum Ended {
    No,
    NobodyListens,
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
    ) -> Result<Ended, BusError> {
        if self.pipeline.is_empty() {
            return Ok(Ended::No);
        }
        let answers = self.pipeline.query_async::<Vec<Value>>(connection);
        let answers = timeout(ANSWER_TIMEOUT, answers).await??;
        if self.asked.is_empty() {
            return Ok(Ended::No);
        }
        let leases = self.asked.into_iter().zip(answers);
        let leases = leases.map(|(user_id, answer)| Ok((user_id, leases::read(answer)?)));
        let leases = leases.collect::<Result<Vec<(UserId, _)>, BusError>>()?;
        match tell.send(FromPeers::Leases(leases)).await {
            Ok(()) => Ok(Ended::No),
            Err(_) => Ok(Ended::NobodyListens),
        }
    }
}

/// Adds an entry to the stream. Its answer is of no use.
fn add(bus: &Bus, pipeline: &mut Pipeline, number: u64, news: Option<News>) {
    let json = |news: &News| serde_json::to_string(news).ok();
    let news = news.map(|news| match json(&news) {
        Some(json) if json.len() > ENTRY_BYTES_MAX => news.shortened(),
        Some(_) | None => news,
    });
    let json = news.as_ref().and_then(json);
    let add = pipeline.cmd("XADD").arg(bus.stream());
    add.arg("MAXLEN").arg("~").arg(ENTRIES).arg("*");
    add.arg("node").arg(&*bus.node).arg("number").arg(number);
    if let Some(json) = json {
        add.arg("news").arg(json);
    }
    add.ignore();
}
