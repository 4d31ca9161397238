//! Opening and closing threads, subscribing to them, and scrolling up in them.

use rejoinder_protocol::{
    ClientFrame, ErrorCode, ErrorFrame, HistoryRequest, STREAM_THREADS_MAX, SequenceNumber,
    Subscribe, ThreadId, Typing, Unsubscribe, UserId,
};

use super::Engine;
use super::config::{
    ASK_AGAIN_MS, HINT_SYNC_MS, HISTORY_LIMIT, SUBSCRIBE_TIMEOUT_MS, TYPING_INTERVAL_MS,
};
use super::connecting::since;
use super::connection::Live;
use super::effect::Effect;
use super::input::StorageFailure;
use super::notice::Reason;
use super::stored::ThreadLoad;
use super::thread::{Older, OwnTyping, Subscription, ThreadState};
use super::thread_log::ThreadLog;

impl ThreadState {
    /// The user is no longer part of the thread: nothing of it is shown.
    pub(super) fn removed(&mut self, user_id: UserId) {
        // Whoever is let in again may find an older state in storage, and is told the rest anew.
        self.announced = self.announced_until();
        self.log = Some(ThreadLog::new(user_id, ThreadLoad::default()));
        self.is_reloading = false;
        self.subscription = Subscription::Live;
        self.older = Older::Idle;
        self.typing.clear();
        self.unavailable = Some(ErrorCode::NotFound);
        self.touch_list();
    }

    pub(super) fn is_removed(&self) -> bool {
        self.unavailable.is_some() && self.log.as_ref().is_some_and(|log| log.cursor.is_none())
    }
}

impl Engine {
    pub(super) fn open_thread(&mut self, thread_id: &ThreadId, effects: &mut Vec<Effect>) {
        self.ensure_thread(thread_id, effects);
        if let Some(thread) = self.threads.get_mut(thread_id) {
            thread.is_open = true;
            thread.touch();
        }
    }

    pub(super) fn close_thread(&mut self, thread_id: &ThreadId) {
        if let Some(thread) = self.threads.get_mut(thread_id) {
            thread.is_open = false;
        }
    }

    /// Begins to follow a thread, from what is stored of it.
    pub(super) fn ensure_thread(&mut self, thread_id: &ThreadId, effects: &mut Vec<Effect>) {
        if self.threads.contains_key(thread_id) {
            return;
        }
        let mut thread = ThreadState::new();
        thread.announced = self.announced.remove(thread_id).unwrap_or_default();
        if self.storage.is_on() {
            effects.push(Effect::LoadThread {
                thread_id: thread_id.clone(),
                before: None,
            });
        } else {
            let user_id = self.config.user_id.clone();
            thread.log = Some(ThreadLog::new(user_id, ThreadLoad::default()));
        }
        self.threads.insert(thread_id.clone(), thread);
    }

    /// Stops following threads that nobody shows and that no outbox entry needs.
    pub(super) fn drop_idle_threads(&mut self, effects: &mut Vec<Effect>) {
        let idle: Vec<ThreadId> = self
            .threads
            .iter()
            .filter(|(thread_id, thread)| !thread.is_open && !self.outbox.has_thread(thread_id))
            .map(|(thread_id, _)| thread_id.clone())
            .collect();
        for thread_id in idle {
            self.clear_thread(&thread_id, effects);
            if let Some(thread) = self.threads.remove(&thread_id) {
                self.announced
                    .insert(thread_id.clone(), thread.announced_until());
            }
            // A stream goes on to tell of it, until another follows.
            if self.connection.live().is_some_and(Live::has_socket) {
                self.transmit(ClientFrame::Unsubscribe(Unsubscribe { thread_id }), effects);
            }
        }
    }

    /// A write was refused: what is stored is not what we believed, so it is read anew.
    pub(super) fn reload_thread(&mut self, thread_id: &ThreadId, effects: &mut Vec<Effect>) {
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        if !std::mem::replace(&mut thread.is_reloading, true) {
            effects.push(Effect::LoadThread {
                thread_id: thread_id.clone(),
                before: None,
            });
        }
    }

