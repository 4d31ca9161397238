//! What a person sees: the deltas applied as the npm package applies them.

use std::collections::BTreeMap;

use rejoinder::engine::{
    ConnectionNotice, Delivery, DiscardOutcome, InboxThread, Notice, Row, SendResult, ThreadDelta,
    ThreadMeta,
};
use rejoinder_protocol::{ClientMsgId, ThreadId};
use rejoinder_simulation::world::screen::Timeline;

/// Everything the application was told.
#[derive(Default)]
pub(crate) struct Screen {
    timelines: BTreeMap<ThreadId, Timeline>,
    pub(crate) connection: Option<ConnectionNotice>,
    pub(crate) inbox: Vec<InboxThread>,
    pub(crate) settled: Vec<(ClientMsgId, SendResult)>,
    pub(crate) discarded: Vec<(ClientMsgId, DiscardOutcome)>,
    /// Bodies of `message` events, in the order of arrival.
    pub(crate) heard: Vec<String>,
    /// How the connection and each thread were shown, one after the other.
    pub(crate) shown: (Vec<ConnectionNotice>, Vec<(ThreadId, ThreadMeta)>),
}

impl Screen {
    pub(crate) fn show(&mut self, notice: Notice) {
        match notice {
            Notice::Connection(connection) => {
                self.shown.0.push(connection.clone());
                self.connection = Some(connection);
            }
            Notice::Discarded {
                client_msg_id,
                outcome,
            } => {
                self.discarded.push((client_msg_id, outcome));
            }
            Notice::Inbox { threads, .. } => self.inbox = threads,
            Notice::Message { message, .. } => self.heard.push(message.body),
            Notice::Settled {
                client_msg_id,
                result,
            } => {
                self.settled.push((client_msg_id, result));
            }
            Notice::Thread(delta) => self.apply(delta),
        }
    }

    fn apply(&mut self, delta: ThreadDelta) {
        if let Some(meta) = &delta.meta {
            self.shown.1.push((delta.thread_id.clone(), meta.clone()));
        }
        let timeline = self.timelines.entry(delta.thread_id.clone()).or_default();
        timeline.apply(&delta).expect("a delta that makes sense");
    }

    pub(crate) fn meta(&self, thread_id: &ThreadId) -> &ThreadMeta {
        let timeline = self.timelines.get(thread_id).expect("the thread was shown");
        timeline
            .meta
            .as_ref()
            .expect("the first delta carries the meta")
    }

    pub(crate) fn rows(&self, thread_id: &ThreadId) -> Vec<&Row> {
        let timeline = self.timelines.get(thread_id);
        timeline.into_iter().flat_map(Timeline::rows).collect()
    }

    pub(crate) fn bodies(&self, thread_id: &ThreadId) -> Vec<String> {
        self.rows(thread_id)
            .into_iter()
            .map(|row| row.body.clone())
            .collect()
    }

    pub(crate) fn deliveries(&self, thread_id: &ThreadId) -> Vec<Delivery> {
        self.rows(thread_id)
            .into_iter()
            .map(|row| row.delivery.clone())
            .collect()
    }
}
