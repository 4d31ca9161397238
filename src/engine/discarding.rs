//! Taking a message back.

use rejoinder_protocol::{Cancel, ClientFrame, ClientMsgId, ErrorCode};

use super::Engine;
use super::effect::Effect;
use super::notice::{DiscardOutcome, Durability, Notice};
use super::outbox::Saved;
use super::stored::Write;
use super::storing::PendingWrite;

impl Engine {
    pub(super) fn discard(&mut self, client_msg_id: ClientMsgId, effects: &mut Vec<Effect>) {
        let is_on = self.storage.is_on();
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            let outcome = DiscardOutcome::Unknown;
            effects.push(Effect::Notify(Notice::Discarded {
                client_msg_id,
                outcome,
            }));
            return;
        };
        if entry.is_discarding || entry.record.cancel_wanted {
            return;
        }
        if entry.saved != Saved::Memory && is_on {
            entry.is_discarding = true;
            let write = Write::Discard { client_msg_id };
            self.persist(PendingWrite::Discard(client_msg_id), write, effects);
        } else {
            self.discard_in_memory(client_msg_id, effects);
        }
    }

    /// Discards without storage: only what we know ourselves decides.
    pub(super) fn discard_in_memory(
        &mut self,
        client_msg_id: ClientMsgId,
        effects: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        // A row that cannot be deleted is sent by whoever finds it, unless its key is void.
        let outcome = if entry.record.attempted || entry.saved != Saved::Memory {
            DiscardOutcome::MaybeSent
        } else {
            DiscardOutcome::Discarded
        };
        self.discarded(client_msg_id, outcome, effects);
    }

    /// Ends a discard with its outcome.
    pub(super) fn discarded(
        &mut self,
        client_msg_id: ClientMsgId,
        outcome: DiscardOutcome,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::Notify(Notice::Discarded {
            client_msg_id,
            outcome,
        }));
        self.settle(client_msg_id, Durability::Memory, effects);
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        entry.is_discarding = false;
        let thread_id = entry.record.thread_id.clone();
        if outcome == DiscardOutcome::MaybeSent {
            entry.record.cancel_wanted = true;
            entry.record.attempted = true;
        } else {
            self.outbox.remove(client_msg_id);
        }
        self.touch_list(&thread_id);
    }

    pub(super) fn cancelled(&mut self, client_msg_id: ClientMsgId, effects: &mut Vec<Effect>) {
        let Some(entry) = self.outbox.remove(client_msg_id) else {
            return;
        };
        let outcome = DiscardOutcome::Cancelled;
        effects.push(Effect::Notify(Notice::Discarded {
            client_msg_id,
            outcome,
        }));
        self.delete_entries(vec![client_msg_id], effects);
        self.touch_list(&entry.record.thread_id);
    }

    /// The gateway does not say what became of a message, for example because the user was removed
    /// from the thread. For good: there is nobody left to ask.
    pub(super) fn cancel_refused(
        &mut self,
        client_msg_id: ClientMsgId,
        code: ErrorCode,
        effects: &mut Vec<Effect>,
    ) {
        let is_asked = self
            .outbox
            .get(client_msg_id)
            .is_some_and(|entry| entry.record.cancel_wanted);
        if !is_asked || !code.is_permanent() {
            return;
        }
        let outcome = DiscardOutcome::Unknown;
        effects.push(Effect::Notify(Notice::Discarded {
            client_msg_id,
            outcome,
        }));
        self.delete_entries(vec![client_msg_id], effects);
        if let Some(entry) = self.outbox.remove(client_msg_id) {
            self.touch_list(&entry.record.thread_id);
        }
    }

    /// Wishes to cancel leave outside the queue's order.
    pub(super) fn pump_cancels(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let mut frames = Vec::new();
        for entry in self.outbox.iter_mut() {
            if entry.record.cancel_wanted && entry.cancel_sent_at.is_none() {
                entry.cancel_sent_at = Some(now);
                frames.push(ClientFrame::Cancel(Cancel {
                    thread_id: entry.record.thread_id.clone(),
                    client_msg_id: entry.record.client_msg_id,
                }));
            }
        }
        for frame in frames {
            self.transmit(frame, effects);
        }
    }
}