    pub(super) fn handle_thread_loaded(
        &mut self,
        thread_id: &ThreadId,
        before: Option<SequenceNumber>,
        result: Result<ThreadLoad, StorageFailure>,
        effects: &mut Vec<Effect>,
    ) {
        let load = result.unwrap_or_else(|failure| {
            self.storage.failure = Some(failure);
            ThreadLoad::default()
        });
        match before {
            None => self.newest_loaded(thread_id, load, effects),
            Some(before) => self.older_loaded(thread_id, before, load, effects),
        }
    }

    fn newest_loaded(&mut self, thread_id: &ThreadId, load: ThreadLoad, effects: &mut Vec<Effect>) {
        let user_id = self.config.user_id.clone();
        let live_epoch = self.connection.live().map(|live| live.epoch.clone());
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        if thread.log.is_some() && !thread.is_reloading {
            return;
        }
        thread.announced = thread.announced_until();
        let mut log = ThreadLog::new(user_id, load);
        if let Some(old) = thread.log.as_ref() {
            log.remember_skipped(old.skipped_revision());
        }
        let epoch = log.cursor.as_ref().map(|cursor| cursor.epoch.clone());
        let is_reload = std::mem::replace(&mut thread.is_reloading, false);
        let keys: Vec<_> = log.rows().map(|held| held.message.clone()).collect();
        let mut own = log.own_keys(&keys);
        // The acknowledgements that we hold are of the last welcome's history.
        let is_same = epoch.is_some() && epoch == self.storage.epoch;
        let oldest = log.oldest;
        thread
            .shown
            .touched
            .extend(keys.iter().map(|message| message.sequence_number));
        thread.log = Some(log);
        thread.older = Older::Idle;
        #[cfg(feature = "mutants")]
        let before = thread.subscription;
        thread.sync_again();
        #[cfg(feature = "mutants")]
        if is_reload && rejoinder_mutants::planted!(ReloadWithoutSync) {
            thread.subscription = before;
        }
        thread.touch_list();
        if is_same {
            own.extend(self.acknowledged_below(thread_id, oldest));
        }
        let known: Vec<_> = own
            .into_iter()
            .filter(|id| self.outbox.get(*id).is_some())
            .collect();
        for client_msg_id in &known {
            self.confirm_entry(*client_msg_id, effects);
        }
        self.delete_entries(known, effects);
        // Another tab met another history of the database; this connection belongs to the old one.
        if is_reload && epoch.is_some() && live_epoch.is_some() && epoch != live_epoch {
            self.give_up(Reason::EpochChanged, effects);
        }
    }

    /// Asks for what is missing, in every thread.
    pub(super) fn pump_threads(&mut self, effects: &mut Vec<Effect>) {
        let Some(live) = self.connection.live() else {
            return;
        };
        let (attempt, has_socket) = (live.attempt, live.has_socket());
        let now = self.clock.now.monotonic;
        let mut ready = 0;
        let mut is_reopen_wanted = false;
        for (thread_id, thread) in &mut self.threads {
            let is_due = thread.resubscribe_at.is_none_or(|at| at <= now);
            let is_ready = thread.is_ready();
            ready += usize::from(is_ready);
            let is_wanted = thread.subscription == Subscription::Idle && is_due && is_ready;
            if is_wanted && !has_socket {
                // What follows has a deadline of its own.
                thread.resubscribe_at = None;
                if ready <= STREAM_THREADS_MAX {
                    is_reopen_wanted = true;
                } else if thread.unavailable.is_none() {
                    thread.unavailable = Some(ErrorCode::Limit);
                    thread.touch();
                }
            } else if is_wanted {
                thread.subscription = Subscription::CatchingUp { asked_at: now };
                thread.resubscribe_at = None;
                thread.has_hole = false;
                let subscribe = Subscribe {
                    thread_id: thread_id.clone(),
                    since: since(thread),
                };
                let frame = ClientFrame::Subscribe(subscribe);
                effects.push(Effect::Transmit { attempt, frame });
                thread.touch();
            }
            if thread.older == Older::Wanted && is_ready {
                let Some(log) = thread.log.as_ref() else {
                    continue;
                };
                let before = log.oldest;
                thread.older = Older::FromGateway { before };
                let frame = ClientFrame::History(HistoryRequest {
                    thread_id: thread_id.clone(),
                    before_sequence_number: before,
                    limit: HISTORY_LIMIT,
                });
                effects.push(Effect::Transmit { attempt, frame });
            }
        }
        if is_reopen_wanted {
            self.reopen_soon();
        }
    }

