//! The list of threads.

use std::collections::BTreeMap;

use rejoinder_protocol::{
    ClientFrame, ErrorCode, InboxPage, InboxRequest, Preview, ThreadId, ThreadSummary,
};

use super::Engine;
use super::config::{ASK_AGAIN_MS, INBOX_LIMIT, INBOX_THREADS_MAX};
use super::effect::Effect;
use super::notice::{InboxThread, Notice};
use super::time::Millis;

/// The list of threads, and whether the application wants it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox {
    is_watched: bool,
    threads: BTreeMap<ThreadId, ThreadSummary>,
    /// The gateway has answered on this connection.
    is_current: bool,
    /// Something changed since the application was told.
    is_dirty: bool,
    /// When to ask again, after a refusal that passes.
    ask_at: Option<Millis>,
}

impl Inbox {
    /// Returns when the list is asked for again on a live connection.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.ask_at
    }

    /// Takes one thread's news, unless newer is known.
    fn merge(&mut self, summary: ThreadSummary) {
        let known = self.threads.get(&summary.thread_id);
        if known.is_some_and(|known| known.revision > summary.revision) {
            return;
        }
        self.threads.insert(summary.thread_id.clone(), summary);
        self.is_dirty = true;
        if self.threads.len() > INBOX_THREADS_MAX {
            let oldest = self
                .threads
                .values()
                .min_by_key(|thread| last_activity(thread));
            if let Some(thread_id) = oldest.map(|thread| thread.thread_id.clone()) {
                self.threads.remove(&thread_id);
            }
        }
    }

    fn sorted(&self) -> Vec<&ThreadSummary> {
        let mut threads: Vec<&ThreadSummary> = self.threads.values().collect();
        threads.sort_by_key(|thread| std::cmp::Reverse(last_activity(thread)));
        threads
    }
}

fn last_activity(thread: &ThreadSummary) -> u64 {
    thread
        .preview
        .as_ref()
        .map_or(0, |preview| preview.sent_at.get())
}

impl Engine {
    pub(super) fn watch_inbox(&mut self, effects: &mut Vec<Effect>) {
        let is_new = !self.inbox.is_watched;
        self.inbox.is_watched = true;
        if is_new {
            self.ask_inbox(effects);
        }
    }

    /// Asks for the list, if it is wanted and there is a connection: after every `welcome`, since
    /// a conversation may have begun meanwhile.
    pub(super) fn ask_inbox(&mut self, effects: &mut Vec<Effect>) {
        self.inbox.ask_at = None;
        if self.inbox.is_watched {
            let request = InboxRequest {
                limit: INBOX_LIMIT,
                before: None,
            };
            self.transmit(ClientFrame::Inbox(request), effects);
        }
    }

    /// The gateway, or something on the way, did not answer with a list.
    pub(super) fn inbox_refused(&mut self, code: ErrorCode, retry_after_ms: Option<u64>) {
        if !code.is_permanent() {
            let now = self.clock.now.monotonic;
            self.inbox.ask_at = Some(now.after(retry_after_ms.unwrap_or(ASK_AGAIN_MS)));
        }
    }

    pub(super) fn check_inbox(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let is_due = self.inbox.ask_at.is_some_and(|at| at <= now);
        #[cfg(feature = "mutants")]
        let is_due = is_due && !rejoinder_mutants::planted!(InboxAskedOnce);
        if is_due && self.connection.live().is_some() {
            self.ask_inbox(effects);
        }
    }

    /// Another history of the database: what was listed may never have happened in it.
    pub(super) fn forget_inbox(&mut self) {
        self.inbox.threads.clear();
        self.inbox.is_dirty = true;
    }

    pub(super) fn handle_inbox(&mut self, page: InboxPage) {
        for summary in page.threads {
            self.inbox.merge(summary);
        }
        self.inbox.is_current = true;
        self.inbox.is_dirty = true;
    }

    /// A thread has news or was begun by somebody.
    pub(super) fn handle_summary(&mut self, summary: ThreadSummary) {
        if let Some(thread) = self.threads.get_mut(&summary.thread_id) {
            thread.told = thread.told.max(summary.revision);
            // Only who takes part is told: it exists now, or the user was let in.
            if thread.unavailable.take().is_some() {
                thread.sync_again();
            }
            self.hint_told(&summary.thread_id);
        }
        if self.inbox.is_watched {
            self.inbox.merge(summary);
        }
    }

    pub(super) fn forget_in_inbox(&mut self, thread_id: &ThreadId) {
        if self.inbox.threads.remove(thread_id).is_some() {
            self.inbox.is_dirty = true;
        }
    }

    /// A message that was confirmed in a subscribed thread is news for the list too: the sender's
    /// own sessions get no summary of it.
    pub(super) fn refresh_in_inbox(&mut self, thread_id: &ThreadId) {
        if !self.inbox.is_watched {
            return;
        }
        let Some(log) = self
            .threads
            .get(thread_id)
            .and_then(|thread| thread.log.as_ref())
        else {
            return;
        };
        let Some(newest) = log.newest() else { return };
        let message = &newest.message;
        let participants = log
            .participants
            .values()
            .filter(|participant| participant.left_at.is_none())
            .map(|participant| participant.user_id.clone())
            .collect();
        self.inbox.merge(ThreadSummary {
            thread_id: thread_id.clone(),
            participants,
            revision: log.revision(),
            sequence_number: message.sequence_number,
            preview: Preview::of(message),
        });
    }

    pub(super) fn inbox_connection_lost(&mut self) {
        self.inbox.ask_at = None;
        if self.inbox.is_current {
            self.inbox.is_current = false;
            self.inbox.is_dirty = true;
        }
    }

    pub(super) fn publish_inbox(&mut self, effects: &mut Vec<Effect>) {
        if !self.inbox.is_watched || !std::mem::take(&mut self.inbox.is_dirty) {
            return;
        }
        let user_id = &self.config.user_id;
        let sorted = self.inbox.sorted();
        let threads = sorted
            .into_iter()
            .map(|thread| InboxThread::new(thread, user_id))
            .collect();
        let is_current = self.inbox.is_current;
        effects.push(Effect::Notify(Notice::Inbox {
            threads,
            is_current,
        }));
    }
}
