//! Writing the stream and the leases, in the order in which it was asked.

use std::sync::atomic::{AtomicU64, Ordering};
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
/// Orders that are written together.
const ORDERS_MAX: usize = 256;
/// A gateway with nothing to say says so.
const BEAT: Duration = Duration::from_secs(5);

/// Does what is ordered; returns when nobody orders any more.
pub(super) async fn speak(
    bus: &Bus,
    mut connection: MultiplexedConnection,
    orders: &mut mpsc::Receiver<Order>,
    told: &AtomicU64,
    tell: &mpsc::Sender<FromPeers>,
) -> Result<(), BusError> {
    let mut taken = Vec::new();
    loop {
        let ordered = timeout(BEAT, orders.recv_many(&mut taken, ORDERS_MAX)).await;
        if ordered == Ok(0) {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        let mut asked = Vec::new();
        let mut has_told = false;
        for (number, order) in taken.drain(..) {
            match order {
                ToPeers::Hold(users) => leases::hold(bus, &mut pipeline, &users),
                ToPeers::Look(users) => {
                    leases::look(bus, &mut pipeline, &users);
                    asked.extend(users);
                }
                ToPeers::Release(user_id) => leases::release(bus, &mut pipeline, &user_id),
                ToPeers::Tell(news) => {
                    has_told = true;
                    add(bus, &mut pipeline, number, Some(&news));
                }
            }
        }
        if !has_told {
            add(bus, &mut pipeline, told.load(Ordering::Relaxed), None);
        }
        let answers = pipeline.query_async::<Vec<Value>>(&mut connection);
        let answers = timeout(ANSWER_TIMEOUT, answers).await??;
        if !asked.is_empty() {
            let leases = asked.into_iter().zip(answers);
            let leases = leases.map(|(user_id, answer)| Ok((user_id, leases::read(answer)?)));
            let leases = leases.collect::<Result<Vec<(UserId, _)>, BusError>>()?;
            if tell.send(FromPeers::Leases(leases)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Adds an entry to the stream. Its answer is of no use.
fn add(bus: &Bus, pipeline: &mut Pipeline, number: u64, news: Option<&News>) {
    let json = news.and_then(|news| serde_json::to_string(news).ok());
    let json = json.filter(|json| json.len() <= ENTRY_BYTES_MAX);
    let add = pipeline.cmd("XADD").arg(bus.stream());
    add.arg("MAXLEN").arg("~").arg(ENTRIES).arg("*");
    add.arg("node").arg(&*bus.node).arg("number").arg(number);
    if let Some(json) = json {
        add.arg("news").arg(json);
    }
    add.ignore();
}
