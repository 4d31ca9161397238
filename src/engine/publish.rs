//! Telling the application what changed, and only that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rejoinder_protocol::{Message, ThreadId, UserId};

use super::Engine;
use super::connection::State;
use super::effect::Effect;
use super::notice::{
    ConnectionNotice, Delivery, Durability, Notice, Partner, Row, Splice, SyncState, ThreadDelta,
    ThreadMeta,
};
use super::outbox::{Entry, Flight};
use super::thread::{Older, ThreadState};
use super::thread_log::Held;

impl Engine {
    pub(super) fn publish(&mut self, effects: &mut Vec<Effect>) {
        self.publish_connection(effects);
        self.publish_inbox(effects);
        let dirty: Vec<ThreadId> = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.shown.is_dirty)
            .map(|(thread_id, _)| thread_id.clone())
            .collect();
        for thread_id in dirty {
            self.publish_thread(&thread_id, effects);
        }
    }

    fn publish_connection(&mut self, effects: &mut Vec<Effect>) {
        let next_attempt_at = match &self.connection.state {
            State::Waiting { until, .. } => Some(self.clock.now.wall_at(*until)),
            State::Idle
            | State::Booting
            | State::NeedsToken { .. }
            | State::Opening { .. }
            | State::Greeting { .. }
            | State::Live(_)
            | State::Ended(_) => None,
        };
        let held = self.last_connection_notice.as_ref();
        // The wall clock may drift while we wait; the moment that was announced stays.
        let next_attempt_at = match (next_attempt_at, held.and_then(|held| held.next_attempt_at)) {
            (Some(new), Some(old)) if new.get().abs_diff(old.get()) < 100 => Some(old),
            (new, _) => new,
        };
        let notice = ConnectionNotice {
            user_id: self.config.user_id.clone(),
            state: self.connection.shown_state(),
            reason: self.connection.reason,
            close_code: self.connection.close_code,
            transport: self.connection.live().map(|live| live.transport),
            next_attempt_at,
            queue_length: self.outbox.waiting(),
            storage: if self.storage.is_on() {
                Durability::Disk
            } else {
                Durability::Memory
            },
            storage_reason: self.storage.failure.map(super::StorageFailure::as_str),
        };
        if held != Some(&notice) {
            self.last_connection_notice = Some(notice.clone());
            effects.push(Effect::Notify(Notice::Connection(notice)));
        }
    }

    fn publish_thread(&mut self, thread_id: &ThreadId, effects: &mut Vec<Effect>) {
        let user_id = &self.config.user_id;
        let blocker = self.outbox.blocker(thread_id, self.config.skip_failed);
        let mut blocked_by = None;
        let mut pending = Vec::new();
        for entry in self.outbox.of_thread(thread_id) {
            pending.push(pending_row(entry, blocked_by, user_id));
            blocked_by = blocked_by.or(blocker.filter(|id| *id == entry.record.client_msg_id));
        }
        let is_live = self.connection.live().is_some();
        let Some(meta) = self
            .threads
            .get(thread_id)
            .map(|thread| self.meta(thread, is_live))
        else {
            return;
        };
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        let list_changed = std::mem::take(&mut thread.shown.list_changed);
        let mut delta = ThreadDelta {
            thread_id: thread_id.clone(),
            removed: Vec::new(),
            upserted: touched_rows(thread, user_id),
            splice: None,
            meta: None,
        };
        let shown = &thread.shown.pending;
        let held: BTreeMap<&Arc<str>, &Row> = shown.iter().map(|row| (&row.id, row)).collect();
        let changed = pending.iter().filter(|row| held.get(&row.id) != Some(row));
        delta.upserted.extend(changed.cloned());
        if list_changed {
            (delta.removed, delta.splice) = splice(thread, &pending);
        }
        thread.shown.pending = pending;
        if thread.shown.meta.as_ref() != Some(&meta) {
            thread.shown.meta = Some(meta.clone());
            delta.meta = Some(meta);
        }
        thread.shown.is_dirty = false;
        let is_empty = delta.upserted.is_empty() && delta.splice.is_none() && delta.meta.is_none();
        if !is_empty {
            effects.push(Effect::Notify(Notice::Thread(delta)));
        }
    }

    /// The engine forgets a thread, and so must the application: later it is told from the start.
    pub(super) fn clear_thread(&mut self, thread_id: &ThreadId, effects: &mut Vec<Effect>) {
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        let removed = std::mem::take(&mut thread.shown.ids);
        if thread.shown.meta.is_none() {
            return;
        }
        let splice = Splice {
            at: 0,
            delete_count: removed.len(),
            insert: Vec::new(),
        };
        let meta = self.meta(&ThreadState::new(), false);
        effects.push(Effect::Notify(Notice::Thread(ThreadDelta {
            thread_id: thread_id.clone(),
            removed,
            upserted: Vec::new(),
            splice: Some(splice),
            meta: Some(meta),
        })));
    }

    fn meta(&self, thread: &ThreadState, is_live: bool) -> ThreadMeta {
        let sync_state = match thread.shows_live() {
            _ if !is_live => SyncState::Connecting,
            true => SyncState::Live,
            false => SyncState::CatchingUp,
        };
        let log = thread.log.as_ref();
        let partners = log.into_iter().flat_map(|log| log.participants.values());
        let partners = partners
            .filter(|one| one.user_id != self.config.user_id && one.left_at.is_none())
            .map(|one| {
                let seen = self.presence.get(&one.user_id);
                Partner {
                    user_id: one.user_id.clone(),
                    is_typing: thread.typing.contains_key(&one.user_id),
                    presence: seen.presence,
                    last_seen_at: seen.last_seen_at,
                }
            })
            .collect();
        ThreadMeta {
            sync_state,
            is_loaded: log.is_some(),
            has_older: log.is_some_and(super::thread_log::ThreadLog::has_older),
            is_loading_older: thread.older != Older::Idle,
            has_gap: log.is_some_and(super::thread_log::ThreadLog::has_gap),
            last_server_msg_id: log
                .and_then(|log| log.newest())
                .map(|held| held.message.server_msg_id.clone()),
            unavailable: thread.unavailable,
            partners,
        }
    }
}

