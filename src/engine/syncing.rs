//! Following a thread: pages, live changes, resets and older messages.

use rejoinder_protocol::{
    Ack, Change, ClientMsgId, HistoryPage, Live, Page, Reset, SequenceNumber, ThreadId,
};

use super::Engine;
use super::config::HINT_SYNC_MS;
use super::effect::Effect;
use super::notice::Notice;
use super::publish::confirmed_row;
use super::thread::{Older, Subscription};
use super::thread_log::{Applied, Outcome};

impl Engine {
    /// Whether frames of this connection may be applied to the thread: its cursor must be of the
    /// same history.
    pub(super) fn is_same_epoch(&self, thread_id: &ThreadId) -> bool {
        let log = self
            .threads
            .get(thread_id)
            .and_then(|thread| thread.log.as_ref());
        let held = log
            .and_then(|log| log.cursor.as_ref())
            .map(|cursor| &cursor.epoch);
        let live = self.connection.live().map(|live| &live.epoch);
        held.is_none() || held == live
    }

    /// What was asked for is on its way. Threads share the connection: each waits for the others.
    pub(super) fn catching_up_goes_on(&mut self) {
        let now = self.clock.now.monotonic;
        for thread in self.threads.values_mut() {
            if let Subscription::CatchingUp { asked_at } = &mut thread.subscription {
                *asked_at = now;
            }
        }
    }

    pub(super) fn handle_page(&mut self, page: &Page, effects: &mut Vec<Effect>) {
        if !self.is_same_epoch(&page.thread_id) {
            return;
        }
        self.catching_up_goes_on();
        let Some(thread) = self.threads.get_mut(&page.thread_id) else {
            return;
        };
        thread.told = thread.told.max(page.head_revision);
        let Some(log) = thread.active_log() else {
            return;
        };
        match log.apply_page(page) {
            Outcome::Applied(applied) => self.applied(&page.thread_id, applied, effects),
            Outcome::Known => {}
            Outcome::Hole => thread.has_hole = true,
        }
    }

    pub(super) fn handle_change(&mut self, change: &Change, effects: &mut Vec<Effect>) {
        if !self.is_same_epoch(&change.thread_id) {
            return;
        }
        let Some(thread) = self.threads.get_mut(&change.thread_id) else {
            return;
        };
        thread.told = thread.told.max(change.revision);
        let Some(log) = thread.active_log() else {
            return;
        };
        match log.apply_change(change) {
            Outcome::Applied(applied) => self.applied(&change.thread_id, applied, effects),
            Outcome::Known => {}
            Outcome::Hole => {
                thread.has_hole = true;
                // While catching up, `live` decides: the pages may still bring it.
                if thread.subscription == Subscription::Live {
                    thread.sync_again();
                }
            }
        }
    }

    pub(super) fn handle_live(&mut self, live: &Live) {
        let now = self.clock.now.monotonic;
        let Some(thread) = self.threads.get_mut(&live.thread_id) else {
            return;
        };
        thread.told = thread.told.max(live.revision);
        let held = thread.revision();
        if thread.is_reloading || thread.log.is_none() {
            return;
        }
        if held < live.revision || thread.has_hole {
            thread.sync_again();
            return;
        }
        let is_caught_up = matches!(thread.subscription, Subscription::CatchingUp { .. });
        thread.subscription = Subscription::Live;
        thread.was_live = false;
        if held < thread.told {
            thread.hint_deadline = Some(now.after(HINT_SYNC_MS));
        }
        thread.touch_list();
        if is_caught_up {
            self.caught_up(&live.thread_id);
        }
    }

    /// Something told of a change above the cursor: if it does not come by itself, sync.
    pub(super) fn hint_told(&mut self, thread_id: &ThreadId) {
        let now = self.clock.now.monotonic;
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        let is_behind = thread.told > thread.revision();
        if is_behind && thread.subscription == Subscription::Live && thread.hint_deadline.is_none()
        {
            thread.hint_deadline = Some(now.after(HINT_SYNC_MS));
        }
    }