    pub(super) fn subscription_refused(&mut self, thread_id: &ThreadId, error: &ErrorFrame) {
        let now = self.clock.now.monotonic;
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        thread.unavailable = Some(error.code);
        if error.code.is_permanent() {
            // Asked again on the next connection; until then it would only be refused again.
            thread.subscription = Subscription::Live;
        } else {
            thread.subscription = Subscription::Idle;
            let wait = error.retry_after_ms.unwrap_or(ASK_AGAIN_MS);
            thread.resubscribe_at = Some(now.after(wait));
        }
        thread.touch();
        if error.code.is_permanent() {
            // There is nobody to tell what became of them.
            self.drop_discarded_elsewhere(thread_id);
        }
    }

    pub(super) fn check_threads(&mut self) {
        let now = self.clock.now.monotonic;
        for thread in self.threads.values_mut() {
            let is_silent = matches!(thread.subscription, Subscription::CatchingUp { asked_at }
                if asked_at.after(SUBSCRIBE_TIMEOUT_MS) <= now);
            let hint_is_due = thread.hint_deadline.is_some_and(|deadline| deadline <= now);
            if is_silent || hint_is_due {
                thread.sync_again();
                thread.resubscribe_at = None;
            }
            let before = thread.typing.len();
            thread.typing.retain(|_, until| *until > now);
            if thread.typing.len() != before {
                thread.touch();
            }
        }
    }

    pub(super) fn load_older(&mut self, thread_id: &ThreadId, effects: &mut Vec<Effect>) {
        let may_read = self.may_read_older();
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        let Some(log) = thread.log.as_ref() else {
            return;
        };
        if thread.older != Older::Idle || !log.has_older() || thread.is_reloading {
            return;
        }
        if may_read && log.oldest > log.stored_oldest {
            let before = log.oldest;
            thread.older = Older::FromStorage {
                before,
                skipped: log.skipped_revision(),
            };
            let thread_id = thread_id.clone();
            effects.push(Effect::LoadThread {
                thread_id,
                before: Some(before),
            });
        } else {
            thread.older = Older::Wanted;
        }
        thread.touch();
    }

    fn older_loaded(
        &mut self,
        thread_id: &ThreadId,
        before: SequenceNumber,
        load: ThreadLoad,
        effects: &mut Vec<Effect>,
    ) {
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        let Older::FromStorage {
            before: asked,
            skipped,
        } = thread.older
        else {
            return;
        };
        if asked != before || thread.is_reloading {
            return;
        }
        let Some(log) = thread.log.as_mut() else {
            return;
        };
        thread.older = Older::Idle;
        thread.shown.is_dirty = true;
        // A change passed below the window since: what was read may lack it.
        if log.skipped_revision() > skipped {
            self.load_older(thread_id, effects);
            return;
        }
        let is_same = load.cursor.as_ref().is_some_and(|record| {
            log.stored.as_ref() == Some(&(record.epoch.clone(), record.reset_count))
        });
        let messages = if is_same && load.usable {
            load.messages
        } else {
            Vec::new()
        };
        match log.prepend(messages) {
            Some(places) if !places.is_empty() => {
                thread.shown.touched.extend(places);
                thread.touch_list();
            }
            // Not there after all; the gateway has it.
            Some(_) | None => thread.older = Older::Wanted,
        }
    }

    pub(super) fn set_typing(
        &mut self,
        thread_id: &ThreadId,
        is_typing: bool,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.clock.now.monotonic;
        if self.connection.live().is_none() {
            return;
        }
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        let is_fresh = thread
            .own_typing
            .is_some_and(|own| now.since(own.renewed_at) < TYPING_INTERVAL_MS);
        // Renewed rarely; ended at once, but only if somebody was told of the beginning.
        let is_nothing_new = if is_typing {
            is_fresh
        } else {
            thread.own_typing.is_none()
        };
        if is_nothing_new {
            return;
        }
        thread.own_typing = is_typing.then_some(OwnTyping { renewed_at: now });
        let thread_id = thread_id.clone();
        self.transmit(
            ClientFrame::Typing(Typing {
                thread_id,
                is_typing,
            }),
            effects,
        );
    }
}

const _: () = assert!(
    HINT_SYNC_MS < SUBSCRIBE_TIMEOUT_MS,
    "a hint is quicker than a timeout"
);