fn touched_rows(thread: &mut ThreadState, user_id: &UserId) -> Vec<Row> {
    let touched = std::mem::take(&mut thread.shown.touched);
    let Some(log) = thread.log.as_ref() else {
        return Vec::new();
    };
    touched
        .iter()
        .filter_map(|place| log.get(*place))
        .map(|held| confirmed_row(held, user_id))
        .collect()
}

/// Compares the list of ids with what the application was told: one splice between the common
/// beginning and the common end.
fn splice(thread: &mut ThreadState, pending: &[Row]) -> (Vec<Arc<str>>, Option<Splice>) {
    let confirmed = thread
        .log
        .iter()
        .flat_map(|log| log.rows().map(|held| held.id.clone()));
    let new: Vec<Arc<str>> = confirmed
        .chain(pending.iter().map(|row| row.id.clone()))
        .collect();
    let old = std::mem::replace(&mut thread.shown.ids, new.clone());
    let same = |pair: &(&Arc<str>, &Arc<str>)| Arc::ptr_eq(pair.0, pair.1) || pair.0 == pair.1;
    let head = old.iter().zip(&new).take_while(same).count();
    let longest_tail = old.len().min(new.len()) - head;
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(longest_tail)
        .take_while(same)
        .count();
    let gone = old.get(head..old.len() - tail).unwrap_or_default();
    let come = new.get(head..new.len() - tail).unwrap_or_default();
    if gone.is_empty() && come.is_empty() {
        return (Vec::new(), None);
    }
    let kept: BTreeSet<&Arc<str>> = come.iter().collect();
    let removed = gone
        .iter()
        .filter(|id| !kept.contains(id))
        .cloned()
        .collect();
    let splice = Splice {
        at: head,
        delete_count: gone.len(),
        insert: come.to_vec(),
    };
    (removed, Some(splice))
}

/// Returns a confirmed message as it is shown.
pub(super) fn confirmed_row(held: &Held, user_id: &UserId) -> Row {
    let Held { id, message } = held;
    let Message {
        body, attachments, ..
    } = message;
    Row {
        id: id.clone(),
        client_msg_id: message.client_msg_id,
        server_msg_id: Some(message.server_msg_id.clone()),
        sequence_number: Some(message.sequence_number),
        sender_id: message.sender_id.clone(),
        is_own: message.sender_id == *user_id,
        body: body.clone(),
        attachments: attachments.clone(),
        sent_at: message.sent_at,
        edited_at: message.edited_at,
        is_deleted: message.deleted,
        delivery: Delivery::Sent,
    }
}

/// Returns a message that is not part of the log yet as it is shown.
fn pending_row(
    entry: &Entry,
    blocked_by: Option<rejoinder_protocol::ClientMsgId>,
    user_id: &UserId,
) -> Row {
    let record = &entry.record;
    let ack = entry.ack.as_ref();
    let delivery = if record.cancel_wanted || entry.is_discarding {
        Delivery::Cancelling
    } else if let Some(code) = record.failed {
        Delivery::Failed { code }
    } else if ack.is_some() || entry.flight == Flight::Acked {
        Delivery::Sent
    } else {
        Delivery::Queued {
            durability: entry.durability(),
            blocked_by,
        }
    };
    Row {
        id: record.client_msg_id.to_string().into(),
        client_msg_id: record.client_msg_id,
        server_msg_id: ack.map(|ack| ack.server_msg_id.clone()),
        sequence_number: ack.map(|ack| ack.sequence_number),
        sender_id: user_id.clone(),
        is_own: true,
        body: record.body.clone(),
        attachments: record.attachments.clone(),
        sent_at: ack.map_or(record.created_at, |ack| ack.sent_at),
        edited_at: None,
        is_deleted: false,
        delivery,
    }
}