    pub(super) fn handle_reset(&mut self, reset: &Reset, effects: &mut Vec<Effect>) {
        let live_epoch = self.connection.live().map(|live| live.epoch.clone());
        if live_epoch.as_ref() != Some(&reset.epoch) {
            return;
        }
        self.catching_up_goes_on();
        let Some(thread) = self.threads.get_mut(&reset.thread_id) else {
            return;
        };
        if thread.is_reloading {
            return;
        }
        let Some(log) = thread.log.as_mut() else {
            return;
        };
        let stored = log.stored.clone();
        let Some(applied) = log.apply_reset(reset) else {
            thread.sync_again();
            return;
        };
        thread.told = reset.head_revision;
        thread.has_hole = false;
        thread.hint_deadline = None;
        thread.older = Older::Idle;
        // A window is shown, not announced.
        thread.announced = log
            .newest()
            .map_or(SequenceNumber::ZERO, |held| held.message.sequence_number);
        thread
            .shown
            .touched
            .extend(log.rows().map(|held| held.message.sequence_number));
        thread.touch_list();
        let settled = self.settle_below_window(&reset.thread_id, &applied, effects);
        self.persist_reset(&reset.thread_id, stored, applied, settled, effects);
        self.refresh_in_inbox(&reset.thread_id);
    }

    /// Own messages that a reset brought or jumped over are no longer pending.
    pub(super) fn settle_below_window(
        &mut self,
        thread_id: &ThreadId,
        applied: &Applied,
        effects: &mut Vec<Effect>,
    ) -> Vec<ClientMsgId> {
        let Some(log) = self
            .threads
            .get(thread_id)
            .and_then(|thread| thread.log.as_ref())
        else {
            return Vec::new();
        };
        let mut settled = log.own_keys(&applied.messages);
        settled.extend(self.acknowledged_below(thread_id, log.oldest));
        for client_msg_id in &settled {
            self.confirm_entry(*client_msg_id, effects);
        }
        settled
    }

    /// Returns own messages that are acknowledged and lie below a place: their changes will not
    /// come again.
    pub(super) fn acknowledged_below(
        &self,
        thread_id: &ThreadId,
        oldest: SequenceNumber,
    ) -> Vec<ClientMsgId> {
        let is_below = |ack: &Ack| ack.sequence_number < oldest;
        self.outbox
            .of_thread(thread_id)
            .filter(|entry| entry.ack.as_ref().is_some_and(is_below))
            .map(|entry| entry.record.client_msg_id)
            .collect()
    }

    /// A page or change moved the cursor.
    pub(super) fn applied(
        &mut self,
        thread_id: &ThreadId,
        applied: Applied,
        effects: &mut Vec<Effect>,
    ) {
        let user_id = self.config.user_id.clone();
        let Some(thread) = self.threads.get_mut(thread_id) else {
            return;
        };
        let Some(log) = thread.log.as_ref() else {
            return;
        };
        let settled = log.own_keys(&applied.messages);
        for place in &applied.arrived {
            let Some(held) = log.get(*place) else {
                continue;
            };
            // Who sends has stopped writing.
            thread.typing.remove(&held.message.sender_id);
            if *place > thread.announced && !held.message.deleted {
                let message = confirmed_row(held, &user_id);
                let thread_id = thread_id.clone();
                effects.push(Effect::Notify(Notice::Message { thread_id, message }));
            }
        }
        thread.shown.touched.extend(applied.touched.iter().copied());
        if log.revision() >= thread.told {
            thread.hint_deadline = None;
            thread.has_hole = false;
        }
        thread.touch_list();
        for client_msg_id in &settled {
            self.confirm_entry(*client_msg_id, effects);
        }
        self.persist_advance(thread_id, applied, settled, effects);
        self.refresh_in_inbox(thread_id);
    }

    pub(super) fn handle_history(&mut self, page: &HistoryPage, effects: &mut Vec<Effect>) {
        let Some(thread) = self.threads.get_mut(&page.thread_id) else {
            return;
        };
        let Older::FromGateway { before } = thread.older else {
            return;
        };
        if before != page.before_sequence_number || thread.is_reloading {
            return;
        }
        let Some(log) = thread.log.as_mut() else {
            return;
        };
        let Some(places) = log.apply_history(page) else {
            // The window moved, or a change passed below it: ask again from where it stands.
            thread.older = Older::Wanted;
            return;
        };
        let settled = log.own_keys(&page.messages);
        thread.older = Older::Idle;
        thread.shown.touched.extend(places);
        thread.touch_list();
        for client_msg_id in settled {
            self.confirm_entry(client_msg_id, effects);
        }
        self.persist_history(page, effects);
    }
}
