//! Reading the stream, each gateway by itself: a consumer group would hand each entry to one alone.

use std::convert::Infallible;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamRangeReply, StreamReadReply};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::entry::{Entry, Heard, Order};
use super::{ANSWER_TIMEOUT, Bus, BusError, Ended, hand_over};
use crate::core::FromPeers;

/// Entries of one read.
const COUNT: usize = 256;
/// A read waits so long for an entry, in milliseconds.
const BLOCK_MS: u64 = 2_000;
/// What this gateway says itself comes back within so long, or the stream is not what it was: ids
/// that go backwards after another server took over, for example, which nobody reads for ever.
const ECHO_TIMEOUT: Duration = Duration::from_secs(15);

/// Returns where the stream ends now.
pub(super) async fn tail(
    bus: &Bus,
    connection: &mut MultiplexedConnection,
) -> Result<String, BusError> {
    let mut last = redis::cmd("XREVRANGE");
    last.arg(bus.stream()).arg("+").arg("-").arg("COUNT").arg(1);
    let last = last.query_async::<StreamRangeReply>(connection);
    let last = timeout(ANSWER_TIMEOUT, last).await??;
    let id = last.ids.into_iter().next().map(|entry| entry.id);
    Ok(id.unwrap_or_else(|| "0-0".to_owned()))
}

/// Passes on what others tell.
pub(super) async fn listen(
    bus: &Bus,
    mut connection: MultiplexedConnection,
    mut cursor: String,
    tell: &mpsc::Sender<FromPeers>,
) -> Result<Infallible, Ended> {
    let stream = bus.stream();
    let mut heard = Heard::default();
    let mut echoed_at = Instant::now();
    loop {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(COUNT).arg("BLOCK").arg(BLOCK_MS);
        read.arg("STREAMS").arg(&stream).arg(&cursor);
        let deadline = Duration::from_millis(BLOCK_MS) + ANSWER_TIMEOUT;
        let reading = read.query_async::<Option<StreamReadReply>>(&mut connection);
        let found = timeout(deadline, reading).await??;
        for id in found
            .into_iter()
            .flat_map(|found| found.keys)
            .flat_map(|key| key.ids)
        {
            cursor.clone_from(&id.id);
            let Some(entry) = Entry::read(&id) else {
                tracing::debug!(id = %id.id, "an entry that no gateway wrote");
                continue;
            };
            if *entry.node == *bus.node {
                echoed_at = Instant::now();
                continue;
            }
            let order = heard.take(&entry);
            if order == Order::Gap {
                hand_over(tell, FromPeers::Missed).await?;
            }
            if let Some(news) = entry.news.filter(|_| order != Order::Known) {
                hand_over(tell, FromPeers::News(news)).await?;
            }
        }
        if echoed_at.elapsed() > ECHO_TIMEOUT {
            return Err(BusError::Stream("what is told does not come back").into());
        }
    }
}
