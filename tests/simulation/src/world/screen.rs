//! What a person sees: the deltas, applied as the npm package applies them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rejoinder::engine::{
    ConnectionNotice, ConnectionState, Delivery, Row, ThreadDelta, ThreadMeta,
};
use rejoinder_protocol::{ClientMsgId, ThreadId};

/// One thread as it is shown.
#[derive(Debug, Default)]
pub struct Timeline {
    rows: BTreeMap<Arc<str>, Row>,
    ids: Vec<Arc<str>>,
    /// Everything but the messages.
    pub meta: Option<ThreadMeta>,
}

impl Timeline {
    /// Returns the messages in the order in which they are shown.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.ids.iter().filter_map(|id| self.rows.get(id))
    }

    /// Applies a delta. Returns the rows that went, or what makes no sense about it.
    ///
    /// # Errors
    ///
    /// A sentence, if a message would be shown twice or the delta fits nothing.
    pub fn apply(&mut self, delta: &ThreadDelta) -> Result<Vec<Row>, String> {
        let mut gone = Vec::new();
        for id in &delta.removed {
            match self.rows.remove(id) {
                Some(row) => gone.push(row),
                None => return Err(format!("{id} is removed and was never shown")),
            }
        }
        for row in &delta.upserted {
            self.rows.insert(row.id.clone(), row.clone());
        }
        if let Some(splice) = &delta.splice {
            let end = splice.at + splice.delete_count;
            if end > self.ids.len() {
                return Err(format!("a splice to {end} in a list of {}", self.ids.len()));
            }
            self.ids
                .splice(splice.at..end, splice.insert.iter().cloned());
            let mut unique = self.ids.clone();
            unique.sort_unstable();
            unique.dedup();
            if unique.len() != self.ids.len() {
                return Err(format!("a message is shown twice: {:?}", self.ids));
            }
        }
        if self.ids.len() != self.rows.len() {
            return Err(format!(
                "{} rows for {} places",
                self.rows.len(),
                self.ids.len()
            ));
        }
        if let Some(meta) = &delta.meta {
            self.meta = Some(meta.clone());
        }
        Ok(gone)
    }
}

/// Everything a page shows.
#[derive(Debug, Default)]
pub struct Screen {
    /// Whether the list of threads is up to date, where it is watched.
    pub inbox_is_current: Option<bool>,
    /// The threads.
    pub threads: BTreeMap<ThreadId, Timeline>,
    /// The connection.
    pub connection: Option<ConnectionNotice>,
}

impl Screen {
    /// Returns where the connection stands, once that was told.
    pub fn state(&self) -> Option<ConnectionState> {
        self.connection.as_ref().map(|connection| connection.state)
    }

    /// Returns the messages that have failed.
    pub fn failed(&self) -> Vec<ClientMsgId> {
        let failed = self
            .waiting()
            .filter(|row| matches!(row.delivery, Delivery::Failed { .. }));
        failed.map(|row| row.client_msg_id).collect()
    }

    /// Returns the messages that wait or have failed, of all threads.
    pub fn waiting(&self) -> impl Iterator<Item = &Row> {
        let rows = self.threads.values().flat_map(Timeline::rows);
        rows.filter(|row| row.delivery != Delivery::Sent)
    }
}
