//! What a person sees: the deltas applied as the npm package applies them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rejoinder::engine::{
    ConnectionNotice, Delivery, DiscardOutcome, InboxThread, Notice, Row, SendResult, ThreadDelta,
    ThreadMeta,
};
use rejoinder_protocol::{ClientMsgId, ThreadId};

#[derive(Default)]
pub(crate) struct Timeline {
    rows: BTreeMap<Arc<str>, Row>,
    ids: Vec<Arc<str>>,
    pub(crate) meta: Option<ThreadMeta>,
}

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
}

impl Screen {
    pub(crate) fn show(&mut self, notice: Notice) {
        match notice {
            Notice::Connection(connection) => self.connection = Some(connection),
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
        let timeline = self.timelines.entry(delta.thread_id).or_default();
        for id in &delta.removed {
            assert!(
                timeline.rows.remove(id).is_some(),
                "removed a row that was never shown"
            );
        }
        for row in delta.upserted {
            timeline.rows.insert(row.id.clone(), row);
        }
        if let Some(splice) = delta.splice {
            let end = splice.at + splice.delete_count;
            timeline.ids.splice(splice.at..end, splice.insert);
        }
        if let Some(meta) = delta.meta {
            timeline.meta = Some(meta);
        }
        // Together with the count below: no message is shown twice. Long lists would be slow to
        // sort at every delta.
        if timeline.ids.len() < 300 {
            let mut unique = timeline.ids.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), timeline.ids.len(), "a message is shown twice");
        }
        assert_eq!(
            timeline.ids.len(),
            timeline.rows.len(),
            "rows that nobody sees are kept"
        );
    }

    pub(crate) fn meta(&self, thread_id: &ThreadId) -> &ThreadMeta {
        let timeline = self.timelines.get(thread_id).expect("the thread was shown");
        timeline
            .meta
            .as_ref()
            .expect("the first delta carries the meta")
    }

    pub(crate) fn rows(&self, thread_id: &ThreadId) -> Vec<&Row> {
        let Some(timeline) = self.timelines.get(thread_id) else {
            return Vec::new();
        };
        timeline
            .ids
            .iter()
            .map(|id| timeline.rows.get(id).expect("an id has a row"))
            .collect()
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
