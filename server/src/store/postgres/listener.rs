//! What others write, as their transactions' triggers tell it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Error};

use super::Connector;
use super::connect::next_message;
use crate::store::Heard;

/// Between two attempts to listen, the first and the longest.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A connection on which nothing happens is tried so often: it may be dead without a word.
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// News that wait to be passed on.
const TOLD_MAX: usize = 256;

/// Listens until nobody wants to hear it any more.
pub(super) async fn listen(connector: Connector, tell: mpsc::Sender<Heard>) {
    let mut pause = PAUSE;
    while !tell.is_closed() {
        let heard = tokio::select! {
            () = tell.closed() => return,
            ended = hear(&connector, &tell) => ended,
        };
        match heard {
            Ok(()) => pause = PAUSE,
            Err(error) => {
                let error = super::fault::words(&error);
                tracing::warn!(%error, "nobody tells what others write; polling until then");
            }
        }
        if tell.send(Heard::Nothing).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Listens on one connection; returns when that has ended after it had worked.
async fn hear(connector: &Connector, tell: &mpsc::Sender<Heard>) -> Result<(), Error> {
    let (client, mut connection) = connector.open().await?;
    let (pass_on, mut told) = mpsc::channel(TOLD_MAX);
    tokio::spawn(async move {
        // Ends with the connection, which ends with its client.
        while let Some(Ok(message)) = next_message(&mut connection).await {
            if let AsyncMessage::Notification(news) = message
                && pass_on.send(news).await.is_err()
            {
                return;
            }
        }
    });
    client.batch_execute("LISTEN rejoinder").await?;
    let mut heard = Heard::Everything;
    while tell.send(heard).await.is_ok() {
        let news = loop {
            match timeout(PROBE_EVERY, told.recv()).await {
                Ok(Some(news)) => break news,
                Ok(None) => return Ok(()),
                Err(_) => {
                    let probe = timeout(PROBE_TIMEOUT, client.batch_execute("")).await;
                    if !matches!(probe, Ok(Ok(()))) {
                        return Ok(());
                    }
                }
            }
        };
        // What is not the name of a thread says that anything may have changed.
        heard = match news.payload().parse() {
            Ok(thread_id) => Heard::Changed(thread_id),
            Err(_) => Heard::Everything,
        };
    }
    Ok(())
}
